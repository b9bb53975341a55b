//! What would move a unit most, and which tasks of the plan work on it, over HTTP.

use std::collections::BTreeSet;

use actix_web::{get, web};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

use super::faults::{departed, too_much};
use super::model::RunRow;
use super::redaction;
use super::run_store::Kept;
use super::units::unit_of;
use crate::auth::Access;
use crate::auth::permission::ReadStatistics;
use crate::db::keyset::Order;
use crate::http::{PathOf, Problem, Reply};
use crate::scoring::disclosure::Withheld;
use crate::scoring::engine::levers::Lever;
use crate::scoring::engine::work::{Cancellation, Cancelled, within};
use crate::state::State;
use crate::tasks::model::{self as tasks, TaskQuery, progress};
use crate::tasks::rules::TaskStatus;
use crate::tasks::wire::{Task, Viewer, tasks as shown};

/// An indicator with its possible gain.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnitLever {
    pub name: String,
    #[serde(flatten)]
    pub lever: Lever,
    /// Tasks of the plans that work on this indicator.
    pub tasks: Vec<LeverTask>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LeverTask {
    #[schema(example = "T16")]
    pub code: String,
    pub plan: String,
    pub title: String,
    /// Status today.
    pub status: TaskStatus,
    /// Codes of the lead agencies or groups, as the plan names them.
    #[schema(example = json!(["SO-TTTT"]))]
    pub leads: Vec<String>,
}

impl From<&Task> for LeverTask {
    fn from(task: &Task) -> Self {
        Self {
            code: task.code.clone(),
            plan: task.plan.clone(),
            title: task.title.clone(),
            status: task.status,
            leads: task.leads.iter().map(|party| party.code.clone()).collect(),
        }
    }
}

/// The levers of one unit.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnitLevers {
    pub run: Uuid,
    #[schema(example = "SO-YT")]
    pub unit: String,
    pub items: Vec<UnitLever>,
    /// Levers whose gains are withheld from you.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub withheld: Vec<Withheld>,
}

/// List a unit's levers
///
/// Lists every indicator that applies to the unit, sorted by the gain of one step: a tenth of the range from the worst to the
/// best figure, or one more counted item. All other figures and the frontier stay unchanged. `gain_per_unit` is the gain per 1 of
/// the figure, `gain_full` the gain of reaching the best figure, `places` the ranks gained. A unit without an overall score has
/// no levers.
///
/// Each indicator comes with the plan tasks that are linked to it, or to the indicator that its figures were collected from. For
/// agencies outside their scope, officers get 404. If a lever depends on the figures of fewer than five other agencies, officers
/// see only their own figure.
#[utoipa::path(
    tag = "runs",
    params(("id" = Uuid, Path), ("unit" = String, Path, description = "Code of the unit, percent-encoded", example = "SO-YT")),
    responses((status = 200, description = "The levers", body = UnitLevers)),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/index-runs/{id}/units/{unit}/levers")]
pub async fn list_levers(
    access: Access<ReadStatistics>,
    path: PathOf<(Uuid, String)>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    let (row, now, unit) = unit_of(&access, &state, path.0).await?;
    let leaves = now.run.tree.leaves().map(|(_, item, _)| &item.code);
    let codes = leaves.chain(now.fed.iter().map(|(_, indicator)| indicator)).cloned().collect();
    let tasks = tasks_of(&access, codes).await?;
    within(now.run.scores_for_levers()).map_err(too_much)?;
    access.release_permit();
    let work = move |token: &CancellationToken| {
        let is_cancelled = || token.is_cancelled();
        levers_of(&row, &now, unit, &tasks, Cancellation::when(&is_cancelled))
    };
    let body = state.computed().work(access.caller(), work).await?.map_err(departed)?;
    Reply::unversioned(&access.conditions, &body)
}

/// The levers of the unit, as disclosed to the reader of the row, with their tasks.
fn levers_of(
    row: &RunRow,
    now: &Kept,
    unit: String,
    tasks: &[Task],
    cancellation: Cancellation<'_>,
) -> Result<UnitLevers, Cancelled> {
    let mut levers = now.run.levers(&unit, cancellation)?.unwrap_or_default();
    let disclosure = row.disclosure(&now.run);
    let withheld = disclosure.map(|disclosure| redaction::levers(&disclosure, &unit, &mut levers));
    let item = |lever: Lever| {
        let index = now.run.tree.index_of(&lever.indicator);
        let item = index.and_then(|index| now.run.tree.item(index));
        let linked = tasks.iter().filter(|task| works_on(task, &lever.indicator, &now.fed));
        UnitLever {
            name: item.map(|item| item.name.clone()).unwrap_or_default(),
            tasks: linked.map(LeverTask::from).collect(),
            lever,
        }
    };
    let items = levers.into_iter().map(item).collect();
    Ok(UnitLevers { run: row.id, items, withheld: withheld.unwrap_or_default(), unit })
}

/// Whether a task is linked to the leaf, or to an indicator that the leaf's figures were collected from.
fn works_on(task: &Task, leaf: &String, fed: &BTreeSet<(String, String)>) -> bool {
    task.indicators.contains(leaf)
        || fed.iter().any(|(of, indicator)| of == leaf && task.indicators.contains(indicator))
}

async fn tasks_of(access: &Access<ReadStatistics>, codes: Vec<String>) -> Result<Vec<Task>, Problem> {
    let viewer = Viewer::of(access);
    access
        .read(async move |conn| {
            let query = TaskQuery { indicators: Some(codes), ..TaskQuery::default() };
            let by_code = Order { key: tasks::CODE, descending: false };
            let rows = tasks::matching(conn, query, &[by_code]).await?;
            let leads = progress::leads(conn, rows.iter().map(|row| row.code.clone()).collect()).await?;
            Ok(shown(rows, leads, &viewer).collect())
        })
        .await
}
