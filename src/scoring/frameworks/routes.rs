//! Frameworks over HTTP.

use actix_web::{delete, get, post, web};
use utoipa_actix_web::service_config::ServiceConfig;

use super::model;
use super::wire::{FrameworkDetail, FrameworkFilter, FrameworkSummary};
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::{ReadFrameworks, WriteFrameworks};
use crate::db::keyset::Order;
use crate::http::problem::ProblemBody;
use crate::http::{EntityTag, ListParams, ListQuery, Page, PathOf, Problem, ProblemCode, Reply, ValidJson};
use crate::ids::FrameworkCode;
use crate::scoring::engine::framework::Framework;
use crate::state::State;

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(list_frameworks)
        .service(create_framework)
        .service(get_framework)
        .service(delete_framework);
}

/// List frameworks
///
/// Sort key: `code`.
#[utoipa::path(
    tag = "frameworks",
    params(FrameworkFilter, ListParams),
    responses((status = 200, description = "A page of frameworks", content((Page<FrameworkSummary> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["frameworks:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/frameworks")]
async fn list_frameworks(
    access: Access<ReadFrameworks>,
    list: ListQuery<FrameworkFilter>,
) -> Result<Reply, Problem> {
    let by_code = Order { key: model::CODE, descending: false };
    let order = list.order(&[model::CODE], &[by_code], by_code)?;
    let (query, window) = (list.filter.query(), list.window(&order)?);
    let slice = access.read(async move |conn| Ok(model::list(conn, query, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, FrameworkSummary::from))
}

/// Read a framework
///
/// Returns the whole tree: groups, subgroups and indicators with their weights and methods. `status` is `official` if the method
/// is published, `assumed` if it is inferred.
#[utoipa::path(
    tag = "frameworks",
    params(("code" = FrameworkCode, Path)),
    responses((status = 200, description = "The framework", body = FrameworkDetail)),
    security(("bearer" = ["frameworks:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/frameworks/{code}")]
async fn get_framework(
    access: Access<ReadFrameworks>,
    code: PathOf<FrameworkCode>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    let code = code.0.0;
    // Up to 2 MiB of JSON: read by the database's threads, checked and written by those of the blocking pool.
    let row = access.read(async move |conn| Ok(model::find(conn, &code).await?)).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let conditions = access.conditions.clone();
    let work = move || {
        let tag = EntityTag::of_version(row.version);
        let framework = model::read(row.definition)?;
        Reply::resource(&conditions, &tag, || FrameworkDetail::of(framework, row.indicators, row.version))
    };
    state.offload().run(access.caller(), work).await?
}

/// Create a framework
///
/// A framework defines how an index is computed: groups with weights and an aggregation method, and indicators with a
/// normalisation method or points. Its leaves need not be indicators of `/indicators`: figures are stored under their codes by
/// `PUT /frameworks/{code}/observations/{data_year}`. At most 8 levels, 500 indicators and 2,000 nodes.
///
/// If the framework is invalid, the response lists every error with its own code and pointer. Numbers are stored exactly as
/// written, with at most 24 digits before and 18 after the decimal point. Frameworks are immutable. `warnings` list settings that
/// are valid but probably unintended.
#[utoipa::path(
    tag = "frameworks",
    request_body(content = Framework, example = json!({"code": "DTI-XA-2026", "name": "Chuyển đổi số cấp xã", "unit_type": "commune", "status": "assumed",
        "rank": {"decimals": 4, "ties": "competition"}, "missing": "zero", "root": {"code": "DTI", "name": "DTI cấp xã", "aggregate": "arithmetic", "weight_total": 1, "children": [
            {"code": "CQS", "name": "Chính quyền số", "weight": 0.6, "aggregate": "sum", "max_points": 100, "children": [
                {"code": "CQS.1", "name": "Hồ sơ trực tuyến", "max_points": 60, "points": {"kind": "ratio"}},
                {"code": "CQS.2", "name": "Có trang thông tin", "max_points": 40, "points": {"kind": "yes_no"}}]},
            {"code": "XHS", "name": "Xã hội số", "weight": 0.4, "direction": 1, "normalise": {"method": "goalposts", "lo": 0, "hi": 80}}]}})),
    responses(
        (status = 201, description = "Created", body = FrameworkDetail, headers(("Location" = String, description = "URL of the new resource"))),
        (status = 409, description = "The code is already used", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "All errors of the framework", body = ProblemBody, content_type = "application/problem+json")
    ),
    security(("bearer" = ["frameworks:write"]))
)]
#[post("/frameworks")]
async fn create_framework(
    access: Access<WriteFrameworks>,
    body: ValidJson<Framework>,
) -> Result<Reply, Problem> {
    let (actor, framework) = (access.actor(), body.value);
    access
        .post(&body.digest, async move |conn| {
            let code = framework.code.clone();
            if !model::insert(conn, &framework, &actor).await? {
                return Err(taken(&code));
            }
            audit::record(conn, &actor, Event::create("framework", &code, &framework)).await?;
            let row = model::find(conn, &code).await?.ok_or_else(Problem::not_found)?;
            let detail = FrameworkDetail::of(framework, row.indicators, row.version);
            let tag = EntityTag::of_version(row.version);
            Ok(Reply::created(format!("/api/v1/frameworks/{code}"), &detail)?.tagged(&tag))
        })
        .await
}

fn taken(code: &str) -> Problem {
    let detail = msg!("Mã bộ chỉ số `{code}` đã được sử dụng.", "Framework `{code}` already exists.");
    Problem::at(ProblemCode::AlreadyExists, "/code", detail)
}

/// Delete a framework
///
/// Allowed only while the framework has no observations.
#[utoipa::path(
    tag = "frameworks",
    params(("code" = FrameworkCode, Path)),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "The framework has observations", body = ProblemBody, content_type = "application/problem+json")
    ),
    extensions(("x-if-match" = json!("required"))),
    security(("bearer" = ["frameworks:write"]))
)]
#[delete("/frameworks/{code}")]
async fn delete_framework(
    access: Access<WriteFrameworks>,
    code: PathOf<FrameworkCode>,
) -> Result<Reply, Problem> {
    let (actor, conditions, code) = (access.actor(), access.conditions.clone(), code.0.0);
    access
        .transaction(async move |conn| {
            let row = model::lock(conn, &code).await?.ok_or_else(Problem::not_found)?;
            conditions.require_match(row.version)?;
            if model::is_used(conn, &code).await? {
                let detail = msg!(
                    "Không xóa được bộ chỉ số `{code}` vì đã có số liệu.",
                    "Framework `{code}` has observations and cannot be deleted."
                );
                return Err(Problem::with(ProblemCode::InUse, detail));
            }
            model::delete(conn, &code).await?;
            audit::record(conn, &actor, Event::delete("framework", &code, &row.definition)).await?;
            Ok(Reply::no_content())
        })
        .await
}
