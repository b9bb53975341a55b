//! Replacing a source's month: a few statements, however many rows.

use serde::Serialize;
use serde_json::json;

use super::intake_model::State;
use super::rollups;
use crate::audit::Event;
use crate::auth::Actor;
use crate::db::{Conn, QueryResult, sql};
use crate::values::{Month, Period};

/// Columns of the counts, in the order of [`super::rules::COUNTS`].
const COUNTS: &str = "received, resolved_early, resolved_on_time, resolved_late, withdrawn, carried_in, \
    in_progress_on_time, in_progress_overdue";

row! {
    /// A break between the months: a row whose `carried_in` is not what the month before left in progress, or (`row` is null)
    /// something left in progress of which the batch has no row.
    #[derive(Clone, Debug)]
    pub struct CarryOverMismatch {
        pub row: Option<i64>,
        pub agency: String,
        pub service: String,
        pub channel: i16,
        pub carried_in: i32,
        pub in_progress_before: i64,
        pub total: i64,
    }
}

/// The first hundred mismatches between the month before and the rows in `stage`; an agency that one of the two does not have has none.
pub async fn mismatches(
    conn: &mut Conn,
    stage: &'static str,
    month: Month,
) -> QueryResult<Vec<CarryOverMismatch>> {
    // A full join is always hashed or merged, which no misjudged size turns into nested loops. The lists of agencies are made when a
    // first break is found, which there mostly is not: made beforehand they were half of the time.
    let text = format!(
        "with before as not materialized (select agency_id, service_id, channel, in_progress_on_time::bigint + in_progress_overdue as left_over \
           from dossier_counts where month = $1), \
         sent as not materialized (select * from {stage} where service_id is not null), \
         joined as (select i.place, coalesce(i.agency_id, b.agency_id) as agency_id, coalesce(i.service_id, b.service_id) as service_id, \
             coalesce(i.channel, b.channel) as channel, coalesce(i.carried_in, 0) as carried_in, coalesce(b.left_over, 0) as left_over \
           from sent i full join before b on b.agency_id = i.agency_id and b.service_id = i.service_id and b.channel = i.channel), \
         broken as materialized (select * from joined where carried_in <> left_over \
           and agency_id = any(array(select distinct agency_id from before)) and agency_id = any(array(select distinct agency_id from sent))), \
         first as (select * from broken order by place, agency_id, service_id, channel limit 100) \
         select place::bigint as row, a.code as agency, s.code as service, f.channel, carried_in, left_over as in_progress_before, \
           (select count(*) from broken) as total \
         from first f join agencies a on a.id = f.agency_id join services s on s.id = f.service_id \
         order by place, f.agency_id, f.service_id, f.channel"
    );
    sql(text).custom_plan().bind(month.previous().first_day()).rows(conn).await
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
    /// The source has no counts in the month yet.
    pub untouched: bool,
    pub reason: Option<String>,
    /// Rows that wait for their procedure to become known are other ones than before.
    pub parked_changed: bool,
}

