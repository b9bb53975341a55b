//! Counts, batches and feeds as they are read.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use super::feed_scope::FeedScope;
use crate::db::copy::literal;
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::{Conn, QueryResult, Reader, sql};
use crate::values::Period;

/// `$1` the source, `$2` and `$3` the caller's [`FeedScope`].
pub(super) const HAS_SOURCE: &str = "(coalesce($2 = $1, exists (select 1 from agencies where code = $1 and ($3::int[] is null or id = any($3))) \
    or $3::int[] is null and (exists (select 1 from clients where client_id = $1) \
    or exists (select 1 from dossier_batches where source = $1))))";

/// Whether there is such a source for this caller: a machine client, an agency in scope, or a source that delivered once.
pub async fn has_source(conn: &mut Conn, source: &str, feed_scope: &FeedScope) -> QueryResult<bool> {
    sql(format!("select {HAS_SOURCE} as value"))
        .bind(source.to_owned())
        .bind(feed_scope.feed.clone())
        .bind(feed_scope.scope.ids())
        .value(conn)
        .await
}

row! {
    /// A revision of a source's month.
    #[derive(Clone, Debug)]
    pub struct BatchRow {
        pub month: NaiveDate,
        pub revision: i32,
        pub rows: i32,
        pub received: i64,
        pub created: i32,
        pub updated: i32,
        pub unchanged: i32,
        pub deleted: i32,
        pub parked: i32,
        pub reason: Option<String>,
        pub actor: String,
        pub at: DateTime<Utc>,
    }
}

const BATCH: &str =
    "month, revision, rows, received, created, updated, unchanged, deleted, parked, reason, actor, at";

/// All revisions of a source's month, newest first.
pub async fn revisions(conn: &mut Conn, source: &str, month: NaiveDate) -> QueryResult<Vec<BatchRow>> {
    sql(format!(
        "select {BATCH} from dossier_batches where source = $1 and month = $2 order by revision desc"
    ))
    .bind(source.to_owned())
    .bind(month)
    .rows(conn)
    .await
}

/// The newest revision of each month that the source delivered, months in order.
pub async fn delivered(conn: &mut Conn, source: &str) -> QueryResult<Vec<BatchRow>> {
    sql(format!(
        "select distinct on (month) {BATCH} from dossier_batches where source = $1 order by month, revision desc"
    ))
    .bind(source.to_owned())
    .rows(conn)
    .await
}

row! {
    /// A batch that counts come from; `agency` is empty where they are not told by agency.
    #[derive(Clone, Debug)]
    pub struct BehindRow {
        pub agency: String,
        pub source: String,
        pub month: NaiveDate,
        pub revision: i32,
    }
}

/// The newest revisions of the batches that a period's counts come from: of all, or of each agency.
pub async fn batches_behind(conn: &mut Conn, period: Period, by_agency: bool) -> QueryResult<Vec<BehindRow>> {
    let statement = if by_agency {
        "with newest as (select source, month, max(revision) as revision from dossier_batches where month between $1 and $2 group by 1, 2), \
         told as (select distinct agency_id, source, month from dossier_counts where month between $1 and $2) \
         select a.code as agency, n.source, n.month, n.revision from told join newest n using (source, month) \
         join agencies a on a.id = told.agency_id order by 1, 2, 3"
    } else {
        "select '' as agency, source, month, max(revision) as revision from dossier_batches where month between $1 and $2 \
         group by source, month order by 2, 3"
    };
    sql(statement).custom_plan().bind(period.first_day()).bind(period.last_day()).rows(conn).await
}

row! {
    /// Counts of an agency, procedure, month and channel.
    #[derive(Clone, Debug)]
    pub struct CountsRow {
        pub month: NaiveDate,
        pub agency: String,
        pub service: String,
        pub channel: String,
        pub received: i32,
        pub resolved_early: i32,
        pub resolved_on_time: i32,
        pub resolved_late: i32,
        pub withdrawn: i32,
        pub carried_in: i32,
        pub in_progress_on_time: i32,
        pub in_progress_overdue: i32,
        pub source: String,
        pub revision: i32,
    }
}

/// What a reader of counts looks for.
#[derive(Debug, Default)]
pub struct CountQuery {
    pub agencies: Option<Vec<String>>,
    pub services: Option<Vec<String>>,
    pub channels: Option<Vec<i16>>,
    /// First and last day.
    pub period: Option<(NaiveDate, NaiveDate)>,
}

impl CountQuery {
    /// Whether many rows may have to be passed over to find some that fit.
    pub fn is_selective(&self) -> bool {
        self.agencies.is_some() || self.services.is_some() || self.channels.is_some()
    }
}

pub const MONTH: SortKey = SortKey { name: "month", expr: "c.month", pg_type: "date" };

