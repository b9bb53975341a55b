//! Machine clients and their secrets as stored.

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::rules::MOST_SECRETS;
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::{Conn, QueryResult, sql};

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

/// `false` when the id is taken. The epoch begins with the time: tokens of a deleted client of that name do not come to life.
pub async fn insert_client(
    conn: &mut Conn,
    client_id: &str,
    name: &str,
    scopes: Vec<String>,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let rows = sql("insert into clients (client_id, name, scopes, epoch, created_at, updated_at) \
         values ($1, $2, $3, extract(epoch from $4)::int, $4, $4) \
         on conflict do nothing")
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

/// Adds a secret; older ones end after the overlap, and the oldest at once where there would be too many. Answers until when older ones
/// work, if there are any.
pub async fn add_secret(
    conn: &mut Conn,
    client_id: &str,
    hash: Vec<u8>,
    overlap_seconds: u32,
    now: DateTime<Utc>,
) -> QueryResult<Option<DateTime<Utc>>> {
    let until = now + Duration::seconds(i64::from(overlap_seconds));
    sql("delete from client_secrets where client_id = $1 and ($2 <= $3 or expires_at <= $3 or id in \
         (select id from client_secrets where client_id = $1 order by created_at desc, id desc offset $4))")
    .bind(client_id.to_owned())
    .bind(until)
    .bind(now)
    .bind(MOST_SECRETS - 1)
    .run(conn)
    .await?;
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

/// Counts the version up; `ends_tokens`: the epoch too.
pub async fn touch_client(
    conn: &mut Conn,
    client_id: &str,
    ends_tokens: bool,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    sql("update clients set version = version + 1, epoch = epoch + $3, updated_at = $2 where client_id = $1")
        .bind(client_id.to_owned())
        .bind(now)
        .bind(i32::from(ends_tokens))
        .run(conn)
        .await?;
    Ok(())
}

/// Deletes secrets that have ended.
pub async fn purge_expired_secrets(conn: &mut Conn, now: DateTime<Utc>) -> QueryResult<usize> {
    sql("delete from client_secrets where id in (select id from client_secrets where expires_at <= $1 for update skip locked)")
        .bind(now)
        .run(conn)
        .await
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

pub async fn list_clients(
    conn: &mut Conn,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<ClientRow>> {
    List::new(CLIENT, "clients").page(conn, order, window).await
}
