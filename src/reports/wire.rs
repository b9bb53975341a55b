//! The report on the wire.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::rules::Standing;
use crate::indicators::national_routes::NationalResult;
use crate::statistics::levels::LevelItem;
use crate::statistics::progress::rules::Reason;
use crate::statistics::progress::tasks::Tasks;
use crate::statistics::progress::wire::{Counts, TargetProgress};
use crate::statistics::wire::{Coverage, RateItem};
use crate::targets::rules::Subject;
use crate::values::{Comparator, Decimal, Month, Period};

/// How an agency's month came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReportedSubmission {
    #[schema(example = "SO-YT")]
    pub agency: String,
    pub name: String,
    /// `draft`, `submitted`, `returned` or `accepted`; null when there is none.
    pub state: Option<String>,
    /// Business day on which it was first handed in.
    pub submitted_on: Option<NaiveDate>,
    pub standing: Standing,
}

/// Submissions of the month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReportSubmissions)]
pub struct Submissions {
    /// Last day on which they are in time (assumed: the 10th of the following month).
    pub due_on: NaiveDate,
    /// Agencies that report as a rule: departments, districts, communes.
    #[schema(minimum = 0)]
    pub expected: usize,
    #[schema(minimum = 0)]
    pub accepted: usize,
    #[schema(minimum = 0)]
    pub in_time: usize,
    #[schema(minimum = 0)]
    pub late: usize,
    #[schema(minimum = 0)]
    pub awaited: usize,
    #[schema(minimum = 0)]
    pub missing: usize,
    /// One for each agency, by name.
    pub items: Vec<ReportedSubmission>,
}

/// The province's figure of an indicator: sums of the agencies' latest accepted figures of the year up to the month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct IndicatorFigure {
    #[schema(example = "HT.CQ.01")]
    pub code: String,
    pub name: String,
    pub unit: String,
    pub numerator: Option<Decimal>,
    pub denominator: Option<Decimal>,
    /// In the unit, half up to two decimals.
    pub actual: Option<Decimal>,
    /// Why there is none.
    pub reason: Option<Reason>,
    pub period_from: Option<Month>,
    pub period_to: Option<Month>,
    pub coverage: Option<Coverage>,
}

/// A rate of dossiers in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReportedRate {
    /// The month, or the year up to it.
    pub period: Period,
    #[serde(flatten)]
    pub rate: RateItem,
}

/// Targets of agencies for one thing, by where they stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct AgencyTarget {
    #[schema(value_type = Subject)]
    pub subject: String,
    #[schema(example = "HT.CQ.01")]
    pub code: String,
    pub name: Option<String>,
    pub comparator: Comparator,
    pub value: Decimal,
    pub value_to: Option<Decimal>,
    pub unit: Option<String>,
    pub due: NaiveDate,
    pub counts: Counts,
    /// Codes of agencies that are at risk or off track.
    pub behind: Vec<String>,
}

/// Targets of the year.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReportProgress)]
pub struct ReportedProgress {
    pub province: Counts,
    pub agencies: Counts,
    /// The province's.
    pub items: Vec<TargetProgress>,
    pub agency_targets: Vec<AgencyTarget>,
}

/// A published national result.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportedResult {
    /// Name of the node.
    pub name: Option<String>,
    #[serde(flatten)]
    pub result: NationalResult,
}

/// What the department reports to the provincial committee on a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct MonthlyReport {
    pub month: Month,
    /// The day it shows: the last of the month, or today in a month that goes on.
    pub on: NaiveDate,
    /// The year of its targets.
    #[schema(example = 2018)]
    pub year: i32,
    /// The committee it goes to.
    #[schema(example = "Ủy ban nhân dân tỉnh Lào Cai")]
    pub recipient: Option<String>,
    pub submissions: Submissions,
    pub indicators: Vec<IndicatorFigure>,
    /// Procedures on the last day of the month.
    pub service_levels: Option<LevelItem>,
    /// `dossiers_level_3_resolved`, `dossiers_level_4_resolved` and `on_time`: of the month, and of the year up to it.
    pub dossiers: Vec<ReportedRate>,
    pub progress: ReportedProgress,
    pub tasks: Tasks,
    /// Of the last year, up to that of the month, that has any.
    pub national_results: Vec<ReportedResult>,
    /// What is counted how, and who is not in it; in Vietnamese, as they are printed.
    pub notes: Vec<String>,
}
