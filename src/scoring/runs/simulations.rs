//! What would follow from other figures, over HTTP. Nothing is stored.

use std::collections::HashSet;

use actix_web::{post, web};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

use super::faults::{departed, no_way, refused, too_much, unknown_indicator, unknown_unit};
use super::limited_simulation as limited;
use super::model::RunRow;
use super::run_store::both_of;
use crate::auth::Access;
use crate::auth::permission::ReadStatistics;
use crate::http::json::at_most;
use crate::http::{Check, Msg, PathOf, Problem, ProblemCode, Reply, ValidJson, Violations};
use crate::scoring::disclosure::Withheld;
use crate::scoring::engine::fixed::Fixed;
use crate::scoring::engine::input::observed_codes;
use crate::scoring::engine::inverse::{Goal, Inverse, least_change, scorings_to_reach};
use crate::scoring::engine::outcome::ScoreItem;
use crate::scoring::engine::score::Run;
use crate::scoring::engine::whatif::{FrontierMode, Moved, Substitution, scores_to_simulate, simulate};
use crate::scoring::engine::work::{Cancellation, TooMuchWork, count, within};
use crate::state::State;

const MOST_CHANGES: usize = 2_000;
const MOST_INDICATORS: usize = 200;
const MOST_NODES: usize = 20;

/// A simulation.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSimulation {
    /// Changed figures, at most 2,000, each figure once. Default: none.
    #[serde(default, deserialize_with = "at_most::<_, _, MOST_CHANGES>")]
    #[schema(max_items = 2000, required = false)]
    pub changes: Vec<NewFigure>,
    /// `live` (default): bounds follow the changed figures; `frozen`: bounds stay as they were in the run.
    #[serde(default = "live")]
    #[schema(required = false)]
    pub frontier: FrontierMode,
    /// Codes of the nodes whose scores are returned. Default: the root.
    #[serde(default, deserialize_with = "at_most::<_, _, MOST_NODES>")]
    #[schema(max_items = 20, required = false, example = json!(["ICT"]))]
    pub nodes: Vec<String>,
    /// A score or rank to reach; the response has the smallest change that reaches it, after `changes`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub goal: Option<NewGoal>,
}

fn live() -> FrontierMode {
    FrontierMode::Live
}

/// A changed figure of a unit. For an indicator with numerator and denominator: the quotient times `per`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SimulationChange)]
pub struct NewFigure {
    #[schema(example = "SO-YT")]
    pub unit: String,
    #[schema(example = "CQ.HT.01")]
    pub indicator: String,
    /// New figure; null removes it.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true, example = 0.9)]
    pub value: Option<Fixed>,
}

/// A score or rank to reach by improving some indicators, each by the same share of its distance to the best figure.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = SimulationGoalRequest)]
pub struct NewGoal {
    #[schema(example = "SO-YT")]
    pub unit: String,
    #[serde(deserialize_with = "at_most::<_, _, MOST_INDICATORS>")]
    #[schema(min_items = 1, max_items = 200, example = json!(["CQ.HT.01"]))]
    pub indicators: Vec<String>,
    /// Score to reach, unrounded. Set either `score` or `place`.
    #[serde(default)]
    #[schema(nullable = false)]
    pub score: Option<Fixed>,
    /// Rank to reach, or better.
    #[serde(default)]
    #[schema(nullable = false, minimum = 1, example = 3)]
    pub place: Option<u32>,
}

impl Check for NewSimulation {
    /// Against the run, with all that is wrong beside it.
    fn check(&self, _: &mut Violations) {}
}

