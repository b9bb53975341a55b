//! Indicators as stored.

use bigdecimal::BigDecimal;
use serde::Serialize;

use crate::auth::Actor;
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::{Conn, QueryResult, Sql, sql};
use crate::values::fold;

const COLUMNS: &str = "i.code, i.group_code, i.subgroup_code, i.name, i.numerator_name, i.denominator_name, i.unit, \
    i.direction, i.definition_status, i.version, \
    coalesce((select array_agg(n.framework_code order by n.framework_code) from framework_nodes n \
              where n.code = i.code and n.is_leaf), '{}') as frameworks";

row! {
    #[derive(Clone, Debug, Serialize)]
    pub struct IndicatorRow {
        pub code: String,
        pub group_code: String,
        pub subgroup_code: String,
        pub name: String,
        pub numerator_name: Option<String>,
        pub denominator_name: Option<String>,
        pub unit: String,
        pub direction: String,
        pub definition_status: String,
        pub version: i32,
        pub frameworks: Vec<String>,
    }
}

/// All that a writer decides of an indicator.
#[derive(Clone, Debug)]
pub struct IndicatorWrite {
    pub code: String,
    pub group_code: String,
    pub subgroup_code: String,
    pub name: String,
    pub numerator_name: Option<String>,
    pub denominator_name: Option<String>,
    pub unit: String,
    pub direction: &'static str,
    pub definition_status: &'static str,
}

pub async fn find(conn: &mut Conn, code: &str) -> QueryResult<Option<IndicatorRow>> {
    sql(format!("select {COLUMNS} from indicators i where i.code = $1"))
        .bind(code.to_owned())
        .maybe(conn)
        .await
}

pub async fn lock(conn: &mut Conn, code: &str) -> QueryResult<Option<IndicatorRow>> {
    sql(format!("select {COLUMNS} from indicators i where i.code = $1 for update of i"))
        .bind(code.to_owned())
        .maybe(conn)
        .await
}

/// Those of the codes that are indicators.
pub async fn known(conn: &mut Conn, codes: Vec<String>) -> QueryResult<Vec<String>> {
    sql("select code as value from indicators where code = any($1)").bind(codes).values(conn).await
}

/// Whether some framework has `subgroup` directly below `group`.
pub async fn is_subgroup(conn: &mut Conn, group: &str, subgroup: &str) -> QueryResult<bool> {
    sql("select exists (select 1 from framework_nodes where code = $2 and parent_code = $1) as value")
        .bind(group.to_owned())
        .bind(subgroup.to_owned())
        .value(conn)
        .await
}

/// `false` when the code is taken.
pub async fn insert(conn: &mut Conn, write: IndicatorWrite, actor: &Actor) -> QueryResult<bool> {
    let rows = bind_all(
        sql(
            "insert into indicators (code, group_code, subgroup_code, name, name_search, numerator_name, denominator_name, \
             unit, direction, definition_status, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) on conflict do nothing",
        ),
        write,
        actor,
    )
    .run(conn)
    .await?;
    Ok(rows == 1)
}

pub async fn update(conn: &mut Conn, write: IndicatorWrite, actor: &Actor) -> QueryResult<()> {
    bind_all(
        sql(
            "update indicators set group_code = $2, subgroup_code = $3, name = $4, name_search = $5, numerator_name = $6, \
             denominator_name = $7, unit = $8, direction = $9, definition_status = $10, updated_at = $11, \
             version = version + 1 where code = $1",
        ),
        write,
        actor,
    )
    .run(conn)
    .await?;
    Ok(())
}

fn bind_all(statement: Sql, write: IndicatorWrite, actor: &Actor) -> Sql {
    let search = fold(&format!("{} {}", write.name, write.code));
    statement
        .bind(write.code)
        .bind(write.group_code)
        .bind(write.subgroup_code)
        .bind(write.name)
        .bind(search)
        .bind(write.numerator_name)
        .bind(write.denominator_name)
        .bind(write.unit)
        .bind(write.direction)
        .bind(write.definition_status)
        .bind(actor.now)
}

row! {
    /// A figure that the plan gives for an earlier year.
    #[derive(Clone, Debug)]
    pub struct BaselineRow {
        pub year: i32,
        pub value: BigDecimal,
        pub unit: String,
        pub note: String,
    }
}

pub async fn baselines(conn: &mut Conn, code: &str) -> QueryResult<Vec<BaselineRow>> {
    sql("select year, value, unit, note from indicator_baselines where indicator_code = $1 order by year")
        .bind(code.to_owned())
        .rows(conn)
        .await
}

/// What a reader looks for.
#[derive(Debug, Default)]
pub struct IndicatorQuery {
    /// Folded text.
    pub q: Option<String>,
    pub frameworks: Option<Vec<String>>,
    /// Groups or subgroups.
    pub groups: Option<Vec<String>>,
}

pub const CODE: SortKey = SortKey { name: "code", expr: "i.code", pg_type: "text" };
pub const NAME: SortKey = SortKey { name: "name", expr: "i.name collate \"vi-x-icu\"", pg_type: "text" };

pub async fn list(
    conn: &mut Conn,
    query: IndicatorQuery,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<IndicatorRow>> {
    let mut list = List::new(COLUMNS, "indicators i");
    if let Some(q) = &query.q {
        list.search("i.name_search", q);
    }
    list.filter_some(
        "exists (select 1 from framework_nodes n where n.code = i.code and n.is_leaf and n.framework_code = any({}))",
        query.frameworks,
    );
    list.filter_some("array[i.group_code, i.subgroup_code] && {}", query.groups);
    list.page(conn, order, window).await
}
