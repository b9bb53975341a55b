//! A set of observations before it is stored, whoever brings it, and what storing it did.

use std::collections::HashSet;

use super::checker::{Checker, unit_code};
use super::rules::Set;
use super::store::Stored;
use super::wire::{Figure, MOST_OUT_OF_RANGE, NewRow, NewUnit, ObservationsResult};
use crate::agencies::model as agencies;
use crate::db::Conn;
use crate::http::Problem;
use crate::scoring::engine::framework::Framework;
use crate::scoring::engine::tree::Tree;
use crate::scoring::engine::warnings::figures_out_of_range;
use crate::scoring::frameworks::model as frameworks;

/// What units of a framework are, when they are agencies of the province.
pub const AGENCY: &str = "agency";

/// The framework, which stays until the transaction ends.
pub async fn framework_of(conn: &mut Conn, code: &str) -> Result<Framework, Problem> {
    let row = frameworks::hold(conn, code).await?.ok_or_else(Problem::not_found)?;
    Ok(frameworks::read(row.definition)?)
}

pub async fn checked(
    conn: &mut Conn,
    framework: &Framework,
    rows: Vec<NewRow>,
    units: Vec<NewUnit>,
) -> Result<Set, Problem> {
    let agencies = if framework.unit_type == AGENCY {
        let named = rows.iter().map(|row| &row.unit).chain(units.iter().map(|unit| &unit.code));
        let codes: HashSet<&str> = named.map(|code| unit_code(code)).collect();
        let known = agencies::ids_of(conn, codes.into_iter().map(str::to_owned).collect()).await?;
        Some(known.into_keys().collect())
    } else {
        None
    };
    let tree = Tree::of(framework);
    let mut checker = Checker::new(&tree, agencies.as_ref());
    let set = checker.set(rows, units);
    checker.faults.into_result().map(|()| set)
}

pub fn result(
    framework: &Framework,
    data_year: i32,
    dry_run: bool,
    set: &Set,
    stored: Stored,
) -> ObservationsResult {
    let mut out_of_range = figures_out_of_range(&Tree::of(framework), &set.input().observations);
    let out_of_range_count = out_of_range.len();
    out_of_range.truncate(MOST_OUT_OF_RANGE);
    ObservationsResult {
        framework: framework.code.clone(),
        data_year,
        revision: stored.revision,
        dry_run,
        counts: stored.changes,
        rows: set.rows.len(),
        units: set.unit_codes().len(),
        reason: stored.reason,
        recorded_at: stored.recorded_at,
        recorded_by: stored.recorded_by,
        out_of_range_count,
        out_of_range: out_of_range.into_iter().map(|(unit, indicator)| Figure { unit, indicator }).collect(),
    }
}
