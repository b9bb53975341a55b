//! What is true of agencies, whoever stores or asks.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Kind of agency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgencyKind {
    /// The provincial committee.
    Province,
    /// Sở, ban, ngành.
    Department,
    /// UBND huyện, thành phố.
    District,
    /// UBND xã, phường, thị trấn.
    Commune,
    /// A central ministry's branch in the province.
    Vertical,
    Media,
    Enterprise,
}

impl AgencyKind {
    pub const ALL: [Self; 7] = [
        Self::Province,
        Self::Department,
        Self::District,
        Self::Commune,
        Self::Vertical,
        Self::Media,
        Self::Enterprise,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Province => "province",
            Self::Department => "department",
            Self::District => "district",
            Self::Commune => "commune",
            Self::Vertical => "vertical",
            Self::Media => "media",
            Self::Enterprise => "enterprise",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// When an agency exists: from the first day, up to and without `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub from: Option<NaiveDate>,
    pub until: Option<NaiveDate>,
}

impl Validity {
    pub fn is_possible(self) -> bool {
        !matches!((self.from, self.until), (Some(from), Some(until)) if from >= until)
    }

    /// It exists on at least one day from `first` to `last`, both included.
    pub fn overlaps(self, first: NaiveDate, last: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= last) && self.until.is_none_or(|until| first < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_is_the_one_before_valid_to() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let merged = Validity { from: None, until: Some(day("2018-07-15")) };
        let successor = Validity { from: Some(day("2018-07-15")), until: None };
        assert!(merged.overlaps(day("2018-07-14"), day("2018-07-14")));
        assert!(!merged.overlaps(day("2018-07-15"), day("2018-12-31")));
        assert!(successor.overlaps(day("2018-01-01"), day("2018-12-31")));
        assert!(!successor.overlaps(day("2018-01-01"), day("2018-07-14")));
        assert!(!Validity { from: Some(day("2018-01-02")), until: Some(day("2018-01-02")) }.is_possible());
    }
}
