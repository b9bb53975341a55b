//! Leads of tasks with their progress, what they reported and what was decided, as stored.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::auth::{Actor, AgencyScope};
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::{Conn, QueryResult, Reader, sql};
use crate::ids::AgencyId;

row! {
    /// A lead agency of a task at its dates, and how far it is; also when it never reported.
    #[derive(Clone, Debug, Serialize)]
    pub struct LeadRow {
        #[serde(skip)]
        pub task_code: String,
        #[serde(skip)]
        pub agency_id: AgencyId,
        pub agency: String,
        #[serde(skip)]
        pub name: String,
        #[serde(skip)]
        pub valid_from: Option<NaiveDate>,
        #[serde(skip)]
        pub valid_to: Option<NaiveDate>,
        #[serde(skip)]
        pub successors: Vec<String>,
        pub percent: i16,
        pub completed_on: Option<NaiveDate>,
        pub reported_at: Option<DateTime<Utc>>,
        pub confirmed_at: Option<DateTime<Utc>>,
        pub confirmed_deadline: Option<NaiveDate>,
        pub cancelled_at: Option<DateTime<Utc>>,
        /// As `cancelled_at` has it, also of a lead that the caller does not see.
        #[serde(skip)]
        pub cancelled: bool,
        pub due_date: Option<NaiveDate>,
        pub was_overdue: bool,
    }
}

row! {
    /// A task of a plan with one of its leads; with nulls when it has none.
    #[derive(Clone, Debug)]
    pub struct TaskLeadRow {
        pub code: String,
        pub title: String,
        pub deadline: NaiveDate,
        pub cancelled: bool,
        /// Codes of the lead agencies and groups, as the plan names them.
        pub named: Vec<String>,
        /// Their names, in the same order.
        pub lead_names: Vec<String>,
        pub agency_id: Option<AgencyId>,
        pub agency: Option<String>,
        pub valid_from: Option<NaiveDate>,
        pub valid_to: Option<NaiveDate>,
        pub successors: Vec<String>,
        pub percent: i16,
        pub completed_on: Option<NaiveDate>,
        pub confirmed_deadline: Option<NaiveDate>,
        pub lead_cancelled: bool,
        pub due_date: Option<NaiveDate>,
    }
}

/// All tasks of a year's plans with all their leads, by one statement, in the order of [`leads`].
pub async fn of_year(conn: &mut Reader<'_>, year: i32) -> QueryResult<Vec<TaskLeadRow>> {
    sql("select t.code, t.title, coalesce(t.due_date, t.range_to) as deadline, t.cancelled_at is not null as cancelled, \
           array(select coalesce(b.code, n.group_code) from task_parties n left join agencies b on b.id = n.agency_id \
             where n.task_code = t.code and n.role = 'lead' order by n.position) as named, \
           array(select coalesce(b.name, q.name) from task_parties n left join agencies b on b.id = n.agency_id \
             left join agency_groups q on q.code = n.group_code \
             where n.task_code = t.code and n.role = 'lead' order by n.position) as lead_names, \
           a.id as agency_id, a.code as agency, a.valid_from, a.valid_to, \
           array(select s.code from agency_successors l join agencies s on s.id = l.successor_id where l.agency_id = a.id) as successors, \
           coalesce(g.percent, 0::smallint) as percent, g.completed_on, g.confirmed_deadline, \
           coalesce(g.cancelled, false) as lead_cancelled, g.due_date \
         from tasks t join plans p on p.code = t.plan_code \
         left join task_agencies x on x.task_code = t.code and x.role = 'lead' left join agencies a on a.id = x.agency_id \
         left join reported_progress g on g.task_code = x.task_code and g.agency_id = x.agency_id \
         where p.year = $1 order by t.code, a.name collate \"vi-x-icu\", a.code")
    .bind(year)
    .rows(conn)
    .await
}

