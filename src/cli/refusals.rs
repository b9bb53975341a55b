//! Why `serve` does not start: everything that is wrong, at once.

use crate::config::{Config, Environment, database_url};
use crate::db::{Conn, Db, DbSettings, migrations, safety};
use crate::http::Problem;

/// What the database was found to be.
pub enum Verdict {
    Fit,
    /// Each fault, with what to do about it.
    Refused(Vec<String>),
    /// It may come up after the service: `/readyz` says 503 until it does.
    Silent(String),
}

/// The configuration, or all that is wrong with it and with the database that it names.
pub async fn load(env: &Environment) -> Result<Config, Vec<String>> {
    let mut faults = match Config::load(env) {
        Ok(config) => return Ok(config),
        Err(faults) => faults,
    };
    if let Ok(url) = database_url(env)
        && let Ok(db) = Db::new(&DbSettings::new(url))
        && let Verdict::Refused(others) = examine(&db, Config::allows_unsafe_database(env)).await
    {
        faults.extend(others);
    }
    Err(faults)
}

const PAST_THE_WALL: &str = "the database's user sees past row-level security: run `select grant_service_roles()` as the \
    owner of the tables, and connect as a member of ict_index_app";

const WITHOUT_RIGHTS: &str =
    "the database's user may not do what the service does: connect as a member of ict_index_app";
const EMPTY: &str = "the database is empty, or its user may not read it: run `ict-index migrate` as its owner, and connect as a \
    member of ict_index_app";

/// Whether this binary may serve from the database.
pub async fn examine(db: &Db, unsafe_allowed: bool) -> Verdict {
    let found = db
        .read(async |conn: &mut Conn| {
            let (dangers, walled) = (safety::dangers(conn).await?, safety::is_walled(conn).await?);
            let may_write = safety::may_write(conn).await?;
            Ok::<_, Problem>((dangers, walled, may_write, migrations::pending(conn).await))
        })
        .await;
    let (dangers, walled, may_write, pending) = match found {
        Ok(found) => found,
        Err(problem) => return Verdict::Silent(problem.internal_cause().unwrap_or("no answer").to_owned()),
    };
    let mut faults = Vec::new();
    match pending {
        Ok(pending) if pending.is_empty() => {
            faults.extend((!may_write).then(|| WITHOUT_RIGHTS.to_owned()));
            faults.extend((!walled).then(|| PAST_THE_WALL.to_owned()));
        }
        // A schema this binary does not know would give wrong answers: better none.
        Ok(pending) => {
            faults.push(format!("migrations are pending ({}): run `ict-index migrate`", pending.join(", ")));
        }
        Err(error) if error.to_string().contains("__diesel_schema_migrations") => {
            faults.push(EMPTY.into());
        }
        Err(error) => return Verdict::Silent(error.to_string()),
    }
    if !unsafe_allowed {
        faults.extend(dangers.iter().map(|setting| {
            format!(
                "the database runs with {setting}: what it acknowledges may be lost or wrong; change that, \
                 or set DATABASE_UNSAFE=allow where nothing will be missed"
            )
        }));
    }
    if faults.is_empty() { Verdict::Fit } else { Verdict::Refused(faults) }
}
