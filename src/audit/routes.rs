//! Reading the audit trail.

use actix_web::get;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::filter::AuditFilter;
use super::model::{self, EventRow};
use crate::auth::Access;
use crate::auth::permission::ReadAudit;
use crate::db::keyset::Order;
use crate::http::csv::CsvRow;
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
