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
use crate::http::query::{AnyOf, invalid};
use crate::http::{EntityTag, ListQuery, Msg, PathOf, Problem, Reply};
use crate::scoring::engine::fixed::Fixed;
use crate::scoring::engine::framework::Aggregate;
use crate::scoring::engine::framework_leaf::Method;
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
    /// Number of draws of weights (and methods). Default: 1,000.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 10000, default = 1000, example = 1000)]
    draws: Option<String>,
    /// Seed of the random numbers. The same seed gives the same result.
    #[param(value_type = Option<u64>, minimum = 0, default = 1, example = 1)]
    seed: Option<String>,
    /// Each weight is multiplied by a random factor between 1 − `spread` and 1 + `spread`; 0–1.
    #[param(value_type = Option<f64>, minimum = 0, maximum = 1, default = 0.25, example = 0.25)]
    spread: Option<String>,
    /// Alternative normalisation methods, comma-separated: `min_max`, `z_score`, `ratio_to_max`, `ratio_to_best`, `rank`. Leaves with
    /// fixed bounds keep them.
    #[param(value_type = Option<String>, example = "min_max,rank")]
    method: Option<AnyOf<Method>>,
    /// Alternative means, comma-separated: `arithmetic`, `geometric`, `harmonic`.
    #[param(value_type = Option<String>, example = "geometric")]
    aggregate: Option<AnyOf<Aggregate>>,
}

impl RobustnessQuery {
    fn options(&self) -> Result<Options, Problem> {
        let draws = match self.draws.as_deref().map_or(Ok(DRAWS), str::parse) {
            Ok(draws) if (1..=MAX_DRAWS).contains(&draws) => draws,
            _ => {
                return Err(invalid(
                    "draws",
                    Msg::fixed(
                        "draws phải là số nguyên từ 1 đến 10000.",
                        "`draws` must be between 1 and 10000.",
                    ),
                ));
            }
        };
        let seed = self.seed.as_deref().map_or(Ok(SEED), str::parse).map_err(|_| {
            invalid(
                "seed",
                Msg::fixed(
                    "seed phải là số nguyên không âm.",
                    "`seed` must be a whole number, 0 or greater.",
                ),
            )
        })?;
        let spread: Option<Fixed> = self.spread.as_deref().unwrap_or(SPREAD).parse().ok();
        let spread = spread.filter(|spread| !spread.is_negative() && *spread <= Fixed::one());
        let weight_spread = spread.ok_or_else(|| {
            invalid("spread", Msg::fixed("spread phải từ 0 đến 1.", "`spread` must be between 0 and 1."))
        })?;
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
                "Không dùng được `none` hoặc `goalposts` làm phương pháp thay thế.",
                "`none` and `goalposts` cannot be used as alternative methods.",
            );
            return Err(invalid("method", detail));
        }
        if aggregates.contains(&Aggregate::Sum) {
            let detail = Msg::fixed(
                "Không dùng được `sum`; chỉ nhận các phương pháp trung bình: arithmetic, geometric, harmonic.",
                "`sum` is not allowed here. Use `arithmetic`, `geometric` or `harmonic`.",
            );
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
        "Với quy mô lần tính này, draws không được vượt quá {most}.",
        "For a run of this size, `draws` must be at most {most}."
    );
    Err(invalid("draws", detail))
}

/// The robustness of the ranks of a run.
#[derive(Debug, Serialize, ToSchema)]
pub struct Robustness {
    pub run: Uuid,
    pub draws: usize,
    pub seed: u64,
    pub spread: Fixed,
    /// Number of combinations of methods that were drawn, including the framework's own.
    pub variants: usize,
    /// Interval of ranks of each unit, under other weights and methods.
    pub intervals: Vec<RankInterval>,
    /// Effect of leaving out each indicator; its weight goes to the others of its group.
    pub left_out: Vec<LeftOut>,
}

/// Test the robustness of ranks
///
/// Recomputes the run many times with random weights (and, on request, other methods and means) and returns the interval of ranks
/// of each unit, and the effect of leaving out each indicator. A wide interval means that the rank is unreliable. The same
/// parameters give the same result. Officers see the intervals of agencies in their scope, with the default parameters only;
/// other parameters return 403 `WITHHELD`.
#[utoipa::path(
    tag = "runs",
    params(("id" = Uuid, Path), RobustnessQuery),
    responses((status = 200, description = "The rank intervals", body = Robustness)),
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
