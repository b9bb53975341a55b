//! Why scores and ranks moved between two runs, over HTTP.

use std::sync::Arc;

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::faults::{departed, too_much};
use super::model::RunRow;
use super::run_store::{Kept, rows_of, run_of};
use super::wire::{IndexRun, units_asked};
use crate::auth::Access;
use crate::auth::permission::ReadStatistics;
use crate::http::csv::{CsvRow, Format};
use crate::http::query::{AnyOf, invalid};
use crate::http::{ListParams, ListQuery, Msg, Page, PageInfo, PathOf, Problem, Reply};
use crate::scoring::disclosure::Disclosure;
use crate::scoring::engine::compare::{Change, Comparison, compare, scores_to_compare};
use crate::scoring::engine::fixed::Fixed;
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

impl ScoreMove {
    fn key(&self) -> String {
        format!("{}\n{}", self.0.node, self.0.unit)
    }
}

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
    list: ListQuery<ComparisonFilter>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    list.order(&[], &[], NODE_AND_UNIT)?;
    let (before, after) = both_rows(&access, id.0, &list.filter).await?;
    let runs = Runs { access: &access, state: &state, before: &before, after: &after };
    let (compared, changes) = runs.compare(&list.filter).await?;
    let items = changes.into_iter().map(ScoreMove).collect();
    let Page { items, page } = list.page_of(items, ScoreMove::key)?;
    if list.format == Format::Csv {
        return Reply::page(&access.conditions, list.format, &Page { items, page });
    }
    let (entered, left) = (compared.entered.clone(), compared.left.clone());
    let scope = access.scope();
    let (before, after) = (IndexRun::of(before, &scope), IndexRun::of(after, &scope));
    let whole = RunComparison { before, after, entered, left, items, page };
    Reply::collection::<_, ScoreMove>(&access.conditions, list.format, &whole, &[])
}

/// The runs of `with` and of the path. A run that is not there is told before what is wrong with the other.
async fn both_rows(
    access: &Access<ReadStatistics>,
    id: Uuid,
    filter: &ComparisonFilter,
) -> Result<(RunRow, RunRow), Problem> {
    let with = filter.earlier(id);
    let asked = std::iter::once(id).chain(with.as_ref().ok().copied()).collect();
    let mut rows = rows_of(access, asked).await?;
    let mut take = |id: Uuid| rows.iter().position(|row| row.id == id).map(|at| rows.swap_remove(at));
    let after = take(id).ok_or_else(Problem::not_found)?;
    let before = take(with?).ok_or_else(|| invalid("with", no_other()))?;
    Ok((before, after))
}

/// The runs that are compared, and the request that compares them.
struct Runs<'r> {
    access: &'r Access<ReadStatistics>,
    state: &'r State,
    before: &'r RunRow,
    after: &'r RunRow,
}

impl Runs<'_> {
    /// What moved, and of that the changes that are asked for, as disclosed to the reader.
    async fn compare(&self, filter: &ComparisonFilter) -> Result<(Arc<Comparison>, Vec<Change>), Problem> {
        let key = format!("comparison/{}/{}", self.before.id, self.after.id);
        let is_limited = self.before.own.is_some() || self.after.own.is_some();
        // The runs themselves are needed to compare them, and to know what is withheld.
        let (compared, runs) = match self.state.computed().cached(&key) {
            Some(done) if is_limited => (done, Some(self.load().await?)),
            Some(done) => (done, None),
            None => {
                let (earlier, later) = self.load().await?;
                (self.compute(key, earlier.clone(), later.clone()).await?, Some((earlier, later)))
            }
        };
        if compared.changes.is_empty() {
            return Err(nothing_in_common());
        }
        let units = filter.unit.as_deref().map(units_asked);
        let is_taken = |change: &&Change| {
            filter.takes(units.as_deref(), change)
                && self.before.explains(&change.unit)
                && self.after.explains(&change.unit)
        };
        let mut changes: Vec<Change> = compared.changes.iter().filter(is_taken).cloned().collect();
        if let Some((earlier, later)) = &runs {
            withhold(&mut changes, self.before.disclosure(&earlier.run), |change| &mut change.before);
            withhold(&mut changes, self.after.disclosure(&later.run), |change| &mut change.after);
        }
        Ok((compared, changes))
    }

    async fn load(&self) -> Result<(Arc<Kept>, Arc<Kept>), Problem> {
        let earlier = run_of(self.access, self.state, self.before).await?;
        Ok((earlier, run_of(self.access, self.state, self.after).await?))
    }

    async fn compute(
        &self,
        key: String,
        earlier: Arc<Kept>,
        later: Arc<Kept>,
    ) -> Result<Arc<Comparison>, Problem> {
        let prepare = async || {
            within(scores_to_compare(&earlier.run, &later.run)).map_err(too_much)?;
            self.access.release_permit();
            Ok(move |token: &CancellationToken| {
                let is_cancelled = || token.is_cancelled();
                let compared = compare(&earlier.run, &later.run, Cancellation::when(&is_cancelled));
                let mut done = compared.map_err(departed)?;
                let place = |node: &str| later.run.tree.index_of(node);
                // Within a node they stay in the order of the units.
                done.changes.sort_by_cached_key(|change| place(&change.node));
                let weight = done.changes.len() * 600;
                Ok((done, weight))
            })
        };
        self.state.computed().get(self.access.caller(), key, prepare).await
    }
}

/// Takes away the scores of one run that are withheld from its reader, and what follows from them.
fn withhold(
    changes: &mut [Change],
    disclosure: Option<Disclosure<'_>>,
    score_of: impl Fn(&mut Change) -> &mut Option<Fixed>,
) {
    let Some(disclosure) = disclosure else { return };
    for change in changes.iter_mut().filter(|c| disclosure.score(&c.unit, &c.node).is_some()) {
        *score_of(change) = None;
        (change.difference, change.parts) = (None, None);
    }
}

/// The one order there is.
const NODE_AND_UNIT: crate::db::keyset::Order = crate::db::keyset::Order {
    key: crate::db::keyset::SortKey { name: "node,unit", expr: "", pg_type: "text" },
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
