//! No request holds a worker: the largest allowed of everything, by the processor time of the thread that answers.
//!
//! A test is answered on its own thread, as a request is on its worker; the database and the blocking pool have others. So the
//! time that one poll takes of this thread's processor is how long other requests of a worker would wait, whatever else the machine does.

use std::time::Duration;

use futures::stream;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::description::{Operation, document, operations};
use crate::frameworks::sound;
use crate::input::{Callers, path_of, prepared, resolved};
use crate::support::{Answer, PASSWORD, TestService};

/// Five milliseconds of the release build are at most so many of a build without optimisation.
const MOST: Duration = Duration::from_millis(if cfg!(debug_assertions) { 150 } else { 5 });
/// Path and query as long as they may be, with some room for the path.
const LONG: usize = 15_800;

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap(), now.tv_nsec.try_into().unwrap())
}

/// The longest that one poll held this thread, and what came of it.
async fn longest_poll<T>(work: impl Future<Output = T>) -> (Duration, T) {
    let (mut work, mut longest) = (Box::pin(work), Duration::ZERO);
    let made = std::future::poll_fn(|context| {
        let before = processor_time();
        let polled = work.as_mut().poll(context);
        longest = longest.max(processor_time() - before);
        polled
    });
    let made = made.await;
    (longest, made)
}

async fn assert_short(what: &str, work: impl Future<Output = Answer>) {
    let (longest, answer) = longest_poll(work).await;
    assert!(longest < MOST, "{what:.120} held the worker for {longest:?} ({})", answer.status);
    assert!(answer.status.as_u16() < 500, "{what:.120}: {}", answer.text());
}

/// Values that fill a query string: lists, numbers, escapes.
fn long_values() -> Vec<String> {
    vec![
        vec!["a"; LONG / 2].join(","),
        vec!["a"; 500].join(","),
        "9".repeat(LONG),
        "%2C".repeat(LONG / 3),
        "%E1%BA%BF".repeat(LONG / 9),
        "-".repeat(LONG),
    ]
}

fn queries(operation: &Operation) -> Vec<String> {
    let parameters = operation.value["parameters"].as_array().into_iter().flatten();
    let named: Vec<&str> =
        parameters.filter(|p| p["in"] == "query").map(|p| p["name"].as_str().unwrap()).collect();
    let mut all = vec![
        vec!["a"; 64].join("&"),
        (0..64).map(|n| format!("p{n}={}", "b".repeat(200))).collect::<Vec<_>>().join("&"),
    ];
    for name in &named {
        all.extend(long_values().into_iter().map(|value| format!("{name}={value}")));
        all.push(vec![format!("{name}=a"); 64].join("&"));
    }
    if operation.path.starts_with("/api/v1/statistics/") {
        let period = |query: &String| format!("period=2018-02&{query}");
        let with_period: Vec<String> = all.iter().map(period).collect();
        all.extend(with_period);
    }
    all
}

#[actix_web::test]
async fn the_largest_query_of_every_operation_does_not_hold_a_worker() {
    let service = TestService::start().await;
    let callers = Callers::of(&service).await;
    service.get("agencies?sort=name").as_(&callers.coordinator).send().await.expect(200);
    let mut walked = 0;
    for operation in operations(&document()).iter().filter(|o| o.method == "GET") {
        for query in queries(operation) {
            let path = format!("{}?{query}", path_of(operation));
            let token = callers.of_operation(operation);
            assert_short(&path, prepared(&service, operation, &path, token).send()).await;
            walked += 1;
        }
    }
    assert!(walked > 500, "{walked} queries");
}

#[actix_web::test]
async fn the_largest_headers_do_not_hold_a_worker() {
    let service = TestService::start().await;
    let callers = Callers::of(&service).await;
    let list = |item: &str| vec![item; 31_000 / (item.len() + 1)].join(",");
    let headers = [
        ("Accept", list("application/json;q=0.001")),
        ("Accept", list("a")),
        ("Accept-Language", list("vi")),
        ("Accept-Language", list("x;q=0.1")),
        ("Accept-Encoding", list("br;q=0.1")),
        ("Accept-Encoding", list("")),
        ("If-None-Match", list("\"\"")),
        ("If-None-Match", list("W/\"0123456789\"")),
        ("Authorization", format!("Bearer {}", "a".repeat(31_000))),
        ("X-Request-Id", "a".repeat(31_000)),
    ];
    for operation in operations(&document()).iter().filter(|o| o.method == "GET") {
        for (name, value) in &headers {
            let token = callers.of_operation(operation).filter(|_| *name != "Authorization");
            let call = match token {
                Some(token) => service.get(&path_of(operation)).as_(token),
                None => service.get(&path_of(operation)),
            };
            assert_short(&format!("{} {name}", operation.path), call.header(name, value).send()).await;
        }
    }
}

