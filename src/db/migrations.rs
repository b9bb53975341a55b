//! The schema's history, embedded in the binary.

use std::time::Duration;

use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::leader::Target;
use super::settings::Setup;
use super::{Connected, DbError, connect, sql};

/// Every migration, oldest first.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// Whoever migrates has time.
const CONNECTING: Duration = Duration::from_secs(10);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Applies what is pending; answers the versions applied.
pub async fn migrate(url: &str) -> Result<Vec<String>, BoxError> {
    with_harness(url, |harness| {
        let applied = harness.run_pending_migrations(MIGRATIONS)?;
        Ok(applied.iter().map(ToString::to_string).collect())
    })
    .await
}

/// Reverts every migration, newest first: what the tests use to prove that each can be taken back.
pub async fn revert_all(url: &str) -> Result<(), BoxError> {
    with_harness(url, |harness| harness.revert_all_migrations(MIGRATIONS).map(|_| ())).await
}

async fn with_harness<T: Send + 'static>(
    url: &str,
    work: impl FnOnce(&mut AsyncMigrationHarness<AsyncPgConnection>) -> Result<T, BoxError> + Send + 'static,
) -> Result<T, BoxError> {
    let opened = connect::open(&Target::new(url), &Setup::owner(), CONNECTING, None, |_| ()).await.map_err(
        |fault| match fault {
            DbError::Unavailable(why) => why,
            other => format!("{other:?}"),
        },
    )?;
    let conn = AsyncPgConnection::try_from(opened.client).await?;
    let mut harness = AsyncMigrationHarness::new(conn);
    tokio::task::spawn_blocking(move || work(&mut harness)).await?
}

/// Versions this binary knows and the database has not applied.
pub async fn pending(conn: &mut impl Connected) -> diesel::QueryResult<Vec<String>> {
    let applied: Vec<String> =
        sql("select version as value from __diesel_schema_migrations").values(conn).await?;
    Ok(known().into_iter().filter(|version| !applied.contains(version)).collect())
}

fn known() -> Vec<String> {
    MigrationSource::<Pg>::migrations(&MIGRATIONS)
        .map(|all| all.iter().map(|m| m.name().version().to_string()).collect())
        .unwrap_or_default()
}
