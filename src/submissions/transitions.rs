//! Steps of a submission over HTTP: submitting, withdrawing, reviewing, reopening.

use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::model::{self, SubmissionRow, TransitionRow};
use super::routes::{Submission, caller_of};
use super::rules::{Action, Caller, Refusal, Standing, State};
use super::warnings::warnings;
use super::{stored_values, texts};
use crate::audit::{self, Event};
use crate::auth::permission::{ReadSubmissions, WriteSubmissions};
use crate::auth::{Access, Actor};
use crate::db::Conn;
use crate::db::keyset::Order;
use crate::http::csv::CsvRow;
use crate::http::{
    Check, ListParams, ListQuery, Msg, Page, PathOf, Problem, ProblemCode, Reply, ValidJson, Violations,
};

/// Characters of a reason.
const MOST_REASON: usize = 2000;

/// One change of state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SubmissionTransition)]
pub struct Transition {
    pub id: Uuid,
    #[schema(value_type = Action)]
    pub action: String,
    #[schema(value_type = State)]
    pub from: String,
    #[schema(value_type = State)]
    pub to: String,
    /// Number of the revision it created or decided.
    pub revision: i32,
    pub reason: Option<String>,
    #[schema(example = "user:coordinator")]
    pub by: String,
    pub at: DateTime<Utc>,
}

impl From<TransitionRow> for Transition {
    fn from(row: TransitionRow) -> Self {
        Self {
            id: row.id,
            action: row.action,
            from: row.from_state,
            to: row.to_state,
            revision: row.revision,
            reason: row.reason,
            by: row.actor,
            at: row.at,
        }
    }
}

impl CsvRow for Transition {
    const COLUMNS: &'static [&'static str] =
        &["id", "action", "from", "to", "revision", "reason", "by", "at"];
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoFilter {}

/// List the transitions of a submission
///
/// Oldest first; `sort=-at` lists the latest first.
#[utoipa::path(
    tag = "submissions",
    operation_id = "list_submission_transitions",
    params(("id" = Uuid, Path), ListParams),
    responses((status = 200, description = "A page of transitions", content((Page<Transition> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["submissions:read"]))
)]
#[get("/submissions/{id}/transitions")]
pub async fn list_transitions(
    access: Access<ReadSubmissions>,
    id: PathOf<Uuid>,
    list: ListQuery<NoFilter>,
) -> Result<Reply, Problem> {
    let first = Order { key: model::TRANSITION, descending: false };
    let order = list.order(&[model::TRANSITION], &[first], first)?;
    let (scope, window) = (access.scope(), list.window(&order)?);
    let slice = access
        .read(async move |conn| {
            model::find(conn, &scope, id.0).await?.ok_or_else(Problem::not_found)?;
            Ok(model::transitions(conn, id.0, &order, window).await?)
        })
        .await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, Transition::from))
}

/// A transition.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSubmissionTransition)]
pub struct NewTransition {
    action: Action,
    /// Reason; required for `return` and `reopen`.
    #[schema(max_length = 2000)]
    reason: Option<String>,
}

impl Check for NewTransition {
    /// Whether a reason is needed is said after whether the step is possible at all.
    fn check(&self, faults: &mut Violations) {
        if let Some(reason) = &self.reason {
            faults.length("/reason", reason, 0, MOST_REASON);
        }
    }
}

