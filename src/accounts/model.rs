//! Users as stored.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::session_model::revoke_sessions;
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
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
        pub must_change_password: bool,
        pub second_factor: bool,
        pub external_subject: Option<String>,
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
        pub display_name: String,
        /// Of the last password that an administrator gave out; it does not become the user's own.
        pub given_out_hash: Option<String>,
    }
}

const USER: &str = "u.id, u.username, u.display_name, u.role, a.code as agency, u.disabled_at, u.must_change_password, \
    exists(select 1 from second_factors f where f.user_id = u.id and f.secret is not null) as second_factor, \
    u.external_subject, u.version, u.created_at, u.updated_at";
const USERS: &str = "users u left join agencies a on a.id = u.agency_id";

pub async fn credentials(conn: &mut Conn, username: &str) -> QueryResult<Option<Credentials>> {
    sql("select id, username, password_hash, epoch, disabled_at, display_name, given_out_hash from users where username = $1")
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
    /// The password was given out: the user has to choose another one first.
    pub must_change_password: bool,
}

/// `false` when the name is taken.
pub async fn insert_user(
    conn: &mut Conn,
    user: UserWrite,
    password_hash: String,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let rows = sql(
        "insert into users (id, username, display_name, role, agency_id, password_hash, must_change_password, created_at, updated_at, given_out_hash) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8, case when $7 then $6 end) on conflict do nothing",
    )
    .bind(Uuid::now_v7())
    .bind(user.username)
    .bind(user.display_name)
    .bind(user.role)
    .bind(user.agency)
    .bind(password_hash)
    .bind(user.must_change_password)
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
    /// The hash again, of a password that is given out.
    pub given_out_hash: Option<String>,
    pub must_change_password: bool,
    pub external_subject: Option<String>,
    pub ends_tokens: bool,
}

pub async fn update_user(
    conn: &mut Conn,
    id: Uuid,
    change: UserChange,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    sql("update users set display_name = $2, role = $3, agency_id = $4, disabled_at = $5, \
         password_hash = coalesce($6, password_hash), must_change_password = $7, \
         epoch = epoch + $8, version = version + 1, updated_at = $9, given_out_hash = coalesce($10, given_out_hash), \
         external_subject = $11 where id = $1")
    .bind(id)
    .bind(change.display_name)
    .bind(change.role)
    .bind(change.agency)
    .bind(change.disabled_at)
    .bind(change.password_hash)
    .bind(change.must_change_password)
    .bind(i32::from(change.ends_tokens))
    .bind(now)
    .bind(change.given_out_hash)
    .bind(change.external_subject)
    .run(conn)
    .await?;
    if change.ends_tokens {
        revoke_sessions(conn, id, None, "account", now).await?;
    }
    Ok(())
}

/// Sets a new password, chosen by its user, and ends every session. `false` when the account has changed since its credentials were
/// read: an administrator's reset is not undone by a change that was under way.
pub async fn set_password(
    conn: &mut Conn,
    id: Uuid,
    epoch: i32,
    hash: String,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let changed = sql(
        "update users set password_hash = $3, must_change_password = false, epoch = epoch + 1, version = version + 1, \
         updated_at = $4 where id = $1 and epoch = $2 and disabled_at is null",
    )
    .bind(id)
    .bind(epoch)
    .bind(hash)
    .bind(now)
    .run(conn)
    .await?;
    if changed == 1 {
        revoke_sessions(conn, id, None, "password", now).await?;
    }
    Ok(changed == 1)
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
    window: PageRequest,
) -> QueryResult<PageRows<UserRow>> {
    let mut list = List::new(USER, USERS);
    list.filter_some(
        "position({} in lower(u.username || ' ' || u.display_name)) > 0",
        query.q.map(|q| q.to_lowercase()),
    );
    list.filter_some("u.role = any({})", query.roles);
    list.filter_some("a.code = {}", query.agency);
    list.page(conn, order, window).await
}
