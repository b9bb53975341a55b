//! Square root, logarithm and exponential in decimals of 30 places: the same bits on every machine, which the platform's
//! own `ln` and `exp` do not promise. Results are right to within 2 units of the 18th place for arguments of a score's size.

use std::sync::LazyLock;

use bigdecimal::num_bigint::BigInt;
use bigdecimal::num_bigint::Sign;
use bigdecimal::{ToPrimitive, Zero};

use super::fixed::{Fixed, PLACES, divide_rounded};

const WORKING_PLACES: u32 = 30;
/// Beyond this the exponential no longer matters to a score; keeps hostile input from huge numbers.
const MAX_EXPONENT: i64 = 200;

static ONE: LazyLock<BigInt> = LazyLock::new(|| BigInt::from(10_u8).pow(WORKING_PLACES));
static GUARD: LazyLock<BigInt> = LazyLock::new(|| BigInt::from(10_u8).pow(WORKING_PLACES - PLACES));
static LN_2: LazyLock<BigInt> =
    LazyLock::new(|| twice_artanh(&divide_rounded(ONE.clone(), &BigInt::from(3_u8))));

/// A number of 30 places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wide(BigInt);

impl Wide {
    /// Natural logarithm; `None` for zero and below.
    pub fn ln(number: &Fixed) -> Option<Self> {
        if !number.is_positive() {
            return None;
        }
        let mut mantissa = number.units() * &*GUARD;
        let bits = i64::try_from(mantissa.bits()).unwrap_or(0);
        let shift = bits - i64::try_from(ONE.bits()).unwrap_or(0);
        mantissa =
            if shift >= 0 { mantissa >> shift.unsigned_abs() } else { mantissa << shift.unsigned_abs() };
        // A shift to the right drops bits: only numbers above 1 lose them, relative to their own size below 1e-30.
        let fraction = divide_rounded((&mantissa - &*ONE) * &*ONE, &(&mantissa + &*ONE));
        Some(Self(twice_artanh(&fraction) + &*LN_2 * shift))
    }

    /// Weighted mean of logarithms, Σ w·l ÷ Σ w; `None` when the weights add up to nothing.
    pub fn mean<'a>(terms: impl Iterator<Item = (&'a Fixed, &'a Self)>) -> Option<Self> {
        let (mut weighted, mut total) = (BigInt::zero(), BigInt::zero());
        for (weight, term) in terms {
            weighted += weight.units() * &term.0;
            total += weight.units();
        }
        (!total.is_zero()).then(|| Self(divide_rounded(weighted, &total)))
    }

    pub fn exp(&self) -> Fixed {
        let halvings = (&self.0 / &*LN_2).to_i64().unwrap_or(i64::MAX);
        if halvings.abs() > MAX_EXPONENT {
            return if self.0.sign() == Sign::Minus {
                Fixed::zero()
            } else {
                exp_of(&BigInt::zero(), MAX_EXPONENT)
            };
        }
        exp_of(&(&self.0 - &*LN_2 * halvings), halvings)
    }
}

/// e^rest · 2^halvings, by the series: `rest` is below ln 2.
fn exp_of(rest: &BigInt, halvings: i64) -> Fixed {
    let (mut sum, mut term, mut n) = (ONE.clone(), ONE.clone(), 1_u32);
    while !term.is_zero() {
        term = &term * rest / (&*ONE * n);
        sum += &term;
        n += 1;
    }
    let sum = if halvings >= 0 { sum << halvings.unsigned_abs() } else { sum >> halvings.unsigned_abs() };
    Fixed::from_units(divide_rounded(sum, &GUARD))
}

fn twice_artanh(fraction: &BigInt) -> BigInt {
    let square = fraction * fraction / &*ONE;
    let (mut sum, mut power, mut n) = (BigInt::zero(), fraction.clone(), 1_u32);
    while !power.is_zero() {
        sum += &power / n;
        power = power * &square / &*ONE;
        n += 2;
    }
    sum * 2_u8
}

/// Square root, rounded down at the last place; zero for a negative number.
pub fn square_root(number: &Fixed) -> Fixed {
    if !number.is_positive() {
        return Fixed::zero();
    }
    Fixed::from_units((number.units() * BigInt::from(10_u64.pow(PLACES))).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(text: &str) -> Fixed {
        text.parse().unwrap()
    }

    #[test]
    fn logarithm_and_exponential_undo_each_other() {
        for text in ["0.000000000000000001", "0.0001", "0.5", "0.8654", "1", "2", "57.3", "123456789.123456"]
        {
            let number = fixed(text);
            let back = Wide::ln(&number).unwrap().exp();
            let error = (&back - &number).abs();
            let allowed = number.times(&fixed("0.000000000000000002"));
            assert!(error <= (&allowed + &fixed("0.000000000000000001")), "{text} came back as {back}");
        }
    }

    #[test]
    fn known_values() {
        assert_eq!(Wide(ONE.clone()).exp(), fixed("2.718281828459045235"));
        assert_eq!(square_root(&fixed("2")), fixed("1.414213562373095048"));
        assert!(Wide::ln(&Fixed::zero()).is_none());
    }
}
