//! Lists on the wire: typed filters, page size, cursor, order, count, format. What is not known is refused.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::csv::Format;
use super::query::{from_pairs, invalid, pairs};
use super::{Msg, Problem, ProblemCode};
use crate::db::keyset::{Order, PageRequest, PageRows, SortKey};
use crate::values::hex;

const DEFAULT_LIMIT: i64 = 50;
const MOST: i64 = 200;
/// Sort keys that are looked at: no list has as many, so a longer list names one twice, or one that is not there.
const MOST_SORT_KEYS: usize = 32;

/// Parameters that every list takes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Items per page, at least 1; values above 200 are lowered to 200.
    #[param(minimum = 1, default = 50, example = 50)]
    pub limit: Option<i64>,
    /// `page.next_cursor` of the previous page. Use it with the same filters and order.
    pub cursor: Option<String>,
    /// Sort keys, comma-separated; prefix `-` for descending.
    pub sort: Option<String>,
    /// `exact` adds `page.total`.
    #[param(inline)]
    pub count: Option<Count>,
    /// `csv` for a spreadsheet (the same as `Accept: text/csv`).
    #[param(inline)]
    pub format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    Exact,
}

/// Filters of a list that has none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoFilter {}

/// Position of a page in its list.
#[derive(Debug, Serialize, ToSchema)]
pub struct PageInfo {
    /// Maximum number of items per page.
    pub limit: i64,
    /// Cursor of the next page; null on the last page.
    pub next_cursor: Option<String>,
    /// Number of items in the whole list; only with `count=exact`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub total: Option<i64>,
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub page: PageInfo,
}

/// A list request: filters of type `F` and the page wanted.
#[derive(Debug)]
pub struct ListQuery<F> {
    pub filter: F,
    pub format: Format,
    limit: i64,
    count: bool,
    sort: Vec<(String, bool)>,
    cursor: Option<String>,
    /// What a cursor is bound to: the path and every parameter that shapes the list.
    query_hash: String,
}

#[derive(Serialize, Deserialize)]
struct Cursor {
    q: String,
    k: Vec<String>,
}

impl<F: DeserializeOwned> FromRequest for ListQuery<F> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request))
    }
}

impl<F: DeserializeOwned> ListQuery<F> {
    fn read(request: &HttpRequest) -> Result<Self, Problem> {
        const SHARED: [&str; 5] = ["limit", "cursor", "sort", "count", "format"];
        let pairs = pairs(request.query_string())?;
        let (shared, own): (Vec<_>, Vec<_>) =
            pairs.into_iter().partition(|(name, _)| SHARED.contains(&name.as_str()));
        let params: ListParams = from_pairs(&shared)?;
        let filter: F = from_pairs(&own)?;
        let limit = params.limit.unwrap_or(DEFAULT_LIMIT);
        if limit < 1 {
            return Err(invalid(
                "limit",
                Msg::fixed(
                    "limit phải là số nguyên từ 1 trở lên (giá trị lớn hơn 200 được tính là 200).",
                    "`limit` must be at least 1; values above 200 are lowered to 200.",
                ),
            ));
        }
        let mut bound: Vec<_> = own.iter().map(|(n, v)| format!("{n}={v}")).collect();
        bound.sort();
        bound.push(format!("sort={}", params.sort.as_deref().unwrap_or_default()));
        bound.push(request.path().to_owned());
        Ok(Self {
            filter,
            format: Format::negotiate(request, params.format)?,
            limit: limit.min(MOST),
            count: params.count.is_some(),
            sort: parse_sort(params.sort.as_deref()),
            cursor: params.cursor,
            query_hash: hash(&bound.join("&")),
        })
    }
}

