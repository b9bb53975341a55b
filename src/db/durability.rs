//! What a database and a login must be before the service may serve from them.

use std::time::Duration;

use diesel::QueryResult;
use diesel_async::AsyncPgConnection;

use super::leader::Target;
use super::settings::RLS_HOLDS;
use super::settings::Setup;
use super::{APPLICATION, Connected, DbError, connect, migrations, sql};

const CONNECTING: Duration = Duration::from_secs(2);

/// `name=value` of each setting that breaks the promise that a 2xx is on disk.
pub async fn unsafe_settings(conn: &mut impl Connected) -> QueryResult<Vec<String>> {
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

/// As `RLS_HOLDS`.
pub async fn is_walled(conn: &mut impl Connected) -> QueryResult<bool> {
    sql(RLS_HOLDS).value(conn).await
}

/// Relations that the application may read although no row-level security can hold on them: a partition (only its parent's policies
/// are checked), and a view with its owner's rights that is not listed in `table_privileges`.
pub async fn unguarded(conn: &mut impl Connected) -> QueryResult<Vec<String>> {
    sql("select c.relname::text as value from pg_catalog.pg_class c \
         where c.relnamespace = to_regnamespace('public') and has_table_privilege($1, c.oid, 'select') \
           and (c.relispartition or (c.relkind in ('v', 'm', 'f') \
             and not coalesce((select option_value::boolean from pg_options_to_table(c.reloptions) where option_name = 'security_invoker'), false) \
             and not exists (select 1 from table_privileges p where p.relation = c.relname))) \
         order by 1")
    .bind(APPLICATION)
    .values(conn)
    .await
}

/// What one look at the database found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// `name=value` of settings that may lose what was acknowledged.
    pub unsafe_settings: Vec<String>,
    /// `name=value` of settings of the server, database or role that change what a statement means.
    pub meanings: Vec<String>,
    pub schema: Schema,
}

/// How far the schema and the rights in it are.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Schema {
    /// Nothing has been migrated, or nothing that makes the roles: what `migrate` still changes.
    #[default]
    Empty,
    Pending(Vec<String>),
    /// Why no connection can be set up, in the server's words.
    NotSetUp(String),
    /// The application may not write.
    WithoutRights,
    /// Row-level security does not hold on these.
    Unguarded(Vec<String>),
    Ready,
}

/// Looks by a connection of its own: first as the server made it, then set up as all others are.
pub(super) async fn inspect(target: &Target, setup: &Setup) -> Result<Inspection, DbError> {
    let opened = connect::open_bare(target, CONNECTING, None, |_| ()).await?;
    let meanings = opened
        .client
        .simple_query(
            "select concat_ws('=', name, pg_catalog.current_setting(name)) from (values \
             ('standard_conforming_strings', 'on'), ('session_replication_role', 'origin')) as expected(name, value) \
             where pg_catalog.current_setting(name) <> value",
        )
        .await?;
    let meanings = meanings
        .iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
        .collect();
    let set_up = setup.apply(&opened.client).await;
    let mut conn = AsyncPgConnection::try_from(opened.client)
        .await
        .map_err(|error| DbError::Unavailable(error.to_string()))?;
    let schema = match set_up {
        _ if !has_roles(&mut conn).await? => Schema::Empty,
        Err(DbError::Unavailable(why)) => Schema::NotSetUp(why),
        Err(fault) => return Err(fault),
        Ok(()) => schema(&mut conn).await?,
    };
    Ok(Inspection { unsafe_settings: unsafe_settings(&mut conn).await?, meanings, schema })
}

/// Whether the migration that makes the application's role was applied. Any login may read this.
async fn has_roles(conn: &mut impl Connected) -> QueryResult<bool> {
    sql("select exists (select 1 from pg_catalog.pg_proc where proname = 'grant_service_roles' \
         and pronamespace = pg_catalog.to_regnamespace('public')) as value")
    .value(conn)
    .await
}

async fn schema(conn: &mut impl Connected) -> QueryResult<Schema> {
    let may_read = "select coalesce(has_table_privilege(to_regclass('public.__diesel_schema_migrations'), 'select'), false) as value";
    if !sql(may_read).value::<bool>(conn).await? {
        return Ok(Schema::WithoutRights);
    }
    let pending = migrations::pending(conn).await?;
    if !pending.is_empty() {
        return Ok(Schema::Pending(pending));
    }
    if !may_write(conn).await? {
        return Ok(Schema::WithoutRights);
    }
    let unguarded = unguarded(conn).await?;
    Ok(if unguarded.is_empty() { Schema::Ready } else { Schema::Unguarded(unguarded) })
}
