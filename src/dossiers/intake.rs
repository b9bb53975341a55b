//! Receiving a batch: locks, checks and writes in the order that keeps two deliveries apart.

use super::checker::Checked;
use super::feed_scope::FeedScope;
use super::intake_model::{self, State};
use super::parked;
use super::rules::{self, Frame};
use super::store::{self, CarryOverMismatch, Changes, Revision};
use super::upload::Uploaded;
use crate::audit;
use crate::auth::Actor;
use crate::db::Conn;
use crate::http::{Msg, Preconditions, Problem, ProblemCode};
use crate::values::{Month, vietnamese};

/// A source's month whose rows have come in, and by whom.
#[derive(Debug)]
pub struct Delivery {
    pub source: String,
    pub month: Month,
    pub reason: Option<String>,
    /// Where the reason stands in the request.
    pub reason_at: &'static str,
    pub feed_scope: FeedScope,
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
    /// Rows that wait for their procedure.
    pub parked: i32,
    pub mismatches: Vec<CarryOverMismatch>,
}

impl Delivery {
    /// Replaces the source's month, or says everything that is wrong.
    pub async fn receive(self, conn: &mut Conn, uploaded: &mut Uploaded) -> Result<Outcome, Problem> {
        let (stage, checked) = (uploaded.stage.relation(), &mut uploaded.checked);
        let agencies: Vec<i32> = checked.agencies.keys().map(|id| id.0).collect();
        intake_model::lock(conn, &self.source, self.month, agencies.clone()).await?;
        uploaded.stage.hold(conn).await?;
        let state = intake_model::state(conn, &self.source, self.month, &self.feed_scope).await?;
        self.check_state(&state)?;
        self.check(conn, agencies, checked).await?;
        let parked =
            if checked.parked > 0 { checked.parked - parked::resolve(conn, stage).await? } else { 0 };
        let mismatches = store::mismatches(conn, stage, self.month).await?;
        let parked_changed = match parked > 0 || state.parked.is_some_and(|before| before > 0) {
            true => parked::replace(conn, stage, &self.source, self.month).await?,
            false => false,
        };
        let before = state.revision.unwrap_or_default();
        let revision = Revision {
            source: &self.source,
            month: self.month,
            number: before + 1,
            untouched: state.untouched,
            reason: self.reason.as_deref().map(|reason| reason.trim().to_owned()),
            parked_changed,
        };
        let changes = store::replace(conn, stage, &revision, checked.received, parked, &self.actor).await?;
        if changes.stored {
            let event = store::event(&state, &revision, changes, checked.rows, checked.received, parked);
            audit::record(conn, &self.actor, event).await?;
        }
        let revision = if changes.stored { before + 1 } else { before };
        Ok(Outcome { source: self.source, month: self.month, revision, changes, parked, mismatches })
    }

    /// There is such a source, its month is the one the caller knows, and it may be written: a closed one is locked, and
    /// whoever may correct it says why.
    fn check_state(&self, state: &State) -> Result<(), Problem> {
        if !state.there {
            return Err(Problem::not_found());
        }
        if state.closed && !self.may_correct {
            let (month, month_vi) = (self.month, vietnamese::month(self.month));
            return Err(Problem::with(
                ProblemCode::PeriodLocked,
                msg!(
                    "Tháng {month_vi} đã chốt số liệu; đề nghị liên hệ cơ quan đầu mối để điều chỉnh, kèm lý do.",
                    "Month {month} is closed. Only the coordinating department can correct it, with a reason."
                ),
            ));
        }
        if state.closed && self.reason.is_none() {
            let detail = Msg::fixed(
                "Tháng đã chốt số liệu; phải nêu lý do điều chỉnh.",
                "The month is closed. Give a reason for the correction.",
            );
            return Err(Problem::at(ProblemCode::ReasonRequired, self.reason_at, detail));
        }
        match state.revision {
            Some(revision) => self.conditions.match_if_given(revision),
            None => self.conditions.match_absent(),
        }
    }

    /// What is wrong with month and agencies is known only now, behind the locks; what is wrong with the rows is told with it.
    async fn check(&self, conn: &mut Conn, agencies: Vec<i32>, checked: &mut Checked) -> Result<(), Problem> {
        let reporters =
            intake_model::reporters(conn, &self.source, self.month, agencies, &self.feed_scope).await?;
        let mut named: Vec<_> = reporters
            .into_iter()
            .filter_map(|reporter| Some((*checked.agencies.get(&reporter.id)?, reporter)))
            .collect();
        named.sort_unstable_by_key(|(spot, _)| spot.index);
        let frame = Frame { source: &self.source, month: self.month, today: self.actor.today() };
        let mut faults = rules::check_frame(frame, &named);
        faults.append(std::mem::take(&mut checked.faults));
        faults.into_result()
    }
}
