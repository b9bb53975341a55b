//! Input that nobody sends by mistake: every body and every parameter of the description, and only documented refusals come back.

use std::collections::BTreeSet;

use ict_index::auth::Role;
use serde_json::{Value, json};

use crate::description::{Operation, document, operations};
use crate::support::{Answer, Call, TestService};

/// Texts that break what is careless: encodings, formats, other languages of the same document.
const NAUGHTY: &[&str] = &[
    "",
    " ",
    "null",
    "undefined",
    "NaN",
    "-1",
    "0",
    "1e309",
    "9223372036854775808",
    "0x10",
    "1,5",
    "true",
    "[]",
    "{}",
    "'",
    "\"",
    "\\",
    "';select pg_sleep(1)--",
    "%00",
    "%s%s%n",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "\u{202e}gnirts",
    "\u{feff}bom",
    "e\u{301}\u{323}\u{302}",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "👩‍👩‍👧‍👦",
    "ﷺﷺﷺﷺ",
    "İıſK",
    "\u{1}\u{7f}\u{85}",
    "2018-02-30",
    "2018-13",
    "0000-00",
    "9999-99-99",
    "-infinity",
    "1970-01-01T00:00:00+99:99",
    "9999999999999999999999999999999999999999",
];

/// Query and path parts that are not even text.
const RAW: &[&str] =
    &["%", "%zz", "%FF", "%C0%AF", "%00", "%ED%A0%80", "%F4%90%80%80", "a%0d%0aSet-Cookie:x", "%25%30%30"];

fn bodies() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = [
        "",
        " ",
        "null",
        "true",
        "0",
        "-0",
        "\"text\"",
        "[]",
        "{}",
        "{",
        "}",
        "{\"a\":}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1,}",
        "{\"a\":01}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":+1}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":1e}",
        "{\"a\":0x1}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\\udc00\\ud800\"}",
        "{\"\\u0000\":1}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":1}{\"a\":1}",
        "{\"a\":1} #",
        "// c\n{}",
        "/**/{}",
        "\u{feff}{}",
        "{\"a\":1,\"a\":2}",
        "{\"\":0}",
        "{\"__proto__\":{\"x\":1}}",
        "{\"$ref\":\"#\"}",
        "{\"a\":\"\t\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":1e400}",
        "{\"a\":-1e400}",
        "{\"a\":1e-400}",
    ]
    .iter()
    .map(|text| ((*text).to_owned(), text.as_bytes().to_vec()))
    .collect();
    all.push(("latin-1".into(), b"{\"a\":\"\xe9\"}".to_vec()));
    all.push(("overlong".into(), b"{\"a\":\"\xc0\x80\"}".to_vec()));
    all.push(("surrogate bytes".into(), b"{\"a\":\"\xed\xa0\x80\"}".to_vec()));
    all.push(("NUL".into(), b"{\"a\":\"\0\"}".to_vec()));
    all.push(("UTF-16".into(), "{\"a\":1}".encode_utf16().flat_map(u16::to_le_bytes).collect()));
    all.push(("deep arrays".into(), "[".repeat(100_000).into_bytes()));
    all.push(("deep objects".into(), "{\"a\":".repeat(40_000).into_bytes()));
    all.push(("long number".into(), format!("{{\"a\":{}}}", "9".repeat(100_000)).into_bytes()));
    all.push(("long key".into(), format!("{{\"{}\":1}}", "k".repeat(100_000)).into_bytes()));
    all.push((
        "many keys".into(),
        format!("{{{}}}", (0..20_000).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(","))
            .into_bytes(),
    ));
    all
}

/// A caller for whom the operation is there.
pub struct Callers {
    pub coordinator: String,
    pub admin: String,
}

impl Callers {
    pub async fn of(service: &TestService) -> Self {
        Self { coordinator: service.token("coordinator").await, admin: service.token("admin").await }
    }

    pub fn of_operation(&self, operation: &Operation) -> Option<&str> {
        let permission = operation.permission().unwrap()?;
        Some(if permission.roles().contains(&Role::Coordinator) { &self.coordinator } else { &self.admin })
    }
}

