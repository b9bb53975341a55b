//! Periods as the contract spells them: `2018`, `2018-Q1`, `2018-03`.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::PartialSchema;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

const FIRST_YEAR: i32 = 1900;
const LAST_YEAR: i32 = 2199;

/// A year, a quarter or a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    Year(i32),
    /// Year and quarter, 1 to 4.
    Quarter(i32, u32),
    Month(Month),
}

/// A calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month {
    first: NaiveDate,
}

/// The text is none of the three spellings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAPeriod;

impl fmt::Display for NotAPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a period: 2018, 2018-Q1 or 2018-03")
    }
}

impl Month {
    /// `number` is 1 to 12.
    pub fn new(year: i32, number: u32) -> Option<Self> {
        if !(FIRST_YEAR..=LAST_YEAR).contains(&year) {
            return None;
        }
        NaiveDate::from_ymd_opt(year, number, 1).map(|first| Self { first })
    }

    /// The month a date lies in.
    pub fn of(date: NaiveDate) -> Self {
        Self { first: date.with_day(1).unwrap_or(date) }
    }

    pub fn first_day(self) -> NaiveDate {
        self.first
    }

    pub fn last_day(self) -> NaiveDate {
        last_day_of_span(self.first, 1)
    }

    /// Months since the beginning of the era: consecutive months have consecutive numbers.
    pub fn number(self) -> i32 {
        self.first.year() * 12 + i32::try_from(self.first.month0()).unwrap_or_default()
    }

    pub fn previous(self) -> Self {
        Self { first: self.first.checked_sub_months(Months::new(1)).unwrap_or(self.first) }
    }

    pub fn next(self) -> Self {
        Self { first: self.first.checked_add_months(Months::new(1)).unwrap_or(self.first) }
    }
}

/// Days lie in the centuries that periods are of.
pub fn is_plausible_day(day: NaiveDate) -> bool {
    (FIRST_YEAR..=LAST_YEAR).contains(&day.year())
}

fn last_day_of_span(first: NaiveDate, months: u32) -> NaiveDate {
    first
        .checked_add_months(Months::new(months))
        .and_then(|next| next.checked_sub_days(Days::new(1)))
        .unwrap_or(first)
}

impl Period {
    pub fn first_day(self) -> NaiveDate {
        let (year, month) = match self {
            Self::Year(year) => (year, 1),
            Self::Quarter(year, quarter) => (year, quarter * 3 - 2),
            Self::Month(month) => return month.first_day(),
        };
        NaiveDate::from_ymd_opt(year, month, 1).unwrap_or_default()
    }

    pub fn last_day(self) -> NaiveDate {
        let months = match self {
            Self::Year(_) => 12,
            Self::Quarter(..) => 3,
            Self::Month(_) => 1,
        };
        last_day_of_span(self.first_day(), months)
    }

    /// The months of the period, in order.
    pub fn months(self) -> Vec<Month> {
        let last = self.last_day();
        std::iter::successors(Some(Month::of(self.first_day())), |m| Some(m.next()))
            .take_while(|m| m.first_day() <= last)
            .collect()
    }

    pub fn year(self) -> i32 {
        self.first_day().year()
    }
}

impl FromStr for Period {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        let digits = |part: &str, len: usize| -> Result<u32, NotAPeriod> {
            if part.len() == len && part.bytes().all(|b| b.is_ascii_digit()) {
                part.parse().map_err(|_| NotAPeriod)
            } else {
                Err(NotAPeriod)
            }
        };
        let (year, rest) = match text.split_once('-') {
            Some((year, rest)) => (year, Some(rest)),
            None => (text, None),
        };
        let year = i32::try_from(digits(year, 4)?).map_err(|_| NotAPeriod)?;
        if !(FIRST_YEAR..=LAST_YEAR).contains(&year) {
            return Err(NotAPeriod);
        }
        match rest {
            None => Ok(Self::Year(year)),
            Some(rest) => match rest.strip_prefix('Q') {
                Some(quarter) => match digits(quarter, 1)? {
                    quarter @ 1..=4 => Ok(Self::Quarter(year, quarter)),
                    _ => Err(NotAPeriod),
                },
                None => Month::new(year, digits(rest, 2)?).map(Self::Month).ok_or(NotAPeriod),
            },
        }
    }
}

impl FromStr for Month {
    type Err = NotAPeriod;

    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        match text.parse()? {
            Period::Month(month) => Ok(month),
            _ => Err(NotAPeriod),
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Year(year) => write!(f, "{year:04}"),
            Self::Quarter(year, quarter) => write!(f, "{year:04}-Q{quarter}"),
            Self::Month(month) => month.fmt(f),
        }
    }
}

macro_rules! text_value {
    ($name:ident, $expected:literal, $pattern:literal, $example:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|_| serde::de::Error::custom($expected))
            }
        }

        impl PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some($pattern))
                    .examples([serde_json::json!($example)])
                    .build()
                    .into()
            }
        }

        impl ToSchema for $name {}
    };
}

text_value!(Period, "MALFORMED_PERIOD", r"^(19|20|21)\d{2}(-Q[1-4]|-(0[1-9]|1[0-2]))?$", "2018-03");
text_value!(Month, "MALFORMED_MONTH", r"^(19|20|21)\d{2}-(0[1-9]|1[0-2])$", "2018-03");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_a_period_in_its_one_spelling_or_refused(text in "[0-9]{0,5}(-|/|Q| )?Q?[0-9]{0,3}|\\PC{0,12}") {
            if let Ok(period) = text.parse::<Period>() {
                prop_assert_eq!(period.to_string(), text);
                prop_assert!(period.first_day() <= period.last_day());
                prop_assert!(period.months().iter().all(|month| month.to_string().parse() == Ok(*month)));
            }
        }

        #[test]
        fn months_follow_each_other(year in FIRST_YEAR + 1..LAST_YEAR, number in 1u32..=12) {
            let month = Month::new(year, number).unwrap();
            prop_assert_eq!(month.next().previous(), month);
            prop_assert_eq!(month.next().number(), month.number() + 1);
            prop_assert_eq!(month.last_day().succ_opt(), Some(month.next().first_day()));
        }
    }

    #[test]
    fn the_three_spellings_and_no_other() {
        for good in ["2018", "2018-Q1", "2018-Q4", "2018-03", "2018-12"] {
            assert_eq!(good.parse::<Period>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "18",
            "2018-3",
            "2018-13",
            "2018-00",
            "2018-Q0",
            "2018-Q5",
            "2018-q1",
            "2018Q1",
            "03/2018",
            "2018-03-01",
            "+018",
            "２０１８",
            "1899",
        ] {
            assert!(bad.parse::<Period>().is_err(), "{bad} must be refused");
        }
    }

    #[test]
    fn days_have_bounds() {
        let plausible = |text: &str| is_plausible_day(text.parse().unwrap());
        assert!(plausible("1900-01-01") && plausible("2199-12-31"));
        assert!(!plausible("1899-12-31") && !plausible("2200-01-01") && !plausible("-10000-01-01"));
    }

    #[test]
    fn bounds_and_months() {
        let quarter: Period = "2018-Q1".parse().unwrap();
        assert_eq!(quarter.first_day().to_string(), "2018-01-01");
        assert_eq!(quarter.last_day().to_string(), "2018-03-31");
        assert_eq!(quarter.months().len(), 3);
        assert_eq!("2018".parse::<Period>().unwrap().months().len(), 12);
        assert_eq!("2020-02".parse::<Period>().unwrap().last_day().to_string(), "2020-02-29");
    }
}
