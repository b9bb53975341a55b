//! What is disclosed of a run to an officer does not depend on figures of others, but through ranks and bounds of at least five of them.

use serde_json::{Value, json};

use super::{add_framework, framework, get, observe, run};
use crate::support::TestService;

/// Every way of measuring: relative to what is observed, to the mean, to places, to fixed bounds.
fn measured(code: &str) -> Value {
    framework(
        code,
        "agency",
        3,
        json!({"code": "ALL", "name": "Tất cả", "aggregate": "arithmetic", "children": [
            {"code": "G1", "name": "Nhóm 1", "aggregate": "arithmetic", "children": [
                {"code": "X1", "name": "Chỉ tiêu 1", "normalise": {"method": "min_max"}},
                {"code": "X2", "name": "Chỉ tiêu 2", "normalise": {"method": "ratio_to_max"}}]},
            {"code": "G2", "name": "Nhóm 2", "aggregate": "arithmetic", "children": [
                {"code": "X3", "name": "Chỉ tiêu 3", "normalise": {"method": "goalposts", "lo": 0, "hi": 100}},
                {"code": "X4", "name": "Chỉ tiêu 4", "normalise": {"method": "rank"}}]}]}),
    )
}

const UNITS: [&str; 7] = ["SO-TTTT", "SO-GDDT", "SO-TC", "SO-YT", "SO-CT", "SO-TP", "SO-XD"];
const LEAVES: [&str; 4] = ["X1", "X2", "X3", "X4"];

/// Seven agencies, each better than the one before in everything. `of_others` says what others have instead of 10, 20, …; none: nothing.
async fn world(of_others: impl Fn(&str, usize) -> Option<String>) -> (TestService, String) {
    let service = TestService::start().await;
    add_framework(&service, &measured("DO")).await;
    let mut figures = Vec::new();
    for (at, unit) in UNITS.iter().enumerate() {
        for leaf in LEAVES {
            let value = if *unit == "SO-YT" { Some("40".into()) } else { of_others(leaf, at) };
            figures.extend(value.map(|value| (*unit, leaf, value)));
        }
    }
    let figures: Vec<(&str, &str, &str)> = figures.iter().map(|(u, l, v)| (*u, *l, v.as_str())).collect();
    observe(&service, "DO", 2017, &figures, &[]).await;
    let id = run(&service, "DO", 2017, "provisional").await;
    (service, id)
}

fn plain(at: usize) -> String {
    ((at + 1) * 10).to_string()
}

fn simulations() -> Vec<Value> {
    let change = |leaf: &str, value: Value, mode: &str| {
        json!({"changes": [{"unit": "SO-YT", "indicator": leaf, "value": value}], "frontier": mode,
            "nodes": ["ALL", "G1", "G2", "X1", "X2", "X3", "X4"]})
    };
    let mut all = vec![json!({}), json!({"nodes": LEAVES})];
    for leaf in LEAVES {
        for value in [json!(0), json!(15), json!(25.5), json!(1000), Value::Null] {
            all.extend(["live", "frozen"].map(|mode| change(leaf, value.clone(), mode)));
        }
    }
    all.push(json!({"goal": {"unit": "SO-YT", "indicators": ["X3"], "score": 0.6}}));
    all.push(json!({"goal": {"unit": "SO-YT", "indicators": ["X1"], "score": 0.99}}));
    all
}

/// Everything that is disclosed of the run to this caller, the run's own name taken out.
async fn disclosed(service: &TestService, username: &str, id: &str) -> Vec<(String, String)> {
    let token = service.token(username).await;
    let later = run(service, "DO", 2017, "provisional").await;
    let mut answers = Vec::new();
    for path in [
        format!("index-runs/{id}"),
        "index-runs".to_owned(),
        format!("index-runs/{id}/scores?count=exact"),
        format!("index-runs/{id}/scores?format=csv&sort=-rank"),
        format!("index-runs/{id}/ranks?node=ALL,G1,G2,X1,X2,X3,X4&sort=rank,unit"),
        format!("index-runs/{id}/units/SO-YT/explanation?target=0.9"),
        format!("index-runs/{id}/units/SO-YT/levers"),
        format!("index-runs/{id}/units/SO-TTTT/levers"),
        format!("index-runs/{id}/robustness"),
        format!("index-runs/{id}/robustness?draws=1"),
        format!("index-runs/{id}/robustness?seed=7"),
        format!("index-runs/{later}/comparison?with={id}"),
        format!("index-runs/{id}/national-results?unit=SO-YT"),
        format!("index-runs/{id}/national-results?unit=SO-TTTT"),
        "frameworks/DO/observations/2017".to_owned(),
        "frameworks/DO/observations/2017/revisions".to_owned(),
    ] {
        answers.push((path.clone(), get(service, &token, path).await));
    }
    for body in simulations() {
        let sent =
            service.post(&format!("index-runs/{id}/simulations"), body.clone()).as_(&token).send().await;
        answers.push((body.to_string(), sent));
    }
    let named = |text: String| {
        let mut value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if let Some(problem) = value.as_object_mut() {
            problem.retain(|member, _| !["request_id", "instance"].contains(&member.as_str()));
        }
        value.to_string().replace(id, "RUN").replace(&later, "LATER")
    };
    answers.into_iter().map(|(request, answer)| (named(request), named(answer.text()))).collect()
}

