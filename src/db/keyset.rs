//! Lists read by key, not by offset: page 1,000 costs what page 1 costs.
//!
//! A list names its columns to sort by; the last of them is unique, so that no row is lost or shown twice between pages.

use diesel::QueryResult;
use diesel::deserialize::QueryableByName;
use diesel::pg::Pg;
use diesel::row::NamedRow;
use diesel::serialize::ToSql;
use diesel::sql_types::HasSqlType;

use super::{Bindable, Connected, Sql, sql};
use crate::values::is_plausible_day;

/// A column (or expression, never null) that a list can be sorted by.
#[derive(Clone, Copy, Debug)]
pub struct SortKey {
    /// Name in `sort=`.
    pub name: &'static str,
    /// SQL expression over the list's `from` clause.
    pub expr: &'static str,
    /// PostgreSQL type the cursor's text is cast to.
    pub pg_type: &'static str,
}

impl SortKey {
    /// Whether a cursor's text can be a value of this key; what cannot was not made here.
    pub fn fits(&self, text: &str) -> bool {
        match self.pg_type {
            "int" | "integer" => text.parse::<i32>().is_ok(),
            "smallint" => text.parse::<i16>().is_ok(),
            "uuid" => text.parse::<uuid::Uuid>().is_ok(),
            "date" => text.parse().is_ok_and(is_plausible_day),
            "timestamptz" => {
                text.parse::<chrono::DateTime<chrono::FixedOffset>>().is_ok() || looks_like_time(text)
            }
            _ => !text.contains('\0'),
        }
    }
}

/// PostgreSQL's own spelling of an instant: `2018-03-15 02:00:00+00`.
fn looks_like_time(text: &str) -> bool {
    chrono::DateTime::parse_from_str(&format!("{text}00"), "%Y-%m-%d %H:%M:%S%.f%z").is_ok()
}

/// One key with its direction.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub key: SortKey,
    pub descending: bool,
}

/// Where a page begins and how long it is.
#[derive(Clone, Debug)]
pub struct PageRequest {
    pub limit: i64,
    /// Values of the order's keys of the last row already seen.
    pub after: Option<Vec<String>>,
    pub count: bool,
}

/// One page as read from the database.
#[derive(Debug)]
pub struct PageRows<R> {
    pub rows: Vec<R>,
    /// Key of the last row, when there are more behind it.
    pub next: Option<Vec<String>>,
    pub total: Option<i64>,
}

/// A list statement in the making.
pub struct List {
    select: &'static str,
    from: &'static str,
    conditions: Vec<String>,
    with: Vec<String>,
    statement: Sql,
}

impl List {
    /// `select` are the columns, `from` all that follows FROM up to WHERE.
    pub fn new(select: &'static str, from: &'static str) -> Self {
        Self { select, from, conditions: Vec::new(), with: Vec::new(), statement: sql(String::new()) }
    }

    /// Adds a condition; `{}` in it stands for the bound value.
    pub fn filter<T>(&mut self, condition: &str, value: T)
    where
        T: Bindable + ToSql<T::St, Pg>,
        Pg: HasSqlType<T::St>,
    {
        let place = self.statement.bind_inline(value);
        self.conditions.push(condition.replace("{}", &place));
    }

    /// Adds a condition when there is a value for it.
    pub fn filter_some<T>(&mut self, condition: &str, value: Option<T>)
    where
        T: Bindable + ToSql<T::St, Pg>,
        Pg: HasSqlType<T::St>,
    {
        if let Some(value) = value {
            self.filter(condition, value);
        }
    }

    /// Puts `name as (query)` in front, for a value that the columns or the `from` clause need; `{}` stands for it.
    pub fn with<T>(&mut self, name: &str, query: &str, value: T)
    where
        T: Bindable + ToSql<T::St, Pg>,
        Pg: HasSqlType<T::St>,
    {
        let place = self.statement.bind_inline(value);
        self.with.push(format!("{name} as ({})", query.replace("{}", &place)));
    }

    /// Adds a condition without a value.
    pub fn filter_raw(&mut self, condition: &str) {
        self.conditions.push(condition.to_owned());
    }

    /// Every word of `folded` (see [`crate::values::fold`]) must occur in the column. One condition for any number of words:
    /// the statement's text does not grow with what is searched for.
    pub fn search(&mut self, column: &str, folded: &str) {
        let words: Vec<String> = folded.split_whitespace().map(str::to_owned).collect();
        let condition = format!(
            "(select coalesce(bool_and(position(word in {column}) > 0), true) from unnest({{}}::text[]) as word)"
        );
        self.filter(&condition, words);
    }

