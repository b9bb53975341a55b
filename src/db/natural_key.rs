//! Creating what is known by its natural key, without two creators at once.

use super::{Conn, QueryResult, sql};

/// Makes requests that create a row with this key wait for each other until the transaction ends. A row that is not there cannot be locked: look again after this.
pub async fn reserve_key(conn: &mut Conn, key: String) -> QueryResult<()> {
    sql("select pg_advisory_xact_lock(hashtextextended($1, 3328)) is null as value")
        .bind(key)
        .value::<bool>(conn)
        .await
        .map(|_| ())
}
