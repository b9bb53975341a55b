//! Indicators over HTTP.

use actix_web::{get, patch, post};
use utoipa_actix_web::service_config::ServiceConfig;

use super::model::{self, IndicatorQuery};
use super::national_routes;
use super::wire::{Baseline, Indicator, IndicatorDetail, IndicatorFilter, IndicatorPatch, NewIndicator};
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::{ReadIndicators, WriteIndicators};
use crate::db::Conn;
use crate::db::keyset::Order;
use crate::http::{EntityTag, ListParams, ListQuery, Page, PathOf, Problem, ProblemCode, Reply, ValidJson};
use crate::ids::IndicatorCode;
use crate::values::fold;

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(list_indicators)
        .service(create_indicator)
        .service(get_indicator)
        .service(update_indicator)
        .service(national_routes::list_national_results)
        .service(national_routes::put_national_results);
}

/// List indicators
///
/// Sort keys: `code`, `name`.
#[utoipa::path(
    tag = "frameworks",
    params(IndicatorFilter, ListParams),
    responses((status = 200, description = "A page of indicators", content((Page<Indicator> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["indicators:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/indicators")]
async fn list_indicators(
    access: Access<ReadIndicators>,
    list: ListQuery<IndicatorFilter>,
) -> Result<Reply, Problem> {
    let by_code = Order { key: model::CODE, descending: false };
    let order = list.order(&[model::CODE, model::NAME], &[by_code], by_code)?;
    let filter = &list.filter;
    let query = IndicatorQuery {
        q: filter.q.as_deref().map(fold),
        frameworks: filter.framework.clone().map(|any| any.0),
        groups: filter.group.clone().map(|any| any.0),
    };
    let window = list.window(&order)?;
    let slice = access.read(async move |conn| Ok(model::list(conn, query, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, Indicator::from))
}

/// Read an indicator
#[utoipa::path(
    tag = "frameworks",
    params(("code" = IndicatorCode, Path)),
    responses((status = 200, description = "The indicator", body = IndicatorDetail)),
    security(("bearer" = ["indicators:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/indicators/{code}")]
async fn get_indicator(
    access: Access<ReadIndicators>,
    code: PathOf<IndicatorCode>,
) -> Result<Reply, Problem> {
    let code = code.0.0;
    let (row, baselines) = access
        .read(async move |conn| {
            let row = model::find(conn, &code).await?.ok_or_else(Problem::not_found)?;
            Ok((row, model::baselines(conn, &code).await?))
        })
        .await?;
    // Frameworks and earlier figures are not written at the indicator: part of what is shown, not of its version.
    let known =
        baselines.iter().map(|b| format!("{} {} {}", b.year, b.value, b.unit)).collect::<Vec<_>>().join(",");
    let tag = EntityTag::of_variant(row.version, &[&row.frameworks.join(","), &known]);
    let baselines = baselines.into_iter().map(Baseline::from).collect();
    Reply::resource(&access.conditions, &tag, || IndicatorDetail { indicator: row.into(), baselines })
}

async fn check_group(conn: &mut Conn, new: &NewIndicator) -> Result<(), Problem> {
    if model::is_subgroup(conn, &new.group, &new.subgroup).await? {
        return Ok(());
    }
    let (group, subgroup) = (&new.group, &new.subgroup);
    let detail = msg!(
        "Nhóm `{group}` không có nhóm con mang mã `{subgroup}`.",
        "Group `{group}` has no subgroup `{subgroup}`."
    );
    Err(Problem::at(ProblemCode::UnknownReference, "/subgroup", detail))
}

/// Create an indicator
#[utoipa::path(
    tag = "frameworks",
    request_body = NewIndicator,
    responses((status = 201, description = "Created", body = Indicator, headers(("Location" = String, description = "URL of the new resource")))),
    security(("bearer" = ["indicators:write"]))
)]
#[post("/indicators")]
async fn create_indicator(
    access: Access<WriteIndicators>,
    body: ValidJson<NewIndicator>,
) -> Result<Reply, Problem> {
    let (actor, new) = (access.actor(), body.value);
    access
        .post(&body.digest, async move |conn| {
            check_group(conn, &new).await?;
            let code = new.code.clone();
            if !model::insert(conn, new.into_write(), &actor).await? {
                let detail =
                    msg!("Mã chỉ tiêu `{code}` đã được sử dụng.", "Indicator `{code}` already exists.");
                return Err(Problem::at(ProblemCode::AlreadyExists, "/code", detail));
            }
            let row = model::find(conn, &code).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::create("indicator", &code, &row)).await?;
            let tag = EntityTag::of_version(row.version);
            Ok(Reply::created(format!("/api/v1/indicators/{code}"), &Indicator::from(row))?.tagged(&tag))
        })
        .await
}

/// Change an indicator
#[utoipa::path(
    tag = "frameworks",
    params(("code" = IndicatorCode, Path)),
    request_body = IndicatorPatch,
    responses((status = 200, description = "The updated indicator", body = Indicator)),
    extensions(("x-if-match" = json!("required"))),
    security(("bearer" = ["indicators:write"]))
)]
#[patch("/indicators/{code}")]
async fn update_indicator(
    access: Access<WriteIndicators>,
    code: PathOf<IndicatorCode>,
    body: ValidJson<IndicatorPatch>,
) -> Result<Reply, Problem> {
    let (actor, conditions, code) = (access.actor(), access.conditions.clone(), code.0.0);
    access
        .transaction(async move |conn| {
            let before = model::lock(conn, &code).await?.ok_or_else(Problem::not_found)?;
            conditions.require_match(before.version)?;
            let whole = body.value.apply(&before)?;
            check_group(conn, &whole).await?;
            model::update(conn, whole.into_write(), &actor).await?;
            let after = model::find(conn, &code).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::update("indicator", &code, &before, &after)).await?;
            let tag = EntityTag::of_version(after.version);
            Ok(Reply::ok(&Indicator::from(after))?.tagged(&tag))
        })
        .await
}
