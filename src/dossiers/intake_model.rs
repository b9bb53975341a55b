//! What a delivery asks of the database: the codes it may use, the locks it holds, the state it finds behind them.

use chrono::NaiveDate;

use super::feed_scope::FeedScope;
use super::model::HAS_SOURCE;
use super::rules::{Known, NamedAgency, Reporter};
use crate::agencies::rules::Validity;
use crate::db::locks;
use crate::db::{Conn, QueryResult, sql};
use crate::ids::{AgencyId, ServiceId};
use crate::values::Month;

/// The agencies that a source reports: one that is an agency reports itself and those below it, whoever sends it, so that
/// replacing its month never removes another's figures.
const OF_SOURCE: &str = "with recursive own as (select id from agencies where code = $1 \
    union select a.id from agencies a join own on a.parent_id = own.id)";

row! {
    struct Named {
        is_agency: bool,
        code: String,
        id: i32,
        of_source: bool,
    }
}

/// All codes there are; `None` when there is no such source for this caller.
pub async fn known(conn: &mut Conn, source: &str, feed_scope: &FeedScope) -> QueryResult<Option<Known>> {
    let found: Vec<Named> = sql(format!(
        "{OF_SOURCE} select named.* from (select true as is_agency, code, id, \
           not exists (select 1 from own) or id in (select id from own) as of_source from agencies \
           union all select false, code, id, true from services) as named where (select {HAS_SOURCE})"
    ))
    .bind(source.to_owned())
    .bind(feed_scope.feed.clone())
    .bind(feed_scope.scope.ids())
    .rows(conn)
    .await?;
    if found.is_empty() {
        return Ok(None);
    }
    let mut known = Known::default();
    for Named { is_agency, code, id, of_source } in found {
        if is_agency {
            let id = AgencyId(id);
            let agency = NamedAgency { id, in_scope: of_source && feed_scope.scope.contains(id) };
            known.agencies.insert(code, agency);
        } else {
            known.services.insert(code, ServiceId(id));
        }
    }
    Ok(Some(known))
}

/// Holds, until the transaction ends: levels and the procedures there are (see [`super::rollups::lock_levels`]), the month as open
/// or closed as it is, the source's month, and the agencies' month. In this order alone, so that nobody waits in a circle.
/// And gives the transaction room: the statements of a batch sort and hash all its rows.
pub async fn lock(conn: &mut Conn, source: &str, month: Month, agencies: Vec<i32>) -> QueryResult<()> {
    sql(
        "select set_config('lock_timeout', $5, true), case when shared then pg_advisory_xact_lock_shared(space, key) else pg_advisory_xact_lock(space, key) end, \
           set_config('work_mem', '64MB', true) \
         from (select * from ( \
           select 0 as turn, $6::int as space, 0 as key, true as shared \
           union all select 1, $7::int, $1::int, true \
           union all select 2, $8::int, hashtext($2), false \
           union all select distinct 3, $9::int, hashtext(id || $3), false from unnest($4::int[]) as id) as keys \
         order by turn, key) as in_order",
    )
    .bind(month.number())
    .bind(format!("{source}/{month}"))
    .bind(format!("/{month}"))
    .bind(agencies)
    .bind(locks::FOR_BATCHES.timeout())
    .bind(locks::LEVELS.number())
    .bind(locks::MONTHS.number())
    .bind(locks::SOURCES.number())
    .bind(locks::AGENCIES.number())
    .run(conn)
    .await
    .map(|_| ())
}

row! {
    /// A source's month as a delivery finds it, and its newest revision.
    #[derive(Clone, Copy, Debug)]
    pub struct State {
        pub there: bool,
        pub closed: bool,
        /// The source has never delivered it, and has no counts in it.
        pub untouched: bool,
        pub revision: Option<i32>,
        pub rows: Option<i32>,
        pub received: Option<i64>,
        pub parked: Option<i32>,
    }
}

pub async fn state(
    conn: &mut Conn,
    source: &str,
    month: Month,
    feed_scope: &FeedScope,
) -> QueryResult<State> {
    sql(format!(
        "select {HAS_SOURCE} as there, exists (select 1 from closed_months where month = $4) as closed, \
         b.revision is null and not exists (select 1 from dossier_counts where month = $4 and source = $1) as untouched, \
         b.revision, b.rows, b.received, b.parked from (select 1) as one left join lateral ( \
           select revision, rows, received, parked from dossier_batches where source = $1 and month = $4 \
           order by revision desc limit 1) as b on true"
    ))
    .bind(source.to_owned())
    .bind(feed_scope.feed.clone())
    .bind(feed_scope.scope.ids())
    .bind(month.first_day())
    .row(conn)
    .await
}

/// Who reports these agencies' month. All of an agency's rows of a month have one source, so the first one tells it.
pub async fn reporters(
    conn: &mut Conn,
    source: &str,
    month: Month,
    agencies: Vec<i32>,
    feed_scope: &FeedScope,
) -> QueryResult<Vec<Reporter>> {
    row! {
        struct Found {
            id: AgencyId,
            code: String,
            valid_from: Option<NaiveDate>,
            valid_to: Option<NaiveDate>,
            dossier_source: Option<String>,
            other_source: Option<String>,
            of_source: bool,
        }
    }
    let found: Vec<Found> = sql(format!(
        "{OF_SOURCE} select a.id, a.code, a.valid_from, a.valid_to, a.dossier_source, \
         not exists (select 1 from own) or a.id in (select id from own) as of_source, \
         coalesce(nullif(c.source, $1), p.source) as other_source from agencies a \
         left join lateral (select source from dossier_counts where month = $2 and agency_id = a.id limit 1) as c on true \
         left join lateral (select source from dossier_parked_counts where month = $2 and agency_id = a.id and source <> $1 \
           limit 1) as p on true where a.id = any($3)"
    ))
    .bind(source.to_owned())
    .bind(month.first_day())
    .bind(agencies)
    .rows(conn)
    .await?;
    let reporter = |one: Found| Reporter {
        id: one.id,
        code: one.code,
        validity: Validity { from: one.valid_from, until: one.valid_to },
        decided_source: one.dossier_source,
        other_source: one.other_source,
        in_scope: one.of_source && feed_scope.scope.contains(one.id),
    };
    Ok(found.into_iter().map(reporter).collect())
}