impl NewSimulation {
    fn check_goal(&self, faults: &mut Violations) {
        let Some(goal) = &self.goal else { return };
        if goal.indicators.is_empty() {
            let detail = Msg::fixed("Phải chọn ít nhất một chỉ tiêu.", "Specify at least one indicator.");
            faults.add(ProblemCode::Required, "/goal/indicators", detail);
        }
        if goal.score.is_some() == goal.place.is_some() {
            let detail = Msg::fixed(
                "Phải khai báo một trong hai: điểm (`score`) hoặc thứ hạng (`place`).",
                "Specify either `score` or `place`.",
            );
            faults.add(ProblemCode::InvalidValue, "/goal", detail);
        }
        if goal.place == Some(0) {
            let detail = Msg::fixed("Thứ hạng phải từ 1 trở lên.", "`place` must be 1 or greater.");
            faults.add(ProblemCode::InvalidRange, "/goal/place", detail);
        }
    }
}

/// The result of a simulation.
#[derive(Debug, Serialize, ToSchema)]
pub struct SimulationAnswer {
    pub run: Uuid,
    pub frontier: FrontierMode,
    /// Scores of every unit that you can read, at the root or at `nodes`.
    pub scores: Vec<ScoreItem>,
    /// Units whose overall score or rank changes.
    pub moved: Vec<Moved>,
    /// Result for `goal`; null without a goal.
    pub inverse: Option<Inverse>,
    /// What is withheld from you. An entry without unit and node stands for all ranks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub withheld: Vec<Withheld>,
}

/// Simulate other figures
///
/// Computes the run with some figures replaced, added or removed, and returns the new scores and ranks, the units that move and
/// those that are overtaken. Nothing is stored. Without changes the scores are those of the run. With `goal`, the response also
/// has the smallest change that reaches a score or a rank. All errors are reported together.
///
/// Officers can change figures of agencies in their scope only, can set goals for them only, and see the scores of these agencies
/// only. They see no ranks that result from changes, and no score that depends on the figures of fewer than five other agencies;
/// both are named in `withheld`. A goal whose answer would reveal these (a `place`, or such a score) returns 403 `WITHHELD`.
#[utoipa::path(
    tag = "runs",
    params(("id" = Uuid, Path)),
    request_body = NewSimulation,
    responses((status = 200, description = "The simulated scores", body = SimulationAnswer)),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[post("/index-runs/{id}/simulations")]
pub async fn simulate_run(
    access: Access<ReadStatistics>,
    id: PathOf<Uuid>,
    body: ValidJson<NewSimulation>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    let (row, now) = both_of(&access, &state, id.0).await?;
    let request = body.value;
    check_names(&row, &now.run, &request)?;
    check_work(&now.run, &request).map_err(too_much)?;
    access.release_permit();
    let work = move |token: &CancellationToken| {
        let departed = || token.is_cancelled();
        answer(&row, &now.run, request, Cancellation::when(&departed))
    };
    Reply::ok(&state.computed().work(access.caller(), work).await??)
}

fn check_work(run: &Run, request: &NewSimulation) -> Result<(), TooMuchWork> {
    let to_reach = request.goal.as_ref().map_or(0, |_| scorings_to_reach(request.frontier));
    let of_goal = run.scores_each().saturating_mul(count(to_reach));
    within(scores_to_simulate(run).saturating_add(of_goal))
}

/// Every name that the run does not know, or that is not the caller's.
fn check_names(row: &RunRow, run: &Run, request: &NewSimulation) -> Result<(), Problem> {
    let mut faults = Violations::default();
    let observed = observed_codes(&run.tree);
    let known = |unit: &str| run.unit(unit).is_some() && row.explains(unit);
    repeated(request, &mut faults);
    request.check_goal(&mut faults);
    for (at, change) in request.changes.iter().enumerate() {
        if !known(&change.unit) {
            faults.add(
                ProblemCode::UnknownReference,
                format!("/changes/{at}/unit"),
                unknown_unit(&change.unit),
            );
        }
        if !observed.contains(change.indicator.as_str()) {
            let detail = unknown_indicator(&change.indicator);
            faults.add(ProblemCode::UnknownReference, format!("/changes/{at}/indicator"), detail);
        }
    }
    for (at, node) in request.nodes.iter().enumerate().filter(|(_, node)| run.tree.index_of(node).is_none()) {
        let detail = msg!(
            "Bộ chỉ số không có nhóm hoặc chỉ tiêu mang mã `{node}`.",
            "The framework has no node `{node}`."
        );
        faults.add(ProblemCode::UnknownReference, format!("/nodes/{at}"), detail);
    }
    if let Some(goal) = &request.goal {
        if !known(&goal.unit) {
            faults.add(ProblemCode::UnknownReference, "/goal/unit", unknown_unit(&goal.unit));
        }
        let is_leaf = |code: &String| run.tree.leaves().any(|(_, item, _)| item.code == *code);
        for (at, code) in goal.indicators.iter().enumerate().filter(|(_, code)| !is_leaf(code)) {
            faults.add(
                ProblemCode::UnknownReference,
                format!("/goal/indicators/{at}"),
                unknown_indicator(code),
            );
        }
    }
    faults.into_result()
}

