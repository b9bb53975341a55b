//! Submissions over HTTP: the wire form that all of this room's endpoints share, finding and deleting.

use actix_web::{delete, get};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::model::{self, SubmissionQuery, SubmissionRow};
use super::rules::{Action, Caller, Refusal, Side, Standing, State};
use super::{accepted_values, creation, revisions, texts, transitions, values};
use crate::audit::{self, Event};
use crate::auth::permission::{ReadSubmissions, WriteSubmissions};
use crate::auth::{Access, Identity, Role};
use crate::db::keyset::Order;
use crate::http::csv::CsvRow;
use crate::http::query::AnyOf;
use crate::http::{EntityTag, ListParams, ListQuery, Msg, Page, PathOf, Problem, ProblemCode, Reply};
use crate::values::{Month, Period};

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(list_submissions)
        .service(creation::create_submission)
        .service(get_submission)
        .service(delete_submission)
        .service(values::get_values)
        .service(values::put_values)
        .service(accepted_values::list_indicator_values)
        .service(transitions::list_transitions)
        .service(transitions::make_transition)
        .service(revisions::list_revisions)
        .service(revisions::get_revision)
        .service(revisions::get_diff);
}

/// Figures of an agency for a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct Submission {
    pub id: Uuid,
    /// Code of the agency.
    #[schema(example = "SO-YT")]
    pub agency: String,
    pub period: Month,
    pub state: State,
    /// Number of the latest submitted revision; null until the first.
    pub revision: Option<i32>,
    /// Number of the revision whose figures count. During a correction it stays until the next one is accepted. Null before the
    /// first.
    pub accepted_revision: Option<i32>,
    /// Who submitted the latest revision: `user:<username>`.
    #[schema(example = "user:officer.so-yt")]
    pub submitted_by: Option<String>,
    pub submitted_at: Option<DateTime<Utc>>,
    /// The last decision of the coordinating department; null if there was none.
    pub decision: Option<Decision>,
    /// Actions that you can take now.
    pub allowed_actions: Vec<Action>,
    pub version: i32,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A decision of the coordinating department.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SubmissionDecision)]
pub struct Decision {
    /// `return`, `accept` or `reopen`.
    #[schema(value_type = Action)]
    pub action: String,
    pub by: Option<String>,
    pub at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
}

