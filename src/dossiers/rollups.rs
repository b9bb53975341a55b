//! Sums of dossier counts over months, quarters and years, kept up in the transaction that changes what they sum: a statistic
//! then reads a few rows, however many the facts are.
//!
//! A dossier counts by the level that its procedure has on the last day of the period. So two things move sums: a batch, and a
//! level. They exclude each other (`intake_model::lock`, [`lock_levels`]); two batches do not.

use chrono::{Datelike, NaiveDate};

use crate::db::locks;
use crate::db::{Conn, QueryResult, sql};
use crate::ids::ServiceId;
use crate::values::{Month, Period};

/// What is summed, in the order of both tables.
const SUMS: [&str; 6] = ["rows", "received", "resolved", "in_time", "online_received", "online_resolved"];

/// The sums of fact rows `c`, each row taken `sign` times.
fn sums_of_facts(sign: &str) -> String {
    const RESOLVED: &str = "c.resolved_early::bigint + c.resolved_on_time + c.resolved_late";
    format!(
        "(count(*) * {sign})::int as rows, sum(c.received) * {sign} as received, sum({RESOLVED}) * {sign} as resolved, \
         sum(c.resolved_early::bigint + c.resolved_on_time) * {sign} as in_time, \
         coalesce(sum(c.received) filter (where c.channel = 1), 0) * {sign} as online_received, \
         coalesce(sum({RESOLVED}) filter (where c.channel = 1), 0) * {sign} as online_resolved"
    )
}

/// The periods that the month of `c` is part of.
const PERIODS_OF_FACT: &str = "cross join lateral (values (1::smallint, c.month), \
    (3::smallint, date_trunc('quarter', c.month::timestamp)::date), \
    (12::smallint, date_trunc('year', c.month::timestamp)::date)) as g (grain, period) \
    cross join lateral (select (g.period + make_interval(months => g.grain))::date - 1) as e (last_day)";

/// `leveled`: the rows of `touched` (grain, period, last_day, agency_id, service_id and the sums) with their level.
const LEVELED: &str = "leveled as materialized (select t.*, coalesce(l.level, 0)::smallint as level from touched t left join \
    (select service_id, level, effective_from, \
       lead(effective_from, 1, 'infinity') over (partition by service_id order by effective_from) as until from service_levels) l \
    on l.service_id = t.service_id and l.effective_from <= t.last_day and l.until > t.last_day)";

/// A table of sums and its key.
#[derive(Clone, Copy)]
struct Rollup {
    table: &'static str,
    key: &'static str,
}

const OF_AGENCIES: Rollup =
    Rollup { table: "dossier_agency_rollups", key: "grain, period, agency_id, level" };
const OF_SERVICES: Rollup = Rollup { table: "dossier_service_rollups", key: "grain, period, service_id" };

impl Rollup {
    /// `leveled` summed by the key.
    fn summed(self) -> String {
        let (key, sums) = (self.key, summed(""));
        format!("select {key}, {sums} from leveled group by {key}")
    }

    /// Adds the rows of `source` (key and sums) to what is there. Rows are taken in the order of the key, so that no two
    /// transactions wait for each other in a circle.
    fn add(self, source: &str) -> String {
        let Self { table, key } = self;
        let columns = SUMS.join(", ");
        let added = SUMS.map(|sum| format!("{sum} = r.{sum} + excluded.{sum}")).join(", ");
        format!(
            "insert into {table} as r ({key}, {columns}) select {key}, {columns} from ({source}) as added order by {key} \
             on conflict ({key}) do update set {added}"
        )
    }
}

/// `sum(received) as received` and so on, of the columns of `of` (with its dot).
fn summed(of: &str) -> String {
    SUMS.map(|sum| format!("sum({of}{sum}) as {sum}")).join(", ")
}

