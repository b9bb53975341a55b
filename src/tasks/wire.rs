//! A task on the wire, as it stands on the day and as its reader may see it.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::model::progress::LeadRow;
use super::model::{PartyRole, PartyRow, PartyType, TaskRow};
use super::quarter::Quarter;
use super::rules::{self, Lead, Standing, TaskStatus, Terms, TransitionAction};
use crate::agencies::rules::Validity;
use crate::auth::{Access, AgencyScope, Permission};
use crate::http::{EntityTag, Problem};
use crate::ids::AgencyId;
use crate::values::{Decimal, WithheldReason, is_too_few};

/// Whose view of a task it is, and when.
#[derive(Clone, Debug)]
pub struct Viewer {
    scope: AgencyScope,
    today: NaiveDate,
    reports: bool,
    reviews: bool,
}

impl Viewer {
    pub fn of<P>(access: &Access<P>) -> Self {
        Self {
            scope: access.scope(),
            today: access.today(),
            reports: access.may(Permission::ReportTasks),
            reviews: access.may(Permission::ReviewTasks),
        }
    }
}

/// A task of a plan.
#[derive(Debug, Serialize, ToSchema)]
pub struct Task {
    #[schema(example = "T16")]
    pub code: String,
    /// Code of its plan.
    #[schema(example = "KH-332-2017")]
    pub plan: String,
    /// Section of the plan's annex.
    #[schema(example = "III.1")]
    pub section: String,
    pub title: String,
    /// Lead agencies and groups (chủ trì), as the plan names them. `progress` lists the agencies.
    pub leads: Vec<Party>,
    /// Coordinating agencies and groups (phối hợp), as the plan names them.
    pub coordinators: Vec<Party>,
    /// Codes of the indicators it improves.
    #[schema(example = json!(["UD.CQ.03"]))]
    pub indicators: Vec<String>,
    pub from_quarter: Option<Quarter>,
    pub to_quarter: Option<Quarter>,
    /// Due date; null if the quarters apply.
    pub due_date: Option<NaiveDate>,
    /// Start: the first day of `from_quarter`, else of the plan's year.
    pub starts_on: NaiveDate,
    /// Deadline: `due_date`, else the last day of `to_quarter`.
    pub deadline: NaiveDate,
    /// Source of the statement, such as a section of the plan.
    pub source: Option<String>,
    /// Status today (Asia/Ho_Chi_Minh), derived from all leads that count.
    pub status: TaskStatus,
    /// Mean of the leads that count, 0–100, rounded half up to two decimals. Null if withheld.
    #[schema(example = 33.33)]
    pub percent: Option<Decimal>,
    /// The most days that a lead is, or was at completion, behind its deadline. Null if withheld.
    pub days_late: Option<i64>,
    /// Why `percent` and `days_late` are withheld: fewer than five agencies outside your scope are among the leads that count. Null
    /// if they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub withheld: Option<WithheldReason>,
    /// One item per lead agency, including those that never reported. Officers see only agencies in their scope.
    pub progress: Vec<Progress>,
    /// Actions that you can take now.
    pub allowed_actions: Vec<TaskAction>,
    pub version: i32,
}

/// A lead or coordinator, as the plan names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TaskParty)]
pub struct Party {
    pub r#type: PartyType,
    /// Code of the agency or group.
    #[schema(example = "CQNN")]
    pub code: String,
    pub name: String,
}

impl From<&PartyRow> for Party {
    fn from(row: &PartyRow) -> Self {
        Self { r#type: row.r#type, code: row.code.clone(), name: row.name.clone() }
    }
}

/// The progress of one lead agency.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TaskProgress)]
pub struct Progress {
    /// Code of the lead agency.
    #[schema(example = "SO-YT")]
    pub agency: String,
    #[schema(example = "Sở Y tế")]
    pub name: String,
    pub status: TaskStatus,
    /// Percent complete as last reported; 0 if never reported.
    #[schema(minimum = 0, maximum = 100)]
    pub percent: i16,
    /// Day of completion; null unless `percent` is 100.
    pub completed_on: Option<NaiveDate>,
    pub reported_at: Option<DateTime<Utc>>,
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Deadline of this lead, including extensions.
    pub deadline: NaiveDate,
    /// Days behind the deadline: until today while overdue, until completion if done late, else 0.
    pub days_late: i64,
    /// True if it was overdue when its deadline was extended.
    pub was_overdue: bool,
    /// True if the lead reported 100% and the coordinating department has not confirmed yet.
    pub awaiting_confirmation: bool,
    /// Codes of the leads that succeeded this agency; empty if none.
    pub superseded_by: Vec<String>,
    /// Whether it counts in the task's `status`, `percent` and `days_late`. It does not before the agency is active and, unless done,
    /// once the agency is succeeded.
    pub counts: bool,
}

/// An action on a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskAction {
    /// Report progress for a lead in the caller's scope.
    Update,
    Confirm,
    Reopen,
    Cancel,
    Extend,
}

impl From<TransitionAction> for TaskAction {
    fn from(action: TransitionAction) -> Self {
        match action {
            TransitionAction::Confirm => Self::Confirm,
            TransitionAction::Reopen => Self::Reopen,
            TransitionAction::Cancel => Self::Cancel,
            TransitionAction::Extend => Self::Extend,
        }
    }
}

