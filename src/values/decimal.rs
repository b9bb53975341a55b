//! Exact numbers from JSON text to NUMERIC, never through binary floating point.

use std::str::FromStr;

use bigdecimal::{BigDecimal, RoundingMode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};
use utoipa::PartialSchema;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Type};

/// Digits before the point that a figure may have; `NUMERIC(24, 6)` holds them.
const MAX_INTEGER_DIGITS: i64 = 18;
/// Digits after the point that a figure may have.
const MAX_SCALE: i64 = 6;
/// Longest spelling read at all, so that `1e999999999` is refused before anything is computed.
const MAX_SPELLING: usize = 40;

/// A decimal that is a JSON number on the wire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(pub BigDecimal);

/// Why a spelling is not taken for a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFault {
    /// Not a number at all.
    NotANumber,
    /// `84,1`: a decimal comma.
    DecimalComma,
    /// `1.155` as text: thousands or decimals?
    Ambiguous,
    /// A number with a fraction where a count is meant.
    NotAnInteger,
    /// More digits than a figure of this service has.
    OutOfRange,
}

impl Decimal {
    /// Reads the text of a JSON number exactly.
    pub fn parse(text: &str) -> Result<Self, NumberFault> {
        if text.len() > MAX_SPELLING {
            return Err(NumberFault::OutOfRange);
        }
        if let Some((_, exponent)) = text.split_once(['e', 'E']) {
            let exponent: i64 = exponent.parse().map_err(|_| NumberFault::OutOfRange)?;
            if exponent.unsigned_abs() > (MAX_INTEGER_DIGITS + MAX_SCALE).unsigned_abs() {
                return Err(NumberFault::OutOfRange);
            }
        }
        let value = BigDecimal::from_str(text).map_err(|_| NumberFault::NotANumber)?.normalized();
        let (_, scale) = value.as_bigint_and_exponent();
        let integer_digits = i64::try_from(value.digits()).unwrap_or(i64::MAX).saturating_sub(scale);
        if scale > MAX_SCALE || integer_digits > MAX_INTEGER_DIGITS {
            return Err(NumberFault::OutOfRange);
        }
        Ok(Self(value))
    }

    /// Rounds half up to `places`, for output alone.
    pub fn rounded(value: &BigDecimal, places: i64) -> Self {
        Self(value.with_scale_round(places, RoundingMode::HalfUp))
    }
}

impl From<BigDecimal> for Decimal {
    fn from(value: BigDecimal) -> Self {
        Self(value)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let plain = self.0.normalized().to_plain_string();
        Number::from_str(&plain).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        number_of(&value).map_err(|fault| serde::de::Error::custom(fault.code()))
    }
}

impl PartialSchema for Decimal {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        ObjectBuilder::new().schema_type(Type::Number).examples([serde_json::json!(55)]).build().into()
    }
}

impl ToSchema for Decimal {}

impl NumberFault {
    /// The contract's code for the fault.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotANumber => "NOT_A_NUMBER",
            Self::DecimalComma => "DECIMAL_COMMA",
            Self::Ambiguous => "AMBIGUOUS_NUMBER",
            Self::NotAnInteger => "NOT_AN_INTEGER",
            Self::OutOfRange => "NUMBER_OUT_OF_RANGE",
        }
    }
}

/// Reads a figure. Text is refused with the reason that helps: people paste what a spreadsheet shows.
pub fn number_of(value: &Value) -> Result<Decimal, NumberFault> {
    match value {
        Value::Number(number) => Decimal::parse(&number.to_string()),
        Value::String(text) => Err(fault_of_text(text)),
        _ => Err(NumberFault::NotANumber),
    }
}

/// Reads a count: a whole number of at most 18 digits. `1155.0` is one, `1.155` is not.
pub fn integer_of(value: &Value) -> Result<i64, NumberFault> {
    let decimal = number_of(value)?;
    if !decimal.0.is_integer() {
        return Err(NumberFault::NotAnInteger);
    }
    let (digits, exponent) = decimal.0.with_scale(0).into_bigint_and_exponent();
    if exponent == 0 {
        i64::try_from(digits).map_err(|_| NumberFault::OutOfRange)
    } else {
        Err(NumberFault::OutOfRange)
    }
}

fn fault_of_text(text: &str) -> NumberFault {
    let text = text.trim().trim_start_matches('-').trim_end_matches('%').trim_end();
    let digits_and = |allowed: &[char]| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || allowed.contains(&c))
    };
    if digits_and(&['.', ',']) && text.contains(',') {
        return NumberFault::DecimalComma;
    }
    if digits_and(&['.']) && text.contains('.') {
        return NumberFault::Ambiguous;
    }
    NumberFault::NotANumber
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn json_numbers_stay_exact() {
        let read: Decimal = serde_json::from_str("0.1").unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), "0.1");
        let long: Decimal = serde_json::from_str("123456789012345678.123456").unwrap();
        assert_eq!(serde_json::to_string(&long).unwrap(), "123456789012345678.123456");
        assert_eq!(serde_json::to_string(&Decimal::parse("1e3").unwrap()).unwrap(), "1000");
    }

    #[test]
    fn spellings_of_spreadsheets_are_refused_with_their_reason() {
        assert_eq!(number_of(&json!("84,1")), Err(NumberFault::DecimalComma));
        assert_eq!(number_of(&json!("1.155")), Err(NumberFault::Ambiguous));
        assert_eq!(number_of(&json!("abc")), Err(NumberFault::NotANumber));
        assert_eq!(number_of(&json!(null)), Err(NumberFault::NotANumber));
        assert_eq!(number_of(&serde_json::from_str("1e400").unwrap()), Err(NumberFault::OutOfRange));
        assert_eq!(number_of(&serde_json::from_str("1e-999999999").unwrap()), Err(NumberFault::OutOfRange));
        assert_eq!(Decimal::parse("1e-9223372036854775808"), Err(NumberFault::OutOfRange));
        assert_eq!(integer_of(&serde_json::from_str("1.155").unwrap()), Err(NumberFault::NotAnInteger));
        assert_eq!(integer_of(&serde_json::from_str("1155.0").unwrap()), Ok(1155));
        assert_eq!(integer_of(&serde_json::from_str("-3").unwrap()), Ok(-3));
    }

    #[test]
    fn rounding_is_half_up() {
        let third = BigDecimal::from(100) / BigDecimal::from(3);
        assert_eq!(Decimal::rounded(&third, 2).0.to_string(), "33.33");
        assert_eq!(Decimal::rounded(&"0.125".parse().unwrap(), 2).0.to_string(), "0.13");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_never_panics(text in "\\PC{0,60}") {
            let _ = Decimal::parse(&text);
            let _ = fault_of_text(&text);
        }

        #[test]
        fn what_is_read_is_written_back(whole in -999_999_999i64..999_999_999, cents in 0u32..1_000_000) {
            let text = format!("{whole}.{cents:06}");
            let read = Decimal::parse(&text).unwrap();
            let written = serde_json::to_string(&read).unwrap();
            prop_assert_eq!(Decimal::parse(&written).unwrap(), read);
        }
    }
}