/// The leads of these tasks, by task and in Vietnamese order of the name. All of them, whoever asks: how a task stands
/// depends on every lead. The caller's view is cut where it is written; row-level security hides when a foreign lead reported or
/// was confirmed.
pub async fn leads(conn: &mut Conn, tasks: Vec<String>) -> QueryResult<Vec<LeadRow>> {
    sql("select x.task_code, a.id as agency_id, a.code as agency, a.name, a.valid_from, a.valid_to, \
           array(select s.code from agency_successors l join agencies s on s.id = l.successor_id where l.agency_id = a.id) as successors, \
           coalesce(r.percent, 0::smallint) as percent, r.completed_on, g.reported_at, g.confirmed_at, r.confirmed_deadline, \
           g.cancelled_at, coalesce(r.cancelled, false) as cancelled, r.due_date, coalesce(g.was_overdue, false) as was_overdue \
         from task_agencies x join agencies a on a.id = x.agency_id \
         left join reported_progress r on r.task_code = x.task_code and r.agency_id = x.agency_id \
         left join task_progress g on g.task_code = x.task_code and g.agency_id = x.agency_id \
         where x.task_code = any($1) and x.role = 'lead' \
         order by x.task_code, a.name collate \"vi-x-icu\", a.code")
    .bind(tasks)
    .rows(conn)
    .await
}

row! {
    /// What a lead agency reported once.
    #[derive(Clone, Debug)]
    pub struct UpdateRow {
        pub id: Uuid,
        pub agency: String,
        pub percent: i16,
        pub narrative: String,
        pub evidence: Vec<String>,
        pub completed_on: Option<NaiveDate>,
        pub actor: String,
        pub at: DateTime<Utc>,
    }
}

/// Stores a report: the history's row, where the lead stands now, and the task's next version.
pub async fn report(conn: &mut Conn, task: &str, agency: AgencyId, update: &UpdateRow) -> QueryResult<()> {
    sql("with history as (insert into task_updates (id, task_code, agency_id, percent, narrative, evidence, completed_on, actor, at) \
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9)), \
         progress as (insert into task_progress as g (task_code, agency_id, percent, completed_on, reported_at) values ($2, $3, $4, $7, $9) \
           on conflict (task_code, agency_id) do update \
           set percent = excluded.percent, completed_on = excluded.completed_on, reported_at = excluded.reported_at) \
         update tasks set version = version + 1, updated_at = $9 where code = $2")
    .bind(update.id)
    .bind(task.to_owned())
    .bind(agency)
    .bind(update.percent)
    .bind(update.narrative.clone())
    .bind(update.evidence.clone())
    .bind(update.completed_on)
    .bind(update.actor.clone())
    .bind(update.at)
    .run(conn)
    .await?;
    Ok(())
}

pub const UPDATED: SortKey = SortKey { name: "at", expr: "u.id", pg_type: "uuid" };

