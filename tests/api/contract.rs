//! What holds for every operation: repeated requests, problems, headers, and that strangers learn nothing.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::TestService;

fn agency(code: &str) -> Value {
    json!({"code": code, "name": "Cơ quan thử", "kind": "department"})
}

#[actix_web::test]
async fn the_same_idempotency_key_is_one_effect() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let post = |key: &str, body: Value| {
        service.post("agencies", body).as_(&token).header("Idempotency-Key", key).send()
    };
    let first = post("k-1", agency("A1")).await.expect(201);
    assert_eq!(first.header("idempotency-replayed"), "");
    let second = post("k-1", agency("A1")).await.expect(201);
    assert_eq!(second.header("idempotency-replayed"), "true");
    assert_eq!((first.body, first.headers.get("etag")), (second.body, second.headers.get("etag")));
    post("k-1", agency("A2")).await.expect_problem(422, "IDEMPOTENCY_KEY_REUSED");
    post("k-2", agency("A1")).await.expect_problem(409, "ALREADY_EXISTS");
    post("k-2", agency("A3")).await.expect(201);
    let events = service.get("audit-events?entity=agency&key=A1").as_(&token).send().await.expect(200);
    assert_eq!(events.column("id").len(), 1);
    post("đ", agency("A4")).await.expect_problem(400, "INVALID_HEADER");
    post("", agency("A4")).await.expect_problem(400, "INVALID_HEADER");
    post(&"k".repeat(256), agency("A4")).await.expect_problem(400, "INVALID_HEADER");
    service.at("2018-03-18T02:00:01Z");
    let token = service.token("coordinator").await;
    let late =
        service.post("agencies", agency("A1")).as_(&token).header("Idempotency-Key", "k-1").send().await;
    late.expect_problem(409, "ALREADY_EXISTS");
}

#[actix_web::test]
async fn a_key_belongs_to_its_caller() {
    let service = TestService::start().await;
    let (one, other) = (service.token("coordinator").await, service.client_token("vnpt").await);
    service.post("agencies", agency("A1")).as_(&one).header("Idempotency-Key", "k").send().await.expect(201);
    let body = json!({"level": 1});
    let answer =
        service.post("services/x/levels", body).as_(&other).header("Idempotency-Key", "k").send().await;
    assert_ne!(answer.status.as_u16(), 201);
}

#[actix_web::test]
async fn many_requests_with_one_key_are_one_effect() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let calls = (0..8)
        .map(|_| service.post("agencies", agency("A1")).as_(&token).header("Idempotency-Key", "k").send());
    let statuses: Vec<u16> = join_all(calls).await.into_iter().map(|a| a.status.as_u16()).collect();
    assert!(statuses.iter().all(|s| *s == 201 || *s == 409), "{statuses:?}");
    let events = service.get("audit-events?entity=agency&key=A1").as_(&token).send().await.expect(200);
    assert_eq!(events.column("id").len(), 1);
}

#[actix_web::test]
async fn stored_answers_of_one_caller_are_bounded_in_number_and_in_bytes() {
    use ict_index::db::sql;
    let service = TestService::start().await;
    let (token, other) = (service.token("coordinator").await, service.token("admin").await);
    let post = |code: &str, key: &str| {
        service.post("agencies", agency(code)).as_(&token).header("Idempotency-Key", key)
    };
    post("A1", "k1").send().await.expect(201);
    let stored = "insert into idempotency_keys (caller, key, fingerprint, status, body, created_at) \
                select 'user:coordinator', 'other' || n, '', 201, convert_to(repeat('x', $1), 'UTF8'), '2018-03-15T02:00:00Z' \
                from generate_series(1, $2) n";
    service.sql(sql(stored).bind(1_i32).bind(4_998_i32)).await;
    post("A2", "k2").send().await.expect(201);
    let refused = post("A3", "k3").send().await.expect_problem(429, "TOO_MANY_REQUESTS");
    assert_eq!(refused.header("retry-after"), "259200");
    service.get("agencies/A3").as_(&token).send().await.expect(404);
    // What is stored is answered again; without a key, and for others, nothing has changed.
    assert_eq!(post("A1", "k1").send().await.expect(201).header("idempotency-replayed"), "true");
    service.post("agencies", agency("A3")).as_(&token).send().await.expect(201);
    let client = json!({"client_id": "c1", "name": "C", "scopes": ["statistics:read"]});
    service.post("clients", client).as_(&other).header("Idempotency-Key", "k3").send().await.expect(201);

    service.sql(sql("delete from idempotency_keys where key like 'other%'")).await;
    service.sql(sql(stored).bind(1024 * 1024_i32).bind(64_i32)).await;
    post("A4", "k4").send().await.expect_problem(429, "TOO_MANY_REQUESTS");
    service.at("2018-03-18T02:00:01Z");
    let token = service.token("coordinator").await;
    let late = service.post("agencies", agency("A4")).as_(&token).header("Idempotency-Key", "k4");
    late.send().await.expect(201);
}

#[actix_web::test]
async fn one_of_many_editors_wins_and_the_others_are_told() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let tag = service.get("agencies/SO-YT").as_(&token).send().await.expect(200).etag();
    let calls = (0..8).map(|i| {
        service
            .patch("agencies/SO-YT", json!({"name_en": format!("Health {i}")}))
            .as_(&token)
            .if_match(&tag)
            .send()
    });
    let mut statuses: Vec<u16> = join_all(calls).await.into_iter().map(|a| a.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
}