impl NewTransition {
    fn reason(&self) -> Option<String> {
        self.reason.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

/// Change the state of a submission
///
/// `submit` stores the values as a new revision; every warning must have a `note`. `withdraw` is allowed for the side that
/// submitted. `return` (reason required) and `accept` are reserved for the coordinating department; the reviewer must not be the
/// submitter. `reopen` (reason required) starts a correction of an accepted submission; the accepted figures count until the next
/// revision is accepted.
///
/// In a closed month only `reopen` is allowed. The reopened submission goes through review again and becomes `locked` when
/// accepted.
#[utoipa::path(
    tag = "submissions",
    operation_id = "make_submission_transition",
    params(("id" = Uuid, Path)),
    request_body = NewTransition,
    responses((status = 200, description = "The updated submission", body = Submission)),
    extensions(("x-if-match" = json!("optional"))),
    security(("bearer" = ["submissions:write"]))
)]
#[post("/submissions/{id}/transitions")]
pub async fn make_transition(
    access: Access<WriteSubmissions>,
    id: PathOf<Uuid>,
    body: ValidJson<NewTransition>,
) -> Result<Reply, Problem> {
    let (actor, scope, caller, id) = (access.actor(), access.scope(), caller_of(&access), id.0);
    let (conditions, step) = (access.conditions.clone(), body.value);
    access
        .post(&body.digest, async move |conn| {
            let before = model::lock(conn, &scope, id).await?.ok_or_else(Problem::not_found)?;
            conditions.match_if_given(before.version)?;
            take(conn, &before, &step, &caller, &actor).await?;
            let after = model::find(conn, &scope, id).await?.ok_or_else(Problem::not_found)?;
            let event = Event::update("submission", id.to_string(), &before, &after);
            audit::record(conn, &actor, event.named(step.action.as_str())).await?;
            let submission = Submission::of(after, &caller);
            let tag = submission.tag();
            Ok(Reply::ok(&submission)?.tagged(&tag))
        })
        .await
}

/// Takes the step, if the rules let it.
async fn take(
    conn: &mut Conn,
    row: &SubmissionRow,
    step: &NewTransition,
    caller: &Caller,
    actor: &Actor,
) -> Result<(), Problem> {
    let standing = row.standing();
    let to = standing
        .attempt(step.action, caller)
        .map_err(|refusal| refused(refusal, step.action, &standing, caller))?;
    let reason = step.reason();
    if step.action.needs_reason() && reason.is_none() {
        return Err(Problem::at(ProblemCode::ReasonRequired, "/reason", ProblemCode::ReasonRequired.title()));
    }
    if step.action == Action::Submit {
        complete(conn, row).await?;
        return Ok(model::submit(conn, row, actor).await?);
    }
    Ok(model::settle(conn, row, step.action, to, reason, actor).await?)
}

/// There is something to submit, and whatever looks unusual is explained.
async fn complete(conn: &mut Conn, row: &SubmissionRow) -> Result<(), Problem> {
    let set = stored_values::compared(conn, row.id, row.agency_id, row.month()).await?;
    if set.is_empty() {
        return Err(Problem::new(ProblemCode::EmptySubmission));
    }
    let mut faults = Violations::default();
    for warning in warnings(set.iter().map(|(figure, earlier)| (figure, earlier.as_ref()))) {
        if !warning.explained {
            let pointer = format!("/values/{}/note", warning.index);
            let extra = json!({"indicator": warning.indicator, "warning": warning.code});
            let extra = extra.as_object().cloned().unwrap_or_default();
            faults.add_with(ProblemCode::NoteRequired, pointer, warning.detail, extra);
        }
    }
    faults.into_result()
}

fn refused(refusal: Refusal, action: Action, standing: &Standing, caller: &Caller) -> Problem {
    match refusal {
        Refusal::ReviewerIsSubmitter => Problem::new(ProblemCode::ReviewerIsSubmitter),
        Refusal::PeriodLocked => Problem::new(ProblemCode::PeriodLocked),
        Refusal::Forbidden if action == Action::Withdraw => Problem::with(
            ProblemCode::Forbidden,
            Msg::fixed(
                "Chỉ cơ quan đã gửi báo cáo mới được rút lại.",
                "Only the agency that submitted can withdraw.",
            ),
        ),
        Refusal::Forbidden => Problem::with(
            ProblemCode::Forbidden,
            Msg::fixed(
                "Chỉ cơ quan đầu mối mới được duyệt, trả lại hoặc mở lại báo cáo.",
                "Only the coordinating department can accept, return or reopen.",
            ),
        ),
        Refusal::NotAllowed => not_allowed(action, standing, caller),
    }
}

/// Names the state and what would be allowed in it, for people and for programs.
fn not_allowed(action: Action, standing: &Standing, caller: &Caller) -> Problem {
    let (state, allowed) = (standing.state.as_str(), standing.allowed(caller));
    let detail = texts::not_allowed(action, standing.state, &allowed);
    let mut problem = Problem::at(ProblemCode::TransitionNotAllowed, "/action", detail);
    if let Some(error) = problem.errors.first_mut() {
        let extra = json!({"state": state, "allowed_actions": allowed});
        error.extra = extra.as_object().cloned().unwrap_or_default();
    }
    problem
}
