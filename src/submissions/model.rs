//! Submissions as stored: the working copy's row, and the steps that freeze and settle revisions.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::rules::{Action, Outcome, Standing, State};
use crate::auth::{Actor, AgencyScope};
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::{Conn, QueryResult, sql};
use crate::ids::AgencyId;
use crate::months;
use crate::values::Month;

const COLUMNS: &str = "s.id, s.agency_id, a.code as agency, s.month, s.state, s.revision, s.accepted_revision, s.submitted_by, s.submitted_at, \
    s.decision, s.decided_by, s.decided_at, s.decision_reason, s.unlocked_closing, c.version as closing, s.version, s.created_by, s.created_at, s.updated_at";
const FROM: &str =
    "submissions s join agencies a on a.id = s.agency_id left join closed_months c on c.month = s.month";

row! {
    /// A submission with its agency's code and the closing of its month.
    #[derive(Clone, Debug, Serialize)]
    pub struct SubmissionRow {
        pub id: Uuid,
        #[serde(skip)]
        pub agency_id: AgencyId,
        pub agency: String,
        pub month: NaiveDate,
        /// As stored: never `locked`.
        pub state: State,
        pub revision: Option<i32>,
        pub accepted_revision: Option<i32>,
        pub submitted_by: Option<String>,
        pub submitted_at: Option<DateTime<Utc>>,
        pub decision: Option<String>,
        pub decided_by: Option<String>,
        pub decided_at: Option<DateTime<Utc>>,
        pub decision_reason: Option<String>,
        pub unlocked_closing: Option<i32>,
        /// Version of the closing in force of its month.
        pub closing: Option<i32>,
        pub version: i32,
        pub created_by: String,
        pub created_at: DateTime<Utc>,
        pub updated_at: DateTime<Utc>,
    }
}

impl SubmissionRow {
    pub fn month(&self) -> Month {
        Month::of(self.month)
    }

    /// The state as it is shown.
    pub fn state(&self) -> State {
        match self.state {
            State::Accepted if self.closing.is_some() => State::Locked,
            state => state,
        }
    }

    pub fn standing(&self) -> Standing {
        Standing {
            state: self.state(),
            locked: self.closing.is_some() && self.closing != self.unlocked_closing,
            submitted_by: self.submitted_by.clone(),
        }
    }
}

pub async fn find(conn: &mut Conn, scope: &AgencyScope, id: Uuid) -> QueryResult<Option<SubmissionRow>> {
    sql(format!(
        "select {COLUMNS} from {FROM} where s.id = $1 and ($2::int[] is null or s.agency_id = any($2))"
    ))
    .bind(id)
    .bind(scope.ids())
    .maybe(conn)
    .await
}

/// As [`find`], and neither the row nor its month's closing changes until the transaction ends.
pub async fn lock(conn: &mut Conn, scope: &AgencyScope, id: Uuid) -> QueryResult<Option<SubmissionRow>> {
    let Some(mut row) = lock_unclosed(conn, scope, id).await? else { return Ok(None) };
    row.closing = months::model::closing(conn, row.month()).await?;
    Ok(Some(row))
}

/// As [`lock`], but what the closing is, is for the caller's next statement to find out (`null` here): this one began before it had
/// the locks.
///
/// The row always comes first and the month second, so that no two writers wait for each other in a circle.
pub async fn lock_unclosed(
    conn: &mut Conn,
    scope: &AgencyScope,
    id: Uuid,
) -> QueryResult<Option<SubmissionRow>> {
    let lock_month = months::model::lock_shared_text("s.month");
    // A part that locks rows is always carried out by itself, before what is made of its rows.
    sql(format!(
        "with locked as materialized (select * from submissions where id = $1 and ($2::int[] is null or agency_id = any($2)) for update), \
         held as materialized (select s.*, {lock_month}::text as month_locked from locked s) \
         select {COLUMNS} from held s join agencies a on a.id = s.agency_id \
           left join (select null::date as month, null::int as version) c on false"
    ))
    .bind(id)
    .bind(scope.ids())
    .maybe(conn)
    .await
}

/// Stores an empty draft; `None` when the agency has one for the month.
pub async fn insert(
    conn: &mut Conn,
    agency: AgencyId,
    month: Month,
    actor: &Actor,
) -> QueryResult<Option<Uuid>> {
    let id = Uuid::now_v7();
    let inserted =
        sql("insert into submissions (id, agency_id, month, state, created_by, created_at, updated_at) \
         values ($1, $2, $3, 'draft', $4, $5, $5) on conflict (agency_id, month) do nothing")
        .bind(id)
        .bind(agency)
        .bind(month.first_day())
        .bind(actor.name.clone())
        .bind(actor.now)
        .run(conn)
        .await?;
    Ok((inserted == 1).then_some(id))
}

/// Removes a draft with its working values; nothing else hangs on one that was never submitted.
pub async fn delete(conn: &mut Conn, id: Uuid) -> QueryResult<()> {
    sql("delete from submissions where id = $1").bind(id).run(conn).await?;
    Ok(())
}