/// Statements within a batch's own: from `merged` (changed rows with `change` and, in `old_…` and by plain name, counts before and
/// after) the sums move by the differences. `first` and `last` name the parameters with the first and last days of the month,
/// its quarter and its year. Rows are added up before they are taken for each of the three: that is most of the work.
pub(super) fn moved_by_batch(first: &str, last: &str) -> String {
    let moved = |count: &str| format!("coalesce({count}, 0)::bigint - coalesce(old_{count}, 0)");
    let (received, late) = (moved("received"), moved("resolved_late"));
    let in_time = format!("{} + {}", moved("resolved_early"), moved("resolved_on_time"));
    let level = |at: u8| {
        format!(
            "coalesce((array_agg(level order by effective_from desc) filter (where effective_from <= ({last}::date[])[{at}]))[1], 0::smallint)"
        )
    };
    let (month, quarter, year) = (level(1), level(2), level(3));
    let sums = summed("m.");
    let of_agencies = OF_AGENCIES.add(&format!(
        "select p.grain, p.period, b.agency_id, (b.levels)[p.place] as level, {} from by_levels b cross join periods p group by 1, 2, 3, 4",
        summed("b.")
    ));
    let of_services = OF_SERVICES
        .add(&format!("select p.grain, p.period, m.* from (select service_id, {sums} from moved m group by 1) m cross join periods p"));
    format!(
        "periods as (select * from unnest('{{1,3,12}}'::smallint[], {first}::date[]) with ordinality as p (grain, period, place)), \
         moved as materialized (select agency_id, service_id, \
           sum(case change when 'created' then 1 when 'deleted' then -1 else 0 end)::int as rows, \
           sum({received}) as received, sum({in_time} + {late}) as resolved, sum({in_time}) as in_time, \
           coalesce(sum({received}) filter (where channel = 1), 0) as online_received, \
           coalesce(sum({in_time} + {late}) filter (where channel = 1), 0) as online_resolved \
           from merged group by agency_id, service_id), \
         levels as (select service_id, array[{month}, {quarter}, {year}] as levels from service_levels group by service_id), \
         by_levels as materialized (select m.agency_id, coalesce(l.levels, '{{0,0,0}}') as levels, {sums} \
           from moved m left join levels l using (service_id) group by 1, 2), \
         of_agencies as ({of_agencies}), of_services as ({of_services})"
    )
}

/// The month, its quarter and its year.
pub(super) fn periods_of(month: Month) -> [Period; 3] {
    let first = month.first_day();
    [Period::Month(month), Period::Quarter(first.year(), first.month0() / 3 + 1), Period::Year(first.year())]
}

/// No batch is under way until the transaction ends.
pub async fn lock_levels(conn: &mut Conn) -> QueryResult<()> {
    locks::LEVELS.lock(conn, 0, locks::FOR_BATCHES).await
}

/// Those of the procedures whose dossiers are counted somewhere: the others have no sums to move.
pub async fn counted(conn: &mut Conn, codes: Vec<String>) -> QueryResult<Vec<ServiceId>> {
    sql("select id as value from services s where code = any($1) \
         and exists (select 1 from dossier_service_rollups r where r.service_id = s.id and r.grain = 12)")
    .bind(codes)
    .values(conn)
    .await
}

/// Which way [`relevel`] moves sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Before levels change: the procedures' dossiers leave the sums of the levels that they have.
    Out,
    /// After it: they join those of the levels they have now.
    In,
}

