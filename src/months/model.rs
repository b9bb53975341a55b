//! Closed months as stored, and what months hold.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::auth::{Actor, AgencyScope};
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::locks;
use crate::db::{Conn, QueryResult, sql};
use crate::values::Month;

/// Whether the month's figures are locked.
pub async fn is_closed(conn: &mut Conn, month: Month) -> QueryResult<bool> {
    sql("select exists (select 1 from closed_months where month = $1) as value")
        .bind(month.first_day())
        .value(conn)
        .await
}

/// As [`is_closed`], and it stays so until the transaction ends: what writes into a month asks this way.
pub async fn lock_shared(conn: &mut Conn, month: Month) -> QueryResult<bool> {
    locks::MONTHS.lock_shared(conn, month.number()).await?;
    is_closed(conn, month).await
}

/// What holds the month's closing as it is until the transaction ends, inside a statement that has its first day: for those who
/// must tell one closing from another. What the closing is, a statement *after* it has to ask ([`closing`]): it may have waited.
pub fn lock_shared_text(first_day: &str) -> String {
    const MONTHS: i32 = locks::MONTHS.number();
    format!(
        "pg_advisory_xact_lock_shared({MONTHS}, (extract(year from {first_day}) * 12 + extract(month from {first_day}) - 1)::int)"
    )
}

/// The version of the closing in force of a month.
pub async fn closing(conn: &mut Conn, month: Month) -> QueryResult<Option<i32>> {
    sql("select (select version from closed_months where month = $1) as value")
        .bind(month.first_day())
        .value(conn)
        .await
}

row! {
    /// A month with its state and how many submissions of it the caller may see.
    #[derive(Clone, Debug, Serialize)]
    pub struct MonthRow {
        pub month: NaiveDate,
        pub closed: bool,
        pub closed_at: Option<DateTime<Utc>>,
        pub closed_by: Option<String>,
        pub draft: i64,
        pub submitted: i64,
        pub returned: i64,
        pub accepted: i64,
        pub action: Option<String>,
        pub actor: Option<String>,
        pub at: Option<DateTime<Utc>>,
        pub reason: Option<String>,
        pub version: i32,
    }
}

const COLUMNS: &str = "m.month, c.month is not null as closed, c.closed_at, c.closed_by, n.draft, n.submitted, n.returned, n.accepted, \
    t.action, t.actor, t.at, t.reason, t.version";

/// What belongs to the months `m`; needs `scope(ids)` in front.
macro_rules! months_from {
    ($months:literal) => {
        concat!(
            $months,
            " left join closed_months c on c.month = m.month \
             cross join lateral (select count(*) filter (where s.state = 'draft') as draft, count(*) filter (where s.state = 'submitted') as submitted, \
               count(*) filter (where s.state = 'returned') as returned, count(*) filter (where s.state = 'accepted') as accepted \
               from submissions s, scope where s.month = m.month and (scope.ids is null or s.agency_id = any(scope.ids))) n \
             cross join lateral (select 1 + count(*)::int as version, (array_agg(l.action order by l.id desc))[1] as action, \
               (array_agg(l.actor order by l.id desc))[1] as actor, (array_agg(l.at order by l.id desc))[1] as at, \
               (array_agg(l.reason order by l.id desc))[1] as reason from month_transitions l where l.month = m.month) t"
        )
    };
}

pub const MONTH: SortKey = SortKey { name: "month", expr: "m.month", pg_type: "date" };

/// What a reader looks for.
#[derive(Debug, Default)]
pub struct MonthQuery {
    /// First days.
    pub months: Option<Vec<NaiveDate>>,
    pub closed: Option<bool>,
}

/// Months that are closed or have submissions the caller may see.
pub async fn list(
    conn: &mut Conn,
    scope: &AgencyScope,
    query: MonthQuery,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<MonthRow>> {
    let mut list = List::new(
        COLUMNS,
        months_from!(
            "(select month from closed_months union \
              select s.month from submissions s, scope where scope.ids is null or s.agency_id = any(scope.ids)) m"
        ),
    );
    list.with("scope(ids)", "select {}::int[]", scope.ids());
    list.filter_some("m.month = any({})", query.months);
    list.filter_some("(c.month is not null) = {}", query.closed);
    list.page(conn, order, window).await
}

/// Returns any month. A month without data is `open` and empty.
pub async fn find(conn: &mut Conn, scope: &AgencyScope, month: Month) -> QueryResult<MonthRow> {
    sql(format!(
        "with scope(ids) as (select $2::int[]) select {COLUMNS} from {}",
        months_from!("(select $1::date as month) m")
    ))
    .bind(month.first_day())
    .bind(scope.ids())
    .row(conn)
    .await
}

/// Waits for all who write into the month, and keeps further ones out until the transaction ends.
pub async fn lock(conn: &mut Conn, month: Month) -> QueryResult<()> {
    locks::MONTHS.lock(conn, month.number(), locks::FOR_BATCHES).await
}

/// Closes a locked month; `version` is the one the month has then.
pub async fn close(
    conn: &mut Conn,
    month: Month,
    version: i32,
    reason: Option<String>,
    actor: &Actor,
) -> QueryResult<()> {
    sql("with logged as (insert into month_transitions (id, month, action, reason, actor, at) values ($5, $1, 'close', $6, $3, $2)) \
         insert into closed_months (month, closed_at, closed_by, version) values ($1, $2, $3, $4)")
    .bind(month.first_day())
    .bind(actor.now)
    .bind(actor.name.clone())
    .bind(version)
    .bind(Uuid::now_v7())
    .bind(reason)
    .run(conn)
    .await?;
    Ok(())
}

/// Opens a locked month again.
pub async fn reopen(conn: &mut Conn, month: Month, reason: Option<String>, actor: &Actor) -> QueryResult<()> {
    sql("with logged as (insert into month_transitions (id, month, action, reason, actor, at) values ($4, $1, 'reopen', $5, $3, $2)) \
         delete from closed_months where month = $1")
    .bind(month.first_day())
    .bind(actor.now)
    .bind(actor.name.clone())
    .bind(Uuid::now_v7())
    .bind(reason)
    .run(conn)
    .await?;
    Ok(())
}
