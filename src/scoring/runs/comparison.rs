//! Why scores and ranks moved between two runs, over HTTP.

use std::sync::Arc;

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::faults::{departed, too_much};
use super::kept::{rows_of, run_of};
use super::model::RunRow;
use super::wire::{IndexRun, units_asked};
use crate::auth::Access;
use crate::auth::permission::ReadStatistics;
use crate::http::csv::{CsvRow, Format};
use crate::http::listing::{AnyOf, invalid};
use crate::http::{ListParams, Listing, Msg, Page, PageInfo, PathOf, Problem, Reply};
use crate::scoring::engine::compare::{Change, Comparison, compare, scores_to_compare};
use crate::scoring::engine::work::{Cancellation, within};
use crate::state::State;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ComparisonFilter {
    /// Id of the earlier run. Required.
    #[param(required = true, value_type = Uuid)]
    with: Option<String>,
    /// Codes of units, comma-separated. A code that contains a comma must be the only one.
    #[param(example = "SO-YT")]
    unit: Option<String>,
    /// Codes of nodes that both frameworks have, comma-separated.
    #[param(value_type = Option<String>, example = "ICT")]
    node: Option<AnyOf<String>>,
}

impl ComparisonFilter {
    fn takes(&self, units: Option<&[String]>, change: &Change) -> bool {
        let nodes = self.node.as_ref().map(|any| any.0.as_slice());
        let takes = |any: Option<&[String]>, code: &String| any.is_none_or(|any| any.contains(code));
        takes(units, &change.unit) && takes(nodes, &change.node)
    }

    /// The run of `with`, which is not the one of the path.
    fn earlier(&self, id: Uuid) -> Result<Uuid, Problem> {
        let with: Uuid = match self.with.as_deref() {
            None => return Err(invalid("with", needed())),
            Some(text) => text.parse().map_err(|_| invalid("with", no_other()))?,
        };
        if with == id { Err(invalid("with", no_other())) } else { Ok(with) }
    }
}

/// The comparison of two runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunComparison {
    /// The earlier run, given by `with`.
    pub before: IndexRun,
    /// The later run, given in the path.
    pub after: IndexRun,
    /// Codes of units that only the later run has.
    pub entered: Vec<String>,
    /// Codes of units that only the earlier run has.
    pub left: Vec<String>,
    /// Differences, by node from the root down, then by unit.
    pub items: Vec<ScoreMove>,
    pub page: PageInfo,
}

/// One unit at one node, in both runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(transparent)]
pub struct ScoreMove(Change);

impl CsvRow for ScoreMove {
    const COLUMNS: &'static [&'static str] = &[
        "unit",
        "node",
        "before",
        "after",
        "difference",
        "rank_before",
        "rank_after",
        "movement",
        "parts.own",
        "parts.frontier",
        "parts.weights",
        "parts.residual",
    ];
}

