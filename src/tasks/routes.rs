//! Tasks over HTTP: finding and reading them. The files beside this one hold the handlers of plans, changes, updates and
//! transitions.

use actix_web::get;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::csv::TaskLine;
use super::model::{self, TaskQuery, progress};
use super::quarter::Quarter;
use super::rules::TaskStatus;
use super::wire::{self, Task, Viewer};
use super::{editing, plans, transitions, updates};
use crate::auth::Access;
use crate::auth::permission::ReadTasks;
use crate::db::keyset::Order;
use crate::http::csv::Format;
use crate::http::query::AnyOf;
use crate::http::{ListParams, ListQuery, Page, PathOf, Problem, Reply};
use crate::ids::TaskCode;
use crate::values::fold;

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(plans::list_plans)
        .service(plans::create_plan)
        .service(plans::get_plan)
        .service(plans::update_plan)
        .service(list_tasks)
        .service(editing::create_task)
        .service(get_task)
        .service(editing::update_task)
        .service(updates::list_updates)
        .service(updates::report_progress)
        .service(transitions::list_transitions)
        .service(transitions::decide_task);
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TaskFilter {
    /// Codes of plans, comma-separated.
    #[param(value_type = Option<String>, example = "KH-332-2017")]
    plan: Option<AnyOf<String>>,
    /// Codes of lead agencies, or of groups that the plan names, comma-separated.
    #[param(value_type = Option<String>, example = "SO-YT")]
    lead: Option<AnyOf<String>>,
    /// Like `lead`, for coordinating agencies.
    #[param(value_type = Option<String>)]
    coordinator: Option<AnyOf<String>>,
    /// Like `lead`, for lead or coordinating agencies.
    #[param(value_type = Option<String>)]
    agency: Option<AnyOf<String>>,
    /// Codes of indicators, comma-separated.
    #[param(value_type = Option<String>, example = "UD.DV.03")]
    indicator: Option<AnyOf<String>>,
    /// Quarters, comma-separated, that the range of the task includes or that contain its due date.
    #[param(value_type = Option<String>, example = "2018-Q1")]
    quarter: Option<AnyOf<Quarter>>,
    /// Statuses of the whole task, comma-separated: `not_started`, `in_progress`, `done_on_time`, `done_late`, `overdue`,
    /// `cancelled`.
    #[param(value_type = Option<String>, example = "overdue")]
    status: Option<AnyOf<TaskStatus>>,
    /// `true` for tasks whose status is `overdue`, `false` for the others.
    overdue: Option<bool>,
    /// Words of the title or code. Ignores case and diacritics.
    #[param(example = "dich vu cong")]
    q: Option<String>,
}

impl TaskFilter {
    fn query(&self) -> TaskQuery {
        let codes = |any: &Option<AnyOf<String>>| any.clone().map(|any| any.0);
        TaskQuery {
            plans: codes(&self.plan),
            leads: codes(&self.lead),
            coordinators: codes(&self.coordinator),
            agencies: codes(&self.agency),
            indicators: codes(&self.indicator),
            quarters: self
                .quarter
                .as_ref()
                .map(|any| any.0.iter().map(|q| (q.first_day(), q.last_day())).collect()),
            q: self.q.as_deref().map(fold),
        }
    }

    /// The filters on what is derived.
    fn takes(&self, status: TaskStatus) -> bool {
        self.status.as_ref().is_none_or(|any| any.0.contains(&status))
            && self.overdue.is_none_or(|wanted| wanted == (status == TaskStatus::Overdue))
    }
}

/// List tasks
///
/// Sorted by code. Sort keys: `code`, `deadline`. CSV does not contain the progress of each lead.
#[utoipa::path(
    tag = "plans",
    params(TaskFilter, ListParams),
    responses((status = 200, description = "A page of tasks", content((Page<Task> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["tasks:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/tasks")]
async fn list_tasks(access: Access<ReadTasks>, list: ListQuery<TaskFilter>) -> Result<Reply, Problem> {
    let by_code = Order { key: model::CODE, descending: false };
    let order = list.order(&[model::CODE, model::DEADLINE], &[by_code], by_code)?;
    let query = list.filter.query();
    let (rows, leads) = access
        .read(async move |conn| {
            let rows = model::matching(conn, query, &order).await?;
            let codes = rows.iter().map(|row| row.code.clone()).collect();
            Ok((rows, progress::leads(conn, codes).await?))
        })
        .await?;
    let viewer = Viewer::of(&access);
    let tasks = wire::tasks(rows, leads, &viewer);
    let matching = tasks.filter(|task| list.filter.takes(task.status)).collect();
    let page = list.page_of(matching, |task| task.code.clone())?;
    if list.format == Format::Csv {
        let items = page.items.into_iter().map(TaskLine::from).collect();
        return Reply::page(&access.conditions, list.format, &Page { items, page: page.page });
    }
    Reply::collection::<_, TaskLine>(&access.conditions, list.format, &page, &[])
}

/// Read a task
///
/// The status is that of today. The `ETag` changes with everything shown, so it also changes at midnight (Asia/Ho_Chi_Minh) when
/// a deadline passes.
#[utoipa::path(
    tag = "plans",
    params(("code" = TaskCode, Path)),
    responses((status = 200, description = "The task", body = Task)),
    security(("bearer" = ["tasks:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/tasks/{code}")]
async fn get_task(access: Access<ReadTasks>, code: PathOf<TaskCode>) -> Result<Reply, Problem> {
    let (viewer, code) = (Viewer::of(&access), code.0.0);
    let task = access
        .read(async move |conn| {
            let row = model::find(conn, &code).await?.ok_or_else(Problem::not_found)?;
            let leads = progress::leads(conn, vec![code]).await?;
            Ok(Task::new(row, leads, &viewer))
        })
        .await?;
    Reply::resource(&access.conditions, &task.tag()?, || task)
}
