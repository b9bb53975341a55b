//! Making a set the one that counts: the year is locked, the caller's version compared, a revision added when something changed.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::model::{self, Head, SetRow};
use super::rules::{Changes, Set};
use crate::audit::{self, Event};
use crate::auth::Actor;
use crate::db::{Conn, QueryResult};
use crate::http::{Preconditions, Problem};

/// A framework's year, held by the transaction, with what it has now.
pub struct Held {
    pub framework: String,
    pub year: i32,
    last: Option<Head>,
    current: Option<SetRow>,
    pub before: Set,
}

/// What became of a set.
#[derive(Clone, Debug)]
pub struct Stored {
    pub revision: i32,
    pub changes: Changes,
    pub reason: Option<String>,
    pub recorded_at: DateTime<Utc>,
    pub recorded_by: String,
}

impl Held {
    /// Waits for other writers of the year, then compares `If-Match`, where it is given, with the revision.
    pub async fn lock(
        conn: &mut Conn,
        framework: String,
        year: i32,
        conditions: &Preconditions,
    ) -> Result<Self, Problem> {
        let last = model::lock(conn, &framework, year).await?;
        match &last {
            Some(head) => conditions.match_if_given(head.revision)?,
            None => conditions.match_absent()?,
        }
        let current = match &last {
            Some(head) => model::revision(conn, &framework, year, head.revision).await?,
            None => None,
        };
        let before = current.clone().map_or_else(|| Ok(Set::default()), SetRow::set)?;
        Ok(Self { framework, year, last, current, before })
    }

    /// Stores an ordered set; one that is there already stays as it was recorded.
    pub async fn store(
        self,
        conn: &mut Conn,
        set: &Set,
        reason: Option<String>,
        actor: &Actor,
    ) -> Result<Stored, Problem> {
        let changes = Changes::between(&self.before.rows, &set.rows);
        let reason = reason.map(|reason| reason.trim().to_owned());
        let addition = (self.last.as_ref(), set, changes, reason.clone());
        let added = model::append(conn, &self.framework, self.year, addition, actor).await?;
        let Some(revision) = added else { return self.unchanged(changes) };
        self.record(conn, revision, changes, &reason, actor).await?;
        let (recorded_at, recorded_by) = (actor.now, actor.name.clone());
        Ok(Stored { revision, changes, reason, recorded_at, recorded_by })
    }

    fn unchanged(self, changes: Changes) -> Result<Stored, Problem> {
        let SetRow { revision, reason, recorded_at, recorded_by, .. } =
            self.current.ok_or_else(|| Problem::internal("an equal set that is not there"))?;
        Ok(Stored { revision, changes, reason, recorded_at, recorded_by })
    }

    /// The figures themselves are kept as the revision.
    async fn record(
        &self,
        conn: &mut Conn,
        revision: i32,
        changes: Changes,
        reason: &Option<String>,
        actor: &Actor,
    ) -> QueryResult<()> {
        let key = format!("{}/{}", self.framework, self.year);
        let after = json!({"revision": revision, "counts": changes, "reason": reason});
        let event = match &self.last {
            None => Event::create("observations", key, &after),
            Some(head) => Event::update("observations", key, &json!({"revision": head.revision}), &after),
        };
        audit::record(conn, actor, event).await
    }
}
