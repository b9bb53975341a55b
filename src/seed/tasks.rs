//! The plan and the tasks of its annex.

use chrono::NaiveDate;
use serde::Deserialize;

use super::table::{list, rows};
use crate::agencies::model as agencies;
use crate::audit::{self, Event};
use crate::auth::Actor;
use crate::db::Conn;
use crate::http::Problem;
use crate::tasks::Quarter;
use crate::tasks::model::plans::{self, PlanWrite};
use crate::tasks::model::{self, PartyRole, PartyType, TaskWrite};

const TASKS: &str = include_str!("../../data/tasks.csv");
const PLAN: &str = "KH-332-2017";
const YEAR: i32 = 2018;

#[derive(Deserialize)]
struct TaskLine {
    code: String,
    section: String,
    title_vi: String,
    indicators: String,
    leads: String,
    coordinators: String,
    from_quarter: u32,
    to_quarter: u32,
    due_date: Option<NaiveDate>,
    annex_row: String,
}

/// Loads what is missing; answers how many tasks the plan has.
pub async fn load(conn: &mut Conn, actor: &Actor) -> Result<usize, Problem> {
    add_plan(conn, actor).await?;
    let lines: Vec<TaskLine> = rows("tasks.csv", TASKS)?;
    let count = lines.len();
    for line in lines {
        add(conn, line, actor).await?;
    }
    Ok(count)
}

async fn add_plan(conn: &mut Conn, actor: &Actor) -> Result<(), Problem> {
    const ISSUER: &str = "UBND-TINH";
    let issuer = agencies::ids_of(conn, vec![ISSUER.to_owned()]).await?.remove(ISSUER);
    let write = PlanWrite {
        code: PLAN.into(),
        number: "332/KH-UBND".into(),
        title: "Kế hoạch duy trì, cải thiện chỉ số sẵn sàng cho phát triển và ứng dụng CNTT-TT (ICT-Index) \
                tỉnh Lào Cai năm 2018"
            .into(),
        year: YEAR,
        issued_on: NaiveDate::from_ymd_opt(2017, 12, 21).unwrap_or_default(),
        issuer: issuer.ok_or_else(|| Problem::internal("data/agencies.csv: no issuer of the plan"))?,
        framework: Some("ICT-INDEX-2016".into()),
    };
    if plans::insert(conn, write, actor).await? {
        let row = plans::find(conn, PLAN).await?;
        audit::record(conn, actor, Event::create("plan", PLAN, &row)).await?;
    }
    Ok(())
}

async fn add(conn: &mut Conn, line: TaskLine, actor: &Actor) -> Result<(), Problem> {
    let code = line.code.clone();
    let quarter = |number: u32| {
        format!("{YEAR}-Q{number}")
            .parse::<Quarter>()
            .map_err(|()| Problem::internal(format!("data/tasks.csv: quarter {number}")))
    };
    let parties = |role, text: &str| list(text).into_iter().map(move |party| party_of(role, &party));
    let write = TaskWrite {
        code: line.code,
        plan: PLAN.into(),
        section: line.section,
        title: line.title_vi,
        range_from: Some(quarter(line.from_quarter)?.first_day()),
        range_to: Some(quarter(line.to_quarter)?.last_day()),
        due_date: line.due_date,
        source: Some(line.annex_row),
        parties: parties(PartyRole::Lead, &line.leads)
            .chain(parties(PartyRole::Coordinator, &line.coordinators))
            .collect(),
        indicators: list(&line.indicators),
    };
    if model::insert(conn, write, actor).await? {
        let row = model::find(conn, &code).await?;
        audit::record(conn, actor, Event::create("task", &code, &row)).await?;
    }
    Ok(())
}

/// `group:CQNN` is a group, `SO-YT` an agency.
fn party_of(role: PartyRole, text: &str) -> (PartyRole, PartyType, String) {
    match text.strip_prefix("group:") {
        Some(group) => (role, PartyType::Group, group.to_owned()),
        None => (role, PartyType::Agency, text.to_owned()),
    }
}
