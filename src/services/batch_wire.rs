//! A batch of procedures as clients send it, and what it did.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::rules::{ServiceStatus, ServiceTier};
use crate::http::upload::flat_row::FlatRow;
use crate::http::{Check, Problem, ProblemCode, Violations, json};

/// Rows of one batch.
pub const MOST_ROWS: usize = 10_000;

/// A procedure in a batch. Absent fields are left unchanged, or get their default in a new procedure.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceBatchRow {
    /// National or legacy code of the procedure; the key of the merge.
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
    #[schema(max_items = 1000)]
    pub agencies: Option<Vec<String>>,
    /// Status; a change applies from today.
    pub status: Option<ServiceStatus>,
    /// Code of the original procedure, in the batch or in the catalogue.
    pub duplicate_of: Option<String>,
    pub postal: Option<bool>,
    pub information_complete: Option<bool>,
    pub forms_complete: Option<bool>,
    /// Level, 1 to 4; set together with `effective_from` and `decision`.
    #[schema(minimum = 1, maximum = 4)]
    pub level: Option<i64>,
    /// First day of the level. Replaces a level that starts on the same day.
    pub effective_from: Option<NaiveDate>,
    /// Number of the decision that set the level.
    #[schema(min_length = 1, max_length = 200)]
    pub decision: Option<String>,
}

/// Rows of the catalogue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceBatch {
    #[serde(deserialize_with = "crate::http::json::at_most::<_, _, MOST_ROWS>")]
    #[schema(min_items = 1, max_items = 10000)]
    pub rows: Vec<ServiceBatchRow>,
}

impl Check for ServiceBatch {
    const MOST_BYTES: usize = 16 * 1024 * 1024;

    /// The rows themselves are checked with what the database knows, so that all errors are said at once.
    fn check(&self, faults: &mut Violations) {
        let n = self.rows.len();
        if n == 0 || n > MOST_ROWS {
            let detail = msg!(
                "Phải có từ 1 đến {MOST_ROWS} dòng; hiện có {n} dòng.",
                "Expected 1 to {MOST_ROWS} rows, got {n}."
            );
            faults.add(ProblemCode::InvalidLength, "/rows", detail);
        }
    }
}

/// Number of procedures by what the batch did to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServiceBatchCounts {
    #[schema(minimum = 0)]
    pub created: usize,
    /// Procedures with a changed field or level.
    #[schema(minimum = 0)]
    pub updated: usize,
    #[schema(minimum = 0)]
    pub unchanged: usize,
}

/// The effect of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceBatchResult {
    /// True if nothing was stored: the counts are what storing would do.
    pub dry_run: bool,
    pub counts: ServiceBatchCounts,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BatchParams {
    /// Validates and counts without storing.
    #[param(default = false)]
    pub dry_run: Option<bool>,
}

impl FlatRow for ServiceBatchRow {
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
        "effective_from",
        "decision",
    ];
    const REQUIRED: usize = 4;

    /// The object that the cells stand for is read as one sent as JSON is.
    fn of_cells(cells: &[Option<&str>]) -> Result<Self, Problem> {
        let member = |(name, cell): (&&str, &Option<&str>)| {
            let cell = (*cell)?;
            let value = match (*name, cell) {
                ("agencies", list) => list.split('|').map(|code| Value::from(code.trim())).collect(),
                ("postal" | "information_complete" | "forms_complete", "true" | "TRUE") => Value::Bool(true),
                ("postal" | "information_complete" | "forms_complete", "false" | "FALSE") => {
                    Value::Bool(false)
                }
                ("level", number) => number.parse::<i64>().map_or_else(|_| Value::from(number), Value::from),
                (_, text) => Value::from(text),
            };
            Some(((*name).to_owned(), value))
        };
        let object: Map<String, Value> = Self::COLUMNS.iter().zip(cells).filter_map(member).collect();
        json::parse(&serde_json::to_vec(&object).unwrap_or_default())
    }
}
