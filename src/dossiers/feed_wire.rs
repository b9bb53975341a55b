//! The state of a source's feed on the wire.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::model::BatchRow;
use super::parked::Waiting;
use super::rules;
use crate::values::Month;

/// The current revision of the last month that the source reported.
#[derive(Debug, Serialize, ToSchema)]
pub struct LastBatch {
    pub month: Month,
    pub revision: i32,
    pub at: DateTime<Utc>,
    pub rows: i32,
    pub received: i64,
}

/// The state of a source's feed.
#[derive(Debug, Serialize, ToSchema)]
pub struct DossierFeed {
    pub source: String,
    /// Null before the first batch.
    pub last_batch: Option<LastBatch>,
    /// Months without a batch, from the first month of the source to the last complete month.
    pub missing_months: Vec<Month>,
    /// Days from the end of the last reported month to today; 0 during that month; null before the first batch.
    #[schema(minimum = 0)]
    pub lag_days: Option<i64>,
    /// Parked rows: their procedure is not in the catalogue.
    pub parked: ParkedRows,
}

/// Rows that no statistic counts yet. Add their procedures with `POST /services` or `/service-batches`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParkedRows {
    #[schema(minimum = 0)]
    pub rows: i64,
    /// Codes of their procedures, the first 100.
    #[schema(example = json!(["1.011443"]))]
    pub services: Vec<String>,
    pub months: Vec<Month>,
}

impl From<Waiting> for ParkedRows {
    fn from(waiting: Waiting) -> Self {
        let months = waiting.months.into_iter().map(Month::of).collect();
        Self { rows: waiting.rows, services: waiting.services, months }
    }
}

impl DossierFeed {
    /// `delivered`: the newest revision of each month, months in order.
    pub fn of(source: String, delivered: &[BatchRow], waiting: Waiting, today: NaiveDate) -> Self {
        let reported: Vec<Month> = delivered.iter().map(|row| Month::of(row.month)).collect();
        let last = delivered.last();
        Self {
            source,
            missing_months: rules::missing_months(&reported, today),
            parked: waiting.into(),
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
