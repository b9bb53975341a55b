//! Seals as stored.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::seals::{Head, Leaf};
use crate::db::locks::{self, Patience};
use crate::db::{Conn, QueryResult, sql};
use crate::values::hex;

/// The hash of an event `e`. Instants as numbers and documents as PostgreSQL's own text, so that no setting of a session changes it.
const EVENT_HASH: &str = "sha256(convert_to(jsonb_build_array(e.id, (extract(epoch from e.at) * 1000000)::bigint, e.actor, e.request_id, \
    e.action, e.entity, e.entity_key, e.before::text, e.after::text)::text, 'UTF8'))";

row! {
    #[derive(Clone, Debug)]
    pub struct SealRow {
        pub number: i32,
        pub sealed_at: DateTime<Utc>,
        pub covers_until: DateTime<Utc>,
        pub hash: Vec<u8>,
    }
}

impl SealRow {
    pub fn head(&self) -> Head {
        Head { number: self.number, sealed_at: self.sealed_at, covers_until: self.covers_until }
    }
}

row! {
    /// An event that is not sealed yet.
    #[derive(Debug)]
    pub struct OpenRow {
        pub id: Uuid,
        pub at: DateTime<Utc>,
        pub hash: Vec<u8>,
    }
}

/// One at a time makes seals.
pub async fn lock(conn: &mut Conn) -> QueryResult<()> {
    locks::SEALS.lock(conn, 0, Patience::AsSet).await
}

pub async fn last(conn: &mut Conn) -> QueryResult<Option<SealRow>> {
    sql("select number, sealed_at, covers_until, hash from audit_seals order by number desc limit 1")
        .maybe(conn)
        .await
}

pub async fn all(conn: &mut Conn) -> QueryResult<Vec<SealRow>> {
    sql("select number, sealed_at, covers_until, hash from audit_seals order by number").rows(conn).await
}

/// How far the seals reach that were made until an instant. None reaches further than the instant it was made at.
pub async fn covered(conn: &mut Conn, until: DateTime<Utc>) -> QueryResult<Option<DateTime<Utc>>> {
    sql("select max(least(covers_until, sealed_at)) as value from audit_seals where sealed_at <= $1")
        .bind(until)
        .value(conn)
        .await
}

/// Events that are under no seal, the oldest first, from one instant to another.
pub async fn open_events(
    conn: &mut Conn,
    from: Option<DateTime<Utc>>,
    until: DateTime<Utc>,
    most: i64,
) -> QueryResult<Vec<OpenRow>> {
    sql(format!(
        "select e.id, e.at, {EVENT_HASH} as hash from audit_events e where ($1::timestamptz is null or e.at >= $1) and e.at <= $2 \
         and not exists (select 1 from audit_sealed_events s where s.event_id = e.id) order by e.at, e.id limit $3"
    ))
    .bind(from)
    .bind(until)
    .bind(most)
    .custom_plan()
    .rows(conn)
    .await
}

pub async fn store(conn: &mut Conn, head: &Head, hash: Vec<u8>, leaves: &[Leaf]) -> QueryResult<()> {
    sql(
        "insert into audit_seals (number, sealed_at, covers_until, events, hash) values ($1, $2, $3, $4, $5)",
    )
    .bind(head.number)
    .bind(head.sealed_at)
    .bind(head.covers_until)
    .bind(i32::try_from(leaves.len()).unwrap_or(i32::MAX))
    .bind(hash)
    .run(conn)
    .await?;
    sql("insert into audit_sealed_events (seal, place, event_id, hash) \
         select $1, l.place, l.event, decode(l.hash, 'hex') \
         from unnest($2::uuid[], $3::text[]) with ordinality as l(event, hash, place)")
    .bind(head.number)
    .bind(leaves.iter().map(|leaf| leaf.event).collect::<Vec<_>>())
    .bind(leaves.iter().map(|leaf| hex(&leaf.hash)).collect::<Vec<_>>())
    .run(conn)
    .await?;
    Ok(())
}

row! {
    /// An event under a seal, then and now.
    #[derive(Debug)]
    pub struct SealedRow {
        pub event_id: Uuid,
        pub sealed_hash: Vec<u8>,
        /// Null when the event is gone.
        pub present_hash: Option<Vec<u8>>,
        pub at: Option<DateTime<Utc>>,
        pub told: Option<String>,
    }
}

/// What an event says of itself, for a person.
const TOLD: &str = "concat_ws(' ', e.actor, e.action, e.entity, e.entity_key)";

pub async fn sealed(conn: &mut Conn, seal: i32) -> QueryResult<Vec<SealedRow>> {
    sql(format!(
        "select s.event_id, s.hash as sealed_hash, case when e.id is not null then {EVENT_HASH} end as present_hash, e.at, \
         case when e.id is not null then {TOLD} end as told \
         from audit_sealed_events s left join audit_events e on e.id = s.event_id where s.seal = $1 order by s.place"
    ))
    .bind(seal)
    .rows(conn)
    .await
}

row! {
    /// An event that was kept elsewhere and is under no seal, now.
    #[derive(Debug)]
    pub struct LooseRow {
        pub event_id: Uuid,
        /// Null when the event is gone.
        pub present_hash: Option<Vec<u8>>,
        pub told: Option<String>,
    }
}

/// In the order of the ids.
pub async fn loose(conn: &mut Conn, events: Vec<Uuid>) -> QueryResult<Vec<LooseRow>> {
    sql(format!(
        "select k.event_id, case when e.id is not null then {EVENT_HASH} end as present_hash, \
         case when e.id is not null then {TOLD} end as told \
         from unnest($1::uuid[]) with ordinality as k(event_id, place) left join audit_events e on e.id = k.event_id order by k.place"
    ))
    .bind(events)
    .rows(conn)
    .await
}

row! {
    #[derive(Debug)]
    pub struct StrayRow {
        pub id: Uuid,
        pub at: DateTime<Utc>,
        pub told: String,
    }
}

/// Events under no seal, older than `before`.
pub async fn strays(conn: &mut Conn, before: DateTime<Utc>, most: i64) -> QueryResult<Vec<StrayRow>> {
    sql(format!(
        "select e.id, e.at, {TOLD} as told from audit_events e where e.at < $1 \
         and not exists (select 1 from audit_sealed_events s where s.event_id = e.id) order by e.at, e.id limit $2"
    ))
    .bind(before)
    .bind(most)
    .custom_plan()
    .rows(conn)
    .await
}

/// Events dated later than `after`, the earliest first.
pub async fn later_than(
    conn: &mut Conn,
    after: DateTime<Utc>,
    open_only: bool,
    most: i64,
) -> QueryResult<Vec<StrayRow>> {
    sql(format!(
        "select e.id, e.at, {TOLD} as told from audit_events e where e.at > $1 \
         and not ($2 and exists (select 1 from audit_sealed_events s where s.event_id = e.id)) order by e.at, e.id limit $3"
    ))
    .bind(after)
    .bind(open_only)
    .bind(most)
    .custom_plan()
    .rows(conn)
    .await
}

/// How many events are under no seal.
pub async fn count_open(conn: &mut Conn) -> QueryResult<i64> {
    sql("select count(*) as value from audit_events e \
         where not exists (select 1 from audit_sealed_events s where s.event_id = e.id)")
    .value(conn)
    .await
}
