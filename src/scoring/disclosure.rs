//! Statistical disclosure control: which numbers of a run are disclosed to a reader who may not read every unit.
//!
//! Threshold rule: what is drawn from figures of other units (bounds, means, ranges) is disclosed only when at least
//! [`crate::values::LEAST_UNITS`] of them have one, and so is every score that was measured against it. Ranks are always disclosed.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::engine::aggregate::Cell;
use super::engine::framework::Missing;
use super::engine::framework_leaf::Method;
use super::engine::readings::State;
use super::engine::score::{Run, Scored};
use super::engine::tree::{Group, Item, Leaf, Rule};
pub use crate::values::WithheldReason;
use crate::values::is_too_few;

/// A withheld number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
pub struct Withheld {
    /// Code of the unit; null for every unit.
    pub unit: Option<String>,
    /// Code of the node or indicator; null for every node.
    pub node: Option<String>,
    pub reason: WithheldReason,
}

/// What of a run may be disclosed to one reader.
pub struct Disclosure<'a> {
    run: &'a Run,
    /// Items and groups of peers whose bounds are drawn from too few units of others.
    few: BTreeSet<(usize, &'a str)>,
    /// Per own unit and item: the score depends on such bounds.
    scores: HashMap<&'a str, Vec<bool>>,
}

impl<'a> Disclosure<'a> {
    /// For a reader who may read the units that are `own`.
    pub fn of(run: &'a Run, own: impl Fn(&str) -> bool) -> Self {
        Self::after(run, own, |_, _| false)
    }

    /// As [`Disclosure::of`], after the reader chose figures of some units at some indicators.
    pub fn after(run: &'a Run, own: impl Fn(&str) -> bool, chosen: impl Fn(&str, &Item) -> bool) -> Self {
        let (own_units, others): (Vec<&Scored>, Vec<&Scored>) =
            run.units.iter().partition(|scored| own(&scored.unit.code));
        let mut counts: HashMap<(usize, &str), usize> = HashMap::new();
        for scored in others {
            for (index, item) in run.tree.items() {
                if has_figure(scored, index, item) {
                    *counts.entry((index, run.frontier_key(&scored.unit))).or_default() += 1;
                }
            }
        }
        let few = counts.iter().filter(|(_, n)| is_too_few(**n)).map(|(place, _)| *place).collect();
        let scores = own_units
            .into_iter()
            .map(|scored| (scored.unit.code.as_str(), withheld_scores(run, scored, &few, &counts, &chosen)));
        let scores = scores.collect();
        Self { run, few, scores }
    }

    pub fn is_own(&self, unit: &str) -> bool {
        self.scores.contains_key(unit)
    }

    /// Why the score of the unit at the node is withheld.
    pub fn score(&self, unit: &str, node: &str) -> Option<WithheldReason> {
        match self.scores.get(unit) {
            None => Some(WithheldReason::ForeignUnit),
            Some(items) => {
                let index = self.run.tree.index_of(node)?;
                items.get(index).copied().unwrap_or(true).then_some(WithheldReason::FewForeignUnits)
            }
        }
    }

    /// Why the overall score of the unit is withheld.
    pub fn overall(&self, unit: &str) -> Option<WithheldReason> {
        self.score(unit, &self.run.tree.item(0)?.code)
    }

    /// Whether the bounds that the unit is measured against at the node are withheld.
    pub fn withholds_bounds(&self, unit: &str, node: &str) -> bool {
        let scored = self.run.unit(unit);
        let place = self.run.tree.index_of(node).zip(scored.map(|s| self.run.frontier_key(&s.unit)));
        place.is_none_or(|place| self.few.contains(&place) && is_drawn(self.run, place.0))
    }

    /// Whether something drawn from all figures at the node must be withheld, in whatever group of peers.
    pub fn withholds_node(&self, node: &str) -> bool {
        let index = self.run.tree.index_of(node);
        index.is_none_or(|index| self.few.iter().any(|(at, _)| *at == index))
    }
}

/// Whether bounds or a range at this item are drawn from figures at all.
fn is_drawn(run: &Run, index: usize) -> bool {
    let item = run.tree.item(index);
    item.is_some_and(|item| item.leaf().is_none_or(is_measured))
}

/// The leaf is measured against what was observed.
fn is_measured(leaf: &Leaf) -> bool {
    matches!(&leaf.rule, Rule::Normalise(by) if !matches!(by.method, Method::None | Method::Goalposts))
}

/// What bounds or ranges are drawn from.
fn has_figure(scored: &Scored, index: usize, item: &Item) -> bool {
    if item.leaf().is_some() {
        scored.readings.get(index).is_some_and(|reading| reading.value.is_some())
    } else {
        scored.cells.get(index).and_then(Cell::score).is_some()
    }
}

fn withheld_scores<'a>(
    run: &'a Run,
    scored: &'a Scored,
    few: &BTreeSet<(usize, &'a str)>,
    counts: &HashMap<(usize, &'a str), usize>,
    chosen: &impl Fn(&str, &Item) -> bool,
) -> Vec<bool> {
    let mut withheld = vec![false; run.tree.len()];
    let key = run.frontier_key(&scored.unit);
    for (index, item) in run.tree.items().rev() {
        let is_few = few.contains(&(index, key));
        let of_item = match (item.leaf(), item.group()) {
            (Some(leaf), _) if is_measured(leaf) && is_counted(run, scored, index) => {
                // Ranks among others reveal, one comparison after the other, the figure of each of them.
                let ranked = leaf.method() == Some(Method::Rank) && chosen(&scored.unit.code, item);
                is_few || (ranked && counts.contains_key(&(index, key)))
            }
            (_, Some(group)) => below(group, &withheld) || (group.renormalise.is_some() && is_few),
            _ => false,
        };
        if let Some(at) = withheld.get_mut(index) {
            *at = of_item;
        }
    }
    withheld
}

fn below(group: &Group, withheld: &[bool]) -> bool {
    group.children.iter().any(|child| withheld.get(*child).copied().unwrap_or(true))
}

fn is_counted(run: &Run, scored: &Scored, index: usize) -> bool {
    match scored.readings.get(index).map(|reading| reading.state) {
        Some(State::Present) => true,
        Some(State::NoFigure | State::ZeroDenominator) => run.policy.missing == Missing::Zero,
        _ => false,
    }
}
