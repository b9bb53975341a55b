//! The only place that knows the time. Everything else is handed a `Clock` or an instant.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Days, FixedOffset, NaiveDate, SubsecRound, Utc};

/// Offset of Asia/Ho_Chi_Minh: UTC+7 without summer time since 13 June 1975, so for every date this service can hold.
const BUSINESS_OFFSET_SECONDS: i32 = 7 * 3600;

/// Source of the present instant: the system's, or one that a test sets.
#[derive(Clone, Debug)]
pub enum Clock {
    System,
    Fixed(Arc<Mutex<DateTime<Utc>>>),
}

impl Clock {
    /// A clock that stands still at `instant` until [`Clock::set`] moves it.
    pub fn fixed(instant: DateTime<Utc>) -> Self {
        Self::Fixed(Arc::new(Mutex::new(instant)))
    }

    #[allow(clippy::disallowed_methods)]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            // What is answered at once is what is read back later: PostgreSQL keeps microseconds.
            Self::System => Utc::now().trunc_subsecs(6),
            Self::Fixed(instant) => *instant.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a fixed clock; the system's clock is not ours to move.
    pub fn set(&self, instant: DateTime<Utc>) {
        if let Self::Fixed(held) = self {
            *held.lock().unwrap_or_else(PoisonError::into_inner) = instant;
        }
    }
}

/// The business day of an instant: its calendar date in Asia/Ho_Chi_Minh.
pub fn business_day(instant: DateTime<Utc>) -> NaiveDate {
    FixedOffset::east_opt(BUSINESS_OFFSET_SECONDS)
        .map_or_else(|| instant.date_naive(), |offset| instant.with_timezone(&offset).date_naive())
}

/// The instant at which `day` is over in Asia/Ho_Chi_Minh.
pub fn end_of_business_day(day: NaiveDate) -> DateTime<Utc> {
    let next = day.checked_add_days(Days::new(1)).unwrap_or(NaiveDate::MAX);
    next.and_time(chrono::NaiveTime::MIN).and_utc()
        - chrono::Duration::seconds(i64::from(BUSINESS_OFFSET_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_business_day_begins_at_17_utc() {
        let before = "2018-03-31T16:59:59Z".parse().unwrap();
        let after = "2018-03-31T17:00:00Z".parse().unwrap();
        assert_eq!(business_day(before).to_string(), "2018-03-31");
        assert_eq!(business_day(after).to_string(), "2018-04-01");
        assert_eq!(end_of_business_day(business_day(before)), after);
    }
}
