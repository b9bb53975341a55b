//! Published national results over HTTP.

use actix_web::{get, put};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::national::{self, ResultRow, ResultWrite};
use super::rules::rank_change;
use crate::audit::{self, Event};
use crate::auth::permission::{ReadNationalResults, WriteNationalResults};
use crate::auth::{Access, Actor};
use crate::db::Conn;
use crate::db::keyset::Order;
use crate::http::csv::CsvRow;
use crate::http::one_or_many::{CheckAt, Listed, OneOrMany};
use crate::http::query::AnyOf;
use crate::http::{
    EntityTag, ListParams, ListQuery, Msg, Page, Preconditions, Problem, ProblemCode, Reply, ValidJson,
    Violations,
};
use crate::values::Decimal;

/// A published result of the province.
#[derive(Debug, Serialize, ToSchema)]
pub struct NationalResult {
    /// Year of the index. Its data are often those of the previous year.
    #[schema(example = 2017)]
    pub index_year: i32,
    /// Code of the node of the framework; `ICT` is the overall index.
    #[schema(example = "HT")]
    pub node: String,
    #[schema(example = 0.52)]
    pub score: Option<Decimal>,
    #[schema(example = 7)]
    pub rank: Option<i32>,
    /// Number of ranked provinces.
    #[schema(example = 63)]
    pub units: Option<i32>,
    pub source: String,
    /// Rank of the previous year; null if unknown.
    #[schema(example = 12)]
    pub previous_rank: Option<i32>,
    /// Ranks gained since the previous year; negative if lost.
    #[schema(example = 5)]
    pub rank_change: Option<i32>,
    pub version: i32,
}

impl From<ResultRow> for NationalResult {
    fn from(row: ResultRow) -> Self {
        Self {
            index_year: row.index_year,
            node: row.node,
            score: row.score.map(Decimal::from),
            rank: row.rank,
            units: row.units,
            source: row.source,
            previous_rank: row.previous_rank,
            rank_change: rank_change(row.previous_rank, row.rank),
            version: row.version,
        }
    }
}

impl CsvRow for NationalResult {
    const COLUMNS: &'static [&'static str] = &[
        "index_year",
        "node",
        "score",
        "rank",
        "units",
        "previous_rank",
        "rank_change",
        "source",
        "version",
    ];
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ResultFilter {
    /// Years, comma-separated.
    #[param(value_type = Option<String>, example = "2016,2017")]
    index_year: Option<AnyOf<String>>,
    /// Codes of nodes, comma-separated.
    #[param(value_type = Option<String>, example = "ICT,HT")]
    node: Option<AnyOf<String>>,
}

fn years(any: Option<&AnyOf<String>>) -> Result<Option<Vec<i32>>, Problem> {
    let Some(any) = any else { return Ok(None) };
    let parsed: Option<Vec<i32>> = any.0.iter().map(|text| text.parse().ok()).collect();
    let detail = Msg::fixed("Năm phải gồm 4 chữ số, ví dụ 2017.", "Expected years such as 2017.");
    parsed.map(Some).ok_or_else(|| crate::http::query::invalid("index_year", detail))
}

