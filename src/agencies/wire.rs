//! What agencies look like on the wire.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::{AgencyQuery, AgencyRow, GroupRow};
use super::rules::{AgencyKind, Validity};
use crate::http::csv::CsvRow;
use crate::http::query::AnyOf;
use crate::http::{Check, Msg, Patch, Problem, ProblemCode, Violations};
use crate::values::fold;

/// An agency of the province.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agency {
    #[schema(example = "SO-YT")]
    pub code: String,
    #[schema(example = "Sở Y tế")]
    pub name: String,
    pub name_en: Option<String>,
    #[schema(value_type = AgencyKind)]
    pub kind: String,
    /// Code of its parent agency.
    #[schema(example = "UBND-TINH")]
    pub parent: Option<String>,
    /// Code of the General Statistics Office; unique only within a period of validity.
    pub gso_code: Option<String>,
    /// Code of QCVN 102.
    pub qcvn102_code: Option<String>,
    /// Electronic identifier (decision 20/2020).
    pub eid_code: Option<String>,
    /// First day of its validity; null if not recorded.
    pub valid_from: Option<NaiveDate>,
    /// First day on which it is no longer active; null while it is active.
    pub valid_to: Option<NaiveDate>,
    /// Codes of the agencies that succeeded it.
    pub successors: Vec<String>,
    /// Codes of the agencies that it succeeded.
    pub predecessors: Vec<String>,
    /// Code of the only source of its dossier counts: a feed or an agency.
    pub dossier_source: Option<String>,
    pub version: i32,
}

impl From<AgencyRow> for Agency {
    fn from(row: AgencyRow) -> Self {
        Self {
            code: row.code,
            name: row.name,
            name_en: row.name_en,
            kind: row.kind,
            parent: row.parent,
            gso_code: row.gso_code,
            qcvn102_code: row.qcvn102_code,
            eid_code: row.eid_code,
            valid_from: row.valid_from,
            valid_to: row.valid_to,
            successors: row.successors,
            predecessors: row.predecessors,
            dossier_source: row.dossier_source,
            version: row.version,
        }
    }
}

impl CsvRow for Agency {
    const COLUMNS: &'static [&'static str] = &[
        "code",
        "name",
        "name_en",
        "kind",
        "parent",
        "gso_code",
        "qcvn102_code",
        "eid_code",
        "valid_from",
        "valid_to",
        "successors",
        "predecessors",
        "dossier_source",
        "version",
    ];
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AgencyFilter {
    /// Words of the name or code. Ignores case and diacritics.
    #[param(example = "so y te")]
    pub q: Option<String>,
    /// Kinds, comma-separated: `province`, `department`, `district`, `commune`, `vertical`, `media`, `enterprise`.
    #[param(value_type = Option<String>, example = "department")]
    pub kind: Option<AnyOf<AgencyKind>>,
    /// Codes of parent agencies, comma-separated.
    #[param(value_type = Option<String>)]
    pub parent: Option<AnyOf<String>>,
    /// Code of a group.
    #[param(example = "CQNN")]
    pub group: Option<String>,
    /// Only agencies that are active on this date.
    #[serde(default, deserialize_with = "crate::http::dates::day")]
    pub active_on: Option<NaiveDate>,
}

impl AgencyFilter {
    pub fn query(&self) -> AgencyQuery {
        AgencyQuery {
            q: self.q.as_deref().map(fold),
            kinds: self.kind.as_ref().map(|any| any.0.iter().map(|k| k.as_str().to_owned()).collect()),
            parents: self.parent.clone().map(|any| any.0),
            group: self.group.clone(),
            active_on: self.active_on,
        }
    }
}

/// A new agency.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAgency {
    #[schema(example = "SO-DL", pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$", min_length = 1, max_length = 64)]
    pub code: String,
    #[schema(example = "Sở Du lịch", min_length = 1, max_length = 300)]
    pub name: String,
    #[schema(max_length = 300)]
    pub name_en: Option<String>,
    pub kind: AgencyKind,
    /// Code of its parent agency.
    #[schema(example = "UBND-TINH")]
    pub parent: Option<String>,
    #[schema(max_length = 20)]
    pub gso_code: Option<String>,
    #[schema(max_length = 40)]
    pub qcvn102_code: Option<String>,
    #[schema(max_length = 40)]
    pub eid_code: Option<String>,
    pub valid_from: Option<NaiveDate>,
    /// First day on which it is no longer active.
    pub valid_to: Option<NaiveDate>,
    #[serde(default)]
    pub successors: Vec<String>,
    #[schema(max_length = 64)]
    pub dossier_source: Option<String>,
}

