//! Counts and sizes are limited before anything loops over them; methods are a closed set.

use serde_json::json;

use crate::support::TestService;

#[actix_web::test]
async fn a_method_that_http_does_not_define_is_refused_before_anything_else() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    for method in ["BREW", "get", "PROPFIND", "X"] {
        let answer = service.call(method, "agencies").as_(&token).send().await;
        assert_eq!(answer.expect_problem(405, "METHOD_NOT_ALLOWED").header("allow"), "GET, POST");
        service.call(method, "/nowhere").send().await.expect_problem(404, "NOT_FOUND");
        let statements = service.state.db().statements();
        service.call(method, "agencies").as_("a.b.c").send().await.expect(405);
        assert_eq!(service.state.db().statements(), statements);
    }
    let metrics = service.get("/metrics").send().await.expect(200).text();
    assert!(metrics.contains("method=\"other\",route=\"-\",status=\"405\""), "{metrics}");
    for invented in ["BREW", "PROPFIND", "\"get\""] {
        assert!(!metrics.contains(invented), "{invented} is a label");
    }
}

#[actix_web::test]
async fn more_of_anything_than_is_ever_meant_is_refused_with_its_own_code() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    for path in [
        "/healthz",
        "/api/v1/agencies",
        "/api/v1/statistics/service-levels",
        "/docs/",
        "/openapi.json",
        "/nowhere",
    ] {
        let many = format!("{path}?{}", vec!["a"; 65].join("&"));
        service.get(&many).as_(&token).send().await.expect_problem(400, "TOO_MANY_PARAMETERS");
        let long = format!("{path}?a={}", "b".repeat(20_000));
        service.get(&long).as_(&token).send().await.expect_problem(414, "URI_TOO_LONG");
        let accepts = vec!["text/html;q=0.1"; 3_000].join(",");
        let call = service.get(path).as_(&token).header("Accept", &accepts);
        call.send().await.expect_problem(431, "HEADERS_TOO_LARGE");
    }
    let values = |n: usize| format!("agencies?parent={}", vec!["a"; n].join(","));
    service.get(&values(500)).as_(&token).send().await.expect(200);
    service.get(&values(501)).as_(&token).send().await.expect_problem(400, "INVALID_PARAMETER");
    let sort = format!("agencies?sort={}", vec!["code"; 3_000].join(","));
    service.get(&sort).as_(&token).send().await.expect_problem(400, "INVALID_PARAMETER");
    let form = format!("grant_type=client_credentials&{}", vec!["a"; 2_000].join("&"));
    assert_eq!(
        service.call("POST", "oauth/token").form(&form).send().await.expect(400).json()["error"],
        "invalid_request"
    );
}

#[actix_web::test]
async fn every_unknown_parameter_is_named_in_the_order_of_the_query() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let names: Vec<String> = (0..64).map(|n| format!("x{n}")).collect();
    let answer = service.get(&format!("agencies?{}", names.join("&"))).as_(&token).send().await;
    let body = answer.expect_problem(400, "UNKNOWN_PARAMETER").json();
    let named: Vec<&str> =
        body["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(named, names.iter().map(|name| format!("?{name}")).collect::<Vec<_>>());
}

#[actix_web::test]
async fn a_framework_with_more_bands_than_it_may_have_is_not_looked_into() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let bands: Vec<_> = (0..30_000).map(|n| json!({"code": "B", "name": "b", "from": n})).collect();
    let framework = json!({"code": "F", "name": "F", "unit_type": "commune", "status": "assumed",
        "rank": {"decimals": 4, "ties": "competition"}, "missing": "zero", "bands": bands,
        "root": {"code": "R", "name": "R", "aggregate": "arithmetic", "children": [
            {"code": "A", "name": "A", "weight": 1, "direction": 1, "normalise": {"method": "goalposts", "lo": 0, "hi": 80}}]}});
    let body = service
        .post("frameworks", framework)
        .as_(&token)
        .send()
        .await
        .expect_problem(422, "INVALID_LENGTH")
        .json();
    assert_eq!(
        body["error_count"],
        1 + 99,
        "the length, and each of the first hundred that repeats its code"
    );
}
