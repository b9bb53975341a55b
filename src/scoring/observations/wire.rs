//! Observations on the wire.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::model::RevisionRow;
use super::rules::{Changes, Row};
use crate::http::csv::CsvRow;
use crate::http::query::AnyOf;
use crate::http::{Check, Violations};
use crate::scoring::engine::fixed::Fixed;
use crate::scoring::engine::input::Unit;

/// Figures of one set.
const MOST_ROWS: usize = 50_000;
/// Units that are described beside their figures.
pub const MOST_UNITS: usize = 5_000;
/// Characters of a note.
pub const MOST_NOTE: usize = 2_000;
const MOST_REASON: usize = 1_000;

/// Year of the data, in a path. What can be none names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataYear(pub i32);

impl<'de> Deserialize<'de> for DataYear {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let year = i32::deserialize(deserializer)?;
        if (2000..=2199).contains(&year) {
            Ok(Self(year))
        } else {
            Err(serde::de::Error::custom("not a year"))
        }
    }
}

/// One figure: a value, or a numerator and a denominator. Omit the row if there is no figure.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewObservationRow)]
pub struct NewRow {
    /// Code of the unit: an agency code if the framework scores agencies, else any name or code.
    #[schema(example = "Thừa Thiên Huế", min_length = 1, max_length = 100)]
    pub unit: String,
    /// Code of a leaf of the framework, or of an alternative.
    #[schema(example = "HT.XH.01", min_length = 1, max_length = 64)]
    pub indicator: String,
    /// A JSON number with at most 24 digits before and 18 after the point. May be negative.
    #[schema(value_type = Option<Fixed>, example = 0.842)]
    pub value: Option<Value>,
    #[schema(value_type = Option<Fixed>)]
    pub numerator: Option<Value>,
    /// Denominator, 0 or greater. With 0 the indicator has no figure.
    #[schema(value_type = Option<Fixed>)]
    pub denominator: Option<Value>,
    #[schema(max_length = 2000)]
    pub note: Option<String>,
}

/// Description of a unit. Units without a description need no entry.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewObservedUnit)]
pub struct NewUnit {
    #[schema(example = "SO-YT", min_length = 1, max_length = 100)]
    pub code: String,
    /// Peer group in which it is ranked, if the framework uses peer groups.
    #[schema(max_length = 100)]
    pub peer_group: Option<String>,
    /// Attributes for `applies_to` of indicators.
    #[serde(default)]
    #[schema(max_items = 50)]
    pub attributes: Vec<String>,
    /// Codes of the indicators that do not apply to it.
    #[serde(default)]
    pub not_applicable: Vec<String>,
}

/// A complete set of observations. Figures that are not in it are deleted.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewObservations {
    #[serde(deserialize_with = "crate::http::json::at_most::<_, _, MOST_ROWS>")]
    #[schema(max_items = 50000)]
    pub rows: Vec<NewRow>,
    #[serde(default, deserialize_with = "crate::http::json::at_most::<_, _, MOST_UNITS>")]
    #[schema(max_items = 5000)]
    pub units: Vec<NewUnit>,
    /// Reason for the revision.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: Option<String>,
}

impl Check for NewObservations {
    const MOST_BYTES: usize = 16 * 1024 * 1024;

    /// Rows are checked together with the framework, so that all faults are told at once.
    fn check(&self, faults: &mut Violations) {
        check_reason(self.reason.as_deref(), faults);
    }
}

pub fn check_reason(reason: Option<&str>, faults: &mut Violations) {
    if let Some(reason) = reason {
        faults.length("/reason", reason.trim(), 1, MOST_REASON);
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WriteParams {
    /// Validates and counts without storing.
    #[serde(default)]
    #[param(required = false, default = false)]
    pub dry_run: bool,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ObservationFilter {
    /// Codes of units, comma-separated. A code that contains a comma must be the only one.
    #[param(example = "SO-YT")]
    pub unit: Option<String>,
    /// Codes of indicators, comma-separated.
    #[param(value_type = Option<String>, example = "HT.XH.01")]
    pub indicator: Option<AnyOf<String>>,
    /// Number of an earlier revision. Default: the current one.
    #[param(minimum = 1)]
    pub revision: Option<i32>,
}

impl ObservationFilter {
    /// What the filter names, looked up in the same time however much it is.
    pub fn selection(&self) -> Selection<'_> {
        Selection {
            units: self.unit.as_deref().map(|named| named.split(',').chain([named]).collect()),
            indicators: self.indicator.as_ref().map(|named| named.0.iter().map(String::as_str).collect()),
        }
    }

    /// What a representation depends on, in addition to its revision.
    pub fn parts(&self) -> Vec<String> {
        let unit = self.unit.as_ref().map(|unit| format!("unit={unit}"));
        let indicator = self.indicator.as_ref().map(|all| format!("indicator={}", all.0.join(",")));
        unit.into_iter().chain(indicator).collect()
    }
}

/// Units and indicators that a filter names; `None`: all.
pub struct Selection<'a> {
    units: Option<HashSet<&'a str>>,
    indicators: Option<HashSet<&'a str>>,
}

impl Selection<'_> {
    pub fn keeps_unit(&self, unit: &str) -> bool {
        self.units.as_ref().is_none_or(|named| named.contains(unit))
    }

    pub fn keeps(&self, row: &Row) -> bool {
        self.keeps_unit(&row.unit)
            && self.indicators.as_ref().is_none_or(|named| named.contains(row.indicator.as_str()))
    }
}

