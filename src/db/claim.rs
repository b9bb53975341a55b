//! Claims of staging tables: by sessions, for rows that are copied in, and by transactions, for rows that the database holds already.

use diesel::QueryResult;
use tokio_postgres::Client;
use tokio_postgres::types::Type as CellType;

use super::locks::{LockSpace, Patience};
use super::{Conn, sql};

/// Tables of one kind, and the locks that claim them: table `n` (from 1) by the key `n`.
#[derive(Debug)]
pub struct Layout {
    pub lock: LockSpace,
    pub relations: &'static [&'static str],
    pub columns: &'static [(&'static str, CellType)],
}

/// Who owns a claimed table: the session that holds its lock, and the server, by its start.
pub(super) struct Claim {
    pub slot: i32,
    pub relation: &'static str,
    pid: i32,
    server: String,
}

impl Claim {
    /// The first table that no session has claimed; it is empty.
    pub async fn try_on(
        client: &Client,
        layout: &'static Layout,
    ) -> Result<Option<Self>, tokio_postgres::Error> {
        // The limit ends the scan at the first lock that is had.
        const CLAIM: &str = "select slot, pg_relation_size((($2::text[])[slot])::regclass) > 0 as used, \
          pg_backend_pid() as pid, pg_postmaster_start_time()::text as server from generate_series(1, cardinality($2::text[])) as slot where pg_try_advisory_lock($1, slot) limit 1";
        let rows = client
            .query_typed(
                CLAIM,
                &[(&layout.lock.number(), CellType::INT4), (&layout.relations, CellType::TEXT_ARRAY)],
            )
            .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (slot, used): (i32, bool) = (row.get(0), row.get(1));
        let index = usize::try_from(slot - 1).unwrap_or_default();
        let Some(relation) = layout.relations.get(index).copied() else { return Ok(None) };
        if used {
            // Left behind by a connection that died.
            client.batch_execute(&format!("truncate {relation}")).await?;
        }
        Ok(Some(Self { slot, relation, pid: row.get(2), server: row.get(3) }))
    }

    /// Whether it still is the session's, and its rows are there, until the transaction of `conn` ends.
    pub async fn holds(&self, conn: &mut Conn, layout: &Layout) -> QueryResult<bool> {
        let Self { slot, relation, pid, server } = self;
        // The table is named, so its lock is taken before anything is compared, and no session can empty it afterwards.
        let holds = format!(
            "select pg_postmaster_start_time()::text = $1 and exists (select 1 from pg_locks where locktype = 'advisory' and granted \
               and pid = $2 and classid::bigint = $3 and objid::bigint = $4) \
               and (select count(*) from (select 1 from {relation} limit 1) locked) >= 0 as value"
        );
        sql(holds)
            .bind(server.clone())
            .bind(*pid)
            .bind(i64::from(layout.lock.number()))
            .bind(i64::from(*slot))
            .value(conn)
            .await
    }
}

/// Claims a table, emptied, for the transaction of `conn` alone, until it ends: for rows that the database holds already.
pub async fn claim_in_transaction(conn: &mut Conn, layout: &'static Layout) -> QueryResult<&'static str> {
    let free: Vec<i32> = sql("select slot as value from generate_series(1, $2) as slot \
         where pg_try_advisory_xact_lock($1, slot) limit 1")
    .bind(layout.lock.number())
    .bind(i32::try_from(layout.relations.len()).unwrap_or_default())
    .values(conn)
    .await?;
    let slot = match free.first() {
        Some(slot) => *slot,
        None => {
            // Waits no longer than any lock is waited for.
            layout.lock.lock(conn, 1, Patience::AsSet).await?;
            1
        }
    };
    let place = usize::try_from(slot - 1).unwrap_or_default();
    layout.relations.get(place).copied().ok_or(diesel::result::Error::NotFound)
}
