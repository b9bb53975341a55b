//! Staying logged in: a refresh token for a new pair of tokens (docs/adr/0013).

use actix_web::{HttpMessage, HttpRequest, HttpResponse, post, web};
use chrono::{DateTime, Utc};
use log::Level;
use serde::Deserialize;
use utoipa::ToSchema;

use super::rules::{MOST_LIVE_REFRESH_TOKENS, MOST_RENEWALS, Opaque, Renewal, hash_of, renewal};
use super::session_model::{self, RefreshRow};
use super::sessions::{Tokens, token_answer, tokens};
use crate::auth::{Public, Subject};
use crate::db::Conn;
use crate::http::request::RequestId;
use crate::http::{Check, Problem, ProblemCode, ValidJson, Violations};
use crate::state::State;

/// How long a session that renews too often has to wait.
const RETRY_SECONDS: u64 = 60;

/// A refresh token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshToken {
    refresh_token: String,
}

impl Check for RefreshToken {
    /// Anything that is no token of ours is refused alike, by looking it up.
    fn check(&self, _: &mut Violations) {}
}

/// Get new tokens
///
/// A refresh token can be used once. For 10 seconds after its first use it can be reused up to five times, so that two tabs, or a
/// client that lost the response, keep working; each use returns a new pair. Reusing it later revokes the session and all its
/// tokens. A refresh token expires after four hours without use. A session lasts at most 16 hours, has at most 20 unused refresh
/// tokens, and can be refreshed at most 60 times in 15 minutes (429).
#[utoipa::path(
    tag = "auth",
    request_body = RefreshToken,
    responses(
        (status = 200, description = "New tokens", body = Tokens),
        (status = 401, description = "Refresh token invalid, already used or expired", body = crate::http::problem::ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Refreshed too many times; see `Retry-After`", body = crate::http::problem::ProblemBody, content_type = "application/problem+json")
    ),
    security(())
)]
#[post("/auth/refresh")]
pub async fn refresh_tokens(
    _: Public,
    request: HttpRequest,
    state: web::Data<State>,
    body: ValidJson<RefreshToken>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock().now();
    let hash = hash_of(&body.value.refresh_token);
    let request_id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
    let next = Opaque::random();
    let next_hash = next.hash.clone();
    let permit = state.db().admit_anonymous(&state.client_of(&request).caller())?;
    let renewed = state
        .db()
        .holding(permit)
        .transaction(async move |conn: &mut Conn| renew(conn, hash, next_hash, &request_id, now).await)
        .await?;
    let subject = renewed.ok_or_else(|| Problem::unauthenticated(ProblemCode::InvalidRefreshToken))?;
    let access_token = state.keys().sign(&subject, now).map_err(Problem::internal)?;
    Ok(token_answer(&tokens(access_token, next)))
}

/// Whose the next pair is; `None`: the token is refused. Everything is counted and judged under the lock of token and session.
async fn renew(
    conn: &mut Conn,
    hash: Vec<u8>,
    next_hash: Vec<u8>,
    request_id: &RequestId,
    now: DateTime<Utc>,
) -> Result<Option<Subject>, Problem> {
    let Some(row) = session_model::lock_refresh_token(conn, hash.clone(), now).await? else {
        return Ok(None);
    };
    let judged = renewal(row.used_at, row.further_uses, row.alive, now);
    report(&row, request_id, judged);
    match judged {
        Renewal::Refused | Renewal::Exhausted => return Ok(None),
        Renewal::Reused => {
            // Someone else holds a copy: the whole family ends. The answer comes after the commit.
            session_model::revoke_session(conn, row.session_id, "reuse", now).await?;
            return Ok(None);
        }
        Renewal::First | Renewal::Again => {}
    }
    let counts = session_model::count_tokens(conn, row.session_id, now).await?;
    if counts.recent >= MOST_RENEWALS {
        let detail = msg!(
            "Phiên đăng nhập này được gia hạn quá nhiều lần; đề nghị thử lại sau {RETRY_SECONDS} giây.",
            "This session was refreshed too many times. Try again in {RETRY_SECONDS} seconds."
        );
        return Err(Problem::with(ProblemCode::TooManyRequests, detail).retry_after(RETRY_SECONDS));
    }
    // A first use takes one away before it adds one.
    if judged == Renewal::Again && counts.live >= MOST_LIVE_REFRESH_TOKENS {
        return Ok(None);
    }
    session_model::mark_used(conn, hash, now).await?;
    session_model::add_refresh_token(conn, row.session_id, next_hash, now).await?;
    Ok(Some(Subject::User { id: row.user_id, session: row.session_id, epoch: row.epoch }))
}

/// A line that one can act on: whose session, and in which request.
fn report(row: &RefreshRow, request_id: &RequestId, judged: Renewal) {
    let (level, what) = match judged {
        Renewal::First | Renewal::Refused => return,
        Renewal::Again => (Level::Info, "refresh token reused within the grace period"),
        Renewal::Exhausted => (Level::Warn, "refresh token reused too often within the grace period"),
        Renewal::Reused => (Level::Warn, "refresh token reused: session revoked"),
    };
    let (session, caller) = (row.session_id.to_string(), format!("user:{}", row.username));
    let (session, caller, request_id) = (session.as_str(), caller.as_str(), &*request_id.0);
    log::log!(target: "security", level, session, caller, request_id; "{what}");
}