/// What holds for all leads of the task on a day.
pub fn terms(row: &TaskRow, today: NaiveDate) -> Terms {
    Terms { deadline: row.deadline, cancelled: row.cancelled_at.is_some(), today }
}

impl From<&LeadRow> for Lead {
    fn from(row: &LeadRow) -> Self {
        Self {
            agency: row.agency.clone(),
            validity: Validity { from: row.valid_from, until: row.valid_to },
            successors: row.successors.clone(),
            percent: row.percent,
            completed_on: row.completed_on,
            confirmed_deadline: row.confirmed_deadline,
            cancelled: row.cancelled,
            due_date: row.due_date,
        }
    }
}

/// Ids of the leads that are overdue, each with its deadline.
pub fn overdue(terms: &Terms, rows: &[LeadRow]) -> Vec<(AgencyId, NaiveDate)> {
    let leads: Vec<Lead> = rows.iter().map(Lead::from).collect();
    rows.iter()
        .zip(rules::standings(terms, &leads))
        .filter(|(_, standing)| standing.status == TaskStatus::Overdue)
        .map(|(row, standing)| (row.agency_id, standing.deadline))
        .collect()
}

impl Task {
    pub fn new(row: TaskRow, lead_rows: Vec<LeadRow>, viewer: &Viewer) -> Self {
        let terms = terms(&row, viewer.today);
        let leads: Vec<Lead> = lead_rows.iter().map(Lead::from).collect();
        let standings = rules::standings(&terms, &leads);
        let overall = rules::overall(&terms, &standings);
        let foreign =
            lead_rows.iter().zip(&standings).filter(|(lead, _)| !viewer.scope.contains(lead.agency_id));
        let withheld = withheld(foreign.map(|(_, standing)| standing));
        let allowed_actions = allowed(&terms, &lead_rows, &leads, viewer);
        let party = |role: PartyRole| {
            row.parties.0.iter().filter(|party| party.role == role).map(Party::from).collect()
        };
        Self {
            leads: party(PartyRole::Lead),
            coordinators: party(PartyRole::Coordinator),
            code: row.code,
            plan: row.plan_code,
            section: row.section,
            title: row.title,
            indicators: row.indicators,
            from_quarter: row.range_from.map(Quarter::of),
            to_quarter: row.range_to.map(Quarter::of),
            due_date: row.due_date,
            starts_on: row.starts_on,
            deadline: row.deadline,
            source: row.source,
            status: overall.status,
            percent: withheld.is_none().then_some(overall.percent),
            days_late: withheld.is_none().then_some(overall.days_late),
            withheld,
            progress: lead_rows
                .into_iter()
                .zip(standings)
                .filter(|(lead, _)| viewer.scope.contains(lead.agency_id))
                .map(|(lead, standing)| progress(lead, standing))
                .collect(),
            allowed_actions,
            version: row.version,
        }
    }

    /// Depends on the day and on the caller, and on the names and validity of agencies: on all that is shown.
    pub fn tag(&self) -> Result<EntityTag, Problem> {
        let shown = serde_json::to_string(self)
            .map_err(|error| Problem::internal(format!("cannot write JSON: {error}")))?;
        Ok(EntityTag::of_variant(self.version, &[&shown]))
    }
}

/// Why the progress of all leads together is withheld, where these are the leads that the caller may not read.
pub fn withheld<'s>(foreign: impl Iterator<Item = &'s Standing>) -> Option<WithheldReason> {
    is_too_few(foreign.filter(|standing| standing.counts).count()).then_some(WithheldReason::FewForeignUnits)
}

fn progress(lead: LeadRow, standing: Standing) -> Progress {
    Progress {
        agency: lead.agency,
        name: lead.name,
        status: standing.status,
        percent: lead.percent,
        completed_on: lead.completed_on,
        reported_at: lead.reported_at,
        confirmed_at: lead.confirmed_at,
        deadline: standing.deadline,
        days_late: standing.days_late,
        was_overdue: lead.was_overdue,
        awaiting_confirmation: standing.awaiting_confirmation,
        superseded_by: standing.superseded_by,
        counts: standing.counts,
    }
}

fn allowed(terms: &Terms, rows: &[LeadRow], leads: &[Lead], viewer: &Viewer) -> Vec<TaskAction> {
    let reports = viewer.reports
        && rows
            .iter()
            .zip(leads)
            .any(|(row, lead)| viewer.scope.contains(row.agency_id) && lead.may_report(terms));
    let reviews = TransitionAction::ALL
        .into_iter()
        .filter(|action| viewer.reviews && rules::affected(*action, terms, leads, None).is_some())
        .map(TaskAction::from);
    reports.then_some(TaskAction::Update).into_iter().chain(reviews).collect()
}

/// The tasks in their order, each with its leads.
pub fn tasks(rows: Vec<TaskRow>, leads: Vec<LeadRow>, viewer: &Viewer) -> impl Iterator<Item = Task> {
    let mut by_task: HashMap<String, Vec<LeadRow>> = HashMap::new();
    for lead in leads {
        by_task.entry(lead.task_code.clone()).or_default().push(lead);
    }
    rows.into_iter().map(move |row| {
        let leads = by_task.remove(&row.code).unwrap_or_default();
        Task::new(row, leads, viewer)
    })
}
