//! A year of invented dossier counts for the demo procedures. Deterministic: the same procedures give the same figures.

use chrono::NaiveDate;
use serde_json::json;

use crate::audit::{self, Event};
use crate::auth::Actor;
use crate::db::{Conn, QueryResult, sql};
use crate::dossiers::rollups;
use crate::http::Problem;
use crate::values::Month;

const SOURCE: &str = "vnpt";
const YEAR: i32 = 2018;

/// Each agency's procedures and months with what comes in by channel, then what becomes of it. `pick(…)` is a number from 0 to 99
/// drawn from its text. What is left of a month is never more than what it received, so that all counts balance.
const COUNTS: &str = "with months as (select generate_series(make_date($2, 1, 1), make_date($2, 12, 1), interval '1 month')::date as month), \
    handled as (select m.month, a.id as agency_id, s.id as service_id, s.postal, a.code || s.code as key, coalesce(( \
          select l.level from service_levels l where l.service_id = s.id and l.effective_from < m.month + interval '1 month' \
          order by l.effective_from desc limit 1), 1) as level \
        from months m cross join services s join service_agencies sa on sa.service_id = s.id join agencies a on a.id = sa.agency_id \
        where s.name like '[demo]%' and s.status = 'in_force' \
        and daterange(a.valid_from, a.valid_to) && daterange(m.month, (m.month + interval '1 month')::date)), \
    drawn as (select h.*, 5 + pick(key) * 2 / 3 + pick(key || month) / 8 as total, \
        case when level = 4 then 25 + pick(key || 'share') * 2 / 5 when level = 3 then 35 + pick(key || 'share') / 2 else 0 end as share \
        from handled h), \
    received as (select d.*, c.channel, case c.channel when 1 then total * share / 100 \
          when 3 then total * 6 / 100 else total - total * share / 100 - case when postal then total * 6 / 100 else 0 end end as received \
        from drawn d cross join unnest(array[1, 2, 3]::smallint[]) as c(channel) \
        where c.channel = 2 or (c.channel = 1 and level >= 3) or (c.channel = 3 and postal)), \
    parted as (select r.*, received / 40 as withdrawn, received * (pick(key || month || channel) % 25) / 100 as left_over from received r), \
    carried as (select p.*, coalesce(lag(left_over) over (partition by agency_id, service_id, channel order by month), 0) as carried_in from parted p), \
    resolved as (select c.*, received + carried_in - withdrawn - left_over as resolved from carried c) \
    insert into dossier_counts (month, agency_id, service_id, channel, source, received, resolved_early, resolved_on_time, resolved_late, \
        withdrawn, carried_in, in_progress_on_time, in_progress_overdue, revision) \
    select month, agency_id, service_id, channel, $1, received, resolved * (20 + pick(key || 'early') / 4) / 100, \
        resolved - resolved * (20 + pick(key || 'early') / 4) / 100 - resolved * (pick(key || month || 'late') / 12) / 100, \
        resolved * (pick(key || month || 'late') / 12) / 100, withdrawn, carried_in, left_over - left_over / 5, left_over / 5, 1 \
    from resolved";

/// A number from 0 to 99 drawn from a text, the same on every server.
const PICK: &str = "(('x' || substr(md5({}), 1, 6))::bit(24)::int % 100)";

/// Writes `pick(text)` out.
fn counts_text() -> String {
    let mut text = String::with_capacity(COUNTS.len() * 2);
    let mut rest = COUNTS;
    while let Some((before, after)) = rest.split_once("pick(") {
        let (argument, after) = after.split_once(')').unwrap_or((after, ""));
        text.push_str(before);
        text.push_str(&PICK.replace("{}", argument));
        rest = after;
    }
    text.push_str(rest);
    text
}

row! {
    struct Delivered {
        month: NaiveDate,
        rows: i32,
        received: i64,
    }
}

/// Adds labelled, invented data where there is none.
pub async fn load(conn: &mut Conn, actor: &Actor) -> Result<(), Problem> {
    let there: bool = sql("select exists (select 1 from dossier_counts) as value").value(conn).await?;
    if there {
        return Ok(());
    }
    sql(counts_text()).bind(SOURCE).bind(YEAR).run(conn).await?;
    let day = |month, day| NaiveDate::from_ymd_opt(YEAR, month, day).unwrap_or_default();
    rollups::lock_levels(conn).await?;
    rollups::repair(conn, day(1, 1), day(12, 31)).await?;
    for batch in batches(conn, actor).await? {
        let key = format!("{SOURCE}/{}", Month::of(batch.month));
        let after = json!({"revision": 1, "rows": batch.rows, "received": batch.received});
        audit::record(conn, actor, Event::create("dossier_batch", key, &after)).await?;
    }
    Ok(())
}

/// The batches that would have brought the counts.
async fn batches(conn: &mut Conn, actor: &Actor) -> QueryResult<Vec<Delivered>> {
    sql(
        "insert into dossier_batches (source, month, revision, rows, received, created, updated, unchanged, deleted, reason, actor, at) \
         select source, month, 1, count(*), sum(received), count(*), 0, 0, 0, '[demo]', $2, $3 from dossier_counts where source = $1 \
         group by source, month on conflict do nothing returning month, rows, received",
    )
    .bind(SOURCE)
    .bind(actor.name.clone())
    .bind(actor.now)
    .rows(conn)
    .await
}
