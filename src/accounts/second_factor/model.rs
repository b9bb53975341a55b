//! Second factors as stored.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::accounts::session_model::revoke_sessions;
use crate::db::{Conn, QueryResult, sql};
use crate::values::hex;

row! {
    /// A user's factor: the one in force, and one that waits for its first code. Secrets are encrypted.
    #[derive(Clone, Debug, Default)]
    pub struct FactorRow {
        pub secret: Option<String>,
        pub confirmed_at: Option<DateTime<Utc>>,
        pub pending_secret: Option<String>,
        pub pending_since: Option<DateTime<Utc>>,
        pub recovery_codes_left: i64,
    }
}

const FACTOR: &str = "select f.secret, f.confirmed_at, f.pending_secret, f.pending_since, \
    (select count(*) from recovery_codes r where r.user_id = f.user_id and r.used_at is null) as recovery_codes_left \
    from second_factors f where f.user_id = $1";

/// Nothing enrolled and nothing pending reads as the default.
pub async fn find(conn: &mut Conn, user: Uuid) -> QueryResult<FactorRow> {
    Ok(sql(FACTOR).bind(user).maybe(conn).await?.unwrap_or_default())
}

/// `false` when the account has changed since its credentials were read. Two changes of one factor wait for each other here.
pub async fn lock_account(conn: &mut Conn, user: Uuid, epoch: i32) -> QueryResult<bool> {
    let found: Option<Locked> =
        sql("select id from users where id = $1 and epoch = $2 and disabled_at is null for update")
            .bind(user)
            .bind(epoch)
            .maybe(conn)
            .await?;
    Ok(found.is_some_and(|row| row.id == user))
}

row! { struct Locked { id: Uuid } }

/// Keeps a new secret until its first code confirms it; what is in force stays so.
pub async fn begin(conn: &mut Conn, user: Uuid, secret: String, now: DateTime<Utc>) -> QueryResult<()> {
    sql("insert into second_factors (user_id, pending_secret, pending_since) values ($1, $2, $3) \
         on conflict (user_id) do update set pending_secret = excluded.pending_secret, pending_since = excluded.pending_since")
    .bind(user)
    .bind(secret)
    .bind(now)
    .run(conn)
    .await?;
    Ok(())
}

/// Puts the pending secret into force. `false` when it is not this one any more.
pub async fn confirm(
    conn: &mut Conn,
    user: Uuid,
    pending: String,
    step: i64,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let confirmed = sql("update second_factors set secret = pending_secret, confirmed_at = $3, last_step = $4, \
                         pending_secret = null, pending_since = null where user_id = $1 and pending_secret = $2")
    .bind(user)
    .bind(pending)
    .bind(now)
    .bind(step)
    .run(conn)
    .await?;
    Ok(confirmed == 1)
}

/// `false` when a code of this time step or a later one was accepted before, or the secret has changed.
pub async fn accept_step(conn: &mut Conn, user: Uuid, secret: String, step: i64) -> QueryResult<bool> {
    let accepted =
        sql("update second_factors set last_step = $3 where user_id = $1 and secret = $2 and last_step < $3")
            .bind(user)
            .bind(secret)
            .bind(step)
            .run(conn)
            .await?;
    Ok(accepted == 1)
}

/// `false` when there is no such code that is unused.
pub async fn use_recovery_code(
    conn: &mut Conn,
    user: Uuid,
    hash: Vec<u8>,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let used =
        sql("update recovery_codes set used_at = $3 where user_id = $1 and hash = $2 and used_at is null")
            .bind(user)
            .bind(hash)
            .bind(now)
            .run(conn)
            .await?;
    Ok(used == 1)
}

/// The old codes end.
pub async fn replace_recovery_codes(conn: &mut Conn, user: Uuid, hashes: Vec<Vec<u8>>) -> QueryResult<()> {
    sql("delete from recovery_codes where user_id = $1").bind(user).run(conn).await?;
    let hashes: Vec<String> = hashes.iter().map(|hash| hex(hash)).collect();
    sql("insert into recovery_codes (user_id, hash) select $1, decode(h, 'hex') from unnest($2) h")
        .bind(user)
        .bind(hashes)
        .run(conn)
        .await?;
    Ok(())
}

/// `false` when there was none in force and none pending.
pub async fn remove(conn: &mut Conn, user: Uuid) -> QueryResult<bool> {
    sql("delete from recovery_codes where user_id = $1").bind(user).run(conn).await?;
    Ok(sql("delete from second_factors where user_id = $1").bind(user).run(conn).await? == 1)
}

/// Ends the user's access tokens and all sessions but `remaining`, which gets new tokens by its refresh token.
pub async fn end_sessions(
    conn: &mut Conn,
    user: Uuid,
    remaining: Option<Uuid>,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    sql("update users set epoch = epoch + 1, version = version + 1, updated_at = $2 where id = $1")
        .bind(user)
        .bind(now)
        .run(conn)
        .await?;
    revoke_sessions(conn, user, remaining, "second_factor", now).await
}

/// The session has proved a second factor (`Some`), or relies on the password alone.
pub async fn mark_session(
    conn: &mut Conn,
    session: Option<Uuid>,
    proved: Option<DateTime<Utc>>,
) -> QueryResult<()> {
    sql("update sessions set second_factor_at = $2 where id = $1")
        .bind(session)
        .bind(proved)
        .run(conn)
        .await?;
    Ok(())
}
