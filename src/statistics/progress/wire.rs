//! Targets, where they stand, and what is beside them, on the wire.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::model::AgencyRow;
use super::rules::Status;
use super::snapshot::{Snapshot, Standing};
use super::target_wire::TargetProgress;
use super::tasks::Tasks;
use crate::auth::AgencyScope;
use crate::http::csv::CsvRow;
use crate::targets::rules::TargetScope;
use crate::values::Month;

/// Number of targets by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProgressCounts)]
pub struct Counts {
    #[schema(minimum = 0)]
    pub achieved: u32,
    #[schema(minimum = 0)]
    pub on_track: u32,
    #[schema(minimum = 0)]
    pub at_risk: u32,
    #[schema(minimum = 0)]
    pub off_track: u32,
    #[schema(minimum = 0)]
    pub not_assessable: u32,
    #[schema(minimum = 0)]
    pub total: u32,
}

impl Counts {
    pub fn of(statuses: impl IntoIterator<Item = Status>) -> Self {
        let mut counts = Self::default();
        for status in statuses {
            *counts.place(status) += 1;
            counts.total += 1;
        }
        counts
    }

    fn place(&mut self, status: Status) -> &mut u32 {
        match status {
            Status::Achieved => &mut self.achieved,
            Status::OnTrack => &mut self.on_track,
            Status::AtRisk => &mut self.at_risk,
            Status::OffTrack => &mut self.off_track,
            Status::NotAssessable => &mut self.not_assessable,
        }
    }

    pub fn get(mut self, status: Status) -> u32 {
        *self.place(status)
    }
}

/// An agency that has not submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NotReported {
    #[schema(example = "SO-YT")]
    pub agency: String,
    pub name: String,
    /// `draft` or `returned`; null if there is no submission.
    #[schema(example = "draft")]
    pub state: Option<String>,
}

/// Progress of targets and tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Progress {
    /// Year of the targets and plans.
    #[schema(example = 2018)]
    pub year: i32,
    /// The date of the progress.
    pub on: NaiveDate,
    /// Number of items by status, regardless of the filter `status`.
    pub counts: Counts,
    /// Targets of the province first, by due date.
    pub items: Vec<TargetProgress>,
    pub tasks: Tasks,
    /// The last complete month before `on`.
    pub reporting_month: Month,
    /// Agencies that have not submitted `reporting_month`. Officers see only agencies in their scope.
    pub not_reported: Vec<NotReported>,
}

/// What of it is wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub scope: Option<TargetScope>,
    pub agencies: Option<Vec<String>>,
    pub statuses: Option<Vec<Status>>,
}

impl Wanted {
    fn takes(&self, standing: &Standing<'_>) -> bool {
        let of_scope = self.scope.is_none_or(|scope| scope.as_str() == standing.target.scope);
        let of_agency = self
            .agencies
            .as_ref()
            .is_none_or(|codes| standing.agency.is_some_and(|agency| codes.contains(&agency.code)));
        of_scope && of_agency
    }
}

impl Progress {
    /// What a caller with this scope sees of the snapshot: of agencies, the own ones alone.
    pub fn of(snapshot: &Snapshot, scope: &AgencyScope, wanted: &Wanted) -> Self {
        let standings = snapshot.standings();
        let by_code: BTreeMap<&str, &AgencyRow> =
            snapshot.frame.agencies.iter().map(|agency| (agency.code.as_str(), agency)).collect();
        let seen: Vec<&Standing<'_>> = standings
            .iter()
            .filter(|standing| standing.agency.is_none_or(|agency| scope.contains(agency.id())))
            .filter(|standing| wanted.takes(standing))
            .collect();
        let of_status = |status| wanted.statuses.as_ref().is_none_or(|any| any.contains(&status));
        let all: Vec<TargetProgress> =
            seen.iter().map(|standing| TargetProgress::of(standing, scope, &by_code)).collect();
        Self {
            year: snapshot.frame.year,
            on: snapshot.on,
            counts: Counts::of(all.iter().map(|item| item.status)),
            items: all.into_iter().filter(|item| of_status(item.status)).collect(),
            tasks: Tasks::on(snapshot.on, &snapshot.tasks, scope),
            reporting_month: snapshot.reporting_month,
            not_reported: not_reported(&snapshot.frame.agencies, scope),
        }
    }
}

/// Those that should have handed in the month and have not, as far as the caller may know.
pub fn not_reported(agencies: &[AgencyRow], scope: &AgencyScope) -> Vec<NotReported> {
    agencies
        .iter()
        .filter(|agency| agency.reports && !agency.has_reported() && scope.contains(agency.id()))
        .map(|agency| NotReported {
            agency: agency.code.clone(),
            name: agency.name.clone(),
            state: agency.state.clone(),
        })
        .collect()
}

/// An item as a line of a table.
#[derive(Debug, Serialize)]
pub struct ProgressLine<'i> {
    pub year: i32,
    pub on: NaiveDate,
    #[serde(flatten)]
    pub item: &'i TargetProgress,
}

impl CsvRow for ProgressLine<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "year",
        "on",
        "subject",
        "code",
        "name",
        "scope",
        "agency",
        "agency_name",
        "comparator",
        "value",
        "value_to",
        "due",
        "unit",
        "actual",
        "numerator",
        "denominator",
        "actual_source",
        "period_from",
        "period_to",
        "coverage.expected",
        "coverage.reported",
        "baseline.year",
        "baseline.value",
        "expected_by_now",
        "expected_from",
        "status",
        "reason",
        "gap",
        "required_pace",
        "dossiers_needed",
        "source",
    ];
}
