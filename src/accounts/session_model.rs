//! Sessions and their refresh tokens as stored.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use super::rules::{IDLE_SECONDS, MOST_SESSIONS, SESSION_SECONDS};
use crate::auth::ACCESS_TOKEN_SECONDS;
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
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
        "with opened as (\
           insert into sessions (id, user_id, created_at, expires_at, second_factor_at) select $1, u.id, $4, $5, $6 from users u \
           where u.id = $2 and u.epoch = $3 and u.disabled_at is null for no key update returning id) \
         insert into refresh_tokens (hash, session_id, issued_at) select $7, id, $4 from opened",
    )
    .bind(session)
    .bind(user)
    .bind(epoch)
    .bind(now)
    .bind(now + Duration::seconds(SESSION_SECONDS))
    .bind(second_factor_at)
    .bind(refresh_hash)
    .run(conn)
    .await?;
    if opened == 0 {
        return Ok(None);
    }
    end_surplus(conn, user, now).await?;
    Ok(Some(session))
}

/// Deletes sessions that are too many, those that have ended and the oldest first. The row of the user is locked: one login counts after the other.
async fn end_surplus(conn: &mut Conn, user: Uuid, now: DateTime<Utc>) -> QueryResult<()> {
    let stored: i64 =
        sql("select count(*) as value from sessions where user_id = $1").bind(user).value(conn).await?;
    // A statement that deletes nothing would still notify every instance that sessions have ended.
    if stored <= i64::from(MOST_SESSIONS) {
        return Ok(());
    }
    sql("delete from sessions where id in (select id from sessions where user_id = $1 \
         order by revoked_at is null and expires_at > $2 desc, created_at desc, id desc offset $3)")
    .bind(user)
    .bind(now)
    .bind(MOST_SESSIONS)
    .run(conn)
    .await?;
    Ok(())
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
        pub further_uses: i32,
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
    sql("select t.session_id, s.user_id, u.username, u.epoch, t.used_at, t.further_uses, \
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

/// The first use stays the one that counts: further ones do not prolong the grace.
pub async fn mark_used(conn: &mut Conn, hash: Vec<u8>, now: DateTime<Utc>) -> QueryResult<()> {
    sql("update refresh_tokens set used_at = coalesce(used_at, $2), \
         further_uses = further_uses + (used_at is not null)::int where hash = $1")
    .bind(hash)
    .bind(now)
    .run(conn)
    .await?;
    Ok(())
}

row! {
    /// Tokens of a session.
    pub struct TokenCounts {
        /// Refresh tokens that can still be used for the first time.
        pub live: i64,
        /// Issued within the life of an access token.
        pub recent: i64,
    }
}

/// Counts under the lock of the session ([`lock_refresh_token`]).
pub async fn count_tokens(conn: &mut Conn, session: Uuid, now: DateTime<Utc>) -> QueryResult<TokenCounts> {
    sql("select count(*) filter (where used_at is null and issued_at > $2) as live, \
                count(*) filter (where issued_at > $3) as recent \
         from refresh_tokens where session_id = $1")
    .bind(session)
    .bind(now - Duration::seconds(IDLE_SECONDS))
    .bind(now - Duration::seconds(ACCESS_TOKEN_SECONDS))
    .row(conn)
    .await
}

/// Ends all sessions of a user but `remaining`.
pub async fn revoke_sessions(
    conn: &mut Conn,
    user: Uuid,
    remaining: Option<Uuid>,
    reason: &'static str,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    sql("update sessions set revoked_at = $3, revoked_reason = $4 \
         where user_id = $1 and id is distinct from $2 and revoked_at is null")
    .bind(user)
    .bind(remaining)
    .bind(now)
    .bind(reason)
    .run(conn)
    .await?;
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
    window: PageRequest,
) -> QueryResult<PageRows<SessionRow>> {
    let mut list = List::new(
        "s.id, s.created_at as started_at, t.renewed_at, s.expires_at",
        "sessions s cross join lateral (select max(issued_at) as renewed_at from refresh_tokens where session_id = s.id) t",
    );
    list.filter("s.user_id = {}", user);
    list.filter_raw("s.revoked_at is null");
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
pub async fn purge_expired(conn: &mut Conn, now: DateTime<Utc>) -> QueryResult<usize> {
    sql("delete from sessions where id in (select id from sessions where expires_at < $1 for update skip locked)")
        .bind(now - Duration::days(1))
        .run(conn)
        .await
}
