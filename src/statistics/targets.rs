//! The targets that rates are measured against.

use std::collections::HashMap;

use bigdecimal::BigDecimal;
use chrono::NaiveDate;

use super::rules::{Bound, Comparator};
use super::wire::{Group, GroupType};
use crate::db::{QueryResult, Reader, Sql, sql};

/// A target: the bound and the day it is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aim {
    pub bound: Bound,
    pub due: NaiveDate,
}

/// Targets of a year by the id of the rate (`services_level_3_4`) or the code of the indicator (`UD.DV.01`) they are set for: the
/// province's, and those of agencies where there are any.
#[derive(Debug, Default)]
pub struct Aims {
    province: HashMap<String, Aim>,
    every_agency: HashMap<String, Aim>,
    one_agency: HashMap<(String, String), Aim>,
}

impl Aims {
    /// An agency is measured against its own target, else that of every agency, else the province's.
    pub fn find(&self, code: &str, group: &Group) -> Option<&Aim> {
        let of_agency = || {
            self.one_agency
                .get(&(group.code.clone(), code.to_owned()))
                .or_else(|| self.every_agency.get(code))
        };
        let own = if group.r#type == GroupType::Agency { of_agency() } else { None };
        own.or_else(|| self.province.get(code))
    }
}

impl Aims {
    /// Of the province alone.
    pub fn of_province(targets: impl IntoIterator<Item = (String, Aim)>) -> Self {
        Self { province: targets.into_iter().collect(), ..Self::default() }
    }
}

row! {
    /// A target with the code of what it is set for.
    pub struct AimRow {
        pub code: String,
        pub of_agency: bool,
        pub agency: Option<String>,
        pub comparator: Comparator,
        pub value: BigDecimal,
        pub value_to: Option<BigDecimal>,
        pub due: NaiveDate,
    }
}

/// Targets of these rates and indicators in a year, as rows of [`AimRow`].
pub fn statement(year: i32, codes: Vec<String>) -> Sql {
    sql("select t.code, t.scope = 'agency' as of_agency, a.code as agency, t.comparator, t.value, t.value_to, t.due \
         from targets t left join agencies a on a.id = t.agency_id where t.year = $1 and t.code = any($2)")
    .bind(year)
    .bind(codes)
}

/// Targets of these rates and indicators in a year.
pub async fn aims(conn: &mut Reader<'_>, year: i32, codes: Vec<String>) -> QueryResult<Aims> {
    Ok(statement(year, codes).rows::<AimRow>(conn).await?.into_iter().collect())
}

impl FromIterator<AimRow> for Aims {
    fn from_iter<I: IntoIterator<Item = AimRow>>(rows: I) -> Self {
        let mut aims = Self::default();
        for row in rows {
            let bound = Bound { comparator: row.comparator, value: row.value, value_to: row.value_to };
            let aim = Aim { bound, due: row.due };
            match (row.of_agency, row.agency) {
                (true, Some(agency)) => drop(aims.one_agency.insert((agency, row.code), aim)),
                (true, None) => drop(aims.every_agency.insert(row.code, aim)),
                (false, _) => drop(aims.province.insert(row.code, aim)),
            }
        }
        aims
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agency_is_measured_against_its_own_target_first() {
        let aim = |percent: &str| Aim {
            bound: Bound { comparator: Comparator::Gte, value: percent.parse().unwrap(), value_to: None },
            due: NaiveDate::from_ymd_opt(2018, 12, 31).unwrap(),
        };
        let mut aims = Aims::default();
        aims.province.insert("x".into(), aim("40"));
        aims.every_agency.insert("x".into(), aim("50"));
        aims.one_agency.insert(("SO-YT".into(), "x".into()), aim("60"));
        let agency = |code: &str| Group::new(GroupType::Agency, code, "");
        assert_eq!(aims.find("x", &agency("SO-YT")), Some(&aim("60")));
        assert_eq!(aims.find("x", &agency("SO-TC")), Some(&aim("50")));
        assert_eq!(aims.find("x", &Group::province()), Some(&aim("40")));
        assert_eq!(aims.find("y", &agency("SO-YT")), None);
    }
}