#[actix_web::test]
async fn problems_speak_the_callers_language_and_carry_the_request_id() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let get = |language: &str| {
        service
            .get("agencies/NO")
            .as_(&token)
            .header("Accept-Language", language)
            .header("X-Request-Id", "abc-1")
    };
    let vi = get("vi").send().await.expect_problem(404, "NOT_FOUND");
    assert_eq!(vi.header("x-request-id"), "abc-1");
    assert_eq!(vi.json()["title"], "Không tìm thấy, hoặc tài khoản không có quyền xem");
    assert_eq!(vi.json()["request_id"], "abc-1");
    assert_eq!(vi.json()["instance"], "/api/v1/agencies/NO");
    assert_eq!(vi.json()["status"], 404);
    let en = get("en-GB,vi;q=0.3").send().await.expect(404);
    assert_eq!(en.json()["title"], "Not found");
    assert_eq!(en.header("content-language"), "en");
    let forged = service.get("agencies/NO").as_(&token).header("X-Request-Id", "a b\u{e9}").send().await;
    assert_ne!(forged.header("x-request-id"), "a b\u{e9}");
}

#[actix_web::test]
async fn bodies_are_read_strictly() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let post = |kind: &str, body: &[u8]| service.call("POST", "agencies").as_(&token).raw(kind, body).send();
    post("application/json", b"{").await.expect_problem(400, "MALFORMED_BODY");
    post("application/json", b"").await.expect_problem(400, "MALFORMED_BODY");
    post("application/json", b"[]").await.expect_problem(400, "WRONG_TYPE");
    post("application/json", b"{\"code\":\"\xff\"}").await.expect_problem(400, "MALFORMED_BODY");
    post("application/json", br#"{"code":"A","code":"B","name":"n","kind":"media"}"#)
        .await
        .expect_problem(400, "DUPLICATE_FIELD");
    post("application/json", br#"{"code":"A","name":"\u0000","kind":"media"}"#)
        .await
        .expect_problem(400, "INVALID_TEXT");
    post("application/json", br#"{"name":"n","kind":"media"}"#).await.expect_problem(400, "MISSING_FIELD");
    post("application/json", br#"{"code":"A","name":"n","kind":"ministry"}"#)
        .await
        .expect_problem(400, "WRONG_TYPE");
    post("text/plain", b"{}").await.expect_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    post("application/json", &vec![b' '; 300 * 1024]).await.expect_problem(413, "PAYLOAD_TOO_LARGE");
    let deep = "[".repeat(100_000);
    post("application/json", deep.as_bytes()).await.expect(400);
    let zipped = service
        .call("POST", "agencies")
        .as_(&token)
        .raw("application/json", "x")
        .header("Content-Encoding", "gzip");
    zipped.send().await.expect_problem(415, "UNSUPPORTED_MEDIA_TYPE");
}

#[actix_web::test]
async fn the_operator_is_answered_without_a_login() {
    let service = TestService::start().await;
    assert_eq!(service.get("/healthz").send().await.expect(200).json()["status"], "ok");
    assert_eq!(service.get("/readyz").send().await.expect(200).json()["status"], "ready");
    service.get("/healthz?x=1").send().await.expect_problem(400, "UNKNOWN_PARAMETER");
    let metrics = service.get("/metrics").send().await.expect(200).text();
    assert!(
        metrics.contains("ict_index_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"} 1"),
        "{metrics}"
    );
    assert!(service.get("/").send().await.expect(200).text().contains("/docs/"));
    service.get("/docs/").send().await.expect(200);
    service.get("/nowhere").send().await.expect_problem(404, "NOT_FOUND");
    let wrong = service.call("PUT", "agencies").send().await.expect_problem(405, "METHOD_NOT_ALLOWED");
    assert_eq!(wrong.header("allow"), "GET, POST");
    service.state.begin_stopping();
    service.get("/readyz").send().await.expect_problem(503, "UNAVAILABLE");
    service.get("/healthz").send().await.expect(200);
}

#[actix_web::test]
async fn readiness_tells_of_pending_migrations() {
    let service = TestService::start().await;
    service.sql(ict_index::db::sql("delete from __diesel_schema_migrations where version = (select max(version) from __diesel_schema_migrations)")).await;
    service.get("/readyz").send().await.expect_problem(503, "UNAVAILABLE");
}

#[actix_web::test]
async fn answers_are_private_and_hardened() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let answer = service.get("agencies").as_(&token).send().await.expect(200);
    assert_eq!(answer.header("cache-control"), "private, no-cache");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.header("content-security-policy").contains("default-src 'none'"));
    let again =
        service.get("agencies").as_(&token).header("If-None-Match", &answer.etag()).send().await.expect(304);
    assert!(again.body.is_empty());
    service
        .get("agencies")
        .as_(&token)
        .header("If-None-Match", "nonsense")
        .send()
        .await
        .expect_problem(400, "INVALID_HEADER");
}

#[actix_web::test]
async fn a_forged_cursor_and_an_impossible_day_are_the_callers_fault() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let page = service.get("audit-events?limit=1").as_(&token).send().await.expect(200).json();
    let cursor = URL_SAFE_NO_PAD.decode(page["page"]["next_cursor"].as_str().unwrap()).unwrap();
    let mut cursor: Value = serde_json::from_slice(&cursor).unwrap();
    cursor["k"] = json!(["no uuid"]);
    let forged = URL_SAFE_NO_PAD.encode(cursor.to_string());
    let answer = service.get(&format!("audit-events?limit=1&cursor={forged}")).as_(&token).send().await;
    answer.expect_problem(400, "INVALID_CURSOR");
    let answer = service.get("agencies?active_on=-10000-01-01").as_(&token).send().await;
    answer.expect_problem(400, "INVALID_PARAMETER");
    let mut early = agency("A1");
    early["valid_from"] = json!("-10000-01-01");
    service.post("agencies", early).as_(&token).send().await.expect_problem(422, "INVALID_RANGE");
}
