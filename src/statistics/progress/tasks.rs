//! Tasks beside the targets: how many stand how, and which are overdue.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use crate::agencies::rules::Validity;
use crate::auth::AgencyScope;
use crate::tasks::model::progress::TaskLeadRow;
use crate::tasks::rules::{Lead, TaskStatus, Terms, overall, standings};
use crate::tasks::wire::withheld;
use crate::values::Decimal;

/// Tasks by the status of the whole task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TaskCounts {
    #[schema(minimum = 0)]
    pub not_started: u32,
    #[schema(minimum = 0)]
    pub in_progress: u32,
    #[schema(minimum = 0)]
    pub done_on_time: u32,
    #[schema(minimum = 0)]
    pub done_late: u32,
    #[schema(minimum = 0)]
    pub overdue: u32,
    #[schema(minimum = 0)]
    pub cancelled: u32,
    #[schema(minimum = 0)]
    pub total: u32,
}

impl TaskCounts {
    fn count(&mut self, status: TaskStatus) {
        let place = match status {
            TaskStatus::NotStarted => &mut self.not_started,
            TaskStatus::InProgress => &mut self.in_progress,
            TaskStatus::DoneOnTime => &mut self.done_on_time,
            TaskStatus::DoneLate => &mut self.done_late,
            TaskStatus::Overdue => &mut self.overdue,
            TaskStatus::Cancelled => &mut self.cancelled,
        };
        *place += 1;
        self.total += 1;
    }
}

/// A task that is overdue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct OverdueTask {
    #[schema(example = "T16")]
    pub code: String,
    pub title: String,
    /// Codes of the lead agencies and groups, as the plan names them.
    #[schema(example = json!(["SO-CT"]))]
    pub leads: Vec<String>,
    /// Their names, for print.
    #[serde(skip)]
    pub lead_names: Vec<String>,
    /// Codes of the lead agencies that are overdue. Officers see only agencies in their scope.
    pub overdue_leads: Vec<String>,
    pub deadline: NaiveDate,
    /// The most days that a lead is behind its deadline. Null for officers, like `percent`, if fewer than five agencies outside their
    /// scope count.
    #[schema(minimum = 0)]
    pub days_overdue: Option<i64>,
    /// Mean of the leads that count, 0–100, rounded half up to two decimals.
    pub percent: Option<Decimal>,
}

/// Tasks of the year's plans on `on`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProgressTasks)]
pub struct Tasks {
    pub counts: TaskCounts,
    /// Longest overdue first.
    pub overdue: Vec<OverdueTask>,
}

fn lead_of(row: &TaskLeadRow) -> Option<Lead> {
    Some(Lead {
        agency: row.agency.clone()?,
        validity: Validity { from: row.valid_from, until: row.valid_to },
        successors: row.successors.clone(),
        percent: row.percent,
        completed_on: row.completed_on,
        confirmed_deadline: row.confirmed_deadline,
        cancelled: row.lead_cancelled,
        due_date: row.due_date,
    })
}

impl Tasks {
    /// How the tasks stand on the day; rows of one task come together.
    pub fn on(day: NaiveDate, rows: &[TaskLeadRow], scope: &AgencyScope) -> Self {
        let mut tasks = Self::default();
        for rows in rows.chunk_by(|a, b| a.code == b.code) {
            tasks.add(day, rows, scope);
        }
        tasks.overdue.sort_by(|a, b| b.days_overdue.cmp(&a.days_overdue).then_with(|| a.code.cmp(&b.code)));
        tasks
    }

    fn add(&mut self, today: NaiveDate, rows: &[TaskLeadRow], scope: &AgencyScope) {
        let Some(task) = rows.first() else { return };
        let terms = Terms { deadline: task.deadline, cancelled: task.cancelled, today };
        let leads: Vec<Lead> = rows.iter().filter_map(lead_of).collect();
        let standings = standings(&terms, &leads);
        let overall = overall(&terms, &standings);
        self.counts.count(overall.status);
        if overall.status != TaskStatus::Overdue {
            return;
        }
        let seen = |agency: &str| {
            rows.iter().any(|row| {
                row.agency.as_deref() == Some(agency) && row.agency_id.is_some_and(|id| scope.contains(id))
            })
        };
        let foreign = leads.iter().zip(&standings).filter(|(lead, _)| !seen(&lead.agency));
        let is_disclosed = withheld(foreign.map(|(_, standing)| standing)).is_none();
        let overdue_leads = leads
            .iter()
            .zip(&standings)
            .filter(|(lead, standing)| {
                standing.counts && standing.status == TaskStatus::Overdue && seen(&lead.agency)
            })
            .map(|(lead, _)| lead.agency.clone())
            .collect();
        self.overdue.push(OverdueTask {
            code: task.code.clone(),
            title: task.title.clone(),
            leads: task.named.clone(),
            lead_names: task.lead_names.clone(),
            overdue_leads,
            deadline: task.deadline,
            days_overdue: is_disclosed.then_some(overall.days_late),
            percent: is_disclosed.then_some(overall.percent),
        });
    }
}
