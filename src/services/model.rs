//! Procedures as stored.

use chrono::NaiveDate;
use serde::Serialize;

use super::rules::SINCE_EVER;
use crate::auth::Actor;
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::{Conn, QueryResult, Sql, sql};
use crate::dossiers::rollups::{self, Move};
use crate::ids::{AgencyId, ServiceId};
use crate::values::fold;

pub(super) const COLUMNS: &str = "s.id, s.code, s.name, s.field, s.tier, s.status, d.code as duplicate_of, s.postal, \
    s.information_complete, s.forms_complete, s.version, l.level, l.effective_from as level_effective_from, \
    coalesce((select array_agg(a.code order by a.code collate \"C\") from service_agencies sa join agencies a on a.id = sa.agency_id \
              where sa.service_id = s.id), '{}') as agencies";
/// The level is the one in force on the day of `days`.
pub(super) const FROM: &str = "days cross join services s left join services d on d.id = s.duplicate_of_id \
    left join lateral (select v.level, v.effective_from from service_levels v where v.service_id = s.id \
                       and v.effective_from <= days.day order by v.effective_from desc limit 1) l on true";

row! {
    /// A procedure with the level in force on the day asked for.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
    pub struct ServiceRow {
        #[serde(skip)]
        pub id: ServiceId,
        pub code: String,
        pub name: String,
        pub field: String,
        pub tier: String,
        pub agencies: Vec<String>,
        pub status: String,
        pub duplicate_of: Option<String>,
        pub postal: bool,
        pub information_complete: bool,
        pub forms_complete: bool,
        pub level: Option<i16>,
        pub level_effective_from: Option<NaiveDate>,
        pub version: i32,
    }
}

/// All that a writer decides of a procedure; links as row ids.
#[derive(Clone, Debug)]
pub struct ServiceWrite {
    pub code: String,
    pub name: String,
    pub field: String,
    pub tier: &'static str,
    pub agencies: Vec<AgencyId>,
    pub status: &'static str,
    pub duplicate_of: Option<ServiceId>,
    pub postal: bool,
    pub information_complete: bool,
    pub forms_complete: bool,
}

/// What `q` searches in.
pub fn search_text(name: &str, code: &str) -> String {
    fold(&format!("{name} {code}"))
}

pub async fn find(conn: &mut Conn, code: &str, today: NaiveDate) -> QueryResult<Option<ServiceRow>> {
    sql(format!("with days(day) as (select $1::date) select {COLUMNS} from {FROM} where s.code = $2"))
        .bind(today)
        .bind(code.to_owned())
        .maybe(conn)
        .await
}

/// As [`find`], and nobody else changes it until the transaction ends.
pub async fn lock(conn: &mut Conn, code: &str, today: NaiveDate) -> QueryResult<Option<ServiceRow>> {
    sql(format!(
        "with days(day) as (select $1::date) select {COLUMNS} from {FROM} where s.code = $2 for update of s"
    ))
    .bind(today)
    .bind(code.to_owned())
    .maybe(conn)
    .await
}

row! {
    /// A procedure that another one may name as its original.
    #[derive(Clone, Debug)]
    pub struct Original {
        pub id: ServiceId,
        pub status: String,
    }
}

/// The procedure of this code, kept from becoming a duplicate itself until the transaction ends.
pub async fn original(conn: &mut Conn, code: String) -> QueryResult<Option<Original>> {
    sql("select id, status from services where code = $1 for share").bind(code).maybe(conn).await
}

/// The day from which the latest status is in force.
pub async fn latest_status(conn: &mut Conn, id: ServiceId) -> QueryResult<NaiveDate> {
    sql("select coalesce(max(effective_from), $2) as value from service_statuses where service_id = $1")
        .bind(id)
        .bind(SINCE_EVER)
        .value(conn)
        .await
}

/// Stores a new procedure, whose status holds since ever; `false` when the code is taken.
pub async fn insert(conn: &mut Conn, write: ServiceWrite, actor: &Actor) -> QueryResult<bool> {
    let added: i64 = bind_all(
        sql(
            "with new as (insert into services (code, name, name_search, field, tier, status, duplicate_of_id, postal, \
             information_complete, forms_complete, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) on conflict do nothing returning id, status), \
             statuses as (insert into service_statuses (service_id, effective_from, status) select id, $13, status from new), \
             links as (insert into service_agencies (service_id, agency_id) select id, unnest($12::int[]) from new) \
             select count(*) as value from new",
        ),
        write,
        actor,
    )
    .bind(SINCE_EVER)
    .value(conn)
    .await?;
    Ok(added > 0)
}

