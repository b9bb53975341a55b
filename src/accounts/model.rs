//! Users, sessions and clients as stored.

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::rules::{SECRET_OVERLAP_SECONDS, SESSION_SECONDS};
use crate::db::list::{List, Order, Slice, SortKey, Window};
use crate::db::{Conn, QueryResult, sql};
use crate::ids::AgencyId;

row! {
    /// An account of a person; the hash never leaves this room.
    #[derive(Clone, Debug, Serialize)]
    pub struct UserRow {
        #[serde(skip)]
        pub id: Uuid,
        pub username: String,
        pub display_name: String,
        pub role: String,
        pub agency: Option<String>,
        pub disabled_at: Option<DateTime<Utc>>,
        pub version: i32,
        pub created_at: DateTime<Utc>,
        pub updated_at: DateTime<Utc>,
    }
}

row! {
    /// What a login needs to know.
    pub struct Credentials {
        pub id: Uuid,
        pub username: String,
        pub password_hash: String,
        pub epoch: i32,
        pub disabled_at: Option<DateTime<Utc>>,
    }
}

const USER: &str = "u.id, u.username, u.display_name, u.role, a.code as agency, u.disabled_at, u.version, u.created_at, u.updated_at";
const USERS: &str = "users u left join agencies a on a.id = u.agency_id";

pub async fn credentials(conn: &mut Conn, username: &str) -> QueryResult<Option<Credentials>> {
    sql("select id, username, password_hash, epoch, disabled_at from users where username = $1")
        .bind(username.to_owned())
        .maybe(conn)
        .await
}

pub async fn find_user(conn: &mut Conn, username: &str) -> QueryResult<Option<UserRow>> {
    sql(format!("select {USER} from {USERS} where u.username = $1"))
        .bind(username.to_owned())
        .maybe(conn)
        .await
}

pub async fn lock_user(conn: &mut Conn, username: &str) -> QueryResult<Option<UserRow>> {
    sql(format!("select {USER} from {USERS} where u.username = $1 for update of u"))
        .bind(username.to_owned())
        .maybe(conn)
        .await
}

/// A user to be stored.
#[derive(Debug)]
pub struct UserWrite {
    pub username: String,
    pub display_name: String,
    pub role: &'static str,
    pub agency: Option<AgencyId>,
}

/// `false` when the name is taken.
pub async fn insert_user(
    conn: &mut Conn,
    user: UserWrite,
    password_hash: String,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let rows = sql(
        "insert into users (id, username, display_name, role, agency_id, password_hash, created_at, updated_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $7) on conflict (username) do nothing",
    )
    .bind(Uuid::now_v7())
    .bind(user.username)
    .bind(user.display_name)
    .bind(user.role)
    .bind(user.agency)
    .bind(password_hash)
    .bind(now)
    .run(conn)
    .await?;
    Ok(rows == 1)
}

/// A user's new state. A new password, role, agency or disabling ends all tokens (`ends_tokens`).
#[derive(Debug)]
pub struct UserChange {
    pub display_name: String,
    pub role: &'static str,
    pub agency: Option<AgencyId>,
    pub disabled_at: Option<DateTime<Utc>>,
    pub password_hash: Option<String>,
    pub ends_tokens: bool,
}

pub async fn update_user(
    conn: &mut Conn,
    id: Uuid,
    change: UserChange,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    sql(
        "update users set display_name = $2, role = $3, agency_id = $4, disabled_at = $5, \
         password_hash = coalesce($6, password_hash), epoch = epoch + $7, version = version + 1, updated_at = $8 where id = $1",
    )
    .bind(id)
    .bind(change.display_name)
    .bind(change.role)
    .bind(change.agency)
    .bind(change.disabled_at)
    .bind(change.password_hash)
    .bind(i32::from(change.ends_tokens))
    .bind(now)
    .run(conn)
    .await?;
    if change.ends_tokens {
        revoke_sessions(conn, id, "account", now).await?;
    }
    Ok(())
}

/// Sets a new password and ends every session.
pub async fn set_password(conn: &mut Conn, id: Uuid, hash: String, now: DateTime<Utc>) -> QueryResult<()> {
    sql("update users set password_hash = $2, epoch = epoch + 1, version = version + 1, updated_at = $3 where id = $1")
        .bind(id)
        .bind(hash)
        .bind(now)
        .run(conn)
        .await?;
    revoke_sessions(conn, id, "password", now).await
}

async fn revoke_sessions(
    conn: &mut Conn,
    user: Uuid,
    reason: &'static str,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    sql("update sessions set revoked_at = $2, revoked_reason = $3 where user_id = $1 and revoked_at is null")
        .bind(user)
        .bind(now)
        .bind(reason)
        .run(conn)
        .await?;
    Ok(())
}

/// What a reader of users looks for.
#[derive(Debug, Default)]
pub struct UserQuery {
    pub q: Option<String>,
    pub roles: Option<Vec<String>>,
    pub agency: Option<String>,
}

pub const USERNAME: SortKey = SortKey { name: "username", expr: "u.username", pg_type: "text" };

pub async fn list_users(
    conn: &mut Conn,
    query: UserQuery,
    order: &[Order],
    window: Window,
) -> QueryResult<Slice<UserRow>> {
    let mut list = List::new(USER, USERS);
    list.filter_some(
        "position({} in lower(u.username || ' ' || u.display_name)) > 0",
        query.q.map(|q| q.to_lowercase()),
    );
    list.filter_some("u.role = any({})", query.roles);
    list.filter_some("a.code = {}", query.agency);
    list.page(conn, order, window).await
}

