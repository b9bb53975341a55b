//! Strong entity tags and the conditions clients put on them.
//!
//! A tag is `"<version>"`, or `"<version>.<variant>"` where the representation depends on more than the stored row (the
//! date, the caller). `If-None-Match` compares all of it, `If-Match` the version alone: yesterday's tag of an unchanged
//! task still lets its reader write. A compressed form has a tag of its own, `"<tag>-br"` or `"<tag>-gzip"`: strong tags are
//! for bytes. Who holds any form of a representation holds it, so `If-None-Match` looks past that ending.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};

use super::encoding::Coding;
use super::{Msg, Problem, ProblemCode};
use crate::values::hex;

/// Strong tag of a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag(String);

impl EntityTag {
    pub fn of_version(version: i32) -> Self {
        Self(version.to_string())
    }

    /// Tag of a row whose representation also depends on `parts`.
    pub fn of_variant(version: i32, parts: &[&str]) -> Self {
        Self(format!("{version}.{}", short_hash(parts.join("\n").as_bytes())))
    }

    /// Tag of bytes that have no version of their own (lists, statistics).
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(short_hash(bytes))
    }

    /// The tag that a strong `ETag` holds.
    pub fn of_header(value: &HeaderValue) -> Option<Self> {
        let tag = value.to_str().ok()?.strip_prefix('"')?.strip_suffix('"')?;
        Some(Self(tag.to_owned()))
    }

    pub fn header_value(&self) -> HeaderValue {
        self.header_value_of(Coding::Identity)
    }

    /// The tag of this representation in a compressed form.
    pub fn header_value_of(&self, coding: Coding) -> HeaderValue {
        HeaderValue::from_str(&format!("\"{}{}\"", self.0, coding.tag_suffix()))
            .unwrap_or(HeaderValue::from_static("\"-\""))
    }
}

fn short_hash(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes).get(..12).unwrap_or_default())
}

/// `If-Match` and `If-None-Match` of a request.
#[derive(Clone, Debug, Default)]
pub struct Preconditions {
    if_match: Option<Vec<String>>,
    if_none_match: Option<Vec<String>>,
}

impl Preconditions {
    /// Reads both headers; a malformed one is 400.
    pub fn of(request: &HttpRequest) -> Result<Self, Problem> {
        Ok(Self {
            if_match: tags(request, &header::IF_MATCH)?,
            if_none_match: tags(request, &header::IF_NONE_MATCH)?,
        })
    }

    /// The caller must have seen this version: 428 without `If-Match`, 412 when it is another's.
    pub fn require_match(&self, version: i32) -> Result<(), Problem> {
        match &self.if_match {
            None => Err(Problem::with(
                ProblemCode::PreconditionRequired,
                Msg::fixed(
                    "Đề nghị gửi kèm header If-Match với giá trị ETag nhận được ở lần đọc gần nhất.",
                    "Send the ETag from your last read in `If-Match`.",
                ),
            )),
            Some(tags) => matches(tags, version),
        }
    }

    /// As [`Preconditions::require_match`] where the header is optional.
    pub fn match_if_given(&self, version: i32) -> Result<(), Problem> {
        self.if_match.as_ref().map_or(Ok(()), |tags| matches(tags, version))
    }

    /// `If-Match` was sent for something that does not exist yet.
    pub fn match_absent(&self) -> Result<(), Problem> {
        if self.if_match.is_some() { Err(Problem::new(ProblemCode::PreconditionFailed)) } else { Ok(()) }
    }

    /// The caller holds this representation already.
    pub fn is_fresh(&self, tag: &EntityTag) -> bool {
        self.if_none_match
            .as_ref()
            .is_some_and(|tags| tags.iter().any(|held| held == "*" || uncoded(held) == tag.0))
    }
}

/// The tag without weakness, quotes and the ending of a compressed form.
fn uncoded(held: &str) -> &str {
    let opaque = held.strip_prefix("W/").unwrap_or(held);
    let tag = opaque.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(opaque);
    [Coding::Brotli, Coding::Gzip].iter().find_map(|c| tag.strip_suffix(c.tag_suffix())).unwrap_or(tag)
}

