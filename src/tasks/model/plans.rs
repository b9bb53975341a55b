//! Plans as stored.

use chrono::NaiveDate;
use serde::Serialize;

use crate::auth::Actor;
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::{Conn, QueryResult, Sql, sql};
use crate::ids::AgencyId;
use crate::values::fold;

const COLUMNS: &str =
    "p.code, p.number, p.title, p.year, p.issued_on, a.code as issuer, p.framework_code, p.version";
const FROM: &str = "plans p join agencies a on a.id = p.issuer_id";

row! {
    #[derive(Clone, Debug, Serialize)]
    pub struct PlanRow {
        pub code: String,
        pub number: String,
        pub title: String,
        pub year: i32,
        pub issued_on: NaiveDate,
        pub issuer: String,
        pub framework_code: Option<String>,
        pub version: i32,
    }
}

/// All that a writer decides of a plan.
#[derive(Clone, Debug)]
pub struct PlanWrite {
    pub code: String,
    pub number: String,
    pub title: String,
    pub year: i32,
    pub issued_on: NaiveDate,
    pub issuer: AgencyId,
    pub framework: Option<String>,
}

pub async fn find(conn: &mut Conn, code: &str) -> QueryResult<Option<PlanRow>> {
    sql(format!("select {COLUMNS} from {FROM} where p.code = $1")).bind(code.to_owned()).maybe(conn).await
}

/// As [`find`], and nobody else changes it until the transaction ends.
pub async fn lock(conn: &mut Conn, code: &str) -> QueryResult<Option<PlanRow>> {
    sql(format!("select {COLUMNS} from {FROM} where p.code = $1 for update of p"))
        .bind(code.to_owned())
        .maybe(conn)
        .await
}

/// Stores a new plan; `false` when the code is taken.
pub async fn insert(conn: &mut Conn, write: PlanWrite, actor: &Actor) -> QueryResult<bool> {
    let inserted = bind_all(
        sql("insert into plans (code, number, title, title_search, year, issued_on, issuer_id, framework_code, \
             updated_at, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) on conflict do nothing"),
        write,
        actor,
    )
    .run(conn)
    .await?;
    Ok(inserted == 1)
}

/// Stores the new state of a plan and counts its version up.
pub async fn update(conn: &mut Conn, write: PlanWrite, actor: &Actor) -> QueryResult<()> {
    bind_all(
        sql("update plans set number = $2, title = $3, title_search = $4, year = $5, issued_on = $6, issuer_id = $7, \
             framework_code = $8, updated_at = $9, version = version + 1 where code = $1"),
        write,
        actor,
    )
    .run(conn)
    .await?;
    Ok(())
}

fn bind_all(statement: Sql, write: PlanWrite, actor: &Actor) -> Sql {
    let search = fold(&format!("{} {} {}", write.title, write.number, write.code));
    statement
        .bind(write.code)
        .bind(write.number)
        .bind(write.title)
        .bind(search)
        .bind(write.year)
        .bind(write.issued_on)
        .bind(write.issuer)
        .bind(write.framework)
        .bind(actor.now)
}

/// What a reader looks for.
#[derive(Debug, Default)]
pub struct PlanQuery {
    /// Folded text.
    pub q: Option<String>,
    pub years: Option<Vec<i32>>,
}

pub const CODE: SortKey = SortKey { name: "code", expr: "p.code", pg_type: "text" };
pub const YEAR: SortKey = SortKey { name: "year", expr: "p.year", pg_type: "integer" };

pub async fn list(
    conn: &mut Conn,
    query: PlanQuery,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<PlanRow>> {
    let mut list = List::new(COLUMNS, FROM);
    if let Some(q) = &query.q {
        list.search("p.title_search", q);
    }
    list.filter_some("p.year = any({})", query.years);
    list.page(conn, order, window).await
}
