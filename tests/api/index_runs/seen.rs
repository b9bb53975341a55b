//! Who sees what of a run.

use ict_index::scoring::engine::framework::Framework;
use ict_index::scoring::engine::tree::Tree;
use serde_json::{Value, json};

use super::{FIGURES, add_framework, all, get, item, observe, run, small, small_run};
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
    assert_eq!(simulate(own).await.expect(200).json()["scores"].as_array().unwrap().len(), 1);
    let of_an_indicator =
        simulate(json!({"nodes": ["X3", "ALL"]})).await.expect(200).json()["scores"].clone();
    let units =
        |node: &str| of_an_indicator.as_array().unwrap().iter().filter(|item| item["node"] == node).count();
    assert_eq!((units("X3"), units("ALL")), (1, 1), "{of_an_indicator}");
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
async fn how_far_a_foreign_leader_is_ahead_is_withheld() {
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
    assert_eq!((limited, &whole["other"]), (Value::Null, &json!("SO-YT")));
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

/// What of a run names the unit at an indicator, or what it lacks.
fn leaves_of<'v>(items: &'v [Value], unit: &str, leaves: &[&str]) -> Vec<&'v Value> {
    let told = |item: &&Value| {
        item["unit"] == unit
            && (leaves.iter().any(|leaf| item["node"] == *leaf) || item["missing"] != json!([]))
    };
    items.iter().filter(told).collect()
}

