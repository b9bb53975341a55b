//! What lead agencies report.

use actix_web::{get, post};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::model::progress::{self, LeadRow, UpdateRow};
use super::model::{self, TaskRow};
use super::rules::{COMPLETE, Lead};
use super::update_wire::{NewTaskUpdate, TaskUpdate};
use super::wire::terms;
use crate::agencies::model as agencies;
use crate::audit::{self, Event};
use crate::auth::permission::{ReadTaskUpdates, ReportTasks};
use crate::auth::{Access, Actor, AgencyScope};
use crate::db::Conn;
use crate::db::keyset::Order;
use crate::http::query::AnyOf;
use crate::http::{ListParams, ListQuery, Msg, Page, PathOf, Problem, ProblemCode, Reply, ValidJson};
use crate::ids::TaskCode;
use crate::values::vietnamese;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UpdateFilter {
    /// Codes of agencies, comma-separated.
    #[param(value_type = Option<String>)]
    agency: Option<AnyOf<String>>,
}

/// List progress reports of a task
///
/// Lists the reports of agencies in your scope, newest first; `sort=at` lists the oldest first.
#[utoipa::path(
    tag = "plans",
    params(("code" = TaskCode, Path), UpdateFilter, ListParams),
    responses((status = 200, description = "A page of reports", content((Page<TaskUpdate> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["task_updates:read"]))
)]
#[get("/tasks/{code}/updates")]
pub async fn list_updates(
    access: Access<ReadTaskUpdates>,
    code: PathOf<TaskCode>,
    list: ListQuery<UpdateFilter>,
) -> Result<Reply, Problem> {
    let newest = Order { key: progress::UPDATED, descending: true };
    let order = list.order(&[progress::UPDATED], &[newest], newest)?;
    let (scope, window, task) = (access.scope(), list.window(&order)?, code.0.0.clone());
    let agencies = list.filter.agency.clone().map(|any| any.0);
    let slice = access
        .read(async move |conn| {
            if !model::exists(conn, &task).await? {
                return Err(Problem::not_found());
            }
            Ok(progress::updates(conn, &scope, task, agencies, &order, window).await?)
        })
        .await?;
    let page = list.page(slice, |row| TaskUpdate::of(&code.0.0, row));
    Reply::page(&access.conditions, list.format, &page)
}

/// Report progress of a lead agency
///
/// Officers report for agencies in their scope; the coordinating department can report for any lead. Not allowed while the lead
/// is confirmed or cancelled. A report of 100% must be confirmed.
#[utoipa::path(
    tag = "plans",
    params(("code" = TaskCode, Path)),
    request_body = NewTaskUpdate,
    responses((status = 201, description = "Created", body = TaskUpdate, headers(("Location" = String, description = "URL of the task's reports")))),
    security(("bearer" = ["tasks:report"]))
)]
#[post("/tasks/{code}/updates")]
pub async fn report_progress(
    access: Access<ReportTasks>,
    code: PathOf<TaskCode>,
    body: ValidJson<NewTaskUpdate>,
) -> Result<Reply, Problem> {
    let (actor, scope, code, new) = (access.actor(), access.scope(), code.0.0, body.value);
    access
        .post(&body.digest, async move |conn| {
            let task = model::lock(conn, &code).await?.ok_or_else(Problem::not_found)?;
            let before = lead_of(conn, &scope, &task, &new.agency).await?;
            may_report(&task, &before, &actor)?;
            let update = update_of(new, &actor)?;
            progress::report(conn, &code, before.agency_id, &update).await?;
            let after = LeadRow {
                percent: update.percent,
                completed_on: update.completed_on,
                reported_at: Some(actor.now),
                ..before.clone()
            };
            let event = Event::update("task", &code, &before, &after).named("report");
            audit::record(conn, &actor, event).await?;
            Reply::created(format!("/api/v1/tasks/{code}/updates"), &TaskUpdate::of(&code, update))
        })
        .await
}

/// The lead of the task with this code. An agency outside the caller's scope is not there.
async fn lead_of(
    conn: &mut Conn,
    scope: &AgencyScope,
    task: &TaskRow,
    agency: &str,
) -> Result<LeadRow, Problem> {
    let leads = progress::leads(conn, vec![task.code.clone()]).await?;
    if let Some(lead) = leads.into_iter().find(|lead| lead.agency == agency) {
        return if scope.contains(lead.agency_id) { Ok(lead) } else { Err(Problem::not_found()) };
    }
    match agencies::ids_of(conn, vec![agency.to_owned()]).await?.get(agency) {
        Some(id) if scope.contains(*id) => Err(not_a_lead(agency)),
        None if *scope == AgencyScope::All => {
            Err(Problem::at(ProblemCode::UnknownReference, "/agency", crate::agencies::unknown(&agency)))
        }
        _ => Err(Problem::not_found()),
    }
}

pub(super) fn not_a_lead(agency: &str) -> Problem {
    let detail = msg!(
        "Cơ quan `{agency}` không phải là cơ quan chủ trì nhiệm vụ này.",
        "Agency `{agency}` does not lead this task."
    );
    Problem::at(ProblemCode::NotALead, "/agency", detail)
}

fn may_report(task: &TaskRow, row: &LeadRow, actor: &Actor) -> Result<(), Problem> {
    let (terms, lead) = (terms(task, actor.today()), Lead::from(row));
    if !lead.is_open(&terms) {
        let detail = Msg::fixed(
            "Nhiệm vụ đã được xác nhận hoàn thành hoặc đã hủy; phải mở lại trước khi cập nhật tiến độ.",
            "Progress is already confirmed or cancelled. Reopen it first.",
        );
        return Err(Problem::with(ProblemCode::TransitionNotAllowed, detail));
    }
    if !lead.has_begun(actor.today()) {
        let detail = Msg::fixed(
            "Cơ quan chưa thành lập (chưa đến ngày bắt đầu hiệu lực).",
            "The agency does not exist yet.",
        );
        return Err(Problem::at(ProblemCode::AgencyNotActive, "/agency", detail));
    }
    Ok(())
}

fn update_of(new: NewTaskUpdate, actor: &Actor) -> Result<UpdateRow, Problem> {
    let (percent, today) = (new.percent(), actor.today());
    let completed_on = (percent == COMPLETE).then(|| new.completed_on.unwrap_or(today));
    if completed_on.is_some_and(|day| day > today) {
        let today_vi = vietnamese::day(today);
        let detail = msg!(
            "Ngày hoàn thành không được sau ngày hiện tại ({today_vi}).",
            "`completed_on` must not be after today ({today})."
        );
        return Err(Problem::at(ProblemCode::DateInFuture, "/completed_on", detail));
    }
    Ok(UpdateRow {
        id: Uuid::now_v7(),
        agency: new.agency,
        percent,
        narrative: new.narrative.trim().to_owned(),
        evidence: new.evidence,
        completed_on,
        actor: actor.name.clone(),
        at: actor.now,
    })
}
