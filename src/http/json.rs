//! Bodies: read whole within a limit, parsed strictly, normalised, checked in full before a handler sees them.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::bodies::{Body, BodyMemory, Claim};
use super::offload::Offload;
use super::{Code, Msg, Problem, Violations, serde_text};
use crate::values::nfc;

/// Largest body of an ordinary request.
const MOST_BYTES: usize = 256 * 1024;

/// Rules of a body that its types cannot say. Every implementation decides on every field.
pub trait Check {
    /// Largest body accepted, in bytes.
    const MOST_BYTES: usize = MOST_BYTES;

    /// Adds what is wrong to `faults`.
    fn check(&self, faults: &mut Violations);
}

/// A JSON body that parsed and passed its [`Check`].
#[derive(Debug)]
pub struct ValidJson<T> {
    pub value: T,
    /// SHA-256 of the bytes sent, for `Idempotency-Key`.
    pub digest: Vec<u8>,
    /// Its bytes of the budget, until the handler has done with it.
    pub claim: Claim,
}

impl<T: DeserializeOwned + Check + Send + 'static> FromRequest for ValidJson<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let headers = media_type(request).and_then(|()| no_encoding(request));
        let (payload, claim, offload) = (payload.take(), claim_of(request), offload_of(request));
        Box::pin(async move {
            headers?;
            let body = read_body(payload, T::MOST_BYTES, claim).await?;
            let ((value, digest), claim) = body.parse(&offload, valid::<T>).await?;
            Ok(Self { value, digest, claim })
        })
    }
}

/// The value and the digest of its bytes.
pub(super) fn valid<T: DeserializeOwned + Check>(bytes: &[u8]) -> Result<(T, Vec<u8>), Problem> {
    let value: T = parse(bytes)?;
    let mut faults = Violations::default();
    value.check(&mut faults);
    faults.into_result()?;
    Ok((value, Sha256::digest(bytes).to_vec()))
}

/// What a request's body may take of the budget.
pub fn claim_of(request: &HttpRequest) -> Claim {
    BodyMemory::of(request).claim(request)
}

/// Where this application's large bodies are parsed.
pub(super) fn offload_of(request: &HttpRequest) -> Offload {
    request.app_data::<Offload>().cloned().unwrap_or_default()
}

/// `#[serde(deserialize_with = "json::at_most::<_, _, N>")]`: a list that is refused as soon as it is too long, not when it is in
/// memory.
pub fn at_most<'de, D, T, const N: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    struct AtMost<T, const N: usize>(std::marker::PhantomData<T>);

    impl<'de, T: serde::Deserialize<'de>, const N: usize> serde::de::Visitor<'de> for AtMost<T, N> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "a list of at most {N}")
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
            let mut all = Vec::new();
            while let Some(item) = items.next_element()? {
                if all.len() == N {
                    return Err(serde::de::Error::custom(Code::InvalidLength.as_str()));
                }
                all.push(item);
            }
            Ok(all)
        }
    }

    deserializer.deserialize_seq(AtMost::<T, N>(std::marker::PhantomData))
}

pub(super) fn media_type(request: &HttpRequest) -> Result<(), Problem> {
    let header = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = header.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::with(
        Code::UnsupportedMediaType,
        Msg::fixed("Cần Content-Type: application/json.", "Send Content-Type: application/json."),
    ))
}

/// Compressed bodies would get round the size limit, and no client needs them.
pub(super) fn no_encoding(request: &HttpRequest) -> Result<(), Problem> {
    match request.headers().get(CONTENT_ENCODING) {
        None => Ok(()),
        Some(value) if value.as_bytes().eq_ignore_ascii_case(b"identity") => Ok(()),
        Some(_) => Err(Problem::with(
            Code::UnsupportedMediaType,
            Msg::fixed("Không nhận nội dung nén.", "Compressed bodies are not accepted."),
        )),
    }
}

