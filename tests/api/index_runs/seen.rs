//! Who sees what of a run.

use serde_json::json;

use super::{FIGURES, add_framework, get, item, observe, run, small, small_run};
use crate::support::TestService;

#[actix_web::test]
async fn an_officer_sees_all_ranks_and_the_reasons_of_their_own() {
    let service = TestService::start().await;
    let id = small_run(&service).await;
    let token = service.token("officer.so-yt").await;
    let ranks = get(&service, &token, format!("index-runs/{id}/ranks")).await.expect(200);
    assert_eq!(ranks.column("unit").len(), 3);
    for part in ["explanation", "levers"] {
        get(&service, &token, format!("index-runs/{id}/units/SO-YT/{part}")).await.expect(200);
        get(&service, &token, format!("index-runs/{id}/units/SO-TTTT/{part}"))
            .await
            .expect_problem(404, "NOT_FOUND");
    }
    let later = run(&service, "NHO", 2017, "provisional").await;
    let moves = get(&service, &token, format!("index-runs/{later}/comparison?with={id}")).await.expect(200);
    assert!(moves.column("unit").iter().all(|unit| unit == "SO-YT") && !moves.column("unit").is_empty());
    let simulate = |body| service.post(&format!("index-runs/{id}/simulations"), body).as_(&token).send();
    let own = json!({"changes": [{"unit": "SO-YT", "indicator": "X3", "value": 1}]});
    assert_eq!(simulate(own).await.expect(200).json()["scores"].as_array().unwrap().len(), 3);
    let foreign = json!({
        "changes": [{"unit": "SO-TTTT", "indicator": "X3", "value": 1}],
        "goal": {"unit": "SO-TTTT", "indicators": ["X3"], "place": 1}
    });
    let refused = simulate(foreign).await.expect_problem(422, "UNKNOWN_REFERENCE").json();
    let pointers: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/changes/0/unit", "/goal/unit"]);
}

#[actix_web::test]
async fn a_leader_that_is_foreign_keeps_its_reasons() {
    let service = TestService::start().await;
    let id = small_run(&service).await;
    let path = format!("index-runs/{id}/units/SO-TTTT/explanation");
    let officer = service.token("officer.so-tttt").await;
    let (limited, whole) = (
        get(&service, &officer, &path).await.expect(200),
        get(&service, &service.token("monitor").await, &path).await.expect(200),
    );
    assert_ne!(limited.etag(), whole.etag());
    let (limited, whole) = (limited.json()["gap_to_leader"].clone(), whole.json()["gap_to_leader"].clone());
    assert_eq!((limited["gap"].clone(), limited["other"].clone()), (whole["gap"].clone(), json!("SO-YT")));
    assert_eq!((limited["parts"].clone(), limited["residual"].clone()), (json!([]), limited["gap"].clone()));
    assert_eq!(whole["parts"].as_array().unwrap().len(), 3);
}

#[actix_web::test]
async fn units_that_are_no_agencies_are_open_to_all_who_read() {
    let service = TestService::start().await;
    add_framework(&service, &small("TINH", "province")).await;
    let slash =
        FIGURES.map(|(unit, code, value)| (if unit == "SO-YT" { "Tỉnh A/B 50%" } else { unit }, code, value));
    observe(&service, "TINH", 2017, &slash, &[]).await;
    let id = run(&service, "TINH", 2017, "provisional").await;
    for token in [service.token("officer.so-yt").await, service.client_token("portal").await] {
        let path = format!("index-runs/{id}/units/T%E1%BB%89nh%20A%2FB%2050%25/explanation");
        let explained = get(&service, &token, &path).await.expect(200).json();
        assert_eq!(explained["unit"], "Tỉnh A/B 50%");
        let decomposed = format!("index-runs/{id}/units/Ti%CC%89nh%20A%2FB%2050%25/levers");
        get(&service, &token, &decomposed).await.expect(200);
        get(&service, &token, format!("index-runs/{id}/units/%FF/levers")).await.expect(404);
        let scores =
            get(&service, &token, format!("index-runs/{id}/scores?unit=T%E1%BB%89nh%20A/B%2050%25&node=ALL"));
        assert_eq!(item(&scores.await.expect(200).json(), "Tỉnh A/B 50%")["rank"], 1);
    }
}
