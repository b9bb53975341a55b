//! Scores and ranks of a run over HTTP.

use actix_web::get;
use uuid::Uuid;

use super::kept::row_of;
use super::score_model as model;
use super::wire::{IndexScore, ScoreFilter};
use crate::auth::Access;
use crate::auth::permission::ReadStatistics;
use crate::db::list::{Order, SortKey};
use crate::http::{ListParams, Listing, Page, PathOf, Problem, Reply};

/// List the scores of a run
///
/// Every unit at every node, nodes from the root down. Scores are exact; `rounded` is what is ranked. Sort keys: `node` (place in
/// the tree), `unit`, `rank`. Of units that are agencies of others an officer reads the whole and the groups, no indicators and
/// nothing of what is missing: the score of an indicator gives its figure away.
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
    list: Listing<ScoreFilter>,
) -> Result<Reply, Problem> {
    page(&access, id.0, &list, &[model::POSITION, model::UNIT], false).await
}

/// List the ranks of a run
///
/// As the scores, best first; without `node` those of the whole (the root) alone. Those without a rank come last. Sort keys: `rank`,
/// `node`, `unit`. Of others' agencies an officer reads no indicators.
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
    list: Listing<ScoreFilter>,
) -> Result<Reply, Problem> {
    page(&access, id.0, &list, &[model::POSITION, model::RANK, model::UNIT], true).await
}

async fn page(
    access: &Access<ReadStatistics>,
    id: Uuid,
    list: &Listing<ScoreFilter>,
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
    row_of(access, id).await?;
    let (query, scope) = (list.filter.query(root_only), access.scope());
    let slice = access
        .fetch(async |conn| {
            Ok(model::scores(conn, (id, &scope), query.clone(), &order, window.clone()).await?)
        })
        .await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, IndexScore::from))
}
