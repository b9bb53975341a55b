//! Sets of observations, whoever stores or reads them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::scoring::engine::fixed::Fixed;
use crate::scoring::engine::input::{Input, Observation, Unit};
use crate::values::{Month, NumberFault, number_of};

/// Where a figure comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[schema(as = ObservationSource)]
pub enum Source {
    /// Sent to the API.
    Imported,
    /// Accepted figures of agencies: one revision of one submission, or the sum over several.
    Submissions {
        /// Code of the indicator, if it differs from the code of the leaf.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        indicator: Option<String>,
        revisions: Vec<SubmissionRevision>,
    },
    /// A statistic of procedures or dossiers at the end of a period.
    Statistic {
        metric: String,
        period: String,
        /// The dossier batches it was computed from; empty for statistics of procedures.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        batches: Vec<BatchRevision>,
    },
}

impl Source {
    /// Leaves out what others delivered.
    pub fn retain(&mut self, mut shown: impl FnMut(&String) -> bool) {
        match self {
            Self::Imported => {}
            Self::Submissions { revisions, .. } => revisions.retain(|one| shown(&one.agency)),
            Self::Statistic { batches, .. } => batches.retain(|one| shown(&one.source)),
        }
    }
}

/// An accepted revision of an agency's monthly submission.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AcceptedRevision)]
pub struct SubmissionRevision {
    pub agency: String,
    #[schema(value_type = Month)]
    pub period: String,
    pub submission: Uuid,
    pub revision: i32,
}

/// A revision of a source's dossier counts of one month.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRevision {
    pub source: String,
    #[schema(value_type = Month)]
    pub month: String,
    pub revision: i32,
}

/// One figure of one unit: a value, or a numerator and a denominator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ObservationRow)]
pub struct Row {
    #[schema(example = "SO-YT")]
    pub unit: String,
    #[schema(example = "CQ.HT.01")]
    pub indicator: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Fixed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numerator: Option<Fixed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denominator: Option<Fixed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub source: Source,
}

impl Row {
    /// A unit has one figure under a code.
    pub fn key(&self) -> (&str, &str) {
        (&self.unit, &self.indicator)
    }

    fn has_figure_of(&self, other: &Self) -> bool {
        (&self.value, &self.numerator, &self.denominator)
            == (&other.value, &other.numerator, &other.denominator)
    }
}

/// A whole set, in the order of its codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    pub rows: Vec<Row>,
    /// What is known of units beside their figures; a unit without such needs no entry.
    pub units: Vec<Unit>,
}

impl Set {
    /// In the one order in which sets are kept and compared.
    pub fn ordered(mut self) -> Self {
        self.rows.sort_by(|a, b| (&a.unit, &a.indicator).cmp(&(&b.unit, &b.indicator)));
        self.units.sort_by(|a, b| a.code.cmp(&b.code));
        self
    }

    /// Figures that are as they were come from where they came from.
    pub fn keep_sources(&mut self, before: &Self) {
        let before: HashMap<(&str, &str), &Row> = before.rows.iter().map(|row| (row.key(), row)).collect();
        for row in &mut self.rows {
            let source = before.get(&row.key()).filter(|old| old.has_figure_of(row)).map(|old| &old.source);
            if let Some(source) = source {
                row.source = source.clone();
            }
        }
    }

    /// Leaves with the indicator that their figures were collected from, where it has another code.
    pub fn fed(&self) -> BTreeSet<(String, String)> {
        let from = |row: &Row| match &row.source {
            Source::Submissions { indicator: Some(indicator), .. } => {
                Some((row.indicator.clone(), indicator.clone()))
            }
            _ => None,
        };
        self.rows.iter().filter_map(from).collect()
    }

    /// Takes what is told of units in place of what was known of them.
    pub fn describe(&mut self, units: Vec<Unit>) {
        let told: BTreeSet<&str> = units.iter().map(|unit| unit.code.as_str()).collect();
        self.units.retain(|unit| !told.contains(unit.code.as_str()));
        self.units.extend(units);
        self.units.sort_by(|a, b| a.code.cmp(&b.code));
    }

