//! The scores of index runs as stored, and published results beside them.

use bigdecimal::BigDecimal;
use uuid::Uuid;

use super::model::RunRow;
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::{Conn, Connected, QueryResult, sql};
use crate::scoring::engine::outcome::ScoreItem;

const SCORES: &str = "s.node, s.unit, s.position, s.score, s.rounded, s.rank, s.band, s.tied_with, s.missing";

/// To a reader of some units, which are `shown`: of others not what is missing, and next to one's own indicator not who has the same score.
const SEEN: &str = "s.node, s.unit, s.position, s.score, s.rounded, s.rank, s.band, \
    case when s.node in (select code from leaves) then array(select t.unit from unnest(s.tied_with) with ordinality t(unit, place) \
      where t.unit in (select code from shown) order by t.place) else s.tied_with end as tied_with, \
    case when s.unit in (select code from shown) then s.missing else '{}' end as missing";
const SHOWN: &str = "select unnest({}::text[]) as code";
const LEAVES: &str = "select unnest({}::text[]) as code";
/// The score of an indicator is its figure by another name.
const NO_HIDDEN_LEAF: &str =
    "(s.node not in (select code from leaves) or s.unit in (select code from shown))";

row! {
    /// One unit at one node, as stored.
    #[derive(Clone, Debug)]
    pub struct ScoreRow {
        pub node: String,
        pub unit: String,
        pub position: i32,
        pub score: Option<BigDecimal>,
        pub rounded: Option<BigDecimal>,
        pub rank: Option<i32>,
        pub band: Option<String>,
        pub tied_with: Vec<String>,
        pub missing: Vec<String>,
    }
}

/// Stores every unit at every node; `items` by node from the root down, then by unit.
pub async fn insert_scores(conn: &mut Conn, run: Uuid, items: &[ScoreItem]) -> QueryResult<usize> {
    let texts = |of: fn(&ScoreItem) -> &str| items.iter().map(|item| of(item).to_owned()).collect::<Vec<_>>();
    let lists =
        |of: fn(&ScoreItem) -> &[String]| items.iter().map(|item| literal(of(item))).collect::<Vec<_>>();
    let rank = |item: &ScoreItem| item.rank.and_then(|rank| i32::try_from(rank).ok());
    sql("insert into index_run_scores (run_id, node, unit, position, score, rounded, rank, band, tied_with, missing) \
         select $1, node, unit, position, score, rounded, rank, band, tied::text[], missing::text[] \
         from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10) \
           as s (node, unit, position, score, rounded, rank, band, tied, missing)")
    .bind(run)
    .bind(texts(|item| &item.node))
    .bind(texts(|item| &item.unit))
    .bind(positions(items))
    .bind(items.iter().map(|item| item.score.as_ref().map(|s| s.to_decimal())).collect::<Vec<_>>())
    .bind(items.iter().map(|item| item.rounded.as_ref().map(|s| s.to_decimal())).collect::<Vec<_>>())
    .bind(items.iter().map(rank).collect::<Vec<Option<i32>>>())
    .bind(items.iter().map(|item| item.band.clone()).collect::<Vec<Option<String>>>())
    .bind(lists(|item| &item.tied_with))
    .bind(lists(|item| &item.missing))
    .run(conn)
    .await
}

/// The place of each item's node in the tree: a node's items stand together, nodes from the root down.
fn positions(items: &[ScoreItem]) -> Vec<i32> {
    let starts = items.iter().scan(None, |last, item| {
        let starts = last.replace(item.node.as_str()) != Some(item.node.as_str());
        Some(i32::from(starts))
    });
    starts
        .scan(-1, |position, starts| {
            *position += starts;
            Some(*position)
        })
        .collect()
}

/// A list as PostgreSQL writes one: lists of different lengths are no array of arrays.
fn literal(list: &[String]) -> String {
    let quoted = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    format!("{{{}}}", list.iter().map(quoted).collect::<Vec<_>>().join(","))
}

