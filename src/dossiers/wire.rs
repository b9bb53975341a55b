//! Batches on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::intake::Outcome;
use super::model::BatchRow;
use super::raw::{Control, Figure, RawRow};
use super::rules::{Channel, MOST_ROWS, UnknownServices};
use super::store::{CarryOverMismatch, Changes};
use crate::http::{Check, Problem, ProblemCode, Violations};
use crate::values::Month;

/// Longest reason, in characters.
const MOST_REASON: usize = 1_000;

/// All counts of a source's month. Rows that are not in it are deleted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DossierBatch {
    pub control: Control,
    #[serde(deserialize_with = "crate::http::json::at_most::<_, _, MOST_ROWS>")]
    #[schema(max_items = 500000)]
    pub rows: Vec<RawRow>,
    /// Reason for the correction; required if the month is closed.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: Option<String>,
}

impl Check for DossierBatch {
    const MOST_BYTES: usize = 64 * 1024 * 1024;

    /// The rows are checked together with what they refer to, so that all faults are told at once.
    fn check(&self, faults: &mut Violations) {
        if let Some(reason) = &self.reason {
            faults.length("/reason", reason.trim(), 1, MOST_REASON);
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BatchParams {
    /// Validates and counts without storing.
    #[serde(default)]
    #[param(required = false, default = false)]
    pub dry_run: bool,
    /// What to do with rows whose procedure is not in the catalogue.
    #[serde(default)]
    #[param(required = false, inline, default = "refuse")]
    pub unknown_services: UnknownServices,
    /// Control total of NDJSON and CSV: number of rows. For JSON, put it in the body.
    #[param(minimum = 0, maximum = 500000, nullable = false)]
    rows: Option<i64>,
    /// Control total of NDJSON and CSV: sum of `received` over all rows.
    #[param(minimum = 0, nullable = false)]
    received: Option<i64>,
    /// For NDJSON and CSV: reason for the correction; required if the month is closed.
    #[param(min_length = 1, max_length = 1000, nullable = false)]
    reason: Option<String>,
}

impl BatchParams {
    /// The control totals and the reason of a stream of rows, which has no room for them.
    pub fn of_stream(&self) -> Result<(Control, Option<String>), Problem> {
        let mut faults = Violations::default();
        let mut total = |name: &str, said: Option<i64>| match said {
            Some(n) if n >= 0 => Figure(Some(Ok(n))),
            _ => {
                let detail = msg!(
                    "Khi gửi NDJSON hoặc CSV phải có tổng đối chiếu `{name}` (số nguyên không âm) trong tham số.",
                    "NDJSON and CSV require the control total `{name}`: a whole number, 0 or greater."
                );
                faults.add(ProblemCode::InvalidParameter, format!("?{name}"), detail);
                Figure::default()
            }
        };
        let control = Control { rows: total("rows", self.rows), received: total("received", self.received) };
        let malformed = !faults.is_empty();
        if let Some(reason) = &self.reason {
            faults.length("?reason", reason.trim(), 1, MOST_REASON);
        }
        faults.into_result().map(|()| (control, self.reason.clone())).map_err(|mut problem| {
            if malformed {
                problem.code = ProblemCode::InvalidParameter;
            }
            problem
        })
    }

    /// A JSON body says these itself.
    pub fn of_json(&self) -> Result<(), Problem> {
        let given = [
            ("rows", self.rows.is_some()),
            ("received", self.received.is_some()),
            ("reason", self.reason.is_some()),
        ];
        let Some((name, _)) = given.iter().find(|(_, given)| *given) else { return Ok(()) };
        let detail = msg!(
            "Khi gửi JSON, khai báo `{name}` trong nội dung, không dùng tham số.",
            "For JSON, put `{name}` in the body, not in the query."
        );
        Err(Problem::at(ProblemCode::InvalidParameter, format!("?{name}"), detail))
    }
}

/// Number of rows by what the batch did to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DossierBatchCounts)]
pub struct ChangeCounts {
    #[schema(minimum = 0)]
    pub created: i32,
    #[schema(minimum = 0)]
    pub updated: i32,
    #[schema(minimum = 0)]
    pub unchanged: i32,
    #[schema(minimum = 0)]
    pub deleted: i32,
    /// Parked rows: their procedure is not in the catalogue, so no statistic counts them.
    #[schema(minimum = 0)]
    pub parked: i32,
}

impl ChangeCounts {
    fn of(changes: Changes, parked: i32) -> Self {
        let Changes { created, updated, unchanged, deleted, .. } = changes;
        Self { created, updated, unchanged, deleted, parked }
    }
}

/// The kind of warning about a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = DossierWarningCode)]
pub enum WarningCode {
    /// `carried_in` is not what the month before left in progress.
    CarriedInMismatch,
    /// The month before left dossiers in progress of which the batch, which has other rows of the agency, says nothing.
    CarriedInMissing,
}

/// An unusual figure. It is stored nevertheless.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DossierWarning)]
pub struct Warning {
    pub code: WarningCode,
    /// JSON pointer into the batch; `/rows` if a row is missing.
    #[schema(example = "/rows/17/carried_in")]
    pub pointer: String,
    pub carried_in: i32,
    /// Dossiers in progress at the end of the previous month, for the same agency, procedure and channel.
    pub in_progress_before: i64,
    /// The key of the missing row.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub missing: Option<MissingRow>,
}

/// The key of a row that is missing in a batch.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DossierMissingRow)]
pub struct MissingRow {
    pub agency: String,
    pub service: String,
    #[schema(value_type = Channel)]
    pub channel: &'static str,
}

impl From<&CarryOverMismatch> for Warning {
    fn from(found: &CarryOverMismatch) -> Self {
        let (code, pointer, missing) = match found.row {
            Some(row) => (WarningCode::CarriedInMismatch, format!("/rows/{row}/carried_in"), None),
            None => (WarningCode::CarriedInMissing, "/rows".to_owned(), Some(MissingRow::of(found))),
        };
        let CarryOverMismatch { carried_in, in_progress_before, .. } = *found;
        Self { code, pointer, carried_in, in_progress_before, missing }
    }
}

impl MissingRow {
    fn of(found: &CarryOverMismatch) -> Self {
        let channel = Channel::ALL.into_iter().find(|channel| channel.number() == found.channel);
        Self {
            agency: found.agency.clone(),
            service: found.service.clone(),
            channel: channel.map_or("", Channel::as_str),
        }
    }
}

/// The result of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct DossierBatchResult {
    #[schema(example = "vnpt")]
    pub source: String,
    pub month: Month,
    /// The current revision. A batch that changes nothing creates no revision.
    #[schema(minimum = 1)]
    pub revision: i32,
    /// True if nothing was stored: the response is what storing would return.
    pub dry_run: bool,
    pub counts: ChangeCounts,
    /// Total number of warnings.
    #[schema(minimum = 0)]
    pub warning_count: i64,
    /// The first 100 warnings.
    pub warnings: Vec<Warning>,
}

impl DossierBatchResult {
    pub fn of(outcome: Outcome, dry_run: bool) -> Self {
        Self {
            source: outcome.source,
            month: outcome.month,
            revision: outcome.revision,
            dry_run,
            counts: ChangeCounts::of(outcome.changes, outcome.parked),
            warning_count: outcome.mismatches.first().map_or(0, |found| found.total),
            warnings: outcome.mismatches.iter().map(Warning::from).collect(),
        }
    }
}

/// One revision of a source's month.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DossierRevision {
    pub revision: i32,
    /// Number of rows.
    pub rows: i32,
    /// Sum of `received` over all rows.
    pub received: i64,
    pub counts: ChangeCounts,
    /// Reason for the correction; null if there was none.
    pub reason: Option<String>,
    /// Who sent the batch: `user:<username>` or `client:<client_id>`.
    #[schema(example = "client:vnpt")]
    pub actor: String,
    pub at: DateTime<Utc>,
}

impl From<&BatchRow> for DossierRevision {
    fn from(row: &BatchRow) -> Self {
        let BatchRow { created, updated, unchanged, deleted, parked, .. } = *row;
        Self {
            revision: row.revision,
            rows: row.rows,
            received: row.received,
            counts: ChangeCounts { created, updated, unchanged, deleted, parked },
            reason: row.reason.clone(),
            actor: row.actor.clone(),
            at: row.at,
        }
    }
}

/// The current revision of a source's month, and all revisions.
#[derive(Debug, Serialize, ToSchema)]
pub struct DossierBatchState {
    pub source: String,
    pub month: Month,
    #[serde(flatten)]
    pub latest: DossierRevision,
    /// All revisions, newest first.
    pub revisions: Vec<DossierRevision>,
}

impl DossierBatchState {
    pub fn of(source: String, month: Month, revisions: &[BatchRow]) -> Option<Self> {
        let revisions: Vec<DossierRevision> = revisions.iter().map(DossierRevision::from).collect();
        Some(Self { source, month, latest: revisions.first()?.clone(), revisions })
    }
}
