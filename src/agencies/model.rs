//! Agencies as stored.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::Serialize;

use crate::auth::Actor;
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::locks::{self, Patience};
use crate::db::{Conn, Connected, QueryResult, sql};
use crate::ids::AgencyId;
use crate::values::fold;

const COLUMNS: &str = "a.id, a.code, a.name, a.name_en, a.kind, p.code as parent, a.gso_code, a.qcvn102_code, a.eid_code, \
    a.valid_from, a.valid_to, a.dossier_source, a.version, \
    coalesce((select array_agg(s.code order by s.code) from agency_successors l join agencies s on s.id = l.successor_id where l.agency_id = a.id), '{}') as successors, \
    coalesce((select array_agg(s.code order by s.code) from agency_successors l join agencies s on s.id = l.agency_id where l.successor_id = a.id), '{}') as predecessors";
const FROM: &str = "agencies a left join agencies p on p.id = a.parent_id";

row! {
    /// An agency with the codes of those it is linked to.
    #[derive(Clone, Debug, Serialize)]
    pub struct AgencyRow {
        #[serde(skip)]
        pub id: AgencyId,
        pub code: String,
        pub name: String,
        pub name_en: Option<String>,
        pub kind: String,
        pub parent: Option<String>,
        pub gso_code: Option<String>,
        pub qcvn102_code: Option<String>,
        pub eid_code: Option<String>,
        pub valid_from: Option<NaiveDate>,
        pub valid_to: Option<NaiveDate>,
        pub dossier_source: Option<String>,
        pub version: i32,
        pub successors: Vec<String>,
        pub predecessors: Vec<String>,
    }
}

/// All that a writer decides of an agency; links as row ids.
#[derive(Clone, Debug)]
pub struct AgencyWrite {
    pub code: String,
    pub name: String,
    pub name_en: Option<String>,
    pub kind: &'static str,
    pub parent: Option<AgencyId>,
    pub gso_code: Option<String>,
    pub qcvn102_code: Option<String>,
    pub eid_code: Option<String>,
    pub valid_from: Option<NaiveDate>,
    pub valid_to: Option<NaiveDate>,
    pub dossier_source: Option<String>,
    pub successors: Vec<AgencyId>,
}

pub async fn find(conn: &mut Conn, code: &str) -> QueryResult<Option<AgencyRow>> {
    sql(format!("select {COLUMNS} from {FROM} where a.code = $1")).bind(code.to_owned()).maybe(conn).await
}

/// As [`find`], and nobody else changes it until the transaction ends.
pub async fn lock(conn: &mut Conn, code: &str) -> QueryResult<Option<AgencyRow>> {
    sql(format!("select {COLUMNS} from {FROM} where a.code = $1 for update of a"))
        .bind(code.to_owned())
        .maybe(conn)
        .await
}

/// Row ids of the codes that exist.
pub async fn ids_of(conn: &mut Conn, codes: Vec<String>) -> QueryResult<HashMap<String, AgencyId>> {
    row! { struct Found { code: String, id: AgencyId } }
    let found: Vec<Found> =
        sql("select code, id from agencies where code = any($1)").bind(codes).rows(conn).await?;
    Ok(found.into_iter().map(|f| (f.code, f.id)).collect())
}

row! {
    /// What an agency is called.
    #[derive(Clone, Debug)]
    pub struct NameRow {
        pub id: AgencyId,
        pub code: String,
        pub name: String,
        pub name_en: Option<String>,
    }
}

/// Every agency by its names, also those that ended.
pub async fn names(conn: &mut impl Connected) -> QueryResult<Vec<NameRow>> {
    sql("select id, code, name, name_en from agencies").rows(conn).await
}

/// Codes of the agencies that exist on some day of a year.
pub async fn active_in(conn: &mut Conn, year: i32) -> QueryResult<Vec<String>> {
    sql("select code as value from agencies where daterange(valid_from, valid_to) && daterange(make_date($1, 1, 1), make_date($1 + 1, 1, 1))")
        .bind(year)
        .values(conn)
        .await
}

/// Whether making `parent` the parent of `agency` would close a circle.
/// Changes of parents wait for each other: two that lock different rows could close a circle together.
pub async fn would_cycle(conn: &mut Conn, agency: AgencyId, parent: AgencyId) -> QueryResult<bool> {
    locks::AGENCY_TREE.lock(conn, 0, Patience::AsSet).await?;
    sql(
        "with recursive up as (select $2::int as id union select a.parent_id from agencies a join up on a.id = up.id where a.parent_id is not null) \
         select exists (select 1 from up where id = $1) as value",
    )
    .bind(agency)
    .bind(parent)
    .value(conn)
    .await
}

/// Whether another agency holds the statistics code in a common part of the validity.
pub async fn gso_code_taken(conn: &mut Conn, write: &AgencyWrite) -> QueryResult<bool> {
    sql("select exists (select 1 from agencies where gso_code = $1 and code <> $2 \
         and daterange(valid_from, valid_to) && daterange($3, $4)) as value")
    .bind(write.gso_code.clone())
    .bind(write.code.clone())
    .bind(write.valid_from)
    .bind(write.valid_to)
    .value(conn)
    .await
}

