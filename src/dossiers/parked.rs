//! Rows of procedures that the catalogue does not know yet. They are no figures; they become some when the procedure does.

use chrono::NaiveDate;

use super::feed_scope::FeedScope;
use super::intake_model;
use super::rollups;
use super::store::{self, Revision};
use super::upload::STAGES;
use crate::auth::{Actor, AgencyScope};
use crate::db::stage::claim_in_transaction;
use crate::db::{Conn, QueryResult, sql};
use crate::values::Month;

const COUNTS: &str = "received, resolved_early, resolved_on_time, resolved_late, withdrawn, carried_in, \
    in_progress_on_time, in_progress_overdue";

/// Codes that are named at the most: of a feed, and in the reason of a revision.
const MOST_CODES: i32 = 100;
const MOST_CODES_IN_REASON: usize = 20;

/// Rows of the stage whose procedure became known while the batch came in; answers how many.
pub async fn resolve(conn: &mut Conn, stage: &'static str) -> QueryResult<i32> {
    let text = format!(
        "update {stage} i set service_id = s.id, parked_code = null from services s where s.code = i.parked_code"
    );
    sql(text).custom_plan().run(conn).await.map(|rows| i32::try_from(rows).unwrap_or(i32::MAX))
}

/// Makes the source's parked rows of the month what the stage holds; whether that changed anything.
pub async fn replace(conn: &mut Conn, stage: &'static str, source: &str, month: Month) -> QueryResult<bool> {
    let list = |prefix: &str| {
        COUNTS.split(", ").map(|name| format!("{prefix}.{}", name.trim())).collect::<Vec<_>>().join(", ")
    };
    let (old, new) = (list("p"), list("excluded"));
    let text = format!(
        "with gone as (delete from dossier_parked_counts p where month = $1 and source = $2 and not exists ( \
           select 1 from {stage} i where i.service_id is null and i.agency_id = p.agency_id and i.parked_code = p.service_code \
           and i.channel = p.channel) returning 1), \
         written as (insert into dossier_parked_counts as p (month, source, agency_id, service_code, channel, {COUNTS}) \
           select $1, $2, agency_id, parked_code, channel, {COUNTS} from {stage} where service_id is null \
           on conflict (month, source, agency_id, service_code, channel) do update set ({COUNTS}) = row({new}) \
           where ({old}) is distinct from ({new}) returning 1) \
         select exists (select 1 from gone) or exists (select 1 from written) as value"
    );
    sql(text).custom_plan().bind(month.first_day()).bind(source.to_owned()).value(conn).await
}

row! {
    /// What a source's rows wait for.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Waiting {
        pub rows: i64,
        pub services: Vec<String>,
        pub months: Vec<NaiveDate>,
    }
}

/// The source's parked rows, the first of the procedures they name, and their months.
pub async fn waiting(conn: &mut Conn, source: &str) -> QueryResult<Waiting> {
    sql("select (select count(*) from dossier_parked_counts where source = $1) as rows, \
         array(select distinct service_code from dossier_parked_counts where source = $1 order by service_code limit $2) as services, \
         array(select distinct month from dossier_parked_counts where source = $1 order by month) as months")
    .bind(source.to_owned())
    .bind(MOST_CODES)
    .row(conn)
    .await
}

row! {
    /// A source's month with parked rows of procedures that are known now.
    struct Ready {
        month: NaiveDate,
        source: String,
        services: Vec<String>,
    }
}

const READY: &str = "select p.month, p.source, array_agg(distinct p.service_code) as services \
    from dossier_parked_counts p join services s on s.code = p.service_code";