/// Stores the new state of a procedure, its status from a day on when that changes, and counts its version up.
pub async fn update(
    conn: &mut Conn,
    write: ServiceWrite,
    status_from: Option<NaiveDate>,
    actor: &Actor,
) -> QueryResult<()> {
    bind_all(
        sql(
            "with old as (select id from services where code = $1), \
             gone as (delete from service_agencies using old where service_id = old.id and agency_id <> all($12::int[])), \
             added as (insert into service_agencies (service_id, agency_id) select id, unnest($12::int[]) from old on conflict do nothing), \
             statuses as (insert into service_statuses (service_id, effective_from, status) \
                          select id, $13::date, $6 from old where $13::date is not null \
                          on conflict (service_id, effective_from) do update set status = excluded.status) \
             update services s set name = $2, name_search = $3, field = $4, tier = $5, status = $6, duplicate_of_id = $7, \
             postal = $8, information_complete = $9, forms_complete = $10, updated_at = $11, version = version + 1 \
             from old where s.id = old.id",
        ),
        write,
        actor,
    )
    .bind(status_from)
    .run(conn)
    .await?;
    Ok(())
}

/// `$1` to `$12`.
fn bind_all(statement: Sql, write: ServiceWrite, actor: &Actor) -> Sql {
    let agencies: Vec<i32> = write.agencies.iter().map(|id| id.0).collect();
    let search = search_text(&write.name, &write.code);
    statement
        .bind(write.code)
        .bind(write.name)
        .bind(search)
        .bind(write.field)
        .bind(write.tier)
        .bind(write.status)
        .bind(write.duplicate_of)
        .bind(write.postal)
        .bind(write.information_complete)
        .bind(write.forms_complete)
        .bind(actor.now)
        .bind(agencies)
}

/// What a reader looks for.
#[derive(Debug, Default)]
pub struct ServiceQuery {
    /// Folded text.
    pub q: Option<String>,
    pub levels: Option<Vec<i16>>,
    pub fields: Option<Vec<String>>,
    pub agencies: Option<Vec<String>>,
    pub statuses: Option<Vec<String>>,
    pub channels: Option<Vec<String>>,
}

pub const CODE: SortKey = SortKey { name: "code", expr: "s.code", pg_type: "text" };
pub const NAME: SortKey = SortKey { name: "name", expr: "s.name collate \"vi-x-icu\"", pg_type: "text" };
pub const FIELD: SortKey = SortKey { name: "field", expr: "s.field collate \"vi-x-icu\"", pg_type: "text" };

pub async fn list(
    conn: &mut Conn,
    query: ServiceQuery,
    today: NaiveDate,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<ServiceRow>> {
    let mut list = List::new(COLUMNS, FROM);
    list.with("days(day)", "select {}::date", today);
    if let Some(q) = &query.q {
        list.search("s.name_search", q);
    }
    list.filter_some("l.level = any({})", query.levels);
    list.filter_some("s.field = any({})", query.fields);
    list.filter_some(
        "exists (select 1 from service_agencies sa join agencies a on a.id = sa.agency_id \
         where sa.service_id = s.id and a.code = any({}))",
        query.agencies,
    );
    list.filter_some("s.status = any({})", query.statuses);
    list.filter_some(
        "(('online' = any({}) and l.level >= 3) or ('postal' = any({}) and s.postal) \
         or ('in_person' = any({}) and s.status = 'in_force'))",
        query.channels,
    );
    list.page(conn, order, window).await
}

row! {
    /// A level from a day on.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
    pub struct LevelRow {
        pub level: i16,
        pub effective_from: NaiveDate,
        pub decision: String,
    }
}

pub const EFFECTIVE_FROM: SortKey =
    SortKey { name: "effective_from", expr: "v.effective_from", pg_type: "date" };

/// The levels of a procedure; `None` when there is no such procedure.
pub async fn levels(
    conn: &mut Conn,
    code: String,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<Option<PageRows<LevelRow>>> {
    let id: Option<Id> = sql("select id from services where code = $1").bind(code).maybe(conn).await?;
    let Some(Id { id }) = id else { return Ok(None) };
    let mut list = List::new("v.level, v.effective_from, v.decision", "service_levels v");
    list.filter("v.service_id = {}", id);
    list.page(conn, order, window).await.map(Some)
}

row! { struct Id { id: ServiceId } }

/// Adds a level, moves the sums of dossiers to it, and counts the procedure's version up; `false` when one begins on that day already.
pub async fn add_level(conn: &mut Conn, id: ServiceId, level: LevelRow, actor: &Actor) -> QueryResult<bool> {
    rollups::lock_levels(conn).await?;
    rollups::relevel(conn, &[id], level.effective_from, Move::Out).await?;
    let from = level.effective_from;
    let changed = sql(
        "with new as (insert into service_levels (service_id, effective_from, level, decision, created_at) \
         values ($1, $2, $3, $4, $5) on conflict (service_id, effective_from) do nothing returning service_id) \
         update services set version = version + 1, updated_at = $5 from new where id = new.service_id",
    )
    .bind(id)
    .bind(level.effective_from)
    .bind(level.level)
    .bind(level.decision)
    .bind(actor.now)
    .run(conn)
    .await?;
    rollups::relevel(conn, &[id], from, Move::In).await?;
    Ok(changed > 0)
}
