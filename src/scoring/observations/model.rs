//! Sets of observations as stored: revisions that are only ever added.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::rules::Set;
use crate::auth::Actor;
use crate::db::json::{from_json, to_json};
use crate::db::{Conn, Connected, QueryResult, sql};

row! {
    /// One revision with its figures.
    #[derive(Clone, Debug)]
    pub struct SetRow {
        pub revision: i32,
        pub rows: Value,
        pub units: Value,
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

const COLUMNS: &str = "revision, rows, units, reason, recorded_at, recorded_by";

impl SetRow {
    pub fn set(self) -> QueryResult<Set> {
        Ok(Set { rows: from_json(self.rows)?, units: from_json(self.units)? })
    }
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
    sql("select pg_advisory_xact_lock(3325, hashtext($1)) is null as value")
        .bind(format!("{framework}/{year}"))
        .value::<bool>(conn)
        .await?;
    sql("select revision, digest from observation_sets where framework_code = $1 and data_year = $2 order by revision desc limit 1")
        .bind(framework.to_owned())
        .bind(year)
        .maybe(conn)
        .await
}

/// What two equal sets have in common.
pub fn digest(set: &Set) -> QueryResult<String> {
    let text = to_json(&set.rows)?.to_string() + &to_json(&set.units)?.to_string();
    Ok(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Adds an ordered set as the revision after `last`, under [`lock`]; `None` when it is what `last` holds already.
pub async fn append(
    conn: &mut Conn,
    framework: &str,
    year: i32,
    (last, set, reason): (Option<&Head>, &Set, Option<String>),
    actor: &Actor,
) -> QueryResult<Option<i32>> {
    let digest = digest(set)?;
    if last.is_some_and(|head| head.digest == digest) {
        return Ok(None);
    }
    let revision = last.map_or(0, |head| head.revision) + 1;
    sql(
        "insert into observation_sets (framework_code, data_year, revision, rows, units, digest, reason, recorded_at, recorded_by) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
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
    .run(conn)
    .await?;
    Ok(Some(revision))
}
