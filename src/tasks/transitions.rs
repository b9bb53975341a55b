//! What the coordinating department decides about tasks.

use actix_web::{get, post};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::editing::{keep_overdue, plausible};
use super::model::progress::{self, LeadChange, LeadRow, TaskChange, TransitionRow};
use super::model::{self, TaskRow};
use super::rules::{self, Lead, Reach, TransitionAction};
use super::updates::not_a_lead;
use super::wire::{Task, Viewer, overdue, terms};
use crate::audit::{self, Event};
use crate::auth::permission::{ReadTasks, ReviewTasks};
use crate::auth::{Access, Actor};
use crate::db::Conn;
use crate::db::list::Order;
use crate::http::csv::CsvRow;
use crate::http::{
    Check, Code, ListParams, Listing, Msg, Page, PathOf, Problem, Reply, ValidJson, Violations,
};
use crate::ids::{AgencyId, TaskCode};

/// One decision about a task; never changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct TaskTransition {
    pub id: Uuid,
    /// Code of the task.
    #[schema(example = "T05")]
    pub task: String,
    /// Code of the lead it is about; null: the task, or all its leads.
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
/// For an officer, those about the whole task or agencies in their scope. Newest first; `sort=at` for oldest first.
#[utoipa::path(
    tag = "plans",
    params(("code" = TaskCode, Path), ListParams),
    responses((status = 200, description = "A page of decisions", content((Page<TaskTransition> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["tasks:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/tasks/{code}/transitions")]
pub async fn list_transitions(
    access: Access<ReadTasks>,
    code: PathOf<TaskCode>,
    list: Listing<TransitionFilter>,
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
    action: TransitionAction,
    /// Code of one lead. Without it: `confirm` confirms every lead that reported 100 %; `cancel` and `extend` are about the
    /// whole task; `reopen` undoes the task's cancellation, or else all confirmations and cancellations of leads.
    #[schema(example = "SO-YT")]
    agency: Option<String>,
    /// Needed to reopen, cancel and extend.
    #[schema(max_length = 2000)]
    reason: Option<String>,
    /// Needed to extend, and only then: later than the present deadline.
    due_date: Option<NaiveDate>,
}

impl NewTaskTransition {
    fn reason(&self) -> Option<String> {
        self.reason.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

impl Check for NewTaskTransition {
    fn check(&self, faults: &mut Violations) {
        if self.action.needs_reason() && self.reason().is_none() {
            faults.add(Code::ReasonRequired, "/reason", Code::ReasonRequired.title());
        }
        if let Some(reason) = &self.reason {
            faults.length("/reason", reason, 0, 2000);
        }
        plausible(faults, "/due_date", self.due_date);
        match (self.action, self.due_date) {
            (TransitionAction::Extend, None) => {
                let detail = Msg::fixed("Cần hạn mới.", "The new deadline is needed.");
                faults.add(Code::Required, "/due_date", detail);
            }
            (TransitionAction::Extend, Some(_)) | (_, None) => {}
            (_, Some(_)) => {
                let detail =
                    Msg::fixed("Chỉ gia hạn mới có hạn mới.", "Only an extension has a new deadline.");
                faults.add(Code::InvalidValue, "/due_date", detail);
            }
        }
    }
}

/// A task as it is after a decision.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecidedTask {
    #[serde(flatten)]
    task: Task,
    /// Id of the decision in the task's history.
    transition: Uuid,
}

/// Decide about a task
///
/// Answers the task as it is now, with the id of the decision. Each decision counts the task's version up.
#[utoipa::path(
    tag = "plans",
    params(("code" = TaskCode, Path)),
    request_body = NewTaskTransition,
    responses((status = 201, description = "The task as it is now", body = DecidedTask, headers(("Location" = String, description = "The task's decisions")))),
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

/// A decision that is allowed, with what it changes.
struct Decision {
    action: TransitionAction,
    row: TransitionRow,
    agency: Option<AgencyId>,
    reach: Reach,
}

impl Decision {
    fn of(new: &NewTaskTransition, task: &TaskRow, rows: &[LeadRow], actor: &Actor) -> Result<Self, Problem> {
        let terms = terms(task, actor.today());
        let leads: Vec<Lead> = rows.iter().map(Lead::from).collect();
        let only = match &new.agency {
            None => None,
            Some(agency) => {
                let place = rows.iter().position(|row| row.agency == *agency);
                Some(place.ok_or_else(|| not_a_lead(agency))?)
            }
        };
        let reach = rules::reach(new.action, &terms, &leads, only).ok_or_else(|| not_allowed(new.action))?;
        let present =
            only.and_then(|place| leads.get(place)).map_or(terms.deadline, |lead| lead.deadline(&terms));
        if new.due_date.is_some_and(|day| day <= present) {
            let detail = msg!("Hạn mới phải sau {present}.", "The new deadline must be after {present}.");
            return Err(Problem::at(Code::InvalidRange, "/due_date", detail));
        }
        let row = TransitionRow {
            id: Uuid::now_v7(),
            agency: new.agency.clone(),
            action: new.action.as_str().to_owned(),
            reason: new.reason(),
            due_date: new.due_date,
            actor: actor.name.clone(),
            at: actor.now,
        };
        let agency = only.and_then(|place| rows.get(place)).map(|row| row.agency_id);
        Ok(Self { action: new.action, row, agency, reach })
    }

    /// Answers the task as it is now.
    async fn store(
        &self,
        conn: &mut Conn,
        task: &TaskRow,
        leads: &[LeadRow],
        actor: &Actor,
    ) -> Result<TaskRow, Problem> {
        let change = match &self.reach {
            Reach::Task => self.of_task(),
            Reach::Leads(places) => {
                self.change_leads(conn, task, leads, places, actor).await?;
                TaskChange::default()
            }
        };
        progress::decide(conn, &task.code, self.agency, &self.row, change).await?;
        let now = TaskRow {
            version: task.version + 1,
            due_date: change.due_date.or(task.due_date),
            deadline: change.due_date.unwrap_or(task.deadline),
            cancelled_at: match change.cancelled {
                Some(cancelled) => cancelled.then_some(actor.now),
                None => task.cancelled_at,
            },
            ..task.clone()
        };
        keep_overdue(conn, task, &now, leads, actor).await?;
        Ok(now)
    }

    fn of_task(&self) -> TaskChange {
        match self.action {
            TransitionAction::Cancel => TaskChange { cancelled: Some(true), due_date: None },
            TransitionAction::Reopen => TaskChange { cancelled: Some(false), due_date: None },
            TransitionAction::Extend => TaskChange { cancelled: None, due_date: self.row.due_date },
            TransitionAction::Confirm => TaskChange::default(),
        }
    }

    async fn change_leads(
        &self,
        conn: &mut Conn,
        task: &TaskRow,
        leads: &[LeadRow],
        places: &[usize],
        actor: &Actor,
    ) -> Result<(), Problem> {
        let terms = terms(task, actor.today());
        let reached: Vec<&LeadRow> = places.iter().filter_map(|place| leads.get(*place)).collect();
        let ids: Vec<AgencyId> = reached.iter().map(|lead| lead.agency_id).collect();
        let change = match (self.action, self.row.due_date) {
            (TransitionAction::Confirm, _) => {
                LeadChange::Confirm(reached.iter().map(|row| Lead::from(*row).deadline(&terms)).collect())
            }
            (TransitionAction::Reopen, _) => LeadChange::Reopen,
            (TransitionAction::Cancel, _) => LeadChange::Cancel,
            (TransitionAction::Extend, Some(day)) => {
                let late = |(agency, _): &(AgencyId, NaiveDate)| ids.contains(agency);
                LeadChange::Extend { due_date: day, overdue: overdue(&terms, leads).iter().any(late) }
            }
            (TransitionAction::Extend, None) => return Err(Problem::internal("an extension without a date")),
        };
        Ok(progress::change_leads(conn, &task.code, &ids, change, actor).await?)
    }
}

fn not_allowed(action: TransitionAction) -> Problem {
    let detail = match action {
        TransitionAction::Confirm => Msg::fixed(
            "Chỉ xác nhận khi đã báo cáo 100% và chưa được xác nhận hay hủy.",
            "Only what was reported at 100 %, and is not confirmed or cancelled yet, can be confirmed.",
        ),
        TransitionAction::Reopen => Msg::fixed(
            "Chỉ mở lại những gì đã xác nhận hoặc đã hủy.",
            "Only what is confirmed or cancelled can be reopened.",
        ),
        TransitionAction::Cancel | TransitionAction::Extend => {
            Msg::fixed("Nhiệm vụ đã được xác nhận hoặc đã hủy.", "It is confirmed or cancelled already.")
        }
    };
    Problem::with(Code::TransitionNotAllowed, detail)
}