    /// What the engine computes from: every unit that is named or has a figure.
    pub fn input(&self) -> Input {
        let mut units: BTreeMap<&str, Unit> =
            self.units.iter().map(|unit| (unit.code.as_str(), unit.clone())).collect();
        for row in &self.rows {
            units.entry(&row.unit).or_insert_with(|| Unit { code: row.unit.clone(), ..Unit::default() });
        }
        let observation = |row: &Row| Observation {
            unit: row.unit.clone(),
            indicator: row.indicator.clone(),
            value: row.value.clone(),
            numerator: row.numerator.clone(),
            denominator: row.denominator.clone(),
        };
        Input {
            units: units.into_values().collect(),
            observations: self.rows.iter().map(observation).collect(),
            frontier: None,
        }
    }

    /// Every unit that is named or has a figure, by code.
    pub fn unit_codes(&self) -> BTreeSet<&str> {
        let named = self.units.iter().map(|unit| unit.code.as_str());
        named.chain(self.rows.iter().map(|row| row.unit.as_str())).collect()
    }
}

/// Number of figures by what changed between two sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ObservationCounts)]
pub struct Changes {
    #[schema(minimum = 0)]
    pub created: i32,
    #[schema(minimum = 0)]
    pub updated: i32,
    #[schema(minimum = 0)]
    pub unchanged: i32,
    #[schema(minimum = 0)]
    pub deleted: i32,
}

impl Changes {
    pub fn between(before: &[Row], after: &[Row]) -> Self {
        let mut old: HashMap<(&str, &str), &Row> = before.iter().map(|row| (row.key(), row)).collect();
        let mut changes = Self::default();
        for row in after {
            match old.remove(&row.key()) {
                None => changes.created += 1,
                Some(earlier) if earlier == row => changes.unchanged += 1,
                Some(_) => changes.updated += 1,
            }
        }
        changes.deleted = i32::try_from(old.len()).unwrap_or(i32::MAX);
        changes
    }
}

/// Reads a figure exactly as it is spelt. Text is refused with the reason that helps.
pub fn fixed_of(value: &Value) -> Result<Fixed, NumberFault> {
    match value {
        Value::Number(number) => number.to_string().parse().map_err(|_| NumberFault::OutOfRange),
        other => number_of(other).map_or_else(Err, |_| Err(NumberFault::NotANumber)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_exact_and_text_is_none() {
        let read = |text: &str| fixed_of(&serde_json::from_str(text).unwrap()).map(|n| n.to_string());
        assert_eq!(read("0.123456789012345678").unwrap(), "0.123456789012345678");
        assert_eq!(read("-1e2").unwrap(), "-100");
        assert_eq!(read("0.1234567890123456789"), Err(NumberFault::OutOfRange));
        assert_eq!(read("1e25"), Err(NumberFault::OutOfRange));
        assert_eq!(read("\"84,1\""), Err(NumberFault::DecimalComma));
        assert_eq!(read("\"1.155\""), Err(NumberFault::Ambiguous));
        assert_eq!(read("\"7\""), Err(NumberFault::NotANumber));
        assert_eq!(read("[]"), Err(NumberFault::NotANumber));
    }

    #[test]
    fn changes_count_every_figure_once() {
        let row = |unit: &str, value: usize| Row {
            unit: unit.into(),
            indicator: "X".into(),
            value: Some(Fixed::whole(value)),
            numerator: None,
            denominator: None,
            note: None,
            source: Source::Imported,
        };
        let (before, after) =
            (vec![row("A", 1), row("B", 2), row("C", 3)], vec![row("B", 2), row("C", 4), row("D", 5)]);
        let counts = Changes { created: 1, updated: 1, unchanged: 1, deleted: 1 };
        assert_eq!(Changes::between(&before, &after), counts);
    }

    #[test]
    fn units_come_from_figures_too() {
        let row = |unit: &str| Row {
            unit: unit.into(),
            indicator: "X".into(),
            value: Some(Fixed::one()),
            numerator: None,
            denominator: None,
            note: None,
            source: Source::Imported,
        };
        let unit = |code: &str| Unit { code: code.into(), ..Unit::default() };
        let set = Set { rows: vec![row("B"), row("A")], units: vec![unit("C"), unit("A")] }.ordered();
        let input = set.input();
        assert_eq!(input.units.iter().map(|u| u.code.as_str()).collect::<Vec<_>>(), ["A", "B", "C"]);
        assert_eq!(input.observations.len(), 2);
        assert_eq!(set.unit_codes().into_iter().collect::<Vec<_>>(), ["A", "B", "C"]);
    }
}