impl Check for NewAgency {
    fn check(&self, faults: &mut Violations) {
        faults.code("/code", &self.code);
        faults.name("/name", self.name.trim(), 1, 300);
        for (pointer, text, max) in [
            ("/name_en", &self.name_en, 300),
            ("/gso_code", &self.gso_code, 20),
            ("/qcvn102_code", &self.qcvn102_code, 40),
            ("/eid_code", &self.eid_code, 40),
        ] {
            if let Some(text) = text {
                faults.name(pointer, text.trim(), 1, max);
            }
        }
        if let Some(source) = &self.dossier_source {
            faults.code("/dossier_source", source);
        }
        for (pointer, day) in [("/valid_from", self.valid_from), ("/valid_to", self.valid_to)] {
            faults.day(pointer, day);
        }
        if !(Validity { from: self.valid_from, until: self.valid_to }).is_possible() {
            faults.add(
                ProblemCode::InvalidRange,
                "/valid_to",
                Msg::fixed(
                    "Ngày hết hiệu lực (valid_to) phải sau ngày bắt đầu hiệu lực (valid_from).",
                    "`valid_to` must be after `valid_from`.",
                ),
            );
        }
    }
}

/// Changes to an agency. Absent fields are left unchanged; null clears a field.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgencyPatch {
    #[schema(min_length = 1, max_length = 300, nullable = false)]
    pub name: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 300)]
    pub name_en: Patch<String>,
    pub kind: Option<AgencyKind>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub parent: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 20)]
    pub gso_code: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 40)]
    pub qcvn102_code: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 40)]
    pub eid_code: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<NaiveDate>)]
    pub valid_from: Patch<NaiveDate>,
    #[serde(default)]
    #[schema(value_type = Option<NaiveDate>)]
    pub valid_to: Patch<NaiveDate>,
    pub successors: Option<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 64)]
    pub dossier_source: Patch<String>,
}

impl Check for AgencyPatch {
    /// The rules are those of a whole agency: checked when the patch has been applied.
    fn check(&self, _: &mut Violations) {}
}

impl AgencyPatch {
    pub fn apply(self, row: &AgencyRow) -> Result<NewAgency, Problem> {
        let stored =
            AgencyKind::parse(&row.kind).ok_or_else(|| Problem::internal("unknown kind in the database"))?;
        let whole = NewAgency {
            code: row.code.clone(),
            name: self.name.unwrap_or_else(|| row.name.clone()),
            name_en: self.name_en.optional(row.name_en.clone()),
            kind: self.kind.unwrap_or(stored),
            parent: self.parent.optional(row.parent.clone()),
            gso_code: self.gso_code.optional(row.gso_code.clone()),
            qcvn102_code: self.qcvn102_code.optional(row.qcvn102_code.clone()),
            eid_code: self.eid_code.optional(row.eid_code.clone()),
            valid_from: self.valid_from.optional(row.valid_from),
            valid_to: self.valid_to.optional(row.valid_to),
            successors: self.successors.unwrap_or_else(|| row.successors.clone()),
            dossier_source: self.dossier_source.optional(row.dossier_source.clone()),
        };
        let mut faults = Violations::default();
        whole.check(&mut faults);
        faults.into_result().map(|()| whole)
    }
}

/// A group of agencies that plans name.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgencyGroup {
    #[schema(example = "CQNN")]
    pub code: String,
    pub name: String,
    /// Every active agency of these kinds is a member.
    pub kinds: Vec<String>,
    /// Codes of the members on `active_on`.
    pub members: Vec<String>,
}

impl From<GroupRow> for AgencyGroup {
    fn from(row: GroupRow) -> Self {
        Self { code: row.code, name: row.name, kinds: row.kinds, members: row.members }
    }
}

impl CsvRow for AgencyGroup {
    const COLUMNS: &'static [&'static str] = &["code", "name", "kinds", "members"];
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GroupFilter {
    /// Date of the members. Default: today.
    #[serde(default, deserialize_with = "crate::http::dates::day")]
    pub active_on: Option<NaiveDate>,
}
