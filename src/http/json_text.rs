//! The text of a JSON body before it is parsed: composed, without NUL, without names that the JSON library keeps for itself.

use super::{Msg, Problem, ProblemCode};
use crate::values::nfc;

/// NFC, and no NUL: PostgreSQL cannot hold one.
pub(super) fn normalised(text: &str) -> Result<String, Problem> {
    if text.contains('\0') || holds_escaped_nul(text) {
        return Err(Problem::with(
            ProblemCode::InvalidText,
            Msg::fixed("Nội dung không được chứa ký tự NUL.", "NUL characters are not allowed."),
        ));
    }
    refuse_private_keys(text)?;
    Ok(nfc(&compose_escapes(text)))
}

/// Under such a member serde_json hands numbers and raw JSON over: a string in it would be taken for a number of any spelling.
const PRIVATE_KEYS: &str = "$serde_json::private::";

/// Refuses the names that the JSON library keeps for itself, however they are escaped.
pub(super) fn refuse_private_keys(text: &str) -> Result<(), Problem> {
    let escaped = || text.contains("\\u") && ascii_unescaped(text).contains(PRIVATE_KEYS);
    if text.contains(PRIVATE_KEYS) || escaped() {
        let detail =
            msg!("Không được dùng tên `{PRIVATE_KEYS}`.", "The name `{PRIVATE_KEYS}` is not allowed.");
        return Err(Problem::at(ProblemCode::UnknownField, "", detail));
    }
    Ok(())
}

/// The text with escaped ASCII characters written out: to search in, not to parse.
fn ascii_unescaped(text: &str) -> String {
    let mut parts = text.split("\\u");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code =
            part.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok()).filter(|code| *code < 0x80);
        match code.and_then(char::from_u32) {
            Some(c) => {
                out.push(c);
                out.push_str(part.get(4..).unwrap_or_default());
            }
            None => out.push_str(part),
        }
    }
    out
}

fn holds_escaped_nul(text: &str) -> bool {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if escaped && c == 'u' && text.get(at + 1..at + 5) == Some("0000") {
            return true;
        }
        escaped = c == '\\' && !escaped;
    }
    false
}

/// Letters and marks sent as escapes are written out, so that composition sees them however they were sent. Quotes, backslashes
/// and control characters stay escaped.
fn compose_escapes(text: &str) -> std::borrow::Cow<'_, str> {
    if !text.contains("\\u") {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let decoded = escape
            .strip_prefix("\\u")
            .and_then(|hex| hex.get(..4))
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .and_then(char::from_u32)
            .filter(|c| c.is_ascii_alphanumeric() || (*c as u32) >= 0x80);
        let taken = match decoded {
            Some(mark) => {
                out.push(mark);
                6
            }
            None => {
                let len = escape.chars().take(2).map(char::len_utf8).sum();
                out.push_str(escape.get(..len).unwrap_or(escape));
                len
            }
        };
        rest = escape.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    out.into()
}
