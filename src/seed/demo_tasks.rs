//! Invented progress of some tasks, labelled as such.

use chrono::NaiveDate;
use uuid::Uuid;

use crate::audit::{self, Event};
use crate::auth::Actor;
use crate::db::Conn;
use crate::http::Problem;
use crate::tasks::model;
use crate::tasks::model::progress::{self, LeadChange, LeadRow, TaskChange, TransitionRow, UpdateRow};
use crate::tasks::rules::TransitionAction;

/// Task, lead, percent, day of completion in 2018 (month and day), whether it is confirmed.
type Report = (&'static str, &'static str, i16, Option<(u32, u32)>, bool);

const REPORTS: [Report; 12] = [
    ("T04", "SO-CT", 60, None, false),
    ("T04", "SO-CT", 100, Some((3, 20)), true),
    ("T05", "SO-YT", 45, None, false),
    ("T05", "SO-GDDT", 100, Some((6, 15)), true),
    ("T05", "UBND-080", 100, Some((7, 12)), true),
    ("T05", "UBND-088", 20, None, false),
    ("T08", "SO-GDDT", 70, None, false),
    ("T10", "SO-TP", 100, Some((6, 28)), false),
    ("T11", "SO-TTTT", 100, Some((6, 20)), true),
    ("T16", "SO-TNMT", 35, None, false),
    ("T20", "VP-UBND", 100, Some((4, 10)), true),
    ("T27", "SO-TTTT", 50, None, false),
];

/// Adds labelled, invented reports, unless something was reported already.
pub async fn load(conn: &mut Conn, actor: &Actor) -> Result<(), Problem> {
    if progress::any_update(conn).await? {
        return Ok(());
    }
    for report in REPORTS {
        add(conn, report, actor).await?;
    }
    Ok(())
}

async fn add(conn: &mut Conn, report: Report, actor: &Actor) -> Result<(), Problem> {
    let (task, agency, percent, completed, confirmed) = report;
    let Some(row) = model::lock(conn, task).await? else { return Ok(()) };
    let leads = progress::leads(conn, vec![task.to_owned()]).await?;
    let Some(lead) = leads.into_iter().find(|lead| lead.agency == agency) else { return Ok(()) };
    let day = completed.and_then(|(month, day)| NaiveDate::from_ymd_opt(2018, month, day));
    let update = UpdateRow {
        id: Uuid::now_v7(),
        agency: agency.to_owned(),
        percent,
        narrative: format!("[demo] Số liệu minh họa: đã hoàn thành {percent}%."),
        evidence: Vec::new(),
        completed_on: day.map(|day| day.min(actor.today())),
        actor: actor.name.clone(),
        at: actor.now,
    };
    progress::report(conn, task, lead.agency_id, &update).await?;
    let after =
        LeadRow { percent, completed_on: update.completed_on, reported_at: Some(actor.now), ..lead.clone() };
    audit::record(conn, actor, Event::update("task", task, &lead, &after).named("report")).await?;
    if confirmed { confirm(conn, &row, &after, actor).await } else { Ok(()) }
}

async fn confirm(
    conn: &mut Conn,
    task: &model::TaskRow,
    lead: &LeadRow,
    actor: &Actor,
) -> Result<(), Problem> {
    let action = TransitionAction::Confirm.as_str();
    let confirmed = LeadChange::Confirm(vec![task.deadline]);
    progress::change_leads(conn, &task.code, &[lead.agency_id], confirmed, actor).await?;
    let transition = TransitionRow {
        id: Uuid::now_v7(),
        agency: Some(lead.agency.clone()),
        action: action.to_owned(),
        reason: Some("[demo] Xác nhận minh họa.".into()),
        due_date: None,
        actor: actor.name.clone(),
        at: actor.now,
    };
    progress::decide(conn, &task.code, Some(lead.agency_id), &transition, TaskChange::default()).await?;
    let after =
        LeadRow { confirmed_at: Some(actor.now), confirmed_deadline: Some(task.deadline), ..lead.clone() };
    let event = Event::update("task", &task.code, lead, &after).named(action);
    Ok(audit::record(conn, actor, event).await?)
}
