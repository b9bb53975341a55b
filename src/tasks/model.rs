//! Tasks as stored.

pub mod plans;
pub mod progress;

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::deserialize::{self, FromSql};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::Jsonb;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::Actor;
use crate::db::keyset::{List, Order, SortKey};
use crate::db::{Bindable, Conn, QueryResult, Sql, sql};
use crate::values::fold;

const COLUMNS: &str = "t.code, t.plan_code, t.section, t.title, t.range_from, t.range_to, t.due_date, t.source, \
    coalesce(t.range_from, make_date(p.year, 1, 1)) as starts_on, coalesce(t.due_date, t.range_to) as deadline, \
    t.cancelled_at, t.version, \
    array(select i.indicator_code from task_indicators i where i.task_code = t.code order by i.indicator_code) as indicators, \
    (select coalesce(jsonb_agg(jsonb_build_object('role', n.role, 'type', case when a.id is null then 'group' else 'agency' end, \
       'code', coalesce(a.code, n.group_code), 'name', coalesce(a.name, g.name)) order by n.role, n.position), '[]') \
     from task_parties n left join agencies a on a.id = n.agency_id left join agency_groups g on g.code = n.group_code \
     where n.task_code = t.code) as parties";
const FROM: &str = "tasks t join plans p on p.code = t.plan_code";

/// What a party is to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartyRole {
    Lead,
    Coordinator,
}

impl PartyRole {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Coordinator => "coordinator",
        }
    }
}

/// Whether a plan names an agency or a group of agencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TaskPartyType)]
pub enum PartyType {
    Agency,
    Group,
}

impl PartyType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agency => "agency",
            Self::Group => "group",
        }
    }
}

/// A lead or coordinator, as the plan names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyRow {
    pub role: PartyRole,
    pub r#type: PartyType,
    pub code: String,
    pub name: String,
}

/// The parties of a task in the plan's order; one column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parties(pub Vec<PartyRow>);

impl FromSql<Jsonb, Pg> for Parties {
    fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
        let value = <serde_json::Value as FromSql<Jsonb, Pg>>::from_sql(bytes)?;
        Ok(serde_json::from_value(value)?)
    }
}

impl Bindable for Parties {
    type St = Jsonb;
}

row! {
    /// A task; its status is not among what is stored.
    #[derive(Clone, Debug, Serialize)]
    pub struct TaskRow {
        pub code: String,
        pub plan_code: String,
        pub section: String,
        pub title: String,
        pub range_from: Option<NaiveDate>,
        pub range_to: Option<NaiveDate>,
        pub due_date: Option<NaiveDate>,
        pub source: Option<String>,
        pub starts_on: NaiveDate,
        pub deadline: NaiveDate,
        pub cancelled_at: Option<DateTime<Utc>>,
        pub version: i32,
        pub indicators: Vec<String>,
        pub parties: Parties,
    }
}

/// All that a writer decides of a task.
#[derive(Clone, Debug)]
pub struct TaskWrite {
    pub code: String,
    pub plan: String,
    pub section: String,
    pub title: String,
    pub range_from: Option<NaiveDate>,
    pub range_to: Option<NaiveDate>,
    pub due_date: Option<NaiveDate>,
    pub source: Option<String>,
    pub parties: Vec<(PartyRole, PartyType, String)>,
    pub indicators: Vec<String>,
}

pub async fn find(conn: &mut Conn, code: &str) -> QueryResult<Option<TaskRow>> {
    sql(format!("select {COLUMNS} from {FROM} where t.code = $1")).bind(code.to_owned()).maybe(conn).await
}

/// As [`find`], and nobody else changes it, its leads' progress included, until the transaction ends.
pub async fn lock(conn: &mut Conn, code: &str) -> QueryResult<Option<TaskRow>> {
    sql(format!("select {COLUMNS} from {FROM} where t.code = $1 for update of t"))
        .bind(code.to_owned())
        .maybe(conn)
        .await
}

pub async fn exists(conn: &mut Conn, code: &str) -> QueryResult<bool> {
    sql("select exists (select 1 from tasks where code = $1) as value")
        .bind(code.to_owned())
        .value(conn)
        .await
}

/// What a reader looks for.
#[derive(Debug, Default)]
pub struct TaskQuery {
    pub plans: Option<Vec<String>>,
    /// Codes of agencies or groups.
    pub leads: Option<Vec<String>>,
    pub coordinators: Option<Vec<String>>,
    /// Leads or coordinators.
    pub agencies: Option<Vec<String>>,
    pub indicators: Option<Vec<String>>,
    /// First and last days.
    pub quarters: Option<Vec<(NaiveDate, NaiveDate)>>,
    /// Folded text.
    pub q: Option<String>,
}

pub const CODE: SortKey = SortKey { name: "code", expr: "t.code", pg_type: "text" };
pub const DEADLINE: SortKey =
    SortKey { name: "deadline", expr: "coalesce(t.due_date, t.range_to)", pg_type: "date" };

