//! Sessions and their refresh tokens as stored.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use super::rules::{IDLE_SECONDS, SESSION_SECONDS};
use crate::db::list::{List, Order, Slice, SortKey, Window};
use crate::db::{Conn, QueryResult, sql};

/// Opens a session and its first refresh token; `None` when the account has changed since its credentials were read.
pub async fn open_session(
    conn: &mut Conn,
    user: Uuid,
    epoch: i32,
    refresh_hash: Vec<u8>,
    second_factor_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> QueryResult<Option<Uuid>> {
    let session = Uuid::now_v7();
    let opened = sql(
        "insert into sessions (id, user_id, created_at, expires_at, second_factor_at) select $1, u.id, $4, $5, $6 from users u \
         where u.id = $2 and u.epoch = $3 and u.disabled_at is null for share",
    )
    .bind(session)
    .bind(user)
    .bind(epoch)
    .bind(now)
    .bind(now + Duration::seconds(SESSION_SECONDS))
    .bind(second_factor_at)
    .run(conn)
    .await?;
    if opened == 0 {
        return Ok(None);
    }
    add_refresh_token(conn, session, refresh_hash, now).await?;
    Ok(Some(session))
}

pub async fn add_refresh_token(
    conn: &mut Conn,
    session: Uuid,
    hash: Vec<u8>,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    sql("insert into refresh_tokens (hash, session_id, issued_at) values ($1, $2, $3)")
        .bind(hash)
        .bind(session)
        .bind(now)
        .run(conn)
        .await?;
    Ok(())
}

row! {
    /// A refresh token with the session and account it belongs to.
    pub struct RefreshRow {
        pub session_id: Uuid,
        pub user_id: Uuid,
        pub username: String,
        pub epoch: i32,
        pub used_at: Option<DateTime<Utc>>,
        pub alive: bool,
    }
}

/// The token's row, locked; `alive` when its session and account are in force and it was not left lying for too long, nor issued by a
/// clock that was ahead (its session would end as much too late). One that was
/// used stays alive in this sense: whoever shows it again is found out, however late.
pub async fn lock_refresh_token(
    conn: &mut Conn,
    hash: Vec<u8>,
    now: DateTime<Utc>,
) -> QueryResult<Option<RefreshRow>> {
    sql("select t.session_id, s.user_id, u.username, u.epoch, t.used_at, \
                (s.revoked_at is null and s.expires_at > $2 \
                 and (t.used_at is not null or t.issued_at > $3) and t.issued_at <= $2 + interval '5 minutes' \
                 and u.disabled_at is null) as alive \
         from refresh_tokens t join sessions s on s.id = t.session_id join users u on u.id = s.user_id \
         where t.hash = $1 for update of t, s")
    .bind(hash)
    .bind(now)
    .bind(now - Duration::seconds(IDLE_SECONDS))
    .maybe(conn)
    .await
}

pub async fn mark_used(conn: &mut Conn, hash: Vec<u8>, now: DateTime<Utc>) -> QueryResult<()> {
    sql("update refresh_tokens set used_at = $2 where hash = $1").bind(hash).bind(now).run(conn).await?;
    Ok(())
}

pub async fn revoke_session(
    conn: &mut Conn,
    session: Uuid,
    reason: &'static str,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    sql("update sessions set revoked_at = $2, revoked_reason = $3 where id = $1 and revoked_at is null")
        .bind(session)
        .bind(now)
        .bind(reason)
        .run(conn)
        .await?;
    Ok(())
}

row! {
    /// A session that is in force.
    pub struct SessionRow {
        pub id: Uuid,
        pub started_at: DateTime<Utc>,
        pub renewed_at: DateTime<Utc>,
        pub expires_at: DateTime<Utc>,
    }
}

pub const ID: SortKey = SortKey { name: "started_at", expr: "s.id", pg_type: "uuid" };

/// A user's sessions that are in force.
pub async fn list(
    conn: &mut Conn,
    user: Uuid,
    now: DateTime<Utc>,
    order: &[Order],
    window: Window,
) -> QueryResult<Slice<SessionRow>> {
    let mut list = List::new(
        "s.id, s.created_at as started_at, t.renewed_at, s.expires_at",
        "sessions s cross join lateral (select max(issued_at) as renewed_at from refresh_tokens where session_id = s.id) t",
    );
    list.filter("s.user_id = {}", user);
    list.only("s.revoked_at is null");
    list.filter("s.expires_at > {}", now);
    list.filter("t.renewed_at > {}", now - Duration::seconds(IDLE_SECONDS));
    list.page(conn, order, window).await
}

/// `false` when the user has no such session that is in force.
pub async fn end_own(conn: &mut Conn, user: Uuid, session: Uuid, now: DateTime<Utc>) -> QueryResult<bool> {
    let ended = sql("update sessions set revoked_at = $3, revoked_reason = 'ended' \
                     where id = $2 and user_id = $1 and revoked_at is null and expires_at > $3")
    .bind(user)
    .bind(session)
    .bind(now)
    .run(conn)
    .await?;
    Ok(ended == 1)
}

/// Forgets sessions that ended a day ago or more, with their tokens.
pub async fn forget_old(conn: &mut Conn, now: DateTime<Utc>) -> QueryResult<usize> {
    sql("delete from sessions where expires_at < $1").bind(now - Duration::days(1)).run(conn).await
}
