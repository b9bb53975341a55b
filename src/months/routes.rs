//! Reporting months over HTTP.

use actix_web::{get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::model::{self, MonthQuery, MonthRow};
use super::rules::{MonthAction, MonthState};
use crate::audit::{self, Event};
use crate::auth::permission::{CloseMonths, ReadMonths};
use crate::auth::{Access, Actor};
use crate::db::Conn;
use crate::db::keyset::Order;
use crate::dossiers::{parked, rollups};
use crate::http::csv::CsvRow;
use crate::http::query::AnyOf;
use crate::http::{
    Check, EntityTag, ListParams, ListQuery, Page, PathOf, Problem, ProblemCode, Reply, ValidJson, Violations,
};
use crate::values::{Month, Period, vietnamese};

pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list_months).service(get_month).service(make_month_transition);
}

/// A reporting month.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportingMonth {
    pub month: Month,
    pub state: MonthState,
    /// Time of closing; null while the month is open.
    pub closed_at: Option<DateTime<Utc>>,
    pub closed_by: Option<String>,
    /// The last closing or reopening; null if there was none.
    pub last_transition: Option<MonthTransition>,
    /// Number of submissions that you can see, by state. Accepted submissions of a closed month count as accepted.
    pub submissions: SubmissionCounts,
    pub version: i32,
}

/// Closing or reopening of a month.
#[derive(Debug, Serialize, ToSchema)]
pub struct MonthTransition {
    #[schema(value_type = MonthAction)]
    pub action: String,
    #[schema(example = "user:coordinator")]
    pub by: Option<String>,
    pub at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
}

/// Number of submissions by state.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmissionCounts {
    pub draft: i64,
    pub submitted: i64,
    pub returned: i64,
    pub accepted: i64,
}

impl From<MonthRow> for ReportingMonth {
    fn from(row: MonthRow) -> Self {
        let (by, at, reason) = (row.actor, row.at, row.reason);
        Self {
            month: Month::of(row.month),
            state: MonthState::of(row.closed),
            closed_at: row.closed_at,
            closed_by: row.closed_by,
            last_transition: row.action.map(|action| MonthTransition { action, by, at, reason }),
            submissions: SubmissionCounts {
                draft: row.draft,
                submitted: row.submitted,
                returned: row.returned,
                accepted: row.accepted,
            },
            version: row.version,
        }
    }
}

impl ReportingMonth {
    /// The counts change without the month's own version.
    fn tag(&self) -> EntityTag {
        let SubmissionCounts { draft, submitted, returned, accepted } = &self.submissions;
        let counts = format!("{draft} {submitted} {returned} {accepted}");
        EntityTag::of_variant(self.version, &[self.state.as_str(), &counts])
    }
}

impl CsvRow for ReportingMonth {
    const COLUMNS: &'static [&'static str] = &[
        "month",
        "state",
        "closed_at",
        "closed_by",
        "last_transition.action",
        "last_transition.by",
        "last_transition.at",
        "last_transition.reason",
        "submissions.draft",
        "submissions.submitted",
        "submissions.returned",
        "submissions.accepted",
        "version",
    ];
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MonthFilter {
    /// Months, quarters or years, comma-separated.
    #[param(value_type = Option<String>, example = "2018")]
    period: Option<AnyOf<Period>>,
    /// `open` or `closed`.
    #[param(inline)]
    state: Option<MonthState>,
}

