//! Targets, where they stand, and what is beside them, on the wire.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::figures::Source;
use super::model::AgencyRow;
use super::rules::{Reason, Start, Status};
use super::snapshot::{Snapshot, Standing};
use super::tasks::Tasks;
use crate::auth::AgencyScope;
use crate::http::csv::CsvRow;
use crate::statistics::wire::Coverage;
use crate::targets::rules::{Subject, TargetScope};
use crate::values::{Comparator, Decimal, Month, is_too_few};

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

/// A figure of a year before the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProgressBaseline)]
pub struct Baseline {
    #[schema(example = 2017)]
    pub year: i32,
    #[schema(example = 93)]
    pub value: Decimal,
}

/// The progress of a target of the province or of one agency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TargetProgress {
    #[schema(value_type = Subject)]
    pub subject: String,
    /// Code of an indicator (optionally with a breakdown after a colon), or id of a rate.
    #[schema(example = "dossiers_level_3_resolved")]
    pub code: String,
    /// Name of the indicator; null for a rate.
    pub name: Option<String>,
    #[schema(value_type = TargetScope)]
    pub scope: String,
    /// Code of the agency whose figure is compared, with scope `agency`. A target for every agency has one item per agency.
    #[schema(example = "SO-YT")]
    pub agency: Option<String>,
    pub agency_name: Option<String>,
    pub comparator: Comparator,
    /// Target, in percent for a rate, else in `unit`.
    #[schema(example = 60)]
    pub value: Decimal,
    /// Upper bound; only with `between`.
    pub value_to: Option<Decimal>,
    pub due: NaiveDate,
    #[schema(example = "percent")]
    pub unit: Option<String>,
    /// Source of the statement, such as a section of the plan.
    pub source: String,
    /// The actual figure, rounded half up to two decimals (the exact one is compared); null if there is none.
    #[schema(example = 57.18)]
    pub actual: Option<Decimal>,
    pub numerator: Option<Decimal>,
    pub denominator: Option<Decimal>,
    /// Source of the figure; null if there is none.
    pub actual_source: Option<Source>,
    /// First month of the figure; null if there is none.
    pub period_from: Option<Month>,
    pub period_to: Option<Month>,
    /// Agencies behind a figure of the province. `partial` lists agencies whose latest figure is older than the others'. Officers
    /// see only agencies in their scope in `missing` and `partial`; the numbers cover all.
    pub coverage: Option<Coverage>,
    /// The latest figure of the province of an earlier year, in the same unit.
    pub baseline: Option<Baseline>,
    /// Expected figure on a straight line from the start of the year to the due date, rounded half up to two decimals.
    #[schema(example = 48.5)]
    pub expected_by_now: Decimal,
    /// What the line of expected figures starts from.
    pub expected_from: Start,
    pub status: Status,
    pub reason: Reason,
    /// What is missing to the target, in its unit (percentage points for percent); negative if it is exceeded.
    #[schema(example = 2.82)]
    pub gap: Option<Decimal>,
    /// Required gain per month until the due date, in the unit of `gap`; 0 if met, null if no time is left.
    #[schema(example = 0.94)]
    pub required_pace: Option<Decimal>,
    /// Smallest number of additional online dossiers that bring a rate of dossiers to its target; null if undefined.
    pub dossiers_needed: Option<i64>,
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

impl TargetProgress {
    pub fn of(standing: &Standing<'_>, scope: &AgencyScope, agencies: &BTreeMap<&str, &AgencyRow>) -> Self {
        let Standing { target, agency, found, assessment, .. } = standing;
        let is_disclosed = !is_withheld(standing, scope, agencies);
        let (status, reason) = if is_disclosed {
            (assessment.status, assessment.reason)
        } else {
            (Status::NotAssessable, Reason::Withheld)
        };
        let seen = |codes: &[String]| {
            let holds = |code: &&String| agencies.get(code.as_str()).is_some_and(|a| scope.contains(a.id()));
            codes.iter().filter(holds).cloned().collect()
        };
        Self {
            subject: target.subject.clone(),
            code: target.code.clone(),
            name: target.name.clone(),
            scope: target.scope.clone(),
            agency: agency.map(|agency| agency.code.clone()),
            agency_name: agency.map(|agency| agency.name.clone()),
            comparator: target.comparator,
            value: target.value.clone(),
            value_to: target.value_to.clone(),
            due: target.due,
            unit: target.unit.clone().or_else(|| target.indicator_unit.clone()),
            source: target.source.clone(),
            actual: found.figure.as_ref().ok().filter(|_| is_disclosed).map(super::rules::Exact::shown),
            numerator: found.numerator.clone().filter(|_| is_disclosed),
            denominator: found.denominator.clone().filter(|_| is_disclosed),
            actual_source: found.source,
            period_from: found.from,
            period_to: found.to,
            coverage: found.coverage.as_ref().map(|coverage| Coverage {
                missing: seen(&coverage.missing),
                partial: seen(&coverage.partial),
                ..*coverage
            }),
            baseline: standing
                .baseline
                .map(|baseline| Baseline { year: baseline.year, value: baseline.value.clone() }),
            expected_by_now: assessment.expected.shown(),
            expected_from: assessment.start,
            status,
            reason,
            gap: assessment.gap.as_ref().filter(|_| is_disclosed).map(super::rules::Exact::shown),
            required_pace: assessment.pace.as_ref().filter(|_| is_disclosed).map(super::rules::Exact::shown),
            dossiers_needed: standing.dossiers_needed,
        }
    }
}

/// Whether submissions of too few agencies stand behind the figure for a caller of this scope to read it.
fn is_withheld(standing: &Standing<'_>, scope: &AgencyScope, agencies: &BTreeMap<&str, &AgencyRow>) -> bool {
    if *scope == AgencyScope::All {
        return false;
    }
    // An agency that ended may have been the caller's own: not counted where that would make enough.
    let (known, ended): (Vec<_>, Vec<_>) =
        standing.found.reporters.iter().map(|code| agencies.get(code.as_str())).partition(Option::is_some);
    let foreign = known.into_iter().flatten().filter(|agency| !scope.contains(agency.id())).count();
    is_too_few(foreign) || is_too_few(foreign + ended.len())
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
