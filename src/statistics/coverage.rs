//! Who should have reported, and who did.

use chrono::NaiveDate;

use super::wire::Coverage;
use crate::db::{Sql, sql};
use crate::http::Problem;
use crate::http::query::invalid;

row! {
    /// An agency that should have data.
    #[derive(Debug)]
    pub struct Expected {
        pub code: String,
        pub reported: bool,
        /// It reported some of the period's months that others reported, and not all.
        pub in_part: bool,
    }
}

/// Agencies and the numbers of months that they reported. `$1` holds the first days of the period's months; `reports` is a relation of
/// `agency_id` and `month`; `which` a condition on `a` (the agency) and `r.months`.
pub fn statement(with: &str, reports: &str, which: &str) -> Sql {
    // A probe per agency and month: whoever reported nothing costs no scan of all the others' rows.
    sql(format!(
        "with {with} months as (select m.month from unnest($1::date[]) as m(month) \
           where exists (select 1 from {reports} as d where d.month = m.month)) \
         select a.code, r.months > 0 as reported, \
           r.months > 0 and r.months < (select count(*) from months m \
             where daterange(a.valid_from, a.valid_to) && daterange(m.month, (m.month + interval '1 month')::date)) as in_part \
         from agencies a cross join lateral (select count(*) as months from months m \
           where exists (select 1 from {reports} as d where d.month = m.month and d.agency_id = a.id)) as r \
         where {which}"
    ))
}

/// Whether one agency reported a month: what is asked most, in a statement that costs next to nothing.
pub fn of_one_month(agency: String, month: NaiveDate) -> Sql {
    sql("select a.code, exists (select 1 from dossier_agency_rollups r where r.grain = 1 and r.period = $2 and r.agency_id = a.id) as reported, \
         false as in_part from agencies a where a.code = $1")
    .bind(agency)
    .bind(month)
}

impl Coverage {
    /// A filter by an agency that does not exist is a mistake, not an empty answer.
    pub fn of(expected: Vec<Expected>, asked: Option<&[String]>) -> Result<Self, Problem> {
        let unknown =
            asked.unwrap_or_default().iter().find(|code| !expected.iter().any(|a| a.code == **code));
        if let Some(code) = unknown {
            let detail = crate::agencies::unknown(&code);
            return Err(invalid("agency", detail));
        }
        let named = |which: fn(&Expected) -> bool| {
            let mut codes: Vec<String> =
                expected.iter().filter(|a| which(a)).map(|a| a.code.clone()).collect();
            codes.sort_unstable();
            codes
        };
        let missing = named(|agency| !agency.reported);
        let reported = expected.len() - missing.len();
        Ok(Self { expected: expected.len(), reported, missing, partial: named(|agency| agency.in_part) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_names_who_is_missing_and_who_is_not_complete() {
        let agency = |code: &str, reported, in_part| Expected { code: code.into(), reported, in_part };
        let expected = || vec![agency("B", false, false), agency("C", true, true), agency("A", false, false)];
        let coverage = Coverage::of(expected(), None).unwrap();
        assert_eq!((coverage.expected, coverage.reported), (3, 1));
        assert_eq!(coverage.missing, ["A", "B"]);
        assert_eq!(coverage.partial, ["C"]);
        assert!(Coverage::of(expected(), Some(&["A".into()])).is_ok());
        assert!(Coverage::of(expected(), Some(&["A".into(), "X".into()])).is_err());
    }
}
