//! What is said of a run, whoever stores or asks it.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::RunRow;
use super::score_model::ScoreRow;
use crate::scoring::engine::aggregate::Cell;
use crate::scoring::engine::faults::FaultCode;
use crate::scoring::engine::fixed::Fixed;
use crate::scoring::engine::framework::{Framework, Method, Status};
use crate::scoring::engine::hash::{ENGINE_VERSION, input_hash};
use crate::scoring::engine::input::Input;
use crate::scoring::engine::outcome::ScoreItem;
use crate::scoring::engine::readings::State;
use crate::scoring::engine::score::{Refusal, Run, score};
use crate::scoring::engine::tree::Rule;
use crate::scoring::engine::validate::validate;

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

/// What a reader of the scores should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunWarningCode {
    /// The framework's method is not published but assumed.
    MethodAssumed,
    /// These units have no overall score.
    UnitWithoutScore,
    /// Figures are missing at these indicators for these units.
    FigureMissing,
    /// A denominator of 0 at these indicators for these units: counted as a missing figure.
    ZeroDenominator,
    /// One unit alone is compared with nobody.
    SingleUnit,
    /// All units have the same figure here: the method tells them not apart.
    NoVariance,
    /// These indicators can be zero under a geometric or harmonic mean, which makes the whole group zero.
    ZeroUnderMean,
    /// Points and a weight other than 1 both count.
    WeightAndPoints,
    /// A deduction under a mean.
    DeductionUnderMean,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RunWarning {
    pub code: RunWarningCode,
    pub units: Vec<String>,
    /// Codes of indicators, or of nodes of the framework.
    pub nodes: Vec<String>,
}

pub fn warnings(run: &Run) -> Vec<RunWarning> {
    let mut all = Vec::new();
    let mut warn = |code, units: Vec<String>, nodes: Vec<String>| all.push(RunWarning { code, units, nodes });
    if run.framework.status == Status::Assumed {
        warn(RunWarningCode::MethodAssumed, vec![], vec![]);
    }
    if run.units.len() == 1 {
        warn(RunWarningCode::SingleUnit, vec![], vec![]);
    }
    let without = run.units.iter().filter(|s| s.cells.first().and_then(Cell::score).is_none());
    let without: Vec<String> = without.map(|scored| scored.unit.code.clone()).collect();
    if !without.is_empty() {
        warn(RunWarningCode::UnitWithoutScore, without, vec![]);
    }
    for (state, code) in [
        (State::NoFigure, RunWarningCode::FigureMissing),
        (State::ZeroDenominator, RunWarningCode::ZeroDenominator),
    ] {
        let (units, nodes) = where_read(run, state);
        if !units.is_empty() {
            warn(code, units, nodes);
        }
    }
    let flat = without_variance(run);
    if !flat.is_empty() && run.units.len() > 1 {
        warn(RunWarningCode::NoVariance, vec![], flat);
    }
    all.extend(of_framework(run));
    all
}

/// Units and indicators where figures read as this.
fn where_read(run: &Run, state: State) -> (Vec<String>, Vec<String>) {
    let reads = |index: usize, at: usize| {
        run.units.get(at).and_then(|s| s.readings.get(index)).is_some_and(|r| r.state == state)
    };
    let leaves: Vec<(usize, &str)> =
        run.tree.leaves().map(|(index, item, _)| (index, item.code.as_str())).collect();
    let all = 0..run.units.len();
    let units = all.clone().filter(|at| leaves.iter().any(|(index, _)| reads(*index, *at)));
    let units = units.filter_map(|at| run.units.get(at)).map(|s| s.unit.code.clone()).collect();
    let nodes = leaves.iter().filter(|(index, _)| all.clone().any(|at| reads(*index, at)));
    (units, nodes.map(|(_, code)| (*code).to_owned()).collect())
}

/// Indicators that are measured against what is observed, where all that is observed is the same.
fn without_variance(run: &Run) -> Vec<String> {
    let relative = |rule: &Rule| match rule {
        Rule::Normalise(normaliser) => {
            matches!(normaliser.method, Method::MinMax | Method::ZScore | Method::Rank)
        }
        Rule::Points(_) => false,
    };
    let flat = |code: &str| {
        let groups = run.frontier.leaves.get(code);
        groups
            .is_some_and(|groups| !groups.is_empty() && groups.values().all(|bounds| bounds.lo == bounds.hi))
    };
    run.tree
        .leaves()
        .filter(|(_, item, leaf)| relative(&leaf.rule) && flat(&item.code))
        .map(|(_, item, _)| item.code.clone())
        .collect()
}

fn of_framework(run: &Run) -> impl Iterator<Item = RunWarning> {
    validate(&run.framework, None).warnings.into_iter().filter_map(|warning| {
        let code = match warning.code {
            FaultCode::ZeroUnderMean => RunWarningCode::ZeroUnderMean,
            FaultCode::WeightAndPoints => RunWarningCode::WeightAndPoints,
            FaultCode::DeductionUnderMean => RunWarningCode::DeductionUnderMean,
            _ => return None,
        };
        Some(RunWarning { code, units: vec![], nodes: warning.params.into_values().collect() })
    })
}

/// The run computed again from what it was computed from, beside what is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = IndexRunVerification)]
pub struct Verification {
    /// The same scores came out, and of the same engine also the same hash of the inputs.
    pub matches: bool,
    /// Of the inputs as they are now, by the engine of now.
    pub input_hash: String,
    /// Of now.
    pub engine_version: String,
    /// The run was made by another version of the engine: the hash, which covers the version, is another by that alone.
    pub engine_differs: bool,
    pub difference_count: usize,
    /// The first 20.
    pub differences: Vec<Difference>,
}

/// Something stored that is not what is computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = IndexRunDifference)]
pub struct Difference {
    pub unit: String,
    pub node: String,
    /// `score`, `rounded`, `rank`, `band`, `tied_with`, `missing`; `item` when there is no such item on one side.
    #[schema(value_type = String, example = "score")]
    pub field: &'static str,
}

impl Verification {
    /// Of a run that was computed this moment.
    pub fn of_new(done: &Computation) -> Self {
        Self {
            matches: true,
            input_hash: done.input_hash.clone(),
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
        input_hash: now.input_hash.clone(),
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
