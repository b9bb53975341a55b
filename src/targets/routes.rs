//! Targets over HTTP.

use actix_web::{get, put};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::model::{self, TargetQuery, TargetRow, TargetWrite};
use super::rules::{Subject, TargetScope, indicator_of, is_metric};
use crate::audit::{self, Event};
use crate::auth::permission::{ReadTargets, WriteTargets};
use crate::auth::{Access, Actor};
use crate::db::Conn;
use crate::db::list::Order;
use crate::http::csv::CsvRow;
use crate::http::listing::AnyOf;
use crate::http::one_or_many::{CheckAt, Listed, OneOrMany};
use crate::http::{
    Code, EntityTag, ListParams, Listing, Msg, Page, Preconditions, Problem, Reply, ValidJson, Violations,
};
use crate::values::{Comparator, Decimal};

pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list_targets).service(put_targets);
}

/// What an indicator or a rate has to reach.
#[derive(Debug, Serialize, ToSchema)]
pub struct Target {
    #[schema(value_type = Subject)]
    pub subject: String,
    /// Code of an indicator (perhaps with a breakdown after a colon), or the id of the rate it is tested against.
    #[schema(example = "dossiers_level_3_resolved")]
    pub code: String,
    #[schema(value_type = TargetScope)]
    pub scope: String,
    /// With scope `agency`: code of the one it is for; null when it is for each.
    pub agency: Option<String>,
    #[schema(example = 2018)]
    pub year: i32,
    #[schema(value_type = Comparator)]
    pub comparator: String,
    /// In percent for a metric, else in the indicator's unit.
    #[schema(example = 60)]
    pub value: Decimal,
    /// Upper end of `between`.
    pub value_to: Option<Decimal>,
    pub unit: Option<String>,
    pub due: NaiveDate,
    /// Where the plan says so.
    pub source: String,
    pub version: i32,
}

impl From<TargetRow> for Target {
    fn from(row: TargetRow) -> Self {
        Self {
            subject: row.subject,
            code: row.code,
            scope: row.scope,
            agency: row.agency,
            year: row.year,
            comparator: row.comparator,
            value: row.value.into(),
            value_to: row.value_to.map(Decimal::from),
            unit: row.unit,
            due: row.due,
            source: row.source,
            version: row.version,
        }
    }
}

impl CsvRow for Target {
    const COLUMNS: &'static [&'static str] = &[
        "subject",
        "code",
        "scope",
        "agency",
        "year",
        "comparator",
        "value",
        "value_to",
        "unit",
        "due",
        "source",
        "version",
    ];
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TargetFilter {
    /// `indicator` or `metric`, comma-separated.
    #[param(value_type = Option<String>)]
    subject: Option<AnyOf<Subject>>,
    /// Codes, comma-separated.
    #[param(value_type = Option<String>, example = "dossiers_level_3_resolved")]
    code: Option<AnyOf<String>>,
    /// `province` or `agency`, comma-separated.
    #[param(value_type = Option<String>)]
    scope: Option<AnyOf<TargetScope>>,
    /// Codes of agencies, comma-separated.
    #[param(value_type = Option<String>)]
    agency: Option<AnyOf<String>>,
    #[param(minimum = 1900, maximum = 2199)]
    year: Option<i32>,
}

impl TargetFilter {
    fn query(&self) -> TargetQuery {
        TargetQuery {
            subjects: self.subject.as_ref().map(|any| any.0.iter().map(|s| s.as_str().to_owned()).collect()),
            codes: self.code.clone().map(|any| any.0),
            scopes: self.scope.as_ref().map(|any| any.0.iter().map(|s| s.as_str().to_owned()).collect()),
            agencies: self.agency.clone().map(|any| any.0),
            years: self.year.map(|year| vec![year]),
        }
    }
}

