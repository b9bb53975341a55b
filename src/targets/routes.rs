//! Targets over HTTP.

use actix_web::{get, put};
use utoipa_actix_web::service_config::ServiceConfig;

use super::model::{self, TargetWrite};
use super::rules::{Subject, indicator_of};
use super::wire::{NewTarget, Target, TargetFilter, Targets, TargetsBody};
use crate::audit::{self, Event};
use crate::auth::permission::{ReadTargets, WriteTargets};
use crate::auth::{Access, Actor};
use crate::db::Conn;
use crate::db::keyset::Order;
use crate::http::one_or_many::OneOrMany;
use crate::http::{
    EntityTag, ListParams, ListQuery, Page, Preconditions, Problem, ProblemCode, Reply, ValidJson, Violations,
};

pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list_targets).service(put_targets);
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
async fn list_targets(access: Access<ReadTargets>, list: ListQuery<TargetFilter>) -> Result<Reply, Problem> {
    let by_code = Order { key: model::CODE, descending: false };
    let unique = Order { key: model::ID, descending: false };
    let order = list.order(&[model::CODE, model::DUE, model::YEAR], &[by_code], unique)?;
    let (query, window) = (list.filter.query(), list.window(&order)?);
    let slice = access.read(async move |conn| Ok(model::list(conn, query, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, Target::from))
}

/// Store targets
///
/// Stores one target, or several under `items`. Each target replaces the one with the same subject, code, scope, agency and year.
/// Identical targets are left unchanged. `If-Match` applies to a single target only.
#[utoipa::path(
    tag = "targets",
    request_body = TargetsBody,
    responses((status = 200, description = "The stored targets", body = Targets)),
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
            let detail = crate::agencies::unknown(&code);
            faults.add(ProblemCode::UnknownReference, format!("{pointer}/agency"), detail);
        }
        let code = indicator_of(&target.code);
        if target.subject == Subject::Indicator && !indicators.iter().any(|known| known == code) {
            let detail =
                msg!("Không tìm thấy chỉ tiêu có mã `{code}`.", "Indicator `{code}` does not exist.");
            faults.add(ProblemCode::UnknownReference, format!("{pointer}/code"), detail);
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
    let before = model::lock_or_reserve(conn, &write).await?;
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
