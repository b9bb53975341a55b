//! Query parameters: typed, composed, and refused by name where they are unknown, repeated or malformed.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Msg, Problem, ProblemCode, dates, serde_text};
use crate::values::{invisible_character, nfc};

/// Values of one parameter, separated by commas.
const MOST_VALUES: usize = 500;

/// The query's pairs, decoded and composed; a value that is not UTF-8 or holds invisible characters is refused.
pub fn pairs(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).map_err(|_| {
        Problem::with(
            ProblemCode::InvalidParameter,
            Msg::fixed("Tham số truy vấn sai cú pháp.", "Malformed query string."),
        )
    })?;
    let is_refused = |text: &str| invisible_character(&text.replace(['\t', '\n', '\r'], "")).is_some();
    if let Some((name, _)) = pairs.iter().find(|(n, v)| is_refused(n) || is_refused(v)) {
        return Err(invalid(
            name,
            Msg::fixed(
                "Giá trị tham số chứa ký tự không hợp lệ.",
                "Contains characters that are not allowed.",
            ),
        ));
    }
    Ok(pairs.into_iter().map(|(name, value)| (name, nfc(&value))).collect())
}

/// Reads typed parameters; unknown, repeated and malformed ones are 400 and named.
pub fn from_pairs<T: DeserializeOwned>(pairs: &[(String, String)]) -> Result<T, Problem> {
    let encoded = serde_urlencoded::to_string(pairs).unwrap_or_default();
    let deserializer = serde_urlencoded::Deserializer::new(form_pairs(&encoded));
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let name = error.path().to_string();
        parameter_problem(&name, &error.inner().to_string())
    })
}

fn form_pairs(encoded: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(encoded.as_bytes())
}

fn parameter_problem(path: &str, text: &str) -> Problem {
    let named = text.split('`').nth(1).unwrap_or_default();
    if text.starts_with("unknown field") {
        return Problem::at(
            ProblemCode::UnknownParameter,
            format!("?{named}"),
            msg!("Không hỗ trợ tham số `{named}`.", "Unknown parameter `{named}`."),
        );
    }
    if text.starts_with("missing field") {
        return Problem::at(
            ProblemCode::InvalidParameter,
            format!("?{named}"),
            msg!("Thiếu tham số bắt buộc `{named}`.", "Missing parameter `{named}`."),
        );
    }
    let name = if path == "." { named } else { path };
    match ProblemCode::parse(text) {
        _ if text == TOO_MANY_VALUES => invalid(
            name,
            msg!(
                "Tham số này chỉ được có tối đa {MOST_VALUES} giá trị.",
                "At most {MOST_VALUES} values are allowed."
            ),
        ),
        _ if text == dates::IMPLAUSIBLE => invalid(
            name,
            Msg::fixed(
                "Ngày phải trong khoảng từ năm 1900 đến năm 2199.",
                "The year must be between 1900 and 2199.",
            ),
        ),
        Some(code) => Problem::at(code, format!("?{name}"), code.title()),
        None => Problem::at(ProblemCode::InvalidParameter, format!("?{name}"), serde_text::told(text)),
    }
}

/// 400 about one parameter.
pub fn invalid(name: &str, detail: Msg) -> Problem {
    Problem::at(ProblemCode::InvalidParameter, format!("?{name}"), detail)
}

const TOO_MANY_VALUES: &str = "too many values";

/// `a,b,c` in one parameter: any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyOf<T>(pub Vec<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for AnyOf<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.bytes().filter(|byte| *byte == b',').count() >= MOST_VALUES {
            return Err(serde::de::Error::custom(TOO_MANY_VALUES));
        }
        let parts = text.split(',').map(|part| {
            let value = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(part);
            T::deserialize(value).map_err(serde::de::Error::custom)
        });
        parts.collect::<Result<_, _>>().map(Self)
    }
}
