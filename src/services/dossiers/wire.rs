//! Batches, counts and feeds on the wire.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::intake::Outcome;
use super::model::{BatchRow, CountQuery, CountsRow};
use super::raw::{Control, RawRow};
use super::rules::{Channel, MOST_ROWS};
use super::store::{Break, Changes};
use crate::http::csv::CsvRow;
use crate::http::listing::AnyOf;
use crate::http::{Check, Code, Violations};
use crate::values::{Month, Period};

/// Longest reason, in characters.
const MOST_REASON: usize = 1_000;

/// A source's month, whole: what it does not name is removed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DossierBatch {
    pub control: Control,
    #[schema(max_items = 200000)]
    pub rows: Vec<RawRow>,
    /// Why the month is corrected; needed once it is closed.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: Option<String>,
}

impl Check for DossierBatch {
    const MOST_BYTES: usize = 64 * 1024 * 1024;

    /// The rows are checked together with what they refer to, so that all faults are told at once.
    fn check(&self, faults: &mut Violations) {
        if self.rows.len() > MOST_ROWS {
            let (most, n) = (MOST_ROWS, self.rows.len());
            let detail = msg!("Tối đa {most} dòng, nhận được {n}.", "At most {most} rows, got {n}.");
            faults.add(Code::InvalidLength, "/rows", detail);
        }
        if let Some(reason) = &self.reason {
            faults.length("/reason", reason.trim(), 1, MOST_REASON);
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRun {
    /// Checks and counts, stores nothing.
    #[serde(default)]
    #[param(required = false, default = false)]
    pub dry_run: bool,
}

/// Rows by what the batch did to them.
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
}

impl From<Changes> for ChangeCounts {
    fn from(changes: Changes) -> Self {
        let Changes { created, updated, unchanged, deleted, .. } = changes;
        Self { created, updated, unchanged, deleted }
    }
}

/// What looks unusual in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = DossierWarningCode)]
pub enum WarningCode {
    /// `carried_in` is not what the month before left in progress.
    CarriedInMismatch,
}

/// What looks unusual and is stored nevertheless.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DossierWarning)]
pub struct Warning {
    pub code: WarningCode,
    /// JSON pointer into the batch.
    #[schema(example = "/rows/17/carried_in")]
    pub pointer: String,
    pub carried_in: i32,
    /// What the month before left in progress for the same agency, procedure and channel.
    pub in_progress_before: i64,
}

impl From<&Break> for Warning {
    fn from(found: &Break) -> Self {
        Self {
            code: WarningCode::CarriedInMismatch,
            pointer: format!("/rows/{}/carried_in", found.row),
            carried_in: found.carried_in,
            in_progress_before: found.in_progress_before,
        }
    }
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct DossierBatchResult {
    #[schema(example = "vnpt")]
    pub source: String,
    pub month: Month,
    /// The revision in force; a batch that changes nothing makes no new one.
    #[schema(minimum = 1)]
    pub revision: i32,
    /// Nothing was stored: this is what storing would answer.
    pub dry_run: bool,
    pub counts: ChangeCounts,
    /// How many warnings there are in all.
    #[schema(minimum = 0)]
    pub warning_count: i64,
    /// The first 100 of them.
    pub warnings: Vec<Warning>,
}

impl DossierBatchResult {
    pub fn of(outcome: Outcome, dry_run: bool) -> Self {
        Self {
            source: outcome.source,
            month: outcome.month,
            revision: outcome.revision,
            dry_run,
            counts: outcome.changes.into(),
            warning_count: outcome.breaks.first().map_or(0, |found| found.total),
            warnings: outcome.breaks.iter().map(Warning::from).collect(),
        }
    }
}

/// One revision of a source's month.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DossierRevision {
    pub revision: i32,
    /// Rows of the batch.
    pub rows: i32,
    /// Dossiers received, over all rows.
    pub received: i64,
    pub counts: ChangeCounts,
    /// Why the month was corrected.
    pub reason: Option<String>,
    /// Who delivered it.
    #[schema(example = "client:vnpt")]
    pub actor: String,
    pub at: DateTime<Utc>,
}

impl From<&BatchRow> for DossierRevision {
    fn from(row: &BatchRow) -> Self {
        let BatchRow { created, updated, unchanged, deleted, .. } = *row;
        Self {
            revision: row.revision,
            rows: row.rows,
            received: row.received,
            counts: ChangeCounts { created, updated, unchanged, deleted },
            reason: row.reason.clone(),
            actor: row.actor.clone(),
            at: row.at,
        }
    }
}

/// A source's month as it is in force, and how it came to be.
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

/// Dossiers of an agency, procedure, month and channel.
#[derive(Debug, Serialize, ToSchema)]
pub struct DossierCounts {
    pub month: Month,
    #[schema(example = "SO-YT")]
    pub agency: String,
    #[schema(example = "1.011443")]
    pub service: String,
    #[schema(value_type = Channel)]
    pub channel: String,
    pub received: i32,
    pub resolved_early: i32,
    pub resolved_on_time: i32,
    pub resolved_late: i32,
    pub withdrawn: i32,
    /// Stock at the month's beginning: does not add up over months.
    pub carried_in: i32,
    /// Stock at the month's end, not yet due.
    pub in_progress_on_time: i32,
    /// Stock at the month's end, overdue.
    pub in_progress_overdue: i32,
    #[schema(example = "vnpt")]
    pub source: String,
    /// Revision of the source's month that wrote these counts.
    pub revision: i32,
}

impl From<CountsRow> for DossierCounts {
    fn from(row: CountsRow) -> Self {
        Self {
            month: Month::of(row.month),
            agency: row.agency,
            service: row.service,
            channel: row.channel,
            received: row.received,
            resolved_early: row.resolved_early,
            resolved_on_time: row.resolved_on_time,
            resolved_late: row.resolved_late,
            withdrawn: row.withdrawn,
            carried_in: row.carried_in,
            in_progress_on_time: row.in_progress_on_time,
            in_progress_overdue: row.in_progress_overdue,
            source: row.source,
            revision: row.revision,
        }
    }
}

impl CsvRow for DossierCounts {
    const COLUMNS: &'static [&'static str] = &[
        "month",
        "agency",
        "service",
        "channel",
        "received",
        "resolved_early",
        "resolved_on_time",
        "resolved_late",
        "withdrawn",
        "carried_in",
        "in_progress_on_time",
        "in_progress_overdue",
        "source",
        "revision",
    ];
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CountFilter {
    /// Codes of agencies, comma-separated.
    #[param(value_type = Option<String>, example = "SO-YT")]
    agency: Option<AnyOf<String>>,
    /// Codes of procedures, comma-separated.
    #[param(value_type = Option<String>)]
    service: Option<AnyOf<String>>,
    /// A year, quarter or month.
    #[param(value_type = Option<Period>, nullable = false, example = "2018-03")]
    period: Option<Period>,
    /// `online`, `in_person`, `postal`, comma-separated.
    #[param(value_type = Option<String>, example = "online")]
    channel: Option<AnyOf<Channel>>,
}

impl CountFilter {
    pub fn query(&self) -> CountQuery {
        CountQuery {
            agencies: self.agency.clone().map(|any| any.0),
            services: self.service.clone().map(|any| any.0),
            channels: self.channel.as_ref().map(|any| any.0.iter().map(|c| c.number()).collect()),
            period: self.period.map(|period| (period.first_day(), period.last_day())),
        }
    }
}

/// The newest revision of the last month that a source reported.
#[derive(Debug, Serialize, ToSchema)]
pub struct LastBatch {
    pub month: Month,
    pub revision: i32,
    pub at: DateTime<Utc>,
    pub rows: i32,
    pub received: i64,
}

/// Whether a source keeps up.
#[derive(Debug, Serialize, ToSchema)]
pub struct DossierFeed {
    pub source: String,
    /// Null before the first batch.
    pub last_batch: Option<LastBatch>,
    /// Months without a batch, from the source's first month to the last one that is over.
    pub missing_months: Vec<Month>,
    /// Days from the end of the last reported month to today's business day, 0 while it lasts; null before the first batch.
    #[schema(minimum = 0)]
    pub lag_days: Option<i64>,
}

impl DossierFeed {
    /// `delivered`: the newest revision of each month, months in order.
    pub fn of(source: String, delivered: &[BatchRow], today: NaiveDate) -> Self {
        let reported: Vec<Month> = delivered.iter().map(|row| Month::of(row.month)).collect();
        let last = delivered.last();
        Self {
            source,
            missing_months: super::rules::missing_months(&reported, today),
            lag_days: last.map(|row| (today - Month::of(row.month).last_day()).num_days().max(0)),
            last_batch: last.map(|row| LastBatch {
                month: Month::of(row.month),
                revision: row.revision,
                at: row.at,
                rows: row.rows,
                received: row.received,
            }),
        }
    }
}