fn differing(one: &[(String, String)], other: &[(String, String)]) -> Vec<String> {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).filter(|(a, b)| a != b).map(|(a, b)| format!("{}\n{}\n{}", a.0, a.1, b.1)).collect()
}

#[actix_web::test]
async fn what_is_disclosed_to_an_officer_does_not_depend_on_figures_of_fewer_than_five_others() {
    // X1 and X2 have figures of four others, X3 and X4 of all.
    let few = |leaf: &str, at: usize| !(matches!(leaf, "X1" | "X2") && at < 2);
    let (service, id) = world(|leaf, at| few(leaf, at).then(|| plain(at))).await;
    let moved = |leaf: &str, at: usize| match leaf {
        "X1" | "X2" => format!("{}.5", if at < 3 { 31 } else { at * at * 7 }),
        _ => plain(at),
    };
    let (other, other_id) = world(|leaf, at| few(leaf, at).then(|| moved(leaf, at))).await;
    let shown = disclosed(&service, "officer.so-yt", &id).await;
    let differences = differing(&shown, &disclosed(&other, "officer.so-yt", &other_id).await);
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    let table = &shown.iter().find(|(path, _)| path.contains("scores?format=csv")).unwrap().1;
    assert!(table.contains(",FEW_FOREIGN_UNITS\\r\\n"), "the table says what is withheld: {table}");
    let differences =
        differing(&disclosed(&service, "monitor", &id).await, &disclosed(&other, "monitor", &other_id).await);
    assert!(differences.len() > 30, "the figures are other ones: {}", differences.len());
}