/// Opens a session and its first refresh token.
pub async fn open_session(
    conn: &mut Conn,
    user: Uuid,
    refresh_hash: Vec<u8>,
    now: DateTime<Utc>,
) -> QueryResult<Uuid> {
    let session = Uuid::now_v7();
    sql("insert into sessions (id, user_id, created_at, expires_at) values ($1, $2, $3, $4)")
        .bind(session)
        .bind(user)
        .bind(now)
        .bind(now + Duration::seconds(SESSION_SECONDS))
        .run(conn)
        .await?;
    add_refresh_token(conn, session, refresh_hash, now).await?;
    Ok(session)
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
        pub epoch: i32,
        pub used_at: Option<DateTime<Utc>>,
        pub alive: bool,
    }
}

/// The token's row, locked; `alive` when its session and account are in force.
pub async fn lock_refresh_token(
    conn: &mut Conn,
    hash: Vec<u8>,
    now: DateTime<Utc>,
) -> QueryResult<Option<RefreshRow>> {
    sql("select t.session_id, s.user_id, u.epoch, t.used_at, \
                (s.revoked_at is null and s.expires_at > $2 and u.disabled_at is null) as alive \
         from refresh_tokens t join sessions s on s.id = t.session_id join users u on u.id = s.user_id \
         where t.hash = $1 for update of t, s")
    .bind(hash)
    .bind(now)
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
    /// A machine client; its secrets never leave this room.
    #[derive(Clone, Debug, Serialize)]
    pub struct ClientRow {
        pub client_id: String,
        pub name: String,
        pub scopes: Vec<String>,
        pub disabled_at: Option<DateTime<Utc>>,
        #[serde(skip)]
        pub epoch: i32,
        pub version: i32,
        pub created_at: DateTime<Utc>,
        pub updated_at: DateTime<Utc>,
    }
}

const CLIENT: &str = "client_id, name, scopes, disabled_at, epoch, version, created_at, updated_at";

pub async fn find_client(conn: &mut Conn, client_id: &str) -> QueryResult<Option<ClientRow>> {
    sql(format!("select {CLIENT} from clients where client_id = $1"))
        .bind(client_id.to_owned())
        .maybe(conn)
        .await
}

pub async fn lock_client(conn: &mut Conn, client_id: &str) -> QueryResult<Option<ClientRow>> {
    sql(format!("select {CLIENT} from clients where client_id = $1 for update"))
        .bind(client_id.to_owned())
        .maybe(conn)
        .await
}

/// `false` when the id is taken.
pub async fn insert_client(
    conn: &mut Conn,
    client_id: &str,
    name: &str,
    scopes: Vec<String>,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let rows = sql(
        "insert into clients (client_id, name, scopes, created_at, updated_at) values ($1, $2, $3, $4, $4) \
         on conflict (client_id) do nothing",
    )
    .bind(client_id.to_owned())
    .bind(name.to_owned())
    .bind(scopes)
    .bind(now)
    .run(conn)
    .await?;
    Ok(rows == 1)
}

pub async fn update_client(
    conn: &mut Conn,
    new: &ClientRow,
    ends_tokens: bool,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    sql(
        "update clients set name = $2, scopes = $3, disabled_at = $4, epoch = epoch + $5, version = version + 1, updated_at = $6 \
         where client_id = $1",
    )
    .bind(new.client_id.clone())
    .bind(new.name.clone())
    .bind(new.scopes.clone())
    .bind(new.disabled_at)
    .bind(i32::from(ends_tokens))
    .bind(now)
    .run(conn)
    .await?;
    Ok(())
}

pub async fn delete_client(conn: &mut Conn, client_id: &str) -> QueryResult<()> {
    sql("delete from clients where client_id = $1").bind(client_id.to_owned()).run(conn).await?;
    Ok(())
}

/// Adds a secret; older ones end after the overlap. Answers when they end, if there were any.
pub async fn add_secret(
    conn: &mut Conn,
    client_id: &str,
    hash: Vec<u8>,
    now: DateTime<Utc>,
) -> QueryResult<Option<DateTime<Utc>>> {
    let until = now + Duration::seconds(SECRET_OVERLAP_SECONDS);
    let older = sql(
        "update client_secrets set expires_at = least(coalesce(expires_at, $2), $2) where client_id = $1",
    )
    .bind(client_id.to_owned())
    .bind(until)
    .run(conn)
    .await?;
    sql("insert into client_secrets (id, client_id, hash, created_at) values ($1, $2, $3, $4)")
        .bind(Uuid::now_v7())
        .bind(client_id.to_owned())
        .bind(hash)
        .bind(now)
        .run(conn)
        .await?;
    Ok((older > 0).then_some(until))
}

pub async fn touch_client(conn: &mut Conn, client_id: &str, now: DateTime<Utc>) -> QueryResult<()> {
    sql("update clients set version = version + 1, updated_at = $2 where client_id = $1")
        .bind(client_id.to_owned())
        .bind(now)
        .run(conn)
        .await?;
    Ok(())
}

/// Hashes of the secrets in force of an enabled client.
pub async fn secrets(conn: &mut Conn, client_id: &str, now: DateTime<Utc>) -> QueryResult<Vec<Vec<u8>>> {
    sql("select s.hash as value from client_secrets s join clients c on c.client_id = s.client_id \
         where s.client_id = $1 and c.disabled_at is null and (s.expires_at is null or s.expires_at > $2)")
    .bind(client_id.to_owned())
    .bind(now)
    .values(conn)
    .await
}

pub const CLIENT_ID: SortKey = SortKey { name: "client_id", expr: "client_id", pg_type: "text" };

pub async fn list_clients(conn: &mut Conn, order: &[Order], window: Window) -> QueryResult<Slice<ClientRow>> {
    List::new(CLIENT, "clients").page(conn, order, window).await
}
