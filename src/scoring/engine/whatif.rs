//! What would follow from other figures. Nothing is stored: a simulation is a run of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fixed::Fixed;
use super::frontier::Frontier;
use super::input::{Input, Observation};
use super::rank::movement;
use super::score::{Refusal, Run, Scored, score};
use super::work::count;

/// Another figure; none takes the figure away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Substitution {
    pub unit: String,
    pub indicator: String,
    pub value: Option<Fixed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FrontierMode {
    /// Bounds follow the changed figures (those the run itself held stay held).
    Live,
    /// Bounds stay as they were in the run.
    Frozen,
    /// Bounds of figures follow, ranges of re-normalised nodes stay as they were in the run.
    #[serde(skip)]
    LiveBounds,
}

#[derive(Clone, Debug)]
pub struct Simulation {
    pub run: Run,
    /// Units whose overall score or rank is another, by code.
    pub moved: Vec<Moved>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SimulationMoved)]
pub struct Moved {
    pub unit: String,
    pub before: Option<Fixed>,
    pub after: Option<Fixed>,
    pub difference: Option<Fixed>,
    pub rank_before: Option<usize>,
    pub rank_after: Option<usize>,
    pub movement: Option<i64>,
    /// Units that were ahead or tied and are now behind.
    pub overtakes: Vec<String>,
    /// Units that were behind or tied and are now ahead.
    pub overtaken_by: Vec<String>,
}

/// Recomputes a run with other figures. Of several changes of one figure the last counts.
pub fn simulate(run: &Run, changes: &[Substitution], mode: FrontierMode) -> Result<Simulation, Refusal> {
    let after = rescored(run, changes, mode)?;
    let moved =
        run.units.iter().zip(&after.units).filter_map(|(old, new)| moved(run, &after, old, new)).collect();
    Ok(Simulation { run: after, moved })
}

/// Scores that [`simulate`] takes: those of the run, and a sixteenth of one for each pair of units that may have changed places.
pub fn scores_to_simulate(run: &Run) -> u64 {
    let units = count(run.units.len());
    run.scores_each().saturating_add(units.saturating_mul(units) / 16)
}

/// The run with other figures, without who moves.
pub fn rescored(run: &Run, changes: &[Substitution], mode: FrontierMode) -> Result<Run, Refusal> {
    let frontier: Option<Frontier> = match mode {
        FrontierMode::Frozen => Some(run.frontier.clone()),
        FrontierMode::Live => run.input.frontier.clone(),
        FrontierMode::LiveBounds => Some(Frontier {
            leaves: run.input.frontier.clone().unwrap_or_default().leaves,
            nodes: run.frontier.nodes.clone(),
        }),
    };
    let input = Input { frontier, ..substituted(&run.input, changes) };
    score(&run.framework, &input)
}

/// The input with some figures replaced, added or taken away.
pub fn substituted(input: &Input, changes: &[Substitution]) -> Input {
    let last: BTreeMap<(&str, &str), Option<&Fixed>> = changes
        .iter()
        .map(|change| ((change.unit.as_str(), change.indicator.as_str()), change.value.as_ref()))
        .collect();
    let is_kept = |row: &&Observation| !last.contains_key(&(row.unit.as_str(), row.indicator.as_str()));
    let mut observations: Vec<Observation> = input.observations.iter().filter(is_kept).cloned().collect();
    let figure = |((unit, indicator), value): (&(&str, &str), &Option<&Fixed>)| {
        value.map(|value| Observation::value(unit, indicator, value.clone()))
    };
    observations.extend(last.iter().filter_map(figure));
    Input { units: input.units.clone(), observations, frontier: input.frontier.clone() }
}

fn overall(scored: &Scored) -> (Option<&Fixed>, Option<usize>) {
    (scored.cells.first().and_then(|cell| cell.score()), scored.ranks.first().copied().flatten())
}

fn moved(before: &Run, after: &Run, old: &Scored, new: &Scored) -> Option<Moved> {
    if overall(old) == overall(new) {
        return None;
    }
    let ((score_before, rank_before), (score_after, rank_after)) = (overall(old), overall(new));
    let key = before.rank_key(&old.unit);
    let rivals = || {
        let pairs = before.units.iter().zip(&after.units);
        let peers = pairs
            .filter(|(rival, _)| rival.unit.code != old.unit.code && before.rank_key(&rival.unit) == key);
        peers.filter_map(|(was, is)| Some((was.unit.code.clone(), overall(was).1?, overall(is).1?)))
    };
    let (own_before, own_after) = (rank_before.unwrap_or(usize::MAX), rank_after.unwrap_or(usize::MAX));
    Some(Moved {
        unit: old.unit.code.clone(),
        before: score_before.cloned(),
        after: score_after.cloned(),
        difference: score_after.zip(score_before).map(|(after, before)| after - before),
        rank_before,
        rank_after,
        movement: rank_before.zip(rank_after).map(|(before, after)| movement(before, after)),
        overtakes: rivals()
            .filter(|(_, was, is)| *was <= own_before && *is > own_after)
            .map(|(code, _, _)| code)
            .collect(),
        overtaken_by: rivals()
            .filter(|(_, was, is)| *was >= own_before && *is < own_after)
            .map(|(code, _, _)| code)
            .collect(),
    })
}
