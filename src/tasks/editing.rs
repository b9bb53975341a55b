//! Creating and changing tasks.

use std::collections::HashSet;

use actix_web::{patch, post};
use chrono::NaiveDate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::decision::keep_overdue;
use super::model::progress;
use super::model::{self, PartyRole, PartyType, References, TaskRow, TaskWrite};
use super::quarter::Quarter;
use super::wire::{Task, Viewer};
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::WriteTasks;
use crate::db::Conn;
use crate::http::{Check, Msg, Patch, PathOf, Problem, ProblemCode, Reply, ValidJson, Violations};
use crate::ids::TaskCode;

/// Parties of a role, and indicators, of one task.
const MOST_ENTRIES: usize = 100;

/// A lead or coordinator: an agency, or a group that stands for its members at the task's dates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TaskPartyRef)]
pub struct PartyRef {
    r#type: PartyType,
    /// Code of the agency or group.
    #[schema(example = "CQNN")]
    code: String,
}

/// A new task.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// Unique among the tasks of all plans.
    #[schema(example = "T31", pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$", min_length = 1, max_length = 64)]
    code: String,
    /// Code of its plan.
    #[schema(example = "KH-332-2017")]
    plan: String,
    /// Section of the plan's annex.
    #[schema(example = "III.1", min_length = 1, max_length = 40)]
    section: String,
    #[schema(min_length = 1, max_length = 2000)]
    title: String,
    #[schema(min_items = 1, max_items = 100)]
    leads: Vec<PartyRef>,
    #[serde(default)]
    #[schema(max_items = 100)]
    coordinators: Vec<PartyRef>,
    /// Codes of indicators.
    #[serde(default)]
    #[schema(max_items = 100)]
    indicators: Vec<String>,
    /// First quarter; set together with `to_quarter`. A task requires a range of quarters or a `due_date`.
    from_quarter: Option<Quarter>,
    to_quarter: Option<Quarter>,
    due_date: Option<NaiveDate>,
    /// Source of the statement, such as a section of the plan.
    #[schema(max_length = 1000)]
    source: Option<String>,
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

    /// Finds what the codes refer to.
    async fn resolve(self, conn: &mut Conn) -> Result<TaskWrite, Problem> {
        let parties = || self.leads.iter().chain(&self.coordinators);
        let named =
            |of: PartyType| parties().filter(|party| party.r#type == of).map(|p| p.code.clone()).collect();
        let references = References {
            plans: vec![self.plan.clone()],
            agencies: named(PartyType::Agency),
            groups: named(PartyType::Group),
            indicators: self.indicators.clone(),
        };
        let known = model::known(conn, references).await?;
        let mut faults = Violations::default();
        let mut look = |kind: &str, code: &str, pointer: String| {
            if !known.contains(&(kind.to_owned(), code.to_owned())) {
                let (kind_vi, kind_en) = kind_names(kind);
                let detail =
                    msg!("Không tìm thấy {kind_vi} có mã `{code}`.", "{kind_en} `{code}` does not exist.");
                faults.add(ProblemCode::UnknownReference, pointer, detail);
            }
        };
        look("plan", &self.plan, "/plan".into());
        for (member, list) in [("leads", &self.leads), ("coordinators", &self.coordinators)] {
            for (i, party) in list.iter().enumerate() {
                look(party.r#type.as_str(), &party.code, format!("/{member}/{i}/code"));
            }
        }
        for (i, indicator) in self.indicators.iter().enumerate() {
            look("indicator", indicator, format!("/indicators/{i}"));
        }
        faults.into_result().map(|()| self.write())
    }

    fn write(self) -> TaskWrite {
        let of = |role, list: Vec<PartyRef>| list.into_iter().map(move |p| (role, p.r#type, p.code));
        let coordinators = of(PartyRole::Coordinator, self.coordinators);
        TaskWrite {
            code: self.code,
            plan: self.plan,
            section: self.section.trim().to_owned(),
            title: self.title.trim().to_owned(),
            range_from: self.from_quarter.map(Quarter::first_day),
            range_to: self.to_quarter.map(Quarter::last_day),
            due_date: self.due_date,
            source: self.source.map(|text| text.trim().to_owned()),
            parties: of(PartyRole::Lead, self.leads).chain(coordinators).collect(),
            indicators: self.indicators,
        }
    }
}

fn kind_names(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "plan" => ("kế hoạch", "Plan"),
        "group" => ("nhóm cơ quan", "Group"),
        "indicator" => ("chỉ tiêu", "Indicator"),
        _ => ("cơ quan", "Agency"),
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

/// Create a task
#[utoipa::path(
    tag = "plans",
    request_body = NewTask,
    responses((status = 201, description = "Created", body = Task, headers(("Location" = String, description = "URL of the new resource")))),
    security(("bearer" = ["tasks:write"]))
)]
#[post("/tasks")]
pub async fn create_task(access: Access<WriteTasks>, body: ValidJson<NewTask>) -> Result<Reply, Problem> {
    let (actor, viewer, new) = (access.actor(), Viewer::of(&access), body.value);
    access
        .post(&body.digest, async move |conn| {
            let code = new.code.clone();
            let write = new.resolve(conn).await?;
            if !model::insert(conn, write, &actor).await? {
                let detail = msg!("Mã nhiệm vụ `{code}` đã được sử dụng.", "Task `{code}` already exists.");
                return Err(Problem::at(ProblemCode::AlreadyExists, "/code", detail));
            }
            let row = model::find(conn, &code).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::create("task", &code, &row)).await?;
            let leads = progress::leads(conn, vec![code.clone()]).await?;
            let task = Task::new(row, leads, &viewer);
            Ok(Reply::created(format!("/api/v1/tasks/{code}"), &task)?.tagged(&task.tag()?))
        })
        .await
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
    fn apply(self, row: &TaskRow) -> Result<NewTask, Problem> {
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

/// Change a task
#[utoipa::path(
    tag = "plans",
    params(("code" = TaskCode, Path)),
    request_body = TaskPatch,
    responses((status = 200, description = "The updated task", body = Task)),
    extensions(("x-if-match" = json!("required"))),
    security(("bearer" = ["tasks:write"]))
)]
#[patch("/tasks/{code}")]
pub async fn update_task(
    access: Access<WriteTasks>,
    code: PathOf<TaskCode>,
    body: ValidJson<TaskPatch>,
) -> Result<Reply, Problem> {
    let (actor, viewer, code) = (access.actor(), Viewer::of(&access), code.0.0);
    let conditions = access.conditions.clone();
    access
        .transaction(async move |conn| {
            let before = model::lock(conn, &code).await?.ok_or_else(Problem::not_found)?;
            conditions.require_match(before.version)?;
            let write = body.value.apply(&before)?.resolve(conn).await?;
            let leads = progress::leads(conn, vec![code.clone()]).await?;
            model::update(conn, write, &actor).await?;
            let after = model::find(conn, &code).await?.ok_or_else(Problem::not_found)?;
            keep_overdue(conn, &before, &after, &leads, &actor).await?;
            audit::record(conn, &actor, Event::update("task", &code, &before, &after)).await?;
            let task = Task::new(after, progress::leads(conn, vec![code]).await?, &viewer);
            Ok(Reply::ok(&task)?.tagged(&task.tag()?))
        })
        .await
}