#[actix_web::test]
async fn a_unit_that_is_an_agency_of_others_is_hidden_whatever_units_are_called() {
    let service = TestService::start().await;
    add_framework(&service, &small("HUYEN", "district")).await;
    // SO-TTTT and SO-YT are equal at X3; UBND-080 lacks X2; the last is no agency.
    let rename = |unit| match unit {
        "SO-GDDT" => "UBND-080",
        other => other,
    };
    let mut figures: Vec<(&str, &str, &str)> =
        FIGURES.iter().map(|(unit, code, value)| (rename(unit), *code, *value)).collect();
    figures.retain(|(unit, code, _)| (*unit, *code) != ("SO-TTTT", "X3"));
    figures.extend([("SO-TTTT", "X3", "80"), ("Huyện A, B", "X1", "12"), ("Huyện A, B", "X3", "9")]);
    observe(&service, "HUYEN", 2017, &figures, &[]).await;
    let id = run(&service, "HUYEN", 2017, "provisional").await;
    let (officer, monitor) = (service.token("officer.so-yt").await, service.token("monitor").await);
    let leaves = ["X1", "X2", "X3"];
    for (list, token) in [("scores", &officer), ("ranks?node=ALL,G1,X1,X2,X3", &officer)] {
        let path = format!("index-runs/{id}/{list}");
        let seen = all(&service, token, &path).await;
        for hidden in ["SO-TTTT", "UBND-080"] {
            assert_eq!(leaves_of(&seen, hidden, &leaves), Vec::<&Value>::new(), "{list}");
            let group = seen
                .iter()
                .find(|item| item["unit"] == hidden && item["node"] == "G1")
                .expect("groups of all");
            assert!(group["rank"].is_number() && group["score"].is_null(), "of others the ranks: {group}");
            assert_eq!(group["withheld"], "FOREIGN_UNIT");
        }
        let own = seen.iter().find(|item| item["unit"] == "SO-YT" && item["node"] == "X3").unwrap();
        assert_eq!(own["tied_with"], json!([]), "who is equal has the same figure");
        let whole = all(&service, &monitor, &path).await;
        assert!(!leaves_of(&whole, "UBND-080", &leaves).is_empty());
        let own = whole.iter().find(|item| item["unit"] == "SO-YT" && item["node"] == "X3").unwrap();
        assert_eq!(own["tied_with"], json!(["SO-TTTT"]));
        let counted = get(
            &service,
            token,
            format!("{path}{}count=exact&limit=1", if path.contains('?') { '&' } else { '?' }),
        )
        .await;
        assert_eq!(counted.expect(200).json()["page"]["total"], json!(seen.len()));
    }
    for part in ["explanation", "levers"] {
        get(&service, &officer, format!("index-runs/{id}/units/UBND-080/{part}")).await.expect(404);
        // A district is an agency, unless it is proven to be none.
        get(&service, &officer, format!("index-runs/{id}/units/Huy%E1%BB%87n%20A%2C%20B/{part}"))
            .await
            .expect(404);
        get(&service, &monitor, format!("index-runs/{id}/units/UBND-080/{part}")).await.expect(200);
    }
    let body = json!({"changes": [{"unit": "UBND-080", "indicator": "X3", "value": 1}]});
    let simulated = service.post(&format!("index-runs/{id}/simulations"), body).as_(&officer).send().await;
    simulated.expect_problem(422, "UNKNOWN_REFERENCE");
    let (limited, whole) = (
        get(&service, &officer, format!("index-runs/{id}")).await.expect(200),
        get(&service, &monitor, format!("index-runs/{id}")).await.expect(200),
    );
    assert_ne!(limited.etag(), whole.etag());
    let warning = |answer: &Value| {
        let all = answer["warnings"].as_array().unwrap().clone();
        all.into_iter().find(|warning| warning["code"] == "FIGURE_MISSING").unwrap()
    };
    assert_eq!(warning(&whole.json())["units"], json!(["Huyện A, B", "UBND-080"]));
    assert!(!limited.text().contains("FIGURE_MISSING") && !limited.text().contains("UBND-080"));
    let beside = format!("index-runs/{id}/national-results?unit=UBND-080");
    let nodes = |answer: crate::support::Answer| {
        let items = answer.expect(200).json()["items"].as_array().unwrap().clone();
        let computed = items.into_iter().filter(|item| !item["computed"]["score"].is_null());
        computed.map(|item| item["node"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(nodes(get(&service, &officer, &beside).await), Vec::<String>::new());
    assert!(nodes(get(&service, &monitor, &beside).await).contains(&"X3".to_owned()));
    // A name with a comma is one unit.
    for list in ["scores", "ranks"] {
        let named = format!("index-runs/{id}/{list}?unit=Huy%E1%BB%87n%20A,%20B");
        let found = get(&service, &monitor, &named).await.expect(200);
        assert!(
            !found.column("unit").is_empty() && found.column("unit").iter().all(|unit| unit == "Huyện A, B")
        );
    }
    let later = run(&service, "HUYEN", 2017, "provisional").await;
    let moves = format!("index-runs/{later}/comparison?with={id}");
    let named = get(&service, &monitor, format!("{moves}&unit=Huy%E1%BB%87n%20A,%20B")).await.expect(200);
    assert!(!named.column("unit").is_empty() && named.column("unit").iter().all(|unit| unit == "Huyện A, B"));
    let seen = get(&service, &officer, &moves).await.expect(200);
    assert!(
        !seen.column("unit").contains(&json!("UBND-080")) && seen.column("unit").contains(&json!("SO-YT"))
    );

    let observed = "frameworks/HUYEN/observations/2017";
    let seen = get(&service, &officer, observed).await.expect(200);
    assert!(
        !seen.text().contains("UBND-080")
            && !seen.text().contains("SO-TTTT")
            && seen.text().contains("SO-YT")
    );
    let whole = get(&service, &monitor, observed).await.expect(200);
    assert!(whole.text().contains("UBND-080") && whole.etag() != seen.etag());
}

/// An indicator that is the best of alternatives is scored by a figure, too.
#[actix_web::test]
async fn every_indicator_of_the_plan_is_hidden() {
    let service = TestService::start().await;
    let document = get(&service, &service.token("monitor").await, "frameworks/ICT-INDEX-AGENCIES")
        .await
        .expect(200)
        .json();
    let mut document = document;
    let keys = ["code", "name", "unit_type", "status", "rank", "missing", "bands", "root", "scale"];
    document.as_object_mut().unwrap().retain(|key, _| keys.contains(&key.as_str()));
    let framework: Framework = serde_json::from_value(document).unwrap();
    let tree = Tree::of(&framework);
    let leaves: Vec<&str> = tree.leaves().map(|(_, item, _)| item.code.as_str()).collect();
    let figures =
        [("SO-TTTT", "CQ.UD.02A", "90"), ("SO-TTTT", "CQ.NL.03", "60"), ("SO-YT", "CQ.NL.03", "30")];
    observe(&service, "ICT-INDEX-AGENCIES", 2018, &figures, &[]).await;
    let id = run(&service, "ICT-INDEX-AGENCIES", 2018, "provisional").await;
    let officer = service.token("officer.so-yt").await;
    let seen = all(&service, &officer, &format!("index-runs/{id}/scores")).await;
    assert_eq!(leaves_of(&seen, "SO-TTTT", &leaves), Vec::<&Value>::new());
    assert!(seen.iter().any(|item| item["unit"] == "SO-TTTT"));
    assert_eq!(seen.iter().filter(|item| item["unit"] == "SO-YT").count(), tree.len());
}
