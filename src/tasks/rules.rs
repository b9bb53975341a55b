//! How tasks stand: derived from what leads reported, what was confirmed, the deadline and the day. Never typed.

use bigdecimal::BigDecimal;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::agencies::rules::Validity;
use crate::values::Decimal;

/// Percent at which a lead may be confirmed.
pub const COMPLETE: i16 = 100;

/// Status of a task or of one lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    NotStarted,
    InProgress,
    /// Confirmed, and completed by the deadline.
    DoneOnTime,
    /// Confirmed, and completed after the deadline.
    DoneLate,
    Overdue,
    Cancelled,
}

impl TaskStatus {
    pub fn is_done(self) -> bool {
        matches!(self, Self::DoneOnTime | Self::DoneLate)
    }
}

/// A decision of the coordinating department about a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TaskTransitionAction)]
pub enum TransitionAction {
    /// A lead that reported 100% is done.
    Confirm,
    /// Undoes a confirmation or a cancellation.
    Reopen,
    Cancel,
    /// A later deadline.
    Extend,
}

impl TransitionAction {
    pub const ALL: [Self; 4] = [Self::Confirm, Self::Reopen, Self::Cancel, Self::Extend];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Reopen => "reopen",
            Self::Cancel => "cancel",
            Self::Extend => "extend",
        }
    }

    pub fn needs_reason(self) -> bool {
        self != Self::Confirm
    }
}

/// What holds for all leads of a task.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub deadline: NaiveDate,
    pub cancelled: bool,
    /// The business day on which it is asked.
    pub today: NaiveDate,
}

/// What is stored of one lead agency.
#[derive(Clone, Debug)]
pub struct Lead {
    pub agency: String,
    pub validity: Validity,
    pub successors: Vec<String>,
    pub percent: i16,
    /// There is one exactly at 100 percent.
    pub completed_on: Option<NaiveDate>,
    /// Deadline it was confirmed against; `None` when it is not confirmed.
    pub confirmed_deadline: Option<NaiveDate>,
    pub cancelled: bool,
    /// Extension for this lead alone.
    pub due_date: Option<NaiveDate>,
}

impl Lead {
    pub fn is_confirmed(&self) -> bool {
        self.confirmed_deadline.is_some()
    }

    pub fn deadline(&self, terms: &Terms) -> NaiveDate {
        self.confirmed_deadline
            .unwrap_or_else(|| self.due_date.map_or(terms.deadline, |own| own.max(terms.deadline)))
    }

    /// Neither done nor given up.
    pub fn is_open(&self, terms: &Terms) -> bool {
        !terms.cancelled && !self.cancelled && !self.is_confirmed()
    }

    /// Open, and the agency exists by now. One that has ended may still report what it did.
    pub fn may_report(&self, terms: &Terms) -> bool {
        self.is_open(terms) && self.has_begun(terms.today)
    }

    pub fn has_begun(&self, today: NaiveDate) -> bool {
        self.validity.from.is_none_or(|from| from <= today)
    }

    fn has_ended(&self, today: NaiveDate) -> bool {
        self.validity.until.is_some_and(|until| until <= today)
    }
}

/// How one lead stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub status: TaskStatus,
    pub percent: i16,
    pub deadline: NaiveDate,
    pub days_late: i64,
    pub awaiting_confirmation: bool,
    /// Leads that took over.
    pub superseded_by: Vec<String>,
    /// It counts in how the task stands.
    pub counts: bool,
}

/// How the task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overall {
    pub status: TaskStatus,
    /// Mean of the leads that count, half up to two decimals.
    pub percent: Decimal,
    pub days_late: i64,
}

/// How each of the leads stands, in their order.
pub fn standings(terms: &Terms, leads: &[Lead]) -> Vec<Standing> {
    leads.iter().map(|lead| standing(terms, lead, successors_of(terms.today, lead, leads))).collect()
}

/// The leads that have taken over from one that has ended.
fn successors_of(today: NaiveDate, lead: &Lead, leads: &[Lead]) -> Vec<String> {
    if !lead.has_ended(today) {
        return Vec::new();
    }
    let mut found: Vec<String> = leads
        .iter()
        .filter(|other| other.has_begun(today) && lead.successors.contains(&other.agency))
        .map(|other| other.agency.clone())
        .collect();
    found.sort_unstable();
    found
}

