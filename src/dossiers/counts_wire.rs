//! Counts on the wire.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::{CountQuery, CountsRow};
use super::rules::Channel;
use crate::http::csv::CsvRow;
use crate::http::query::AnyOf;
use crate::values::{Month, Period};

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
    /// Dossiers in progress at the start of the month. Do not add up over months.
    pub carried_in: i32,
    /// Dossiers in progress at the end of the month, not yet due.
    pub in_progress_on_time: i32,
    /// Dossiers in progress at the end of the month, overdue.
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