impl<F> ListQuery<F> {
    /// The order asked for, from the documented `keys`, always ending in `unique`.
    pub fn order(&self, keys: &[SortKey], default: &[Order], unique: Order) -> Result<Vec<Order>, Problem> {
        let mut order = Vec::new();
        for (name, descending) in &self.sort {
            let Some(key) = keys.iter().find(|k| k.name == name) else {
                let known = keys.iter().map(|k| k.name).collect::<Vec<_>>().join(", ");
                return Err(invalid(
                    "sort",
                    msg!("Chỉ được sắp xếp theo: {known}.", "Unknown sort key. Use: {known}."),
                ));
            };
            if order.iter().any(|earlier: &Order| earlier.key.name == key.name) {
                return Err(invalid("sort", Msg::fixed("Tiêu chí sắp xếp bị trùng.", "Duplicate sort key.")));
            }
            order.push(Order { key: *key, descending: *descending });
        }
        if order.is_empty() {
            order.extend_from_slice(default);
        }
        if !order.iter().any(|o| o.key.name == unique.key.name) {
            order.push(unique);
        }
        Ok(order)
    }

    /// The window into a list in this `order`.
    pub fn window(&self, order: &[Order]) -> Result<PageRequest, Problem> {
        let after = self.after(order.len())?;
        let fits = after.iter().flatten().zip(order).all(|(value, order)| order.key.fits(value));
        if !fits {
            return Err(Problem::new(ProblemCode::InvalidCursor));
        }
        Ok(PageRequest { limit: self.limit, after, count: self.count })
    }

    fn after(&self, keys: usize) -> Result<Option<Vec<String>>, Problem> {
        let Some(text) = &self.cursor else { return Ok(None) };
        let cursor: Cursor = URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .ok_or_else(|| Problem::new(ProblemCode::InvalidCursor))?;
        if cursor.q != self.query_hash || cursor.k.len() != keys {
            return Err(Problem::new(ProblemCode::InvalidCursor));
        }
        Ok(Some(cursor.k))
    }

    /// The answer for rows read from the database.
    pub fn page<R, T>(&self, slice: PageRows<R>, into: impl FnMut(R) -> T) -> Page<T> {
        Page {
            items: slice.rows.into_iter().map(into).collect(),
            page: PageInfo {
                limit: self.limit,
                next_cursor: slice.next.map(|key| self.cursor_of(key)),
                total: slice.total.or(if self.count { Some(0) } else { None }),
            },
        }
    }

    /// The answer for a list already whole in memory, cut by the text key of its items.
    pub fn page_of<T>(&self, items: Vec<T>, key: impl Fn(&T) -> String) -> Result<Page<T>, Problem> {
        let total = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let after = self.after(1)?.and_then(|k| k.into_iter().next());
        let skip = match after {
            None => 0,
            // An item that has left the list since (a status that changed at midnight) marks no place in it.
            Some(after) => match items.iter().position(|item| key(item) == after) {
                Some(at) => at + 1,
                None => return Err(Problem::new(ProblemCode::InvalidCursor)),
            },
        };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > skip + limit;
        let items: Vec<T> = items.into_iter().skip(skip).take(limit).collect();
        let next_cursor = if more { items.last().map(|item| self.cursor_of(vec![key(item)])) } else { None };
        let page = PageInfo { limit: self.limit, next_cursor, total: self.count.then_some(total) };
        Ok(Page { items, page })
    }

    fn cursor_of(&self, key: Vec<String>) -> String {
        let cursor = Cursor { q: self.query_hash.clone(), k: key };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&cursor).unwrap_or_default())
    }
}

fn hash(text: &str) -> String {
    hex(Sha256::digest(text.as_bytes()).get(..8).unwrap_or_default())
}

fn parse_sort(text: Option<&str>) -> Vec<(String, bool)> {
    text.into_iter()
        .flat_map(|t| t.split(','))
        .take(MOST_SORT_KEYS)
        .map(|part| match part.strip_prefix('-') {
            Some(name) => (name.to_owned(), true),
            None => (part.to_owned(), false),
        })
        .collect()
}

#[cfg(test)]
#[path = "list_query_tests.rs"]
mod tests;
