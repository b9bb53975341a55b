//! Receiving a batch: locks, checks and writes in the order that keeps two deliveries apart.

use std::collections::BTreeSet;

use serde_json::json;

use super::model::{self, Reach};
use super::raw::{Control, RawRow};
use super::rules::{self, CountRow, Frame, Known};
use super::store::{self, Break, Changes, Revision};
use crate::audit::{self, Event};
use crate::auth::Actor;
use crate::db::Conn;
use crate::http::{Code, Msg, Preconditions, Problem, Violations};
use crate::ids::is_code;
use crate::months;
use crate::values::Month;

/// A source's month as it was delivered, and by whom.
#[derive(Debug)]
pub struct Delivery {
    pub source: String,
    pub month: Month,
    pub control: Control,
    pub rows: Vec<RawRow>,
    pub reason: Option<String>,
    pub reach: Reach,
    /// May correct a closed month, saying why.
    pub may_correct: bool,
    pub actor: Actor,
    pub conditions: Preconditions,
}

/// What became of a delivery.
#[derive(Debug)]
pub struct Outcome {
    pub source: String,
    pub month: Month,
    pub revision: i32,
    pub changes: Changes,
    pub breaks: Vec<Break>,
}

impl Delivery {
    /// Replaces the source's month, or says everything that is wrong.
    pub async fn receive(self, conn: &mut Conn) -> Result<Outcome, Problem> {
        if !model::has_source(conn, &self.source, &self.reach).await? {
            return Err(Problem::not_found());
        }
        self.check_month(conn).await?;
        store::lock_batch(conn, &self.source, self.month).await?;
        let latest = store::latest(conn, &self.source, self.month).await?;
        match &latest {
            Some(latest) => self.conditions.match_if_given(latest.revision)?,
            None => self.conditions.match_absent()?,
        }
        let rows = self.check_rows(conn).await?;
        interim_stage(conn, &rows).await?;
        let breaks = store::breaks(conn, STAGE, self.month).await?;
        let before = latest.as_ref().map_or(0, |latest| latest.revision);
        let revision = Revision {
            source: &self.source,
            month: self.month,
            number: before + 1,
            reason: self.reason.as_deref().map(|reason| reason.trim().to_owned()),
            parked_changed: false,
        };
        let changes = store::replace(
            conn,
            STAGE,
            &revision,
            self.control.received.number().unwrap_or_default(),
            0,
            &self.actor,
        )
        .await?;
        if changes.stored {
            audit::record(conn, &self.actor, self.event(latest, &revision, changes, &rows)).await?;
        }
        let revision = if changes.stored { before + 1 } else { before };
        Ok(Outcome { source: self.source, month: self.month, revision, changes, breaks })
    }

    /// A closed month is locked; whoever may correct it says why.
    async fn check_month(&self, conn: &mut Conn) -> Result<(), Problem> {
        if !months::model::lock_shared(conn, self.month).await? {
            return Ok(());
        }
        if !self.may_correct {
            return Err(Problem::new(Code::PeriodLocked));
        }
        if self.reason.is_none() {
            let detail = Msg::fixed(
                "Tháng đã khóa: cần nêu lý do điều chỉnh.",
                "The month is closed: say why it is corrected.",
            );
            return Err(Problem::at(Code::ReasonRequired, "/reason", detail));
        }
        Ok(())
    }

    async fn check_rows(&self, conn: &mut Conn) -> Result<Vec<CountRow>, Problem> {
        let codes = |of: fn(&RawRow) -> Option<&String>| -> Vec<String> {
            let distinct: BTreeSet<&String> =
                self.rows.iter().filter_map(of).filter(|code| is_code(code)).collect();
            distinct.into_iter().cloned().collect()
        };
        let (agencies, services) = (codes(|row| row.agency.as_ref()), codes(|row| row.service.as_ref()));
        let mut known = store::known(conn, agencies, services, &self.source, &self.reach.scope).await?;
        let ids = known.agencies.values().map(|agency| agency.id.0).collect();
        store::lock_agencies(conn, ids, self.month).await?;
        store::note_other_sources(conn, &mut known, &self.source, self.month).await?;
        // Hundreds of thousands of rows take a while: other work of this thread moves to another one.
        tokio::task::block_in_place(|| self.check(&known)).map_err(|faults| match faults.into_result() {
            Err(problem) => problem,
            Ok(()) => Problem::internal("a batch was refused without a fault"),
        })
    }

    fn check(&self, known: &Known) -> Result<Vec<CountRow>, Violations> {
        let frame = Frame { source: &self.source, month: self.month, today: self.actor.today() };
        rules::check(&self.control, &self.rows, known, frame)
    }

    /// One event per revision; the rows themselves are in the counts and their history.
    fn event(
        &self,
        latest: Option<store::Latest>,
        revision: &Revision<'_>,
        changes: Changes,
        rows: &[CountRow],
    ) -> Event {
        let key = format!("{}/{}", self.source, self.month);
        let after = json!({
            "revision": revision.number,
            "rows": rows.len(),
            "received": self.control.received.number(),
            "counts": changes,
            "reason": revision.reason,
        });
        match latest {
            None => Event::create("dossier_batch", key, &after),
            Some(old) => {
                let before = json!({"revision": old.revision, "rows": old.rows, "received": old.received});
                Event::update("dossier_batch", key, &before, &after)
            }
        }
    }
}

const STAGE: &str = "dossier_stage_1";
async fn interim_stage(conn: &mut Conn, rows: &[CountRow]) -> Result<(), Problem> {
    use crate::db::sql;
    sql("select pg_advisory_xact_lock(3323, 1)").run(conn).await?;
    sql("delete from dossier_stage_1").run(conn).await?;
    let mut statement = sql("insert into dossier_stage_1 (place, agency_id, service_id, channel, received, resolved_early, resolved_on_time, resolved_late, withdrawn, carried_in, in_progress_on_time, in_progress_overdue) \
        select place - 1, a, s, c, c1, c2, c3, c4, c5, c6, c7, c8 from unnest($1::int[], $2::int[], $3::smallint[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[], \
    $9::int[], $10::int[], $11::int[]) with ordinality as i (a,s,c,c1,c2,c3,c4,c5,c6,c7,c8,place)")
        .bind(rows.iter().map(|row| row.agency.0).collect::<Vec<i32>>())
        .bind(rows.iter().map(|row| row.service.0).collect::<Vec<i32>>())
        .bind(rows.iter().map(|row| row.channel.number()).collect::<Vec<i16>>());
    for at in 0..8 {
        let column: Vec<i32> = rows.iter().filter_map(|row| row.counts.get(at).copied()).collect();
        statement = statement.bind(column);
    }
    statement.run(conn).await?;
    Ok(())
}
