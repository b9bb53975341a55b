//! The catalogue written in one piece: a statement per table, whatever the number of rows.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::merge::{Change, LevelChange, Levels};
use super::model::{COLUMNS, FROM, LevelRow, ServiceRow, search_text};
use super::rules::SINCE_EVER;
use crate::auth::Actor;
use crate::db::locks;
use crate::db::{Conn, QueryResult, sql};
use crate::dossiers::rollups::{self, Move};

/// The procedures of these codes that exist; nobody else changes them, or writes a batch, until the transaction ends.
pub async fn lock(
    conn: &mut Conn,
    codes: Vec<String>,
    today: NaiveDate,
) -> QueryResult<HashMap<String, ServiceRow>> {
    locks::CATALOGUE.lock(conn, 0, locks::FOR_BATCHES).await?;
    let rows: Vec<ServiceRow> = sql(format!(
        "with days(day) as (select $1::date) select {COLUMNS} from {FROM} where s.code = any($2) order by s.id for update of s"
    ))
    .bind(today)
    .bind(codes)
    .rows(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.code.clone(), row)).collect())
}

/// The levels that begin on these days, by code.
pub async fn levels_on(conn: &mut Conn, days: Vec<(String, NaiveDate)>) -> QueryResult<Levels> {
    row! { struct Found { code: String, level: i16, effective_from: NaiveDate, decision: String } }
    let (codes, days): (Vec<String>, Vec<NaiveDate>) = days.into_iter().unzip();
    let found: Vec<Found> = sql(
        "select s.code, v.level, v.effective_from, v.decision from unnest($1::text[], $2::date[]) as i(code, day) \
         join services s on s.code = i.code join service_levels v on v.service_id = s.id and v.effective_from = i.day",
    )
    .bind(codes)
    .bind(days)
    .rows(conn)
    .await?;
    let by_code = found.into_iter().map(|f| {
        (f.code, LevelRow { level: f.level, effective_from: f.effective_from, decision: f.decision })
    });
    Ok(by_code.collect())
}

const INPUT: &str = "jsonb_to_recordset($1) as x(id int, code text, name text, name_search text, field text, tier text, \
    status text, status_from date, duplicate_of text, postal bool, information_complete bool, forms_complete bool, agencies text[])";

fn input(row: &ServiceRow, status_from: Option<NaiveDate>) -> Value {
    json!({
        "id": row.id.0,
        "code": row.code,
        "name": row.name,
        "name_search": search_text(&row.name, &row.code),
        "field": row.field,
        "tier": row.tier,
        "status": row.status,
        "status_from": status_from,
        "duplicate_of": row.duplicate_of,
        "postal": row.postal,
        "information_complete": row.information_complete,
        "forms_complete": row.forms_complete,
        "agencies": row.agencies,
    })
}

/// Stores new procedures. Ids are drawn first, so that one row can name another as its original.
pub async fn create(conn: &mut Conn, rows: &[ServiceRow], actor: &Actor) -> QueryResult<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = rows.iter().map(|row| input(row, Some(SINCE_EVER))).collect();
    sql(format!(
        "with input as materialized (select nextval(pg_get_serial_sequence('services', 'id'))::int as new_id, x.* from {INPUT}), \
         new as (insert into services (id, code, name, name_search, field, tier, status, duplicate_of_id, postal, \
                 information_complete, forms_complete, created_at, updated_at) overriding system value \
                 select i.new_id, i.code, i.name, i.name_search, i.field, i.tier, i.status, coalesce(o.new_id, s.id), i.postal, \
                 i.information_complete, i.forms_complete, $2, $2 \
                 from input i left join input o on o.code = i.duplicate_of left join services s on s.code = i.duplicate_of), \
         statuses as (insert into service_statuses (service_id, effective_from, status) select new_id, status_from, status from input) \
         insert into service_agencies (service_id, agency_id) \
         select i.new_id, a.id from input i cross join unnest(i.agencies) as named(code) join agencies a on a.code = named.code"
    ))
    .bind(Value::Array(rows))
    .bind(actor.now)
    .run(conn)
    .await?;
    Ok(())
}

/// Stores the new state of procedures, a changed status from today on, and counts their versions up.
pub async fn update(conn: &mut Conn, changes: &[Change], actor: &Actor) -> QueryResult<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let rows = changes.iter().map(|change| {
        let status_from = (change.before.status != change.after.status).then_some(actor.today());
        input(&change.after, status_from)
    });
    sql(format!(
        "with input as materialized (select x.* from {INPUT}), \
         links as materialized (select i.id as service_id, a.id as agency_id from input i \
                  cross join unnest(i.agencies) as named(code) join agencies a on a.code = named.code), \
         gone as (delete from service_agencies sa using input i where sa.service_id = i.id and not exists \
                  (select 1 from links l where l.service_id = sa.service_id and l.agency_id = sa.agency_id)), \
         added as (insert into service_agencies (service_id, agency_id) select service_id, agency_id from links on conflict do nothing), \
         statuses as (insert into service_statuses (service_id, effective_from, status) \
                  select id, status_from, status from input where status_from is not null \
                  on conflict (service_id, effective_from) do update set status = excluded.status) \
         update services s set name = i.name, name_search = i.name_search, field = i.field, tier = i.tier, status = i.status, \
         duplicate_of_id = o.id, postal = i.postal, information_complete = i.information_complete, \
         forms_complete = i.forms_complete, updated_at = $2, version = s.version + 1 \
         from input i left join services o on o.code = i.duplicate_of where s.id = i.id"
    ))
    .bind(Value::Array(rows.collect()))
    .bind(actor.now)
    .run(conn)
    .await?;
    Ok(())
}

/// Stores levels and moves the sums of dossiers to them; one that begins on the same day as another takes its place.
pub async fn set_levels(conn: &mut Conn, levels: &[LevelChange], actor: &Actor) -> QueryResult<()> {
    if levels.is_empty() {
        return Ok(());
    }
    let codes: Vec<String> = levels.iter().map(|level| level.code.clone()).collect();
    let from = levels.iter().map(|level| level.after.effective_from).min().unwrap_or_default();
    rollups::lock_levels(conn).await?;
    let services = rollups::counted(conn, codes).await?;
    rollups::relevel(conn, &services, from, Move::Out).await?;
    let rows = levels.iter().map(|level| {
        json!({
            "code": level.code,
            "effective_from": level.after.effective_from,
            "level": level.after.level,
            "decision": level.after.decision,
        })
    });
    sql(
        "insert into service_levels (service_id, effective_from, level, decision, created_at) \
         select s.id, x.effective_from, x.level, x.decision, $2 \
         from jsonb_to_recordset($1) as x(code text, effective_from date, level smallint, decision text) \
         join services s on s.code = x.code \
         on conflict (service_id, effective_from) do update set level = excluded.level, decision = excluded.decision",
    )
    .bind(Value::Array(rows.collect()))
    .bind(actor.now)
    .run(conn)
    .await?;
    rollups::relevel(conn, &services, from, Move::In).await
}
