//! Targets as stored.

use bigdecimal::BigDecimal;
use chrono::NaiveDate;
use serde::Serialize;
use uuid::Uuid;

use crate::auth::Actor;
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::{Conn, QueryResult, locks, sql};
use crate::ids::AgencyId;

row! {
    #[derive(Clone, Debug, Serialize)]
    pub struct TargetRow {
        pub id: Uuid,
        pub subject: String,
        pub code: String,
        pub scope: String,
        pub agency: Option<String>,
        pub year: i32,
        pub comparator: String,
        pub value: BigDecimal,
        pub value_to: Option<BigDecimal>,
        pub unit: Option<String>,
        pub due: NaiveDate,
        pub source: String,
        pub version: i32,
    }
}

/// A target to be stored; subject, code, scope, agency and year are its key.
#[derive(Clone, Debug)]
pub struct TargetWrite {
    pub subject: &'static str,
    pub code: String,
    pub scope: &'static str,
    pub agency: Option<AgencyId>,
    pub year: i32,
    pub comparator: &'static str,
    pub value: BigDecimal,
    pub value_to: Option<BigDecimal>,
    pub unit: Option<String>,
    pub due: NaiveDate,
    pub source: String,
}

const COLUMNS: &str = "t.id, t.subject, t.code, t.scope, a.code as agency, t.year, t.comparator, t.value, t.value_to, \
    t.unit, t.due, t.source, t.version";
const FROM: &str = "targets t left join agencies a on a.id = t.agency_id";

/// The target of this key, locked.
pub async fn lock(conn: &mut Conn, key: &TargetWrite) -> QueryResult<Option<TargetRow>> {
    sql(format!(
        "select {COLUMNS} from {FROM} where t.subject = $1 and t.code = $2 and t.scope = $3 \
         and coalesce(t.agency_id, 0) = coalesce($4, 0) and t.year = $5 for update of t"
    ))
    .bind(key.subject)
    .bind(key.code.clone())
    .bind(key.scope)
    .bind(key.agency)
    .bind(key.year)
    .maybe(conn)
    .await
}

/// As [`lock`]; where there is no target yet, other requests that are about to store it are waited for, so that one creates and the others change.
pub async fn lock_or_reserve(conn: &mut Conn, key: &TargetWrite) -> QueryResult<Option<TargetRow>> {
    if let Some(row) = lock(conn, key).await? {
        return Ok(Some(row));
    }
    let agency = key.agency.map_or(0, |agency| agency.0);
    let name = format!("target {} {} {} {agency} {}", key.subject, key.code, key.scope, key.year);
    locks::NATURAL_KEYS.lock_name(conn, name).await?;
    lock(conn, key).await
}

/// Stores the target; `false` when it was there already just so.
pub async fn put(conn: &mut Conn, write: TargetWrite, actor: &Actor) -> QueryResult<bool> {
    let rows = sql(
        "insert into targets as t (id, subject, code, scope, agency_id, year, comparator, value, value_to, unit, due, source, \
         created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13) \
         on conflict (subject, code, scope, coalesce(agency_id, 0), year) do update set comparator = excluded.comparator, \
         value = excluded.value, value_to = excluded.value_to, unit = excluded.unit, due = excluded.due, source = excluded.source, \
         updated_at = excluded.updated_at, version = t.version + 1 \
         where (t.comparator, t.value, t.value_to, t.unit, t.due, t.source) is distinct from \
         (excluded.comparator, excluded.value, excluded.value_to, excluded.unit, excluded.due, excluded.source)",
    )
    .bind(Uuid::now_v7())
    .bind(write.subject)
    .bind(write.code)
    .bind(write.scope)
    .bind(write.agency)
    .bind(write.year)
    .bind(write.comparator)
    .bind(write.value)
    .bind(write.value_to)
    .bind(write.unit)
    .bind(write.due)
    .bind(write.source)
    .bind(actor.now)
    .run(conn)
    .await?;
    Ok(rows == 1)
}

/// What a reader looks for.
#[derive(Debug, Default)]
pub struct TargetQuery {
    pub subjects: Option<Vec<String>>,
    pub codes: Option<Vec<String>>,
    pub scopes: Option<Vec<String>>,
    pub agencies: Option<Vec<String>>,
    pub years: Option<Vec<i32>>,
}

pub const CODE: SortKey = SortKey { name: "code", expr: "t.code", pg_type: "text" };
pub const DUE: SortKey = SortKey { name: "due", expr: "t.due", pg_type: "date" };
pub const YEAR: SortKey = SortKey { name: "year", expr: "t.year", pg_type: "int" };
pub const ID: SortKey = SortKey { name: "id", expr: "t.id", pg_type: "uuid" };

pub async fn list(
    conn: &mut Conn,
    query: TargetQuery,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<TargetRow>> {
    let mut list = List::new(COLUMNS, FROM);
    list.filter_some("t.subject = any({})", query.subjects);
    list.filter_some("t.code = any({})", query.codes);
    list.filter_some("t.scope = any({})", query.scopes);
    list.filter_some("a.code = any({})", query.agencies);
    list.filter_some("t.year = any({})", query.years);
    list.page(conn, order, window).await
}
