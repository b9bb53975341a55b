//! Observations over HTTP.

use actix_web::{get, put};
use utoipa_actix_web::service_config::ServiceConfig;

use super::checked_set::{checked, framework_of, result};
use super::model::{self, RevisionRow};
use super::store::Held;
use super::view::{ReaderRights, stored};
use super::wire::{
    DataYear, NewObservations, ObservationFilter, ObservationRevision, Observations, ObservationsResult,
    WriteParams,
};
use crate::auth::permission::{ReadObservations, WriteObservations};
use crate::auth::{Access, AgencyScope};
use crate::db::Conn;
use crate::db::keyset::Order;
use crate::http::csv::Format;
use crate::http::{
    EntityTag, ListParams, ListQuery, NoFilter, Page, PathOf, Preconditions, Problem, Reply, ValidJson,
};
use crate::ids::FrameworkCode;

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(get_observations)
        .service(put_observations)
        .service(list_revisions)
        .service(super::collect::collect_observations);
}

/// Read observations
///
/// Returns the observations of all units of a framework for one data year, with the source of each figure: the current revision,
/// or an earlier one. 404 until the first set is stored.
///
/// Officers do not see units that are agencies outside their scope, sources that belong to such agencies, or reasons. Machine
/// clients do not see notes or reasons.
#[utoipa::path(
    tag = "runs",
    params(
        ("code" = FrameworkCode, Path),
        ("data_year" = i32, Path, minimum = 2000, maximum = 2199, example = 2018),
        ObservationFilter,
        ("format" = inline(Option<Format>), Query, description = "`csv` for a spreadsheet (same as `Accept: text/csv`).")
    ),
    responses((status = 200, description = "The observations; CSV contains the rows only", content((Observations = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["observations:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/frameworks/{code}/observations/{data_year}")]
async fn get_observations(
    access: Access<ReadObservations>,
    path: PathOf<(FrameworkCode, DataYear)>,
    query: ListQuery<ObservationFilter>,
) -> Result<Reply, Problem> {
    let (FrameworkCode(code), DataYear(year)) = path.0;
    let (filter, format) = (query.filter, query.format);
    let (framework, revision) = (code.clone(), filter.revision);
    let head = access
        .read_shared(async |conn| Ok(model::head(conn, &framework, year, revision).await?))
        .await?
        .ok_or_else(Problem::not_found)?;
    let rights = ReaderRights::of(&access);
    let tag = tag_of(&head, &filter, format, &rights);
    if access.conditions.is_fresh(&tag) {
        return Ok(Reply::not_modified(&tag));
    }
    let (revision, scope) = (head.revision, rights.scope.clone());
    let read = access.read(async move |conn| stored(conn, code, year, revision, &scope).await).await?;
    access.release_permit();
    let written = write(access.conditions.clone(), format, move || read.view(year, head, &filter, &rights));
    Ok(access.offload(LARGE, written).await??.tagged(&tag))
}

/// Bytes that a set may have: parsed, filtered and written on a thread of the blocking pool.
const LARGE: usize = 16 << 20;

fn write(
    conditions: Preconditions,
    format: Format,
    view: impl FnOnce() -> Result<Observations, Problem>,
) -> impl FnOnce() -> Result<Reply, Problem> {
    move || {
        let whole = view()?;
        Reply::collection(&conditions, format, &whole, &whole.rows)
    }
}

fn tag_of(
    head: &RevisionRow,
    filter: &ObservationFilter,
    format: Format,
    rights: &ReaderRights,
) -> EntityTag {
    let mut parts = filter.parts();
    parts.extend((format == Format::Csv).then(|| "csv".to_owned()));
    parts.extend((!rights.words).then(|| "no words".to_owned()));
    parts.extend(rights.scope.ids().map(|ids| format!("{ids:?}")));
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if parts.is_empty() {
        EntityTag::of_version(head.revision)
    } else {
        EntityTag::of_variant(head.revision, &parts)
    }
}

/// Replace observations
///
/// The set replaces all observations of the framework and year. Figures that are not in it are deleted; to report a missing
/// figure, omit its row. The set is stored as a new revision, completely or not at all. The response reports all errors, the
/// first 100 with their position. Sending the same set again creates no revision.
///
/// Unchanged figures keep their source; all others become `imported`. At most 50,000 rows and 16 MiB. Numbers are stored exactly
/// as written. Unit codes are free text, but must be agency codes if the framework scores agencies.
#[utoipa::path(
    tag = "runs",
    params(("code" = FrameworkCode, Path), ("data_year" = i32, Path, minimum = 2000, maximum = 2199, example = 2020), WriteParams),
    request_body(content = NewObservations, example = json!({
        "rows": [{"unit": "Thừa Thiên Huế", "indicator": "CQS", "value": 0.5021}, {"unit": "Lào Cai", "indicator": "KTS", "numerator": 41, "denominator": 97}],
        "units": [{"code": "Lào Cai", "peer_group": "miền núi"}], "reason": "theo bảng công bố"})),
    responses((status = 200, description = "The stored revision", body = ObservationsResult)),
    extensions(("x-if-match" = json!("optional"))),
    security(("bearer" = ["observations:write"]))
)]
#[put("/frameworks/{code}/observations/{data_year}")]
async fn put_observations(
    access: Access<WriteObservations>,
    path: PathOf<(FrameworkCode, DataYear)>,
    query: ListQuery<WriteParams>,
    body: ValidJson<NewObservations>,
) -> Result<Reply, Problem> {
    let (FrameworkCode(code), DataYear(year)) = path.0;
    let (actor, conditions, dry_run) = (access.actor(), access.conditions.clone(), query.filter.dry_run);
    let work = async move |conn: &mut Conn| {
        let framework = framework_of(conn, &code).await?;
        let NewObservations { rows, units, reason } = body.value;
        let mut set = checked(conn, &framework, rows, units).await?;
        let held = Held::lock(conn, code.clone(), year, &conditions).await?;
        set.keep_sources(&held.before);
        let stored = held.store(conn, &set, reason, &actor).await?;
        Ok(result(&framework, year, dry_run, &set, stored))
    };
    let result = access.transaction_or_dry_run(dry_run, work).await?;
    let tag = EntityTag::of_version(result.revision);
    let reply = Reply::ok(&result)?;
    // The tag of a revision that is not there would let a later write pass that has not seen it.
    Ok(if dry_run { reply } else { reply.tagged(&tag) })
}

/// List revisions of observations
///
/// Oldest first; `sort=-revision` lists the latest first. Only callers who see all units see the reasons.
#[utoipa::path(
    tag = "runs",
    operation_id = "list_observation_revisions",
    params(("code" = FrameworkCode, Path), ("data_year" = i32, Path, minimum = 2000, maximum = 2199, example = 2018), ListParams),
    responses((status = 200, description = "A page of revisions", content((Page<ObservationRevision> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["observations:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/frameworks/{code}/observations/{data_year}/revisions")]
async fn list_revisions(
    access: Access<ReadObservations>,
    path: PathOf<(FrameworkCode, DataYear)>,
    list: ListQuery<NoFilter>,
) -> Result<Reply, Problem> {
    let (FrameworkCode(code), DataYear(year)) = path.0;
    let first = Order { key: model::REVISION_KEY, descending: false };
    let order = list.order(&[model::REVISION_KEY], &[first], first)?;
    let window = list.window(&order)?;
    let slice = access
        .read(async move |conn| {
            model::head(conn, &code, year, None).await?.ok_or_else(Problem::not_found)?;
            Ok(model::revisions(conn, code, year, &order, window).await?)
        })
        .await?;
    let rights = ReaderRights::of(&access);
    let sees_all = rights.words && rights.scope == AgencyScope::All;
    let page = list.page(slice, |row: RevisionRow| ObservationRevision::of(row, sees_all));
    Reply::page(&access.conditions, list.format, &page)
}
