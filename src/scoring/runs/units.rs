//! Why a unit stands where it does, over HTTP.

use actix_web::{get, web};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::model::RunRow;
use super::redaction;
use super::rules::Computation;
use super::run_store::{Kept, both_of};
use crate::auth::Access;
use crate::auth::permission::ReadStatistics;
use crate::http::query::invalid;
use crate::http::{EntityTag, ListQuery, Msg, PathOf, Problem, Reply};
use crate::scoring::disclosure::Withheld;
use crate::scoring::engine::explain::Explanation;
use crate::scoring::engine::fixed::Fixed;
use crate::scoring::engine::gap::Gap;
use crate::scoring::engine::hash::ENGINE_VERSION;
use crate::state::State;
use crate::values::nfc;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExplanationQuery {
    /// A score to compute the gap to, in the scale of the root.
    #[param(value_type = Option<f64>, example = 0.6)]
    target: Option<String>,
}

/// Why a unit has its score.
#[derive(Debug, Serialize, ToSchema)]
pub struct UnitExplanation {
    pub run: Uuid,
    #[schema(example = "SO-YT")]
    pub unit: String,
    pub score: Option<Fixed>,
    pub rank: Option<usize>,
    /// The whole tree, from the root. At every node, the contributions of the children and the `residual` add up to its own; the
    /// root's contribution is the score.
    pub tree: Explanation,
    /// Gap to the best unit it is ranked with. Null if you cannot read its scores.
    pub gap_to_leader: Option<Gap>,
    /// Gap to `target`; null without a target.
    pub gap_to_target: Option<Gap>,
    /// What is withheld from you.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub withheld: Vec<Withheld>,
}

/// Explain a unit's score
///
/// Returns the whole tree for one unit: raw figure, bounds, normalised value, weight (stated, and effective after missing
/// indicators are left out), contribution to the overall score, loss, and the rank at each node. Also returns the gap to the
/// leader and to `target`. `{unit}` is percent-encoded (`A%2FB` for `A/B`). For agencies outside their scope, officers get 404.
/// Values that depend on the figures of fewer than five other agencies are null for officers and named in `withheld`.
#[utoipa::path(
    tag = "runs",
    params(("id" = Uuid, Path), ("unit" = String, Path, description = "Code of the unit, percent-encoded", example = "SO-YT"), ExplanationQuery),
    responses((status = 200, description = "The explanation", body = UnitExplanation)),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/index-runs/{id}/units/{unit}/explanation")]
pub async fn explain_unit(
    access: Access<ReadStatistics>,
    path: PathOf<(Uuid, String)>,
    query: ListQuery<ExplanationQuery>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    let (row, now, unit) = unit_of(&access, &state, path.0).await?;
    let target = target_of(query.filter.target.as_deref())?;
    let limited = row.own.as_ref().map(|own| own.join(",")).unwrap_or_default();
    let told = target.as_ref().map(Fixed::to_string).unwrap_or_default();
    let tag = EntityTag::of_variant(1, &[&row.id.to_string(), &unit, &told, &limited, ENGINE_VERSION]);
    if access.conditions.is_fresh(&tag) {
        return Ok(Reply::not_modified(&tag));
    }
    access.release_permit();
    let work = move |_: &CancellationToken| explanation(&row, &now, unit, target.as_ref());
    let body = state.computed().work(access.caller(), work).await?.ok_or_else(Problem::not_found)?;
    Reply::resource(&access.conditions, &tag, || body)
}

/// The run and one of its units, if the caller may be told about it.
pub async fn unit_of(
    access: &Access<ReadStatistics>,
    state: &State,
    (id, unit): (Uuid, String),
) -> Result<(RunRow, std::sync::Arc<Kept>, String), Problem> {
    let (row, now) = both_of(access, state, id).await?;
    let unit = nfc(&unit);
    if !row.explains(&unit) || now.run.unit(&unit).is_none() {
        return Err(Problem::not_found());
    }
    Ok((row, now, unit))
}

fn target_of(text: Option<&str>) -> Result<Option<Fixed>, Problem> {
    let detail = Msg::fixed(
        "Giá trị phải là số, ví dụ 0.6 (tối đa 24 chữ số phần nguyên, 18 chữ số phần thập phân).",
        "Expected a number such as 0.6 (at most 24 digits before and 18 after the point).",
    );
    text.map(|text| text.parse().map_err(|_| invalid("target", detail.clone()))).transpose()
}

fn explanation(
    row: &RunRow,
    now: &Computation,
    unit: String,
    target: Option<&Fixed>,
) -> Option<UnitExplanation> {
    let mut tree = now.run.explain(&unit)?;
    let mut withheld = Vec::new();
    let mut is_disclosed = |gap: &Gap| gap.other.as_ref().is_none_or(|leader| row.explains(leader));
    let mut gap_to_leader = now.run.gap_to_leader(&unit).filter(&mut is_disclosed);
    let mut gap_to_target = target.and_then(|target| now.run.gap_to_target(&unit, target));
    if let Some(disclosure) = row.disclosure(&now.run) {
        redaction::explanation(&disclosure, &unit, &mut tree, &mut withheld);
        let both = |gap: &Gap| disclosure.overall(gap.other.as_ref().unwrap_or(&unit)).is_none();
        let is_disclosed = |gap: &Gap| disclosure.overall(&unit).is_none() && both(gap);
        gap_to_leader = gap_to_leader.filter(is_disclosed);
        gap_to_target = gap_to_target.filter(is_disclosed);
    }
    Some(UnitExplanation {
        run: row.id,
        score: tree.score.clone(),
        rank: tree.rank,
        tree,
        gap_to_leader,
        gap_to_target,
        withheld,
        unit,
    })
}
