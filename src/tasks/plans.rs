//! Plans over HTTP.

use actix_web::{get, patch, post};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::plans::{self as model, PlanQuery, PlanRow, PlanWrite};
use crate::agencies::model as agencies;
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::{ReadPlans, WritePlans};
use crate::db::Conn;
use crate::db::keyset::Order;
use crate::http::csv::CsvRow;
use crate::http::query::AnyOf;
use crate::http::{
    Check, EntityTag, ListParams, ListQuery, Msg, Page, Patch, PathOf, Problem, ProblemCode, Reply,
    ValidJson, Violations,
};
use crate::ids::PlanCode;
use crate::values::fold;

/// A plan with its tasks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Plan {
    #[schema(example = "KH-332-2017")]
    pub code: String,
    /// Number of the document.
    #[schema(example = "332/KH-UBND")]
    pub number: String,
    pub title: String,
    /// Year it is for.
    #[schema(example = 2018)]
    pub year: i32,
    pub issued_on: NaiveDate,
    /// Code of the agency that issued it.
    #[schema(example = "UBND-TINH")]
    pub issuer: String,
    /// Code of the framework it works towards.
    #[schema(example = "ICT-INDEX-2016")]
    pub framework: Option<String>,
    pub version: i32,
}

impl From<PlanRow> for Plan {
    fn from(row: PlanRow) -> Self {
        Self {
            code: row.code,
            number: row.number,
            title: row.title,
            year: row.year,
            issued_on: row.issued_on,
            issuer: row.issuer,
            framework: row.framework_code,
            version: row.version,
        }
    }
}

impl CsvRow for Plan {
    const COLUMNS: &'static [&'static str] =
        &["code", "number", "title", "year", "issued_on", "issuer", "framework", "version"];
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PlanFilter {
    /// Words of the title, number or code. Ignores case and diacritics.
    q: Option<String>,
    /// Years, comma-separated.
    #[param(value_type = Option<String>, example = "2018")]
    year: Option<AnyOf<PlanYear>>,
}

/// A year in a list of them.
#[derive(Clone, Copy, Debug)]
struct PlanYear(i32);

impl<'de> Deserialize<'de> for PlanYear {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| serde::de::Error::custom("expected a year"))
    }
}

/// List plans
///
/// By code. Sort keys: `code`, `year`.
#[utoipa::path(
    tag = "plans",
    params(PlanFilter, ListParams),
    responses((status = 200, description = "A page of plans", content((Page<Plan> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["plans:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/plans")]
pub async fn list_plans(access: Access<ReadPlans>, list: ListQuery<PlanFilter>) -> Result<Reply, Problem> {
    let by_code = Order { key: model::CODE, descending: false };
    let order = list.order(&[model::CODE, model::YEAR], &[by_code], by_code)?;
    let query = PlanQuery {
        q: list.filter.q.as_deref().map(fold),
        years: list.filter.year.as_ref().map(|any| any.0.iter().map(|year| year.0).collect()),
    };
    let window = list.window(&order)?;
    let slice = access.read(async move |conn| Ok(model::list(conn, query, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, Plan::from))
}

/// Read a plan
#[utoipa::path(
    tag = "plans",
    params(("code" = PlanCode, Path)),
    responses((status = 200, description = "The plan", body = Plan)),
    security(("bearer" = ["plans:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/plans/{code}")]
pub async fn get_plan(access: Access<ReadPlans>, code: PathOf<PlanCode>) -> Result<Reply, Problem> {
    let code = code.0;
    let found = access.read(async move |conn| Ok(model::find(conn, &code.0).await?)).await?;
    let row = found.ok_or_else(Problem::not_found)?;
    Reply::resource(&access.conditions, &EntityTag::of_version(row.version), || Plan::from(row))
}

/// A new plan.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlan {
    #[schema(
        example = "KH-12-2019",
        pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$",
        min_length = 1,
        max_length = 64
    )]
    code: String,
    /// Number of the document.
    #[schema(example = "12/KH-UBND", min_length = 1, max_length = 100)]
    number: String,
    #[schema(min_length = 1, max_length = 1000)]
    title: String,
    /// Year it is for.
    #[schema(example = 2019, minimum = 1900, maximum = 2199)]
    year: i32,
    issued_on: NaiveDate,
    /// Code of the agency that issued it.
    #[schema(example = "UBND-TINH")]
    issuer: String,
    /// Code of the framework it works towards. The framework can be created later.
    #[schema(example = "ICT-INDEX-2016", pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$", max_length = 64)]
    framework: Option<String>,
}

impl Check for NewPlan {
    fn check(&self, faults: &mut Violations) {
        faults.code("/code", &self.code);
        faults.name("/number", self.number.trim(), 1, 100);
        faults.name("/title", self.title.trim(), 1, 1000);
        if !(1900..=2199).contains(&self.year) {
            let detail = Msg::fixed("Năm phải từ 1900 đến 2199.", "The year must be between 1900 and 2199.");
            faults.add(ProblemCode::InvalidValue, "/year", detail);
        }
        faults.day("/issued_on", self.issued_on);
        if let Some(framework) = &self.framework {
            faults.code("/framework", framework);
        }
    }
}

impl NewPlan {
    async fn resolve(self, conn: &mut Conn) -> Result<PlanWrite, Problem> {
        let issuer = agencies::ids_of(conn, vec![self.issuer.clone()]).await?.remove(&self.issuer);
        let code = &self.issuer;
        let issuer = issuer.ok_or_else(|| {
            let detail = crate::agencies::unknown(&code);
            Problem::at(ProblemCode::UnknownReference, "/issuer", detail)
        })?;
        Ok(PlanWrite {
            code: self.code,
            number: self.number.trim().to_owned(),
            title: self.title.trim().to_owned(),
            year: self.year,
            issued_on: self.issued_on,
            issuer,
            framework: self.framework,
        })
    }
}

/// Create a plan
#[utoipa::path(
    tag = "plans",
    request_body = NewPlan,
    responses((status = 201, description = "Created", body = Plan, headers(("Location" = String, description = "URL of the new resource")))),
    security(("bearer" = ["plans:write"]))
)]
#[post("/plans")]
pub async fn create_plan(access: Access<WritePlans>, body: ValidJson<NewPlan>) -> Result<Reply, Problem> {
    let (actor, new) = (access.actor(), body.value);
    access
        .post(&body.digest, async move |conn| {
            let code = new.code.clone();
            let write = new.resolve(conn).await?;
            if !model::insert(conn, write, &actor).await? {
                let detail = msg!("Mã kế hoạch `{code}` đã được sử dụng.", "Plan `{code}` already exists.");
                return Err(Problem::at(ProblemCode::AlreadyExists, "/code", detail));
            }
            let row = model::find(conn, &code).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::create("plan", &code, &row)).await?;
            let tag = EntityTag::of_version(row.version);
            Ok(Reply::created(format!("/api/v1/plans/{code}"), &Plan::from(row))?.tagged(&tag))
        })
        .await
}

