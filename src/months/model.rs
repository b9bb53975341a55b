//! Closed months as stored.

use crate::db::{Conn, QueryResult, sql};
use crate::values::Month;

/// Whether the month's figures are locked.
pub async fn is_closed(conn: &mut Conn, month: Month) -> QueryResult<bool> {
    sql("select exists (select 1 from closed_months where month = $1) as value")
        .bind(month.first_day())
        .value(conn)
        .await
}

/// As [`is_closed`], and it stays so until the transaction ends: what writes into a month asks this way.
pub async fn lock_shared(conn: &mut Conn, month: Month) -> QueryResult<bool> {
    sql("select pg_advisory_xact_lock_shared(3320, $1)").bind(month.number()).run(conn).await?;
    is_closed(conn, month).await
}
