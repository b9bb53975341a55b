//! What frameworks look like on the wire.

use serde::Serialize;
use utoipa::ToSchema;

use super::model::FrameworkRow;
use crate::http::csv::CsvRow;
use crate::scoring::engine::framework::{Framework, Missing, Status, Ties};

/// A framework without its tree.
#[derive(Debug, Serialize, ToSchema)]
pub struct FrameworkSummary {
    #[schema(example = "ICT-INDEX-2016")]
    pub code: String,
    pub name: String,
    /// What is scored: `province`, `agency`, `district`, `commune`, …
    #[schema(example = "province")]
    pub unit_type: String,
    #[schema(value_type = Status)]
    pub status: String,
    pub rank: RankRule,
    #[schema(value_type = Missing)]
    pub missing: String,
    /// How many indicators it rests on.
    pub indicators: i64,
    pub version: i32,
}

/// How scores are ranked.
#[derive(Debug, Serialize, ToSchema)]
pub struct RankRule {
    /// Decimals a score is rounded to before it is ranked.
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
    /// How many indicators it rests on.
    pub indicators: i64,
    pub version: i32,
}