/// A path with plausible names.
pub fn path_of(operation: &Operation) -> String {
    let path = operation
        .path
        .replace("{id}", "01890000-0000-7000-8000-000000000000")
        .replace("{month}", "2018-02")
        .replace("{source}", "vnpt")
        .replace("{n}", "1")
        .replace("{username}", "monitor")
        .replace("{code}", "SO-YT")
        .replace("{client_id}", "portal")
        .replace("{unit}", "SO-YT")
        .replace("{data_year}", "2018");
    assert!(!path.contains('{'), "{path}: a name for what is in braces");
    path
}

fn documented(operation: &Operation) -> BTreeSet<u16> {
    operation.value["responses"]
        .as_object()
        .unwrap()
        .keys()
        .filter_map(|status| status.parse().ok())
        .collect()
}

fn check(operation: &Operation, answer: &Answer, what: &str) {
    let (name, status) = (format!("{} {}", operation.method, operation.path), answer.status.as_u16());
    assert!(status < 500, "{name} with {what:.100}: {}", String::from_utf8_lossy(&answer.body));
    assert!(documented(operation).contains(&status), "{name} with {what:.100}: {status} is not documented");
    if status >= 400 && !operation.path.ends_with("/oauth/token") {
        assert_eq!(answer.header("content-type"), "application/problem+json", "{name} with {what:.100}");
        assert!(answer.json()["code"].is_string(), "{name} with {what:.100}: {}", answer.text());
    }
}

pub fn prepared<'s>(
    service: &'s TestService,
    operation: &Operation,
    path: &str,
    token: Option<&str>,
) -> Call<'s> {
    let call = service.call(&operation.method, path).if_match("\"1\"");
    match token {
        Some(token) => call.as_(token),
        None => call,
    }
}

/// Ending one's own session would end the walk; the account that walks is told apart in its own tests.
fn ends_the_session(operation: &Operation) -> bool {
    operation.path.ends_with("/logout")
}

#[actix_web::test]
async fn every_body_is_refused_as_documented() {
    let service = TestService::start().await;
    let callers = Callers::of(&service).await;
    let bodies = bodies();
    let mut walked = 0;
    for operation in operations(&document()).iter().filter(|o| o.value["requestBody"].is_object()) {
        for media in operation.value["requestBody"]["content"].as_object().unwrap().keys() {
            for (what, body) in &bodies {
                let call =
                    prepared(&service, operation, &path_of(operation), callers.of_operation(operation));
                let answer = call.raw(media, body.clone()).send().await;
                check(operation, &answer, &format!("{media} {what}"));
                walked += 1;
            }
        }
        for coding in ["gzip", "br", "deflate", "identity, gzip", "x"] {
            let call = prepared(&service, operation, &path_of(operation), callers.of_operation(operation));
            let answer = call.raw("application/json", "{}").header("Content-Encoding", coding).send().await;
            check(operation, &answer, coding);
            assert!(answer.status.is_client_error(), "a compressed body is not looked into");
        }
    }
    assert!(walked > 500, "{walked} bodies");
}

/// Every place of a documented body gets every kind of value in turn, the rest stays as the example has it.
#[actix_web::test]
async fn every_field_takes_every_type_and_refuses_it_as_documented() {
    let service = TestService::start().await;
    let callers = Callers::of(&service).await;
    let document = document();
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        serde_json::from_str("1e400").unwrap(),
        serde_json::from_str("123456789012345678901234567890.123456789").unwrap(),
        json!(""),
        json!([]),
        json!({}),
        json!([[[[]]]]),
    ];
    let texts = NAUGHTY.iter().map(|text| json!(text));
    let all: Vec<Value> = values.into_iter().chain(texts).collect();
    let mut walked = 0;
    for operation in operations(&document) {
        let schema = &operation.value["requestBody"]["content"]["application/json"]["schema"];
        let Some(fields) = resolved(&document, schema)["properties"].as_object() else { continue };
        for field in fields.keys() {
            for value in &all {
                let body = json!({field.as_str(): value});
                let call =
                    prepared(&service, &operation, &path_of(&operation), callers.of_operation(&operation));
                let answer = call.json(&body).send().await;
                check(&operation, &answer, &body.to_string());
                walked += 1;
            }
        }
    }
    assert!(walked > 2_000, "{walked} fields");
}

