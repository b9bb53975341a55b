//! Bodies: read whole within a limit, parsed strictly, normalised, checked in full before a handler sees them.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::bodies::{Body, BodyMemory, Claim};
use super::json_text::normalised;
use super::offload::Offload;
use super::{Msg, Problem, ProblemCode, Violations, serde_text};

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
        let limits =
            media_type(request).and_then(|()| no_encoding(request)).and_then(|()| limits_of(request));
        let payload = payload.take();
        Box::pin(async move {
            let (claim, offload) = limits?;
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

/// What a request's body may take of the application's budget, and where a large one is parsed. An application without either reads no
/// body: limits of a request's own would be none.
pub fn limits_of(request: &HttpRequest) -> Result<(Claim, Offload), Problem> {
    let limits = BodyMemory::of(request).zip(request.app_data::<Offload>().cloned());
    let (memory, offload) =
        limits.ok_or_else(|| Problem::internal("no limits for bodies in the application"))?;
    Ok((memory.claim(request), offload))
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
                    return Err(serde::de::Error::custom(ProblemCode::InvalidLength.as_str()));
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
        ProblemCode::UnsupportedMediaType,
        Msg::fixed(
            "Header Content-Type phải là application/json.",
            "`Content-Type` must be `application/json`.",
        ),
    ))
}

/// Compressed bodies would get round the size limit, and no client needs them.
pub(super) fn no_encoding(request: &HttpRequest) -> Result<(), Problem> {
    match request.headers().get(CONTENT_ENCODING) {
        None => Ok(()),
        Some(value) if value.as_bytes().eq_ignore_ascii_case(b"identity") => Ok(()),
        Some(_) => Err(Problem::with(
            ProblemCode::UnsupportedMediaType,
            Msg::fixed(
                "Không hỗ trợ nội dung nén (Content-Encoding).",
                "Compressed request bodies are not supported.",
            ),
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
            ProblemCode::RequestTimeout,
            msg!(
                "Không nhận đủ nội dung trong {BODY_SECONDS} giây; đề nghị kiểm tra đường truyền và gửi lại.",
                "The request body did not arrive within {BODY_SECONDS} seconds."
            ),
        ))
    })
}

/// Parses strictly: unknown, missing and repeated fields, wrong types and trailing text are 400 with a pointer.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Problem::with(
            ProblemCode::MalformedBody,
            Msg::fixed(
                "Nội dung không đúng bảng mã UTF-8; đề nghị lưu lại bằng UTF-8.",
                "The request body is not valid UTF-8.",
            ),
        )
    })?;
    let text = normalised(text)?;
    // serde would read an array into a struct by position: names, and the refusal of unknown ones, would mean nothing.
    if text.trim_start().starts_with('[') {
        return Err(Problem::at(
            ProblemCode::WrongType,
            "",
            Msg::fixed("Nội dung phải là một đối tượng JSON.", "Expected a JSON object."),
        ));
    }
    let mut deserializer = serde_json::Deserializer::from_str(&text);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| syntax_problem(&pointer(error.path()), error.inner()))?;
    deserializer.end().map_err(|error| syntax_problem("", &error))?;
    Ok(value)
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
    if let Some(code) = ProblemCode::parse(text) {
        return Problem::at(code, pointer, code.title());
    }
    if text.starts_with("unknown field") {
        let pointer = if pointer.ends_with(&format!("/{named}")) { pointer.to_owned() } else { below };
        return Problem::at(
            ProblemCode::UnknownField,
            pointer,
            msg!("Không hỗ trợ trường dữ liệu `{named}`.", "Unknown field `{named}`."),
        );
    }
    if text.starts_with("missing field") {
        return Problem::at(
            ProblemCode::MissingField,
            below,
            msg!("Thiếu trường dữ liệu bắt buộc `{named}`.", "Missing field `{named}`."),
        );
    }
    if text.starts_with("duplicate field") {
        return Problem::at(
            ProblemCode::DuplicateField,
            below,
            msg!("Trường dữ liệu `{named}` xuất hiện nhiều lần.", "Duplicate field `{named}`."),
        );
    }
    let (line, column) = (error.line(), error.column());
    if error.is_data() {
        return Problem::at(ProblemCode::WrongType, pointer, serde_text::told(text));
    }
    Problem::with(
        ProblemCode::MalformedBody,
        msg!(
            "JSON sai cú pháp ở dòng {line}, cột {column}.",
            "Invalid JSON at line {line}, column {column}."
        ),
    )
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
