//! What index runs and their scores look like on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::{RunQuery, RunRow};
use super::rules::Verification;
use super::score_model::{ScoreQuery, ScoreRow};
use super::warnings::RunWarning;
use crate::auth::AgencyScope;
use crate::http::csv::CsvRow;
use crate::http::query::{AnyOf, invalid};
use crate::http::{Check, Msg, Problem, ProblemCode, Violations};
use crate::scoring::disclosure::WithheldReason;
use crate::values::Decimal;

/// Whether a run counts as the result of its index year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = IndexRunKind)]
pub enum Kind {
    /// As many as one likes.
    Provisional,
    /// The result of its framework and index year; a later official run supersedes it.
    Official,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisional => "provisional",
            Self::Official => "official",
        }
    }
}

/// A new run.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIndexRun {
    /// Code of the framework.
    #[schema(
        example = "ICT-INDEX-2016",
        pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$",
        min_length = 1,
        max_length = 64
    )]
    pub framework: String,
    /// Year of the observations.
    #[schema(example = 2017, minimum = 2000, maximum = 2199)]
    pub data_year: i32,
    /// Year the index is named after.
    #[schema(example = 2018, minimum = 2000, maximum = 2199)]
    pub index_year: i32,
    pub kind: Kind,
    /// Label for people.
    #[schema(example = "ICT-Index 2018 – tính lần 1", min_length = 1, max_length = 200)]
    pub label: String,
}

impl Check for NewIndexRun {
    fn check(&self, faults: &mut Violations) {
        faults.code("/framework", &self.framework);
        for (pointer, year) in [("/data_year", self.data_year), ("/index_year", self.index_year)] {
            if !(2000..=2199).contains(&year) {
                let detail =
                    Msg::fixed("Năm phải từ 2000 đến 2199.", "The year must be between 2000 and 2199.");
                faults.add(ProblemCode::InvalidRange, pointer, detail);
            }
        }
        faults.name("/label", self.label.trim(), 1, 200);
    }
}

/// A framework computed from one revision of its observations. Runs are immutable; they can only be superseded.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IndexRun {
    pub id: Uuid,
    #[schema(example = "ICT-INDEX-2016")]
    pub framework: String,
    #[schema(example = "province")]
    pub unit_type: String,
    pub data_year: i32,
    pub index_year: i32,
    #[schema(value_type = Kind)]
    pub kind: String,
    pub label: String,
    /// Revision of the observations it was computed from.
    pub observations_revision: i32,
    pub engine_version: String,
    /// SHA-256 of engine version, framework and observations, independent of their order. Null for callers who cannot read all units,
    /// because figures could be guessed with it.
    pub input_hash: Option<String>,
    /// Number of scored units.
    pub units: i32,
    /// True while no other run has superseded it.
    pub current: bool,
    pub superseded_by: Option<Uuid>,
    pub superseded_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    pub version: i32,
}

impl IndexRun {
    /// As disclosed to a caller of this scope.
    pub fn of(row: RunRow, scope: &AgencyScope) -> Self {
        Self {
            id: row.id,
            framework: row.framework,
            unit_type: row.unit_type,
            data_year: row.data_year,
            index_year: row.index_year,
            kind: row.kind,
            label: row.label,
            observations_revision: row.observations_revision,
            engine_version: row.engine_version,
            input_hash: (*scope == AgencyScope::All).then_some(row.input_hash),
            units: row.units,
            current: row.superseded_by.is_none(),
            superseded_by: row.superseded_by,
            superseded_at: row.superseded_at,
            created_at: row.created_at,
            created_by: row.created_by,
            version: row.version,
        }
    }
}

impl CsvRow for IndexRun {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "framework",
        "unit_type",
        "data_year",
        "index_year",
        "kind",
        "label",
        "observations_revision",
        "engine_version",
        "input_hash",
        "units",
        "current",
        "superseded_by",
        "created_at",
        "created_by",
    ];
}

