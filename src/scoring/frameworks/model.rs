//! Frameworks as stored: one document each, and its codes for joins.

use serde_json::Value;

use crate::auth::Actor;
use crate::db::json::{from_json, to_json};
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::{Conn, Connected, QueryResult, sql};
use crate::scoring::engine::framework::{Framework, Node};

row! {
    #[derive(Clone, Debug)]
    pub struct FrameworkRow {
        pub code: String,
        pub name: String,
        pub unit_type: String,
        pub status: String,
        pub rank_decimals: i32,
        pub rank_ties: String,
        pub missing: String,
        pub version: i32,
        pub indicators: i64,
    }
}

row! {
    /// A framework with its document.
    #[derive(Clone, Debug)]
    pub struct WholeRow {
        pub version: i32,
        pub indicators: i64,
        pub definition: Value,
    }
}

const COLUMNS: &str = "f.code, f.name, f.unit_type, f.status, f.rank_decimals, f.rank_ties, f.missing, f.version, \
    (select count(*) from framework_nodes n where n.framework_code = f.code and n.is_leaf) as indicators";

pub const CODE: SortKey = SortKey { name: "code", expr: "f.code", pg_type: "text" };

/// What a reader looks for.
#[derive(Debug, Default)]
pub struct FrameworkQuery {
    pub unit_types: Option<Vec<String>>,
    pub statuses: Option<Vec<String>>,
}

pub async fn list(
    conn: &mut Conn,
    query: FrameworkQuery,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<FrameworkRow>> {
    let mut list = List::new(COLUMNS, "frameworks f");
    list.filter_some("f.unit_type = any({})", query.unit_types);
    list.filter_some("f.status = any({})", query.statuses);
    list.page(conn, order, window).await
}

pub async fn find(conn: &mut impl Connected, code: &str) -> QueryResult<Option<WholeRow>> {
    sql(format!("select {COLUMNS}, f.definition from frameworks f where f.code = $1"))
        .bind(code.to_owned())
        .maybe(conn)
        .await
}

/// As [`find`], and nobody deletes it before the transaction ends.
pub async fn hold(conn: &mut Conn, code: &str) -> QueryResult<Option<WholeRow>> {
    sql(format!("select {COLUMNS}, f.definition from frameworks f where f.code = $1 for key share of f"))
        .bind(code.to_owned())
        .maybe(conn)
        .await
}

/// As [`find`], locked to be deleted.
pub async fn lock(conn: &mut Conn, code: &str) -> QueryResult<Option<WholeRow>> {
    sql(format!("select {COLUMNS}, f.definition from frameworks f where f.code = $1 for update of f"))
        .bind(code.to_owned())
        .maybe(conn)
        .await
}

/// Whether anything was observed, and so perhaps computed, under it.
pub async fn is_used(conn: &mut Conn, code: &str) -> QueryResult<bool> {
    sql("select exists(select from observation_sets where framework_code = $1) as value")
        .bind(code.to_owned())
        .value(conn)
        .await
}

/// Deletes one that is not used.
pub async fn delete(conn: &mut Conn, code: &str) -> QueryResult<usize> {
    sql("delete from framework_nodes where framework_code = $1").bind(code.to_owned()).run(conn).await?;
    sql("delete from frameworks where code = $1").bind(code.to_owned()).run(conn).await
}

/// The framework as the engine reads it.
pub fn read(definition: Value) -> QueryResult<Framework> {
    from_json(definition)
}

/// A code of the tree, in its order.
struct Place<'a> {
    code: &'a str,
    parent: Option<&'a str>,
    name: &'a str,
    is_leaf: bool,
}

/// Every code of the tree, parents first; alternatives of a best-of stand below their indicator.
fn places<'a>(node: &'a Node, parent: Option<&'a str>, all: &mut Vec<Place<'a>>) {
    let alternatives = node.points.as_ref().and_then(|points| points.of.as_deref()).unwrap_or_default();
    let children = node.children.as_deref().unwrap_or_default();
    let is_leaf = node.children.is_none() && alternatives.is_empty();
    all.push(Place { code: &node.code, parent, name: &node.name, is_leaf });
    for alternative in alternatives {
        let (code, name) = (alternative.code.as_str(), alternative.name.as_str());
        all.push(Place { code, parent: Some(&node.code), name, is_leaf: true });
    }
    for child in children {
        places(child, Some(&node.code), all);
    }
}

/// Stores a sound framework; `false` when the code is taken.
pub async fn insert(conn: &mut Conn, framework: &Framework, actor: &Actor) -> QueryResult<bool> {
    let definition = to_json(framework)?;
    let word =
        |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (status, ties, missing) = (word("/status"), word("/rank/ties"), word("/missing"));
    let added = sql(
        "insert into frameworks (code, name, unit_type, status, rank_decimals, rank_ties, missing, definition, created_at, updated_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) on conflict do nothing",
    )
    .bind(framework.code.clone())
    .bind(framework.name.clone())
    .bind(framework.unit_type.clone())
    .bind(status)
    .bind(i32::try_from(framework.rank.decimals).unwrap_or(i32::MAX))
    .bind(ties)
    .bind(missing)
    .bind(definition)
    .bind(actor.now)
    .run(conn)
    .await?;
    if added == 1 {
        insert_places(conn, framework).await?;
    }
    Ok(added == 1)
}

async fn insert_places(conn: &mut Conn, framework: &Framework) -> QueryResult<usize> {
    let mut all = Vec::new();
    places(&framework.root, None, &mut all);
    let column = |of: fn(&Place<'_>) -> String| all.iter().map(of).collect::<Vec<String>>();
    sql("insert into framework_nodes (framework_code, code, parent_code, position, name, is_leaf) \
         select $1, n.code, n.parent, n.position - 1, n.name, n.leaf = 't' \
         from unnest($2, $3, $4, $5) with ordinality as n (code, parent, name, leaf, position)")
    .bind(framework.code.clone())
    .bind(column(|place| place.code.to_owned()))
    .bind(all.iter().map(|place| place.parent.map(str::to_owned)).collect::<Vec<Option<String>>>())
    .bind(column(|place| place.name.to_owned()))
    .bind(column(|place| if place.is_leaf { "t" } else { "f" }.to_owned()))
    .run(conn)
    .await
}