/// List targets
///
/// Sort keys: `code`, `due`, `year`.
#[utoipa::path(
    tag = "targets",
    params(TargetFilter, ListParams),
    responses((status = 200, description = "A page of targets", content((Page<Target> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["targets:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/targets")]
async fn list_targets(access: Access<ReadTargets>, list: Listing<TargetFilter>) -> Result<Reply, Problem> {
    let by_code = Order { key: model::CODE, descending: false };
    let unique = Order { key: model::ID, descending: false };
    let order = list.order(&[model::CODE, model::DUE, model::YEAR], &[by_code], unique)?;
    let (query, window) = (list.filter.query(), list.window(&order)?);
    let slice = access.read(async move |conn| Ok(model::list(conn, query, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, Target::from))
}

/// A target. Subject, code, scope, agency and year are its key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTarget {
    subject: Subject,
    #[schema(
        example = "dossiers_level_3_resolved",
        pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$",
        min_length = 1,
        max_length = 64
    )]
    code: String,
    scope: TargetScope,
    /// Only with scope `agency`; absent: for each agency.
    agency: Option<String>,
    #[schema(example = 2018, minimum = 2000, maximum = 2199)]
    year: i32,
    comparator: Comparator,
    #[schema(example = 60)]
    value: Decimal,
    /// Needed with `between`, and only there.
    value_to: Option<Decimal>,
    #[schema(max_length = 40)]
    unit: Option<String>,
    due: NaiveDate,
    #[schema(example = "IV.3.2.b", min_length = 1, max_length = 300)]
    source: String,
}

/// Several targets at once.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes the body; it is read as OneOrMany")]
pub struct NewTargets {
    items: Vec<NewTarget>,
}

/// One target, or several under `items`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the body; it is read as OneOrMany")]
pub enum TargetsBody {
    One(NewTarget),
    Many(NewTargets),
}

/// Targets as they are now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Targets {
    pub items: Vec<Target>,
}

impl Listed for NewTarget {
    const LIST_NAMES: &'static [&'static str] = &["items", "targets"];
}

impl CheckAt for NewTarget {
    fn key(&self) -> String {
        let agency = self.agency.as_deref().unwrap_or_default();
        format!("{}/{}/{}/{agency}/{}", self.subject.as_str(), self.code, self.scope.as_str(), self.year)
    }

    fn check_at(&self, pointer: &str, faults: &mut Violations) {
        faults.length(&format!("{pointer}/source"), self.source.trim(), 1, 300);
        if let Some(unit) = &self.unit {
            faults.length(&format!("{pointer}/unit"), unit.trim(), 1, 40);
        }
        if !(2000..=2199).contains(&self.year) {
            let detail = Msg::fixed("Năm từ 2000 đến 2199.", "A year from 2000 to 2199.");
            faults.add(Code::InvalidRange, format!("{pointer}/year"), detail);
        }
        faults.day(&format!("{pointer}/due"), self.due);
        match self.subject {
            Subject::Indicator => faults.code(&format!("{pointer}/code"), &self.code),
            Subject::Metric if !is_metric(&self.code) => {
                let detail = Msg::fixed(
                    "Không có tỷ lệ này; ví dụ dossiers_level_3_resolved, services_level_3_4, on_time.",
                    "There is no such rate; for example dossiers_level_3_resolved, services_level_3_4, on_time.",
                );
                faults.add(Code::UnknownReference, format!("{pointer}/code"), detail);
            }
            Subject::Metric => {}
        }
        self.check_values(pointer, faults);
    }
}

impl NewTarget {
    fn check_values(&self, pointer: &str, faults: &mut Violations) {
        if self.agency.is_some() && self.scope == TargetScope::Province {
            let detail = Msg::fixed("Chỉ dùng với scope = agency.", "Only with scope agency.");
            faults.add(Code::InvalidValue, format!("{pointer}/agency"), detail);
        }
        let possible = match (self.comparator, &self.value_to) {
            (Comparator::Between, Some(to)) => self.value <= *to,
            (Comparator::Between, None) => false,
            (_, to) => to.is_none(),
        };
        if !possible {
            let detail = Msg::fixed(
                "value_to cần có và không nhỏ hơn value khi comparator là between, và chỉ khi đó.",
                "value_to goes with between, and is not below value.",
            );
            faults.add(Code::InvalidRange, format!("{pointer}/value_to"), detail);
        }
    }
}

