//! Targets of 2018.

use bigdecimal::BigDecimal;
use chrono::NaiveDate;
use serde::Deserialize;

use super::table::rows;
use crate::auth::Actor;
use crate::db::Conn;
use crate::http::Problem;
use crate::targets::model::{self, TargetWrite};
use crate::values::Comparator;

const TARGETS: &str = include_str!("../../data/targets_2018.csv");
/// The plan's year.
const YEAR: i32 = 2018;

#[derive(Deserialize)]
struct Line {
    subject: String,
    metric: String,
    scope: String,
    comparator: Comparator,
    value: String,
    unit: String,
    due: NaiveDate,
    source_section: String,
}

/// Loads what is missing; answers how many targets the plan has.
pub async fn load(conn: &mut Conn, actor: &Actor) -> Result<usize, Problem> {
    let lines: Vec<Line> = rows("targets_2018.csv", TARGETS)?;
    let count = lines.len();
    for line in lines {
        let write = line.into_write()?;
        // What people changed since is theirs.
        if model::lock(conn, &write).await?.is_none() {
            let key = format!("{}/{}/-/{YEAR}", write.code, write.scope);
            model::put(conn, write.clone(), actor).await?;
            let row = model::lock(conn, &write).await?;
            crate::audit::record(conn, actor, crate::audit::Event::create("target", key, &row)).await?;
        }
    }
    Ok(count)
}

impl Line {
    fn into_write(self) -> Result<TargetWrite, Problem> {
        let number = |text: &str| {
            text.parse::<BigDecimal>()
                .map_err(|_| Problem::internal(format!("data/targets_2018.csv: {text}")))
        };
        let (value, value_to) = match self.value.split_once('-') {
            Some((from, to)) => (number(from)?, Some(number(to)?)),
            None => (number(&self.value)?, None),
        };
        // "được xử lý trực tuyến" counts dossiers resolved: the default formula of domain and plan.
        let code = match self.metric.as_str() {
            "dossiers_level_3" => "dossiers_level_3_resolved".to_owned(),
            "dossiers_level_4" => "dossiers_level_4_resolved".to_owned(),
            other => other.to_owned(),
        };
        Ok(TargetWrite {
            subject: if self.subject == "indicator" { "indicator" } else { "metric" },
            code,
            scope: if self.scope == "agency" { "agency" } else { "province" },
            agency: None,
            year: YEAR,
            comparator: self.comparator.as_str(),
            value,
            value_to,
            unit: Some(self.unit),
            due: self.due,
            source: self.source_section,
        })
    }
}