#[actix_web::test]
async fn of_five_and_more_others_only_the_bounds_are_disclosed_to_an_officer() {
    let (service, id) = world(|_, at| Some(plain(at))).await;
    // Of those between the lowest and the highest, in their order still.
    let moved = |leaf: &str, at: usize| match (leaf, at) {
        ("X1" | "X2" | "X4", 1 | 2 | 4 | 5) => format!("{}.25", (at + 1) * 10),
        _ => plain(at),
    };
    let (other, other_id) = world(|leaf, at| Some(moved(leaf, at))).await;
    let (one, two) = (
        disclosed(&service, "officer.so-yt", &id).await,
        disclosed(&other, "officer.so-yt", &other_id).await,
    );
    let differences = differing(&one, &two);
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    let explained = &one.iter().find(|(path, _)| path.contains("explanation")).unwrap().1;
    let bounds = [r#""lo":10"#, r#""hi":70"#].iter().all(|bound| explained.contains(bound));
    assert!(bounds && !explained.contains("withheld"), "{explained}");
}

/// The attack: with other figures of one's own, bounds move, and with them the scores of everyone.
#[actix_web::test]
async fn three_live_simulations_reveal_no_figure_of_others() {
    let service = TestService::start().await;
    let id = super::small_run(&service).await;
    let token = service.token("officer.so-yt").await;
    for value in [1, 30, 1_000] {
        let body = json!({"changes": [{"unit": "SO-YT", "indicator": "X1", "value": value}],
            "nodes": ["ALL", "G1", "X1", "X3"]});
        let answer = service.post(&format!("index-runs/{id}/simulations"), body).as_(&token).send().await;
        let (answer, text) = (answer.json(), answer.expect(200).text());
        assert!(!text.contains("SO-TTTT") && !text.contains("SO-GDDT"), "{text}");
        let scores = answer["scores"].as_array().unwrap();
        let disclosed: Vec<_> =
            scores.iter().map(|item| (item["node"].as_str().unwrap(), &item["score"])).collect();
        assert_eq!(
            disclosed,
            [("ALL", &Value::Null), ("G1", &Value::Null), ("X1", &Value::Null), ("X3", &json!(0.8))],
            "two others are fewer than five"
        );
        assert!(
            scores.iter().all(|item| item["rank"].is_null()),
            "a rank compares with one of them after the other"
        );
        let reasons = answer["withheld"].as_array().unwrap();
        assert!(reasons.iter().any(|withheld| withheld["reason"] == "COMPARES_WITH_FOREIGN_UNITS"));
        assert!(reasons.iter().any(|w| w["node"] == "X1" && w["reason"] == "FEW_FOREIGN_UNITS"));
    }
    let refused = async |goal: Value, pointer: &str| {
        let body = json!({"goal": goal});
        let problem = service.post(&format!("index-runs/{id}/simulations"), body).as_(&token).send().await;
        assert_eq!(problem.expect_problem(403, "WITHHELD").json()["errors"][0]["pointer"], pointer);
    };
    refused(json!({"unit": "SO-YT", "indicators": ["X3"], "place": 1}), "/goal/place").await;
    refused(json!({"unit": "SO-YT", "indicators": ["X3"], "score": 0.9}), "/goal").await;
    for chosen in ["draws=1", "seed=2", "spread=1", "method=rank", "aggregate=geometric"] {
        let problem = get(&service, &token, format!("index-runs/{id}/robustness?{chosen}")).await;
        problem.expect_problem(403, "WITHHELD");
    }
    let tested =
        get(&service, &token, format!("index-runs/{id}/robustness?draws=1000&seed=1")).await.expect(200);
    assert!(!tested.text().contains("SO-TTTT") && tested.text().contains("SO-YT"));
}

#[actix_web::test]
async fn ranks_among_others_under_a_figure_of_ones_choice_are_withheld() {
    let (service, id) = world(|_, at| Some(plain(at))).await;
    let token = service.token("officer.so-yt").await;
    let simulate =
        |body: Value| service.post(&format!("index-runs/{id}/simulations"), body).as_(&token).send();
    let nodes = json!(["ALL", "X1", "X4"]);
    let ranked = json!({"changes": [{"unit": "SO-YT", "indicator": "X4", "value": 55}], "nodes": nodes});
    let answer = simulate(ranked).await.expect(200).json();
    assert!(
        answer["scores"]
            .as_array()
            .unwrap()
            .iter()
            .all(|item| item["score"].is_null() == (item["node"] != "X1"))
    );
    let goal = json!({"goal": {"unit": "SO-YT", "indicators": ["X1", "X4"], "score": 0.6}});
    let problem = simulate(goal).await.expect_problem(403, "WITHHELD").json();
    assert_eq!(problem["errors"][0]["pointer"], "/goal/indicators/1");
    let goal = json!({"goal": {"unit": "SO-YT", "indicators": ["X1"], "score": 0.55}});
    let inverse = simulate(goal).await.expect(200).json()["inverse"].clone();
    assert_eq!((&inverse["answer"], &inverse["place"]), (&json!("reached"), &Value::Null));
    // Without changes it is the run, with its places.
    let same = simulate(json!({})).await.expect(200).json();
    assert_eq!((same["scores"].as_array().unwrap().len(), &same["scores"][0]["rank"]), (1, &json!(4)));
}

/// A unit's name may be written in as many ways as there are to write it.
#[actix_web::test]
async fn a_foreign_agency_is_hidden_however_a_unit_is_spelt() {
    let service = TestService::start().await;
    let spellings = [
        "so-gddt",
        "SO\u{2011}GDDT",
        "SO GDDT",
        "S\u{41e}-GDDT",
        "SO-\u{200b}GDDT",
        "\u{ff33}\u{ff2f}-GDDT",
        "Sở Giáo dục và Đào tạo",
        "SỞ GIÁO DỤC VÀ ĐÀO TẠO",
        "Sở Giáo dục và Đào tạo Lào Cai",
    ];
    let (officer, monitor) = (service.token("officer.so-yt").await, service.token("monitor").await);
    for (at, unit_type) in ["agency", "district", "province"].into_iter().enumerate() {
        let code = format!("VIET-{at}");
        add_framework(&service, &super::small(&code, unit_type)).await;
        let mut figures = vec![("SO-YT", "X3", "12345")];
        figures.extend(spellings.iter().map(|unit| (*unit, "X3", "54321")));
        figures.push(("Lai Châu", "X3", "77767"));
        observe(&service, &code, 2017, &figures, &[]).await;
        let id = run(&service, &code, 2017, "provisional").await;
        let observed = format!("frameworks/{code}/observations/2017");
        let (own, all) =
            (get(&service, &officer, &observed).await.expect(200), get(&service, &monitor, &observed).await);
        assert!(own.text().contains("12345") && !own.text().contains("54321"), "{unit_type}: {}", own.text());
        assert_eq!(own.text().contains("77767"), unit_type == "province", "only provinces are no agencies");
        assert_eq!(all.text().matches("54321").count(), spellings.len());
        let scores = super::all(&service, &officer, &format!("index-runs/{id}/scores")).await;
        let foreign = scores.iter().filter(|item| spellings.contains(&item["unit"].as_str().unwrap()));
        assert!(
            foreign.clone().count() > 0 && foreign.clone().all(|item| item["score"].is_null()),
            "{unit_type}"
        );
        for unit in [
            "so-gddt",
            "SO%E2%80%91GDDT",
            "S%E1%BB%9F%20Gi%C3%A1o%20d%E1%BB%A5c%20v%C3%A0%20%C4%90%C3%A0o%20t%E1%BA%A1o",
        ] {
            for part in ["explanation", "levers"] {
                get(&service, &officer, format!("index-runs/{id}/units/{unit}/{part}")).await.expect(404);
                get(&service, &monitor, format!("index-runs/{id}/units/{unit}/{part}")).await.expect(200);
            }
        }
        let body = json!({"changes": [{"unit": "so-gddt", "indicator": "X3", "value": 1}]});
        let simulated =
            service.post(&format!("index-runs/{id}/simulations"), body).as_(&officer).send().await;
        simulated.expect_problem(422, "UNKNOWN_REFERENCE");
    }
}
