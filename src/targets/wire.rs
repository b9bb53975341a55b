//! What targets look like on the wire.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::{TargetQuery, TargetRow};
use super::rules::{Subject, TargetScope, is_metric};
use crate::http::csv::CsvRow;
use crate::http::one_or_many::{CheckAt, Listed};
use crate::http::query::AnyOf;
use crate::http::{Msg, ProblemCode, Violations};
use crate::values::{Comparator, Decimal};

/// A target of an indicator or a rate.
#[derive(Debug, Serialize, ToSchema)]
pub struct Target {
    #[schema(value_type = Subject)]
    pub subject: String,
    /// Code of an indicator (optionally with a breakdown after a colon), or id of a rate.
    #[schema(example = "dossiers_level_3_resolved")]
    pub code: String,
    #[schema(value_type = TargetScope)]
    pub scope: String,
    /// Code of the agency, with scope `agency`; null if it applies to every agency.
    pub agency: Option<String>,
    #[schema(example = 2018)]
    pub year: i32,
    #[schema(value_type = Comparator)]
    pub comparator: String,
    /// Target, in percent for a rate, else in the unit of the indicator.
    #[schema(example = 60)]
    pub value: Decimal,
    /// Upper bound; only with `between`.
    pub value_to: Option<Decimal>,
    pub unit: Option<String>,
    pub due: NaiveDate,
    /// Source of the statement, such as a section of the plan.
    pub source: String,
    pub version: i32,
}

impl From<TargetRow> for Target {
    fn from(row: TargetRow) -> Self {
        Self {
            subject: row.subject,
            code: row.code,
            scope: row.scope,
            agency: row.agency,
            year: row.year,
            comparator: row.comparator,
            value: row.value.into(),
            value_to: row.value_to.map(Decimal::from),
            unit: row.unit,
            due: row.due,
            source: row.source,
            version: row.version,
        }
    }
}

impl CsvRow for Target {
    const COLUMNS: &'static [&'static str] = &[
        "subject",
        "code",
        "scope",
        "agency",
        "year",
        "comparator",
        "value",
        "value_to",
        "unit",
        "due",
        "source",
        "version",
    ];
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TargetFilter {
    /// `indicator` or `metric`, comma-separated.
    #[param(value_type = Option<String>)]
    pub subject: Option<AnyOf<Subject>>,
    /// Codes, comma-separated.
    #[param(value_type = Option<String>, example = "dossiers_level_3_resolved")]
    pub code: Option<AnyOf<String>>,
    /// `province` or `agency`, comma-separated.
    #[param(value_type = Option<String>)]
    pub scope: Option<AnyOf<TargetScope>>,
    /// Codes of agencies, comma-separated.
    #[param(value_type = Option<String>)]
    pub agency: Option<AnyOf<String>>,
    /// Year of the targets.
    #[param(minimum = 1900, maximum = 2199)]
    pub year: Option<i32>,
}

impl TargetFilter {
    pub fn query(&self) -> TargetQuery {
        TargetQuery {
            subjects: self.subject.as_ref().map(|any| any.0.iter().map(|s| s.as_str().to_owned()).collect()),
            codes: self.code.clone().map(|any| any.0),
            scopes: self.scope.as_ref().map(|any| any.0.iter().map(|s| s.as_str().to_owned()).collect()),
            agencies: self.agency.clone().map(|any| any.0),
            years: self.year.map(|year| vec![year]),
        }
    }
}

/// A target. Subject, code, scope, agency and year are its key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTarget {
    pub subject: Subject,
    #[schema(
        example = "dossiers_level_3_resolved",
        pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$",
        min_length = 1,
        max_length = 64
    )]
    pub code: String,
    pub scope: TargetScope,
    /// Code of the agency; only with scope `agency`. Without it the target applies to every agency.
    pub agency: Option<String>,
    #[schema(example = 2018, minimum = 2000, maximum = 2199)]
    pub year: i32,
    pub comparator: Comparator,
    #[schema(example = 60)]
    pub value: Decimal,
    /// Upper bound; required with `between`, not allowed otherwise.
    pub value_to: Option<Decimal>,
    #[schema(max_length = 40)]
    pub unit: Option<String>,
    pub due: NaiveDate,
    #[schema(example = "IV.3.2.b", min_length = 1, max_length = 300)]
    pub source: String,
}

/// Several targets at once.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes the body; it is read as OneOrMany")]
pub struct NewTargets {
    pub items: Vec<NewTarget>,
}

/// One target, or several under `items`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the body; it is read as OneOrMany")]
pub enum TargetsBody {
    One(NewTarget),
    Many(NewTargets),
}

/// The stored targets.
#[derive(Debug, Serialize, ToSchema)]
pub struct Targets {
    pub items: Vec<Target>,
}

impl Listed for NewTarget {
    const LIST_NAMES: &'static [&'static str] = &["items", "targets"];
}

impl CheckAt for NewTarget {
    fn key(&self) -> String {
        let agency = self.agency.as_deref().unwrap_or_default();
        format!("{}/{}/{}/{agency}/{}", self.subject.as_str(), self.code, self.scope.as_str(), self.year)
    }

    fn check_at(&self, pointer: &str, faults: &mut Violations) {
        faults.name(&format!("{pointer}/source"), self.source.trim(), 1, 300);
        if let Some(unit) = &self.unit {
            faults.name(&format!("{pointer}/unit"), unit.trim(), 1, 40);
        }
        if !(2000..=2199).contains(&self.year) {
            let detail = Msg::fixed("Năm phải từ 2000 đến 2199.", "The year must be between 2000 and 2199.");
            faults.add(ProblemCode::InvalidRange, format!("{pointer}/year"), detail);
        }
        faults.day(&format!("{pointer}/due"), self.due);
        match self.subject {
            Subject::Indicator => faults.code(&format!("{pointer}/code"), &self.code),
            Subject::Metric if !is_metric(&self.code) => {
                let detail = Msg::fixed(
                    "Mã tỷ lệ không hợp lệ; ví dụ mã hợp lệ: dossiers_level_3_resolved, services_level_3_4, on_time.",
                    "Unknown rate. Examples: `dossiers_level_3_resolved`, `services_level_3_4`, `on_time`.",
                );
                faults.add(ProblemCode::UnknownReference, format!("{pointer}/code"), detail);
            }
            Subject::Metric => {}
        }
        self.check_values(pointer, faults);
    }
}

impl NewTarget {
    pub fn check_values(&self, pointer: &str, faults: &mut Violations) {
        if self.agency.is_some() && self.scope == TargetScope::Province {
            let detail = Msg::fixed(
                "Chỉ khai báo agency khi phạm vi (scope) là agency.",
                "Allowed only with scope `agency`.",
            );
            faults.add(ProblemCode::InvalidValue, format!("{pointer}/agency"), detail);
        }
        let possible = match (self.comparator, &self.value_to) {
            (Comparator::Between, Some(to)) => self.value <= *to,
            (Comparator::Between, None) => false,
            (_, to) => to.is_none(),
        };
        if !possible {
            let detail = Msg::fixed(
                "Khi comparator là between phải có value_to và value_to không nhỏ hơn value; các trường hợp khác không khai báo value_to.",
                "`value_to` is required with `between`, must not be less than `value`, and is not allowed otherwise.",
            );
            faults.add(ProblemCode::InvalidRange, format!("{pointer}/value_to"), detail);
        }
    }
}