/// What is named twice.
fn repeated(request: &NewSimulation, faults: &mut Violations) {
    let mut seen = HashSet::new();
    for (at, change) in request.changes.iter().enumerate() {
        if !seen.insert((&change.unit, &change.indicator)) {
            let detail = Msg::fixed(
                "Số liệu này đã được khai báo thay đổi ở một mục trước.",
                "This figure is already changed by an earlier item.",
            );
            faults.add(ProblemCode::DuplicateEntry, format!("/changes/{at}"), detail);
        }
    }
    let mut nodes = HashSet::new();
    for (at, node) in request.nodes.iter().enumerate().filter(|(_, node)| !nodes.insert(*node)) {
        let detail = msg!("Mã `{node}` được khai báo nhiều lần.", "Duplicate node `{node}`.");
        faults.add(ProblemCode::DuplicateEntry, format!("/nodes/{at}"), detail);
    }
    let indicators = request.goal.iter().flat_map(|goal| &goal.indicators);
    let mut once = HashSet::new();
    for (at, code) in indicators.enumerate().filter(|(_, code)| !once.insert(*code)) {
        let detail = msg!("Chỉ tiêu `{code}` được khai báo nhiều lần.", "Duplicate indicator `{code}`.");
        faults.add(ProblemCode::DuplicateEntry, format!("/goal/indicators/{at}"), detail);
    }
}

fn answer(
    row: &RunRow,
    run: &Run,
    request: NewSimulation,
    cancellation: Cancellation<'_>,
) -> Result<SimulationAnswer, Problem> {
    let change = |new: &NewFigure| Substitution {
        unit: new.unit.clone(),
        indicator: new.indicator.clone(),
        value: new.value.clone(),
    };
    let changes: Vec<Substitution> = request.changes.iter().map(change).collect();
    let is_limited = row.own.is_some();
    let mode = if is_limited { limited::mode(request.frontier) } else { request.frontier };
    cancellation.check().map_err(departed)?;
    let after = simulate(run, &changes, mode).map_err(refused)?;
    let scores = match request.nodes.as_slice() {
        [] => after.run.overall(),
        nodes => nodes.iter().flat_map(|node| after.run.scores_of(node)).collect(),
    };
    if is_limited {
        return limited::answer(row, run, after, &request, scores, cancellation);
    }
    let inverse = request.goal.map(|goal| reach(&after.run, &goal, mode, cancellation)).transpose()?;
    let (frontier, moved) = (request.frontier, after.moved);
    Ok(SimulationAnswer { run: row.id, frontier, scores, moved, inverse, withheld: Vec::new() })
}

pub fn reach(
    run: &Run,
    new: &NewGoal,
    mode: FrontierMode,
    cancellation: Cancellation<'_>,
) -> Result<Inverse, Problem> {
    let goal = match (&new.score, new.place) {
        (Some(score), _) => Goal::Score(score.clone()),
        (None, place) => Goal::Place(place.and_then(|place| usize::try_from(place).ok()).unwrap_or(1)),
    };
    let indicators: Vec<&str> = new.indicators.iter().map(String::as_str).collect();
    least_change(run, &new.unit, &indicators, &goal, mode, cancellation).map_err(no_way)
}
