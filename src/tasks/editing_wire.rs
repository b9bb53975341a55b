//! New tasks and changes to tasks on the wire, and what is wrong with them by themselves.

use std::collections::HashSet;

use chrono::NaiveDate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::model::{PartyRole, PartyType, TaskRow};
use super::quarter::Quarter;
use crate::http::{Check, Msg, Patch, Problem, ProblemCode, Violations};

/// Parties of a role, and indicators, of one task.
const MOST_ENTRIES: usize = 100;

/// A lead or coordinator: an agency, or a group that stands for its members at the task's dates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TaskPartyRef)]
pub struct PartyRef {
    pub r#type: PartyType,
    /// Code of the agency or group.
    #[schema(example = "CQNN")]
    pub code: String,
}

/// A new task.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// Unique among the tasks of all plans.
    #[schema(example = "T31", pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$", min_length = 1, max_length = 64)]
    pub code: String,
    /// Code of its plan.
    #[schema(example = "KH-332-2017")]
    pub plan: String,
    /// Section of the plan's annex.
    #[schema(example = "III.1", min_length = 1, max_length = 40)]
    pub section: String,
    #[schema(min_length = 1, max_length = 2000)]
    pub title: String,
    #[schema(min_items = 1, max_items = 100)]
    pub leads: Vec<PartyRef>,
    #[serde(default)]
    #[schema(max_items = 100)]
    pub coordinators: Vec<PartyRef>,
    /// Codes of indicators.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub indicators: Vec<String>,
    /// First quarter; set together with `to_quarter`. A task requires a range of quarters or a `due_date`.
    pub from_quarter: Option<Quarter>,
    pub to_quarter: Option<Quarter>,
    pub due_date: Option<NaiveDate>,
    /// Source of the statement, such as a section of the plan.
    #[schema(max_length = 1000)]
    pub source: Option<String>,
}

impl Check for NewTask {
    fn check(&self, faults: &mut Violations) {
        faults.code("/code", &self.code);
        faults.name("/section", self.section.trim(), 1, 40);
        faults.name("/title", self.title.trim(), 1, 2000);
        if self.leads.is_empty() {
            let detail =
                Msg::fixed("Nhiệm vụ phải có ít nhất một cơ quan chủ trì.", "Specify at least one lead.");
            faults.add(ProblemCode::Required, "/leads", detail);
        }
        distinct(faults, "/leads", &self.leads);
        distinct(faults, "/coordinators", &self.coordinators);
        distinct(faults, "/indicators", &self.indicators);
        if let Some(source) = &self.source {
            faults.name("/source", source.trim(), 1, 1000);
        }
        faults.day("/due_date", self.due_date);
        self.check_dates(faults);
    }
}

impl NewTask {
    fn check_dates(&self, faults: &mut Violations) {
        let both = Msg::fixed(
            "Phải khai báo cả quý bắt đầu và quý kết thúc.",
            "Set both `from_quarter` and `to_quarter`.",
        );
        match (self.from_quarter, self.to_quarter) {
            (Some(from), Some(to)) if from.first_day() > to.last_day() => {
                let detail = Msg::fixed(
                    "Quý kết thúc không được trước quý bắt đầu.",
                    "`to_quarter` must not be before `from_quarter`.",
                );
                faults.add(ProblemCode::InvalidRange, "/to_quarter", detail);
            }
            (Some(_), None) => faults.add(ProblemCode::Required, "/to_quarter", both),
            (None, Some(_)) => faults.add(ProblemCode::Required, "/from_quarter", both),
            (None, None) if self.due_date.is_none() => {
                let detail = Msg::fixed(
                    "Phải khai báo quý thực hiện (từ quý – đến quý) hoặc thời hạn hoàn thành (due_date).",
                    "Set a range of quarters or a `due_date`.",
                );
                faults.add(ProblemCode::Required, "/due_date", detail);
            }
            _ => {}
        }
        if let (Some(from), Some(due)) = (self.from_quarter, self.due_date)
            && due < from.first_day()
        {
            let detail = Msg::fixed(
                "Thời hạn hoàn thành không được trước thời điểm bắt đầu.",
                "`due_date` must not be before the start.",
            );
            faults.add(ProblemCode::InvalidRange, "/due_date", detail);
        }
    }
}

/// No entry occurs twice, and there are not too many.
fn distinct<T: Eq + std::hash::Hash>(faults: &mut Violations, pointer: &str, entries: &[T]) {
    if entries.len() > MOST_ENTRIES {
        let most = MOST_ENTRIES;
        faults.add(
            ProblemCode::InvalidLength,
            pointer,
            msg!("Chỉ được khai báo tối đa {most} mục.", "At most {most} entries are allowed."),
        );
    }
    let mut seen = HashSet::new();
    for (i, entry) in entries.iter().enumerate() {
        if !seen.insert(entry) {
            faults.add(
                ProblemCode::DuplicateEntry,
                format!("{pointer}/{i}"),
                ProblemCode::DuplicateEntry.title(),
            );
        }
    }
}

/// Changes to a task. Absent fields are left unchanged; null clears a field.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskPatch {
    #[schema(min_length = 1, max_length = 40, nullable = false)]
    section: Option<String>,
    #[schema(min_length = 1, max_length = 2000, nullable = false)]
    title: Option<String>,
    /// Lead agencies and groups. Progress of removed leads is kept and shown again if they are added again.
    #[schema(min_items = 1, max_items = 100, nullable = false)]
    leads: Option<Vec<PartyRef>>,
    #[schema(max_items = 100, nullable = false)]
    coordinators: Option<Vec<PartyRef>>,
    #[schema(max_items = 100, nullable = false)]
    indicators: Option<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<Quarter>)]
    from_quarter: Patch<Quarter>,
    #[serde(default)]
    #[schema(value_type = Option<Quarter>)]
    to_quarter: Patch<Quarter>,
    /// Due date. Leads that were overdue keep `was_overdue` when their deadline changes.
    #[serde(default)]
    #[schema(value_type = Option<NaiveDate>)]
    due_date: Patch<NaiveDate>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    source: Patch<String>,
}

impl Check for TaskPatch {
    /// The other rules are those of a whole task: checked when the patch has been applied.
    fn check(&self, faults: &mut Violations) {
        if let Patch::Value(day) = self.due_date {
            faults.day("/due_date", day);
        }
    }
}

impl TaskPatch {
    pub fn apply(self, row: &TaskRow) -> Result<NewTask, Problem> {
        let stored = |role: PartyRole| {
            let of_role = row.parties.0.iter().filter(move |party| party.role == role);
            of_role.map(|party| PartyRef { r#type: party.r#type, code: party.code.clone() }).collect()
        };
        let whole = NewTask {
            code: row.code.clone(),
            plan: row.plan_code.clone(),
            section: self.section.unwrap_or_else(|| row.section.clone()),
            title: self.title.unwrap_or_else(|| row.title.clone()),
            leads: self.leads.unwrap_or_else(|| stored(PartyRole::Lead)),
            coordinators: self.coordinators.unwrap_or_else(|| stored(PartyRole::Coordinator)),
            indicators: self.indicators.unwrap_or_else(|| row.indicators.clone()),
            from_quarter: self.from_quarter.optional(row.range_from.map(Quarter::of)),
            to_quarter: self.to_quarter.optional(row.range_to.map(Quarter::of)),
            due_date: self.due_date.optional(row.due_date),
            source: self.source.optional(row.source.clone()),
        };
        let mut faults = Violations::default();
        whole.check(&mut faults);
        faults.into_result().map(|()| whole)
    }
}
