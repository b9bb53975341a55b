//! Exact decimals of 18 places: sums and differences are exact, a product or quotient is rounded once, half away from
//! zero. No size limit on what is computed, so nothing overflows; what is *read* is limited.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};
use std::str::FromStr;
use std::sync::LazyLock;

use bigdecimal::num_bigint::BigInt;
use bigdecimal::{BigDecimal, RoundingMode, Signed, ToPrimitive, Zero};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};

/// Places after the point that every number of the engine has.
pub const PLACES: u32 = 18;
/// Places that survive the rounding errors of a whole tree: ranks are decided on these, then on the framework's own.
pub const GUARD_PLACES: u32 = 12;
/// One in units of the last place; fits a machine word, which keeps the divisions short.
const ONE: u64 = 10_u64.pow(PLACES);
/// Digits before the point of a number that is read.
const MAX_INTEGER_DIGITS: i64 = 24;
/// Longest spelling read at all, so that `1e999999999` is refused before anything is computed.
const MAX_SPELLING: usize = 60;

static ZERO: LazyLock<Fixed> = LazyLock::new(Fixed::default);

/// A decimal with 18 places.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fixed(BigInt);

/// A number that is none, or has more than 24 digits before or 18 after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number of at most 24 digits before and 18 after the point")]
pub struct NotFixed;

impl Fixed {
    pub fn zero() -> Self {
        Self::default()
    }

    pub fn zero_ref() -> &'static Self {
        &ZERO
    }

    pub fn one() -> Self {
        Self(BigInt::from(ONE))
    }

    pub fn half() -> Self {
        Self(BigInt::from(ONE / 2))
    }

    pub fn whole(number: usize) -> Self {
        Self(BigInt::from(number) * ONE)
    }

    /// A number in units of the last place.
    pub fn from_units(units: BigInt) -> Self {
        Self(units)
    }

    pub fn units(&self) -> &BigInt {
        &self.0
    }

    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    pub fn is_positive(&self) -> bool {
        self.0.is_positive()
    }

    pub fn is_negative(&self) -> bool {
        self.0.is_negative()
    }

    pub fn abs(&self) -> Self {
        Self(self.0.abs())
    }

    pub fn times(&self, other: &Self) -> Self {
        if other.0 == BigInt::from(ONE) {
            return self.clone();
        }
        Self(divide_rounded(&self.0 * &other.0, &BigInt::from(ONE)))
    }

    /// `None` for a divisor of zero.
    pub fn over(&self, divisor: &Self) -> Option<Self> {
        (!divisor.is_zero()).then(|| Self(divide_rounded(&self.0 * ONE, &divisor.0)))
    }

    /// `self × factor ÷ divisor`, rounded once; `None` for a divisor of zero.
    pub fn times_over(&self, factor: &Self, divisor: &Self) -> Option<Self> {
        (!divisor.is_zero()).then(|| Self(divide_rounded(&self.0 * &factor.0, &divisor.0)))
    }

    /// Σ a·b ÷ divisor with one rounding at the end; `None` for a divisor of zero.
    pub fn dot_over<'a>(pairs: impl Iterator<Item = (&'a Self, &'a Self)>, divisor: &Self) -> Option<Self> {
        let sum: BigInt = pairs.map(|(a, b)| &a.0 * &b.0).sum();
        (!divisor.is_zero()).then(|| Self(divide_rounded(sum, &divisor.0)))
    }

    pub fn clamped(self, lo: &Self, hi: &Self) -> Self {
        if &self < lo {
            lo.clone()
        } else if &self > hi {
            hi.clone()
        } else {
            self
        }
    }

    /// Half up (towards plus infinity), as published scores are rounded; rounding errors of the last places are taken
    /// off first, so that a mean of thirds that is exactly 0.5 does not become 0.499….
    pub fn half_up(&self, places: u32) -> Self {
        let guarded = round_units(&self.0, GUARD_PLACES.max(places));
        Self(round_units(&guarded, places))
    }

    /// The next multiple of 10^-places at or above (`up`), at or below otherwise.
    pub fn stepped(&self, places: u32, up: bool) -> Self {
        let step = BigInt::from(10_u64.pow(PLACES.saturating_sub(places)));
        let floor = floor_div(&self.0, &step) * &step;
        Self(if up && floor != self.0 { floor + step } else { floor })
    }

    /// For statistics that are not exact anyway.
    pub fn to_f64(&self) -> f64 {
        self.0.to_f64().unwrap_or(0.0) / 1e18
    }

    pub fn to_decimal(&self) -> BigDecimal {
        BigDecimal::new(self.0.clone(), i64::from(PLACES)).normalized()
    }
}

