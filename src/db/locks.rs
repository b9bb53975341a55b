//! The advisory locks: every space of them, and the only way to take one. All are held until the transaction ends, but for
//! [`STAGES`], which sessions hold. Who needs several takes them in the order of [`ALL`]; only a replay of parked rows claims a stage
//! behind [`LEVELS`], and gives up after the time that any lock is waited for.

use super::{Conn, QueryResult, sql};

/// Locks of one purpose, told apart by a key or by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockSpace(i32);

/// A repeated request; by caller and `Idempotency-Key`.
pub const IDEMPOTENCY: LockSpace = LockSpace(332);
/// Tables that rows are copied into; by their number from 1.
pub const STAGES: LockSpace = LockSpace(3323);
/// Batches of procedures, key 0.
pub const CATALOGUE: LockSpace = LockSpace(3329);
/// Levels and procedures, key 0: shared by batches, alone for what changes them.
pub const LEVELS: LockSpace = LockSpace(3324);
/// The closing of a month; by [`crate::values::Month::number`].
pub const MONTHS: LockSpace = LockSpace(3320);
/// A source's month; by a hash of both.
pub const SOURCES: LockSpace = LockSpace(3321);
/// An agency's month in roll-ups; by a hash of both.
pub const AGENCIES: LockSpace = LockSpace(3322);
/// Who is whose superior, key 0.
pub const AGENCY_TREE: LockSpace = LockSpace(3330);
/// Observations of a framework's year; by both.
pub const OBSERVATIONS: LockSpace = LockSpace(3325);
/// Official runs of a framework's index year; by both.
pub const RUNS: LockSpace = LockSpace(3326);
/// Seals of the audit trail, key 0.
pub const SEALS: LockSpace = LockSpace(3327);
/// A row that does not exist yet cannot be locked; by its natural key. Look again after it.
pub const NATURAL_KEYS: LockSpace = LockSpace(3328);

/// All of them, in order.
pub const ALL: [LockSpace; 12] = [
    IDEMPOTENCY,
    STAGES,
    CATALOGUE,
    LEVELS,
    MONTHS,
    SOURCES,
    AGENCIES,
    AGENCY_TREE,
    OBSERVATIONS,
    RUNS,
    SEALS,
    NATURAL_KEYS,
];

/// For what comes seldom and takes long: batches, and what waits for them.
pub const FOR_BATCHES: Patience = Patience::Seconds(5);

/// How long a lock is waited for, as an expression of `select`.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// As for the locks of rows: [`super::DbSettings::lock_timeout_ms`].
    AsSet,
    Seconds(u8),
}

impl Patience {
    /// A value of `lock_timeout`; `None`: it stays.
    pub fn timeout(self) -> Option<String> {
        match self {
            Self::AsSet => None,
            Self::Seconds(seconds) => Some(format!("{seconds}s")),
        }
    }
}

impl LockSpace {
    /// The number that PostgreSQL shows in `pg_locks`.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Waits until no other transaction has the key.
    pub async fn lock(self, conn: &mut Conn, key: i32, patience: Patience) -> QueryResult<()> {
        sql("select set_config('lock_timeout', coalesce($3, current_setting('lock_timeout')), true), \
             pg_advisory_xact_lock($1, $2)")
        .bind(self.0)
        .bind(key)
        .bind(patience.timeout())
        .run(conn)
        .await?;
        Ok(())
    }

    /// As [`Self::lock`], together with others who share it.
    pub async fn lock_shared(self, conn: &mut Conn, key: i32) -> QueryResult<()> {
        sql("select pg_advisory_xact_lock_shared($1, $2)").bind(self.0).bind(key).run(conn).await?;
        Ok(())
    }

    /// As [`Self::lock`], by a name.
    pub async fn lock_name(self, conn: &mut Conn, name: String) -> QueryResult<()> {
        sql("select pg_advisory_xact_lock(hashtextextended($1, $2))")
            .bind(name)
            .bind(i64::from(self.0))
            .run(conn)
            .await?;
        Ok(())
    }

    /// Whether the name is the transaction's now; another one may have it.
    pub async fn try_lock_name(self, conn: &mut Conn, name: String) -> QueryResult<bool> {
        sql("select pg_try_advisory_xact_lock(hashtextextended($1, $2)) as value")
            .bind(name)
            .bind(i64::from(self.0))
            .value(conn)
            .await
    }
}
