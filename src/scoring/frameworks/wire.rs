//! What frameworks look like on the wire.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::faults::{self, Warning};
use super::model::{FrameworkQuery, FrameworkRow};
use crate::http::csv::CsvRow;
use crate::http::query::AnyOf;
use crate::scoring::engine::framework::{Framework, Missing, Status, Ties};
use crate::scoring::engine::validate::validate;

/// A framework without its tree.
#[derive(Debug, Serialize, ToSchema)]
pub struct FrameworkSummary {
    #[schema(example = "ICT-INDEX-2016")]
    pub code: String,
    pub name: String,
    /// Kind of scored units: `province`, `agency`, `district`, `commune`, …
    #[schema(example = "province")]
    pub unit_type: String,
    #[schema(value_type = Status)]
    pub status: String,
    pub rank: RankRule,
    #[schema(value_type = Missing)]
    pub missing: String,
    /// Number of indicators.
    pub indicators: i64,
    pub version: i32,
}

/// How scores are ranked.
#[derive(Debug, Serialize, ToSchema)]
pub struct RankRule {
    /// Number of decimals a score is rounded to before it is ranked.
    pub decimals: i32,
    #[schema(value_type = Ties)]
    pub ties: String,
}

impl From<FrameworkRow> for FrameworkSummary {
    fn from(row: FrameworkRow) -> Self {
        Self {
            code: row.code,
            name: row.name,
            unit_type: row.unit_type,
            status: row.status,
            rank: RankRule { decimals: row.rank_decimals, ties: row.rank_ties },
            missing: row.missing,
            indicators: row.indicators,
            version: row.version,
        }
    }
}

impl CsvRow for FrameworkSummary {
    const COLUMNS: &'static [&'static str] = &[
        "code",
        "name",
        "unit_type",
        "status",
        "rank.decimals",
        "rank.ties",
        "missing",
        "indicators",
        "version",
    ];
}

/// A framework with its tree.
#[derive(Debug, Serialize, ToSchema)]
pub struct FrameworkDetail {
    #[serde(flatten)]
    pub framework: Framework,
    /// Number of indicators.
    pub indicators: i64,
    /// Settings that are valid but probably unintended.
    pub warnings: Vec<Warning>,
    pub version: i32,
}

impl FrameworkDetail {
    pub fn of(framework: Framework, indicators: i64, version: i32) -> Self {
        let warnings = faults::warnings(&validate(&framework, None));
        Self { framework, indicators, warnings, version }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FrameworkFilter {
    /// Kinds of scored units, comma-separated.
    #[param(value_type = Option<String>, example = "province")]
    unit_type: Option<AnyOf<String>>,
    /// `official` or `assumed`, comma-separated.
    #[param(value_type = Option<String>, example = "official")]
    status: Option<AnyOf<Status>>,
}

impl FrameworkFilter {
    pub fn query(&self) -> FrameworkQuery {
        let word = |status: &Status| match status {
            Status::Official => "official".to_owned(),
            Status::Assumed => "assumed".to_owned(),
        };
        FrameworkQuery {
            unit_types: self.unit_type.clone().map(|any| any.0),
            statuses: self.status.as_ref().map(|any| any.0.iter().map(word).collect()),
        }
    }
}
