//! Frameworks and indicators over HTTP.

use actix_web::{get, patch, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::frameworks::{self, Framework, FrameworkSummary};
use super::model::{self, BaselineRow, IndicatorQuery, IndicatorRow, IndicatorWrite};
use super::national_routes;
use super::rules::{DefinitionStatus, Direction};
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::{ReadFrameworks, ReadIndicators, WriteIndicators};
use crate::db::Conn;
use crate::db::list::Order;
use crate::http::csv::CsvRow;
use crate::http::listing::AnyOf;
use crate::http::{
    Check, Code, EntityTag, ListParams, Listing, Msg, NoFilter, Page, Patch, PathOf, Problem, Reply,
    ValidJson, Violations,
};
use crate::ids::{FrameworkCode, IndicatorCode};
use crate::values::{Decimal, fold};

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(list_frameworks)
        .service(get_framework)
        .service(list_indicators)
        .service(create_indicator)
        .service(get_indicator)
        .service(update_indicator)
        .service(national_routes::list_national_results)
        .service(national_routes::put_national_results);
}

impl CsvRow for FrameworkSummary {
    const COLUMNS: &'static [&'static str] = &[
        "code",
        "name",
        "unit_type",
        "status",
        "rank.decimals",
        "rank.ties",
        "missing",
        "indicators",
        "version",
    ];
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
    let by_code = Order { key: frameworks::CODE, descending: false };
    let order = list.order(&[frameworks::CODE], &[by_code], by_code)?;
    let window = list.window(&order)?;
    let slice = access.read(async move |conn| Ok(frameworks::list(conn, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, FrameworkSummary::from))
}

/// Read a framework
///
/// The whole tree: groups, subgroups and indicators with their weights and methods. `status` says whether the method is
/// published (`official`) or inferred (`assumed`).
#[utoipa::path(
    tag = "frameworks",
    params(("code" = FrameworkCode, Path)),
    responses((status = 200, description = "The framework", body = Framework)),
    security(("bearer" = ["frameworks:read"]), ("oauth2" = ["catalogue:read"]))
)]
#[get("/frameworks/{code}")]
async fn get_framework(
    access: Access<ReadFrameworks>,
    code: PathOf<FrameworkCode>,
) -> Result<Reply, Problem> {
    let code = code.0.0;
    let (row, nodes) = access
        .read(async move |conn| {
            let row = frameworks::find(conn, &code).await?.ok_or_else(Problem::not_found)?;
            Ok((row, frameworks::nodes(conn, &code).await?))
        })
        .await?;
    let tag = EntityTag::of_version(row.version);
    let root = frameworks::tree(nodes).ok_or_else(|| Problem::internal("a framework without a root"))?;
    Reply::resource(&access.conditions, &tag, || Framework { summary: row.into(), root })
}

/// A component indicator.
#[derive(Debug, Serialize, ToSchema)]
pub struct Indicator {
    #[schema(example = "HT.XH.01")]
    pub code: String,
    #[schema(example = "HT")]
    pub group: String,
    #[schema(example = "HT.XH")]
    pub subgroup: String,
    pub name: String,
    /// What is counted above the line; null for an indicator reported as a value.
    pub numerator_name: Option<String>,
    /// What is counted below the line; null for an indicator reported as a value.
    pub denominator_name: Option<String>,
    /// `percent`, `per_100`, `ratio`, `kbps_per_head`, `score`, …
    #[schema(example = "per_100")]
    pub unit: String,
    #[schema(value_type = Direction)]
    pub direction: String,
    #[schema(value_type = DefinitionStatus)]
    pub definition_status: String,
    /// Frameworks that rest on it.
    pub frameworks: Vec<String>,
    pub version: i32,
}

impl From<IndicatorRow> for Indicator {
    fn from(row: IndicatorRow) -> Self {
        Self {
            code: row.code,
            group: row.group_code,
            subgroup: row.subgroup_code,
            name: row.name,
            numerator_name: row.numerator_name,
            denominator_name: row.denominator_name,
            unit: row.unit,
            direction: row.direction,
            definition_status: row.definition_status,
            frameworks: row.frameworks,
            version: row.version,
        }
    }
}

impl CsvRow for Indicator {
    const COLUMNS: &'static [&'static str] = &[
        "code",
        "group",
        "subgroup",
        "name",
        "numerator_name",
        "denominator_name",
        "unit",
        "direction",
        "definition_status",
        "frameworks",
        "version",
    ];
}

/// An indicator with the figures known of earlier years.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndicatorDetail {
    #[serde(flatten)]
    pub indicator: Indicator,
    pub baselines: Vec<Baseline>,
}

/// A figure the plan names of a year before it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Baseline {
    #[schema(example = 2017)]
    pub year: i32,
    #[schema(example = 84.1)]
    pub value: Decimal,
    pub unit: String,
    pub note: String,
}

