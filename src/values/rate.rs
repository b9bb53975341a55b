//! Rates: two counts, and what follows of them exactly. Rounded only when shown; compared with targets before.

use bigdecimal::{BigDecimal, ToPrimitive};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Decimal;

/// Scale of targets as integers: six decimals, as stored.
const SCALE: i128 = 1_000_000;

/// How the figure is compared with the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Comparator {
    Gte,
    Gt,
    Lte,
    Between,
}

impl Comparator {
    pub const ALL: [Self; 4] = [Self::Gte, Self::Gt, Self::Lte, Self::Between];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gte => "gte",
            Self::Gt => "gt",
            Self::Lte => "lte",
            Self::Between => "between",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == text)
    }
}

stored_as_text!(Comparator);

/// A bound for a rate, in percent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub comparator: Comparator,
    pub value: BigDecimal,
    /// Upper bound; only with `between`.
    pub value_to: Option<BigDecimal>,
}

/// Numerator and denominator; a sum of rates is the rate of the sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    pub numerator: i64,
    pub denominator: i64,
}

impl std::ops::Add for Rate {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            numerator: self.numerator + other.numerator,
            denominator: self.denominator + other.denominator,
        }
    }
}

impl Rate {
    pub fn new(numerator: i64, denominator: i64) -> Self {
        Self { numerator, denominator }
    }

    /// Percent, half up to two decimals; `None` when there is nothing to divide by.
    pub fn percent(self) -> Option<Decimal> {
        if self.denominator == 0 {
            return None;
        }
        let (numerator, denominator) = (i128::from(self.numerator), i128::from(self.denominator));
        let hundredths = (numerator * 20_000 + denominator).div_euclid(2 * denominator);
        Some(Decimal(BigDecimal::new(hundredths.into(), 2)))
    }

    /// Whether the exact rate keeps the bound; `None` without a rate.
    pub fn meets(self, bound: &Bound) -> Option<bool> {
        if self.denominator == 0 {
            return None;
        }
        let lower = self.lacks(&bound.value)?;
        Some(match bound.comparator {
            Comparator::Gte => lower <= 0,
            Comparator::Gt => lower < 0,
            Comparator::Lte => lower >= 0,
            Comparator::Between => lower <= 0 && bound.value_to.as_ref().and_then(|to| self.lacks(to))? >= 0,
        })
    }

    /// Percentage points still missing to keep the bound, rounded; negative (for `between`: 0) when it is kept.
    pub fn gap(self, bound: &Bound) -> Option<Decimal> {
        if self.denominator == 0 {
            return None;
        }
        let below = self.lacks(&bound.value)?;
        let missing = match (bound.comparator, &bound.value_to) {
            (Comparator::Lte, _) => -below,
            (Comparator::Between, Some(to)) => below.max(-self.lacks(to)?).max(0),
            _ => below,
        };
        // Millionths times the denominator, to hundredths; halves go away from zero.
        let unit = SCALE / 100 * i128::from(self.denominator);
        let (whole, rest) = (missing / unit, missing % unit);
        let rounded = whole + if 2 * rest.abs() >= unit { rest.signum() } else { 0 };
        Some(Decimal(BigDecimal::new(rounded.into(), 2)))
    }

    /// `value * denominator - 100 * numerator`, times a million: above zero, the rate is below the value.
    fn lacks(self, percent: &BigDecimal) -> Option<i128> {
        let scaled = (percent * BigDecimal::from(1_000_000)).to_i128()?;
        let denominator = i128::from(self.denominator);
        scaled.checked_mul(denominator)?.checked_sub(100 * SCALE * i128::from(self.numerator))
    }

    /// The fewest further dossiers, all online, that bring the rate to the bound: they raise numerator and denominator.
    pub fn needed(self, bound: &Bound) -> Option<i64> {
        let strict = match bound.comparator {
            Comparator::Gte | Comparator::Between => false,
            Comparator::Gt => true,
            Comparator::Lte => return None,
        };
        let rest = 100 * SCALE - (&bound.value * BigDecimal::from(1_000_000)).to_i128()?;
        if self.denominator == 0 {
            // One dossier, online, makes 100 %.
            return (rest > 0 || (rest == 0 && !strict)).then_some(1);
        }
        fewest(self.lacks(&bound.value)?, rest, strict)
    }

    /// The fewest of the present dossiers that would have had to come online.
    pub fn to_shift(self, bound: &Bound) -> Option<i64> {
        let strict = match bound.comparator {
            Comparator::Gte | Comparator::Between => false,
            Comparator::Gt => true,
            Comparator::Lte => return None,
        };
        let shifted = fewest(self.lacks(&bound.value)?, 100 * SCALE, strict)?;
        (self.denominator > 0 && shifted <= self.denominator - self.numerator).then_some(shifted)
    }
}