/// Compare two runs
///
/// Explains why scores and ranks changed from the run `with` to this one. For each unit and node in both runs, the difference is
/// split into the unit's `own` figures, the movement of the `frontier` set by other units, the framework's `weights` and rules,
/// and the `residual` of re-normalised nodes. The parts add up exactly to the difference. Each part is averaged over all orders
/// in which the changes can be applied (Shapley values).
///
/// `parts` is null if a score is missing in one of the runs or along the way. Units and nodes that only one run has cannot be
/// compared, nor can a run be compared with itself. The response is paged. Officers see the items of agencies in their scope
/// only, without scores that depend on the figures of fewer than five other agencies. CSV contains the items only.
#[utoipa::path(
    tag = "runs",
    params(("id" = Uuid, Path), ComparisonFilter, ListParams),
    responses((status = 200, description = "The differences", content((RunComparison = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/index-runs/{id}/comparison")]
pub async fn compare_runs(
    access: Access<ReadStatistics>,
    id: PathOf<Uuid>,
    list: Listing<ComparisonFilter>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    list.order(&[], &[], NODE_AND_UNIT)?;
    let with = list.filter.earlier(id.0);
    let asked = std::iter::once(id.0).chain(with.as_ref().ok().copied()).collect();
    let rows = rows_of(&access, asked).await?;
    let find = |id: Uuid| rows.iter().find(|row| row.id == id);
    // A run that is not there is told before what is wrong with the other.
    let after = find(id.0).ok_or_else(Problem::not_found)?;
    let before = find(with?).ok_or_else(|| invalid("with", no_other()))?;
    let compared = comparison_of(&access, &state, before, after).await?;
    if compared.changes.is_empty() {
        return Err(nothing_in_common());
    }
    let seen = |change: &&Change| before.explains(&change.unit) && after.explains(&change.unit);
    let units = list.filter.unit.as_deref().map(units_asked);
    let takes = |change: &&Change| list.filter.takes(units.as_deref(), change);
    let taken = compared.changes.iter().filter(takes).filter(seen).cloned();
    let items = redact(&access, &state, (before, after), taken.collect()).await?;
    let items = items.into_iter().map(ScoreMove).collect();
    let Page { items, page } =
        list.page_of(items, |item: &ScoreMove| format!("{}\n{}", item.0.node, item.0.unit))?;
    if list.format == Format::Csv {
        return Reply::page(&access.conditions, list.format, &Page { items, page });
    }
    let whole = RunComparison {
        before: IndexRun::of(before.clone(), &access.scope()),
        after: IndexRun::of(after.clone(), &access.scope()),
        entered: compared.entered.clone(),
        left: compared.left.clone(),
        items,
        page,
    };
    Reply::collection::<_, ScoreMove>(&access.conditions, list.format, &whole, &[])
}

/// The changes without scores that are withheld from the reader in either run.
async fn redact(
    access: &Access<ReadStatistics>,
    state: &State,
    (before, after): (&RunRow, &RunRow),
    mut changes: Vec<Change>,
) -> Result<Vec<Change>, Problem> {
    for (row, is_before) in [(before, true), (after, false)] {
        if row.own.is_none() {
            continue;
        }
        let run = run_of(access, state, row).await?;
        let Some(disclosure) = row.disclosure(&run.run) else { continue };
        for change in changes.iter_mut().filter(|c| disclosure.score(&c.unit, &c.node).is_some()) {
            let score = if is_before { &mut change.before } else { &mut change.after };
            *score = None;
            (change.difference, change.parts) = (None, None);
        }
    }
    Ok(changes)
}

/// The one order there is.
const NODE_AND_UNIT: crate::db::list::Order = crate::db::list::Order {
    key: crate::db::list::SortKey { name: "node,unit", expr: "", pg_type: "text" },
    descending: false,
};

fn nothing_in_common() -> Problem {
    let detail = Msg::fixed(
        "Không so sánh được vì hai lần tính không có đơn vị và chỉ tiêu (hoặc nhóm) nào chung.",
        "The two runs share no unit and node, so there is nothing to compare.",
    );
    invalid("with", detail)
}

fn needed() -> Msg {
    Msg::fixed(
        "Thiếu tham số `with`: mã của lần tính trước dùng để so sánh.",
        "`with` is required: the id of the earlier run.",
    )
}

fn no_other() -> Msg {
    Msg::fixed("`with` phải là mã của một lần tính khác.", "`with` must be the id of another run.")
}

async fn comparison_of(
    access: &Access<ReadStatistics>,
    state: &State,
    before: &RunRow,
    after: &RunRow,
) -> Result<Arc<Comparison>, Problem> {
    let key = format!("comparison/{}/{}", before.id, after.id);
    if let Some(done) = state.computed().cached(&key) {
        return Ok(done);
    }
    let (earlier, later) = (run_of(access, state, before).await?, run_of(access, state, after).await?);
    state
        .computed()
        .get(access.caller(), key, async |flight| {
            within(scores_to_compare(&earlier.run, &later.run)).map_err(too_much)?;
            access.release_permit();
            let done = flight.work(move |token| {
                let departed = || token.is_cancelled();
                let mut done = compare(&earlier.run, &later.run, Cancellation::when(&departed))?;
                let place = |node: &str| later.run.tree.index_of(node);
                // Within a node they stay in the order of the units.
                done.changes.sort_by_cached_key(|change| place(&change.node));
                Ok(done)
            });
            let done = done.await?.map_err(departed)?;
            let weight = done.changes.len() * 600;
            Ok((done, weight))
        })
        .await
}
