//! Levels of a procedure over HTTP: each from a day on, by a decision.

use actix_web::{get, post};
use chrono::NaiveDate;

use super::level_wire::{NewLevel, ServiceLevel};
use super::model;
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::{ReadServices, WriteServices};
use crate::db::keyset::Order;
use crate::http::{
    EntityTag, ListParams, ListQuery, NoFilter, Page, PathOf, Problem, ProblemCode, Reply, ValidJson,
};
use crate::ids::ServiceCode;
use crate::values::vietnamese;

/// List the levels of a procedure
///
/// Newest first, including levels that take effect in the future. Sort key: `effective_from`.
#[utoipa::path(
    tag = "services",
    params(("code" = ServiceCode, Path), ListParams),
    responses((status = 200, description = "A page of levels", content((Page<ServiceLevel> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["services:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/services/{code}/levels")]
pub(super) async fn list_service_levels(
    access: Access<ReadServices>,
    code: PathOf<ServiceCode>,
    list: ListQuery<NoFilter>,
) -> Result<Reply, Problem> {
    let newest = Order { key: model::EFFECTIVE_FROM, descending: true };
    let order = list.order(&[model::EFFECTIVE_FROM], &[newest], newest)?;
    let (code, window) = (code.0, list.window(&order)?);
    let found = access.read(async move |conn| Ok(model::levels(conn, code.0, &order, window).await?)).await?;
    let slice = found.ok_or_else(Problem::not_found)?;
    Reply::page(&access.conditions, list.format, &list.page(slice, ServiceLevel::from))
}

/// Add a level to a procedure
///
/// `effective_from` can be in the past, to record history, or in the future. Only one level can start on a given day. The
/// procedure's `version` increases; the response has its new `ETag`.
#[utoipa::path(
    tag = "services",
    params(("code" = ServiceCode, Path)),
    request_body = NewLevel,
    responses((status = 201, description = "Created", body = ServiceLevel, headers(("Location" = String, description = "URL of the levels")))),
    extensions(("x-if-match" = json!("optional"))),
    security(("bearer" = ["services:write"]), ("oauth2" = ["catalogue:write"]))
)]
#[post("/services/{code}/levels")]
pub(super) async fn add_service_level(
    access: Access<WriteServices>,
    code: PathOf<ServiceCode>,
    body: ValidJson<NewLevel>,
) -> Result<Reply, Problem> {
    let (actor, conditions, code) = (access.actor(), access.conditions.clone(), code.0);
    let level = body.value.row();
    access
        .post(&body.digest, async move |conn| {
            let service = model::lock(conn, &code.0, actor.today()).await?.ok_or_else(Problem::not_found)?;
            conditions.match_if_given(service.version)?;
            if !model::add_level(conn, service.id, level.clone(), &actor).await? {
                return Err(effective_already(level.effective_from));
            }
            audit::record(conn, &actor, Event::create("service_level", &code.0, &level)).await?;
            let tag = EntityTag::of_version(service.version + 1);
            let location = format!("/api/v1/services/{code}/levels");
            Ok(Reply::created(location, &ServiceLevel::from(level))?.tagged(&tag))
        })
        .await
}

fn effective_already(day: NaiveDate) -> Problem {
    let day_vi = vietnamese::day(day);
    let detail = msg!(
        "Thủ tục này đã có mức độ có hiệu lực từ ngày {day_vi}.",
        "A level already takes effect on {day}."
    );
    Problem::at(ProblemCode::AlreadyExists, "/effective_from", detail)
}
