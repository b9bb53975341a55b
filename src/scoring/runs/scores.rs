//! Scores and ranks of a run over HTTP.

use actix_web::{get, web};
use uuid::Uuid;

use super::redaction;
use super::run_store::{both_of, row_of};
use super::score_model as model;
use super::wire::{IndexScore, ScoreFilter};
use crate::auth::Access;
use crate::auth::permission::ReadStatistics;
use crate::db::keyset::{Order, SortKey};
use crate::http::{ListParams, ListQuery, Page, PathOf, Problem, Reply};
use crate::state::State;

/// List the scores of a run
///
/// Returns every unit at every node, from the root down. `score` is exact; ranks are computed from `rounded`. Sort keys: `node`
/// (position in the tree), `unit`, `rank`. For agencies outside their scope, officers see the ranks of the overall index and of
/// groups, and nothing of indicators. A score in their scope that depends on the figures of fewer than five other agencies is
/// `withheld`.
#[utoipa::path(
    tag = "runs",
    params(("id" = Uuid, Path), ScoreFilter, ListParams),
    responses((status = 200, description = "A page of scores", content((Page<IndexScore> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/index-runs/{id}/scores")]
pub async fn list_scores(
    access: Access<ReadStatistics>,
    id: PathOf<Uuid>,
    list: ListQuery<ScoreFilter>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    page((&access, &state), id.0, &list, &[model::POSITION, model::UNIT], false).await
}

/// List the ranks of a run
///
/// Like the list of scores, sorted by rank. Without `node`, only the overall index (the root). Units without a rank come last.
/// Sort keys: `rank`, `node`, `unit`. For agencies outside their scope, officers see the ranks only, and no indicators.
#[utoipa::path(
    tag = "runs",
    params(("id" = Uuid, Path), ScoreFilter, ListParams),
    responses((status = 200, description = "A page of ranks", content((Page<IndexScore> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/index-runs/{id}/ranks")]
pub async fn list_ranks(
    access: Access<ReadStatistics>,
    id: PathOf<Uuid>,
    list: ListQuery<ScoreFilter>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    page((&access, &state), id.0, &list, &[model::POSITION, model::RANK, model::UNIT], true).await
}

async fn page(
    (access, state): (&Access<ReadStatistics>, &State),
    id: Uuid,
    list: &ListQuery<ScoreFilter>,
    default: &[SortKey],
    root_only: bool,
) -> Result<Reply, Problem> {
    let by = |key: SortKey| Order { key, descending: false };
    let default: Vec<Order> = default.iter().copied().map(by).collect();
    let keys = [model::POSITION, model::UNIT, model::RANK];
    let mut order = list.order(&keys, &default, by(model::UNIT))?;
    if !order.iter().any(|o| o.key.name == model::POSITION.name) {
        // A unit and a node together are one item.
        order.push(by(model::POSITION));
    }
    let window = list.window(&order)?;
    let row = row_of(access, id).await?;
    let run = if row.own.is_some() { Some(both_of(access, state, id).await?.1) } else { None };
    let leaves = run.as_ref().map(|run| redaction::leaf_like(&run.run.tree)).unwrap_or_default();
    let query = list.filter.query(root_only);
    let slice = access
        .read_shared(async |conn| {
            let run = (&row, leaves.clone());
            Ok(model::scores(conn, run, query.clone(), &order, window.clone()).await?)
        })
        .await?;
    let disclosure = run.as_ref().and_then(|run| row.disclosure(&run.run));
    let redacted = |row| {
        let mut item = IndexScore::from(row);
        disclosure.iter().for_each(|disclosure| redaction::score(disclosure, &mut item));
        item
    };
    Reply::page(&access.conditions, list.format, &list.page(slice, redacted))
}