/// The least k ≥ 0 with `k * step ≥ lacks` (strictly above, when `strict`).
fn fewest(lacks: i128, step: i128, strict: bool) -> Option<i64> {
    let enough = |k: i128| if strict { k * step > lacks } else { k * step >= lacks };
    if enough(0) {
        return Some(0);
    }
    if step <= 0 {
        return None;
    }
    let k = lacks.div_euclid(step);
    [k, k + 1].into_iter().find(|k| enough(*k)).and_then(|k| i64::try_from(k).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at_least(percent: &str) -> Bound {
        Bound { comparator: Comparator::Gte, value: percent.parse().unwrap(), value_to: None }
    }

    fn percent(numerator: i64, denominator: i64) -> Option<String> {
        Rate::new(numerator, denominator).percent().map(|d| d.0.to_string())
    }

    #[test]
    fn published_and_awkward_rates() {
        assert_eq!(percent(0, 100).unwrap(), "0");
        assert_eq!(percent(0, 0), None);
        assert_eq!(percent(1, 3).unwrap(), "33.33");
        assert_eq!(percent(2, 3).unwrap(), "66.67");
        assert_eq!(percent(1155, 2020).unwrap(), "57.18");
        assert_eq!(percent(751, 2020).unwrap(), "37.18");
        assert_eq!(percent(1, 800).unwrap(), "0.13", "half up");
        let sum = Rate::new(1, 2) + Rate::new(9, 10);
        assert_eq!(sum, Rate::new(10, 12));
        assert_eq!(sum.percent().unwrap().0.to_string(), "83.33", "not the mean, 70.00");
    }

    #[test]
    fn dossiers_needed_and_to_shift() {
        let rate = Rate::new(55, 100);
        assert_eq!(rate.needed(&at_least("60")), Some(13));
        assert_eq!(rate.to_shift(&at_least("60")), Some(5));
        assert_eq!(rate.gap(&at_least("60")).unwrap().0.to_string(), "5.00");
        assert_eq!(Rate::new(60, 100).needed(&at_least("60")), Some(0));
        assert_eq!(rate.needed(&at_least("100")), None, "no number of further dossiers makes it 100 %");
        assert_eq!(Rate::new(0, 0).needed(&at_least("60")), Some(1));
        assert_eq!(Rate::new(0, 0).to_shift(&at_least("60")), None);
        let above = Bound { comparator: Comparator::Gt, ..at_least("60") };
        assert_eq!(Rate::new(60, 100).needed(&above), Some(1));
        assert_eq!(Rate::new(60, 100).to_shift(&above), Some(1));
    }

    #[test]
    fn gaps_are_what_is_missing_whichever_way_the_bound_looks() {
        let gap = |numerator, comparator, to: Option<&str>| {
            let value_to = to.map(|to| to.parse().unwrap());
            let bound = Bound { comparator, value: "40".parse().unwrap(), value_to };
            Rate::new(numerator, 100).gap(&bound).unwrap().0.normalized().to_string()
        };
        assert_eq!(gap(30, Comparator::Gte, None), "10");
        assert_eq!(gap(30, Comparator::Lte, None), "-10");
        assert_eq!(gap(50, Comparator::Lte, None), "10");
        assert_eq!(gap(95, Comparator::Between, Some("60")), "35");
        assert_eq!(gap(50, Comparator::Between, Some("60")), "0");
        assert_eq!(gap(30, Comparator::Between, Some("60")), "10");
    }

    #[test]
    fn targets_are_compared_before_rounding() {
        // 59.996 % shows as 60.00 and still misses 60 %.
        let rate = Rate::new(14_999, 25_000);
        assert_eq!(rate.percent().unwrap().0.to_string(), "60.00");
        assert_eq!(rate.meets(&at_least("60")), Some(false));
    }

    proptest! {
        #[test]
        fn a_gap_is_the_exact_difference_rounded(
            n in 0_i64..1_000_000, more in 0_i64..1_000_000, millionths in 0_i64..200_000_000, which in 0_usize..4
        ) {
            let (rate, value) = (Rate::new(n, n + more + 1), BigDecimal::new(millionths.into(), 6));
            let value_to = (which == 3).then(|| 100.into());
            let bound = Bound { comparator: Comparator::ALL[which], value: value.clone(), value_to };
            let points = value - BigDecimal::from(100 * n) / BigDecimal::from(rate.denominator);
            let missing = match bound.comparator {
                Comparator::Lte => -points,
                Comparator::Between => points.max(0.into()),
                _ => points,
            };
            prop_assert_eq!(rate.gap(&bound), Some(Decimal::rounded(&missing, 2)));
        }

        #[test]
        fn needed_is_enough_and_one_less_is_not(numerator in 0i64..10_000, more in 0i64..10_000, target in 1i64..10_000) {
            let rate = Rate::new(numerator, numerator + more);
            let bound = at_least(&format!("{}.{:02}", target / 100, target % 100));
            if rate.denominator > 0 {
                let k = rate.needed(&bound).unwrap();
                let with = |k| Rate::new(numerator + k, rate.denominator + k).meets(&bound).unwrap();
                prop_assert!(with(k));
                prop_assert!(k == 0 || !with(k - 1));
                let k = rate.to_shift(&bound).unwrap();
                let shifted = |k| Rate::new(numerator + k, rate.denominator).meets(&bound).unwrap();
                prop_assert!(shifted(k));
                prop_assert!(k == 0 || !shifted(k - 1));
            }
        }
    }
}