/// A run with its warnings and verification.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndexRunDetail {
    #[serde(flatten)]
    pub run: IndexRun,
    pub warnings: Vec<RunWarning>,
    /// The result of recomputing the run now.
    pub verification: Verification,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunFilter {
    /// Codes of frameworks, comma-separated.
    #[param(value_type = Option<String>, example = "ICT-INDEX-2016")]
    framework: Option<AnyOf<String>>,
    /// Years of the observations, comma-separated.
    #[param(value_type = Option<String>, example = "2017")]
    data_year: Option<AnyOf<String>>,
    /// Years of the index, comma-separated.
    #[param(value_type = Option<String>, example = "2018")]
    index_year: Option<AnyOf<String>>,
    /// `provisional`, `official`.
    #[param(value_type = Option<String>, example = "official")]
    kind: Option<AnyOf<Kind>>,
    /// `true` for current runs, `false` for superseded runs.
    current: Option<bool>,
}

impl RunFilter {
    pub fn query(&self) -> Result<RunQuery, Problem> {
        Ok(RunQuery {
            frameworks: self.framework.clone().map(|any| any.0),
            data_years: years("data_year", self.data_year.as_ref())?,
            index_years: years("index_year", self.index_year.as_ref())?,
            kinds: self.kind.as_ref().map(|any| any.0.iter().map(|kind| kind.as_str().to_owned()).collect()),
            current: self.current,
        })
    }
}

fn years(name: &str, any: Option<&AnyOf<String>>) -> Result<Option<Vec<i32>>, Problem> {
    let parsed: Option<Option<Vec<i32>>> =
        any.map(|any| any.0.iter().map(|text| text.parse().ok()).collect());
    match parsed {
        None => Ok(None),
        Some(Some(years)) => Ok(Some(years)),
        Some(None) => Err(invalid(
            name,
            Msg::fixed("Năm phải gồm 4 chữ số, ví dụ 2017.", "Expected years such as 2017."),
        )),
    }
}

#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ScoreFilter {
    /// Codes of units, comma-separated. A code that contains a comma must be the only one.
    #[param(example = "SO-YT,SO-TTTT")]
    pub unit: Option<String>,
    /// Codes of nodes of the framework, comma-separated.
    #[param(value_type = Option<String>, example = "ICT,HT")]
    pub node: Option<AnyOf<String>>,
}

impl ScoreFilter {
    pub fn query(&self, root_only: bool) -> ScoreQuery {
        let nodes = self.node.clone().map(|any| any.0);
        ScoreQuery { units: self.unit.as_deref().map(units_asked), nodes, root_only }
    }
}

/// The units that a filter names: one whose name has commas, or several between commas.
pub fn units_asked(text: &str) -> Vec<String> {
    std::iter::once(text).chain(text.split(',').filter(|one| *one != text)).map(str::to_owned).collect()
}

/// One unit at one node.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndexScore {
    #[schema(example = "SO-YT")]
    pub unit: String,
    #[schema(example = "HT")]
    pub node: String,
    /// Exact score; null if there is none or if it is withheld.
    #[schema(example = 0.4873)]
    pub score: Option<Decimal>,
    /// The score rounded half up to the decimals of the framework. Ranks are computed from it.
    #[schema(example = 0.487)]
    pub rounded: Option<Decimal>,
    #[schema(example = 17)]
    pub rank: Option<i32>,
    /// The first 50 other units of the same rank.
    pub tied_with: Vec<String>,
    /// Codes of the indicators at or below the node that apply to the unit and have no figure.
    pub missing: Vec<String>,
    /// Band of the root's score; null for other nodes, and without bands.
    pub band: Option<String>,
    /// Why the score is withheld; null if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub withheld: Option<WithheldReason>,
}

impl From<ScoreRow> for IndexScore {
    fn from(row: ScoreRow) -> Self {
        Self {
            unit: row.unit,
            node: row.node,
            score: row.score.map(Decimal::from),
            rounded: row.rounded.map(Decimal::from),
            rank: row.rank,
            tied_with: row.tied_with,
            missing: row.missing,
            band: row.band,
            withheld: None,
        }
    }
}

impl CsvRow for IndexScore {
    const COLUMNS: &'static [&'static str] =
        &["unit", "node", "score", "rounded", "rank", "tied_with", "missing", "band", "withheld"];
}
