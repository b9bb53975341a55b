//! What indicators look like on the wire.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::{BaselineRow, IndicatorRow, IndicatorWrite};
use super::rules::{DefinitionStatus, Direction};
use crate::http::csv::CsvRow;
use crate::http::query::AnyOf;
use crate::http::{Check, Msg, Patch, Problem, ProblemCode, Violations};
use crate::values::Decimal;

/// A component indicator.
#[derive(Debug, Serialize, ToSchema)]
pub struct Indicator {
    #[schema(example = "HT.XH.01")]
    pub code: String,
    #[schema(example = "HT")]
    pub group: String,
    #[schema(example = "HT.XH")]
    pub subgroup: String,
    pub name: String,
    /// Name of the numerator; null for an indicator reported as a value.
    pub numerator_name: Option<String>,
    /// Name of the denominator; null for an indicator reported as a value.
    pub denominator_name: Option<String>,
    /// `percent`, `per_100`, `ratio`, `kbps_per_head`, `score`, …
    #[schema(example = "per_100")]
    pub unit: String,
    #[schema(value_type = Direction)]
    pub direction: String,
    #[schema(value_type = DefinitionStatus)]
    pub definition_status: String,
    /// Codes of the frameworks that use it.
    pub frameworks: Vec<String>,
    pub version: i32,
}

impl From<IndicatorRow> for Indicator {
    fn from(row: IndicatorRow) -> Self {
        Self {
            code: row.code,
            group: row.group_code,
            subgroup: row.subgroup_code,
            name: row.name,
            numerator_name: row.numerator_name,
            denominator_name: row.denominator_name,
            unit: row.unit,
            direction: row.direction,
            definition_status: row.definition_status,
            frameworks: row.frameworks,
            version: row.version,
        }
    }
}

impl CsvRow for Indicator {
    const COLUMNS: &'static [&'static str] = &[
        "code",
        "group",
        "subgroup",
        "name",
        "numerator_name",
        "denominator_name",
        "unit",
        "direction",
        "definition_status",
        "frameworks",
        "version",
    ];
}

/// An indicator with its figures of earlier years.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndicatorDetail {
    #[serde(flatten)]
    pub indicator: Indicator,
    pub baselines: Vec<Baseline>,
}

/// A figure that the plan gives for an earlier year.
#[derive(Debug, Serialize, ToSchema)]
pub struct Baseline {
    #[schema(example = 2017)]
    pub year: i32,
    #[schema(example = 84.1)]
    pub value: Decimal,
    pub unit: String,
    pub note: String,
}

impl From<BaselineRow> for Baseline {
    fn from(row: BaselineRow) -> Self {
        Self { year: row.year, value: row.value.into(), unit: row.unit, note: row.note }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IndicatorFilter {
    /// Words of the name or code. Ignores case and diacritics.
    pub q: Option<String>,
    /// Codes of frameworks, comma-separated.
    #[param(value_type = Option<String>, example = "ICT-INDEX-2016")]
    pub framework: Option<AnyOf<String>>,
    /// Codes of groups or subgroups, comma-separated.
    #[param(value_type = Option<String>, example = "HT.XH")]
    pub group: Option<AnyOf<String>>,
}

/// A new indicator.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIndicator {
    #[schema(
        example = "UD.CQ.06",
        pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$",
        min_length = 1,
        max_length = 64
    )]
    pub code: String,
    /// Code of a group of a framework.
    #[schema(example = "UD")]
    pub group: String,
    /// Code of a subgroup below the group.
    #[schema(example = "UD.CQ")]
    pub subgroup: String,
    #[schema(min_length = 1, max_length = 500)]
    pub name: String,
    /// With `denominator_name`, or neither.
    #[schema(max_length = 300)]
    pub numerator_name: Option<String>,
    #[schema(max_length = 300)]
    pub denominator_name: Option<String>,
    #[schema(example = "percent", min_length = 1, max_length = 40)]
    pub unit: String,
    pub direction: Direction,
    pub definition_status: DefinitionStatus,
}

impl Check for NewIndicator {
    fn check(&self, faults: &mut Violations) {
        faults.code("/code", &self.code);
        faults.name("/name", self.name.trim(), 1, 500);
        faults.name("/unit", self.unit.trim(), 1, 40);
        for (pointer, text) in
            [("/numerator_name", &self.numerator_name), ("/denominator_name", &self.denominator_name)]
        {
            if let Some(text) = text {
                faults.name(pointer, text.trim(), 1, 300);
            }
        }
        if self.numerator_name.is_some() != self.denominator_name.is_some() {
            let detail = Msg::fixed(
                "Phải khai báo đồng thời tên tử số (numerator_name) và tên mẫu số (denominator_name), hoặc không khai báo cả hai.",
                "Set both `numerator_name` and `denominator_name`, or neither.",
            );
            faults.add(ProblemCode::InvalidValue, "/denominator_name", detail);
        }
    }
}

impl NewIndicator {
    pub fn into_write(self) -> IndicatorWrite {
        let trimmed = |text: Option<String>| text.map(|t| t.trim().to_owned());
        IndicatorWrite {
            code: self.code,
            group_code: self.group,
            subgroup_code: self.subgroup,
            name: self.name.trim().to_owned(),
            numerator_name: trimmed(self.numerator_name),
            denominator_name: trimmed(self.denominator_name),
            unit: self.unit.trim().to_owned(),
            direction: self.direction.as_str(),
            definition_status: self.definition_status.as_str(),
        }
    }
}

/// Changes to an indicator. Absent fields are left unchanged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IndicatorPatch {
    pub group: Option<String>,
    pub subgroup: Option<String>,
    #[schema(min_length = 1, max_length = 500)]
    pub name: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 300)]
    pub numerator_name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 300)]
    pub denominator_name: Patch<String>,
    #[schema(min_length = 1, max_length = 40)]
    pub unit: Option<String>,
    pub direction: Option<Direction>,
    pub definition_status: Option<DefinitionStatus>,
}

impl Check for IndicatorPatch {
    /// The rules are those of a whole indicator: checked when the patch has been applied.
    fn check(&self, _: &mut Violations) {}
}

impl IndicatorPatch {
    pub fn apply(self, row: &IndicatorRow) -> Result<NewIndicator, Problem> {
        let unknown = || Problem::internal("an unknown word in the database");
        let whole = NewIndicator {
            code: row.code.clone(),
            group: self.group.unwrap_or_else(|| row.group_code.clone()),
            subgroup: self.subgroup.unwrap_or_else(|| row.subgroup_code.clone()),
            name: self.name.unwrap_or_else(|| row.name.clone()),
            numerator_name: self.numerator_name.optional(row.numerator_name.clone()),
            denominator_name: self.denominator_name.optional(row.denominator_name.clone()),
            unit: self.unit.unwrap_or_else(|| row.unit.clone()),
            direction: self.direction.or(Direction::parse(&row.direction)).ok_or_else(unknown)?,
            definition_status: self
                .definition_status
                .or(DefinitionStatus::parse(&row.definition_status))
                .ok_or_else(unknown)?,
        };
        let mut faults = Violations::default();
        whole.check(&mut faults);
        faults.into_result().map(|()| whole)
    }
}
