//! Claims of staging tables by transactions, for rows that the database holds already.

use diesel::QueryResult;

use super::copy::Layout;
use super::{Conn, sql};

/// Claims a table, emptied, for the transaction of `conn` alone, until it ends: for rows that the database holds already.
pub async fn claim_in_transaction(conn: &mut Conn, layout: &'static Layout) -> QueryResult<&'static str> {
    let free: Vec<i32> = sql("select slot as value from generate_series(1, $2) as slot \
         where pg_try_advisory_xact_lock($1, slot) limit 1")
    .bind(layout.lock)
    .bind(i32::try_from(layout.relations.len()).unwrap_or_default())
    .values(conn)
    .await?;
    let slot = match free.first() {
        Some(slot) => *slot,
        None => {
            // Waits no longer than any lock is waited for.
            sql("select pg_advisory_xact_lock($1, 1)").bind(layout.lock).run(conn).await?;
            1
        }
    };
    let place = usize::try_from(slot - 1).unwrap_or_default();
    layout.relations.get(place).copied().ok_or(diesel::result::Error::NotFound)
}