/// List published national results
///
/// Includes the ranks gained since the previous year. Sort keys: `index_year`, `node`.
#[utoipa::path(
    tag = "targets",
    params(ResultFilter, ListParams),
    responses((status = 200, description = "A page of results", content((Page<NationalResult> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["national_results:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/national-results")]
pub async fn list_national_results(
    access: Access<ReadNationalResults>,
    list: ListQuery<ResultFilter>,
) -> Result<Reply, Problem> {
    let by_year = Order { key: national::YEAR, descending: false };
    let by_node = Order { key: national::NODE, descending: false };
    let mut order = list.order(&[national::YEAR, national::NODE], &[by_year], by_node)?;
    if !order.iter().any(|o| o.key.name == "index_year") {
        order.push(by_year);
    }
    let window = list.window(&order)?;
    let (years, nodes) = (years(list.filter.index_year.as_ref())?, list.filter.node.clone().map(|any| any.0));
    let slice =
        access.read(async move |conn| Ok(national::list(conn, years, nodes, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, NationalResult::from))
}

/// A result as published.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNationalResult {
    #[schema(example = 2019, minimum = 2000, maximum = 2199)]
    index_year: i32,
    #[schema(example = "ICT", pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$", min_length = 1, max_length = 64)]
    node: String,
    score: Option<Decimal>,
    #[schema(minimum = 1)]
    rank: Option<i32>,
    #[schema(minimum = 1)]
    units: Option<i32>,
    /// Source of the publication.
    #[schema(min_length = 1, max_length = 300)]
    source: String,
}

/// Several results at once.
#[derive(Debug, Deserialize, ToSchema)]
#[allow(dead_code, reason = "describes the body; it is read as OneOrMany")]
pub struct NewNationalResults {
    items: Vec<NewNationalResult>,
}

/// One result, or several under `items`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes the body; it is read as OneOrMany")]
pub enum NationalResultsBody {
    One(NewNationalResult),
    Many(NewNationalResults),
}

/// The stored results.
#[derive(Debug, Serialize, ToSchema)]
pub struct NationalResults {
    pub items: Vec<NationalResult>,
}

impl Listed for NewNationalResult {
    const LIST_NAMES: &'static [&'static str] = &["items", "results"];
}

impl CheckAt for NewNationalResult {
    fn key(&self) -> String {
        format!("{}/{}", self.index_year, self.node)
    }

    fn check_at(&self, pointer: &str, faults: &mut Violations) {
        faults.code(&format!("{pointer}/node"), &self.node);
        faults.name(&format!("{pointer}/source"), self.source.trim(), 1, 300);
        if !(2000..=2199).contains(&self.index_year) {
            let detail = Msg::fixed("Năm phải từ 2000 đến 2199.", "The year must be between 2000 and 2199.");
            faults.add(ProblemCode::InvalidRange, format!("{pointer}/index_year"), detail);
        }
        let possible = self.rank.is_none_or(|rank| rank >= 1 && self.units.is_none_or(|units| rank <= units))
            && self.units.is_none_or(|units| units >= 1);
        if !possible {
            let detail = Msg::fixed(
                "Thứ hạng phải từ 1 đến tổng số tỉnh, thành phố được xếp hạng.",
                "The rank must be between 1 and `units`.",
            );
            faults.add(ProblemCode::InvalidRange, format!("{pointer}/rank"), detail);
        }
        if self.score.is_none() && self.rank.is_none() {
            let detail =
                Msg::fixed("Phải có điểm (score) hoặc thứ hạng (rank).", "Provide `score` or `rank`.");
            faults.add(ProblemCode::Required, format!("{pointer}/score"), detail);
        }
    }
}

/// Store published national results
///
/// Stores one result, or several under `items`, by year and node. Identical results are left unchanged.
#[utoipa::path(
    tag = "targets",
    request_body = NationalResultsBody,
    responses((status = 200, description = "The stored results", body = NationalResults)),
    extensions(("x-if-match" = json!("optional"))),
    security(("bearer" = ["national_results:write"]))
)]
#[put("/national-results")]
pub async fn put_national_results(
    access: Access<WriteNationalResults>,
    body: ValidJson<OneOrMany<NewNationalResult>>,
) -> Result<Reply, Problem> {
    let (actor, conditions) = (access.actor(), access.conditions.clone());
    access
        .transaction(async move |conn| {
            let new = body.value.into_vec();
            let single = new.len() == 1;
            let mut items = Vec::new();
            for result in new {
                items.push(store(conn, result, single.then_some(&conditions), &actor).await?);
            }
            let tag = items.first().filter(|_| single).map(|item| EntityTag::of_version(item.version));
            let reply = Reply::ok(&NationalResults { items })?;
            Ok(tag.map_or(reply.clone(), |tag| reply.tagged(&tag)))
        })
        .await
}

async fn store(
    conn: &mut Conn,
    new: NewNationalResult,
    conditions: Option<&Preconditions>,
    actor: &Actor,
) -> Result<NationalResult, Problem> {
    let (year, node) = (new.index_year, new.node.clone());
    let before = national::lock_or_reserve(conn, year, &node).await?;
    if let Some(conditions) = conditions {
        match &before {
            Some(row) => conditions.match_if_given(row.version)?,
            None => conditions.match_absent()?,
        }
    }
    let write = ResultWrite {
        index_year: year,
        node: new.node,
        score: new.score.map(|s| s.0),
        rank: new.rank,
        units: new.units,
        source: new.source.trim().to_owned(),
    };
    let changed = national::put(conn, write, actor).await?;
    let after = national::lock(conn, year, &node).await?.ok_or_else(Problem::not_found)?;
    if changed {
        let key = format!("{year}/{node}");
        let event = match &before {
            Some(before) => Event::update("national_result", key, before, &after),
            None => Event::create("national_result", key, &after),
        };
        audit::record(conn, actor, event).await?;
    }
    Ok(after.into())
}
