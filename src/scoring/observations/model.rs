//! Sets of observations as stored: revisions that are only ever added.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::rules::{Changes, Set};
use crate::auth::Actor;
use crate::db::json::{from_text, to_json};
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::locks;
use crate::db::{Conn, Connected, QueryResult, sql};
use crate::values::hex;

row! {
    /// One revision with its figures, as text: up to 16 MiB, not to be parsed where others wait.
    #[derive(Clone, Debug)]
    pub struct SetRow {
        pub revision: i32,
        pub rows: String,
        pub units: String,
        pub reason: Option<String>,
        pub recorded_at: DateTime<Utc>,
        pub recorded_by: String,
    }
}

row! {
    /// One revision without its figures.
    #[derive(Clone, Debug)]
    pub struct Head {
        pub revision: i32,
        pub digest: String,
    }
}

row! {
    /// A revision as it is listed.
    #[derive(Clone, Debug)]
    pub struct RevisionRow {
        pub revision: i32,
        pub row_count: i32,
        pub unit_count: i32,
        pub created: i32,
        pub updated: i32,
        pub unchanged: i32,
        pub deleted: i32,
        pub reason: Option<String>,
        pub recorded_at: DateTime<Utc>,
        pub recorded_by: String,
    }
}

const REVISION: &str = "o.revision, o.row_count, o.unit_count, o.created, o.updated, o.unchanged, o.deleted, \
    o.reason, o.recorded_at, o.recorded_by";
const REVISIONS: &str = "observation_sets o";

pub const REVISION_KEY: SortKey = SortKey { name: "revision", expr: "o.revision", pg_type: "int" };

/// All revisions of a framework's year, without their figures.
pub async fn revisions(
    conn: &mut Conn,
    framework: String,
    year: i32,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<RevisionRow>> {
    let mut list = List::new(REVISION, REVISIONS);
    list.filter("o.framework_code = {}", framework);
    list.filter("o.data_year = {}", year);
    list.page(conn, order, window).await
}

/// A revision without its figures; without `revision` the one that counts.
pub async fn head(
    conn: &mut impl Connected,
    framework: &str,
    year: i32,
    revision: Option<i32>,
) -> QueryResult<Option<RevisionRow>> {
    sql(format!(
        "select {REVISION} from {REVISIONS} where o.framework_code = $1 and o.data_year = $2 \
         and ($3::int is null or o.revision = $3) order by o.revision desc limit 1"
    ))
    .bind(framework.to_owned())
    .bind(year)
    .bind(revision)
    .maybe(conn)
    .await
}

const COLUMNS: &str = "revision, rows::text as rows, units::text as units, reason, recorded_at, recorded_by";

impl SetRow {
    pub fn set(self) -> QueryResult<Set> {
        set_of(&self.rows, &self.units)
    }
}

/// The set that two stored documents are.
pub fn set_of(rows: &str, units: &str) -> QueryResult<Set> {
    Ok(Set { rows: from_text(rows)?, units: from_text(units)? })
}

/// The revision that counts.
pub async fn current(conn: &mut impl Connected, framework: &str, year: i32) -> QueryResult<Option<SetRow>> {
    sql(format!(
        "select {COLUMNS} from observation_sets where framework_code = $1 and data_year = $2 order by revision desc limit 1"
    ))
    .bind(framework.to_owned())
    .bind(year)
    .maybe(conn)
    .await
}

pub async fn revision(
    conn: &mut impl Connected,
    framework: &str,
    year: i32,
    revision: i32,
) -> QueryResult<Option<SetRow>> {
    sql(format!(
        "select {COLUMNS} from observation_sets where framework_code = $1 and data_year = $2 and revision = $3"
    ))
    .bind(framework.to_owned())
    .bind(year)
    .bind(revision)
    .maybe(conn)
    .await
}

/// Makes writers of one framework's year wait for each other until the transaction ends, and answers the last revision.
pub async fn lock(conn: &mut Conn, framework: &str, year: i32) -> QueryResult<Option<Head>> {
    locks::OBSERVATIONS.lock_name(conn, format!("{framework}/{year}")).await?;
    sql("select revision, digest from observation_sets where framework_code = $1 and data_year = $2 order by revision desc limit 1")
        .bind(framework.to_owned())
        .bind(year)
        .maybe(conn)
        .await
}

/// What two equal sets have in common.
pub fn digest(set: &Set) -> QueryResult<String> {
    let text = to_json(&set.rows)?.to_string() + &to_json(&set.units)?.to_string();
    Ok(hex(&Sha256::digest(text.as_bytes())))
}

/// Adds an ordered set as the revision after `last`, under [`lock`]; `None` when it is what `last` holds already.
pub async fn append(
    conn: &mut Conn,
    framework: &str,
    year: i32,
    (last, set, changes, reason): (Option<&Head>, &Set, Changes, Option<String>),
    actor: &Actor,
) -> QueryResult<Option<i32>> {
    let digest = digest(set)?;
    if last.is_some_and(|head| head.digest == digest) {
        return Ok(None);
    }
    let revision = last.map_or(0, |head| head.revision) + 1;
    sql(
        "insert into observation_sets (framework_code, data_year, revision, rows, units, digest, reason, recorded_at, recorded_by, \
         row_count, unit_count, created, updated, unchanged, deleted) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
    )
    .bind(framework.to_owned())
    .bind(year)
    .bind(revision)
    .bind(to_json(&set.rows)?)
    .bind(to_json(&set.units)?)
    .bind(digest)
    .bind(reason)
    .bind(actor.now)
    .bind(actor.name.clone())
    .bind(count(set.rows.len()))
    .bind(count(set.unit_codes().len()))
    .bind(changes.created)
    .bind(changes.updated)
    .bind(changes.unchanged)
    .bind(changes.deleted)
    .run(conn)
    .await?;
    Ok(Some(revision))
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
