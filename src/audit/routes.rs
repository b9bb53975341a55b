//! Reading the audit trail.

use actix_web::get;
use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::model::{self, EventQuery, EventRow};
use crate::auth::Access;
use crate::auth::permission::ReadAudit;
use crate::clock::end_of_business_day;
use crate::db::keyset::Order;
use crate::http::csv::CsvRow;
use crate::http::query::AnyOf;
use crate::http::{ListParams, ListQuery, Page, Problem, Reply};

pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(list_audit_events).service(super::export::export_audit_events);
}

/// One change of one record.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEvent {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    /// `user:<username>`, `client:<client_id>` or `system`.
    #[schema(example = "user:coordinator")]
    pub actor: String,
    pub request_id: String,
    /// `create`, `update`, `delete` or the name of a transition.
    #[schema(example = "update")]
    pub action: String,
    #[schema(example = "agency")]
    pub entity: String,
    #[schema(example = "SO-YT")]
    pub key: String,
    /// The record before the change; null if it was created.
    pub before: Option<Value>,
    /// The record after the change; null if it was deleted.
    pub after: Option<Value>,
}

impl CsvRow for AuditEvent {
    const COLUMNS: &'static [&'static str] =
        &["id", "at", "actor", "request_id", "action", "entity", "key", "before", "after"];
}

impl From<EventRow> for AuditEvent {
    fn from(row: EventRow) -> Self {
        Self {
            id: row.id,
            at: row.at,
            actor: row.actor,
            request_id: row.request_id,
            action: row.action,
            entity: row.entity,
            key: row.entity_key,
            before: row.before,
            after: row.after,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditFilter {
    /// Kinds of record, comma-separated: `agency`, `task`, `submission`, …
    #[param(value_type = Option<String>, example = "agency")]
    entity: Option<AnyOf<String>>,
    /// Code or id of the record.
    key: Option<String>,
    /// `user:<username>`, `client:<client_id>` or `system`.
    actor: Option<String>,
    /// Actions, comma-separated.
    #[param(value_type = Option<String>)]
    action: Option<AnyOf<String>>,
    /// First business day.
    #[serde(default, deserialize_with = "crate::http::dates::day")]
    from: Option<NaiveDate>,
    /// Last business day.
    #[serde(default, deserialize_with = "crate::http::dates::day")]
    to: Option<NaiveDate>,
}

impl AuditFilter {
    pub(super) fn query(&self) -> EventQuery {
        EventQuery {
            entity: self.entity.clone().map(|any| any.0),
            key: self.key.clone(),
            actor: self.actor.clone(),
            action: self.action.clone().map(|any| any.0),
            from: self.from.map(|day| end_of_business_day(day.checked_sub_days(Days::new(1)).unwrap_or(day))),
            until: self.to.map(end_of_business_day),
        }
    }
}

/// List audit events
///
/// Newest first; `sort=at` lists the oldest first.
#[utoipa::path(
    tag = "audit",
    params(AuditFilter, ListParams),
    responses((status = 200, description = "A page of events", content((Page<AuditEvent> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["audit:read"]))
)]
#[get("/audit-events")]
async fn list_audit_events(
    access: Access<ReadAudit>,
    list: ListQuery<AuditFilter>,
) -> Result<Reply, Problem> {
    let newest = Order { key: model::ID, descending: true };
    let order = list.order(&[model::ID], &[newest], newest)?;
    let (query, window) = (list.filter.query(), list.window(&order)?);
    let slice = access.read(async move |conn| Ok(model::list(conn, query, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, AuditEvent::from))
}
