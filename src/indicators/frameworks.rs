//! Frameworks as stored and as trees.

use std::collections::HashMap;

use bigdecimal::BigDecimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::rules::{Aggregate, DefinitionStatus, Missing, NormaliseMethod, Ties};
use crate::db::list::{List, Order, Slice, SortKey, Window};
use crate::db::{Conn, QueryResult, sql};
use crate::values::Decimal;

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
    #[derive(Clone, Debug)]
    pub struct NodeRow {
        pub code: String,
        pub parent_code: Option<String>,
        pub name: String,
        pub weight: BigDecimal,
        pub aggregate: Option<String>,
        pub renormalise: Option<String>,
        pub direction: Option<i16>,
        pub normalise: Option<Value>,
        pub max_points: Option<BigDecimal>,
    }
}

const COLUMNS: &str = "f.code, f.name, f.unit_type, f.status, f.rank_decimals, f.rank_ties, f.missing, f.version, \
    (select count(*) from framework_nodes n where n.framework_code = f.code and n.normalise is not null) as indicators";

pub const CODE: SortKey = SortKey { name: "code", expr: "f.code", pg_type: "text" };

pub async fn list(conn: &mut Conn, order: &[Order], window: Window) -> QueryResult<Slice<FrameworkRow>> {
    List::new(COLUMNS, "frameworks f").page(conn, order, window).await
}

pub async fn find(conn: &mut Conn, code: &str) -> QueryResult<Option<FrameworkRow>> {
    sql(format!("select {COLUMNS} from frameworks f where f.code = $1"))
        .bind(code.to_owned())
        .maybe(conn)
        .await
}

pub async fn nodes(conn: &mut Conn, code: &str) -> QueryResult<Vec<NodeRow>> {
    sql("select code, parent_code, name, weight, aggregate, renormalise, direction, normalise, max_points \
         from framework_nodes where framework_code = $1 order by position, code")
    .bind(code.to_owned())
    .rows(conn)
    .await
}

/// A framework without its tree.
#[derive(Debug, Serialize, ToSchema)]
pub struct FrameworkSummary {
    #[schema(example = "ICT-INDEX-2016")]
    pub code: String,
    pub name: String,
    /// What is scored.
    #[schema(example = "province")]
    pub unit_type: String,
    #[schema(value_type = DefinitionStatus)]
    pub status: String,
    pub rank: RankRule,
    #[schema(value_type = Missing)]
    pub missing: String,
    /// How many indicators it rests on.
    pub indicators: i64,
    pub version: i32,
}

/// How scores are ranked.
#[derive(Debug, Serialize, ToSchema)]
pub struct RankRule {
    /// Decimals a score is rounded to before it is ranked.
    pub decimals: i32,
    #[schema(value_type = Ties)]
    pub ties: String,
}

/// A framework with its tree.
#[derive(Debug, Serialize, ToSchema)]
pub struct Framework {
    #[serde(flatten)]
    pub summary: FrameworkSummary,
    pub root: FrameworkNode,
}

/// A node (with `aggregate` and `children`) or a leaf (with `direction` and `normalise`).
#[derive(Debug, Serialize, ToSchema)]
pub struct FrameworkNode {
    #[schema(example = "HT.XH")]
    pub code: String,
    pub name: String,
    /// Among its siblings.
    pub weight: Decimal,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Aggregate>, nullable = false)]
    pub aggregate: Option<String>,
    /// The node's scores are spread over 0 to 1 again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "min_max", nullable = false)]
    pub renormalise: Option<String>,
    /// 1: more is better, -1: less is better.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1, nullable = false)]
    pub direction: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub normalise: Option<Normalise>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_points: Option<Decimal>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(no_recursion, required = false)]
    pub children: Vec<FrameworkNode>,
}

/// How a figure becomes a score.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Normalise {
    pub method: NormaliseMethod,
    /// Lower goalpost.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub lo: Option<Decimal>,
    /// Upper goalpost.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hi: Option<Decimal>,
    /// Range of the score; [0, 1] when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub scale: Option<Vec<Decimal>>,
}

impl From<FrameworkRow> for FrameworkSummary {
    fn from(row: FrameworkRow) -> Self {
        Self {
            code: row.code,
            name: row.name,
            unit_type: row.unit_type,
            status: row.status,
            rank: RankRule { decimals: row.rank_decimals, ties: row.rank_ties },
            missing: row.missing,
            indicators: row.indicators,
            version: row.version,
        }
    }
}

/// The tree of the rows; `None` without a root.
pub fn tree(rows: Vec<NodeRow>) -> Option<FrameworkNode> {
    let mut below: HashMap<Option<String>, Vec<NodeRow>> = HashMap::new();
    for row in rows {
        below.entry(row.parent_code.clone()).or_default().push(row);
    }
    let root = below.remove(&None)?.into_iter().next()?;
    Some(grow(root, &mut below))
}

/// Takes its children out of the map, so that a circle in the data could not go round for ever.
fn grow(row: NodeRow, below: &mut HashMap<Option<String>, Vec<NodeRow>>) -> FrameworkNode {
    let children = below.remove(&Some(row.code.clone())).unwrap_or_default();
    FrameworkNode {
        children: children.into_iter().map(|child| grow(child, below)).collect(),
        code: row.code,
        name: row.name,
        weight: row.weight.into(),
        aggregate: row.aggregate,
        renormalise: row.renormalise,
        direction: row.direction,
        normalise: row.normalise.and_then(|value| serde_json::from_value(value).ok()),
        max_points: row.max_points.map(Decimal::from),
    }
}
