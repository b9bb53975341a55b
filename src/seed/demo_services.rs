//! A small invented catalogue, labelled as such, whose levels rise through 2017 and 2018.

use chrono::NaiveDate;
use serde::Deserialize;

use super::demo_dossiers;
use super::table::{list, rows};
use crate::auth::Actor;
use crate::db::{Conn, sql};
use crate::http::Problem;
use crate::services::batch;
use crate::services::batch_wire::ServiceBatchRow;
use crate::services::rules::{ServiceStatus, ServiceTier};

const PROCEDURES: &str = include_str!("../../data/demo_services.csv");

/// A procedure, in a field as the national catalogue names it.
#[derive(Deserialize)]
struct Line {
    field: String,
    /// Codes of the departments that handle it; none: every district does.
    agencies: String,
    name_vi: String,
}

/// Adds labelled, invented data where there is none.
pub async fn load(conn: &mut Conn, actor: &Actor) -> Result<(), Problem> {
    let empty: bool = sql("select not exists (select 1 from services) as value").value(conn).await?;
    if empty {
        let districts: Vec<String> =
            sql("select code as value from agencies where kind = 'district' order by code")
                .values(conn)
                .await?;
        let lines: Vec<Line> = rows("demo_services.csv", PROCEDURES)?;
        // A batch has one level per procedure: the history goes in oldest first.
        for step in 0..3 {
            let rows = (0..lines.len()).filter_map(|n| row(&lines, n, step, &districts)).collect();
            batch::store(conn, actor, rows, false).await?;
        }
        sql("update agencies set dossier_source = 'vnpt' where kind in ('department', 'district') and dossier_source is null")
            .run(conn)
            .await?;
    }
    demo_dossiers::load(conn, actor).await
}

/// Procedure `n` at a step of its history; `None` when nothing happens to it there.
fn row(lines: &[Line], n: usize, step: usize, districts: &[String]) -> Option<ServiceBatchRow> {
    let Line { field, agencies, name_vi } = lines.get(n)?;
    let (level, effective_from) = level_at(n, step)?;
    let departments = list(agencies);
    let by_districts = departments.is_empty();
    let duplicate = n + 1 == lines.len();
    Some(ServiceBatchRow {
        code: code(n),
        name: format!("[demo] {name_vi}"),
        field: field.clone(),
        tier: if by_districts { ServiceTier::District } else { ServiceTier::Province },
        agencies: Some(if by_districts { districts.to_vec() } else { departments }),
        status: Some(if duplicate { ServiceStatus::Duplicate } else { ServiceStatus::InForce }),
        duplicate_of: duplicate.then(|| code(n - 1)),
        postal: Some(n.is_multiple_of(2)),
        information_complete: Some(true),
        forms_complete: Some(level >= 2),
        level: Some(level),
        effective_from: Some(effective_from),
        decision: Some(format!("[demo] {}/QĐ-UBND", 100 + n * 3 + step)),
    })
}

fn code(n: usize) -> String {
    format!("1.{:06}", 900_000 + n)
}

/// Everyone has level 1 or 2 when 2017 begins; about half rises to 3, and a third of those to 4.
fn level_at(n: usize, step: usize) -> Option<(i64, NaiveDate)> {
    let rises = (n * 7) % 13;
    let (level, year, month) = match step {
        0 => (if n.is_multiple_of(9) { 1 } else { 2 }, 2017, 1),
        1 if rises < 7 => (3, if n.is_multiple_of(2) { 2017 } else { 2018 }, 2 + (n % 8)),
        2 if rises < 2 => (4, 2018, 10 + (n % 3)),
        _ => return None,
    };
    NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, 15).map(|day| (level, day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::rules::is_service_code;

    #[test]
    fn the_catalogue_is_labelled_and_its_levels_rise() {
        let districts = ["UBND-080".to_owned()];
        let lines: Vec<Line> = rows("demo_services.csv", PROCEDURES).unwrap();
        assert_eq!(lines.len(), 120);
        let count = |step| (0..120).filter_map(|n| row(&lines, n, step, &districts)).count();
        assert_eq!(count(0), 120);
        assert!(count(1) > 50 && count(2) > 10, "{} {}", count(1), count(2));
        for n in 0..120 {
            let steps: Vec<_> = (0..3).filter_map(|step| row(&lines, n, step, &districts)).collect();
            assert!(steps.iter().all(|row| row.name.starts_with("[demo] ") && is_service_code(&row.code)));
            assert!(steps.is_sorted_by(|a, b| a.level < b.level && a.effective_from < b.effective_from));
        }
    }
}