impl Submission {
    pub fn of(row: SubmissionRow, caller: &Caller) -> Self {
        let standing = row.standing();
        Self {
            id: row.id,
            period: row.month(),
            agency: row.agency,
            state: standing.state,
            revision: row.revision,
            accepted_revision: row.accepted_revision,
            submitted_by: row.submitted_by,
            submitted_at: row.submitted_at,
            decision: row.decision.map(|action| Decision {
                action,
                by: row.decided_by,
                at: row.decided_at,
                reason: row.decision_reason,
            }),
            allowed_actions: standing.allowed(caller),
            version: row.version,
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    /// Depends on the row, on the closing of its month, and on who asks.
    pub fn tag(&self) -> EntityTag {
        let actions = self.allowed_actions.iter().map(|action| action.as_str());
        let parts: Vec<&str> = std::iter::once(self.state.as_str()).chain(actions).collect();
        EntityTag::of_variant(self.version, &parts)
    }
}

impl CsvRow for Submission {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "agency",
        "period",
        "state",
        "revision",
        "accepted_revision",
        "submitted_by",
        "submitted_at",
        "decision.action",
        "decision.by",
        "decision.at",
        "decision.reason",
        "allowed_actions",
        "version",
        "created_by",
        "created_at",
        "updated_at",
    ];
}

/// The caller as the rules see them.
pub fn caller_of<P>(access: &Access<P>) -> Caller {
    let side = match access.identity() {
        Identity::User { role: Role::Coordinator, .. } => Side::Coordinator,
        Identity::User { role: Role::Officer, .. } => Side::Agency,
        _ => Side::Reader,
    };
    Caller { name: access.principal().name(), side }
}

/// Why the working copy may not be touched.
pub fn not_editable(refusal: Refusal, standing: &Standing) -> Problem {
    match refusal {
        Refusal::PeriodLocked => Problem::new(ProblemCode::PeriodLocked),
        _ => Problem::with(ProblemCode::NotEditable, texts::not_editable(standing.state)),
    }
}

/// First days of the months of any of the periods.
pub fn months_of(periods: Option<&AnyOf<Period>>) -> Option<Vec<chrono::NaiveDate>> {
    periods.map(|any| any.0.iter().flat_map(|p| p.months()).map(Month::first_day).collect())
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SubmissionFilter {
    /// Codes of agencies, comma-separated.
    #[param(value_type = Option<String>, example = "SO-YT")]
    agency: Option<AnyOf<String>>,
    /// Months, quarters or years, comma-separated.
    #[param(value_type = Option<String>, example = "2018-Q1")]
    period: Option<AnyOf<Period>>,
    /// States, comma-separated: `draft`, `submitted`, `returned`, `accepted`, `locked`.
    #[param(value_type = Option<String>, example = "submitted")]
    state: Option<AnyOf<State>>,
}

impl SubmissionFilter {
    fn query(&self) -> SubmissionQuery {
        SubmissionQuery {
            agencies: self.agency.clone().map(|any| any.0),
            months: months_of(self.period.as_ref()),
            states: self.state.as_ref().map(|any| any.0.iter().map(|s| s.as_str().to_owned()).collect()),
        }
    }
}

/// List submissions
///
/// Officers see the agencies in their scope. Latest period first, then by agency. Sort keys: `period`, `agency`, `updated_at`,
/// `id`.
#[utoipa::path(
    tag = "submissions",
    params(SubmissionFilter, ListParams),
    responses((status = 200, description = "A page of submissions", content((Page<Submission> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["submissions:read"]))
)]
#[get("/submissions")]
async fn list_submissions(
    access: Access<ReadSubmissions>,
    list: ListQuery<SubmissionFilter>,
) -> Result<Reply, Problem> {
    let latest = Order { key: model::PERIOD, descending: true };
    let by_agency = Order { key: model::AGENCY, descending: false };
    let order = list.order(
        &[model::PERIOD, model::AGENCY, model::UPDATED, model::ID],
        &[latest, by_agency],
        Order { key: model::ID, descending: false },
    )?;
    let (scope, query, window) = (access.scope(), list.filter.query(), list.window(&order)?);
    let slice =
        access.read(async move |conn| Ok(model::list(conn, &scope, query, &order, window).await?)).await?;
    let caller = caller_of(&access);
    Reply::page(&access.conditions, list.format, &list.page(slice, |row| Submission::of(row, &caller)))
}

/// Read a submission
#[utoipa::path(
    tag = "submissions",
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The submission", body = Submission)),
    security(("bearer" = ["submissions:read"]))
)]
#[get("/submissions/{id}")]
async fn get_submission(access: Access<ReadSubmissions>, id: PathOf<Uuid>) -> Result<Reply, Problem> {
    let scope = access.scope();
    let found = access.read(async move |conn| Ok(model::find(conn, &scope, id.0).await?)).await?;
    let submission = Submission::of(found.ok_or_else(Problem::not_found)?, &caller_of(&access));
    Reply::resource(&access.conditions, &submission.tag(), || submission)
}

/// Delete a draft
///
/// Allowed only if it was never submitted.
#[utoipa::path(
    tag = "submissions",
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "Deleted")),
    extensions(("x-if-match" = json!("required"))),
    security(("bearer" = ["submissions:write"]))
)]
#[delete("/submissions/{id}")]
async fn delete_submission(access: Access<WriteSubmissions>, id: PathOf<Uuid>) -> Result<Reply, Problem> {
    let (actor, scope, conditions, id) = (access.actor(), access.scope(), access.conditions.clone(), id.0);
    access
        .transaction(async move |conn| {
            let row = model::lock(conn, &scope, id).await?.ok_or_else(Problem::not_found)?;
            conditions.require_match(row.version)?;
            let standing = row.standing();
            standing.editable().map_err(|refusal| not_editable(refusal, &standing))?;
            if row.revision.is_some() {
                let detail = Msg::fixed(
                    "Chỉ được xóa báo cáo đang soạn thảo, chưa gửi lần nào.",
                    "Only a draft that was never submitted can be deleted.",
                );
                return Err(Problem::with(ProblemCode::NotEditable, detail));
            }
            model::delete(conn, id).await?;
            audit::record(conn, &actor, Event::delete("submission", id.to_string(), &row)).await?;
            Ok(Reply::no_content())
        })
        .await
}
