//! The province's targets that rates are measured against.

use std::collections::HashMap;

use bigdecimal::BigDecimal;
use chrono::NaiveDate;

use super::rules::{Bound, Comparator};
use crate::db::{QueryResult, Reader, sql};

/// A target of the province: the bound and the day it is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    pub bound: Bound,
    pub due: NaiveDate,
}

/// Targets by the id of the rate (`services_level_3_4`) or the code of the indicator (`UD.DV.01`) they are set for.
pub type Aims = HashMap<String, Aim>;

row! {
    struct AimRow {
        code: String,
        comparator: String,
        value: BigDecimal,
        value_to: Option<BigDecimal>,
        due: NaiveDate,
    }
}

/// The province's targets of a year.
pub async fn metric_bounds(conn: &mut Reader<'_>, year: i32) -> QueryResult<Aims> {
    let rows: Vec<AimRow> = sql(
        "select code, comparator, value, value_to, due from targets where scope = 'province' and year = $1",
    )
    .bind(year)
    .rows(conn)
    .await?;
    let aims = rows.into_iter().filter_map(|row| {
        let comparator = Comparator::parse(&row.comparator)?;
        let bound = Bound { comparator, value: row.value, value_to: row.value_to };
        Some((row.code, Aim { bound, due: row.due }))
    });
    Ok(aims.collect())
}
