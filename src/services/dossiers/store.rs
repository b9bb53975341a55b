//! Replacing a source's month: a few statements, however many rows.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::Serialize;

use super::rollups;
use super::rules::{Known, KnownAgency};
use crate::agencies::rules::Validity;
use crate::auth::{Actor, Scope};
use crate::db::{Conn, QueryResult, sql};
use crate::ids::{AgencyId, ServiceId};
use crate::values::{Month, Period};

/// Columns of the counts, in the order of [`super::rules::COUNTS`].
const COUNTS: &str = "received, resolved_early, resolved_on_time, resolved_late, withdrawn, carried_in, \
    in_progress_on_time, in_progress_overdue";
/// Batches of one source and month come one after the other, and levels stay, until the transaction ends.
pub async fn lock_batch(conn: &mut Conn, source: &str, month: Month) -> QueryResult<()> {
    // The statements of a batch sort and hash all its rows.
    sql(format!(
        "select pg_advisory_xact_lock(3321, hashtext($1)), {}, set_config('work_mem', '64MB', true)",
        rollups::HOLD_LEVELS
    ))
    .bind(format!("{source}/{month}"))
    .run(conn)
    .await
    .map(|_| ())
}

/// Of two sources that report an agency's month for the first time, one comes first. Locks are taken in their order, so
/// that batches cannot wait for each other in a circle.
pub async fn lock_agencies(conn: &mut Conn, agencies: Vec<i32>, month: Month) -> QueryResult<()> {
    sql("select pg_advisory_xact_lock(3322, key) from (select distinct hashtext(id || $2) as key \
         from unnest($1::int[]) as id order by key) as keys")
    .bind(agencies)
    .bind(format!("/{month}"))
    .run(conn)
    .await
    .map(|_| ())
}

row! {
    /// The newest revision of a source's month.
    #[derive(Clone, Copy, Debug)]
    pub struct Latest {
        pub revision: i32,
        pub rows: i32,
        pub received: i64,
    }
}

pub async fn latest(conn: &mut Conn, source: &str, month: Month) -> QueryResult<Option<Latest>> {
    sql("select revision, rows, received from dossier_batches where source = $1 and month = $2 \
         order by revision desc limit 1")
    .bind(source.to_owned())
    .bind(month.first_day())
    .maybe(conn)
    .await
}

row! {
    struct Reference {
        is_agency: bool,
        code: String,
        id: i32,
        valid_from: Option<NaiveDate>,
        valid_to: Option<NaiveDate>,
        dossier_source: Option<String>,
        of_source: bool,
    }
}

/// The agencies and procedures that the codes name. A source that is an agency reports itself and those below it, whoever
/// sends it, so that replacing its month never removes another's figures. Who else reports the agencies is asked later, behind their locks.
pub async fn known(
    conn: &mut Conn,
    agencies: Vec<String>,
    services: Vec<String>,
    source: &str,
    scope: &Scope,
) -> QueryResult<Known> {
    let found: Vec<Reference> = sql(
        "with recursive own as (select id from agencies where code = $3 \
           union select a.id from agencies a join own on a.parent_id = own.id) \
         select true as is_agency, code, id, valid_from, valid_to, dossier_source, \
                not exists (select 1 from own) or id in (select id from own) as of_source from agencies where code = any($1) \
         union all select false, code, id, null, null, null, true from services where code = any($2)",
    )
    .bind(agencies)
    .bind(services)
    .bind(source.to_owned())
    .rows(conn)
    .await?;
    let mut known = Known::default();
    for one in found {
        if one.is_agency {
            let agency = KnownAgency {
                id: AgencyId(one.id),
                validity: Validity { from: one.valid_from, until: one.valid_to },
                decided_source: one.dossier_source,
                other_source: None,
                in_scope: one.of_source && scope.holds(AgencyId(one.id)),
            };
            known.agencies.insert(one.code, agency);
        } else {
            known.services.insert(one.code, ServiceId(one.id));
        }
    }
    Ok(known)
}

/// Notes which of the agencies have counts of the month from another source.
pub async fn note_other_sources(
    conn: &mut Conn,
    known: &mut Known,
    source: &str,
    month: Month,
) -> QueryResult<()> {
    row! { struct Owner { agency_id: AgencyId, source: String } }
    let ids: Vec<i32> = known.agencies.values().map(|agency| agency.id.0).collect();
    let owners: Vec<Owner> = sql("select distinct agency_id, source from dossier_counts \
         where month = $1 and source <> $2 and agency_id = any($3)")
    .bind(month.first_day())
    .bind(source.to_owned())
    .bind(ids)
    .rows(conn)
    .await?;
    let mut owners: HashMap<AgencyId, String> =
        owners.into_iter().map(|owner| (owner.agency_id, owner.source)).collect();
    for agency in known.agencies.values_mut() {
        agency.other_source = owners.remove(&agency.id);
    }
    Ok(())
}

row! {
    /// A row whose `carried_in` is not what the month before left in progress.
    #[derive(Clone, Copy, Debug)]
    pub struct Break {
        pub row: i64,
        pub carried_in: i32,
        pub in_progress_before: i64,
        pub total: i64,
    }
}

