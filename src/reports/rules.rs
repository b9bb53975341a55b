//! When a submission is in time.

use chrono::{Days, NaiveDate};
use serde::Serialize;
use utoipa::ToSchema;

use crate::values::Month;

/// Day of the following month until which a month is to be handed in. Assumed: the plan asks for reports "every month" and names
/// no day.
pub const DUE_DAY: u64 = 10;

/// Code of the agency that sends the report. Assumed: the plan's coordinating department; no table says which one it is.
pub const COORDINATING_DEPARTMENT: &str = "SO-TTTT";

/// The submission of an agency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReportedSubmissionStanding)]
pub enum Standing {
    /// Handed in by the due day.
    InTime,
    /// Handed in after it.
    Late,
    /// Not handed in, and the due day is not over.
    Awaited,
    /// Not handed in by the due day.
    Missing,
}

/// Last day on which the month is handed in in time.
pub fn due_on(month: Month) -> NaiveDate {
    let first = month.next().first_day();
    first.checked_add_days(Days::new(DUE_DAY - 1)).unwrap_or(first)
}

/// How a month stands that was handed in on this day, or was not, as seen today.
pub fn standing(month: Month, handed_in: Option<NaiveDate>, today: NaiveDate) -> Standing {
    let due = due_on(month);
    match handed_in {
        Some(day) if day <= due => Standing::InTime,
        Some(_) => Standing::Late,
        None if today <= due => Standing::Awaited,
        None => Standing::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_due_on_the_tenth_of_the_next_one() {
        let month: Month = "2018-12".parse().unwrap();
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(due_on(month), day("2019-01-10"));
        let at = |handed_in: Option<&str>, today: &str| standing(month, handed_in.map(day), day(today));
        assert_eq!(at(Some("2019-01-10"), "2019-02-01"), Standing::InTime);
        assert_eq!(at(Some("2019-01-11"), "2019-02-01"), Standing::Late);
        assert_eq!(at(None, "2019-01-10"), Standing::Awaited);
        assert_eq!(at(None, "2019-01-11"), Standing::Missing);
    }
}
