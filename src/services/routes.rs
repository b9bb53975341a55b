//! Procedures over HTTP.

use actix_web::{get, patch, post};
use chrono::NaiveDate;
use utoipa_actix_web::service_config::ServiceConfig;

use super::filter::ServiceFilter;
use super::model::{self, ServiceRow, ServiceWrite};
use super::rules::{ServiceStatus, StatusDayFault, itself_a_duplicate, no_service, status_day};
use super::wire::{NewService, Service, ServicePatch, tag_of};
use super::{batch, levels};
use crate::agencies::model as agencies;
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::{ReadServices, WriteServices};
use crate::db::Conn;
use crate::db::keyset::Order;
use crate::dossiers::parked;
use crate::http::{
    Check, ListParams, ListQuery, Page, PathOf, Problem, ProblemCode, Reply, ValidJson, Violations,
};
use crate::ids::ServiceCode;
use crate::values::vietnamese;

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(list_services)
        .service(create_service)
        .service(get_service)
        .service(update_service)
        .service(levels::list_service_levels)
        .service(levels::add_service_level)
        .service(batch::merge_service_batch);
}

/// List procedures
///
/// Sorted by code. Sort keys: `code`, `name`, `field`. Levels are those in effect today.
#[utoipa::path(
    tag = "services",
    params(ServiceFilter, ListParams),
    responses((status = 200, description = "A page of procedures", content((Page<Service> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["services:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/services")]
async fn list_services(
    access: Access<ReadServices>,
    list: ListQuery<ServiceFilter>,
) -> Result<Reply, Problem> {
    let by_code = Order { key: model::CODE, descending: false };
    let order = list.order(&[model::CODE, model::NAME, model::FIELD], &[by_code], by_code)?;
    let (query, today, window) = (list.filter.query(), access.today(), list.window(&order)?);
    let slice =
        access.read(async move |conn| Ok(model::list(conn, query, today, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, Service::from))
}

/// Read a procedure
#[utoipa::path(
    tag = "services",
    params(("code" = ServiceCode, Path)),
    responses((status = 200, description = "The procedure", body = Service)),
    security(("bearer" = ["services:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/services/{code}")]
async fn get_service(access: Access<ReadServices>, code: PathOf<ServiceCode>) -> Result<Reply, Problem> {
    let (code, today) = (code.0, access.today());
    let found = access.read(async move |conn| Ok(model::find(conn, &code.0, today).await?)).await?;
    let row = found.ok_or_else(Problem::not_found)?;
    Reply::resource(&access.conditions, &tag_of(&row), || Service::from(row))
}

/// Create a procedure
///
/// The status applies to all past periods. Add its level with `POST /services/{code}/levels`.
#[utoipa::path(
    tag = "services",
    request_body = NewService,
    responses((status = 201, description = "Created", body = Service, headers(("Location" = String, description = "URL of the new resource")))),
    security(("bearer" = ["services:write"]), ("oauth2" = ["catalogue:write"]))
)]
#[post("/services")]
async fn create_service(
    access: Access<WriteServices>,
    body: ValidJson<NewService>,
) -> Result<Reply, Problem> {
    let (actor, new) = (access.actor(), body.value);
    access
        .post(&body.digest, async move |conn| {
            let code = new.code.clone();
            let write = resolve(conn, new).await?;
            if !model::insert(conn, write, &actor).await? {
                return Err(taken(&code));
            }
            let row = model::find(conn, &code, actor.today()).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::create("service", &code, &row)).await?;
            parked::replay(conn, &actor, std::slice::from_ref(&code)).await?;
            let tag = tag_of(&row);
            Ok(Reply::created(format!("/api/v1/services/{code}"), &Service::from(row))?.tagged(&tag))
        })
        .await
}

fn taken(code: &str) -> Problem {
    Problem::at(
        ProblemCode::AlreadyExists,
        "/code",
        msg!("Mã thủ tục hành chính `{code}` đã có trong danh mục.", "Procedure `{code}` already exists."),
    )
}

/// Finds what the codes refer to.
async fn resolve(conn: &mut Conn, new: NewService) -> Result<ServiceWrite, Problem> {
    let mut faults = Violations::default();
    let ids = agencies::ids_of(conn, new.agencies.clone()).await?;
    for (i, agency) in new.agencies.iter().enumerate().filter(|(_, code)| !ids.contains_key(*code)) {
        faults.add(ProblemCode::UnknownReference, format!("/agencies/{i}"), crate::agencies::unknown(agency));
    }
    let mut duplicate_of = None;
    if let Some(code) = &new.duplicate_of {
        match model::original(conn, code.clone()).await? {
            None => faults.add(ProblemCode::UnknownReference, "/duplicate_of", no_service(code)),
            Some(original) if original.status == ServiceStatus::Duplicate.as_str() => {
                faults.add(ProblemCode::CyclicReference, "/duplicate_of", itself_a_duplicate(code));
            }
            Some(original) => duplicate_of = Some(original.id),
        }
    }
    faults.into_result()?;
    Ok(ServiceWrite {
        code: new.code,
        name: new.name.trim().to_owned(),
        field: new.field.trim().to_owned(),
        tier: new.tier.as_str(),
        agencies: new.agencies.iter().filter_map(|code| ids.get(code).copied()).collect(),
        status: new.status.as_str(),
        duplicate_of,
        postal: new.postal,
        information_complete: new.information_complete,
        forms_complete: new.forms_complete,
    })
}

/// Change a procedure
///
/// A new status applies from `status_effective_from`. Periods that ended earlier keep the previous status.
#[utoipa::path(
    tag = "services",
    params(("code" = ServiceCode, Path)),
    request_body = ServicePatch,
    responses((status = 200, description = "The updated procedure", body = Service)),
    extensions(("x-if-match" = json!("required"))),
    security(("bearer" = ["services:write"]), ("oauth2" = ["catalogue:write"]))
)]
#[patch("/services/{code}")]
async fn update_service(
    access: Access<WriteServices>,
    code: PathOf<ServiceCode>,
    body: ValidJson<ServicePatch>,
) -> Result<Reply, Problem> {
    let (actor, conditions, code) = (access.actor(), access.conditions.clone(), code.0);
    access
        .transaction(async move |conn| {
            let today = actor.today();
            let before = model::lock(conn, &code.0, today).await?.ok_or_else(Problem::not_found)?;
            conditions.require_match(before.version)?;
            let status_from = body.value.status_effective_from.unwrap_or(today);
            let whole = body.value.apply(&before)?;
            let status_from = status_change(conn, &before, &whole, status_from, today).await?;
            let write = resolve(conn, whole).await?;
            model::update(conn, write, status_from, &actor).await?;
            let after = model::find(conn, &code.0, today).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::update("service", &code.0, &before, &after)).await?;
            let tag = tag_of(&after);
            Ok(Reply::ok(&Service::from(after))?.tagged(&tag))
        })
        .await
}

/// Checks the procedure as patched; answers the day its new status begins, when it has a new one.
async fn status_change(
    conn: &mut Conn,
    before: &ServiceRow,
    after: &NewService,
    day: NaiveDate,
    today: NaiveDate,
) -> Result<Option<NaiveDate>, Problem> {
    const POINTER: &str = "/status_effective_from";
    let mut faults = Violations::default();
    after.check(&mut faults);
    let changed = before.status != after.status.as_str();
    if changed {
        let latest = model::latest_status(conn, before.id).await?;
        match status_day(day, latest, today) {
            Ok(()) => {}
            Err(StatusDayFault::InFuture) => {
                faults.add(ProblemCode::DateInFuture, POINTER, ProblemCode::DateInFuture.title());
            }
            Err(StatusDayFault::BeforeLatest) => {
                let latest_vi = vietnamese::day(latest);
                let detail = msg!(
                    "Trạng thái gần nhất có hiệu lực từ ngày {latest_vi}; ngày có hiệu lực mới không được trước ngày này.",
                    "The latest status took effect on {latest}; a new one cannot start before that."
                );
                faults.add(ProblemCode::InvalidRange, POINTER, detail);
            }
        }
    }
    faults.into_result().map(|()| changed.then_some(day))
}