/// Reports on a task by the agencies in scope.
pub async fn updates(
    conn: &mut Conn,
    scope: &AgencyScope,
    task: String,
    agencies: Option<Vec<String>>,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<UpdateRow>> {
    let mut list = List::new(
        "u.id, a.code as agency, u.percent, u.narrative, u.evidence, u.completed_on, u.actor, u.at",
        "task_updates u join agencies a on a.id = u.agency_id",
    );
    list.filter("u.task_code = {}", task);
    list.filter_some("u.agency_id = any({})", scope.ids());
    list.filter_some("a.code = any({})", agencies);
    list.page(conn, order, window).await
}

/// Whether anything was ever reported.
pub async fn any_update(conn: &mut Conn) -> QueryResult<bool> {
    sql("select exists (select 1 from task_updates) as value").value(conn).await
}

/// What a transition does to leads.
#[derive(Clone, Debug)]
pub enum LeadChange {
    /// Each against the deadline in force for it.
    Confirm(Vec<NaiveDate>),
    Reopen,
    Cancel,
    Extend {
        due_date: NaiveDate,
        overdue: bool,
    },
    /// Their deadline moves with the task's, and they were late.
    MarkOverdue,
}

/// Changes where leads of a task stand.
pub async fn change_leads(
    conn: &mut Conn,
    task: &str,
    agencies: &[AgencyId],
    change: LeadChange,
    actor: &Actor,
) -> QueryResult<()> {
    let ids: Vec<i32> = agencies.iter().map(|id| id.0).collect();
    let statement = match &change {
        LeadChange::Confirm(_) => {
            "update task_progress g set confirmed_at = $3, confirmed_deadline = d.deadline \
             from unnest($2, $4) d(agency_id, deadline) where g.task_code = $1 and g.agency_id = d.agency_id"
        }
        LeadChange::Reopen => {
            "update task_progress set confirmed_at = null, confirmed_deadline = null, cancelled_at = null \
             where task_code = $1 and agency_id = any($2)"
        }
        LeadChange::Cancel => {
            "insert into task_progress (task_code, agency_id, cancelled_at) select $1, unnest($2), $3 \
             on conflict (task_code, agency_id) do update set cancelled_at = excluded.cancelled_at"
        }
        LeadChange::Extend { .. } => {
            "insert into task_progress as g (task_code, agency_id, due_date, was_overdue) select $1, unnest($2), $3, $4 \
             on conflict (task_code, agency_id) do update \
             set due_date = excluded.due_date, was_overdue = g.was_overdue or excluded.was_overdue"
        }
        LeadChange::MarkOverdue => {
            "insert into task_progress (task_code, agency_id, was_overdue) select $1, unnest($2), true \
             on conflict (task_code, agency_id) do update set was_overdue = true"
        }
    };
    let statement = sql(statement).bind(task.to_owned()).bind(ids);
    let statement = match change {
        LeadChange::Confirm(deadlines) => statement.bind(actor.now).bind(deadlines),
        LeadChange::Cancel => statement.bind(actor.now),
        LeadChange::Extend { due_date, overdue } => statement.bind(due_date).bind(overdue),
        LeadChange::Reopen | LeadChange::MarkOverdue => statement,
    };
    statement.run(conn).await?;
    Ok(())
}

row! {
    /// What was decided once.
    #[derive(Clone, Debug)]
    pub struct TransitionRow {
        pub id: Uuid,
        pub agency: Option<String>,
        pub action: String,
        pub reason: Option<String>,
        pub due_date: Option<NaiveDate>,
        pub actor: String,
        pub at: DateTime<Utc>,
    }
}

/// What a transition does to the task itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskChange {
    pub cancelled: Option<bool>,
    pub due_date: Option<NaiveDate>,
}

/// Stores a decision: the history's row, what it changes of the task, and the task's next version.
pub async fn decide(
    conn: &mut Conn,
    task: &str,
    agency: Option<AgencyId>,
    transition: &TransitionRow,
    change: TaskChange,
) -> QueryResult<()> {
    sql("with history as (insert into task_transitions (id, task_code, agency_id, action, reason, due_date, actor, at) \
           values ($1, $2, $3, $4, $5, $6, $7, $8)) \
         update tasks set version = version + 1, updated_at = $8, due_date = coalesce($10, due_date), \
           cancelled_at = case when $9 then $8 when not $9 then null else cancelled_at end where code = $2")
    .bind(transition.id)
    .bind(task.to_owned())
    .bind(agency)
    .bind(transition.action.clone())
    .bind(transition.reason.clone())
    .bind(transition.due_date)
    .bind(transition.actor.clone())
    .bind(transition.at)
    .bind(change.cancelled)
    .bind(change.due_date)
    .run(conn)
    .await?;
    Ok(())
}

pub const DECIDED: SortKey = SortKey { name: "at", expr: "h.id", pg_type: "uuid" };

/// Decisions on a task that are about all of it or about agencies in scope.
pub async fn transitions(
    conn: &mut Conn,
    scope: &AgencyScope,
    task: String,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<TransitionRow>> {
    let mut list = List::new(
        "h.id, a.code as agency, h.action, h.reason, h.due_date, h.actor, h.at",
        "task_transitions h left join agencies a on a.id = h.agency_id",
    );
    list.filter("h.task_code = {}", task);
    list.filter_some("(h.agency_id is null or h.agency_id = any({}))", scope.ids());
    list.page(conn, order, window).await
}