/// Store targets
///
/// One target, or several under `items`; each replaces the one of the same subject, code, scope, agency and year. What is
/// stored already just so stays as it is. With one target, `If-Match` is honoured.
#[utoipa::path(
    tag = "targets",
    request_body = TargetsBody,
    responses((status = 200, description = "The targets as they are now", body = Targets)),
    extensions(("x-if-match" = json!("optional"))),
    security(("bearer" = ["targets:write"]))
)]
#[put("/targets")]
async fn put_targets(
    access: Access<WriteTargets>,
    body: ValidJson<OneOrMany<NewTarget>>,
) -> Result<Reply, Problem> {
    let (actor, conditions) = (access.actor(), access.conditions.clone());
    access
        .transaction(async move |conn| {
            let writes = resolve(conn, body.value).await?;
            let single = writes.len() == 1;
            let mut items = Vec::new();
            for write in writes {
                items.push(store(conn, write, single.then_some(&conditions), &actor).await?);
            }
            let tag = items.first().filter(|_| single).map(|item| EntityTag::of_version(item.version));
            let reply = Reply::ok(&Targets { items })?;
            Ok(tag.map_or(reply.clone(), |tag| reply.tagged(&tag)))
        })
        .await
}

/// Finds the agencies and indicators the targets name; all that are unknown are told at once.
async fn resolve(conn: &mut Conn, body: OneOrMany<NewTarget>) -> Result<Vec<TargetWrite>, Problem> {
    let mut faults = Violations::default();
    let all = body.with_pointers();
    let agencies = all.iter().filter_map(|(_, t)| t.agency.clone()).collect();
    let agencies = crate::agencies::model::ids_of(conn, agencies).await?;
    let codes = all
        .iter()
        .filter(|(_, t)| t.subject == Subject::Indicator)
        .map(|(_, t)| indicator_of(&t.code).to_owned());
    let indicators = crate::indicators::model::known(conn, codes.collect()).await?;
    for (pointer, target) in &all {
        if let Some(code) = &target.agency
            && !agencies.contains_key(code)
        {
            let detail = msg!("Không có cơ quan `{code}`.", "There is no agency `{code}`.");
            faults.add(Code::UnknownReference, format!("{pointer}/agency"), detail);
        }
        let code = indicator_of(&target.code);
        if target.subject == Subject::Indicator && !indicators.iter().any(|known| known == code) {
            let detail = msg!("Không có chỉ tiêu `{code}`.", "There is no indicator `{code}`.");
            faults.add(Code::UnknownReference, format!("{pointer}/code"), detail);
        }
    }
    faults.into_result()?;
    let write = |target: NewTarget| TargetWrite {
        subject: target.subject.as_str(),
        code: target.code,
        scope: target.scope.as_str(),
        agency: target.agency.and_then(|code| agencies.get(&code).copied()),
        year: target.year,
        comparator: target.comparator.as_str(),
        value: target.value.0,
        value_to: target.value_to.map(|v| v.0),
        unit: target.unit,
        due: target.due,
        source: target.source.trim().to_owned(),
    };
    Ok(body.into_vec().into_iter().map(write).collect())
}

async fn store(
    conn: &mut Conn,
    write: TargetWrite,
    conditions: Option<&Preconditions>,
    actor: &Actor,
) -> Result<Target, Problem> {
    let before = model::lock(conn, &write).await?;
    if let Some(conditions) = conditions {
        match &before {
            Some(row) => conditions.match_if_given(row.version)?,
            None => conditions.match_absent()?,
        }
    }
    let changed = model::put(conn, write.clone(), actor).await?;
    let after = model::lock(conn, &write).await?.ok_or_else(Problem::not_found)?;
    if changed {
        let key = format!(
            "{}/{}/{}/{}",
            after.code,
            after.scope,
            after.agency.as_deref().unwrap_or("-"),
            after.year
        );
        let event = match &before {
            Some(before) => Event::update("target", key, before, &after),
            None => Event::create("target", key, &after),
        };
        audit::record(conn, actor, event).await?;
    }
    Ok(after.into())
}