impl From<BaselineRow> for Baseline {
    fn from(row: BaselineRow) -> Self {
        Self { year: row.year, value: row.value.into(), unit: row.unit, note: row.note }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IndicatorFilter {
    /// Words of the name or code, without regard to case and diacritics.
    q: Option<String>,
    /// Codes of frameworks, comma-separated.
    #[param(value_type = Option<String>, example = "ICT-INDEX-2016")]
    framework: Option<AnyOf<String>>,
    /// Codes of groups or subgroups, comma-separated.
    #[param(value_type = Option<String>, example = "HT.XH")]
    group: Option<AnyOf<String>>,
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
    list: Listing<IndicatorFilter>,
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
    let tag = EntityTag::of_version(row.version);
    let baselines = baselines.into_iter().map(Baseline::from).collect();
    Reply::resource(&access.conditions, &tag, || IndicatorDetail { indicator: row.into(), baselines })
}

/// A new indicator.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIndicator {
    #[schema(
        example = "UD.CQ.06",
        pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$",
        min_length = 1,
        max_length = 64
    )]
    code: String,
    /// Code of a group of a framework.
    #[schema(example = "UD")]
    group: String,
    /// Code of a subgroup below the group.
    #[schema(example = "UD.CQ")]
    subgroup: String,
    #[schema(min_length = 1, max_length = 500)]
    name: String,
    /// With `denominator_name`, or neither.
    #[schema(max_length = 300)]
    numerator_name: Option<String>,
    #[schema(max_length = 300)]
    denominator_name: Option<String>,
    #[schema(example = "percent", min_length = 1, max_length = 40)]
    unit: String,
    direction: Direction,
    definition_status: DefinitionStatus,
}

impl Check for NewIndicator {
    fn check(&self, faults: &mut Violations) {
        faults.code("/code", &self.code);
        faults.length("/name", self.name.trim(), 1, 500);
        faults.length("/unit", self.unit.trim(), 1, 40);
        for (pointer, text) in
            [("/numerator_name", &self.numerator_name), ("/denominator_name", &self.denominator_name)]
        {
            if let Some(text) = text {
                faults.length(pointer, text.trim(), 1, 300);
            }
        }
        if self.numerator_name.is_some() != self.denominator_name.is_some() {
            let detail = Msg::fixed(
                "Tử số và mẫu số phải cùng có hoặc cùng không.",
                "Numerator and denominator are named together or not at all.",
            );
            faults.add(Code::InvalidValue, "/denominator_name", detail);
        }
    }
}

impl NewIndicator {
    fn into_write(self) -> IndicatorWrite {
        let trimmed = |text: Option<String>| text.map(|t| t.trim().to_owned());
        IndicatorWrite {
            code: self.code,
            group_code: self.group,
            subgroup_code: self.subgroup,
            name: self.name.trim().to_owned(),
            numerator_name: trimmed(self.numerator_name),
            denominator_name: trimmed(self.denominator_name),
            unit: self.unit.trim().to_owned(),
            direction: self.direction.as_str(),
            definition_status: self.definition_status.as_str(),
        }
    }
}

async fn check_group(conn: &mut Conn, new: &NewIndicator) -> Result<(), Problem> {
    if model::is_subgroup(conn, &new.group, &new.subgroup).await? {
        return Ok(());
    }
    let (group, subgroup) = (&new.group, &new.subgroup);
    let detail = msg!(
        "Không có nhóm con `{subgroup}` trong nhóm `{group}`.",
        "There is no subgroup `{subgroup}` in the group `{group}`."
    );
    Err(Problem::at(Code::UnknownReference, "/subgroup", detail))
}

/// Create an indicator
#[utoipa::path(
    tag = "frameworks",
    request_body = NewIndicator,
    responses((status = 201, description = "Created", body = Indicator, headers(("Location" = String, description = "Where it is")))),
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
                let detail = msg!("Đã có chỉ tiêu `{code}`.", "There is an indicator `{code}` already.");
                return Err(Problem::at(Code::AlreadyExists, "/code", detail));
            }
            let row = model::find(conn, &code).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::create("indicator", &code, &row)).await?;
            let tag = EntityTag::of_version(row.version);
            Ok(Reply::created(format!("/api/v1/indicators/{code}"), &Indicator::from(row))?.tagged(&tag))
        })
        .await
}

/// Changes of an indicator: what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IndicatorPatch {
    group: Option<String>,
    subgroup: Option<String>,
    #[schema(min_length = 1, max_length = 500)]
    name: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 300)]
    numerator_name: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 300)]
    denominator_name: Patch<String>,
    #[schema(min_length = 1, max_length = 40)]
    unit: Option<String>,
    direction: Option<Direction>,
    definition_status: Option<DefinitionStatus>,
}

impl Check for IndicatorPatch {
    /// The rules are those of a whole indicator: checked when the patch has been applied.
    fn check(&self, _: &mut Violations) {}
}

impl IndicatorPatch {
    fn apply(self, row: &IndicatorRow) -> Result<NewIndicator, Problem> {
        let unknown = || Problem::internal("an unknown word in the database");
        let whole = NewIndicator {
            code: row.code.clone(),
            group: self.group.unwrap_or_else(|| row.group_code.clone()),
            subgroup: self.subgroup.unwrap_or_else(|| row.subgroup_code.clone()),
            name: self.name.unwrap_or_else(|| row.name.clone()),
            numerator_name: self.numerator_name.optional(row.numerator_name.clone()),
            denominator_name: self.denominator_name.optional(row.denominator_name.clone()),
            unit: self.unit.unwrap_or_else(|| row.unit.clone()),
            direction: self.direction.or(Direction::parse(&row.direction)).ok_or_else(unknown)?,
            definition_status: self
                .definition_status
                .or(DefinitionStatus::parse(&row.definition_status))
                .ok_or_else(unknown)?,
        };
        let mut faults = Violations::default();
        whole.check(&mut faults);
        faults.into_result().map(|()| whole)
    }
}

/// Change an indicator
#[utoipa::path(
    tag = "frameworks",
    params(("code" = IndicatorCode, Path)),
    request_body = IndicatorPatch,
    responses((status = 200, description = "The indicator as it is now", body = Indicator)),
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