/// A body that does not come is not waited for longer than this; actix's own limit is about heads alone.
const BODY_SECONDS: u64 = 13;

/// Reads at most `most` bytes, without waiting for ever.
#[allow(clippy::disallowed_methods, reason = "no database work is inside")]
pub async fn read_body(payload: Payload, most: usize, claim: Claim) -> Result<Body, Problem> {
    let limit = std::time::Duration::from_secs(BODY_SECONDS);
    tokio::time::timeout(limit, Body::collect(payload, most, claim)).await.unwrap_or_else(|_| {
        Err(Problem::with(
            Code::MalformedBody,
            msg!(
                "Nội dung không đến trong {BODY_SECONDS} giây.",
                "The body did not arrive within {BODY_SECONDS} seconds."
            ),
        ))
    })
}

/// Parses strictly: unknown, missing and repeated fields, wrong types and trailing text are 400 with a pointer.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Problem::with(Code::MalformedBody, Msg::fixed("Nội dung không phải UTF-8.", "The body is not UTF-8."))
    })?;
    let text = normalised(text)?;
    // serde would read an array into a struct by position: names, and the refusal of unknown ones, would mean nothing.
    if text.trim_start().starts_with('[') {
        return Err(Problem::at(
            Code::WrongType,
            "",
            Msg::fixed("Cần một đối tượng JSON.", "Expected a JSON object."),
        ));
    }
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| syntax_problem(&pointer(error.path()), error.inner()))?;
    deserializer.end().map_err(|error| syntax_problem("", &error))?;
    Ok(value)
}

/// NFC, and no NUL: PostgreSQL cannot hold one.
fn normalised(text: &str) -> Result<String, Problem> {
    if text.contains('\0') || holds_escaped_nul(text) {
        return Err(Problem::with(
            Code::InvalidText,
            Msg::fixed("Ký tự NUL không được phép.", "The character NUL is not allowed."),
        ));
    }
    refuse_private_keys(text)?;
    Ok(nfc(&compose_escapes(text)))
}

/// Under such a member serde_json hands numbers and raw JSON over: it would parse a string in it as a number of any spelling.
const PRIVATE_KEYS: &str = "$serde_json::private::";

