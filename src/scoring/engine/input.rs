//! What a run is computed from: units, their figures, and perhaps a frozen frontier.

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use super::fixed::Fixed;
use super::framework_leaf::PointsKind;
use super::frontier::Frontier;
use super::tree::{Rule, Tree};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ScoredUnit)]
pub struct Unit {
    pub code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_group: Option<String>,
    /// Attributes for `applies_to` of indicators.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub attributes: BTreeSet<String>,
    /// Codes of the indicators that do not apply to this unit.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub not_applicable: BTreeSet<String>,
}

/// A value, or a numerator and a denominator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    pub unit: String,
    pub indicator: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Fixed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numerator: Option<Fixed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denominator: Option<Fixed>,
}

impl Observation {
    pub fn value(unit: &str, indicator: &str, value: Fixed) -> Self {
        let (unit, indicator) = (unit.to_owned(), indicator.to_owned());
        Self { unit, indicator, value: Some(value), numerator: None, denominator: None }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub units: Vec<Unit>,
    pub observations: Vec<Observation>,
    /// Bounds of another run, held; without it they follow from the figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontier: Option<Frontier>,
}

impl Input {
    /// Whether there is a figure; of an input as a run holds it, in order.
    pub fn has_figure(&self, unit: &str, indicator: &str) -> bool {
        let key = |row: &Observation| (row.unit.as_str(), row.indicator.as_str()).cmp(&(unit, indicator));
        self.observations.binary_search_by(key).is_ok()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InputFaultCode {
    UnitDuplicate,
    UnitUnknown,
    IndicatorUnknown,
    ObservationDuplicate,
    /// Neither a value nor both numerator and denominator.
    FigureIncomplete,
    FigureAmbiguous,
    /// Units × nodes beyond what one run computes.
    TooManyScores,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct InputFault {
    pub code: InputFaultCode,
    pub pointer: String,
    pub unit: String,
    pub indicator: Option<String>,
}

/// Units × nodes of one run: three times 300 units at 100 indicators and their groups.
pub const MAX_SCORES: usize = 150_000;

/// All faults of the input.
pub fn check_input(tree: &Tree, input: &Input) -> Vec<InputFault> {
    let mut faults = Vec::new();
    let mut units = HashSet::new();
    for (index, unit) in input.units.iter().enumerate() {
        if !units.insert(unit.code.as_str()) {
            let pointer = format!("/units/{index}/code");
            faults.push(InputFault {
                code: InputFaultCode::UnitDuplicate,
                pointer,
                unit: unit.code.clone(),
                indicator: None,
            });
        }
    }
    if input.units.len().saturating_mul(tree.len()) > MAX_SCORES {
        let (pointer, unit) = ("/units".to_owned(), String::new());
        faults.push(InputFault { code: InputFaultCode::TooManyScores, pointer, unit, indicator: None });
    }
    let indicators = observed_codes(tree);
    let mut seen = HashSet::new();
    for (index, row) in input.observations.iter().enumerate() {
        let mut fault = |code, field: &str| {
            let (unit, indicator) = (row.unit.clone(), Some(row.indicator.clone()));
            faults.push(InputFault {
                code,
                pointer: format!("/observations/{index}{field}"),
                unit,
                indicator,
            });
        };
        if !units.contains(row.unit.as_str()) {
            fault(InputFaultCode::UnitUnknown, "/unit");
        }
        if !indicators.contains(row.indicator.as_str()) {
            fault(InputFaultCode::IndicatorUnknown, "/indicator");
        }
        if !seen.insert((&row.unit, &row.indicator)) {
            fault(InputFaultCode::ObservationDuplicate, "");
        }
        match (&row.value, &row.numerator, &row.denominator) {
            (Some(_), None, None) | (None, Some(_), Some(_)) => {}
            (Some(_), _, _) => fault(InputFaultCode::FigureAmbiguous, ""),
            _ => fault(InputFaultCode::FigureIncomplete, ""),
        }
    }
    faults
}

/// The codes under which a framework reads figures.
pub fn observed_codes(tree: &Tree) -> BTreeSet<&str> {
    let mut codes = BTreeSet::new();
    for (_, item, leaf) in tree.leaves() {
        match &leaf.rule {
            Rule::Points(points) if points.kind == PointsKind::BestOf => {
                codes.extend(points.of.iter().flatten().map(|alternative| alternative.code.as_str()));
            }
            _ => {
                codes.insert(item.code.as_str());
            }
        }
    }
    codes
}