/// Bodies of about so many bytes, each bad for another step of the reading.
fn bodies(bytes: usize) -> Vec<(&'static str, Vec<u8>)> {
    let filled = |head: &str, part: &str, tail: &str| {
        [head, &part.repeat((bytes - head.len() - tail.len()) / part.len()), tail].concat().into_bytes()
    };
    vec![
        ("spaces", filled("{", " ", "}")),
        ("arrays", filled("", "[", "")),
        ("unknown members", filled("{\"a\":0", ",\"a\":0", "}")),
        ("a list", filled("{\"rows\":[0", ",0", "]}")),
        ("objects", filled("{\"rows\":[{}", ",{}", "]}")),
        ("escapes", filled("{\"name\":\"", "\\u0041", "\"}")),
        ("marks", filled("{\"name\":\"a", "\u{323}\u{302}", "\"}")),
        ("composed letters", filled("{\"name\":\"", "ế", "\"}")),
        ("backslashes", filled("{\"name\":\"", "\\\\", "\"}")),
        ("a number", filled("{\"value\":", "9", "}")),
    ]
}

/// Largest body that is tried: all that is larger is handled as it is.
const LARGE: usize = 1024 * 1024;

#[actix_web::test]
async fn the_largest_bodies_do_not_hold_a_worker() {
    let service = TestService::start().await;
    let callers = Callers::of(&service).await;
    let (small, large) = (bodies(250 * 1024), bodies(LARGE - 1024));
    let mut walked = 0;
    for operation in operations(&document()).iter().filter(|o| o.value["requestBody"].is_object()) {
        let takes_large = ["/dossier-batches/", "/service-batches", "/observations/", "/frameworks"]
            .iter()
            .any(|part| operation.path.contains(part));
        for media in operation.value["requestBody"]["content"].as_object().unwrap().keys() {
            for (what, body) in if takes_large { &large } else { &small } {
                let token = callers.of_operation(operation);
                let call = prepared(&service, operation, &path_of(operation), token);
                let call = call.header("Content-Type", media);
                let what = format!("{} {} {media} {what}", operation.method, operation.path);
                assert_short(&what, call.send_stream(pieces(body.clone()))).await;
                walked += 1;
            }
        }
    }
    assert!(walked > 300, "{walked} bodies");
}

/// A value that passes for what the description says, so that the field next to it is looked at.
fn plausible(document: &Value, name: &str, schema: &Value) -> Value {
    let schema = resolved(document, schema);
    let of = |part: &Value| plausible(document, name, part);
    match name {
        "username" => return json!("monitor"),
        "password" | "current_password" => return json!(PASSWORD),
        "new_password" => return json!("bảy con mèo xanh leo cầu thang"),
        _ => {}
    }
    if let Some(example) = schema.get("example").or_else(|| schema["enum"].get(0)) {
        return example.clone();
    }
    if let Some(one) = schema["oneOf"].as_array().and_then(|all| all.iter().find(|s| s["type"] != "null")) {
        return of(one);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        Some("object") => with_required(document, schema),
        Some("array") => json!([of(&schema["items"])]),
        Some("integer" | "number") => json!(1),
        Some("boolean") => json!(true),
        _ => json!("x"),
    }
}

/// The members that a body must have.
fn with_required(document: &Value, schema: &Value) -> Value {
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    required.map(|name| (name.to_owned(), plausible(document, name, &schema["properties"][name]))).collect()
}

fn takes_text(schema: &Value) -> bool {
    let is_text = |kind: &Value| kind == "string";
    is_text(&schema["type"]) || schema["type"].as_array().is_some_and(|kinds| kinds.iter().any(is_text))
}

/// Letters that normalising makes many of, marks that it has to sort, letters that it composes; to fill a field with.
const FILLING: [&str; 3] = ["\u{fdfa}", "\u{323}\u{302}", "e\u{302}\u{301}"];
/// As much as is parsed on the worker, and as much as an ordinary body may hold.
const FILLED: [usize; 2] = [60_000, 250_000];

