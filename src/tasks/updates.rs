//! What lead agencies report.

use actix_web::{get, post};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::progress::{self, LeadRow, UpdateRow};
use super::model::{self, TaskRow};
use super::rules::{COMPLETE, Lead};
use super::wire::terms;
use crate::agencies::model as agencies;
use crate::audit::{self, Event};
use crate::auth::permission::{ReadTaskUpdates, ReportTasks};
use crate::auth::{Access, Actor, AgencyScope};
use crate::db::Conn;
use crate::db::keyset::Order;
use crate::http::csv::CsvRow;
use crate::http::list_query::AnyOf;
use crate::http::{
    Check, ListParams, ListQuery, Msg, Page, PathOf, Problem, ProblemCode, Reply, ValidJson, Violations,
};
use crate::ids::TaskCode;
use crate::values::{integer_of, vietnamese};

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
    fn of(task: &str, row: UpdateRow) -> Self {
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

/// A progress report of a lead agency.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTaskUpdate {
    /// Code of the lead agency.
    #[schema(example = "SO-YT")]
    agency: String,
    /// Percent complete, a whole number from 0 to 100.
    #[schema(value_type = i16, minimum = 0, maximum = 100, example = 40)]
    percent: Value,
    #[serde(default)]
    #[schema(max_length = 4000)]
    narrative: String,
    /// Links (`http` or `https`) to supporting documents.
    #[serde(default)]
    #[schema(max_items = 20, example = json!(["https://laocai.gov.vn/van-ban/1"]))]
    evidence: Vec<String>,
    /// Day of completion; only if `percent` is 100. Default: today. Not in the future.
    completed_on: Option<NaiveDate>,
}

impl NewTaskUpdate {
    /// Zero where it is no number from 0 to 100, which [`Check`] has refused.
    fn percent(&self) -> i16 {
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