/// One revision of a framework's year.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ObservationRevision {
    #[schema(minimum = 1)]
    pub revision: i32,
    /// Number of figures.
    #[schema(minimum = 0)]
    pub rows: i32,
    /// Number of units that have a figure or a description.
    #[schema(minimum = 0)]
    pub units: i32,
    /// Changes since the previous revision.
    pub counts: Changes,
    pub reason: Option<String>,
    pub recorded_at: DateTime<Utc>,
    #[schema(example = "user:coordinator")]
    pub recorded_by: String,
}

impl ObservationRevision {
    /// What was said of all units is not for who sees some of them.
    pub fn of(row: RevisionRow, sees_all: bool) -> Self {
        let RevisionRow { created, updated, unchanged, deleted, .. } = row;
        Self {
            revision: row.revision,
            rows: row.row_count,
            units: row.unit_count,
            counts: Changes { created, updated, unchanged, deleted },
            reason: row.reason.filter(|_| sees_all),
            recorded_at: row.recorded_at,
            recorded_by: row.recorded_by,
        }
    }
}

impl CsvRow for ObservationRevision {
    const COLUMNS: &'static [&'static str] = &[
        "revision",
        "rows",
        "units",
        "counts.created",
        "counts.updated",
        "counts.unchanged",
        "counts.deleted",
        "reason",
        "recorded_at",
        "recorded_by",
    ];
}

/// Observations, with the source of each figure.
#[derive(Debug, Serialize, ToSchema)]
pub struct Observations {
    #[schema(example = "ICT-INDEX-AGENCIES")]
    pub framework: String,
    #[schema(example = 2018)]
    pub data_year: i32,
    #[schema(minimum = 1)]
    pub revision: i32,
    pub reason: Option<String>,
    pub recorded_at: DateTime<Utc>,
    #[schema(example = "user:coordinator")]
    pub recorded_by: String,
    /// Descriptions of units.
    pub units: Vec<Unit>,
    /// Figures, by unit and indicator.
    pub rows: Vec<Row>,
}

impl CsvRow for Row {
    const COLUMNS: &'static [&'static str] =
        &["unit", "indicator", "value", "numerator", "denominator", "note", "source.type", "source"];
}

/// The result of storing a set.
#[derive(Debug, Serialize, ToSchema)]
pub struct ObservationsResult {
    #[schema(example = "DTI-2020")]
    pub framework: String,
    #[schema(example = 2020)]
    pub data_year: i32,
    /// The current revision. A set that changes nothing creates no revision.
    #[schema(minimum = 1)]
    pub revision: i32,
    /// True if nothing was stored: the response is what storing would return.
    pub dry_run: bool,
    pub counts: Changes,
    /// Total number of figures.
    #[schema(minimum = 0)]
    pub rows: usize,
    /// Number of units that have a figure or a description.
    #[schema(minimum = 0)]
    pub units: usize,
    pub reason: Option<String>,
    pub recorded_at: DateTime<Utc>,
    #[schema(example = "user:coordinator")]
    pub recorded_by: String,
    /// Number of figures outside the range of the points rule: a share below 0 or above full (12 of 10), a negative count, more
    /// points than the maximum, a yes/no other than 0 or 1. They are stored, and count as the limit.
    #[schema(minimum = 0)]
    pub out_of_range_count: usize,
    /// The first 100 warnings.
    pub out_of_range: Vec<Figure>,
}

/// A figure, by unit and code.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ObservedFigure)]
pub struct Figure {
    #[schema(example = "SO-YT")]
    pub unit: String,
    #[schema(example = "A.01")]
    pub indicator: String,
}

/// Figures out of range that an answer names.
pub const MOST_OUT_OF_RANGE: usize = 100;
