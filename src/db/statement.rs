//! Statements written as SQL, bound with Rust values, prepared once per connection where that is worth it.
//!
//! `diesel::sql_query` marks itself unsafe to cache, so PostgreSQL parses and plans it anew at every call.
//! [`Sql`] does so only where it has to: otherwise diesel keeps it prepared under its text. See `docs/adr/0002-sql-as-text.md`
//! and, for which texts those are, `docs/adr/0020-bounded-prepared-statements.md`.

use std::borrow::Cow;

use diesel::deserialize::{FromSql, QueryableByName};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::Error;
use diesel::row::{Field, NamedRow, Row};
use diesel::serialize::ToSql;
use diesel::sql_types::{self, HasSqlType};
use diesel::{OptionalExtension, QueryResult};
use diesel_async::RunQueryDsl;

use super::bindable::Bindable;
use super::{Conn, prepared};

/// What a statement that only reads can be run on: a connection of one's own, or a shared one.
pub trait Connected {
    fn shared(&self) -> &Conn;
}

impl Connected for Conn {
    fn shared(&self) -> &Conn {
        self
    }
}

impl Connected for &Conn {
    fn shared(&self) -> &Conn {
        self
    }
}

trait Bind: Send {
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()>;
}

struct Bound<T>(T);

impl<T> Bind for Bound<T>
where
    T: Bindable + ToSql<T::St, Pg>,
    Pg: HasSqlType<T::St>,
{
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_bind_param_value_only::<T::St, T>(&self.0)
    }
}

/// One statement with its bound values; `$1` is the value bound first.
#[must_use = "a statement does nothing until it is run"]
pub struct Sql {
    text: Cow<'static, str>,
    binds: Vec<Box<dyn Bind>>,
    caching: Caching,
}

/// Whether a connection keeps a statement prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caching {
    /// As every text that stands in the source; a text that was put together only when it is used often.
    Prepared,
    Unprepared,
}

/// Begins a statement. Values go in by [`Sql::bind`] alone, never into the text.
pub fn sql(text: impl Into<Cow<'static, str>>) -> Sql {
    Sql { text: text.into(), binds: Vec::new(), caching: Caching::Prepared }
}

impl Sql {
    /// A statement made of others: each `{}` of the frame stands for the next part. Their values are bound one behind the other, and
    /// the numbers of their placeholders go on counting.
    pub fn compose(frame: &str, parts: impl IntoIterator<Item = Self>) -> Self {
        let mut pieces = frame.split("{}");
        let mut whole = sql(pieces.next().unwrap_or_default().to_owned());
        for (part, after) in parts.into_iter().zip(pieces) {
            let text = whole.text.to_mut();
            push_counting_on(text, &part.text, whole.binds.len());
            text.push_str(after);
            whole.binds.extend(part.binds);
            if part.caching == Caching::Unprepared {
                whole.caching = Caching::Unprepared;
            }
        }
        whole
    }

    pub fn bind<T>(mut self, value: T) -> Self
    where
        T: Bindable + ToSql<T::St, Pg>,
        Pg: HasSqlType<T::St>,
    {
        self.binds.push(Box::new(Bound(value)));
        self
    }

    /// Has the statement planned for its values each time, instead of keeping it prepared: for those that read much or little
    /// by their values (years of partitions, arrays of any length). Prepared, they get one plan for all values after a few
    /// runs, made without knowing any.
    pub fn custom_plan(mut self) -> Self {
        self.caching = Caching::Unprepared;
        self
    }

    pub(super) fn text_mut(&mut self) -> &mut String {
        self.text.to_mut()
    }

    /// Binds a value and answers its placeholder, for statements put together at run time.
    pub fn bind_inline<T>(&mut self, value: T) -> String
    where
        T: Bindable + ToSql<T::St, Pg>,
        Pg: HasSqlType<T::St>,
    {
        self.binds.push(Box::new(Bound(value)));
        format!("${}", self.binds.len())
    }

    /// As it is sent. Composed texts are counted here, once for each time they are run.
    fn for_sending(mut self) -> Self {
        if let Cow::Owned(text) = &self.text
            && self.caching == Caching::Prepared
            && !prepared::is_used_often(text)
        {
            self.caching = Caching::Unprepared;
        }
        self
    }