/// The first hundred breaks between the months, of the rows in `stage`; agencies that did not report the month before have none.
pub async fn breaks(conn: &mut Conn, stage: &'static str, month: Month) -> QueryResult<Vec<Break>> {
    // A full join is always hashed or merged, which no misjudged size turns into nested loops; the filter stays outside, as it
    // would make a left join of it.
    let text = format!(
        "with before as materialized (select agency_id, service_id, channel, in_progress_on_time::bigint + in_progress_overdue as left_over \
           from dossier_counts where month = $1), \
         joined as materialized (select i.place, i.agency_id, i.carried_in, coalesce(b.left_over, 0) as left_over \
           from {stage} i full join before b on b.agency_id = i.agency_id and b.service_id = i.service_id and b.channel = i.channel) \
         select place::bigint as row, carried_in, left_over as in_progress_before, count(*) over () as total from joined \
         where place is not null and carried_in <> left_over \
         and agency_id = any(array(select distinct agency_id from before)) order by place limit 100"
    );
    sql(text).planned_each_time().bind(month.previous().first_day()).rows(conn).await
}

row! {
    /// What a batch did to its month.
    #[derive(Clone, Copy, Debug, Serialize)]
    pub struct Changes {
        pub created: i32,
        pub updated: i32,
        pub unchanged: i32,
        pub deleted: i32,
        /// Whether there was anything to write: a first delivery, or a change.
        #[serde(skip)]
        pub stored: bool,
    }
}

/// A revision about to be written.
#[derive(Debug)]
pub struct Revision<'a> {
    pub source: &'a str,
    pub month: Month,
    pub number: i32,
    pub reason: Option<String>,
    /// Rows that wait for their procedure to become known are other ones than before.
    pub parked_changed: bool,
}

/// Makes the source's month what the rows in `stage` with a known procedure say: one statement compares, keeps the old figures,
/// writes, moves the sums, and counts. `received` and `parked` are totals of the delivery.
///
/// Behind [`lock_batch`]. The comparison is a full join (always hashed or merged) and rows are found again by their place on disk: no plan of
/// it is quadratic, even when the planner knows nothing of the sizes.
pub async fn replace(
    conn: &mut Conn,
    stage: &'static str,
    revision: &Revision<'_>,
    received: i64,
    parked: i32,
    actor: &Actor,
) -> QueryResult<Changes> {
    let periods = rollups::periods_of(revision.month);
    let changes: Changes = sql(replace_text(stage))
        .planned_each_time()
        .bind(revision.source.to_owned())
        .bind(revision.month.first_day())
        .bind(revision.number)
        .bind(received)
        .bind(revision.reason.clone())
        .bind(actor.name.clone())
        .bind(actor.now)
        .bind(parked)
        .bind(revision.parked_changed)
        .bind(periods.map(Period::first_day).to_vec())
        .bind(periods.map(Period::last_day).to_vec())
        .row(conn)
        .await?;
    if changes.deleted > 0 {
        rollups::prune(conn, periods.map(Period::first_day).into_iter().min().unwrap_or_default()).await?;
    }
    Ok(changes)
}

fn replace_text(stage: &str) -> String {
    let each = |write: fn(&str) -> String| {
        COUNTS.split(", ").map(|name| write(name.trim())).collect::<Vec<_>>().join(", ")
    };
    let (new, old) = (each(|name| format!("i.{name}")), each(|name| format!("o.{name}")));
    let kept = each(|name| format!("o.{name} as old_{name}"));
    let changed = each(|name| format!("{name} = excluded.{name}"));
    let sums = rollups::moved_by_batch("$10", "$11");
    format!(
        "with merged as materialized ( \
           select coalesce(i.agency_id, o.agency_id) as agency_id, coalesce(i.service_id, o.service_id) as service_id, \
             coalesce(i.channel, o.channel) as channel, {new}, o.place as old_place, {kept}, \
             case when o.place is null then 'created' when i.place is null then 'deleted' \
               when ({new}) is distinct from ({old}) then 'updated' else 'unchanged' end as change \
           from (select * from {stage} where service_id is not null) i \
           full join (select ctid as place, agency_id, service_id, channel, {COUNTS} from dossier_counts \
             where month = $2 and source = $1) o \
           on o.agency_id = i.agency_id and o.service_id = i.service_id and o.channel = i.channel \
         ), {sums}, history as ( \
           insert into dossier_count_history (month, agency_id, service_id, channel, source, {COUNTS}, revision, replaced_by) \
           select month, agency_id, service_id, channel, source, {COUNTS}, revision, $3 from dossier_counts \
           where month = $2 and ctid = any(array(select old_place from merged where change in ('updated', 'deleted'))) \
         ), removed as ( \
           delete from dossier_counts \
           where month = $2 and ctid = any(array(select old_place from merged where change = 'deleted')) \
         ), changed as ( \
           insert into dossier_counts (month, agency_id, service_id, channel, source, {COUNTS}, revision) \
           select $2, agency_id, service_id, channel, $1, {COUNTS}, $3 from merged where change = 'updated' \
           on conflict (month, agency_id, service_id, channel) do update set {changed}, revision = excluded.revision \
         ), written as ( \
           insert into dossier_counts (month, agency_id, service_id, channel, source, {COUNTS}, revision) \
           select $2, agency_id, service_id, channel, $1, {COUNTS}, $3 from merged where change = 'created' \
           order by agency_id, service_id, channel \
         ), counted as ( \
           select (count(*) filter (where change = 'created'))::int as created, \
             (count(*) filter (where change = 'updated'))::int as updated, \
             (count(*) filter (where change = 'unchanged'))::int as unchanged, \
             (count(*) filter (where change = 'deleted'))::int as deleted from merged \
         ), batch as ( \
           insert into dossier_batches (source, month, revision, rows, received, created, updated, unchanged, deleted, reason, actor, at, parked) \
           select $1, $2, $3, created + updated + unchanged + $8, $4, created, updated, unchanged, deleted, $5, $6, $7, $8 \
           from counted where $3 = 1 or $9 or created + updated + deleted > 0 returning 1 \
         ) select created, updated, unchanged, deleted, exists (select 1 from batch) as stored from counted"
    )
}