#[actix_web::test]
async fn the_longest_text_in_any_field_does_not_hold_a_worker() {
    let service = TestService::start().await;
    let callers = Callers::of(&service).await;
    let (document, mut walked) = (document(), 0);
    let hashes = service.state.passwords().computed();
    for operation in operations(&document) {
        let schema = &operation.value["requestBody"]["content"]["application/json"]["schema"];
        let schema = resolved(&document, schema);
        let fields = schema["properties"].as_object().into_iter().flatten();
        for (field, _) in fields.filter(|(_, of)| takes_text(resolved(&document, of))) {
            for (filling, bytes) in FILLING.iter().flat_map(|filling| FILLED.map(|bytes| (filling, bytes))) {
                let mut body = with_required(&document, schema);
                body[field] = json!(filling.repeat(bytes / filling.len()));
                let token = callers.of_operation(&operation);
                let call = prepared(&service, &operation, &path_of(&operation), token);
                let what = format!("{} {} {field} {filling:?}", operation.method, operation.path);
                let call = call.header("Content-Type", "application/json");
                assert_short(&what, call.send_stream(pieces(body.to_string().into_bytes()))).await;
                walked += 1;
            }
        }
    }
    assert!(walked > 200, "{walked} fields");
    assert!(service.state.passwords().computed() > hashes, "no password was compared");
}

/// As a body comes from a connection: a piece, then others get a turn.
fn pieces(body: Vec<u8>) -> impl futures::Stream<Item = Vec<u8>> {
    stream::unfold((body, 0), |(body, at)| async move {
        tokio::task::yield_now().await;
        let piece = body.get(at..)?.chunks(32 * 1024).next()?.to_vec();
        let next = at + piece.len();
        Some((piece, (body, next)))
    })
}

#[actix_web::test]
async fn a_large_set_of_observations_is_taken_and_given_without_holding_a_worker() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    service.post("frameworks", sound("XA")).as_(&token).send().await.expect(201);
    let rows: Vec<String> = (0..8_000)
        .map(|n| {
            format!(
                "{{\"unit\":\"Đơn vị {n}\",\"indicator\":\"XHS\",\"value\":{n}.5,\"note\":\"ghi chú {n}\"}}"
            )
        })
        .collect();
    let body = format!("{{\"rows\":[{}]}}", rows.join(",")).into_bytes();
    let path = "frameworks/XA/observations/2025";
    let call = service.call("PUT", path).as_(&token).header("Content-Type", "application/json");
    let (longest, answer) = longest_poll(call.send_stream(pieces(body))).await;
    assert_eq!(answer.expect(200).json()["rows"], 8_000);
    assert!(longest < MOST, "the delivery held the worker for {longest:?}");
    let units = (0..1_000).map(|n| format!("U{n}")).collect::<Vec<_>>().join(",");
    for query in [String::new(), "?format=csv".into(), format!("?unit={units}")] {
        let (longest, answer) = longest_poll(service.get(&format!("{path}{query}")).as_(&token).send()).await;
        answer.expect(200);
        assert!(longest < MOST, "{query:.20} held the worker for {longest:?}");
    }
}

/// The names of a set's units are compared with those of every agency: for the reader of some agencies alone, and in reads of runs, too.
#[actix_web::test]
async fn many_units_are_judged_without_holding_a_worker() {
    let service = TestService::start().await;
    let (coordinator, officer) = (service.token("coordinator").await, service.token("officer.so-yt").await);
    let mut framework = sound("XB");
    framework["unit_type"] = json!("province");
    service.post("frameworks", framework).as_(&coordinator).send().await.expect(201);
    let unit = |n: usize| format!("Đơn vị {n} {}", "có một tên rất dài ".repeat(4).trim());
    let rows: Vec<Value> =
        (0..3_000).map(|n| json!({"unit": unit(n), "indicator": "XHS", "value": n % 80})).collect();
    let path = "frameworks/XB/observations/2025";
    let body = json!({ "rows": rows });
    service.call("PUT", path).as_(&coordinator).json(&body).send().await.expect(200);
    let run = json!({"framework": "XB", "data_year": 2025, "index_year": 2025, "kind": "provisional", "label": "thử"});
    let run = service.post("index-runs", run).as_(&coordinator).send().await.expect(201).json();
    let run = format!("index-runs/{}", run["id"].as_str().unwrap());
    let ranks = format!("{run}/ranks?limit=1");
    for path in [path, &run, &ranks] {
        let (longest, answer) = longest_poll(service.get(path).as_(&officer).send()).await;
        answer.expect(200);
        assert!(longest < MOST, "{path} held the worker for {longest:?}");
    }
}
