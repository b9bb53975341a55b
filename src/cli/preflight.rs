//! Why `serve` does not start, or does not go on: everything that is wrong, at once.

use crate::config::{Config, Environment, database_url};
use crate::db::durability::{Inspection, Schema};
use crate::db::{Db, DbError, DbSettings};

/// What the database was found to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Preflight {
    Ready,
    Rejected(Refusal),
    /// It may come up after the service: `/readyz` says 503 until it does.
    Unreachable(String),
}

/// What is wrong, with what to do about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// What no migration changes.
    pub lasting: Vec<String>,
    /// What `ict-index migrate` may be about to change.
    pub unmigrated: Vec<String>,
}

impl Refusal {
    pub fn all(self) -> Vec<String> {
        self.unmigrated.into_iter().chain(self.lasting).collect()
    }
}

/// The configuration, or all that is wrong with it and with the database that it names.
pub async fn load(env: &Environment) -> Result<Config, Vec<String>> {
    let mut faults = match Config::load(env) {
        Ok(config) => return Ok(config),
        Err(faults) => faults,
    };
    if let Ok(url) = database_url(env)
        && let Ok(db) = Db::new(&DbSettings::new(url))
        && let Preflight::Rejected(others) = examine(&db, Config::allows_unsafe_database(env)).await
    {
        faults.extend(others.all());
    }
    Err(faults)
}

const WITHOUT_RIGHTS: &str = "the database user lacks the required privileges: run `select grant_service_roles()` as the owner \
    of the tables, and connect as a member of ict_index_app";
const EMPTY: &str =
    "the database is empty: run `ict-index migrate` as its owner, and connect as a member of ict_index_app";

/// Whether this binary may serve from the database.
pub async fn examine(db: &Db, unsafe_allowed: bool) -> Preflight {
    verdict(db.inspect().await, unsafe_allowed)
}

/// Only a database that does not answer is waited for: what cannot be inspected is not served from.
fn verdict(found: Result<Inspection, DbError>, unsafe_allowed: bool) -> Preflight {
    let fault = match found {
        Ok(found) => return judge(found, unsafe_allowed),
        Err(DbError::Unavailable(cause)) => return Preflight::Unreachable(cause),
        Err(DbError::Internal(cause)) => cause,
        Err(fault) => format!("{fault:?}"),
    };
    let lasting = vec![format!("the database cannot be inspected: {fault}")];
    Preflight::Rejected(Refusal { lasting, ..Refusal::default() })
}

fn judge(found: Inspection, unsafe_allowed: bool) -> Preflight {
    let mut refusal = Refusal::default();
    match found.schema {
        Schema::Ready => {}
        Schema::Empty => refusal.unmigrated.push(EMPTY.into()),
        // A schema this binary does not know would give wrong answers: better none.
        Schema::Pending(pending) => refusal
            .unmigrated
            .push(format!("migrations are pending ({}): run `ict-index migrate`", pending.join(", "))),
        Schema::WithoutRights => refusal.lasting.push(WITHOUT_RIGHTS.into()),
        Schema::NotSetUp(why) => refusal.lasting.push(format!(
            "cannot open a connection with the required settings ({why}): connect as a member of ict_index_app, as a role without \
             superuser, BYPASSRLS and tables of its own; correct settings that only a superuser can change with `alter role … set …`"
        )),
        Schema::Unguarded(relations) => refusal.lasting.push(format!(
            "row-level security can be bypassed through {}: run `select grant_service_roles()` as the owner of the tables",
            relations.join(", ")
        )),
    }
    refusal.lasting.extend(found.meanings.iter().map(|setting| {
        format!(
            "unsupported database setting {setting}: it changes the meaning of statements; reset it for the server, the database and the user"
        )
    }));
    if !unsafe_allowed {
        refusal.lasting.extend(found.unsafe_settings.iter().map(|setting| {
            format!(
                "unsafe database setting {setting}: acknowledged writes may be lost or corrupted; change it, \
                 or set DATABASE_UNSAFE=allow for a test database"
            )
        }));
    }
    if refusal == Refusal::default() { Preflight::Ready } else { Preflight::Rejected(refusal) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_database_that_does_not_answer_is_waited_for() {
        let silent = verdict(Err(DbError::Unavailable("connection refused".into())), true);
        assert_eq!(silent, Preflight::Unreachable("connection refused".into()));
        for fault in [
            DbError::Internal("42501: permission denied".into()),
            DbError::BadValue("22021".into()),
            DbError::NotFound,
        ] {
            match verdict(Err(fault), true) {
                Preflight::Rejected(refusal) => assert_eq!(refusal.lasting.len(), 1),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn only_what_migrations_change_is_waited_for() {
        let refusal = |schema| match judge(Inspection { schema, ..Inspection::default() }, false) {
            Preflight::Rejected(refusal) => refusal,
            other => panic!("{other:?}"),
        };
        for schema in [Schema::Empty, Schema::Pending(vec!["1".into()])] {
            assert!(refusal(schema).lasting.is_empty());
        }
        for schema in [
            Schema::WithoutRights,
            Schema::NotSetUp("permission denied".into()),
            Schema::Unguarded(vec!["v".into()]),
        ] {
            let refusal = refusal(schema);
            assert_eq!((refusal.lasting.len(), refusal.unmigrated.len()), (1, 0));
        }
        let ready = |unsafe_allowed| {
            let (dangers, meanings) =
                (vec!["fsync=off".into()], vec!["standard_conforming_strings=off".into()]);
            match judge(
                Inspection { unsafe_settings: dangers, meanings, schema: Schema::Ready },
                unsafe_allowed,
            ) {
                Preflight::Rejected(refusal) => refusal.all(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(ready(false).len(), 2);
        assert_eq!(ready(true).len(), 1, "what statements mean is never left to a setting");
    }
}