/// Changes to a plan. Absent fields are left unchanged; null clears a field.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanPatch {
    #[schema(min_length = 1, max_length = 100, nullable = false)]
    number: Option<String>,
    #[schema(min_length = 1, max_length = 1000, nullable = false)]
    title: Option<String>,
    #[schema(minimum = 1900, maximum = 2199, nullable = false)]
    year: Option<i32>,
    #[schema(nullable = false)]
    issued_on: Option<NaiveDate>,
    #[schema(nullable = false)]
    issuer: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 64)]
    framework: Patch<String>,
}

impl Check for PlanPatch {
    /// The other rules are those of a whole plan: checked when the patch has been applied.
    fn check(&self, faults: &mut Violations) {
        faults.day("/issued_on", self.issued_on);
    }
}

impl PlanPatch {
    fn apply(self, row: &PlanRow) -> Result<NewPlan, Problem> {
        let whole = NewPlan {
            code: row.code.clone(),
            number: self.number.unwrap_or_else(|| row.number.clone()),
            title: self.title.unwrap_or_else(|| row.title.clone()),
            year: self.year.unwrap_or(row.year),
            issued_on: self.issued_on.unwrap_or(row.issued_on),
            issuer: self.issuer.unwrap_or_else(|| row.issuer.clone()),
            framework: self.framework.optional(row.framework_code.clone()),
        };
        let mut faults = Violations::default();
        whole.check(&mut faults);
        faults.into_result().map(|()| whole)
    }
}

/// Change a plan
#[utoipa::path(
    tag = "plans",
    params(("code" = PlanCode, Path)),
    request_body = PlanPatch,
    responses((status = 200, description = "The updated plan", body = Plan)),
    extensions(("x-if-match" = json!("required"))),
    security(("bearer" = ["plans:write"]))
)]
#[patch("/plans/{code}")]
pub async fn update_plan(
    access: Access<WritePlans>,
    code: PathOf<PlanCode>,
    body: ValidJson<PlanPatch>,
) -> Result<Reply, Problem> {
    let (actor, conditions, code) = (access.actor(), access.conditions.clone(), code.0.0);
    access
        .transaction(async move |conn| {
            let before = model::lock(conn, &code).await?.ok_or_else(Problem::not_found)?;
            conditions.require_match(before.version)?;
            let write = body.value.apply(&before)?.resolve(conn).await?;
            model::update(conn, write, &actor).await?;
            let after = model::find(conn, &code).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::update("plan", &code, &before, &after)).await?;
            let tag = EntityTag::of_version(after.version);
            Ok(Reply::ok(&Plan::from(after))?.tagged(&tag))
        })
        .await
}
