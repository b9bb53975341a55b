//! How a target stands on a day. Exact figures all the way: nothing is rounded before it is shown.
//!
//! *Expected by now* lies on a straight line from the first day of the target's year to the day it is due. It starts at the
//! baseline, else at 0; a limit that must not be exceeded (`lte`) holds from the first day when there is no baseline.
//! A figure that keeps the target is `achieved`, whenever. One that does not is `off_track` once the due day is over; before,
//! it is `on_track` when it is where it is expected or better, `at_risk` when it is behind by at most a fifth of the whole way
//! from start to target ([`TOLERATED`]), else `off_track`.

use std::cmp::Ordering;

use bigdecimal::{BigDecimal, Zero};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::values::{Bound, Comparator, Decimal};

/// One part in so many of the way from start to target: as far as a figure may be behind and still be called at risk.
pub const TOLERATED: i64 = 5;

/// Status of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProgressStatus)]
pub enum Status {
    /// The exact figure keeps the target.
    Achieved,
    /// Not there yet, and not behind what is expected by now.
    OnTrack,
    /// Behind by at most a fifth of the whole way.
    AtRisk,
    /// Further behind, or due already.
    OffTrack,
    /// There is nothing to compare; see the reason.
    NotAssessable,
}

impl Status {
    pub const ALL: [Self; 5] =
        [Self::Achieved, Self::OnTrack, Self::AtRisk, Self::OffTrack, Self::NotAssessable];
}

/// Why a target has its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProgressReason)]
pub enum Reason {
    /// The figure keeps the target.
    Met,
    /// Where it is expected, or better.
    AsExpected,
    /// Behind what is expected by now.
    Behind,
    /// The due day is over and the target is not met.
    DuePassed,
    /// Nothing was accepted or counted in the target's year.
    NoFigure,
    /// There are figures, and nothing to divide by.
    ZeroDenominator,
    /// The target is in another unit than the indicator is reported in.
    UnitDiffers,
    /// The target is for a part of the indicator that submissions do not tell apart.
    BreakdownNotReported,
    /// Values of several agencies, without numerator and denominator: they do not add up to one of the province.
    NotASum,
    /// There is no such indicator or rate.
    UnknownSubject,
    /// Withheld from this caller: the figure is made of submissions of fewer than five agencies that they may not read.
    Withheld,
}

/// What the line of expected figures starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProgressStart)]
pub enum Start {
    /// The latest figure of a year before.
    Baseline,
    /// 0: there is no baseline.
    Zero,
    /// The limit itself, which holds from the first day: there is no baseline.
    Limit,
}

/// A quotient that is not carried out before it is shown. `under` is above zero.
#[derive(Clone, Debug)]
pub struct Exact {
    over: BigDecimal,
    under: BigDecimal,
}

impl Exact {
    pub fn whole(value: BigDecimal) -> Self {
        Self { over: value, under: BigDecimal::from(1) }
    }

    /// `None` when there is nothing to divide by.
    pub fn quotient(over: BigDecimal, under: BigDecimal) -> Option<Self> {
        (under > BigDecimal::zero()).then_some(Self { over, under })
    }

    pub fn minus(&self, other: &Self) -> Self {
        Self {
            over: &self.over * &other.under - &other.over * &self.under,
            under: &self.under * &other.under,
        }
    }

    pub fn plus(&self, other: &Self) -> Self {
        Self {
            over: &self.over * &other.under + &other.over * &self.under,
            under: &self.under * &other.under,
        }
    }

    /// Times `n / of`, where `of` is above zero.
    pub fn times(&self, n: i64, of: i64) -> Self {
        Self { over: &self.over * BigDecimal::from(n), under: &self.under * BigDecimal::from(of) }
    }

    fn size(&self) -> Self {
        Self { over: self.over.abs(), under: self.under.clone() }
    }

    fn is_zero(&self) -> bool {
        self.over.is_zero()
    }

    /// Half up to two decimals.
    pub fn shown(&self) -> Decimal {
        Decimal::rounded(&(&self.over / &self.under), 2)
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Exact {}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.over * &other.under).cmp(&(&other.over * &self.under))
    }
}

/// A target's way through its year, looked at on a day.
#[derive(Clone, Debug)]
pub struct Course {
    pub bound: Bound,
    /// First day of the target's year.
    pub begins: NaiveDate,
    pub due: NaiveDate,
    pub on: NaiveDate,
    /// In the target's unit.
    pub baseline: Option<BigDecimal>,
}

