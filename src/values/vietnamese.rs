//! Days and periods as Vietnamese texts print them. Days below 10 and the months 1 and 2 take a 0, so that nobody can add a digit.

use chrono::{Datelike, NaiveDate};

use super::{Month, Period};

const ROMAN: [&str; 4] = ["I", "II", "III", "IV"];

/// `05/3/2018`
pub fn day(day: NaiveDate) -> String {
    format!("{:02}/{}", day.day(), month(Month::of(day)))
}

/// `3/2018`, `01/2018`
pub fn month(month: Month) -> String {
    let first = month.first_day();
    match first.month() {
        number @ (1 | 2) => format!("0{number}/{}", first.year()),
        number => format!("{number}/{}", first.year()),
    }
}

/// `Tháng 3/2018`, `Quý I/2018`, `Năm 2018`
pub fn period(period: Period) -> String {
    match period {
        Period::Month(of) => format!("Tháng {}", month(of)),
        Period::Quarter(year, quarter) => {
            let numeral = ROMAN.get(quarter as usize - 1).copied().unwrap_or_default();
            format!("Quý {numeral}/{year}")
        }
        Period::Year(year) => format!("Năm {year}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_days_and_months_take_a_zero() {
        let of = |text: &str| day(text.parse().unwrap());
        assert_eq!(of("2018-03-05"), "05/3/2018");
        assert_eq!(of("2018-02-01"), "01/02/2018");
        assert_eq!(of("2018-12-31"), "31/12/2018");
    }

    #[test]
    fn quarters_have_roman_numerals() {
        let of = |text: &str| period(text.parse().unwrap());
        assert_eq!(
            ["2018-01", "2018-03", "2018-Q4", "2018"].map(of),
            ["Tháng 01/2018", "Tháng 3/2018", "Quý IV/2018", "Năm 2018"]
        );
    }
}
