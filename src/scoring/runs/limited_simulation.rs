//! What a simulation answers to a caller from whom units are hidden. Whatever figures they choose, the answer depends on those of
//! others through bounds of enough of them alone: their own scores, and no rank that follows from a figure of their choice.

use std::collections::BTreeSet;

use super::model::RunRow;
use super::redaction::{leaf_like, refused};
use super::simulations::{NewGoal, NewSimulation, SimulationAnswer, reach};
use crate::http::Problem;
use crate::scoring::disclosure::{Disclosure, Withheld, WithheldReason};
use crate::scoring::engine::framework_leaf::Method;
use crate::scoring::engine::outcome::ScoreItem;
use crate::scoring::engine::score::Run;
use crate::scoring::engine::tree::{Item, Leaf};
use crate::scoring::engine::whatif::{FrontierMode, Moved, Simulation};
use crate::scoring::engine::work::Cancellation;

/// The ranges of re-normalised nodes are held: their ends under bounds of the caller's choice would show who draws them.
pub fn mode(request: FrontierMode) -> FrontierMode {
    match request {
        FrontierMode::Live => FrontierMode::LiveBounds,
        other => other,
    }
}

pub fn answer(
    row: &RunRow,
    before: &Run,
    after: Simulation,
    request: &NewSimulation,
    scores: Vec<ScoreItem>,
    cancellation: Cancellation<'_>,
) -> Result<SimulationAnswer, Problem> {
    let chosen: BTreeSet<(&str, &str)> =
        request.changes.iter().map(|change| (change.unit.as_str(), change.indicator.as_str())).collect();
    let is_chosen = |unit: &str, item: &Item| chosen.contains(&(unit, item.code.as_str()));
    let disclosure = Disclosure::after(&after.run, |unit| row.explains(unit), is_chosen);
    let goal = request.goal.as_ref();
    goal.map_or(Ok(()), |goal| check_goal(&disclosure, &after.run, goal))?;
    let inverse =
        goal.map(|goal| reach(&after.run, goal, mode(request.frontier), cancellation)).transpose()?;
    let (scores, withheld) = own_scores(&disclosure, &after.run, scores, !chosen.is_empty());
    let disclosure_before = Disclosure::of(before, |unit| row.explains(unit));
    Ok(SimulationAnswer {
        run: row.id,
        frontier: request.frontier,
        scores,
        moved: after
            .moved
            .into_iter()
            .filter_map(|moved| own_move(&disclosure_before, &disclosure, moved))
            .collect(),
        inverse: inverse.map(|inverse| inverse.without_places()),
        withheld,
    })
}

/// A rank is met by comparing with others; a score only where bounds of enough others are in it.
fn check_goal(disclosure: &Disclosure<'_>, run: &Run, goal: &NewGoal) -> Result<(), Problem> {
    if goal.place.is_some() {
        return Err(refused("/goal/place"));
    }
    if disclosure.overall(&goal.unit).is_some() {
        return Err(refused("/goal"));
    }
    let is_withheld = |code: &String| {
        let leaf = run.tree.index_of(code).and_then(|index| run.tree.item(index)?.leaf());
        leaf.and_then(Leaf::method) == Some(Method::Rank) || disclosure.withholds_bounds(&goal.unit, code)
    };
    match goal.indicators.iter().position(is_withheld) {
        Some(at) => Err(refused(&format!("/goal/indicators/{at}"))),
        None => Ok(()),
    }
}

fn own_scores(
    disclosure: &Disclosure<'_>,
    run: &Run,
    scores: Vec<ScoreItem>,
    changed: bool,
) -> (Vec<ScoreItem>, Vec<Withheld>) {
    let leaves = leaf_like(&run.tree);
    let mut withheld = Vec::new();
    if changed {
        let reason = WithheldReason::ComparesWithForeignUnits;
        withheld.push(Withheld { unit: None, node: None, reason });
    }
    let mut own: Vec<ScoreItem> = scores.into_iter().filter(|item| disclosure.is_own(&item.unit)).collect();
    for item in &mut own {
        if changed {
            item.rank = None;
            item.tied_with.clear();
        } else if leaves.contains(&item.node) {
            item.tied_with.retain(|unit| disclosure.is_own(unit));
        }
        if let Some(reason) = disclosure.score(&item.unit, &item.node) {
            (item.score, item.rounded, item.band) = (None, None, None);
            withheld.push(Withheld { unit: Some(item.unit.clone()), node: Some(item.node.clone()), reason });
        }
    }
    (own, withheld)
}

/// By how much an own unit's score moved; its rank among others is withheld.
fn own_move(before: &Disclosure<'_>, after: &Disclosure<'_>, mut moved: Moved) -> Option<Moved> {
    if !after.is_own(&moved.unit) {
        return None;
    }
    moved.before = moved.before.filter(|_| before.overall(&moved.unit).is_none());
    moved.after = moved.after.filter(|_| after.overall(&moved.unit).is_none());
    moved.difference = moved.after.as_ref().zip(moved.before.as_ref()).map(|(after, before)| after - before);
    (moved.rank_after, moved.movement) = (None, None);
    moved.overtakes.clear();
    moved.overtaken_by.clear();
    (moved.before != moved.after).then_some(moved)
}