/// The order of the primary key, which is what makes page 10,000 as cheap as page 1.
pub fn key_order(descending: bool) -> [Order; 4] {
    [
        MONTH,
        SortKey { name: "agency", expr: "c.agency_id", pg_type: "int" },
        SortKey { name: "service", expr: "c.service_id", pg_type: "int" },
        SortKey { name: "channel", expr: "c.channel", pg_type: "smallint" },
    ]
    .map(|key| Order { key, descending })
}

/// The counts as row-level security shows them, with what they refer to …
pub const WALLED: &str =
    "dossier_counts c join agencies a on a.id = c.agency_id join services s on s.id = c.service_id";
/// … and past it, for those who see every agency.
pub const ALL: &str =
    "reported_dossiers c join agencies a on a.id = c.agency_id join services s on s.id = c.service_id";

/// `from` is [`WALLED`] or [`ALL`].
pub async fn list(
    conn: &mut Reader<'_>,
    from: &'static str,
    query: &CountQuery,
    feed_scope: &FeedScope,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<CountsRow>> {
    let mut list = List::new(
        "c.month, a.code as agency, s.code as service, \
         case c.channel when 1 then 'online' when 2 then 'in_person' else 'postal' end as channel, \
         c.received, c.resolved_early, c.resolved_on_time, c.resolved_late, c.withdrawn, c.carried_in, \
         c.in_progress_on_time, c.in_progress_overdue, c.source, c.revision",
        from,
    );
    list.filter_some("c.source = {}", feed_scope.feed.clone());
    list.filter_some("c.agency_id = any({})", feed_scope.scope.ids());
    list.filter_some("c.agency_id in (select id from agencies where code = any({}))", query.agencies.clone());
    list.filter_some(
        "c.service_id in (select id from services where code = any({}))",
        query.services.clone(),
    );
    list.filter_some("c.channel = any({})", query.channels.clone());
    if let Some((first, last)) = query.period {
        if let Some(year) = year_of(first, last) {
            list.filter_raw(&year);
        }
        list.filter("c.month >= {}", first);
        list.filter("c.month <= {}", last);
    }
    list.page(conn, order, window).await
}

/// The year that holds the period, as a condition without values: a plan that is kept then knows the one partition, and neither locks
/// nor opens the others at each run. There are as many such texts as years with a partition.
fn year_of(first: NaiveDate, last: NaiveDate) -> Option<String> {
    const PARTITIONS: std::ops::RangeInclusive<i32> = 2015..=2040;
    let year = first.year();
    (year == last.year() && PARTITIONS.contains(&year))
        .then(|| format!("c.month between '{year}-01-01' and '{year}-12-31'"))
}

/// The statement that writes all counts of a query as CSV. COPY takes no parameters, so the values stand in its text: numbers and
/// days as such, codes as quoted literals.
pub fn export_statement(query: &CountQuery, feed_scope: &FeedScope) -> String {
    let mut conditions = vec!["true".to_owned()];
    let mut filter = |condition: Option<String>| conditions.extend(condition);
    let codes = |codes: &[String]| codes.iter().map(|code| literal(code)).collect::<Vec<_>>().join(", ");
    filter(feed_scope.feed.as_deref().map(|feed| format!("c.source = {}", literal(feed))));
    filter(feed_scope.scope.ids().map(|ids| format!("c.agency_id = any('{{{}}}'::int[])", joined(&ids))));
    filter(query.agencies.as_deref().map(|of| format!("a.code in ({})", codes(of))));
    filter(query.services.as_deref().map(|of| format!("s.code in ({})", codes(of))));
    filter(query.channels.as_deref().map(|of| format!("c.channel = any('{{{}}}'::smallint[])", joined(of))));
    filter(query.period.map(|(first, last)| format!("c.month between '{first}' and '{last}'")));
    format!(
        "copy (select to_char(c.month, 'YYYY-MM') as month, a.code as agency, s.code as service, \
         case c.channel when 1 then 'online' when 2 then 'in_person' else 'postal' end as channel, \
         c.received, c.resolved_early, c.resolved_on_time, c.resolved_late, c.withdrawn, c.carried_in, \
         c.in_progress_on_time, c.in_progress_overdue, c.source, c.revision \
         from {WALLED} where {}) \
         to stdout (format csv, header true)",
        conditions.join(" and ")
    )
}

fn joined<T: ToString>(numbers: &[T]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AgencyScope;

    #[test]
    fn an_export_holds_its_filters_as_literals() {
        let query = CountQuery {
            agencies: Some(vec!["SO-YT".into(), "x') or ('1'='1".into()]),
            ..CountQuery::default()
        };
        let feed_scope = FeedScope { feed: Some("vnpt".into()), scope: AgencyScope::Agencies(vec![]) };
        let text = export_statement(&query, &feed_scope);
        assert!(text.contains("a.code in ('SO-YT', 'x'') or (''1''=''1')"), "{text}");
        assert!(text.contains("c.source = 'vnpt'") && text.contains("any('{}'::int[])"), "nobody's: nothing");
    }
}
