//! Published national results as stored: score and rank of the province per index year and node.

use bigdecimal::BigDecimal;
use serde::Serialize;

use crate::auth::Actor;
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::{Conn, QueryResult, Reader, locks, sql};

row! {
    #[derive(Clone, Debug, Serialize)]
    pub struct ResultRow {
        pub index_year: i32,
        pub node: String,
        pub score: Option<BigDecimal>,
        pub rank: Option<i32>,
        pub units: Option<i32>,
        pub source: String,
        pub version: i32,
        pub previous_rank: Option<i32>,
    }
}

/// A result to be stored.
#[derive(Clone, Debug)]
pub struct ResultWrite {
    pub index_year: i32,
    pub node: String,
    pub score: Option<BigDecimal>,
    pub rank: Option<i32>,
    pub units: Option<i32>,
    pub source: String,
}

const COLUMNS: &str =
    "r.index_year, r.node, r.score, r.rank, r.units, r.source, r.version, p.rank as previous_rank";
const FROM: &str =
    "national_results r left join national_results p on p.node = r.node and p.index_year = r.index_year - 1";

pub const YEAR: SortKey = SortKey { name: "index_year", expr: "r.index_year", pg_type: "int" };
pub const NODE: SortKey = SortKey { name: "node", expr: "r.node", pg_type: "text" };

pub async fn list(
    conn: &mut Conn,
    years: Option<Vec<i32>>,
    nodes: Option<Vec<String>>,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<ResultRow>> {
    let mut list = List::new(COLUMNS, FROM);
    list.filter_some("r.index_year = any({})", years);
    list.filter_some("r.node = any({})", nodes);
    list.page(conn, order, window).await
}

row! {
    /// A result with what its node is called.
    #[derive(Clone, Debug)]
    pub struct NamedResultRow {
        pub index_year: i32,
        pub node: String,
        pub score: Option<BigDecimal>,
        pub rank: Option<i32>,
        pub units: Option<i32>,
        pub source: String,
        pub version: i32,
        pub previous_rank: Option<i32>,
        pub name: Option<String>,
    }
}

/// Results of the last year, up to this one, that has any: the whole index first.
pub async fn latest(conn: &mut Reader<'_>, year: i32) -> QueryResult<Vec<NamedResultRow>> {
    sql(format!(
        "select {COLUMNS}, (select n.name from framework_nodes n where n.code = r.node order by n.framework_code limit 1) as name \
         from {FROM} where r.index_year = (select max(index_year) from national_results where index_year <= $1) \
         order by r.node <> 'ICT', r.node"
    ))
    .bind(year)
    .rows(conn)
    .await
}

/// The result of a year and node, locked.
pub async fn lock(conn: &mut Conn, year: i32, node: &str) -> QueryResult<Option<ResultRow>> {
    sql(format!("select {COLUMNS} from {FROM} where r.index_year = $1 and r.node = $2 for update of r"))
        .bind(year)
        .bind(node.to_owned())
        .maybe(conn)
        .await
}

/// As [`lock`]; where there is no result yet, other requests that are about to store it are waited for, so that one creates and the others change.
pub async fn lock_or_reserve(conn: &mut Conn, year: i32, node: &str) -> QueryResult<Option<ResultRow>> {
    if let Some(row) = lock(conn, year, node).await? {
        return Ok(Some(row));
    }
    locks::NATURAL_KEYS.lock_name(conn, format!("national_result {year} {node}")).await?;
    lock(conn, year, node).await
}

/// Stores the result; `false` when it was there already with these very figures.
pub async fn put(conn: &mut Conn, write: ResultWrite, actor: &Actor) -> QueryResult<bool> {
    let rows = sql(
        "insert into national_results (index_year, node, score, rank, units, source, created_at, updated_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $7) \
         on conflict (index_year, node) do update set score = excluded.score, rank = excluded.rank, units = excluded.units, \
         source = excluded.source, updated_at = excluded.updated_at, version = national_results.version + 1 \
         where (national_results.score, national_results.rank, national_results.units, national_results.source) \
         is distinct from (excluded.score, excluded.rank, excluded.units, excluded.source)",
    )
    .bind(write.index_year)
    .bind(write.node)
    .bind(write.score)
    .bind(write.rank)
    .bind(write.units)
    .bind(write.source)
    .bind(actor.now)
    .run(conn)
    .await?;
    Ok(rows == 1)
}
