//! How much a rank can be trusted, over HTTP.

use std::sync::Arc;

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::faults::{refused, too_much};
use super::model::RunRow;
use super::redaction;
use super::run_store::{Kept, row_of, run_of};
use crate::auth::Access;
use crate::auth::permission::ReadStatistics;
use crate::http::list_query::{AnyOf, invalid};
use crate::http::{EntityTag, ListQuery, Msg, PathOf, Problem, Reply};
use crate::scoring::engine::fixed::Fixed;
use crate::scoring::engine::framework::{Aggregate, Method};
use crate::scoring::engine::hash::ENGINE_VERSION;
use crate::scoring::engine::robust::{
    LeftOut, MAX_DRAWS, Options, RankInterval, Variant, leave_one_out, most_draws, rank_intervals,
};
use crate::scoring::engine::score::Run;
use crate::scoring::engine::work::Cancellation;
use crate::state::State;

const DRAWS: usize = 1_000;
const SEED: u64 = 1;
const SPREAD: &str = "0.25";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RobustnessQuery {
    /// How often weights (and methods) are drawn; 1,000 by default.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 10000, default = 1000, example = 1000)]
    draws: Option<String>,
    /// The same seed gives the same answer.
    #[param(value_type = Option<u64>, minimum = 0, default = 1, example = 1)]
    seed: Option<String>,
    /// Each weight is multiplied by 1 ± up to this, 0-1.
    #[param(value_type = Option<f64>, minimum = 0, maximum = 1, default = 0.25, example = 0.25)]
    spread: Option<String>,
    /// Methods of normalisation that are drawn beside the framework's own, comma-separated: `min_max`, `z_score`, `ratio_to_max`,
    /// `ratio_to_best`, `rank`. Where a leaf has fixed bounds, it keeps them.
    #[param(value_type = Option<String>, example = "min_max,rank")]
    method: Option<AnyOf<Method>>,
    /// Means that are drawn beside the framework's own, comma-separated: `arithmetic`, `geometric`, `harmonic`.
    #[param(value_type = Option<String>, example = "geometric")]
    aggregate: Option<AnyOf<Aggregate>>,
}

impl RobustnessQuery {
    fn options(&self) -> Result<Options, Problem> {
        let draws = match self.draws.as_deref().map_or(Ok(DRAWS), str::parse) {
            Ok(draws) if (1..=MAX_DRAWS).contains(&draws) => draws,
            _ => return Err(invalid("draws", Msg::fixed("draws từ 1 đến 10000.", "draws must be 1-10000."))),
        };
        let seed = self.seed.as_deref().map_or(Ok(SEED), str::parse).map_err(|_| {
            invalid("seed", Msg::fixed("Cần một số nguyên không âm.", "Takes a whole number, 0 or more."))
        })?;
        let spread: Option<Fixed> = self.spread.as_deref().unwrap_or(SPREAD).parse().ok();
        let spread = spread.filter(|spread| !spread.is_negative() && *spread <= Fixed::one());
        let weight_spread = spread
            .ok_or_else(|| invalid("spread", Msg::fixed("spread từ 0 đến 1.", "spread must be 0-1.")))?;
        Ok(Options { seed, draws, weight_spread, variants: self.variants()? })
    }

    /// Each way of drawing that a caller chooses compares their units with others another time: enough of them give figures away.
    fn check_not_chosen(&self) -> Result<(), Problem> {
        let is_default =
            |given: &Option<String>, default: &str| given.as_deref().is_none_or(|given| given == default);
        let chosen = [
            ("?draws", !is_default(&self.draws, &DRAWS.to_string())),
            ("?seed", !is_default(&self.seed, &SEED.to_string())),
            ("?spread", !is_default(&self.spread, SPREAD)),
            ("?method", self.method.is_some()),
            ("?aggregate", self.aggregate.is_some()),
        ];
        chosen.iter().find(|(_, chosen)| *chosen).map_or(Ok(()), |(name, _)| Err(redaction::refused(name)))
    }

    /// The framework as it is, and every other way asked for.
    fn variants(&self) -> Result<Vec<Variant>, Problem> {
        let methods = distinct(self.method.as_ref());
        let aggregates = distinct(self.aggregate.as_ref());
        if methods.iter().any(|method| matches!(method, Method::None | Method::Goalposts)) {
            let detail = Msg::fixed(
                "Không thể thay bằng `none` hoặc `goalposts`.",
                "`none` and `goalposts` cannot stand for another method.",
            );
            return Err(invalid("method", detail));
        }
        if aggregates.contains(&Aggregate::Sum) {
            let detail = Msg::fixed("`sum` không phải là trung bình.", "`sum` is no mean.");
            return Err(invalid("aggregate", detail));
        }
        let or_own = |len: usize| if len == 0 { 1 } else { len + 1 };
        let (m, a) = (or_own(methods.len()), or_own(aggregates.len()));
        let variant = |at: usize| Variant {
            method: (at % m).checked_sub(1).and_then(|at| methods.get(at)).copied(),
            aggregate: (at / m).checked_sub(1).and_then(|at| aggregates.get(at)).copied(),
        };
        Ok((0..m * a).map(variant).collect())
    }
}

