//! What a reader of the scores should know, whoever stores or asks it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::scoring::engine::aggregate::Cell;
use crate::scoring::engine::faults::FaultCode;
use crate::scoring::engine::framework::Status;
use crate::scoring::engine::readings::State;
use crate::scoring::engine::score::Run;
use crate::scoring::engine::validate::validate;
use crate::scoring::engine::warnings::WarningKind;

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
    /// These units have figures at these indicators, which do not apply to them (`applies_to`, `not_applicable`): not counted.
    FigureNotAsked,
    /// Figures of these units at these indicators are not what the rule of points takes (a share below 0 or above full, a count below
    /// 0, more points than there are, a yes/no that is neither 0 nor 1): held within its limits.
    FigureOutOfRange,
    /// These units' scores at these nodes lie above the maximum that is reckoned with (1 where the framework states no scale), so what
    /// they lost is not known: `lost` is null.
    AboveMaximum,
    /// These units are compared with, or ranked among, nobody: alone in the run or in their peer group.
    SingleUnit,
    /// All units have the same figure here: the method tells them not apart.
    NoVariance,
    /// A ratio to the highest or the best, where that is not above zero: everyone counts as 0, or as the best.
    RatioWithoutMeasure,
    /// These indicators can be zero under a geometric or harmonic mean, which makes the whole group zero.
    ZeroUnderMean,
    /// A score of exactly zero made a geometric or harmonic mean zero: these nodes, of these units.
    MeanMadeZero,
    /// A score below zero, which a geometric or harmonic mean cannot take, made it zero: these nodes, of these units.
    NegativeUnderMean,
    /// Points and a weight other than 1 both count.
    WeightAndPoints,
    /// A deduction under a mean.
    DeductionUnderMean,
}

/// A warning about all listed units at all listed nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RunWarning {
    pub code: RunWarningCode,
    pub units: Vec<String>,
    /// Codes of the indicators or nodes concerned.
    pub nodes: Vec<String>,
}

pub fn warnings(run: &Run) -> Vec<RunWarning> {
    let mut all = Vec::new();
    let mut warn = |code, units: Vec<String>, nodes: Vec<String>| all.push(RunWarning { code, units, nodes });
    if run.framework.status == Status::Assumed {
        warn(RunWarningCode::MethodAssumed, vec![], vec![]);
    }
    let alone = run.alone();
    if !alone.is_empty() {
        warn(RunWarningCode::SingleUnit, alone, vec![]);
    }
    let without = run.units.iter().filter(|s| s.cells.first().and_then(Cell::score).is_none());
    let without: Vec<String> = without.map(|scored| scored.unit.code.clone()).collect();
    if !without.is_empty() {
        warn(RunWarningCode::UnitWithoutScore, without, vec![]);
    }
    for (code, doubt) in [
        (RunWarningCode::FigureMissing, WarningKind::Reads(State::NoFigure)),
        (RunWarningCode::ZeroDenominator, WarningKind::Reads(State::ZeroDenominator)),
        (RunWarningCode::FigureNotAsked, WarningKind::NotAsked),
        (RunWarningCode::FigureOutOfRange, WarningKind::OutOfRange),
        (RunWarningCode::AboveMaximum, WarningKind::AboveMaximum),
        (RunWarningCode::MeanMadeZero, WarningKind::ZeroUnderMean),
        (RunWarningCode::NegativeUnderMean, WarningKind::NegativeUnderMean),
    ] {
        for (units, nodes) in run.doubtful(doubt) {
            warn(code, units, nodes);
        }
    }
    let flat = run.without_variance();
    if !flat.is_empty() && run.units.len() > 1 {
        warn(RunWarningCode::NoVariance, vec![], flat);
    }
    let unmeasured = run.ratios_without_measure();
    if !unmeasured.is_empty() {
        warn(RunWarningCode::RatioWithoutMeasure, vec![], unmeasured);
    }
    all.extend(of_framework(run));
    all
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