/// Takes the dossiers of procedures out of the sums, or puts them back, for all periods that end on or after `from`, the first day
/// on which a level changes. Behind [`lock_levels`].
pub async fn relevel(
    conn: &mut Conn,
    services: &[ServiceId],
    from: NaiveDate,
    direction: Move,
) -> QueryResult<()> {
    if services.is_empty() {
        return Ok(());
    }
    let sign = if direction == Move::Out { "-1" } else { "1" };
    let sums = sums_of_facts(sign);
    let add = OF_AGENCIES.add(&OF_AGENCIES.summed());
    let text = format!(
        "with touched as (select g.grain, g.period, e.last_day, c.agency_id, c.service_id, {sums} \
           from dossier_counts c {PERIODS_OF_FACT} \
           where c.service_id = any($1) and c.month >= $2 and e.last_day >= $3 \
           and c.month = any(array(select period from dossier_service_rollups where grain = 1 and period >= $2 and service_id = any($1))) \
           group by 1, 2, 3, 4, 5), {LEVELED} {add}"
    );
    let year = NaiveDate::from_ymd_opt(from.year(), 1, 1).unwrap_or(from);
    sql(text)
        .custom_plan()
        .bind(services.iter().map(|id| id.0).collect::<Vec<i32>>())
        .bind(year)
        .bind(from)
        .run(conn)
        .await?;
    if direction == Move::In { prune(conn, year).await } else { Ok(()) }
}

/// Removes sums of nothing, of periods that begin on `from` or later.
pub(super) async fn prune(conn: &mut Conn, from: NaiveDate) -> QueryResult<()> {
    let delete =
        |table| format!("delete from {table} where grain in (1, 3, 12) and period >= $1 and rows = 0");
    let (agencies, services) = (delete(OF_AGENCIES.table), delete(OF_SERVICES.table));
    sql(format!("with of_agencies as ({agencies}) {services}")).bind(from).run(conn).await.map(|_| ())
}

/// All facts of the year `$1` to `$2`, summed anew.
fn recounted() -> String {
    let sums = sums_of_facts("1");
    format!(
        "touched as (select g.grain, g.period, e.last_day, c.agency_id, c.service_id, {sums} from dossier_counts c {PERIODS_OF_FACT} \
         where c.month between $1 and $2 group by 1, 2, 3, 4, 5), {LEVELED}"
    )
}

row! {
    /// A sum that is not what the facts make.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Difference {
        /// Table and key.
        pub place: String,
        /// What is kept, as text; null where nothing is.
        pub kept: Option<String>,
        pub counted: Option<String>,
    }
}

/// Sums of a year that are not what the facts make, counted by another way than the one that keeps them.
pub async fn differences(conn: &mut Conn, first: NaiveDate, last: NaiveDate) -> QueryResult<Vec<Difference>> {
    let compared = |rollup: Rollup| {
        let Rollup { table, key } = rollup;
        let (summed, columns) = (rollup.summed(), SUMS.join(", "));
        format!(
            "select '{table} ' || concat_ws(' ', {key}) as place, k.sums::text as kept, n.sums::text as counted \
             from (select {key}, row({columns}) as sums from {table} where period between $1 and $2) k \
             full join (select {key}, row({columns}) as sums from ({summed}) s) n using ({key}) \
             where k.sums::text is distinct from n.sums::text"
        )
    };
    let (agencies, services) = (compared(OF_AGENCIES), compared(OF_SERVICES));
    sql(format!(
        "with {}, differing as ({agencies} union all {services}) select * from differing order by place",
        recounted()
    ))
    .custom_plan()
    .bind(first)
    .bind(last)
    .rows(conn)
    .await
}

/// Makes the sums of a year what the facts make. Behind [`lock_levels`].
pub async fn repair(conn: &mut Conn, first: NaiveDate, last: NaiveDate) -> QueryResult<()> {
    for rollup in [OF_AGENCIES, OF_SERVICES] {
        let Rollup { table, key } = rollup;
        let columns = SUMS.join(", ");
        sql(format!("delete from {table} where grain in (1, 3, 12) and period between $1 and $2"))
            .bind(first)
            .bind(last)
            .run(conn)
            .await?;
        sql(format!("with {} insert into {table} ({key}, {columns}) {}", recounted(), rollup.summed()))
            .custom_plan()
            .bind(first)
            .bind(last)
            .run(conn)
            .await?;
    }
    Ok(())
}
