//! Agencies over HTTP.

use actix_web::{get, patch, post};
use utoipa_actix_web::service_config::ServiceConfig;

use super::model::{self, AgencyRow, AgencyWrite};
use super::wire::{Agency, AgencyFilter, AgencyGroup, AgencyPatch, GroupFilter, NewAgency};
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::{ReadAgencies, WriteAgencies};
use crate::db::Conn;
use crate::db::keyset::Order;
use crate::http::{
    EntityTag, ListParams, ListQuery, Msg, Page, PathOf, Problem, ProblemCode, Reply, ValidJson, Violations,
};
use crate::ids::AgencyCode;

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(list_agencies)
        .service(create_agency)
        .service(get_agency)
        .service(update_agency)
        .service(list_agency_groups);
}

/// List agencies
///
/// Sorted by name, in Vietnamese order. Sort keys: `name`, `code`, `kind`.
#[utoipa::path(
    tag = "agencies",
    params(AgencyFilter, ListParams),
    responses((status = 200, description = "A page of agencies", content((Page<Agency> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["agencies:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/agencies")]
async fn list_agencies(
    access: Access<ReadAgencies>,
    list: ListQuery<AgencyFilter>,
) -> Result<Reply, Problem> {
    let by_name = Order { key: model::NAME, descending: false };
    let order = list.order(
        &[model::NAME, model::CODE, model::KIND],
        &[by_name],
        Order { key: model::CODE, descending: false },
    )?;
    let (query, window) = (list.filter.query(), list.window(&order)?);
    let slice = access.read(async move |conn| Ok(model::list(conn, query, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, Agency::from))
}

/// Read an agency
#[utoipa::path(
    tag = "agencies",
    params(("code" = AgencyCode, Path)),
    responses((status = 200, description = "The agency", body = Agency)),
    security(("bearer" = ["agencies:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/agencies/{code}")]
async fn get_agency(access: Access<ReadAgencies>, code: PathOf<AgencyCode>) -> Result<Reply, Problem> {
    let code = code.0;
    let found = access.read(async move |conn| Ok(model::find(conn, &code.0).await?)).await?;
    let row = found.ok_or_else(Problem::not_found)?;
    Reply::resource(&access.conditions, &tag_of(&row), || Agency::from(row))
}

/// Create an agency
#[utoipa::path(
    tag = "agencies",
    request_body = NewAgency,
    responses((status = 201, description = "Created", body = Agency, headers(("Location" = String, description = "URL of the new resource")))),
    security(("bearer" = ["agencies:write"]))
)]
#[post("/agencies")]
async fn create_agency(access: Access<WriteAgencies>, body: ValidJson<NewAgency>) -> Result<Reply, Problem> {
    let actor = access.actor();
    let new = body.value;
    access
        .post(&body.digest, async move |conn| {
            let code = new.code.clone();
            let write = resolve(conn, new, None).await?;
            if !model::insert(conn, write, &actor).await? {
                return Err(taken(&code));
            }
            let row = model::find(conn, &code).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::create("agency", &code, &row)).await?;
            let tag = tag_of(&row);
            Ok(Reply::created(format!("/api/v1/agencies/{code}"), &Agency::from(row))?.tagged(&tag))
        })
        .await
}

/// Who it took over from is written at other agencies: part of what is shown, not of its version.
fn tag_of(row: &AgencyRow) -> EntityTag {
    EntityTag::of_variant(
        row.version,
        &[&row.predecessors.join(","), &row.successors.join(","), row.parent.as_deref().unwrap_or("")],
    )
}

fn taken(code: &str) -> Problem {
    Problem::at(
        ProblemCode::AlreadyExists,
        "/code",
        msg!("Mã cơ quan `{code}` đã được sử dụng.", "Agency `{code}` already exists."),
    )
}

/// Finds what the codes refer to and checks what only the database knows.
async fn resolve(
    conn: &mut Conn,
    new: NewAgency,
    existing: Option<&AgencyRow>,
) -> Result<AgencyWrite, Problem> {
    let mut faults = Violations::default();
    let codes = new.parent.iter().chain(&new.successors).cloned().collect();
    let ids = model::ids_of(conn, codes).await?;
    let mut look = |code: &String, pointer: String| {
        let id = ids.get(code).copied();
        if id.is_none() {
            faults.add(ProblemCode::UnknownReference, pointer, crate::agencies::unknown(&code));
        }
        id
    };
    let parent = new.parent.as_ref().and_then(|code| look(code, "/parent".into()));
    let successors = new
        .successors
        .iter()
        .enumerate()
        .filter_map(|(i, code)| look(code, format!("/successors/{i}")))
        .collect();
    if let (Some(agency), Some(parent)) = (existing, parent)
        && model::would_cycle(conn, agency.id, parent).await?
    {
        let detail = Msg::fixed(
            "Cơ quan cấp trên không được là chính cơ quan này hoặc một cơ quan trực thuộc của nó.",
            "The parent must not be the agency itself or one of its subordinates.",
        );
        faults.add(ProblemCode::CyclicReference, "/parent", detail);
    }
    if new.successors.contains(&new.code) {
        let detail = Msg::fixed(
            "Cơ quan kế thừa không được là chính cơ quan này.",
            "An agency cannot be its own successor.",
        );
        faults.add(ProblemCode::CyclicReference, "/successors", detail);
    }
    let trimmed = |text: Option<String>| text.map(|t| t.trim().to_owned());
    let write = AgencyWrite {
        code: new.code,
        name: new.name.trim().to_owned(),
        name_en: trimmed(new.name_en),
        kind: new.kind.as_str(),
        parent,
        gso_code: trimmed(new.gso_code),
        qcvn102_code: trimmed(new.qcvn102_code),
        eid_code: trimmed(new.eid_code),
        valid_from: new.valid_from,
        valid_to: new.valid_to,
        dossier_source: new.dossier_source,
        successors,
    };
    faults.into_result()?;
    if model::gso_code_taken(conn, &write).await? {
        let detail = Msg::fixed(
            "Mã thống kê này đang được cơ quan khác sử dụng trong cùng thời gian hiệu lực.",
            "Another agency has this statistics code during the same period.",
        );
        return Err(Problem::at(ProblemCode::AlreadyExists, "/gso_code", detail));
    }
    Ok(write)
}

/// Change an agency
#[utoipa::path(
    tag = "agencies",
    params(("code" = AgencyCode, Path)),
    request_body = AgencyPatch,
    responses((status = 200, description = "The updated agency", body = Agency)),
    extensions(("x-if-match" = json!("required"))),
    security(("bearer" = ["agencies:write"]))
)]
#[patch("/agencies/{code}")]
async fn update_agency(
    access: Access<WriteAgencies>,
    code: PathOf<AgencyCode>,
    body: ValidJson<AgencyPatch>,
) -> Result<Reply, Problem> {
    let (actor, conditions, code) = (access.actor(), access.conditions.clone(), code.0);
    access
        .transaction(async move |conn| {
            let before = model::lock(conn, &code.0).await?.ok_or_else(Problem::not_found)?;
            conditions.require_match(before.version)?;
            let whole = body.value.apply(&before)?;
            let write = resolve(conn, whole, Some(&before)).await?;
            model::update(conn, before.id, write, &actor).await?;
            let after = model::find(conn, &code.0).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::update("agency", &code.0, &before, &after)).await?;
            let tag = tag_of(&after);
            Ok(Reply::ok(&Agency::from(after))?.tagged(&tag))
        })
        .await
}

/// List groups of agencies
///
/// Sort key: `code`.
#[utoipa::path(
    tag = "agencies",
    params(GroupFilter, ListParams),
    responses((status = 200, description = "A page of groups", content((Page<AgencyGroup> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["agencies:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/agency-groups")]
async fn list_agency_groups(
    access: Access<ReadAgencies>,
    list: ListQuery<GroupFilter>,
) -> Result<Reply, Problem> {
    let by_code = Order { key: model::GROUP_CODE, descending: false };
    let order = list.order(&[model::GROUP_CODE], &[by_code], by_code)?;
    let (on, window) = (list.filter.active_on.unwrap_or(access.today()), list.window(&order)?);
    let slice = access.read(async move |conn| Ok(model::groups(conn, on, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, AgencyGroup::from))
}