    /// Reads the page, and the count of all rows if the window asks for it.
    pub async fn page<R>(
        mut self,
        conn: &mut impl Connected,
        order: &[Order],
        window: PageRequest,
    ) -> QueryResult<PageRows<R>>
    where
        R: QueryableByName<Pg> + Send + 'static,
    {
        // The total is that of the filters, wherever the page begins: taken before the cursor narrows them.
        let total = if window.count {
            format!("(select count(*) from {}{})", self.from, where_clause(&self.conditions))
        } else {
            "null::bigint".to_owned()
        };
        if let Some(after) = &window.after {
            let beyond = self.after_cursor(order, after);
            self.conditions.push(beyond);
        }
        let keys: Vec<_> = order.iter().map(|o| format!("({})::text", o.key.expr)).collect();
        let by: Vec<_> = order
            .iter()
            .map(|o| format!("{}{}", o.key.expr, if o.descending { " desc" } else { "" }))
            .collect();
        let limit = self.statement.bind_inline(window.limit + 1);
        let text = format!(
            "{}select {}, array[{}] as page_key, {total} as page_total from {}{} order by {} limit {limit}",
            self.with_clause(),
            self.select,
            keys.join(", "),
            self.from,
            where_clause(&self.conditions),
            by.join(", "),
        );
        *self.statement.text_mut() = text;
        let rows = self.statement.rows::<Keyed<R>>(conn).await?;
        Ok(slice(rows, usize::try_from(window.limit).unwrap_or(usize::MAX)))
    }

    /// All rows, for lists that are filtered further by what no SQL knows.
    pub async fn all<R>(mut self, conn: &mut impl Connected, order: &str) -> QueryResult<Vec<R>>
    where
        R: QueryableByName<Pg> + Send + 'static,
    {
        let text = format!(
            "{}select {} from {}{} order by {order}",
            self.with_clause(),
            self.select,
            self.from,
            where_clause(&self.conditions)
        );
        *self.statement.text_mut() = text;
        self.statement.rows(conn).await
    }

    fn with_clause(&self) -> String {
        if self.with.is_empty() { String::new() } else { format!("with {} ", self.with.join(", ")) }
    }

    /// The condition "behind the cursor". One direction: a row comparison, which an index serves. Mixed: spelled out.
    fn after_cursor(&mut self, order: &[Order], after: &[String]) -> String {
        let places: Vec<String> = order
            .iter()
            .zip(after)
            .map(|(o, value)| format!("{}::{}", self.statement.bind_inline(value.clone()), o.key.pg_type))
            .collect();
        let descending = order.first().is_some_and(|o| o.descending);
        if order.iter().all(|o| o.descending == descending) {
            let exprs: Vec<_> = order.iter().map(|o| o.key.expr).collect();
            let sign = if descending { "<" } else { ">" };
            return format!("({}) {sign} ({})", exprs.join(", "), places.join(", "));
        }
        let mut alternatives = Vec::new();
        let mut equal = Vec::new();
        for (o, place) in order.iter().zip(&places) {
            let sign = if o.descending { "<" } else { ">" };
            let mut all: Vec<String> = equal.clone();
            all.push(format!("{} {sign} {place}", o.key.expr));
            alternatives.push(format!("({})", all.join(" and ")));
            equal.push(format!("{} = {place}", o.key.expr));
        }
        format!("({})", alternatives.join(" or "))
    }
}

fn where_clause(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" where {}", conditions.join(" and ")) }
}

struct Keyed<R> {
    row: R,
    key: Vec<String>,
    total: Option<i64>,
}

impl<R: QueryableByName<Pg>> QueryableByName<Pg> for Keyed<R> {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> diesel::deserialize::Result<Self> {
        Ok(Self {
            row: R::build(row)?,
            key: NamedRow::get::<<Vec<String> as Bindable>::St, _>(row, "page_key")?,
            total: NamedRow::get::<<Option<i64> as Bindable>::St, _>(row, "page_total")?,
        })
    }
}

fn slice<R>(mut rows: Vec<Keyed<R>>, limit: usize) -> PageRows<R> {
    let total = rows.first().and_then(|keyed| keyed.total);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().map(|keyed| keyed.key.clone()) } else { None };
    PageRows { rows: rows.into_iter().map(|keyed| keyed.row).collect(), next, total }
}
