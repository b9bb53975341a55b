//! What is disclosed of a run to a reader of some units: their own, of others the ranks. See [`Disclosure`].

use std::collections::BTreeMap;

use super::model::RunRow;
use super::rules::Verification;
use super::warnings::{RunWarning, RunWarningCode};
use super::wire::IndexScore;
use crate::http::{Problem, ProblemCode};
use crate::scoring::disclosure::{Disclosure, Withheld, WithheldReason};
use crate::scoring::engine::explain::Explanation;
use crate::scoring::engine::fixed::Fixed;
use crate::scoring::engine::levers::Lever;
use crate::scoring::engine::robust::{LeftOut, RankInterval};
use crate::scoring::engine::score::Run;
use crate::scoring::engine::tree::Tree;

impl RunRow {
    /// `None` for a reader from whom no unit is hidden.
    pub fn disclosure<'a>(&self, run: &'a Run) -> Option<Disclosure<'a>> {
        self.own.is_some().then(|| Disclosure::of(run, |unit| self.explains(unit)))
    }
}

/// Refuses an answer that cannot be given without giving others' figures away.
pub fn refused(pointer: &str) -> Problem {
    Problem::at(ProblemCode::Withheld, pointer, ProblemCode::Withheld.title())
}

/// Nodes that have one indicator at or below them: what is said of such a node is said of a figure.
pub fn leaf_like(tree: &Tree) -> Vec<String> {
    let of_one = tree.items().filter(|(_, item)| item.leaves.len() <= 1);
    of_one.map(|(_, item)| item.code.clone()).collect()
}

/// The rank alone where the score is withheld.
pub fn score(disclosure: &Disclosure<'_>, item: &mut IndexScore) {
    let Some(reason) = disclosure.score(&item.unit, &item.node) else { return };
    item.score = None;
    item.rounded = None;
    item.band = None;
    item.withheld = Some(reason);
}

/// The warnings without units that are hidden from the reader, and without what is drawn from too few of them.
pub fn warnings(disclosure: &Disclosure<'_>, warnings: Vec<RunWarning>) -> Vec<RunWarning> {
    let mut merged: BTreeMap<(usize, Vec<String>), RunWarning> = BTreeMap::new();
    let mut order: Vec<RunWarningCode> = Vec::new();
    for warning in warnings.into_iter().filter_map(|warning| visible_warning(disclosure, warning)) {
        let at = order.iter().position(|code| *code == warning.code).unwrap_or_else(|| {
            order.push(warning.code);
            order.len() - 1
        });
        // How nodes are grouped would reveal where hidden units are concerned.
        merged
            .entry((at, warning.units.clone()))
            .and_modify(|earlier| earlier.nodes.extend(warning.nodes.iter().cloned()))
            .or_insert(warning);
    }
    let mut all: Vec<RunWarning> = merged.into_values().collect();
    all.iter_mut().for_each(|warning| warning.nodes.sort_unstable());
    all
}

fn visible_warning(disclosure: &Disclosure<'_>, mut warning: RunWarning) -> Option<RunWarning> {
    let (units, nodes) = (warning.units.len(), warning.nodes.len());
    warning.units.retain(|unit| disclosure.is_own(unit));
    let of_all_figures =
        matches!(warning.code, RunWarningCode::NoVariance | RunWarningCode::RatioWithoutMeasure);
    let of_scores = matches!(
        warning.code,
        RunWarningCode::AboveMaximum | RunWarningCode::MeanMadeZero | RunWarningCode::NegativeUnderMean
    );
    if of_all_figures {
        warning.nodes.retain(|node| !disclosure.withholds_node(node));
    }
    if of_scores {
        let is_disclosed =
            |node: &String| warning.units.iter().all(|unit| disclosure.score(unit, node).is_none());
        warning.nodes.retain(is_disclosed);
    }
    let emptied = (units > 0 && warning.units.is_empty()) || (nodes > 0 && warning.nodes.is_empty());
    (!emptied).then_some(warning)
}

/// Differences of the reader's units alone; the hash is over everyone's figures, so that they could be tried against it.
pub fn verification(row: &RunRow, verification: &mut Verification) {
    verification.differences.retain(|difference| row.explains(&difference.unit));
    verification.difference_count = verification.differences.len();
    verification.input_hash = None;
}

/// The tree of one own unit without what was measured against too few others.
pub fn explanation(
    disclosure: &Disclosure<'_>,
    unit: &str,
    tree: &mut Explanation,
    withheld: &mut Vec<Withheld>,
) {
    let parts = disclosure.overall(unit).is_some();
    redact_item(disclosure, unit, parts, tree, withheld);
}

fn redact_item(
    disclosure: &Disclosure<'_>,
    unit: &str,
    parts: bool,
    item: &mut Explanation,
    withheld: &mut Vec<Withheld>,
) {
    if disclosure.withholds_bounds(unit, &item.code) {
        item.bounds = None;
    }
    let reason = disclosure.score(unit, &item.code);
    if reason.is_some() {
        item.normalised = None;
        item.score = None;
    }
    if parts {
        item.contribution = None;
        item.lost = None;
        item.residual = Fixed::zero();
    }
    withheld.extend(reason.map(|reason| withheld_at(unit, &item.code, reason)));
    item.children.iter_mut().for_each(|child| redact_item(disclosure, unit, parts, child, withheld));
}

fn withheld_at(unit: &str, node: &str, reason: WithheldReason) -> Withheld {
    Withheld { unit: Some(unit.to_owned()), node: Some(node.to_owned()), reason }
}

/// The levers without what bounds of too few others show; those that are left, in their order.
pub fn levers(disclosure: &Disclosure<'_>, unit: &str, levers: &mut [Lever]) -> Vec<Withheld> {
    let of_gains = disclosure.overall(unit);
    let mut withheld = Vec::new();
    for lever in levers.iter_mut() {
        let of_bounds = disclosure.withholds_bounds(unit, &lever.indicator);
        if of_bounds || of_gains.is_some() {
            *lever = Lever { value: lever.value.take(), ..Lever::unknown(&lever.indicator) };
            let reason = of_gains.unwrap_or(WithheldReason::FewForeignUnits);
            withheld.push(withheld_at(unit, &lever.indicator, reason));
        }
    }
    // What is withheld may not show in the order.
    crate::scoring::engine::levers::sort(levers);
    withheld
}

/// The intervals of the reader's units.
pub fn intervals(row: &RunRow, intervals: &[RankInterval]) -> Vec<RankInterval> {
    intervals.iter().filter(|interval| row.explains(&interval.unit)).cloned().collect()
}

/// What would change of the reader's units.
pub fn left_out(row: &RunRow, left_out: &[LeftOut]) -> Vec<LeftOut> {
    let of_own = |out: &LeftOut| {
        let moved = out.moved.iter().filter(|shift| row.explains(&shift.unit)).cloned().collect();
        LeftOut::of(out.indicator.clone(), moved)
    };
    left_out.iter().map(of_own).collect()
}
