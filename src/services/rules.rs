//! What is true of procedures, whoever stores or asks.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::Msg;

/// Where a procedure is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceTier {
    Province,
    District,
    Commune,
}

impl ServiceTier {
    pub const ALL: [Self; 3] = [Self::Province, Self::District, Self::Commune];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Province => "province",
            Self::District => "district",
            Self::Commune => "commune",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == text)
    }
}

/// Whether a procedure is in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceStatus {
    #[default]
    InForce,
    Abolished,
    /// The same as another procedure, which `duplicate_of` names.
    Duplicate,
}

impl ServiceStatus {
    pub const ALL: [Self; 3] = [Self::InForce, Self::Abolished, Self::Duplicate];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Abolished => "abolished",
            Self::Duplicate => "duplicate",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// The first row of a status history begins here: `-infinity` cannot be read as a calendar date.
pub const SINCE_EVER: NaiveDate = match NaiveDate::from_ymd_opt(1, 1, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// `1.011443`, `1.011443.000.00.00.H38`, or the legacy `T-LCA-123456-TT`.
pub fn is_service_code(code: &str) -> bool {
    is_national(code) || is_legacy(code)
}

fn is_national(code: &str) -> bool {
    const SHORT: &str = "9.999999";
    const LONG: &str = "9.999999.999.99.99.H99";
    [SHORT, LONG].iter().any(|shape| {
        shape.len() == code.len()
            && shape.bytes().zip(code.bytes()).all(|(wanted, given)| match wanted {
                b'9' => given.is_ascii_digit(),
                _ => wanted == given,
            })
    })
}

fn is_legacy(code: &str) -> bool {
    let parts: Vec<&str> = code.split('-').collect();
    let (place, number) = match parts.as_slice() {
        ["T", place, number] | ["T", place, number, "TT"] => (place, number),
        _ => return false,
    };
    (2..=4).contains(&place.len())
        && place.bytes().all(|b| b.is_ascii_uppercase())
        && (4..=8).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// Levels of decree 43/2011.
pub fn is_level(level: i64) -> bool {
    (1..=4).contains(&level)
}

/// Why a status cannot begin on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusDayFault {
    /// What is stored as the present status is the one of today.
    InFuture,
    /// The history is written forwards.
    BeforeLatest,
}

/// Whether a status can begin on `day` when the latest one began on `latest`; the same day replaces it.
pub fn status_day(day: NaiveDate, latest: NaiveDate, today: NaiveDate) -> Result<(), StatusDayFault> {
    if day > today {
        Err(StatusDayFault::InFuture)
    } else if day < latest {
        Err(StatusDayFault::BeforeLatest)
    } else {
        Ok(())
    }
}

pub fn no_service(code: &str) -> Msg {
    msg!(
        "Không tìm thấy thủ tục hành chính có mã `{code}` trong danh mục.",
        "Procedure `{code}` does not exist."
    )
}

pub fn itself_a_duplicate(code: &str) -> Msg {
    msg!(
        "Thủ tục `{code}` cũng là thủ tục trùng; đề nghị ghi mã của thủ tục gốc.",
        "Procedure `{code}` is itself a duplicate. Name the original."
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_are_national_or_legacy() {
        for good in [
            "1.011443",
            "2.000001",
            "1.011443.000.00.00.H38",
            "T-LCA-123456",
            "T-LCA-1234-TT",
            "T-HN-12345678-TT",
        ] {
            assert!(is_service_code(good), "{good} must be taken");
        }
        for bad in [
            "",
            "1.01144",
            "1.0114433",
            "11.011443",
            "1,011443",
            "1.011443.000.00.00",
            "1.011443.000.00.00.H3",
            "1.011443.000.00.00.h38",
            "1.011443.000.00.00.H38 ",
            "１.011443",
            "T-LCA-123",
            "T-LCA-123456789",
            "T-lca-123456",
            "T-L-123456",
            "T-LCAAA-123456",
            "T-LCA-123456-TTX",
            "T-LCA-123456-TT-TT",
            "X-LCA-123456",
            "Cấp giấy phép lái xe",
        ] {
            assert!(!is_service_code(bad), "{bad} must be refused");
        }
    }

    #[test]
    fn a_status_begins_neither_in_the_future_nor_before_the_latest() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let checked = |from: &str| status_day(day(from), day("2018-02-01"), day("2018-03-15"));
        assert_eq!(checked("2018-01-31"), Err(StatusDayFault::BeforeLatest));
        assert_eq!(checked("2018-02-01"), Ok(()));
        assert_eq!(checked("2018-03-15"), Ok(()));
        assert_eq!(checked("2018-03-16"), Err(StatusDayFault::InFuture));
        assert!(SINCE_EVER < day("1900-01-01"));
    }

    #[test]
    fn levels_have_bounds() {
        assert_eq!([0, 1, 4, 5].map(is_level), [false, true, true, false]);
    }

    proptest! {
        #[test]
        fn a_service_code_can_stand_in_a_path(code in "[0-9]\\.[0-9]{6}|T-[A-Z]{2,4}-[0-9]{4,8}|\\PC{0,30}") {
            prop_assert!(!is_service_code(&code) || crate::ids::is_code(&code));
        }
    }
}
