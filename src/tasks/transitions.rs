//! What the coordinating department decides about tasks.

use actix_web::{get, post};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::decision::Decision;
use super::model::progress::{self, LeadRow, TransitionRow};
use super::model::{self, TaskRow};
use super::rules::TransitionAction;
use super::wire::{Task, Viewer};
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::{ReadTaskUpdates, ReviewTasks};
use crate::db::keyset::Order;
use crate::http::csv::CsvRow;
use crate::http::{
    Check, ListParams, ListQuery, Msg, Page, PathOf, Problem, ProblemCode, Reply, ValidJson, Violations,
};
use crate::ids::TaskCode;

/// A decision about a task. Immutable.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskTransition {
    pub id: Uuid,
    /// Code of the task.
    #[schema(example = "T05")]
    pub task: String,
    /// Code of the lead; null for the whole task or all its leads.
    pub agency: Option<String>,
    #[schema(value_type = TransitionAction)]
    pub action: String,
    pub reason: Option<String>,
    /// The new deadline of an extension.
    pub due_date: Option<NaiveDate>,
    /// `user:<username>` or `system`.
    #[schema(example = "user:coordinator")]
    pub actor: String,
    pub at: DateTime<Utc>,
}

impl TaskTransition {
    fn of(task: &str, row: TransitionRow) -> Self {
        Self {
            id: row.id,
            task: task.to_owned(),
            agency: row.agency,
            action: row.action,
            reason: row.reason,
            due_date: row.due_date,
            actor: row.actor,
            at: row.at,
        }
    }
}

impl CsvRow for TaskTransition {
    const COLUMNS: &'static [&'static str] =
        &["id", "task", "agency", "action", "reason", "due_date", "actor", "at"];
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TransitionFilter {}

/// List decisions about a task
///
/// Officers see decisions about the whole task and about agencies in their scope. Newest first; `sort=at` lists the oldest first.
#[utoipa::path(
    tag = "plans",
    params(("code" = TaskCode, Path), ListParams),
    responses((status = 200, description = "A page of decisions", content((Page<TaskTransition> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["task_updates:read"]))
)]
#[get("/tasks/{code}/transitions")]
pub async fn list_transitions(
    access: Access<ReadTaskUpdates>,
    code: PathOf<TaskCode>,
    list: ListQuery<TransitionFilter>,
) -> Result<Reply, Problem> {
    let newest = Order { key: progress::DECIDED, descending: true };
    let order = list.order(&[progress::DECIDED], &[newest], newest)?;
    let (scope, window, task) = (access.scope(), list.window(&order)?, code.0.0.clone());
    let slice = access
        .read(async move |conn| {
            if !model::exists(conn, &task).await? {
                return Err(Problem::not_found());
            }
            Ok(progress::transitions(conn, &scope, task, &order, window).await?)
        })
        .await?;
    let page = list.page(slice, |row| TaskTransition::of(&code.0.0, row));
    Reply::page(&access.conditions, list.format, &page)
}

/// A decision about a task, or about one lead of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTaskTransition {
    pub(super) action: TransitionAction,
    /// Code of one lead agency. Without it, `confirm` confirms every lead that reported 100%; `cancel` and `extend` apply to the
    /// whole task; `reopen` reverts the cancellation of the task or, if it is not cancelled, all confirmations and cancellations of
    /// leads.
    #[schema(example = "SO-YT")]
    pub(super) agency: Option<String>,
    /// Reason; required for `reopen`, `cancel` and `extend`.
    #[schema(max_length = 2000)]
    reason: Option<String>,
    /// New deadline, later than the current one. Required for `extend`, not allowed otherwise.
    pub(super) due_date: Option<NaiveDate>,
}

impl NewTaskTransition {
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

impl Check for NewTaskTransition {
    fn check(&self, faults: &mut Violations) {
        if self.action.needs_reason() && self.reason().is_none() {
            faults.add(ProblemCode::ReasonRequired, "/reason", ProblemCode::ReasonRequired.title());
        }
        if let Some(reason) = &self.reason {
            faults.length("/reason", reason, 0, 2000);
        }
        faults.day("/due_date", self.due_date);
        match (self.action, self.due_date) {
            (TransitionAction::Extend, None) => {
                let detail = Msg::fixed(
                    "Gia hạn phải có thời hạn mới (due_date).",
                    "`extend` requires a new `due_date`.",
                );
                faults.add(ProblemCode::Required, "/due_date", detail);
            }
            (TransitionAction::Extend, Some(_)) | (_, None) => {}
            (_, Some(_)) => {
                let detail = Msg::fixed(
                    "Chỉ khai báo thời hạn mới (due_date) khi gia hạn.",
                    "`due_date` is allowed with `extend` only.",
                );
                faults.add(ProblemCode::InvalidValue, "/due_date", detail);
            }
        }
    }
}

/// The updated task and its new decision.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecidedTask {
    #[serde(flatten)]
    task: Task,
    /// Id of the decision in the task's history.
    transition: Uuid,
}

/// Decide about a task
///
/// Returns the updated task and the id of the decision. Each decision increases the task's `version`.
#[utoipa::path(
    tag = "plans",
    params(("code" = TaskCode, Path)),
    request_body = NewTaskTransition,
    responses((status = 201, description = "The updated task", body = DecidedTask, headers(("Location" = String, description = "URL of the task's decisions")))),
    extensions(("x-if-match" = json!("optional"))),
    security(("bearer" = ["tasks:review"]))
)]
#[post("/tasks/{code}/transitions")]
pub async fn decide_task(
    access: Access<ReviewTasks>,
    code: PathOf<TaskCode>,
    body: ValidJson<NewTaskTransition>,
) -> Result<Reply, Problem> {
    let (actor, viewer, code) = (access.actor(), Viewer::of(&access), code.0.0);
    let conditions = access.conditions.clone();
    access
        .post(&body.digest, async move |conn| {
            let before = model::lock(conn, &code).await?.ok_or_else(Problem::not_found)?;
            conditions.match_if_given(before.version)?;
            let leads = progress::leads(conn, vec![code.clone()]).await?;
            let decision = Decision::of(&body.value, &before, &leads, &actor)?;
            let after = decision.store(conn, &before, &leads, &actor).await?;
            let now = progress::leads(conn, vec![code.clone()]).await?;
            let event = Event::update("task", &code, &state(&before, &leads), &state(&after, &now));
            audit::record(conn, &actor, event.named(body.value.action.as_str())).await?;
            let task = Task::new(after, now, &viewer);
            let (tag, location) = (task.tag()?, format!("/api/v1/tasks/{code}/transitions"));
            let decided = DecidedTask { task, transition: decision.row.id };
            Ok(Reply::created(location, &decided)?.tagged(&tag))
        })
        .await
}

/// For the audit: the task, and its leads of whom there is something to say.
#[derive(Serialize)]
struct State<'a> {
    #[serde(flatten)]
    task: &'a TaskRow,
    progress: Vec<&'a LeadRow>,
}

fn state<'a>(task: &'a TaskRow, leads: &'a [LeadRow]) -> State<'a> {
    let touched = |lead: &&LeadRow| {
        lead.reported_at.is_some()
            || lead.cancelled_at.is_some()
            || lead.due_date.is_some()
            || lead.was_overdue
    };
    State { task, progress: leads.iter().filter(touched).collect() }
}
