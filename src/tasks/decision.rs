//! Whether a decision about a task is allowed, and what it changes.

use chrono::NaiveDate;
use uuid::Uuid;

use super::model::TaskRow;
use super::model::progress::{self, LeadChange, LeadRow, TaskChange, TransitionRow};
use super::rules::{self, Affected, Lead, TransitionAction};
use super::transitions::NewTaskTransition;
use super::updates::not_a_lead;
use super::wire::{overdue, terms};
use crate::auth::Actor;
use crate::db::Conn;
use crate::http::{Msg, Problem, ProblemCode};
use crate::ids::AgencyId;
use crate::values::vietnamese;

/// A decision that is allowed, with what it changes.
pub(super) struct Decision {
    action: TransitionAction,
    pub(super) row: TransitionRow,
    agency: Option<AgencyId>,
    affected: Affected,
}

impl Decision {
    pub(super) fn of(
        new: &NewTaskTransition,
        task: &TaskRow,
        rows: &[LeadRow],
        actor: &Actor,
    ) -> Result<Self, Problem> {
        let terms = terms(task, actor.today());
        let leads: Vec<Lead> = rows.iter().map(Lead::from).collect();
        let only = match &new.agency {
            None => None,
            Some(agency) => {
                let place = rows.iter().position(|row| row.agency == *agency);
                Some(place.ok_or_else(|| not_a_lead(agency))?)
            }
        };
        let affected =
            rules::affected(new.action, &terms, &leads, only).ok_or_else(|| not_allowed(new.action))?;
        let present =
            only.and_then(|place| leads.get(place)).map_or(terms.deadline, |lead| lead.deadline(&terms));
        if new.due_date.is_some_and(|day| day <= present) {
            let present_vi = vietnamese::day(present);
            let detail = msg!(
                "Thời hạn mới phải sau thời hạn hiện tại ({present_vi}).",
                "The new deadline must be after the current one ({present})."
            );
            return Err(Problem::at(ProblemCode::InvalidRange, "/due_date", detail));
        }
        let row = TransitionRow {
            id: Uuid::now_v7(),
            agency: new.agency.clone(),
            action: new.action.as_str().to_owned(),
            reason: new.reason(),
            due_date: new.due_date,
            actor: actor.name.clone(),
            at: actor.now,
        };
        let agency = only.and_then(|place| rows.get(place)).map(|row| row.agency_id);
        Ok(Self { action: new.action, row, agency, affected })
    }

    /// Answers the task as it is now.
    pub(super) async fn store(
        &self,
        conn: &mut Conn,
        task: &TaskRow,
        leads: &[LeadRow],
        actor: &Actor,
    ) -> Result<TaskRow, Problem> {
        let change = match &self.affected {
            Affected::Task => self.of_task(),
            Affected::Leads(places) => {
                self.change_leads(conn, task, leads, places, actor).await?;
                TaskChange::default()
            }
        };
        progress::decide(conn, &task.code, self.agency, &self.row, change).await?;
        let now = TaskRow {
            version: task.version + 1,
            due_date: change.due_date.or(task.due_date),
            deadline: change.due_date.unwrap_or(task.deadline),
            cancelled_at: match change.cancelled {
                Some(cancelled) => cancelled.then_some(actor.now),
                None => task.cancelled_at,
            },
            ..task.clone()
        };
        keep_overdue(conn, task, &now, leads, actor).await?;
        Ok(now)
    }

    fn of_task(&self) -> TaskChange {
        match self.action {
            TransitionAction::Cancel => TaskChange { cancelled: Some(true), due_date: None },
            TransitionAction::Reopen => TaskChange { cancelled: Some(false), due_date: None },
            TransitionAction::Extend => TaskChange { cancelled: None, due_date: self.row.due_date },
            TransitionAction::Confirm => TaskChange::default(),
        }
    }

    async fn change_leads(
        &self,
        conn: &mut Conn,
        task: &TaskRow,
        leads: &[LeadRow],
        places: &[usize],
        actor: &Actor,
    ) -> Result<(), Problem> {
        let terms = terms(task, actor.today());
        let reached: Vec<&LeadRow> = places.iter().filter_map(|place| leads.get(*place)).collect();
        let ids: Vec<AgencyId> = reached.iter().map(|lead| lead.agency_id).collect();
        let change = match (self.action, self.row.due_date) {
            (TransitionAction::Confirm, _) => {
                LeadChange::Confirm(reached.iter().map(|row| Lead::from(*row).deadline(&terms)).collect())
            }
            (TransitionAction::Reopen, _) => LeadChange::Reopen,
            (TransitionAction::Cancel, _) => LeadChange::Cancel,
            (TransitionAction::Extend, Some(day)) => {
                let late = |(agency, _): &(AgencyId, NaiveDate)| ids.contains(agency);
                LeadChange::Extend { due_date: day, overdue: overdue(&terms, leads).iter().any(late) }
            }
            (TransitionAction::Extend, None) => return Err(Problem::internal("an extension without a date")),
        };
        Ok(progress::change_leads(conn, &task.code, &ids, change, actor).await?)
    }
}

fn not_allowed(action: TransitionAction) -> Problem {
    let detail = match action {
        TransitionAction::Confirm => Msg::fixed(
            "Chỉ xác nhận hoàn thành khi cơ quan chủ trì đã báo cáo đạt 100% và nhiệm vụ chưa được xác nhận, chưa hủy.",
            "A lead can be confirmed only after it reports 100%, and only if it is not already confirmed or cancelled.",
        ),
        TransitionAction::Reopen => Msg::fixed(
            "Chỉ mở lại nhiệm vụ đã được xác nhận hoàn thành hoặc đã hủy.",
            "Only confirmed or cancelled tasks or leads can be reopened.",
        ),
        TransitionAction::Cancel | TransitionAction::Extend => Msg::fixed(
            "Nhiệm vụ (hoặc phần việc của cơ quan chủ trì) đã được xác nhận hoàn thành hoặc đã hủy nên không hủy, không gia hạn được; đề nghị mở lại trước.",
            "Already confirmed or cancelled. Reopen it first.",
        ),
    };
    Problem::with(ProblemCode::TransitionNotAllowed, detail)
}

/// A deadline that is moved does not undo that leads missed it.
pub(super) async fn keep_overdue(
    conn: &mut Conn,
    before: &TaskRow,
    after: &TaskRow,
    leads: &[LeadRow],
    actor: &Actor,
) -> Result<(), Problem> {
    if after.deadline <= before.deadline {
        return Ok(());
    }
    let late: Vec<AgencyId> = overdue(&terms(before, actor.today()), leads)
        .into_iter()
        .filter(|(_, deadline)| *deadline < after.deadline)
        .map(|(agency, _)| agency)
        .collect();
    if !late.is_empty() {
        progress::change_leads(conn, &before.code, &late, LeadChange::MarkOverdue, actor).await?;
    }
    Ok(())
}
