//! What every request is held against before anything else looks at it: one spelling of each path, and sizes that keep every later
//! loop over the request short.

use actix_web::dev::RequestHead;

use super::{Msg, Problem, ProblemCode};

/// Parameters of a query string.
pub const MOST_PARAMETERS: usize = 64;
/// Bytes of path and query together. Proxies seldom pass more than 8 KiB on.
pub const MOST_TARGET: usize = 16 * 1024;
/// Bytes of all header names and values together.
pub const MOST_HEADERS: usize = 32 * 1024;

/// Refuses a path with two spellings and a request that is larger than any that is meant.
pub fn check(head: &RequestHead) -> Result<(), Problem> {
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    if path.len() + query.len() > MOST_TARGET {
        let detail = msg!(
            "Đường dẫn và tham số không được quá {MOST_TARGET} byte.",
            "Path and query must not exceed {MOST_TARGET} bytes."
        );
        return Err(Problem::with(ProblemCode::UriTooLong, detail));
    }
    if !is_canonical(path) {
        return Err(Problem::with(
            ProblemCode::InvalidPath,
            Msg::fixed(
                "Đường dẫn phải viết theo dạng chuẩn: không mã hóa % các chữ cái, chữ số và - . _ ~; không có đoạn . hoặc ..; sau mỗi % là hai chữ số hệ 16.",
                "Use the canonical path: do not percent-encode letters, digits and - . _ ~; no segments . or ..; two hexadecimal digits after each %.",
            ),
        ));
    }
    if parameters(query) > MOST_PARAMETERS {
        let detail = msg!(
            "Mỗi yêu cầu chỉ được có tối đa {MOST_PARAMETERS} tham số.",
            "At most {MOST_PARAMETERS} parameters are allowed."
        );
        return Err(Problem::with(ProblemCode::TooManyParameters, detail));
    }
    let headers: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers > MOST_HEADERS {
        let detail = msg!(
            "Các header không được quá {MOST_HEADERS} byte.",
            "Headers must not exceed {MOST_HEADERS} bytes."
        );
        return Err(Problem::with(ProblemCode::HeadersTooLarge, detail));
    }
    Ok(())
}

fn parameters(query: &str) -> usize {
    if query.is_empty() { 0 } else { 1 + query.bytes().filter(|byte| *byte == b'&').count() }
}

/// The path is spelt the one way that means it: routes, caches, and rules of a proxy in front all read the same (RFC 3986, 6.2.2).
/// What has to be encoded in a name (a space, a letter with a mark, `/`) may be; what has not to be must not.
pub fn is_canonical(path: &str) -> bool {
    let bytes = path.as_bytes();
    if bytes.contains(&b'\\') || (path.contains("/.") && path.split('/').any(is_dot_segment)) {
        return false;
    }
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let Some([_, high, low, after @ ..]) = rest.get(at..) else { return false };
        match (hex_digit(*high), hex_digit(*low)) {
            (Some(high), Some(low)) if !is_unreserved(high << 4 | low) => rest = after,
            _ => return false,
        }
    }
    true
}

/// A name that cannot stand in a path: every reader takes it out.
pub fn is_dot_segment(name: &str) -> bool {
    matches!(name, "." | "..")
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use proptest::prelude::*;

    use super::*;

    fn code_of(request: TestRequest) -> Option<ProblemCode> {
        check(request.to_http_request().head()).err().map(|problem| problem.code)
    }

    #[test]
    fn each_path_has_one_spelling() {
        for path in [
            "",
            "/",
            "/api/v1/agencies/SO-YT",
            "/a%20b",
            "/Hu%E1%BA%BF",
            "/a%2Fb",
            "/a.b/..c/...",
            "/NL.XH.03:p",
            "*",
        ] {
            assert!(is_canonical(path), "{path}");
        }
        for path in [
            "/%70rogress",
            "/%6detrics",
            "/%6Detrics",
            "/a%7E",
            "/%2e",
            "/%2E%2e/x",
            "/.",
            "/..",
            "/a/./b",
            "/a/../b",
            "/%",
            "/a%2",
            "/a%zz",
            "/a\\b",
        ] {
            assert!(!is_canonical(path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_two_canonical_paths_decode_to_the_same_unreserved_text(name in "[A-Za-z0-9._~-]{1,12}", at in 0_usize..12) {
            let at = at % name.len();
            let encoded = format!("/{}%{:02X}{}", &name[..at], name.as_bytes()[at], &name[at + 1..]);
            prop_assert!(!is_canonical(&encoded), "{}", encoded);
            prop_assert_eq!(is_canonical(&format!("/{name}")), !is_dot_segment(&name));
        }
    }

    #[test]
    fn sizes_are_limited_and_each_limit_has_its_code() {
        let uri = |query: &str| TestRequest::with_uri(&format!("/healthz?{query}"));
        assert_eq!(code_of(uri(&vec!["a"; MOST_PARAMETERS].join("&"))), None);
        assert_eq!(
            code_of(uri(&vec!["a"; MOST_PARAMETERS + 1].join("&"))),
            Some(ProblemCode::TooManyParameters)
        );
        let room = MOST_TARGET - "/healthz".len();
        assert_eq!(code_of(uri(&"a".repeat(room))), None);
        assert_eq!(code_of(uri(&"a".repeat(room + 1))), Some(ProblemCode::UriTooLong));
        let header =
            |length: usize| TestRequest::with_uri("/healthz").insert_header(("accept", "a".repeat(length)));
        assert_eq!(code_of(header(MOST_HEADERS - "accept".len())), None);
        assert_eq!(code_of(header(MOST_HEADERS)), Some(ProblemCode::HeadersTooLarge));
        assert_eq!(code_of(TestRequest::with_uri("/%68ealthz")), Some(ProblemCode::InvalidPath));
    }
}