/// Each once, so that there are at most 24 variants: five methods and three means beside the framework's own.
fn distinct<T: Copy + PartialEq>(any: Option<&AnyOf<T>>) -> Vec<T> {
    let mut all = Vec::new();
    for one in any.map(|any| any.0.as_slice()).unwrap_or_default() {
        if !all.contains(one) {
            all.push(*one);
        }
    }
    all
}

fn check_size(run: &Run, draws: usize) -> Result<(), Problem> {
    let most = most_draws(run);
    if draws <= most {
        return Ok(());
    }
    let detail = msg!(
        "Với lần tính này, draws tối đa {most}.",
        "For a run of this size draws must be at most {most}."
    );
    Err(invalid("draws", detail))
}

/// How much the ranks of a run can be trusted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Robustness {
    pub run: Uuid,
    pub draws: usize,
    pub seed: u64,
    pub spread: Fixed,
    /// Ways of computing that were drawn, the framework's own among them.
    pub variants: usize,
    /// Per unit: where it would stand under other weights and methods.
    pub intervals: Vec<RankInterval>,
    /// Per indicator: what would change without it, its weight going to the others of its group.
    pub left_out: Vec<LeftOut>,
}

/// Test the robustness of ranks
///
/// Draws other weights (and, where asked for, other methods and means) again and again and tells within which ranks each unit comes to
/// stand; and what would change without each indicator. A wide interval is a rank that says little. The same parameters give the same
/// answer. An officer reads the intervals of their own agencies under the default parameters; others are 403 `WITHHELD`.
#[utoipa::path(
    tag = "runs",
    params(("id" = Uuid, Path), RobustnessQuery),
    responses((status = 200, description = "Rank intervals", body = Robustness)),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/index-runs/{id}/robustness")]
pub async fn test_robustness(
    access: Access<ReadStatistics>,
    id: PathOf<Uuid>,
    query: ListQuery<RobustnessQuery>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    let row = row_of(&access, id.0).await?;
    let options = query.filter.options()?;
    if row.own.is_some() {
        query.filter.check_not_chosen()?;
    }
    let tag = tag_of(&row, &options);
    if access.conditions.is_fresh(&tag) {
        return Ok(Reply::not_modified(&tag));
    }
    let run = run_of(&access, &state, &row).await?;
    // First what may be refused.
    check_work(&run.run, &options)?;
    let results = Results { access: &access, state: &state, id: row.id, run };
    let (intervals, left_out) = (results.intervals(&options).await?, results.left_out().await?);
    Reply::resource(&access.conditions, &tag, || Robustness::of(&row, options, &intervals, &left_out))
}

fn tag_of(row: &RunRow, options: &Options) -> EntityTag {
    let own = row.own.as_ref().map(|own| own.join(",")).unwrap_or_default();
    EntityTag::of_variant(1, &[&row.id.to_string(), &format!("{options:?}"), &own, ENGINE_VERSION])
}

impl Robustness {
    fn of(row: &RunRow, options: Options, intervals: &[RankInterval], left_out: &[LeftOut]) -> Self {
        Self {
            run: row.id,
            draws: options.draws,
            seed: options.seed,
            spread: options.weight_spread,
            variants: options.variants.len(),
            intervals: redaction::intervals(row, intervals),
            left_out: redaction::left_out(row, left_out),
        }
    }
}

/// Refuses what takes too long before any of it is computed.
fn check_work(run: &Run, options: &Options) -> Result<(), Problem> {
    check_size(run, options.draws)?;
    run.affords(run.tree.leaves().count().max(options.variants.len())).map_err(too_much)
}

/// What is computed of a run once for all who ask, and the request that needs it.
struct Results<'r> {
    access: &'r Access<ReadStatistics>,
    state: &'r State,
    id: Uuid,
    run: Arc<Kept>,
}

impl Results<'_> {
    async fn intervals(&self, options: &Options) -> Result<Arc<Vec<RankInterval>>, Problem> {
        let (run, options) = (self.run.clone(), options.clone());
        let key = format!("intervals/{}/{options:?}", self.id);
        let prepare = async || {
            Ok(move |token: &CancellationToken| {
                let departed = || token.is_cancelled();
                let done = rank_intervals(&run.run, &options, Cancellation::when(&departed));
                let done = done.map_err(refused)?;
                let weight = done.len() * 200;
                Ok((done, weight))
            })
        };
        self.state.computed().get(self.access.caller(), key, prepare).await
    }

    async fn left_out(&self) -> Result<Arc<Vec<LeftOut>>, Problem> {
        let run = self.run.clone();
        let prepare = async || {
            Ok(move |token: &CancellationToken| {
                let departed = || token.is_cancelled();
                let done = leave_one_out(&run.run, Cancellation::when(&departed)).map_err(refused)?;
                let weight = done.iter().map(|out| 100 + out.moved.len() * 120).sum();
                Ok((done, weight))
            })
        };
        self.state.computed().get(self.access.caller(), format!("left_out/{}", self.id), prepare).await
    }
}
