//! The report on the wire.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::rules::Standing;
use crate::indicators::national_routes::NationalResult;
use crate::statistics::levels::LevelItem;
use crate::statistics::progress::rules::Reason;
use crate::statistics::progress::target_wire::TargetProgress;
use crate::statistics::progress::tasks::Tasks;
use crate::statistics::progress::wire::Counts;
use crate::statistics::wire::{Coverage, RateItem};
use crate::targets::rules::Subject;
use crate::values::{Comparator, Decimal, Month, Period};

/// The submission of an agency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReportedSubmission {
    #[schema(example = "SO-YT")]
    pub agency: String,
    pub name: String,
    /// `draft`, `submitted`, `returned` or `accepted`; null if there is no submission.
    pub state: Option<String>,
    /// Day of the first submission; null if not submitted.
    pub submitted_on: Option<NaiveDate>,
    pub standing: Standing,
}

/// Submissions of the month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReportSubmissions)]
pub struct Submissions {
    /// Assumed deadline: the 10th of the following month. The plan sets none.
    pub due_on: NaiveDate,
    /// Number of agencies that must report: departments, districts and communes.
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
    /// One item per agency, by name.
    pub items: Vec<ReportedSubmission>,
}

/// The province's figure of an indicator: the sum of the agencies' latest accepted figures of the year, up to the month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct IndicatorFigure {
    #[schema(example = "HT.CQ.01")]
    pub code: String,
    pub name: String,
    pub unit: String,
    pub numerator: Option<Decimal>,
    pub denominator: Option<Decimal>,
    /// Figure in `unit`, rounded half up to two decimals.
    pub actual: Option<Decimal>,
    /// Why there is no figure; null if there is a figure.
    pub reason: Option<Reason>,
    pub period_from: Option<Month>,
    pub period_to: Option<Month>,
    pub coverage: Option<Coverage>,
}

/// A rate of dossiers in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReportedRate {
    /// The month, or the year up to the month.
    pub period: Period,
    #[serde(flatten)]
    pub rate: RateItem,
}

/// The same target of several agencies, counted by status.
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
    /// Codes of the agencies that are at risk or off track.
    pub behind: Vec<String>,
}

/// Targets of the year.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ReportProgress)]
pub struct ReportedProgress {
    pub province: Counts,
    pub agencies: Counts,
    /// Targets of the province.
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

/// The monthly report of the coordinating department to the provincial committee.
#[derive(Debug, Serialize, ToSchema)]
pub struct MonthlyReport {
    pub month: Month,
    /// The date of the report: the last day of the month, or today in the current month.
    pub on: NaiveDate,
    /// Year of the targets.
    #[schema(example = 2018)]
    pub year: i32,
    /// Name of the provincial committee.
    #[schema(example = "Ủy ban nhân dân tỉnh Lào Cai")]
    pub recipient: Option<String>,
    pub submissions: Submissions,
    pub indicators: Vec<IndicatorFigure>,
    /// Procedures by level on the last day of the month.
    pub service_levels: Option<LevelItem>,
    /// Rates `dossiers_level_3_resolved`, `dossiers_level_4_resolved` and `on_time` of the month, and of the year up to it.
    pub dossiers: Vec<ReportedRate>,
    pub progress: ReportedProgress,
    pub tasks: Tasks,
    /// Published results of the latest year with results, not after the year of the month.
    pub national_results: Vec<ReportedResult>,
    /// How the figures were computed, and which agencies are missing; in Vietnamese, as printed.
    pub notes: Vec<String>,
    /// The coordinating department, which issues the report.
    #[serde(skip)]
    pub issuer: Option<String>,
    /// Names of agencies by code, for print.
    #[serde(skip)]
    pub names: HashMap<String, String>,
}