    /// All rows.
    pub async fn rows<R>(self, conn: &mut impl Connected) -> QueryResult<Vec<R>>
    where
        R: QueryableByName<Pg> + Send + 'static,
    {
        self.for_sending().load::<R>(&mut conn.shared()).await
    }

    /// The one row; none is [`Error::NotFound`].
    pub async fn row<R>(self, conn: &mut impl Connected) -> QueryResult<R>
    where
        R: QueryableByName<Pg> + Send + 'static,
    {
        self.rows::<R>(conn).await?.into_iter().next().ok_or(Error::NotFound)
    }

    /// The row, if there is one.
    pub async fn maybe<R>(self, conn: &mut impl Connected) -> QueryResult<Option<R>>
    where
        R: QueryableByName<Pg> + Send + 'static,
    {
        self.row(conn).await.optional()
    }

    /// Runs the statement; answers how many rows it touched.
    pub async fn run(self, conn: &mut Conn) -> QueryResult<usize> {
        self.for_sending().execute(conn).await
    }

    /// The one value of a statement whose column is named `value`.
    pub async fn value<T>(self, conn: &mut impl Connected) -> QueryResult<T>
    where
        T: Bindable + FromSql<T::St, Pg>,
    {
        self.row::<Single<T>>(conn).await.map(|single| single.0)
    }

    /// The values of a column named `value`.
    pub async fn values<T>(self, conn: &mut impl Connected) -> QueryResult<Vec<T>>
    where
        T: Bindable + FromSql<T::St, Pg>,
    {
        Ok(self.rows::<Single<T>>(conn).await?.into_iter().map(|single| single.0).collect())
    }
}

/// Columns of a row, taken by name. They nearly always stand in the order in which they are asked for: each is looked for where
/// the last one ended, and by comparing all names only when it is not there.
pub struct Columns<'r, R> {
    row: &'r R,
    next: usize,
}

impl<'r, R> Columns<'r, R> {
    pub fn of<'a>(row: &'r R) -> Self
    where
        R: NamedRow<'a, Pg>,
    {
        Self { row, next: 0 }
    }

    pub fn take<'a, T>(&mut self, name: &str) -> diesel::deserialize::Result<T>
    where
        R: NamedRow<'a, Pg>,
        T: Bindable + FromSql<T::St, Pg>,
    {
        let here = Row::get(self.row, self.next).filter(|field| field.field_name() == Some(name));
        self.next += 1;
        match here {
            Some(field) => T::from_nullable_sql(field.value()),
            None => NamedRow::get::<T::St, T>(self.row, name),
        }
    }
}

struct Single<T>(T);

impl<T: Bindable + FromSql<T::St, Pg>> QueryableByName<Pg> for Single<T> {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> diesel::deserialize::Result<Self> {
        NamedRow::get::<T::St, T>(row, "value").map(Single)
    }
}

/// A text whose placeholders begin after `before` others.
fn push_counting_on(out: &mut String, text: &str, before: usize) {
    let mut rest = text;
    while let Some((plain, numbered)) = rest.split_once('$') {
        out.push_str(plain);
        out.push('$');
        rest = numbered.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = numbered.strip_suffix(rest).unwrap_or_default();
        match digits.parse::<usize>() {
            Ok(number) => out.push_str(&(number + before).to_string()),
            Err(_) => out.push_str(digits),
        }
    }
    out.push_str(rest);
}

impl QueryFragment<Pg> for Sql {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if self.caching == Caching::Unprepared {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql(&self.text);
        for bind in &self.binds {
            bind.push(&mut out)?;
        }
        Ok(())
    }
}

impl QueryId for Sql {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Sql {
    type SqlType = sql_types::Untyped;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_of_parts_count_on() {
        let first = sql("select $1, $2, $1").bind(1_i32).bind(2_i32);
        let second = sql("select $1 from t where x = $12 and y ~ '^a$'").bind(3_i32).custom_plan();
        let whole = Sql::compose("with a as ({}) ({}) order by 1", [first, second]);
        assert_eq!(
            whole.text,
            "with a as (select $1, $2, $1) (select $3 from t where x = $14 and y ~ '^a$') order by 1"
        );
        assert_eq!((whole.binds.len(), whole.caching), (3, Caching::Unprepared));
    }
}
