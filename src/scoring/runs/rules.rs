//! What is said of a run, whoever stores or asks it.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::RunRow;
use super::score_model::ScoreRow;
use crate::scoring::engine::fixed::Fixed;
use crate::scoring::engine::framework::Framework;
use crate::scoring::engine::hash::{ENGINE_VERSION, input_hash};
use crate::scoring::engine::input::Input;
use crate::scoring::engine::outcome::ScoreItem;
use crate::scoring::engine::score::{Refusal, Run, score};

/// Differences that a verification names; the others are counted.
const MOST_DIFFERENCES: usize = 20;

/// A run computed, with what it was computed from in 32 bytes.
#[derive(Debug)]
pub struct Computation {
    pub run: Run,
    pub input_hash: String,
}

pub fn compute(framework: &Framework, input: &Input) -> Result<Computation, Refusal> {
    let run = score(framework, input)?;
    // Only what has no JSON could fail, and every part of an input has been JSON.
    let input_hash = input_hash(framework, input).unwrap_or_default();
    Ok(Computation { run, input_hash })
}

impl Computation {
    /// Bytes it takes in memory, about: cells and readings of every unit at every node, and the figures.
    pub fn weight(&self) -> usize {
        self.run.units.len() * self.run.tree.len() * 450 + self.run.input.observations.len() * 250
    }
}

impl RunRow {
    /// Whether the reader may be told why this unit stands where it does.
    pub fn explains(&self, unit: &str) -> bool {
        self.own.as_ref().is_none_or(|own| own.iter().any(|code| code == unit))
    }
}

/// Comparison of the stored run with a recomputation from the same input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = IndexRunVerification)]
pub struct Verification {
    /// True if all scores are equal and, with the same engine version, the input hashes too.
    pub matches: bool,
    /// Hash of the current input by the current engine; null for callers who cannot read all units.
    pub input_hash: Option<String>,
    /// Version of the current engine.
    pub engine_version: String,
    /// True if another engine version computed the run. The hash covers the version, so it differs for that reason alone.
    pub engine_differs: bool,
    pub difference_count: usize,
    /// The first 20 differences.
    pub differences: Vec<Difference>,
}

/// A stored value that differs from the recomputed one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = IndexRunDifference)]
pub struct Difference {
    pub unit: String,
    pub node: String,
    /// `score`, `rounded`, `rank`, `band`, `tied_with` or `missing`; `item` if one side lacks the whole item.
    #[schema(value_type = String, example = "score")]
    pub field: &'static str,
}

impl Verification {
    /// Of a run that was computed this moment.
    pub fn of_new(done: &Computation) -> Self {
        Self {
            matches: true,
            input_hash: Some(done.input_hash.clone()),
            engine_version: ENGINE_VERSION.to_owned(),
            engine_differs: false,
            difference_count: 0,
            differences: Vec::new(),
        }
    }
}

pub fn verify(row: &RunRow, stored: &[ScoreRow], now: &Computation) -> Verification {
    let computed = now.run.scores();
    let mut differences = Vec::new();
    let mut by_place: std::collections::HashMap<(&str, &str), &ScoreRow> =
        stored.iter().map(|row| ((row.node.as_str(), row.unit.as_str()), row)).collect();
    let told =
        |unit: &str, node: &str, field| Difference { unit: unit.to_owned(), node: node.to_owned(), field };
    for item in &computed {
        match by_place.remove(&(item.node.as_str(), item.unit.as_str())) {
            None => differences.push(told(&item.unit, &item.node, "item")),
            Some(row) => {
                differences.extend(fields(row, item).into_iter().map(|f| told(&item.unit, &item.node, f)));
            }
        }
    }
    let mut beyond: Vec<_> = by_place.into_keys().collect();
    beyond.sort_unstable();
    differences.extend(beyond.into_iter().map(|(node, unit)| told(unit, node, "item")));
    let engine_differs = row.engine_version != ENGINE_VERSION;
    let same_input = engine_differs || row.input_hash == now.input_hash;
    let difference_count = differences.len();
    differences.truncate(MOST_DIFFERENCES);
    Verification {
        matches: difference_count == 0 && same_input,
        input_hash: Some(now.input_hash.clone()),
        engine_version: ENGINE_VERSION.to_owned(),
        engine_differs,
        difference_count,
        differences,
    }
}

fn fields(row: &ScoreRow, item: &ScoreItem) -> Vec<&'static str> {
    let number = |fixed: &Option<Fixed>| fixed.as_ref().map(Fixed::to_decimal);
    let same = [
        ("score", row.score == number(&item.score)),
        ("rounded", row.rounded == number(&item.rounded)),
        ("rank", row.rank.map(i64::from) == item.rank.and_then(|rank| i64::try_from(rank).ok())),
        ("band", row.band == item.band),
        ("tied_with", row.tied_with == item.tied_with),
        ("missing", row.missing == item.missing),
    ];
    same.into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect()
}