/// How it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    pub status: Status,
    pub reason: Reason,
    pub expected: Exact,
    pub start: Start,
    /// What is missing, in the target's unit; below zero (`between`: zero) when the target is passed.
    pub gap: Option<Exact>,
    /// What has to be gained each month until the due day (a month being 365/12 days): 0 when the target is met, `None` when no
    /// time is left or there is no figure.
    pub pace: Option<Exact>,
}

/// The way from where it starts to the edge of what is allowed.
struct Way {
    start: Exact,
    goal: Exact,
    from: Start,
    upwards: bool,
}

impl Course {
    /// How the target stands with this figure, or without one.
    pub fn assess(&self, actual: Result<&Exact, Reason>) -> Assessment {
        let way = self.way(actual.ok());
        let (passed, whole) = self.passed();
        let expected = way.start.plus(&way.goal.minus(&way.start).times(passed, whole));
        let (status, reason) = match actual {
            Err(reason) => (Status::NotAssessable, reason),
            Ok(actual) => self.status(actual, &expected, &way),
        };
        let gap = actual.ok().map(|actual| self.gap(actual, &way));
        let days = (self.due - self.on).num_days();
        let pace = match (&gap, status) {
            (Some(_), Status::Achieved) => Some(Exact::whole(BigDecimal::zero())),
            (Some(gap), _) if days > 0 => Some(gap.times(365, 12 * days)),
            _ => None,
        };
        Assessment { status, reason, expected, start: way.from, gap, pace }
    }

    fn status(&self, actual: &Exact, expected: &Exact, way: &Way) -> (Status, Reason) {
        if self.keeps(actual) {
            return (Status::Achieved, Reason::Met);
        }
        if self.on > self.due {
            return (Status::OffTrack, Reason::DuePassed);
        }
        let behind = if way.upwards { expected.minus(actual) } else { actual.minus(expected) };
        if behind <= Exact::whole(BigDecimal::zero()) {
            return (Status::OnTrack, Reason::AsExpected);
        }
        let distance = way.goal.minus(&way.start).size();
        // It began at the target and has fallen behind it: measured by the target itself.
        let distance = if distance.is_zero() { way.goal.size() } else { distance };
        let status = if behind.times(TOLERATED, 1) <= distance { Status::AtRisk } else { Status::OffTrack };
        (status, Reason::Behind)
    }

    fn keeps(&self, actual: &Exact) -> bool {
        let value = Exact::whole(self.bound.value.clone());
        match (self.bound.comparator, &self.bound.value_to) {
            (Comparator::Gte, _) => *actual >= value,
            (Comparator::Gt, _) => *actual > value,
            (Comparator::Lte, _) => *actual <= value,
            (Comparator::Between, Some(to)) => *actual >= value && *actual <= Exact::whole(to.clone()),
            (Comparator::Between, None) => false,
        }
    }

    fn gap(&self, actual: &Exact, way: &Way) -> Exact {
        if self.bound.comparator == Comparator::Between && self.keeps(actual) {
            return Exact::whole(BigDecimal::zero());
        }
        if way.upwards { way.goal.minus(actual) } else { actual.minus(&way.goal) }
    }

    /// Up to the value, or down to a limit; to the nearer edge of what lies between two.
    fn way(&self, actual: Option<&Exact>) -> Way {
        let baseline = self.baseline.clone().map(Exact::whole);
        let value = Exact::whole(self.bound.value.clone());
        let (upwards, goal) = match (self.bound.comparator, &self.bound.value_to) {
            (Comparator::Lte, _) => (false, value),
            (Comparator::Between, Some(to)) => {
                let to = Exact::whole(to.clone());
                let above = actual.or(baseline.as_ref()).is_some_and(|stands| *stands > to);
                (!above, if above { to } else { value })
            }
            _ => (true, value),
        };
        let zero = Exact::whole(BigDecimal::zero());
        let (start, from) = match (baseline, upwards) {
            // From beyond the target nothing leads back to it: what is kept is to be kept.
            (Some(baseline), true) => (baseline.min(goal.clone()), Start::Baseline),
            (Some(baseline), false) => (baseline.max(goal.clone()), Start::Baseline),
            (None, true) => (zero.min(goal.clone()), Start::Zero),
            (None, false) => (goal.clone(), Start::Limit),
        };
        Way { start, goal, from, upwards }
    }

    /// Days of the way that are over, and all of them; all of them above zero.
    fn passed(&self) -> (i64, i64) {
        let whole = (self.due - self.begins).num_days();
        if whole <= 0 {
            return (i64::from(self.on >= self.due), 1);
        }
        ((self.on - self.begins).num_days().clamp(0, whole), whole)
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
