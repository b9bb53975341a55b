//! One canonical reading of a path.

use std::io::Read;
use std::net::TcpStream;

use actix_web::test::{TestRequest, call_service, init_service};
use ict_index::app;
use serde_json::json;

use crate::description::{document, operations};
use crate::frameworks::sound;
use crate::operations::Logged;
use crate::support::{TestService, until};
use crate::walk::concrete;

/// The found one: the coordinator's answer came out of the response cache to an officer, under another spelling of the path.
#[actix_web::test]
async fn another_spelling_of_a_path_is_refused_and_never_answered_from_the_response_cache() {
    let service = TestService::start().await.listening().await;
    let coordinator = service.token("coordinator").await;
    let officer = service.token("officer.so-yt").await;
    let own = service.get("statistics/progress?year=2018").as_(&officer).send().await.expect(200);
    let whole = service.get("statistics/progress?year=2018").as_(&coordinator).send().await.expect(200);
    assert_ne!(own.body, whole.body, "an officer sees less: the test could not fail otherwise");
    for _ in 0..2 {
        for token in [&coordinator, &officer, &coordinator] {
            let call = service.get("statistics/%70rogress?year=2018").as_(token);
            call.send().await.expect_problem(400, "INVALID_PATH");
        }
    }
    let again = service.get("statistics/progress?year=2018").as_(&officer).send().await.expect(200);
    assert_eq!(again.body, own.body);
}

/// Spellings that a reader in front, or a router behind, takes for the path.
fn other_spellings(path: &str) -> Vec<String> {
    let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let encode = |c: char| if unreserved(c) { format!("%{:02X}", c as u32) } else { c.to_string() };
    let (head, last) = path.split_at(path.rfind('/').unwrap() + 1);
    let first = last.chars().next().unwrap();
    let rest = &last[first.len_utf8()..];
    vec![
        format!("{head}{}{rest}", encode(first)),
        format!("{head}%{:02x}{rest}", first as u32),
        path.chars().map(encode).collect(),
        format!("{head}./{last}"),
        format!("{head}x/../{last}"),
        format!("{head}%2e%2E/{last}"),
        format!("{path}/."),
        format!("{path}%"),
    ]
}

#[actix_web::test]
async fn every_operation_is_reached_by_one_spelling_of_its_path_for_every_caller() {
    let service = TestService::start().await;
    let mut tokens = vec![None];
    for user in ["admin", "coordinator", "monitor", "officer.so-yt"] {
        tokens.push(Some(service.token(user).await));
    }
    for client in ["portal", "vnpt"] {
        tokens.push(Some(service.client_token(client).await));
    }
    let mut walked = 0;
    for operation in operations(&document()) {
        for path in other_spellings(&concrete(&operation.path)) {
            for token in &tokens {
                let call = service.call(&operation.method, &path);
                let call = match token {
                    Some(token) => call.as_(token),
                    None => call,
                };
                let answer = call.send().await;
                assert_eq!(answer.status, 400, "{} {path}", operation.method);
                assert_eq!(answer.json()["code"], "INVALID_PATH", "{} {path}", operation.method);
                walked += 1;
            }
        }
    }
    assert!(walked > 4_000, "{walked} requests");
}

#[actix_web::test]
async fn pages_and_metrics_have_one_spelling_too() {
    let service = TestService::start().await;
    for path in ["/%6detrics", "/m%65trics", "/./metrics", "/docs/../metrics", "/openapi%2ejson", "/d%6Fcs/"]
    {
        service.get(path).send().await.expect_problem(400, "INVALID_PATH");
    }
    service.get("/metrics").send().await.expect(200);
}

#[actix_web::test]
async fn a_unit_cannot_be_named_like_a_dot_segment() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    service.post("frameworks", sound("XA")).as_(&token).send().await.expect(201);
    for name in [".", "..", " .. "] {
        let body = json!({"rows": [{"unit": name, "indicator": "XHS", "value": 1}]});
        let call = service.put("frameworks/XA/observations/2025?dry_run=true", body).as_(&token);
        call.send().await.expect_problem(422, "INVALID_CODE");
    }
}

#[actix_web::test]
async fn metrics_have_a_listener_of_their_own_where_the_operator_says_so() {
    let service = TestService::start_on_system_time().await;
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let logged = Logged::start_with(&service, "info", &[("METRICS_ADDRESS", &address)]);
    until("the service listens", async || logged.curl("/readyz", &[]).await == 200).await;
    let metrics = format!("http://{address}");
    assert_eq!(Logged::curl_at(&format!("{metrics}/metrics"), &[]).await, 200);
    assert_eq!(logged.curl("/metrics", &[]).await, 404, "not on the listener of the API");
    assert_eq!(logged.curl("/%6detrics", &[]).await, 400);
    for path in ["/", "/readyz", "/openapi.json", "/api/v1/agencies", "/docs/"] {
        assert_eq!(
            Logged::curl_at(&format!("{metrics}{path}"), &[]).await,
            404,
            "nothing but the metrics: {path}"
        );
    }
    let mut open = Vec::new();
    until("connections beyond the limit are shut down at once", async || {
        let stream = TcpStream::connect(&address).unwrap();
        stream.set_nonblocking(true).unwrap();
        open.push(stream);
        assert!(open.len() < 200, "no limit");
        open.iter().any(|stream| matches!((&*stream).read(&mut [0]), Ok(0)))
    })
    .await;
}

#[actix_web::test]
async fn the_listener_of_the_metrics_authenticates_nobody_and_has_no_cached_answer() {
    let service = TestService::start().await.listening().await;
    let token = service.token("coordinator").await;
    let statistic = "statistics/service-levels?period=2018-02";
    service.get(statistic).as_(&token).send().await.expect(200);
    service.get(statistic).as_(&token).send().await.expect(200);
    let metrics = init_service(app::build_metrics(service.state.clone())).await;
    let before = service.state.db().statements();
    for bearer in [token, "unknown".to_owned()] {
        for path in [format!("/api/v1/{statistic}"), "/api/v1/me".to_owned()] {
            let header = ("authorization", format!("Bearer {bearer}"));
            let answer =
                call_service(&metrics, TestRequest::with_uri(&path).insert_header(header).to_request()).await;
            assert_eq!(answer.status(), 404, "{path}");
            assert_eq!(answer.headers().get("x-content-type-options").unwrap(), "nosniff");
        }
    }
    assert_eq!(service.state.db().statements(), before, "nobody is looked up");
}