/// Makes the source's month what the rows in `stage` with a known procedure say: one statement compares, keeps the old figures,
/// writes, moves the sums, and counts. A revision is never older than the one before it, however long its upload took. `received` and `parked` are totals of the delivery.
///
/// Behind [`super::intake_model::lock`]. The comparison is a full join (always hashed or merged) and rows are found again by their
/// place on disk: no plan of it is quadratic, even when the planner knows nothing of the sizes.
pub async fn replace(
    conn: &mut Conn,
    stage: &'static str,
    revision: &Revision<'_>,
    received: i64,
    parked: i32,
    actor: &Actor,
) -> QueryResult<Changes> {
    let periods = rollups::periods_of(revision.month);
    let changes: Changes = sql(replace_text(stage, revision.untouched))
        .custom_plan()
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

/// What changes, as statements within [`replace`]'s one: `merged` (the rows that differ) and those that write them.
fn differences(stage: &str) -> (String, String) {
    let each = |write: fn(&str) -> String| {
        COUNTS.split(", ").map(|name| write(name.trim())).collect::<Vec<_>>().join(", ")
    };
    let (new, old) = (each(|name| format!("i.{name}")), each(|name| format!("o.{name}")));
    let kept = each(|name| format!("o.{name} as old_{name}"));
    let changed = each(|name| format!("{name} = excluded.{name}"));
    let merged = format!(
        "merged as materialized ( \
           select coalesce(i.agency_id, o.agency_id) as agency_id, coalesce(i.service_id, o.service_id) as service_id, \
             coalesce(i.channel, o.channel) as channel, {new}, o.place as old_place, {kept}, \
             case when o.place is null then 'created' when i.place is null then 'deleted' \
               else 'updated' end as change \
           from (select * from {stage} where service_id is not null) i \
           full join (select ctid as place, agency_id, service_id, channel, {COUNTS} from dossier_counts \
             where month = $2 and source = $1) o \
           on o.agency_id = i.agency_id and o.service_id = i.service_id and o.channel = i.channel \
           where i.place is null or o.place is null or ({new}) is distinct from ({old}) \
         )"
    );
    let written = format!(
        "history as ( \
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
         )"
    );
    (merged, written)
}

/// The same for a month that the source delivers for the first time: every row is a new one, so that there is nothing to compare with
/// and nothing to keep in between.
fn all_new(stage: &str) -> String {
    let none = COUNTS
        .split(", ")
        .map(|name| format!("null::int as old_{}", name.trim()))
        .collect::<Vec<_>>()
        .join(", ");
    format!(
        "merged as not materialized (select agency_id, service_id, channel, {COUNTS}, {none}, 'created' as change \
           from {stage} where service_id is not null)"
    )
}

fn replace_text(stage: &str, first_delivery: bool) -> String {
    let sums = rollups::moved_by_batch("$10", "$11");
    let steps = if first_delivery {
        format!("{}, {sums}", all_new(stage))
    } else {
        let (merged, written) = differences(stage);
        format!("{merged}, {sums}, {written}")
    };
    format!(
        "with {steps}, written as ( \
           insert into dossier_counts (month, agency_id, service_id, channel, source, {COUNTS}, revision) \
           select $2, agency_id, service_id, channel, $1, {COUNTS}, $3 from merged where change = 'created' \
           order by agency_id, service_id, channel \
         ), changes as ( \
           select (count(*) filter (where change = 'created'))::int as created, \
             (count(*) filter (where change = 'updated'))::int as updated, \
             (count(*) filter (where change = 'deleted'))::int as deleted from merged \
         ), counted as ( \
           select *, (select count(*) from {stage} where service_id is not null)::int - created - updated as unchanged from changes \
         ), batch as ( \
           insert into dossier_batches (source, month, revision, rows, received, created, updated, unchanged, deleted, reason, actor, at, parked) \
           select $1, $2, $3, created + updated + unchanged + $8, $4, created, updated, unchanged, deleted, $5, $6, \
             greatest($7, (select max(at) from dossier_batches where source = $1 and month = $2 and at <= $7 + interval '5 minutes')), $8 \
           from counted where $3 = 1 or $9 or created + updated + deleted > 0 returning 1 \
         ) select created, updated, unchanged, deleted, exists (select 1 from batch) as stored from counted"
    )
}

/// One event per revision; the rows themselves are in the counts and their history.
pub fn event(
    before: &State,
    revision: &Revision<'_>,
    changes: Changes,
    rows: usize,
    received: i64,
    parked: i32,
) -> Event {
    let key = format!("{}/{}", revision.source, revision.month);
    let after = json!({
        "revision": revision.number,
        "rows": rows,
        "received": received,
        "parked": parked,
        "counts": changes,
        "reason": revision.reason,
    });
    match before.revision {
        None => Event::create("dossier_batch", key, &after),
        Some(number) => {
            let before = json!({"revision": number, "rows": before.rows, "received": before.received, "parked": before.parked});
            Event::update("dossier_batch", key, &before, &after)
        }
    }
}
