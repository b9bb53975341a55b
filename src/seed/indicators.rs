//! The plan's framework, indicators, earlier figures, and published results.

use bigdecimal::BigDecimal;
use serde::Deserialize;

use super::table::rows;
use crate::audit::{self, Event};
use crate::auth::Actor;
use crate::db::{Conn, sql};
use crate::http::Problem;
use crate::indicators::model::{self, IndicatorWrite};
use crate::indicators::national::{self, ResultWrite};
use crate::indicators::rules::{DefinitionStatus, Direction};
use crate::scoring::engine::catalogue;
use crate::scoring::frameworks::model as frameworks;

const INDICATORS: &str = include_str!("../../data/indicators.csv");
const BASELINES: &str = include_str!("../../data/baseline_2017.csv");
const RESULTS: &str = include_str!("../../data/national_results.csv");

#[derive(Deserialize)]
struct IndicatorLine {
    code: String,
    group: String,
    subgroup: String,
    name_vi: String,
    numerator_vi: String,
    denominator_vi: String,
    unit: String,
    direction: Direction,
    definition_status: DefinitionStatus,
}

#[derive(Deserialize)]
struct BaselineLine {
    indicator: String,
    year: i32,
    value: String,
    unit: String,
    note: String,
}

#[derive(Deserialize)]
struct ResultLine {
    index_year: i32,
    node: String,
    score: String,
    rank: Option<i32>,
    units: Option<i32>,
    source: String,
}

/// Loads what is missing; answers how many indicators the plan has.
pub async fn load(conn: &mut Conn, actor: &Actor) -> Result<usize, Problem> {
    let lines: Vec<IndicatorLine> = rows("indicators.csv", INDICATORS)?;
    let count = lines.len();
    add_frameworks(conn, actor).await?;
    for line in lines {
        add(conn, line, actor).await?;
    }
    for line in rows::<BaselineLine>("baseline_2017.csv", BASELINES)? {
        add_baseline(conn, line).await?;
    }
    for line in rows::<ResultLine>("national_results.csv", RESULTS)? {
        add_result(conn, line, actor).await?;
    }
    Ok(count)
}

/// The shipped frameworks. A method that is not published says `assumed`: equal weights and min-max within the year's
/// provinces for the plan's own.
async fn add_frameworks(conn: &mut Conn, actor: &Actor) -> Result<(), Problem> {
    let shipped = catalogue::frameworks()
        .map_err(|error| Problem::internal(format!("data: a framework cannot be read: {error}")))?;
    for framework in shipped {
        if frameworks::insert(conn, &framework, actor).await? {
            audit::record(conn, actor, Event::create("framework", &framework.code, &framework)).await?;
        }
    }
    Ok(())
}

async fn add(conn: &mut Conn, line: IndicatorLine, actor: &Actor) -> Result<(), Problem> {
    let named = |text: String| Some(text).filter(|t| !t.is_empty());
    let code = line.code.clone();
    let write = IndicatorWrite {
        code: line.code,
        group_code: line.group,
        subgroup_code: line.subgroup,
        name: line.name_vi,
        numerator_name: named(line.numerator_vi),
        denominator_name: named(line.denominator_vi),
        unit: line.unit,
        direction: line.direction.as_str(),
        definition_status: line.definition_status.as_str(),
    };
    if model::insert(conn, write, actor).await? {
        let row = model::find(conn, &code).await?;
        audit::record(conn, actor, Event::create("indicator", code, &row)).await?;
    }
    Ok(())
}

fn decimal(text: &str) -> Result<BigDecimal, Problem> {
    text.parse().map_err(|_| Problem::internal(format!("data: {text} is no number")))
}

async fn add_baseline(conn: &mut Conn, line: BaselineLine) -> Result<(), Problem> {
    sql(
        "insert into indicator_baselines (indicator_code, year, value, unit, note) values ($1, $2, $3, $4, $5) \
         on conflict (indicator_code, year) do nothing",
    )
    .bind(line.indicator)
    .bind(line.year)
    .bind(decimal(&line.value)?)
    .bind(line.unit)
    .bind(line.note)
    .run(conn)
    .await?;
    Ok(())
}

async fn add_result(conn: &mut Conn, line: ResultLine, actor: &Actor) -> Result<(), Problem> {
    if national::lock(conn, line.index_year, &line.node).await?.is_some() {
        return Ok(());
    }
    let score = if line.score.is_empty() { None } else { Some(decimal(&line.score)?) };
    let key = format!("{}/{}", line.index_year, line.node);
    let write = ResultWrite {
        index_year: line.index_year,
        node: line.node.clone(),
        score,
        rank: line.rank,
        units: line.units,
        source: line.source,
    };
    national::put(conn, write, actor).await?;
    let row = national::lock(conn, line.index_year, &line.node).await?;
    Ok(audit::record(conn, actor, Event::create("national_result", key, &row)).await?)
}