const LOGGED: &str = "insert into submission_transitions (id, submission_id, action, from_state, to_state, revision, reason, actor, at)";

/// Freezes the working values as the next revision.
pub async fn submit(conn: &mut Conn, row: &SubmissionRow, actor: &Actor) -> QueryResult<()> {
    sql(format!(
        "with frozen as (insert into submission_revisions (submission_id, revision, submitted_by, submitted_at) values ($1, $2, $3, $4)), \
         kept as (insert into submission_revision_values (submission_id, revision, indicator_code, position, numerator, denominator, value, note) \
           select submission_id, $2, indicator_code, position, numerator, denominator, value, note from submission_values where submission_id = $1), \
         logged as ({LOGGED} values ($5, $1, 'submit', $6, 'submitted', $2, null, $3, $4)) \
         update submissions set state = 'submitted', revision = $2, submitted_by = $3, submitted_at = $4, \
           version = version + 1, updated_at = $4 where id = $1"
    ))
    .bind(row.id)
    .bind(row.revision.unwrap_or(0) + 1)
    .bind(actor.name.clone())
    .bind(actor.now)
    .bind(Uuid::now_v7())
    .bind(row.state().as_str())
    .run(conn)
    .await?;
    Ok(())
}

/// Any other step: what it means for the revision, for what counts, and for the lock of the month.
pub async fn settle(
    conn: &mut Conn,
    row: &SubmissionRow,
    action: Action,
    to: State,
    reason: Option<String>,
    actor: &Actor,
) -> QueryResult<()> {
    sql(format!(
        "with decided as (update submission_revisions set outcome = $2, decided_by = $3, decided_at = $4, reason = $5 \
           where submission_id = $1 and revision = $6 and $2 is not null), \
         logged as ({LOGGED} values ($7, $1, $8, $9, $10, $6, $5, $3, $4)) \
         update submissions set state = $10, \
           accepted_revision = case when $8 = 'accept' then revision else accepted_revision end, \
           unlocked_closing = case $8 when 'reopen' then $11 when 'accept' then null else unlocked_closing end, \
           decision = case when $8 = 'withdraw' then decision else $8 end, \
           decided_by = case when $8 = 'withdraw' then decided_by else $3 end, \
           decided_at = case when $8 = 'withdraw' then decided_at else $4 end, \
           decision_reason = case when $8 = 'withdraw' then decision_reason else $5 end, \
           version = version + 1, updated_at = $4 where id = $1"
    ))
    .bind(row.id)
    .bind(Outcome::of(action))
    .bind(actor.name.clone())
    .bind(actor.now)
    .bind(reason)
    .bind(row.revision)
    .bind(Uuid::now_v7())
    .bind(action.as_str())
    .bind(row.state().as_str())
    .bind(to.as_str())
    .bind(row.closing)
    .run(conn)
    .await?;
    Ok(())
}

/// What a reader looks for.
#[derive(Debug, Default)]
pub struct SubmissionQuery {
    pub agencies: Option<Vec<String>>,
    /// First days.
    pub months: Option<Vec<NaiveDate>>,
    /// As shown, `locked` too.
    pub states: Option<Vec<String>>,
}

pub const ID: SortKey = SortKey { name: "id", expr: "s.id", pg_type: "uuid" };
pub const PERIOD: SortKey = SortKey { name: "period", expr: "s.month", pg_type: "date" };
pub const AGENCY: SortKey = SortKey { name: "agency", expr: "a.code", pg_type: "text" };
pub const UPDATED: SortKey = SortKey { name: "updated_at", expr: "s.updated_at", pg_type: "timestamptz" };

pub async fn list(
    conn: &mut Conn,
    scope: &AgencyScope,
    query: SubmissionQuery,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<SubmissionRow>> {
    let mut list = List::new(COLUMNS, FROM);
    list.filter_some("s.agency_id = any({})", scope.ids());
    list.filter_some("a.code = any({})", query.agencies);
    list.filter_some("s.month = any({})", query.months);
    list.filter_some(
        "case when s.state = 'accepted' and c.month is not null then 'locked' else s.state end = any({})",
        query.states,
    );
    list.page(conn, order, window).await
}

row! {
    #[derive(Debug)]
    pub struct TransitionRow {
        pub id: Uuid,
        pub action: String,
        pub from_state: String,
        pub to_state: String,
        pub revision: i32,
        pub reason: Option<String>,
        pub actor: String,
        pub at: DateTime<Utc>,
    }
}

pub const TRANSITION: SortKey = SortKey { name: "at", expr: "t.id", pg_type: "uuid" };

/// Steps of a submission that the caller was found to see.
pub async fn transitions(
    conn: &mut Conn,
    submission: Uuid,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<TransitionRow>> {
    let mut list = List::new(
        "t.id, t.action, t.from_state, t.to_state, t.revision, t.reason, t.actor, t.at",
        "submission_transitions t",
    );
    list.filter("t.submission_id = {}", submission);
    list.page(conn, order, window).await
}