fn matches(tags: &[String], version: i32) -> Result<(), Problem> {
    let version = version.to_string();
    let same = tags.iter().any(|tag| {
        tag == "*"
            || tag
                .strip_prefix('"')
                .and_then(|t| t.strip_suffix('"'))
                .and_then(|t| t.split('.').next())
                .is_some_and(|t| t == version)
    });
    if same { Ok(()) } else { Err(Problem::new(ProblemCode::PreconditionFailed)) }
}

/// The header's list of tags, each with its quotes.
fn tags(request: &HttpRequest, name: &HeaderName) -> Result<Option<Vec<String>>, Problem> {
    let mut all = Vec::new();
    let mut present = false;
    for value in request.headers().get_all(name) {
        present = true;
        let text = value.to_str().map_err(|_| malformed(name))?;
        for tag in text.split(',').map(str::trim).filter(|t| !t.is_empty()) {
            if !is_tag(tag) {
                return Err(malformed(name));
            }
            all.push(tag.to_owned());
        }
    }
    if present && all.is_empty() {
        return Err(malformed(name));
    }
    Ok(present.then_some(all))
}

fn is_tag(tag: &str) -> bool {
    let opaque = tag.strip_prefix("W/").unwrap_or(tag);
    tag == "*"
        || (opaque.len() >= 2
            && opaque.starts_with('"')
            && opaque.ends_with('"')
            && !opaque.trim_matches('"').contains('"'))
}

fn malformed(name: &HeaderName) -> Problem {
    let name = name.as_str();
    Problem::with(
        ProblemCode::InvalidHeader,
        msg!(
            "{name}: giá trị phải là ETag đặt trong dấu ngoặc kép, ví dụ \"3\".",
            "{name}: expected a quoted entity tag, such as \"3\"."
        ),
    )
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(value in "[ -~]{0,40}|(W/)?\"[0-9.a-f\", *W/]{0,20}\"") {
            for name in ["If-Match", "If-None-Match"] {
                if let Ok(held) = conditions(name, &value) {
                    let _ = (held.require_match(3), held.is_fresh(&EntityTag::of_version(3)));
                }
            }
        }

        #[test]
        fn a_tag_that_was_given_matches_its_version_alone(version in 1i32.., other in 1i32.., parts in "\\PC{0,20}") {
            let tag = EntityTag::of_variant(version, &[&parts]);
            let text = tag.header_value().to_str().unwrap().to_owned();
            prop_assert!(conditions("If-Match", &text).unwrap().require_match(version).is_ok());
            prop_assert_eq!(conditions("If-Match", &text).unwrap().require_match(other).is_ok(), other == version);
            prop_assert!(conditions("If-None-Match", &text).unwrap().is_fresh(&tag));
        }
    }

    fn conditions(name: &str, value: &str) -> Result<Preconditions, Problem> {
        Preconditions::of(&TestRequest::default().insert_header((name, value)).to_http_request())
    }

    #[test]
    fn if_match_compares_versions_strongly() {
        let held = conditions("If-Match", "\"3.abc\"").unwrap();
        assert!(held.require_match(3).is_ok());
        assert_eq!(held.require_match(4).unwrap_err().code, ProblemCode::PreconditionFailed);
        assert!(conditions("If-Match", "W/\"3\"").unwrap().require_match(3).is_err());
        assert!(conditions("If-Match", "\"1\", \"3\"").unwrap().require_match(3).is_ok());
        assert_eq!(
            Preconditions::default().require_match(3).unwrap_err().code,
            ProblemCode::PreconditionRequired
        );
        assert_eq!(conditions("If-Match", "3").unwrap_err().code, ProblemCode::InvalidHeader);
    }

    #[test]
    fn if_none_match_compares_whole_tags_weakly() {
        let tag = EntityTag::of_variant(3, &["2018-04-01"]);
        let text = tag.header_value().to_str().unwrap().to_owned();
        assert!(conditions("If-None-Match", &text).unwrap().is_fresh(&tag));
        assert!(conditions("If-None-Match", &format!("W/{text}")).unwrap().is_fresh(&tag));
        assert!(!conditions("If-None-Match", "\"3\"").unwrap().is_fresh(&tag));
        for coding in [Coding::Brotli, Coding::Gzip] {
            let compressed = tag.header_value_of(coding).to_str().unwrap().to_owned();
            assert_ne!(compressed, text, "other bytes, another strong tag");
            assert!(conditions("If-None-Match", &compressed).unwrap().is_fresh(&tag));
        }
        assert_eq!(EntityTag::of_header(&tag.header_value()), Some(tag));
    }
}