pub fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(target) => document.pointer(target.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

pub fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Each parameter takes one value in so many, the next parameter the ones beside them: all values are sent to each kind of parameter.
const TURNS: usize = 8;

#[actix_web::test]
async fn every_parameter_is_refused_as_documented() {
    let service = TestService::start().await;
    let callers = Callers::of(&service).await;
    let (mut walked, mut turn) = (0, 0);
    for operation in operations(&document()).iter().filter(|o| o.method == "GET") {
        for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            turn += 1;
            let values =
                NAUGHTY.iter().map(|text| encoded(text)).chain(RAW.iter().map(|raw| (*raw).to_owned()));
            for value in values.skip(turn % TURNS).step_by(TURNS) {
                let path = match parameter["in"].as_str().unwrap() {
                    "query" => format!("{}?{name}={value}", path_of(operation)),
                    "path" => {
                        let place = format!("{{{name}}}");
                        let mut one = operation.clone();
                        one.path = one.path.replace(&place, if value.is_empty() { "%20" } else { &value });
                        path_of(&one)
                    }
                    _ => continue,
                };
                let Ok(uri) = path.parse::<actix_web::http::Uri>() else { continue };
                let call = prepared(&service, operation, &uri.to_string(), callers.of_operation(operation));
                let answer = call.send().await;
                // A part of the path may lead to another operation, or to none.
                if parameter["in"] == "query" {
                    check(operation, &answer, &path);
                } else {
                    assert!(answer.status.as_u16() < 500, "{path}: {}", answer.text());
                }
                walked += 1;
            }
        }
    }
    assert!(walked > 800, "{walked} parameters");
}

#[actix_web::test]
async fn headers_that_lie_are_refused_as_documented() {
    let service = TestService::start().await;
    let callers = Callers::of(&service).await;
    let headers = [
        ("Accept", "*/*;q=x"),
        ("Accept", ",,,;;;"),
        ("Accept-Language", "xx-XX-;q=9,*;q=-1"),
        ("Accept-Encoding", "br;q=1.0001, gzip;q="),
        ("If-None-Match", "\"a"),
        ("If-None-Match", "W/\"\""),
        ("If-Match", "*, *"),
        ("Idempotency-Key", " "),
        ("Content-Type", "application/json; charset=\"utf-7\""),
        ("X-Request-Id", "../../../x"),
        ("X-Forwarded-For", "; drop table"),
        ("Range", "bytes=0-0,1-1,-1"),
        ("Expect", "100-continue"),
        ("X-HTTP-Method-Override", "DELETE"),
    ];
    for operation in operations(&document()).iter().filter(|o| !ends_the_session(o)) {
        for (name, value) in headers {
            let call = prepared(&service, operation, &path_of(operation), callers.of_operation(operation));
            let answer = call.header(name, value).send().await;
            check(operation, &answer, &format!("{name}: {value}"));
        }
    }
}

#[actix_web::test]
async fn a_million_elements_end_at_the_limit_of_the_body() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let vnpt = service.client_token("vnpt").await;
    let million = format!("{{\"values\":[{}]}}", vec!["0"; 1_000_000].join(","));
    let path = "submissions/01890000-0000-7000-8000-000000000000/values";
    let call = service.call("PUT", path).as_(&token).if_match("\"1\"").raw("application/json", million);
    let answer = call.send().await;
    assert!([400, 413].contains(&answer.status.as_u16()), "{}", answer.text());
    assert!(answer.body.len() < 100_000, "faults are told within bounds");
    let rows = format!(
        "{{\"control\":{{\"rows\":1,\"received\":1}},\"rows\":[{}]}}",
        vec!["0"; 1_000_000].join(",")
    );
    let call = service.call("PUT", "dossier-batches/vnpt/2018-02").as_(&vnpt).raw("application/json", rows);
    let answer = call.send().await;
    assert!([400, 413].contains(&answer.status.as_u16()), "{}", answer.text());
    let lines = "{}\n".repeat(1_000_000);
    let call = service.call("PUT", "dossier-batches/vnpt/2018-02?rows=1&received=1").as_(&vnpt);
    let answer = call.raw("application/x-ndjson", lines).send().await;
    assert!([400, 413, 422].contains(&answer.status.as_u16()), "{}", answer.text());
}

#[actix_web::test]
async fn a_body_with_two_ends_is_refused() {
    let service = TestService::start().await;
    for path in ["/healthz", "/api/v1/statistics/service-levels?period=2018-02", "/nowhere"] {
        let call =
            service.call("GET", path).header("Content-Length", "5").header("Transfer-Encoding", "chunked");
        let answer = call.send().await.expect_problem(400, "MALFORMED_BODY");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}