/// Refuses the names that the JSON library keeps for itself, however they are escaped.
pub(super) fn refuse_private_keys(text: &str) -> Result<(), Problem> {
    let escaped = || text.contains("\\u") && ascii_unescaped(text).contains(PRIVATE_KEYS);
    if text.contains(PRIVATE_KEYS) || escaped() {
        let detail = msg!("Không dùng tên `{PRIVATE_KEYS}`.", "The name `{PRIVATE_KEYS}` is not allowed.");
        return Err(Problem::at(Code::UnknownField, "", detail));
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

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

/// serde's texts, read once here, become codes and both languages.
fn syntax_problem(pointer: &str, error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let named = text.split('`').nth(1).unwrap_or_default();
    let below = format!("{pointer}/{named}");
    if let Some(code) = Code::parse(text) {
        return Problem::at(code, pointer, code.title());
    }
    if text.starts_with("unknown field") {
        let pointer = if pointer.ends_with(&format!("/{named}")) { pointer.to_owned() } else { below };
        return Problem::at(
            Code::UnknownField,
            pointer,
            msg!("Trường `{named}` không tồn tại.", "There is no field `{named}`."),
        );
    }
    if text.starts_with("missing field") {
        return Problem::at(
            Code::MissingField,
            below,
            msg!("Thiếu trường `{named}`.", "The field `{named}` is missing."),
        );
    }
    if text.starts_with("duplicate field") {
        return Problem::at(
            Code::DuplicateField,
            below,
            msg!("Trường `{named}` bị lặp.", "The field `{named}` occurs twice."),
        );
    }
    let (line, column) = (error.line(), error.column());
    if error.is_data() {
        return Problem::at(Code::WrongType, pointer, serde_text::told(text));
    }
    Problem::with(
        Code::MalformedBody,
        msg!(
            "JSON sai cú pháp ở dòng {line}, cột {column}.",
            "Malformed JSON at line {line}, column {column}."
        ),
    )
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        name: String,
        #[serde(default)]
        parts: Vec<Part>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        #[allow(dead_code)]
        n: u32,
    }

    fn fault(text: &str) -> (Code, String) {
        let problem = parse::<Body>(text.as_bytes()).unwrap_err();
        (problem.code, problem.errors.first().map(|e| e.pointer.clone()).unwrap_or_default())
    }

    #[test]
    fn each_fault_has_its_code_and_place() {
        assert_eq!(fault(r#"{"name":"a","nom":1}"#), (Code::UnknownField, "/nom".into()));
        assert_eq!(fault(r#"{"parts":[]}"#), (Code::MissingField, "/name".into()));
        assert_eq!(fault(r#"{"name":"a","name":"b"}"#), (Code::DuplicateField, "/name".into()));
        assert_eq!(fault(r#"{"name":"a","parts":[{"n":"1"}]}"#), (Code::WrongType, "/parts/0/n".into()));
        assert_eq!(
            fault(r#"{"name":"a","parts":[{"n":1,"m":2}]}"#),
            (Code::UnknownField, "/parts/0/m".into())
        );
        assert_eq!(fault(r#"["a", []]"#).0, Code::WrongType);
        assert_eq!(fault(r#"{"name":"#).0, Code::MalformedBody);
        assert_eq!(fault(r#"{"name":"a"} x"#).0, Code::MalformedBody);
        assert_eq!(fault("{\"name\":\"\\u0000\"}").0, Code::InvalidText);
        assert_eq!(parse::<Body>(b"{\"name\":\"\xff\"}").unwrap_err().code, Code::MalformedBody);
    }

    #[test]
    fn names_that_the_json_library_keeps_for_itself_are_refused() {
        for name in [
            "$serde_json::private::Number",
            "$serde_json::private::RawValue",
            "\\u0024serde_json::private::Number",
            "$serde_json::\\u0070rivate::Number",
            "\\u0024\\u0073erde_json\\u003a\\u003aprivate::RawValue",
        ] {
            let text = format!(r#"{{"name": {{"{name}": "1"}}}}"#);
            assert_eq!(
                parse::<serde_json::Value>(text.as_bytes()).unwrap_err().code,
                Code::UnknownField,
                "{name}"
            );
        }
        assert!(parse::<serde_json::Value>(br#"{"name": "private::Number \u0024"}"#).is_ok());
    }

    #[test]
    fn text_is_composed_however_it_was_sent() {
        let plain: Body = parse("{\"name\":\"Ho\u{0061}\u{0300}\"}".as_bytes()).unwrap();
        assert_eq!(plain.name, "Ho\u{00e0}");
        assert!(plain.parts.is_empty());
        let escaped: Body = parse(br#"{"name":"Hoa\u0300"}"#).unwrap();
        assert_eq!(escaped.name, "Ho\u{00e0}");
        for text in [
            r#"{"name":"Vi\u00ea\u0323t"}"#,
            "{\"name\":\"Vi\u{ea}\\u0323t\"}",
            r#"{"name":"V\u0069\u0065\u0302\u0323t"}"#,
        ] {
            let read: Body = parse(text.as_bytes()).unwrap();
            assert_eq!(read.name, "Vi\u{1ec7}t", "{text}");
        }
        let quoted: Body = parse(br#"{"name":"\u0022\u005c\ud83d\ude00"}"#).unwrap();
        assert_eq!(quoted.name, "\"\\\u{1f600}");
        let backslash: Body = parse(br#"{"name":"a\\u0000b\n"}"#).unwrap();
        assert_eq!(backslash.name, "a\\u0000b\n");
    }
}
