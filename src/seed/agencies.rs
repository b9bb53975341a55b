//! Agencies and groups of the plan.

use chrono::NaiveDate;
use serde::Deserialize;

use super::table::{list, rows};
use crate::agencies::model::{self, AgencyWrite};
use crate::agencies::rules::AgencyKind;
use crate::audit::{self, Event};
use crate::auth::Actor;
use crate::db::{Conn, sql};
use crate::http::Problem;

const AGENCIES: &str = include_str!("../../data/agencies.csv");
const GROUPS: &str = include_str!("../../data/agency_groups.csv");

#[derive(Deserialize)]
struct AgencyLine {
    code: String,
    name_vi: String,
    kind: AgencyKind,
    parent: String,
    gso_code: String,
    valid_from: Option<NaiveDate>,
    valid_to: Option<NaiveDate>,
    successor: String,
}

#[derive(Deserialize)]
struct GroupLine {
    code: String,
    name_vi: String,
    members: String,
}

/// Loads what is missing; answers how many agencies the plan names.
pub async fn load(conn: &mut Conn, actor: &Actor) -> Result<usize, Problem> {
    let mut lines: Vec<AgencyLine> = rows("agencies.csv", AGENCIES)?;
    let count = lines.len();
    // A successor must exist before the agency that names it.
    lines.sort_by_key(|line| !line.successor.is_empty());
    for line in lines {
        add(conn, line, actor).await?;
    }
    for line in rows::<GroupLine>("agency_groups.csv", GROUPS)? {
        add_group(conn, line).await?;
    }
    Ok(count)
}

async fn add(conn: &mut Conn, line: AgencyLine, actor: &Actor) -> Result<(), Problem> {
    let ids = model::ids_of(conn, vec![line.parent.clone(), line.successor.clone()]).await?;
    let write = AgencyWrite {
        code: line.code.clone(),
        name: line.name_vi,
        name_en: None,
        kind: line.kind.as_str(),
        parent: ids.get(&line.parent).copied(),
        gso_code: Some(line.gso_code).filter(|code| !code.is_empty()),
        qcvn102_code: None,
        eid_code: None,
        valid_from: line.valid_from,
        valid_to: line.valid_to,
        dossier_source: None,
        successors: ids.get(&line.successor).copied().into_iter().collect(),
    };
    if model::insert(conn, write, actor).await? {
        let row = model::find(conn, &line.code).await?;
        audit::record(conn, actor, Event::create("agency", &line.code, &row)).await?;
    }
    Ok(())
}

/// `kind=a|b` is a rule, `list=A|B` names members.
async fn add_group(conn: &mut Conn, line: GroupLine) -> Result<(), Problem> {
    let (rule, members) = line.members.split_once('=').unwrap_or_default();
    let (kinds, named) = match rule {
        "kind" => (list(members), Vec::new()),
        _ => (Vec::new(), list(members)),
    };
    sql("insert into agency_groups (code, name, kinds) values ($1, $2, $3) on conflict (code) do nothing")
        .bind(line.code.clone())
        .bind(line.name_vi)
        .bind(kinds)
        .run(conn)
        .await?;
    sql("insert into agency_group_members (group_code, agency_id) \
         select $1, id from agencies where code = any($2) on conflict do nothing")
    .bind(line.code)
    .bind(named)
    .run(conn)
    .await?;
    Ok(())
}
