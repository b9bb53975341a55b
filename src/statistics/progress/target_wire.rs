//! One target and where it stands, on the wire.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::figures::Source;
use super::model::AgencyRow;
use super::rules::{Exact, Reason, Start, Status};
use super::snapshot::Standing;
use crate::auth::AgencyScope;
use crate::statistics::wire::Coverage;
use crate::targets::rules::{Subject, TargetScope};
use crate::values::{Comparator, Decimal, Month, is_too_few};

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
            actual: found.figure.as_ref().ok().filter(|_| is_disclosed).map(Exact::shown),
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
            gap: assessment.gap.as_ref().filter(|_| is_disclosed).map(Exact::shown),
            required_pace: assessment.pace.as_ref().filter(|_| is_disclosed).map(Exact::shown),
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
