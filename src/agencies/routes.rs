//! Agencies over HTTP.

use actix_web::{get, patch, post};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::model::{self, AgencyQuery, AgencyRow, AgencyWrite, GroupRow};
use super::rules::{AgencyKind, Validity};
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::{ReadAgencies, WriteAgencies};
use crate::db::Conn;
use crate::db::list::Order;
use crate::http::csv::CsvRow;
use crate::http::listing::AnyOf;
use crate::http::{
    Check, Code, EntityTag, ListParams, Listing, Msg, Page, Patch, PathOf, Problem, Reply, ValidJson,
    Violations,
};
use crate::ids::AgencyCode;
use crate::values::fold;

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(list_agencies)
        .service(create_agency)
        .service(get_agency)
        .service(update_agency)
        .service(list_agency_groups);
}

/// An agency of the province.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agency {
    #[schema(example = "SO-YT")]
    pub code: String,
    #[schema(example = "Sở Y tế")]
    pub name: String,
    pub name_en: Option<String>,
    #[schema(value_type = AgencyKind)]
    pub kind: String,
    /// Code of the agency above it.
    #[schema(example = "UBND-TINH")]
    pub parent: Option<String>,
    /// Code of the General Statistics Office; unique only together with the validity.
    pub gso_code: Option<String>,
    /// Code of QCVN 102.
    pub qcvn102_code: Option<String>,
    /// Electronic identifier (decision 20/2020).
    pub eid_code: Option<String>,
    /// First day of its existence; null when not recorded.
    pub valid_from: Option<NaiveDate>,
    /// First day on which it no longer exists; null while it does.
    pub valid_to: Option<NaiveDate>,
    /// Agencies that took over when it ended.
    pub successors: Vec<String>,
    /// Agencies it took over from.
    pub predecessors: Vec<String>,
    /// The one source of its dossier counts: a feed's code or an agency's.
    pub dossier_source: Option<String>,
    pub version: i32,
}

impl From<AgencyRow> for Agency {
    fn from(row: AgencyRow) -> Self {
        Self {
            code: row.code,
            name: row.name,
            name_en: row.name_en,
            kind: row.kind,
            parent: row.parent,
            gso_code: row.gso_code,
            qcvn102_code: row.qcvn102_code,
            eid_code: row.eid_code,
            valid_from: row.valid_from,
            valid_to: row.valid_to,
            successors: row.successors,
            predecessors: row.predecessors,
            dossier_source: row.dossier_source,
            version: row.version,
        }
    }
}

impl CsvRow for Agency {
    const COLUMNS: &'static [&'static str] = &[
        "code",
        "name",
        "name_en",
        "kind",
        "parent",
        "gso_code",
        "qcvn102_code",
        "eid_code",
        "valid_from",
        "valid_to",
        "successors",
        "predecessors",
        "dossier_source",
        "version",
    ];
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AgencyFilter {
    /// Words of the name or code, without regard to case and diacritics.
    #[param(example = "so y te")]
    q: Option<String>,
    /// Kinds, comma-separated: `province`, `department`, `district`, `commune`, `vertical`, `media`, `enterprise`.
    #[param(value_type = Option<String>, example = "department")]
    kind: Option<AnyOf<AgencyKind>>,
    /// Codes of parents, comma-separated.
    #[param(value_type = Option<String>)]
    parent: Option<AnyOf<String>>,
    /// Code of a group.
    #[param(example = "CQNN")]
    group: Option<String>,
    /// Only agencies that exist on this day.
    active_on: Option<NaiveDate>,
}

impl AgencyFilter {
    fn query(&self) -> AgencyQuery {
        AgencyQuery {
            q: self.q.as_deref().map(fold),
            kinds: self.kind.as_ref().map(|any| any.0.iter().map(|k| k.as_str().to_owned()).collect()),
            parents: self.parent.clone().map(|any| any.0),
            group: self.group.clone(),
            active_on: self.active_on,
        }
    }
}

/// List agencies
///
/// In Vietnamese order of the name. Sort keys: `name`, `code`, `kind`.
#[utoipa::path(
    tag = "agencies",
    params(AgencyFilter, ListParams),
    responses((status = 200, description = "A page of agencies", content((Page<Agency> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["agencies:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/agencies")]
async fn list_agencies(access: Access<ReadAgencies>, list: Listing<AgencyFilter>) -> Result<Reply, Problem> {
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
    Reply::resource(&access.conditions, &EntityTag::of_version(row.version), || Agency::from(row))
}

/// A new agency.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAgency {
    #[schema(example = "SO-DL", pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$", min_length = 1, max_length = 64)]
    code: String,
    #[schema(example = "Sở Du lịch", min_length = 1, max_length = 300)]
    name: String,
    #[schema(max_length = 300)]
    name_en: Option<String>,
    kind: AgencyKind,
    /// Code of the agency above it.
    #[schema(example = "UBND-TINH")]
    parent: Option<String>,
    #[schema(max_length = 20)]
    gso_code: Option<String>,
    #[schema(max_length = 40)]
    qcvn102_code: Option<String>,
    #[schema(max_length = 40)]
    eid_code: Option<String>,
    valid_from: Option<NaiveDate>,
    /// First day on which it no longer exists.
    valid_to: Option<NaiveDate>,
    #[serde(default)]
    successors: Vec<String>,
    #[schema(max_length = 64)]
    dossier_source: Option<String>,
}

impl Check for NewAgency {
    fn check(&self, faults: &mut Violations) {
        faults.code("/code", &self.code);
        faults.length("/name", self.name.trim(), 1, 300);
        for (pointer, text, max) in [
            ("/name_en", &self.name_en, 300),
            ("/gso_code", &self.gso_code, 20),
            ("/qcvn102_code", &self.qcvn102_code, 40),
            ("/eid_code", &self.eid_code, 40),
        ] {
            if let Some(text) = text {
                faults.length(pointer, text.trim(), 1, max);
            }
        }
        if let Some(source) = &self.dossier_source {
            faults.code("/dossier_source", source);
        }
        if !(Validity { from: self.valid_from, until: self.valid_to }).is_possible() {
            faults.add(
                Code::InvalidRange,
                "/valid_to",
                Msg::fixed("valid_to phải sau valid_from.", "valid_to must be after valid_from."),
            );
        }
    }
}

/// Create an agency
#[utoipa::path(
    tag = "agencies",
    request_body = NewAgency,
    responses((status = 201, description = "Created", body = Agency, headers(("Location" = String, description = "Where it is")))),
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
            let tag = EntityTag::of_version(row.version);
            Ok(Reply::created(format!("/api/v1/agencies/{code}"), &Agency::from(row))?.tagged(&tag))
        })
        .await
}