fn standing(terms: &Terms, lead: &Lead, superseded_by: Vec<String>) -> Standing {
    let deadline = lead.deadline(terms);
    let superseded = !superseded_by.is_empty();
    // Whoever took over falls behind from then on, not the agency that is no more.
    let day = match lead.validity.until.and_then(|until| until.pred_opt()) {
        Some(last) if superseded => terms.today.min(last),
        _ => terms.today,
    };
    let in_time = lead.completed_on.is_some_and(|day| day <= deadline);
    let begun = lead.has_begun(terms.today);
    let status = if terms.cancelled || lead.cancelled {
        TaskStatus::Cancelled
    } else if lead.is_confirmed() {
        if in_time { TaskStatus::DoneOnTime } else { TaskStatus::DoneLate }
    } else if begun && !in_time && day > deadline {
        TaskStatus::Overdue
    } else if lead.percent > 0 {
        TaskStatus::InProgress
    } else {
        TaskStatus::NotStarted
    };
    let late_on = match status {
        TaskStatus::DoneLate => lead.completed_on,
        TaskStatus::Overdue => Some(day),
        _ => None,
    };
    Standing {
        status,
        percent: lead.percent,
        deadline,
        days_late: late_on.map_or(0, |day| (day - deadline).num_days()),
        awaiting_confirmation: lead.percent == COMPLETE && lead.is_open(terms),
        counts: status.is_done() || (begun && !superseded),
        superseded_by,
    }
}

/// How the task stands, given how its leads stand. Cancelled leads count only when there are no others.
pub fn overall(terms: &Terms, standings: &[Standing]) -> Overall {
    let counted: Vec<&Standing> = standings.iter().filter(|s| s.counts).collect();
    let live: Vec<&Standing> =
        counted.iter().copied().filter(|s| s.status != TaskStatus::Cancelled).collect();
    let any = |status: TaskStatus| live.iter().any(|s| s.status == status);
    let overdue_by = (terms.today - terms.deadline).num_days();
    let status = if terms.cancelled || (live.is_empty() && !counted.is_empty()) {
        TaskStatus::Cancelled
    } else if any(TaskStatus::Overdue) || (counted.is_empty() && overdue_by > 0) {
        TaskStatus::Overdue
    } else if !live.is_empty() && live.iter().all(|s| s.status.is_done()) {
        if any(TaskStatus::DoneLate) { TaskStatus::DoneLate } else { TaskStatus::DoneOnTime }
    } else if live.iter().any(|s| s.status.is_done() || s.status == TaskStatus::InProgress) {
        TaskStatus::InProgress
    } else {
        TaskStatus::NotStarted
    };
    let days_late = match status {
        TaskStatus::Overdue if counted.is_empty() => overdue_by,
        _ => live.iter().map(|s| s.days_late).max().unwrap_or(0),
    };
    Overall { status, percent: mean_percent(if live.is_empty() { &counted } else { &live }), days_late }
}

/// Nothing to take the mean of is 0%: nobody has done anything.
fn mean_percent(standings: &[&Standing]) -> Decimal {
    let count = i64::try_from(standings.len()).unwrap_or(i64::MAX).max(1);
    let sum: i64 = standings.iter().map(|s| i64::from(s.percent)).sum();
    let hundredths = (sum * 200 + count).div_euclid(2 * count);
    Decimal(BigDecimal::new(hundredths.into(), 2))
}

/// What a transition changes: the task itself, or these of its leads (by their place in the list).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Affected {
    Task,
    Leads(Vec<usize>),
}

/// What `action` would change now, for one lead or for the whole task; `None` when it is not allowed in this state.
pub fn affected(
    action: TransitionAction,
    terms: &Terms,
    leads: &[Lead],
    only: Option<usize>,
) -> Option<Affected> {
    let undoable = |lead: &Lead| !terms.cancelled && (lead.cancelled || lead.is_confirmed());
    let takes = |lead: &Lead| match action {
        TransitionAction::Confirm => lead.is_open(terms) && lead.percent == COMPLETE,
        TransitionAction::Reopen => undoable(lead),
        TransitionAction::Cancel | TransitionAction::Extend => lead.is_open(terms),
    };
    if only.is_none() {
        match action {
            TransitionAction::Reopen if terms.cancelled => return Some(Affected::Task),
            TransitionAction::Cancel | TransitionAction::Extend => {
                let open = !terms.cancelled && (leads.is_empty() || leads.iter().any(takes));
                return open.then_some(Affected::Task);
            }
            _ => {}
        }
    }
    let reached: Vec<usize> = leads
        .iter()
        .enumerate()
        .filter(|(place, lead)| only.is_none_or(|only| only == *place) && takes(lead))
        .map(|(place, _)| place)
        .collect();
    (!reached.is_empty()).then_some(Affected::Leads(reached))
}

#[cfg(test)]
mod tests;