/// List reporting months
///
/// Lists months that are closed, or that have submissions you can see. All other months are open. Latest first. Sort key:
/// `month`.
#[utoipa::path(
    tag = "submissions",
    params(MonthFilter, ListParams),
    responses((status = 200, description = "A page of months", content((Page<ReportingMonth> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["months:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/reporting-months")]
async fn list_months(access: Access<ReadMonths>, list: ListQuery<MonthFilter>) -> Result<Reply, Problem> {
    let latest = Order { key: model::MONTH, descending: true };
    let order = list.order(&[model::MONTH], &[latest], latest)?;
    let periods = list.filter.period.as_ref();
    let query = MonthQuery {
        months: periods.map(|any| any.0.iter().flat_map(|p| p.months()).map(Month::first_day).collect()),
        closed: list.filter.state.map(|state| state == MonthState::Closed),
    };
    let (scope, window) = (access.scope(), list.window(&order)?);
    let slice =
        access.read(async move |conn| Ok(model::list(conn, &scope, query, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, ReportingMonth::from))
}

/// Read a reporting month
///
/// Returns any month. A month without data is `open` and empty.
#[utoipa::path(
    tag = "submissions",
    params(("month" = Month, Path)),
    responses((status = 200, description = "The month", body = ReportingMonth)),
    security(("bearer" = ["months:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/reporting-months/{month}")]
async fn get_month(access: Access<ReadMonths>, month: PathOf<String>) -> Result<Reply, Problem> {
    let (scope, month) = (access.scope(), named(&month.0)?);
    let row = access.read(async move |conn| Ok(model::find(conn, &scope, month).await?)).await?;
    let month = ReportingMonth::from(row);
    Reply::resource(&access.conditions, &month.tag(), || month)
}

/// A misspelt month is told the spelling, as a misspelt period is everywhere.
fn named(text: &str) -> Result<Month, Problem> {
    text.parse().map_err(|_| Problem::new(ProblemCode::MalformedMonth))
}

/// A transition.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMonthTransition {
    action: MonthAction,
    /// Reason; required to reopen.
    #[schema(max_length = 2000)]
    reason: Option<String>,
}

impl NewMonthTransition {
    fn reason(&self) -> Option<String> {
        self.reason.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

impl Check for NewMonthTransition {
    fn check(&self, faults: &mut Violations) {
        if let Some(reason) = &self.reason {
            faults.length("/reason", reason, 0, 2000);
        }
        if self.action == MonthAction::Reopen && self.reason().is_none() {
            faults.add(ProblemCode::ReasonRequired, "/reason", ProblemCode::ReasonRequired.title());
        }
    }
}

/// Close or reopen a month
///
/// Closing a month locks its submissions and dossier counts. To correct a single accepted submission, `reopen` that submission;
/// the month can stay closed. When a month is reopened, parked rows whose procedures are now in the catalogue are added to the
/// counts.
#[utoipa::path(
    tag = "submissions",
    params(("month" = Month, Path)),
    request_body = NewMonthTransition,
    responses((status = 200, description = "The updated month", body = ReportingMonth)),
    extensions(("x-if-match" = json!("optional"))),
    security(("bearer" = ["months:close"]))
)]
#[post("/reporting-months/{month}/transitions")]
async fn make_month_transition(
    access: Access<CloseMonths>,
    month: PathOf<String>,
    body: ValidJson<NewMonthTransition>,
) -> Result<Reply, Problem> {
    let (actor, scope, conditions) = (access.actor(), access.scope(), access.conditions.clone());
    let (month, step) = (named(&month.0)?, body.value);
    access
        .post(&body.digest, async move |conn| {
            if step.action == MonthAction::Reopen {
                // What waits for the month to open becomes figures: held before the month, as batches do.
                rollups::lock_levels(conn).await?;
            }
            model::lock(conn, month).await?;
            let before = model::find(conn, &scope, month).await?;
            conditions.match_if_given(before.version)?;
            take(conn, month, &before, &step, &actor).await?;
            let after = model::find(conn, &scope, month).await?;
            let event = Event::update("reporting_month", month.to_string(), &before, &after);
            audit::record(conn, &actor, event.named(step.action.as_str())).await?;
            let month = ReportingMonth::from(after);
            Ok(Reply::ok(&month)?.tagged(&month.tag()))
        })
        .await
}

async fn take(
    conn: &mut Conn,
    month: Month,
    row: &MonthRow,
    step: &NewMonthTransition,
    actor: &Actor,
) -> Result<(), Problem> {
    let state = MonthState::of(row.closed);
    let possible = MonthAction::possible(state);
    if step.action != possible {
        let (state_vi, action_vi) = match state {
            MonthState::Open => ("chưa chốt số liệu", "chốt số liệu"),
            MonthState::Closed => ("đã chốt số liệu", "mở lại"),
        };
        let (month_vi, state, possible) = (vietnamese::month(month), state.as_str(), possible.as_str());
        let detail = msg!(
            "Tháng {month_vi} {state_vi}; thao tác có thể thực hiện: {action_vi} ({possible}).",
            "Month {month} is `{state}`. Allowed action: `{possible}`."
        );
        return Err(Problem::at(ProblemCode::TransitionNotAllowed, "/action", detail));
    }
    if step.action == MonthAction::Reopen {
        model::reopen(conn, month, step.reason(), actor).await?;
        return Ok(parked::replay_month(conn, actor, month).await?);
    }
    if month.first_day() > actor.today() {
        let month_vi = vietnamese::month(month);
        let detail =
            msg!("Chưa đến tháng {month_vi}, chưa thực hiện được.", "Month {month} has not started yet.");
        return Err(Problem::at(ProblemCode::DateInFuture, "/action", detail));
    }
    Ok(model::close(conn, month, row.version + 1, step.reason(), actor).await?)
}