pub const POSITION: SortKey = SortKey { name: "node", expr: "s.position", pg_type: "int" };
pub const UNIT: SortKey = SortKey { name: "unit", expr: "s.unit", pg_type: "text" };
/// Those without a rank come last.
pub const RANK: SortKey = SortKey { name: "rank", expr: "coalesce(s.rank, 2147483647)", pg_type: "int" };

/// Of which units and nodes the scores are wanted.
#[derive(Clone, Debug, Default)]
pub struct ScoreQuery {
    pub units: Option<Vec<String>>,
    pub nodes: Option<Vec<String>>,
    /// Without nodes: the whole alone.
    pub root_only: bool,
}

pub async fn scores(
    conn: &mut impl Connected,
    (run, leaves): (&RunRow, Vec<String>),
    query: ScoreQuery,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<ScoreRow>> {
    let mut list = match run.own.clone() {
        None => List::new(SCORES, "index_run_scores s"),
        Some(own) => {
            let mut list = List::new(SEEN, "index_run_scores s");
            list.with("shown", SHOWN, own);
            list.with("leaves", LEAVES, leaves);
            list.filter_raw(NO_HIDDEN_LEAF);
            list
        }
    };
    list.filter("s.run_id = {}", run.id);
    if query.root_only && query.nodes.is_none() {
        list.filter_raw("s.position = 0");
    }
    list.filter_some("s.unit = any({})", query.units);
    list.filter_some("s.node = any({})", query.nodes);
    list.page(conn, order, window).await
}

pub async fn all_scores(conn: &mut impl Connected, run: Uuid) -> QueryResult<Vec<ScoreRow>> {
    sql(format!("select {SCORES} from index_run_scores s where s.run_id = $1 order by s.position, s.unit"))
        .bind(run)
        .rows(conn)
        .await
}

row! {
    /// A node with what was published and what was computed for one unit, now and in the year before.
    #[derive(Clone, Debug)]
    pub struct BesideRow {
        pub node: String,
        pub position: Option<i32>,
        pub published_score: Option<BigDecimal>,
        pub published_rank: Option<i32>,
        pub published_units: Option<i32>,
        pub source: Option<String>,
        pub published_before: Option<i32>,
        pub score: Option<BigDecimal>,
        pub rounded: Option<BigDecimal>,
        pub rank: Option<i32>,
        pub ranked: i64,
        pub rank_before: Option<i32>,
    }
}

/// Every node of the run, but `hidden_nodes`, or of the published results of its year, from the root down.
pub async fn beside(
    conn: &mut impl Connected,
    run: &RunRow,
    before: Option<Uuid>,
    unit: &str,
    hidden_nodes: Vec<String>,
) -> QueryResult<Vec<BesideRow>> {
    sql("select coalesce(s.node, n.node) as node, s.position, n.score as published_score, n.rank as published_rank, \
           n.units as published_units, n.source, p.rank as published_before, s.score, s.rounded, s.rank, \
           (select count(*) from index_run_scores o where o.run_id = $1 and o.position = s.position and o.rank is not null) as ranked, \
           b.rank as rank_before \
         from (select s.* from index_run_scores s where s.run_id = $1 and s.unit = $3 \
             and s.node <> all($5)) s \
         full join (select * from national_results where index_year = $4) n on n.node = s.node \
         left join national_results p on p.index_year = $4 - 1 and p.node = coalesce(s.node, n.node) \
         left join index_run_scores b on b.run_id = $2 and b.unit = $3 and b.node = coalesce(s.node, n.node) \
         order by s.position nulls last, 1")
    .bind(run.id)
    .bind(before)
    .bind(unit.to_owned())
    .bind(run.index_year)
    .bind(hidden_nodes)
    .rows(conn)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_quoted() {
        assert_eq!(literal(&[]), "{}");
        assert_eq!(literal(&["a\"b".into(), "c\\,".into()]), "{\"a\\\"b\",\"c\\\\,\"}");
    }
}
