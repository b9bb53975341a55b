//! Progress reports on the wire, and what is wrong with them by themselves.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::progress::UpdateRow;
use super::rules::COMPLETE;
use crate::http::csv::CsvRow;
use crate::http::{Check, Msg, ProblemCode, Violations};
use crate::values::integer_of;

const MOST_EVIDENCE: usize = 20;
const LONGEST_URL: usize = 2000;

/// A progress report of a lead agency. Immutable.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskUpdate {
    pub id: Uuid,
    /// Code of the task.
    #[schema(example = "T05")]
    pub task: String,
    /// Code of the lead agency.
    #[schema(example = "SO-YT")]
    pub agency: String,
    #[schema(minimum = 0, maximum = 100)]
    pub percent: i16,
    pub narrative: String,
    /// Links to supporting documents.
    pub evidence: Vec<String>,
    /// Day of completion; null unless `percent` is 100.
    pub completed_on: Option<NaiveDate>,
    /// `user:<username>` or `system`.
    #[schema(example = "user:officer.so-yt")]
    pub actor: String,
    pub at: DateTime<Utc>,
}

impl TaskUpdate {
    pub fn of(task: &str, row: UpdateRow) -> Self {
        Self {
            id: row.id,
            task: task.to_owned(),
            agency: row.agency,
            percent: row.percent,
            narrative: row.narrative,
            evidence: row.evidence,
            completed_on: row.completed_on,
            actor: row.actor,
            at: row.at,
        }
    }
}

impl CsvRow for TaskUpdate {
    const COLUMNS: &'static [&'static str] =
        &["id", "task", "agency", "percent", "narrative", "evidence", "completed_on", "actor", "at"];
}

/// A progress report of a lead agency.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTaskUpdate {
    /// Code of the lead agency.
    #[schema(example = "SO-YT")]
    pub agency: String,
    /// Percent complete, a whole number from 0 to 100.
    #[schema(value_type = i16, minimum = 0, maximum = 100, example = 40)]
    pub percent: Value,
    #[serde(default)]
    #[schema(max_length = 4000)]
    pub narrative: String,
    /// Links (`http` or `https`) to supporting documents.
    #[serde(default)]
    #[schema(max_items = 20, example = json!(["https://laocai.gov.vn/van-ban/1"]))]
    pub evidence: Vec<String>,
    /// Day of completion; only if `percent` is 100. Default: today. Not in the future.
    pub completed_on: Option<NaiveDate>,
}

impl NewTaskUpdate {
    /// Zero where it is no number from 0 to 100, which [`Check`] has refused.
    pub fn percent(&self) -> i16 {
        integer_of(&self.percent).ok().and_then(|n| i16::try_from(n).ok()).unwrap_or_default()
    }
}

impl Check for NewTaskUpdate {
    fn check(&self, faults: &mut Violations) {
        match integer_of(&self.percent) {
            Ok(0..=100) => {}
            Ok(_) => {
                let detail = Msg::fixed(
                    "Tỷ lệ hoàn thành phải là số nguyên từ 0 đến 100.",
                    "`percent` must be between 0 and 100.",
                );
                faults.add(ProblemCode::NumberOutOfRange, "/percent", detail);
            }
            Err(fault) => {
                let code = ProblemCode::parse(fault.code()).unwrap_or(ProblemCode::NotANumber);
                faults.add(code, "/percent", code.of_whole_number());
            }
        }
        faults.length("/narrative", &self.narrative, 0, 4000);
        if self.evidence.len() > MOST_EVIDENCE {
            let most = MOST_EVIDENCE;
            faults.add(
                ProblemCode::InvalidLength,
                "/evidence",
                msg!(
                    "Chỉ được khai báo tối đa {most} đường dẫn minh chứng.",
                    "At most {most} links are allowed."
                ),
            );
        }
        for (i, url) in self.evidence.iter().enumerate() {
            check_url(faults, &format!("/evidence/{i}"), url);
        }
        faults.day("/completed_on", self.completed_on);
        if self.completed_on.is_some() && self.percent() != COMPLETE {
            let detail = Msg::fixed(
                "Chỉ khai báo ngày hoàn thành khi tỷ lệ hoàn thành là 100%.",
                "`completed_on` is allowed only when `percent` is 100.",
            );
            faults.add(ProblemCode::InvalidValue, "/completed_on", detail);
        }
    }
}

fn check_url(faults: &mut Violations, pointer: &str, url: &str) {
    if url.chars().count() > LONGEST_URL {
        return faults.length(pointer, url, 1, LONGEST_URL);
    }
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| url.get(..scheme.len()).filter(|s| s.eq_ignore_ascii_case(scheme)).map(str::len))
        .and_then(|scheme| url.get(scheme..));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '\\' | '`');
    if host.is_empty() || url.contains(odd) {
        let detail = Msg::fixed(
            "Đường dẫn minh chứng phải bắt đầu bằng http:// hoặc https://.",
            "Expected an `http` or `https` URL.",
        );
        faults.add(ProblemCode::InvalidValue, pointer, detail);
    }
}
