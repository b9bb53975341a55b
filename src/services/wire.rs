//! Procedures and their levels on the wire.

use std::collections::HashSet;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::ServiceRow;
use super::rules::{self, ServiceStatus, ServiceTier};
use crate::http::csv::CsvRow;
use crate::http::{Check, EntityTag, Msg, Patch, Problem, ProblemCode, Violations};

/// Agencies that one procedure may have.
const MOST_AGENCIES: usize = 1_000;

/// An administrative procedure (thủ tục hành chính).
#[derive(Debug, Serialize, ToSchema)]
pub struct Service {
    #[schema(example = "1.011443")]
    pub code: String,
    #[schema(example = "Đăng ký thay đổi quyền sử dụng đất")]
    pub name: String,
    #[schema(example = "Đất đai")]
    pub field: String,
    #[schema(value_type = ServiceTier)]
    pub tier: String,
    /// Codes of the agencies that handle it.
    pub agencies: Vec<String>,
    #[schema(value_type = ServiceStatus)]
    pub status: String,
    /// Code of the original procedure; only with status `duplicate`.
    pub duplicate_of: Option<String>,
    /// True if dossiers and results can be sent by public post.
    pub postal: bool,
    /// True if all information about it is published.
    pub information_complete: bool,
    /// True if all forms can be downloaded.
    pub forms_complete: bool,
    /// Level today (decree 43/2011), 1 to 4; null if none.
    #[schema(minimum = 1, maximum = 4, example = 3)]
    pub level: Option<i16>,
    /// Day from which `level` applies.
    pub level_effective_from: Option<NaiveDate>,
    pub version: i32,
}

impl From<ServiceRow> for Service {
    fn from(row: ServiceRow) -> Self {
        Self {
            code: row.code,
            name: row.name,
            field: row.field,
            tier: row.tier,
            agencies: row.agencies,
            status: row.status,
            duplicate_of: row.duplicate_of,
            postal: row.postal,
            information_complete: row.information_complete,
            forms_complete: row.forms_complete,
            level: row.level,
            level_effective_from: row.level_effective_from,
            version: row.version,
        }
    }
}

impl CsvRow for Service {
    const COLUMNS: &'static [&'static str] = &[
        "code",
        "name",
        "field",
        "tier",
        "agencies",
        "status",
        "duplicate_of",
        "postal",
        "information_complete",
        "forms_complete",
        "level",
        "level_effective_from",
        "version",
    ];
}

/// A level entered ahead of its day changes the representation on that day, without a new version.
pub fn tag_of(row: &ServiceRow) -> EntityTag {
    let from = row.level_effective_from.map(|day| day.to_string()).unwrap_or_default();
    EntityTag::of_variant(row.version, &[&row.level.unwrap_or_default().to_string(), &from])
}

/// A new procedure.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewService {
    /// National or legacy code of the procedure; its key.
    #[schema(
        example = "1.011443",
        pattern = r"^([0-9]\.[0-9]{6}(\.[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.H[0-9]{2})?|T-[A-Z]{2,4}-[0-9]{4,8}(-TT)?)$"
    )]
    pub code: String,
    #[schema(example = "Đăng ký thay đổi quyền sử dụng đất", min_length = 1, max_length = 1000)]
    pub name: String,
    #[schema(example = "Đất đai", min_length = 1, max_length = 200)]
    pub field: String,
    pub tier: ServiceTier,
    /// Codes of the agencies that handle it.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub agencies: Vec<String>,
    #[serde(default)]
    #[schema(required = false)]
    pub status: ServiceStatus,
    /// Code of the original procedure. Required with status `duplicate`, not allowed otherwise.
    pub duplicate_of: Option<String>,
    #[serde(default)]
    pub postal: bool,
    #[serde(default)]
    pub information_complete: bool,
    #[serde(default)]
    pub forms_complete: bool,
}

impl NewService {
    /// Adds what is wrong, each pointer below `at`.
    pub fn check_at(&self, at: &str, faults: &mut Violations) {
        check_code(format!("{at}/code"), &self.code, faults);
        faults.name(&format!("{at}/name"), self.name.trim(), 1, 1_000);
        faults.name(&format!("{at}/field"), self.field.trim(), 1, 200);
        if self.agencies.len() > MOST_AGENCIES {
            let detail = msg!(
                "Chỉ được khai báo tối đa {MOST_AGENCIES} cơ quan.",
                "At most {MOST_AGENCIES} agencies are allowed."
            );
            faults.add(ProblemCode::InvalidLength, format!("{at}/agencies"), detail);
        }
        let mut seen = HashSet::new();
        for (i, agency) in self.agencies.iter().enumerate().take(MOST_AGENCIES) {
            if !seen.insert(agency) {
                let detail =
                    msg!("Cơ quan `{agency}` được khai báo nhiều lần.", "Duplicate agency `{agency}`.");
                faults.add(ProblemCode::DuplicateEntry, format!("{at}/agencies/{i}"), detail);
            }
        }
        self.check_original(format!("{at}/duplicate_of"), faults);
    }

