//! What a run says of figures and questions that deserve a second look.

use ict_index::db::Conn;
use ict_index::db::sql;
use ict_index::http::Problem;
use serde_json::{Value, json};

use super::{add_framework, framework, get, observe, run, small_run};
use crate::support::TestService;

fn warning<'v>(body: &'v Value, code: &str) -> Option<&'v Value> {
    body["warnings"].as_array().unwrap().iter().find(|warning| warning["code"] == code)
}

#[actix_web::test]
async fn doubtful_figures_are_named_with_their_units() {
    let service = TestService::start().await;
    let points = |code: &str, kind: &str| json!({"code": code, "name": code, "max_points": 10, "points": {"kind": kind}});
    let none = |code: &str| json!({"code": code, "name": code, "normalise": {"method": "none"}});
    let ratio = json!({"code": "E", "name": "E", "normalise": {"method": "ratio_to_max"}});
    let root = json!({"code": "R", "name": "R", "aggregate": "arithmetic", "children": [
        {"code": "P", "name": "P", "aggregate": "sum", "children": [points("A", "yes_no"), points("B", "ratio")]},
        {"code": "G", "name": "G", "aggregate": "geometric", "children": [none("C"), none("D")]}, ratio]});
    add_framework(&service, &framework("NGO", "province", 3, root)).await;
    let figures = [
        ("u", "A", "2"),
        ("u", "B", "0.5"),
        ("u", "C", "7"),
        ("u", "D", "-1"),
        ("u", "E", "0"),
        ("v", "A", "1"),
        ("v", "B", "0.5"),
        ("v", "C", "0.5"),
        ("v", "D", "0.5"),
        ("v", "E", "-2"),
    ];
    observe(&service, "NGO", 2020, &figures, &[]).await;
    let id = run(&service, "NGO", 2020, "provisional").await;
    let token = service.token("monitor").await;
    let body = get(&service, &token, format!("index-runs/{id}")).await.expect(200).json();
    for (code, units, nodes) in [
        ("FIGURE_OUT_OF_RANGE", json!(["u"]), json!(["A"])),
        ("ABOVE_MAXIMUM", json!(["u"]), json!(["C"])),
        ("NEGATIVE_UNDER_MEAN", json!(["u"]), json!(["G"])),
        ("RATIO_WITHOUT_MEASURE", json!([]), json!(["E"])),
    ] {
        let found = warning(&body, code).unwrap_or_else(|| panic!("no {code} in {}", body["warnings"]));
        assert_eq!((&found["units"], &found["nodes"]), (&units, &nodes), "{code}");
    }
    assert!(warning(&body, "MEAN_MADE_ZERO").is_none());
}

#[actix_web::test]
async fn what_is_required_is_named_and_what_cannot_be_compared_is_refused() {
    let service = TestService::start().await;
    let (id, token) = (small_run(&service).await, service.token("monitor").await);
    let told = async |path: &str| {
        let answer = service.get(path).as_(&token).header("Accept-Language", "en").send().await;
        answer.expect_problem(400, "INVALID_PARAMETER").json()["errors"][0].clone()
    };
    for (path, name) in [("national-results", "unit"), ("comparison", "with")] {
        let error = told(&format!("index-runs/{id}/{path}")).await;
        assert_eq!(error["pointer"], format!("?{name}"));
        assert!(error["detail"].as_str().unwrap().contains(&format!("`{name}` is required")), "{error}");
    }
    let leaf = json!({"code": "LA", "name": "LA", "normalise": {"method": "none"}});
    let root = json!({"code": "KHAC", "name": "KHAC", "aggregate": "arithmetic", "children": [leaf]});
    add_framework(&service, &framework("KHAC", "agency", 3, root)).await;
    observe(&service, "KHAC", 2017, &[("SO-YT", "LA", "1")], &[]).await;
    let other = run(&service, "KHAC", 2017, "provisional").await;
    let error = told(&format!("index-runs/{id}/comparison?with={other}")).await;
    assert!(error["detail"].as_str().unwrap().contains("nothing to compare"), "{error}");
    assert!(
        told(&format!("index-runs/{id}/comparison?with={id}")).await["detail"]
            .as_str()
            .unwrap()
            .contains("another")
    );
    for with in ["", "x", "01890000-0000-7000-8000-000000000000"] {
        let error = told(&format!("index-runs/{id}/comparison?with={with}")).await;
        assert!(error["detail"].as_str().unwrap().contains("must be the id of another run"), "{error}");
    }
}

#[actix_web::test]
async fn the_database_refuses_to_change_what_was_observed() {
    let service = TestService::start().await;
    small_run(&service).await;
    for statement in [
        "update observation_sets set rows = '[]'",
        "update observation_sets set reason = 'x'",
        "delete from observation_sets",
        "truncate observation_sets cascade",
    ] {
        let done = service
            .state
            .db()
            .transaction(async move |conn: &mut Conn| Ok::<_, Problem>(sql(statement).run(conn).await?))
            .await;
        assert!(done.is_err(), "{statement}");
    }
}

#[actix_web::test]
async fn figures_that_points_do_not_take_are_told_when_they_are_stored() {
    let service = TestService::start().await;
    let ratio = json!({"code": "B", "name": "B", "max_points": 10, "points": {"kind": "ratio"}});
    let best_of = json!({"code": "A", "name": "A", "max_points": 10, "points": {"kind": "best_of", "of": [
        {"code": "A1", "name": "A1", "points": {"kind": "yes_no"}}, {"code": "A2", "name": "A2", "points": {"kind": "ratio"}}]}});
    let root = json!({"code": "R", "name": "R", "aggregate": "sum", "children": [best_of, ratio]});
    add_framework(&service, &framework("DIEM", "province", 3, root)).await;
    let token = service.token("coordinator").await;
    let rows = json!([
        {"unit": "u", "indicator": "A1", "value": 2}, {"unit": "u", "indicator": "A2", "numerator": 9, "denominator": 10},
        {"unit": "u", "indicator": "B", "numerator": 12, "denominator": 10},
        {"unit": "v", "indicator": "B", "numerator": -1, "denominator": 10}, {"unit": "w", "indicator": "B", "numerator": 1, "denominator": 0}]);
    let put = service.put("frameworks/DIEM/observations/2020?dry_run=true", json!({"rows": rows}));
    let body = put.as_(&token).send().await.expect(200).json();
    assert_eq!(body["out_of_range_count"], 3);
    let named: Vec<String> = body["out_of_range"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| format!("{} {}", f["unit"], f["indicator"]))
        .collect();
    assert_eq!(named, [r#""u" "A1""#, r#""u" "B""#, r#""v" "B""#]);
}
