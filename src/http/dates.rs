//! Days and instants in parameters: of the years that periods have. The database holds no others, and would be queried in vain.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Deserializer};

use crate::values::is_plausible_day;

/// What serde says of any other.
pub(super) const IMPLAUSIBLE: &str = "the year must be 1900 to 2199";

/// `#[serde(default, deserialize_with = "dates::day")]`
pub fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    let day = NaiveDate::deserialize(deserializer)?;
    if is_plausible_day(day) { Ok(Some(day)) } else { Err(serde::de::Error::custom(IMPLAUSIBLE)) }
}

/// `#[serde(default, deserialize_with = "dates::instant")]`
pub fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let instant = DateTime::<Utc>::deserialize(deserializer)?;
    if is_plausible_day(instant.date_naive()) {
        Ok(Some(instant))
    } else {
        Err(serde::de::Error::custom(IMPLAUSIBLE))
    }
}