    fn check_original(&self, pointer: String, faults: &mut Violations) {
        match (self.status, &self.duplicate_of) {
            (ServiceStatus::Duplicate, None) => {
                let detail = Msg::fixed(
                    "Thủ tục có trạng thái trùng (duplicate) phải ghi mã thủ tục gốc (duplicate_of).",
                    "Status `duplicate` requires `duplicate_of`.",
                );
                faults.add(ProblemCode::Required, pointer, detail);
            }
            (ServiceStatus::Duplicate, Some(original)) if *original == self.code => {
                let detail = Msg::fixed(
                    "Mã thủ tục gốc không được là mã của chính thủ tục này.",
                    "A procedure cannot be a duplicate of itself.",
                );
                faults.add(ProblemCode::CyclicReference, pointer, detail);
            }
            (ServiceStatus::InForce | ServiceStatus::Abolished, Some(_)) => {
                let detail = Msg::fixed(
                    "Chỉ khai báo duplicate_of khi trạng thái là trùng (`duplicate`).",
                    "Allowed only with status `duplicate`.",
                );
                faults.add(ProblemCode::InvalidValue, pointer, detail);
            }
            _ => {}
        }
    }
}

impl Check for NewService {
    fn check(&self, faults: &mut Violations) {
        self.check_at("", faults);
    }
}

fn check_code(pointer: String, code: &str, faults: &mut Violations) {
    if !rules::is_service_code(code) {
        let detail = Msg::fixed(
            "Mã thủ tục hành chính phải theo mẫu 1.011443, 1.011443.000.00.00.H38 hoặc mã cũ T-LCA-123456, T-LCA-123456-TT.",
            "Procedure codes look like 1.011443 or 1.011443.000.00.00.H38; legacy codes like T-LCA-123456 or T-LCA-123456-TT.",
        );
        faults.add(ProblemCode::InvalidCode, pointer, detail);
    }
}

/// Changes to a procedure. Absent fields are left unchanged; null clears a field.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServicePatch {
    #[schema(min_length = 1, max_length = 1000, nullable = false)]
    pub name: Option<String>,
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    pub field: Option<String>,
    pub tier: Option<ServiceTier>,
    #[schema(max_items = 1000)]
    pub agencies: Option<Vec<String>>,
    pub status: Option<ServiceStatus>,
    /// Day from which the new status applies. Default: today. Not in the future, and not before the latest change.
    pub status_effective_from: Option<NaiveDate>,
    /// Code of the original procedure. Cleared automatically when the status is no longer `duplicate`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub duplicate_of: Patch<String>,
    pub postal: Option<bool>,
    pub information_complete: Option<bool>,
    pub forms_complete: Option<bool>,
}

impl Check for ServicePatch {
    /// The rules are those of a whole procedure: checked when the patch has been applied.
    fn check(&self, faults: &mut Violations) {
        if let Some(day) = self.status_effective_from {
            faults.day("/status_effective_from", day);
            if self.status.is_none() {
                let detail = Msg::fixed(
                    "Khai báo ngày có hiệu lực (status_effective_from) thì phải khai báo trạng thái (status).",
                    "`status_effective_from` requires `status`.",
                );
                faults.add(ProblemCode::Required, "/status", detail);
            }
        }
    }
}

impl ServicePatch {
    pub fn apply(self, row: &ServiceRow) -> Result<NewService, Problem> {
        let unknown = || Problem::internal("unknown tier or status in the database");
        let tier = ServiceTier::parse(&row.tier).ok_or_else(unknown)?;
        let status = self.status.map_or_else(|| ServiceStatus::parse(&row.status).ok_or_else(unknown), Ok)?;
        let original = row.duplicate_of.clone().filter(|_| status == ServiceStatus::Duplicate);
        Ok(NewService {
            code: row.code.clone(),
            name: self.name.unwrap_or_else(|| row.name.clone()),
            field: self.field.unwrap_or_else(|| row.field.clone()),
            tier: self.tier.unwrap_or(tier),
            agencies: self.agencies.unwrap_or_else(|| row.agencies.clone()),
            status,
            duplicate_of: self.duplicate_of.optional(original),
            postal: self.postal.unwrap_or(row.postal),
            information_complete: self.information_complete.unwrap_or(row.information_complete),
            forms_complete: self.forms_complete.unwrap_or(row.forms_complete),
        })
    }
}
