//! One's own sessions: listed, and ended one by one.

use actix_web::{delete, get};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::session_model::{self, SessionRow};
use crate::audit::{self, Event};
use crate::auth::permission::OwnAccount;
use crate::auth::{Access, Identity};
use crate::db::keyset::Order;
use crate::http::csv::CsvRow;
use crate::http::{ListParams, ListQuery, NoFilter, Page, PathOf, Problem, ProblemCode, Reply};

/// A session that is in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct Session {
    pub id: Uuid,
    /// When it began: with a password or by single sign-on.
    pub started_at: DateTime<Utc>,
    /// Time of the last refresh.
    pub renewed_at: DateTime<Utc>,
    /// When one has to log in again, however often it is renewed.
    pub expires_at: DateTime<Utc>,
    /// The session that sends this request.
    pub current: bool,
}

impl CsvRow for Session {
    const COLUMNS: &'static [&'static str] = &["id", "started_at", "renewed_at", "expires_at", "current"];
}

impl Session {
    fn of(row: SessionRow, requesting: Option<Uuid>) -> Self {
        Self {
            current: Some(row.id) == requesting,
            id: row.id,
            started_at: row.started_at,
            renewed_at: row.renewed_at,
            expires_at: row.expires_at,
        }
    }
}

/// Whose sessions they are, by id and name, and which of them sends the request.
fn own(access: &Access<OwnAccount>) -> Result<(Uuid, &str, Option<Uuid>), Problem> {
    match access.identity() {
        Identity::User { id, username, session, .. } => Ok((*id, username, *session)),
        Identity::Client { .. } => Err(Problem::new(ProblemCode::Forbidden)),
    }
}

/// List your sessions
///
/// The sessions in force, newest first; sort key: `started_at`. End one that you do not recognise by `DELETE /me/sessions/{id}`, or all at
/// once by a new password (`PUT /me/password`).
#[utoipa::path(
    tag = "auth",
    params(ListParams),
    responses((status = 200, description = "A page of sessions", content((Page<Session> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["account:own"]))
)]
#[get("/me/sessions")]
pub async fn list_own_sessions(
    access: Access<OwnAccount>,
    list: ListQuery<NoFilter>,
) -> Result<Reply, Problem> {
    let (user, _, asking) = own(&access)?;
    let newest = Order { key: session_model::ID, descending: true };
    let order = list.order(&[session_model::ID], &[newest], newest)?;
    let (window, now) = (list.window(&order)?, access.now());
    let slice = access
        .read(async move |conn| Ok(session_model::list(conn, user, now, &order, window).await?))
        .await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, |row| Session::of(row, asking)))
}

/// End one of your sessions
///
/// Revokes its access and refresh tokens.
#[utoipa::path(
    tag = "auth",
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "Ended")),
    security(("bearer" = ["account:own"]))
)]
#[delete("/me/sessions/{id}")]
pub async fn end_own_session(access: Access<OwnAccount>, id: PathOf<Uuid>) -> Result<Reply, Problem> {
    let (user, username, _) = own(&access)?;
    let (key, actor, id) = (username.to_owned(), access.actor(), id.0);
    access
        .transaction(async move |conn| {
            if !session_model::end_own(conn, user, id, actor.now).await? {
                return Err(Problem::not_found());
            }
            let after = Some(json!({"session": id}));
            let event = Event { action: "end_session", entity: "user", key, before: None, after };
            audit::record(conn, &actor, event).await?;
            Ok(Reply::no_content())
        })
        .await
}