/// Moves the parked rows of procedures that have just become known into the figures: a new revision of each source's month. Those
/// of closed months stay where they are until the month is opened again or delivered anew. Batches that are being stored are
/// waited for, and they for this: no row is parked for a procedure that has just become known.
pub async fn replay(conn: &mut Conn, actor: &Actor, codes: &[String]) -> QueryResult<()> {
    if codes.is_empty() {
        return Ok(());
    }
    rollups::lock_levels(conn).await?;
    let ready: Vec<Ready> = sql(format!(
        "{READY} where p.service_code = any($1) group by p.month, p.source order by p.month, p.source"
    ))
    .bind(codes.to_vec())
    .rows(conn)
    .await?;
    replay_each(conn, actor, ready).await
}

/// As [`replay`], for a month that has just been opened again; [`rollups::lock_levels`] came before the month's own lock.
pub async fn replay_month(conn: &mut Conn, actor: &Actor, month: Month) -> QueryResult<()> {
    let ready: Vec<Ready> =
        sql(format!("{READY} where p.month = $1 group by p.month, p.source order by p.month, p.source"))
            .bind(month.first_day())
            .rows(conn)
            .await?;
    replay_each(conn, actor, ready).await
}

async fn replay_each(conn: &mut Conn, actor: &Actor, ready: Vec<Ready>) -> QueryResult<()> {
    if ready.is_empty() {
        return Ok(());
    }
    let stage = claim_in_transaction(conn, &STAGES).await?;
    for one in ready {
        replay_one(conn, actor, stage, one).await?;
    }
    sql(format!("truncate {stage}")).run(conn).await.map(|_| ())
}

/// The month is delivered again as it stands, parked rows included: what is known of them by now becomes figures.
async fn replay_one(conn: &mut Conn, actor: &Actor, stage: &'static str, ready: Ready) -> QueryResult<()> {
    let (source, month) = (&ready.source, Month::of(ready.month));
    intake_model::lock(conn, source, month, Vec::new()).await?;
    let everywhere = FeedScope { feed: None, scope: AgencyScope::All };
    let state = intake_model::state(conn, source, month, &everywhere).await?;
    if state.closed {
        return Ok(());
    }
    let Restaged { rows, received, parked } = restage(conn, stage, source, month).await?;
    let parked_changed = replace(conn, stage, source, month).await?;
    let revision = Revision {
        source,
        month,
        number: state.revision.unwrap_or_default() + 1,
        untouched: state.untouched,
        reason: Some(reason(&ready.services)),
        parked_changed,
    };
    let changes = store::replace(conn, stage, &revision, received, parked, actor).await?;
    if changes.stored {
        let rows = usize::try_from(rows).unwrap_or_default();
        let event = store::event(&state, &revision, changes, rows, received, parked);
        crate::audit::record(conn, actor, event).await?;
    }
    Ok(())
}

fn reason(services: &[String]) -> String {
    let mut named =
        services.iter().take(MOST_CODES_IN_REASON).map(String::as_str).collect::<Vec<_>>().join(", ");
    if services.len() > MOST_CODES_IN_REASON {
        named.push_str(", …");
    }
    format!("Thủ tục hành chính đã được bổ sung vào danh mục: {named}")
}

row! {
    struct Restaged {
        rows: i64,
        received: i64,
        parked: i32,
    }
}

async fn restage(conn: &mut Conn, stage: &'static str, source: &str, month: Month) -> QueryResult<Restaged> {
    sql(format!("truncate {stage}")).run(conn).await?;
    let text = format!(
        "with present as (select agency_id, service_id, null as parked_code, channel, {COUNTS} from dossier_counts \
           where month = $1 and source = $2 \
           union all select p.agency_id, s.id, case when s.id is null then p.service_code end, p.channel, {COUNTS} \
           from dossier_parked_counts p left join services s on s.code = p.service_code where month = $1 and source = $2), \
         staged as (insert into {stage} (place, agency_id, service_id, parked_code, channel, {COUNTS}) \
           select row_number() over () - 1, agency_id, service_id, parked_code, channel, {COUNTS} from present) \
         select count(*) as rows, coalesce(sum(received), 0)::bigint as received, count(parked_code)::int as parked from present"
    );
    sql(text).custom_plan().bind(month.first_day()).bind(source.to_owned()).row(conn).await
}
