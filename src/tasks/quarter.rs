//! A quarter on the wire: `2018-Q1`.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::values::Period;

/// A quarter of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarter(Period);

impl Quarter {
    /// The quarter a date lies in.
    pub fn of(date: NaiveDate) -> Self {
        Self(Period::Quarter(date.year(), date.month0() / 3 + 1))
    }

    pub fn first_day(self) -> NaiveDate {
        self.0.first_day()
    }

    pub fn last_day(self) -> NaiveDate {
        self.0.last_day()
    }
}

impl FromStr for Quarter {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.parse() {
            Ok(period @ Period::Quarter(..)) => Ok(Self(period)),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Quarter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Quarter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quarter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| serde::de::Error::custom("MALFORMED_PERIOD"))
    }
}

impl PartialSchema for Quarter {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(r"^(19|20|21)\d{2}-Q[1-4]$"))
            .examples([serde_json::json!("2018-Q1")])
            .build()
            .into()
    }
}

impl ToSchema for Quarter {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_quarters_are_quarters() {
        let first: Quarter = "2018-Q1".parse().unwrap();
        assert_eq!(first.to_string(), "2018-Q1");
        assert_eq!(first.last_day().to_string(), "2018-03-31");
        for other in ["2018", "2018-03", "2018-Q5", "Q1", "1"] {
            assert!(other.parse::<Quarter>().is_err(), "{other} must be refused");
        }
        for day in ["2018-01-01", "2018-03-31"] {
            assert_eq!(Quarter::of(day.parse().unwrap()), first);
        }
        assert_eq!(Quarter::of("2018-12-31".parse().unwrap()).to_string(), "2018-Q4");
    }
}
