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

/// Whether this connection may do what the service does.
pub async fn may_write(conn: &mut impl Connected) -> QueryResult<bool> {
    sql("select coalesce(has_table_privilege(to_regclass('audit_events'), 'insert'), false) as value")
        .value(conn)
        .await
}

/// Whether row-level security holds for this connection: its role neither stands above it nor owns the tables.
pub async fn is_walled(conn: &mut impl Connected) -> QueryResult<bool> {
    sql("select not rolsuper and not rolbypassrls and not exists (select 1 from pg_class c \
           where c.relnamespace = 'public'::regnamespace and c.relrowsecurity and pg_has_role(c.relowner, 'usage')) as value \
         from pg_roles where rolname = current_user")
    .value(conn)
    .await
}