fn taken(code: &str) -> Problem {
    Problem::at(
        Code::AlreadyExists,
        "/code",
        msg!("Đã có cơ quan `{code}`.", "There is an agency `{code}` already."),
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
            faults.add(
                Code::UnknownReference,
                pointer,
                msg!("Không có cơ quan `{code}`.", "There is no agency `{code}`."),
            );
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
        let detail = Msg::fixed("Cơ quan không thể nằm dưới chính nó.", "An agency cannot be below itself.");
        faults.add(Code::CyclicReference, "/parent", detail);
    }
    if new.successors.contains(&new.code) {
        let detail = Msg::fixed("Cơ quan không thể kế thừa chính nó.", "An agency cannot succeed itself.");
        faults.add(Code::CyclicReference, "/successors", detail);
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
            "Mã thống kê đã có cơ quan khác dùng trong cùng thời gian.",
            "Another agency holds this statistics code at the same time.",
        );
        return Err(Problem::at(Code::AlreadyExists, "/gso_code", detail));
    }
    Ok(write)
}

/// Changes of an agency: what is absent stays, null removes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgencyPatch {
    #[schema(min_length = 1, max_length = 300, nullable = false)]
    name: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 300)]
    name_en: Patch<String>,
    kind: Option<AgencyKind>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    parent: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 20)]
    gso_code: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 40)]
    qcvn102_code: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 40)]
    eid_code: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<NaiveDate>)]
    valid_from: Patch<NaiveDate>,
    #[serde(default)]
    #[schema(value_type = Option<NaiveDate>)]
    valid_to: Patch<NaiveDate>,
    successors: Option<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 64)]
    dossier_source: Patch<String>,
}

impl Check for AgencyPatch {
    /// The rules are those of a whole agency: checked when the patch has been applied.
    fn check(&self, _: &mut Violations) {}
}

impl AgencyPatch {
    fn apply(self, row: &AgencyRow) -> Result<NewAgency, Problem> {
        let stored =
            AgencyKind::parse(&row.kind).ok_or_else(|| Problem::internal("unknown kind in the database"))?;
        let whole = NewAgency {
            code: row.code.clone(),
            name: self.name.unwrap_or_else(|| row.name.clone()),
            name_en: self.name_en.optional(row.name_en.clone()),
            kind: self.kind.unwrap_or(stored),
            parent: self.parent.optional(row.parent.clone()),
            gso_code: self.gso_code.optional(row.gso_code.clone()),
            qcvn102_code: self.qcvn102_code.optional(row.qcvn102_code.clone()),
            eid_code: self.eid_code.optional(row.eid_code.clone()),
            valid_from: self.valid_from.optional(row.valid_from),
            valid_to: self.valid_to.optional(row.valid_to),
            successors: self.successors.unwrap_or_else(|| row.successors.clone()),
            dossier_source: self.dossier_source.optional(row.dossier_source.clone()),
        };
        let mut faults = Violations::default();
        whole.check(&mut faults);
        faults.into_result().map(|()| whole)
    }
}

/// Change an agency
#[utoipa::path(
    tag = "agencies",
    params(("code" = AgencyCode, Path)),
    request_body = AgencyPatch,
    responses((status = 200, description = "The agency as it is now", body = Agency)),
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
            let tag = EntityTag::of_version(after.version);
            Ok(Reply::ok(&Agency::from(after))?.tagged(&tag))
        })
        .await
}

/// A group of agencies, as the plan names them.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgencyGroup {
    #[schema(example = "CQNN")]
    pub code: String,
    pub name: String,
    /// Every agency of these kinds is a member while it exists.
    pub kinds: Vec<String>,
    /// Codes of the members on the day asked for.
    pub members: Vec<String>,
}

impl From<GroupRow> for AgencyGroup {
    fn from(row: GroupRow) -> Self {
        Self { code: row.code, name: row.name, kinds: row.kinds, members: row.members }
    }
}

impl CsvRow for AgencyGroup {
    const COLUMNS: &'static [&'static str] = &["code", "name", "kinds", "members"];
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GroupFilter {
    /// Members on this day; today when absent.
    active_on: Option<NaiveDate>,
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
    list: Listing<GroupFilter>,
) -> Result<Reply, Problem> {
    let by_code = Order { key: model::GROUP_CODE, descending: false };
    let order = list.order(&[model::GROUP_CODE], &[by_code], by_code)?;
    let (on, window) = (list.filter.active_on.unwrap_or(access.today()), list.window(&order)?);
    let slice = access.read(async move |conn| Ok(model::groups(conn, on, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, AgencyGroup::from))
}
