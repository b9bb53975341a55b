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

impl Check for Body {
    fn check(&self, _: &mut Violations) {}
}

#[actix_web::test]
async fn an_application_without_limits_for_bodies_reads_none() {
    let request = actix_web::test::TestRequest::default().insert_header((CONTENT_TYPE, "application/json"));
    let (request, mut payload) = request.set_payload(r#"{"name":"a"}"#).to_http_parts();
    let refused = ValidJson::<Body>::from_request(&request, &mut payload).await.unwrap_err();
    assert_eq!(refused.code, ProblemCode::Internal);
}

fn fault(text: &str) -> (ProblemCode, String) {
    let problem = parse::<Body>(text.as_bytes()).unwrap_err();
    (problem.code, problem.errors.first().map(|e| e.pointer.clone()).unwrap_or_default())
}

#[test]
fn each_fault_has_its_code_and_place() {
    assert_eq!(fault(r#"{"name":"a","nom":1}"#), (ProblemCode::UnknownField, "/nom".into()));
    assert_eq!(fault(r#"{"parts":[]}"#), (ProblemCode::MissingField, "/name".into()));
    assert_eq!(fault(r#"{"name":"a","name":"b"}"#), (ProblemCode::DuplicateField, "/name".into()));
    assert_eq!(fault(r#"{"name":"a","parts":[{"n":"1"}]}"#), (ProblemCode::WrongType, "/parts/0/n".into()));
    assert_eq!(
        fault(r#"{"name":"a","parts":[{"n":1,"m":2}]}"#),
        (ProblemCode::UnknownField, "/parts/0/m".into())
    );
    assert_eq!(fault(r#"["a", []]"#).0, ProblemCode::WrongType);
    assert_eq!(fault(r#"{"name":"#).0, ProblemCode::MalformedBody);
    assert_eq!(fault(r#"{"name":"a"} x"#).0, ProblemCode::MalformedBody);
    assert_eq!(fault("{\"name\":\"\\u0000\"}").0, ProblemCode::InvalidText);
    assert_eq!(parse::<Body>(b"{\"name\":\"\xff\"}").unwrap_err().code, ProblemCode::MalformedBody);
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
            ProblemCode::UnknownField,
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