/// Half away from zero.
pub fn divide_rounded(numerator: BigInt, divisor: &BigInt) -> BigInt {
    let negative = numerator.is_negative() != divisor.is_negative();
    let divisor = divisor.abs();
    let quotient = (numerator.abs() * 2_u8 + &divisor) / (divisor * 2_u8);
    if negative { -quotient } else { quotient }
}

fn floor_div(number: &BigInt, step: &BigInt) -> BigInt {
    let quotient = number / step;
    if number.is_negative() && &quotient * step != *number { quotient - 1_u8 } else { quotient }
}

fn round_units(units: &BigInt, places: u32) -> BigInt {
    let step = BigInt::from(10_u64.pow(PLACES.saturating_sub(places)));
    if step == BigInt::from(1_u8) {
        return units.clone();
    }
    floor_div(&(units + &step / 2_u8), &step) * step
}

impl Add for &Fixed {
    type Output = Fixed;

    fn add(self, other: Self) -> Fixed {
        Fixed(&self.0 + &other.0)
    }
}

impl Sub for &Fixed {
    type Output = Fixed;

    fn sub(self, other: Self) -> Fixed {
        Fixed(&self.0 - &other.0)
    }
}

impl Neg for &Fixed {
    type Output = Fixed;

    fn neg(self) -> Fixed {
        Fixed(-&self.0)
    }
}

impl AddAssign<&Fixed> for Fixed {
    fn add_assign(&mut self, other: &Self) {
        self.0 += &other.0;
    }
}

impl<'a> Sum<&'a Fixed> for Fixed {
    fn sum<I: Iterator<Item = &'a Self>>(numbers: I) -> Self {
        Self(numbers.map(|number| &number.0).sum())
    }
}

impl Sum for Fixed {
    fn sum<I: Iterator<Item = Self>>(numbers: I) -> Self {
        Self(numbers.map(|number| number.0).sum())
    }
}

impl TryFrom<&BigDecimal> for Fixed {
    type Error = NotFixed;

    fn try_from(number: &BigDecimal) -> Result<Self, NotFixed> {
        if number.is_zero() {
            return Ok(Self::zero());
        }
        let number = number.normalized();
        let (_, scale) = number.as_bigint_and_exponent();
        let integer_digits = i64::try_from(number.digits()).unwrap_or(i64::MAX).saturating_sub(scale);
        if scale > i64::from(PLACES) || integer_digits > MAX_INTEGER_DIGITS {
            return Err(NotFixed);
        }
        let (units, _) =
            number.with_scale_round(i64::from(PLACES), RoundingMode::Down).into_bigint_and_exponent();
        Ok(Self(units))
    }
}

impl FromStr for Fixed {
    type Err = NotFixed;

    fn from_str(text: &str) -> Result<Self, NotFixed> {
        if text.len() > MAX_SPELLING {
            return Err(NotFixed);
        }
        Self::try_from(&BigDecimal::from_str(text).map_err(|_| NotFixed)?)
    }
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_decimal().to_plain_string())
    }
}

impl Serialize for Fixed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Number::from_str(&self.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fixed {
    /// A JSON number by its spelling: never through binary floating point. What is none is told by its code.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Value::Number(number) = Value::deserialize(deserializer)? else {
            return Err(serde::de::Error::custom("NOT_A_NUMBER"));
        };
        number.to_string().parse().map_err(|NotFixed| serde::de::Error::custom("NUMBER_OUT_OF_RANGE"))
    }
}

impl utoipa::PartialSchema for Fixed {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new().schema_type(Type::Number).examples([serde_json::json!(0.5)]).build().into()
    }
}

impl utoipa::ToSchema for Fixed {}
