//! Frameworks over HTTP.

use actix_web::get;
use utoipa_actix_web::service_config::ServiceConfig;

use super::model;
use super::wire::{FrameworkDetail, FrameworkSummary};
use crate::auth::Access;
use crate::auth::permission::ReadFrameworks;
use crate::db::list::Order;
use crate::http::{EntityTag, ListParams, Listing, NoFilter, Page, PathOf, Problem, Reply};
use crate::ids::FrameworkCode;

pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list_frameworks).service(get_framework);
}

/// List frameworks
///
/// Sort key: `code`.
#[utoipa::path(
    tag = "frameworks",
    params(ListParams),
    responses((status = 200, description = "A page of frameworks", content((Page<FrameworkSummary> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["frameworks:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/frameworks")]
async fn list_frameworks(access: Access<ReadFrameworks>, list: Listing<NoFilter>) -> Result<Reply, Problem> {
    let by_code = Order { key: model::CODE, descending: false };
    let order = list.order(&[model::CODE], &[by_code], by_code)?;
    let window = list.window(&order)?;
    let slice = access.read(async move |conn| Ok(model::list(conn, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, FrameworkSummary::from))
}

/// Read a framework
///
/// The whole tree: groups, subgroups and indicators with their weights and methods. `status` says whether the method is
/// published (`official`) or inferred (`assumed`).
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
) -> Result<Reply, Problem> {
    let code = code.0.0;
    let row = access
        .fetch(async |conn| Ok(model::find(conn, &code).await?))
        .await?
        .ok_or_else(Problem::not_found)?;
    let tag = EntityTag::of_version(row.version);
    let framework = model::read(row.definition)?;
    Reply::resource(&access.conditions, &tag, || FrameworkDetail {
        framework,
        indicators: row.indicators,
        version: row.version,
    })
}
