//! Settings of a database that may lose what it has acknowledged.

use diesel::QueryResult;

use super::{Connected, sql};

/// `name=value` of each setting that breaks the promise that a 2xx is on disk.
pub async fn dangers(conn: &mut impl Connected) -> QueryResult<Vec<String>> {
    sql("select name || '=' || setting as value from pg_settings \
         where (name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off') \
           or (name in ('zero_damaged_pages', 'ignore_checksum_failure') and setting = 'on') order by name")
    .values(conn)
    .await
}