/// All tasks that match, in this order; what depends on the day is for the caller to sift.
pub async fn matching(conn: &mut Conn, query: TaskQuery, order: &[Order]) -> QueryResult<Vec<TaskRow>> {
    let mut list = List::new(COLUMNS, FROM);
    if let Some(q) = &query.q {
        list.search("t.title_search", q);
    }
    list.filter_some("t.plan_code = any({})", query.plans);
    list.filter_some(&of_role("in ('lead')"), query.leads);
    list.filter_some(&of_role("in ('coordinator')"), query.coordinators);
    list.filter_some(&of_role("in ('lead', 'coordinator')"), query.agencies);
    list.filter_some(
        "exists (select 1 from task_indicators i where i.task_code = t.code and i.indicator_code = any({}))",
        query.indicators,
    );
    if let Some(quarters) = query.quarters {
        let (first, last): (Vec<_>, Vec<_>) = quarters.into_iter().unzip();
        list.with("first_days(day, n)", "select * from unnest({}) with ordinality", first);
        list.with("last_days(day, n)", "select * from unnest({}) with ordinality", last);
        list.filter_raw(
            "exists (select 1 from first_days f join last_days l using (n) \
             where coalesce(t.range_from, t.due_date) <= l.day and coalesce(t.range_to, t.due_date) >= f.day)",
        );
    }
    let by: Vec<_> =
        order.iter().map(|o| format!("{}{}", o.key.expr, if o.descending { " desc" } else { "" })).collect();
    list.all(conn, &by.join(", ")).await
}

/// Agencies meant at the task's dates, or the group as it is named. Asked once for all tasks, not once per task: the view follows
/// groups and successors.
fn of_role(role: &str) -> String {
    format!(
        "(t.code in (select x.task_code from task_agencies x join agencies a on a.id = x.agency_id \
           where x.role {role} and a.code = any({{}})) \
         or t.code in (select n.task_code from task_parties n where n.role {role} and n.group_code = any({{}})))"
    )
}

/// What a task refers to by code.
#[derive(Debug, Default)]
pub struct References {
    pub plans: Vec<String>,
    pub agencies: Vec<String>,
    pub groups: Vec<String>,
    pub indicators: Vec<String>,
}

/// Those of the references that exist, as (kind, code); the kinds are `plan`, `agency`, `group`, `indicator`.
pub async fn known(conn: &mut Conn, references: References) -> QueryResult<HashSet<(String, String)>> {
    row! { struct Known { kind: String, code: String } }
    let found: Vec<Known> = sql("select 'plan' as kind, code from plans where code = any($1) \
         union all select 'agency', code from agencies where code = any($2) \
         union all select 'group', code from agency_groups where code = any($3) \
         union all select 'indicator', code from indicators where code = any($4)")
    .bind(references.plans)
    .bind(references.agencies)
    .bind(references.groups)
    .bind(references.indicators)
    .rows(conn)
    .await?;
    Ok(found.into_iter().map(|k| (k.kind, k.code)).collect())
}

/// Stores a new task; `false` when the code is taken. Indicators that do not exist are left out.
pub async fn insert(conn: &mut Conn, write: TaskWrite, actor: &Actor) -> QueryResult<bool> {
    let code = write.code.clone();
    let inserted = bind_fields(
        sql(
            "insert into tasks (code, section, title, title_search, range_from, range_to, due_date, source, \
             updated_at, created_at, plan_code) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10) \
             on conflict do nothing",
        ),
        &write,
        actor,
    )
    .bind(write.plan.clone())
    .run(conn)
    .await?;
    if inserted == 1 {
        link(conn, code, write).await?;
    }
    Ok(inserted == 1)
}

/// Stores the new state of a task and counts its version up. Progress of agencies that lead no more is kept.
pub async fn update(conn: &mut Conn, write: TaskWrite, actor: &Actor) -> QueryResult<()> {
    let code = write.code.clone();
    bind_fields(
        sql("with parties as (delete from task_parties where task_code = $1), \
               indicators as (delete from task_indicators where task_code = $1) \
             update tasks set section = $2, title = $3, title_search = $4, range_from = $5, range_to = $6, \
             due_date = $7, source = $8, updated_at = $9, version = version + 1 where code = $1"),
        &write,
        actor,
    )
    .run(conn)
    .await?;
    link(conn, code, write).await
}

fn bind_fields(statement: Sql, write: &TaskWrite, actor: &Actor) -> Sql {
    statement
        .bind(write.code.clone())
        .bind(write.section.clone())
        .bind(write.title.clone())
        .bind(fold(&format!("{} {}", write.title, write.code)))
        .bind(write.range_from)
        .bind(write.range_to)
        .bind(write.due_date)
        .bind(write.source.clone())
        .bind(actor.now)
}

async fn link(conn: &mut Conn, code: String, write: TaskWrite) -> QueryResult<()> {
    let column = |of: fn(&(PartyRole, PartyType, String)) -> &str| -> Vec<String> {
        write.parties.iter().map(|party| of(party).to_owned()).collect()
    };
    let (roles, types, codes) =
        (column(|p| p.0.as_str()), column(|p| p.1.as_str()), column(|p| p.2.as_str()));
    sql("with linked as (insert into task_indicators (task_code, indicator_code) \
           select $1, code from indicators where code = any($5)) \
         insert into task_parties (task_code, role, position, agency_id, group_code) \
         select $1, n.role, n.position, a.id, g.code \
         from unnest($2, $3, $4) with ordinality n(role, type, code, position) \
         left join agencies a on n.type = 'agency' and a.code = n.code \
         left join agency_groups g on n.type = 'group' and g.code = n.code")
    .bind(code)
    .bind(roles)
    .bind(types)
    .bind(codes)
    .bind(write.indicators)
    .run(conn)
    .await?;
    Ok(())
}
