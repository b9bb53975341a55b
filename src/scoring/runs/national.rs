//! Published national results beside what was computed, over HTTP. Never mixed: each figure says which it is.

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::{self, RunRow};
use super::redaction;
use super::run_store::both_of;
use super::score_model::{self, BesideRow};
use crate::auth::Access;
use crate::auth::permission::ReadStatistics;
use crate::http::csv::{CsvRow, Format};
use crate::http::query::invalid;
use crate::http::{ListQuery, Msg, PathOf, Problem, Reply};
use crate::indicators::rules::rank_change;
use crate::scoring::engine::score::Run;
use crate::state::State;
use crate::values::{Decimal, nfc};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BesideQuery {
    /// Code of the unit of the run that the published results belong to. Required.
    #[param(required = true, value_type = String, example = "Lào Cai")]
    unit: Option<String>,
}

/// Published and computed results of one unit.
#[derive(Debug, Serialize, ToSchema)]
pub struct NationalComparison {
    pub run: Uuid,
    pub unit: String,
    pub index_year: i32,
    /// The run of the previous year that computed movements refer to: the official one, else the last provisional one. Null if there
    /// is none.
    pub run_before: Option<Uuid>,
    /// Nodes of the run from the root down, then nodes that are published only.
    pub items: Vec<NodeComparison>,
}

/// A node as published and as computed.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodeComparison {
    #[schema(example = "HT")]
    pub node: String,
    pub published: PublishedResult,
    pub computed: ComputedResult,
    /// Computed minus published.
    pub score_difference: Option<Decimal>,
    /// Ranks by which the published rank is better than the computed one; negative if it is worse. Null if the numbers of ranked
    /// units differ.
    pub rank_difference: Option<i32>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PublishedResult {
    pub score: Option<Decimal>,
    pub rank: Option<i32>,
    /// Number of ranked units.
    pub units: Option<i32>,
    pub rank_before: Option<i32>,
    /// Ranks gained since the previous year; negative if lost.
    pub movement: Option<i32>,
    pub source: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ComputedResult {
    pub score: Option<Decimal>,
    pub rounded: Option<Decimal>,
    pub rank: Option<i32>,
    /// Number of ranked units.
    pub units: i64,
    pub rank_before: Option<i32>,
    /// Ranks gained since the previous year; negative if lost.
    pub movement: Option<i32>,
}

impl From<BesideRow> for NodeComparison {
    fn from(row: BesideRow) -> Self {
        let difference =
            row.score.as_ref().zip(row.published_score.as_ref()).map(|(ours, theirs)| ours - theirs);
        Self {
            node: row.node,
            score_difference: difference.map(Decimal::from),
            rank_difference: row
                .rank
                .zip(row.published_rank)
                .filter(|_| row.published_units.is_none_or(|units| i64::from(units) == row.ranked))
                .map(|(ours, theirs)| ours - theirs),
            published: PublishedResult {
                score: row.published_score.map(Decimal::from),
                rank: row.published_rank,
                units: row.published_units,
                rank_before: row.published_before,
                movement: rank_change(row.published_before, row.published_rank),
                source: row.source,
            },
            computed: ComputedResult {
                score: row.score.map(Decimal::from),
                rounded: row.rounded.map(Decimal::from),
                rank: row.rank,
                units: row.ranked,
                rank_before: row.rank_before,
                movement: rank_change(row.rank_before, row.rank),
            },
        }
    }
}

impl CsvRow for NodeComparison {
    const COLUMNS: &'static [&'static str] = &[
        "node",
        "published.score",
        "published.rank",
        "published.units",
        "published.rank_before",
        "published.movement",
        "computed.score",
        "computed.rank",
        "computed.units",
        "computed.rank_before",
        "computed.movement",
        "score_difference",
        "rank_difference",
    ];
}

fn needed() -> Msg {
    Msg::fixed(
        "Thiếu tham số `unit`: mã của một đơn vị trong lần tính.",
        "`unit` is required: the code of a unit of the run.",
    )
}

/// Compare with published national results
///
/// Returns the published and the computed result of one unit, at every node. Each has score and rank; the response also has their
/// difference and, for both, the ranks gained since the previous year. The published results are those of the run's `index_year`.
/// Published results never affect computed ones. For a unit that is an agency outside their scope, officers see only the computed
/// ranks of groups.
#[utoipa::path(
    tag = "runs",
    params(("id" = Uuid, Path), BesideQuery, ("format" = inline(Option<Format>), Query, description = "`csv` for a spreadsheet (same as `Accept: text/csv`).")),
    responses((status = 200, description = "Published and computed results", content((NationalComparison = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/index-runs/{id}/national-results")]
pub async fn compare_with_published(
    access: Access<ReadStatistics>,
    id: PathOf<Uuid>,
    query: ListQuery<BesideQuery>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    let (row, run) = both_of(&access, &state, id.0).await?;
    let Some(unit) = query.filter.unit.as_deref().map(nfc) else {
        return Err(invalid("unit", needed()));
    };
    let (before, rows) = beside(&access, &row, &run.run, &unit).await?;
    let items: Vec<NodeComparison> = rows.into_iter().map(NodeComparison::from).collect();
    let whole =
        NationalComparison { run: row.id, unit, index_year: row.index_year, run_before: before, items };
    Reply::collection(&access.conditions, query.format, &whole, &whole.items)
}

/// Both results of the unit's nodes, as disclosed to the reader of the row, and the run before.
async fn beside(
    access: &Access<ReadStatistics>,
    row: &RunRow,
    run: &Run,
    unit: &str,
) -> Result<(Option<Uuid>, Vec<BesideRow>), Problem> {
    // Of others the ranks, and nothing of indicators.
    let hidden_nodes = if row.explains(unit) { vec![] } else { redaction::leaf_like(&run.tree) };
    let (before, mut rows) = access
        .read_shared(async |conn| {
            let before = model::of_year(conn, &row.framework, row.index_year - 1).await?.map(|run| run.id);
            Ok((before, score_model::beside(conn, row, before, unit, hidden_nodes.clone()).await?))
        })
        .await?;
    if rows.iter().all(|beside| beside.position.is_none()) {
        let detail = super::faults::unknown_unit(unit);
        return Err(invalid("unit", detail));
    }
    if let Some(disclosure) = row.disclosure(run) {
        let withheld = rows.iter_mut().filter(|item| disclosure.score(unit, &item.node).is_some());
        withheld.for_each(|item| (item.score, item.rounded) = (None, None));
    }
    Ok((before, rows))
}
