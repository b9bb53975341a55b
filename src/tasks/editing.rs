//! Creating and changing tasks.

use actix_web::{patch, post};

use super::decision::keep_overdue;
use super::editing_wire::{NewTask, PartyRef, TaskPatch};
use super::model::progress;
use super::model::{self, PartyRole, PartyType, References, TaskWrite};
use super::quarter::Quarter;
use super::wire::{Task, Viewer};
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::WriteTasks;
use crate::db::Conn;
use crate::http::{PathOf, Problem, ProblemCode, Reply, ValidJson, Violations};
use crate::ids::TaskCode;

impl NewTask {
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