/// Stores a new agency; `false` when the code is taken.
pub async fn insert(conn: &mut Conn, write: AgencyWrite, actor: &Actor) -> QueryResult<bool> {
    let id: Option<Id> = bind_all(
        sql(
            "insert into agencies (code, name, name_en, name_search, kind, parent_id, gso_code, qcvn102_code, eid_code, \
             valid_from, valid_to, dossier_source, updated_at, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13) \
             on conflict do nothing returning id",
        ),
        &write,
        actor,
    )
    .maybe(conn)
    .await?;
    match id {
        None => Ok(false),
        Some(Id { id }) => set_successors(conn, id, write.successors).await.map(|()| true),
    }
}

/// Stores the new state of an agency and counts its version up.
pub async fn update(conn: &mut Conn, id: AgencyId, write: AgencyWrite, actor: &Actor) -> QueryResult<()> {
    bind_all(
        sql(
            "update agencies set name = $2, name_en = $3, name_search = $4, kind = $5, parent_id = $6, gso_code = $7, \
             qcvn102_code = $8, eid_code = $9, valid_from = $10, valid_to = $11, dossier_source = $12, updated_at = $13, \
             version = version + 1 where code = $1",
        ),
        &write,
        actor,
    )
    .run(conn)
    .await?;
    set_successors(conn, id, write.successors).await
}

row! { struct Id { id: AgencyId } }

fn bind_all(statement: crate::db::Sql, write: &AgencyWrite, actor: &Actor) -> crate::db::Sql {
    let search =
        fold(&format!("{} {} {}", write.name, write.name_en.as_deref().unwrap_or_default(), write.code));
    statement
        .bind(write.code.clone())
        .bind(write.name.clone())
        .bind(write.name_en.clone())
        .bind(search)
        .bind(write.kind)
        .bind(write.parent)
        .bind(write.gso_code.clone())
        .bind(write.qcvn102_code.clone())
        .bind(write.eid_code.clone())
        .bind(write.valid_from)
        .bind(write.valid_to)
        .bind(write.dossier_source.clone())
        .bind(actor.now)
}

async fn set_successors(conn: &mut Conn, id: AgencyId, successors: Vec<AgencyId>) -> QueryResult<()> {
    let ids: Vec<i32> = successors.iter().map(|s| s.0).collect();
    sql(
        "with gone as (delete from agency_successors where agency_id = $1 and successor_id <> all($2)) \
         insert into agency_successors (agency_id, successor_id) select $1, unnest($2) on conflict do nothing",
    )
    .bind(id)
    .bind(ids)
    .run(conn)
    .await?;
    Ok(())
}

/// What a reader looks for.
#[derive(Debug, Default)]
pub struct AgencyQuery {
    /// Folded text.
    pub q: Option<String>,
    pub kinds: Option<Vec<String>>,
    pub parents: Option<Vec<String>>,
    pub group: Option<String>,
    pub active_on: Option<NaiveDate>,
}

pub const NAME: SortKey = SortKey { name: "name", expr: "a.name collate \"vi-x-icu\"", pg_type: "text" };
pub const CODE: SortKey = SortKey { name: "code", expr: "a.code", pg_type: "text" };
pub const KIND: SortKey = SortKey { name: "kind", expr: "a.kind", pg_type: "text" };

pub async fn list(
    conn: &mut Conn,
    query: AgencyQuery,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<AgencyRow>> {
    let mut list = List::new(COLUMNS, FROM);
    if let Some(q) = &query.q {
        list.search("a.name_search", q);
    }
    list.filter_some("a.kind = any({})", query.kinds);
    list.filter_some("p.code = any({})", query.parents);
    list.filter_some(
        "exists (select 1 from agency_groups g where g.code = {} and (a.kind = any(g.kinds) \
         or exists (select 1 from agency_group_members m where m.group_code = g.code and m.agency_id = a.id)))",
        query.group,
    );
    list.filter_some("daterange(a.valid_from, a.valid_to) @> {}", query.active_on);
    list.page(conn, order, window).await
}

row! {
    /// A group: by rule, by name, or both.
    #[derive(Debug)]
    pub struct GroupRow {
        pub code: String,
        pub name: String,
        pub kinds: Vec<String>,
        pub members: Vec<String>,
    }
}

pub const GROUP_CODE: SortKey = SortKey { name: "code", expr: "g.code", pg_type: "text" };

/// The groups, each with the agencies that are members on `on`.
pub async fn groups(
    conn: &mut Conn,
    on: NaiveDate,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<GroupRow>> {
    let mut list = List::new(
        "g.code, g.name, g.kinds, g.members",
        "(select g.code, g.name, g.kinds, coalesce((select array_agg(a.code order by a.name collate \"vi-x-icu\") from agencies a, days d \
          where daterange(a.valid_from, a.valid_to) @> d.day and (a.kind = any(g.kinds) or exists (select 1 from agency_group_members m \
          where m.group_code = g.code and m.agency_id = a.id))), '{}') as members from agency_groups g) g",
    );
    list.with("days(day)", "select {}::date", on);
    list.page(conn, order, window).await
}
