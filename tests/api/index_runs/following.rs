//! What follows from a run: explanation, what-if, levers, comparison, robustness.

use futures::future::join_all;
use serde_json::{Value, json};

use super::{FIGURES, add_framework, framework, get, item, number, observe, run, small, small_run, zero};
use crate::support::TestService;

#[actix_web::test]
async fn a_score_is_explained_to_the_last_leaf() {
    let service = TestService::start().await;
    let id = small_run(&service).await;
    let token = service.token("monitor").await;
    let path = format!("index-runs/{id}/units/SO-TTTT/explanation?target=0.8");
    let (statements, answer) = service.statements_of(service.get(&path).as_(&token).send()).await;
    assert!(statements <= 4, "{statements} statements");
    let answer = answer.expect(200);
    let body = answer.json();
    assert_eq!((body["score"].to_string(), body["rank"].clone()), ("0.566666666666666667".into(), json!(2)));
    let tree = &body["tree"];
    assert_eq!(tree["contribution"], body["score"]);
    let x1 = &tree["children"][0]["children"][0];
    assert_eq!(
        (x1["raw"].clone(), x1["normalised"].clone(), x1["rank"].clone()),
        (json!(20), json!(1), json!(1))
    );
    assert_eq!((x1["bounds"]["lo"].clone(), x1["bounds"]["hi"].clone()), (json!(10), json!(20)));
    let x2 = &tree["children"][0]["children"][1];
    assert_eq!((x2["normalised"].clone(), x2["weight_in_force"].to_string()), (json!(0), "0.5".to_owned()));
    let g2 = &tree["children"][1];
    assert_eq!((g2["weight"].clone(), g2["contribution"].to_string()), (json!(2), "0.4".to_owned()));
    let (gap, to_target) = (&body["gap_to_leader"], &body["gap_to_target"]);
    assert_eq!(gap["other"], "SO-YT");
    let parts: bigdecimal::BigDecimal =
        gap["parts"].as_array().unwrap().iter().map(|part| number(&part["gap"])).sum();
    assert_eq!(parts + number(&gap["residual"]), number(&gap["gap"]));
    assert_eq!(number(&to_target["gap"]), number(&json!(0.8)) - number(&body["score"]));
    let again = || service.get(&path).as_(&token).header("If-None-Match", &answer.etag()).send();
    again().await.expect(304);
    let (statements, _) = service.statements_of(again()).await;
    assert!(statements <= 2, "a run is computed once: {statements} statements");
    get(&service, &token, format!("index-runs/{id}/units/SO-YT/explanation?target=x")).await.expect(400);
    get(&service, &token, format!("index-runs/{id}/units/SO-XX/explanation")).await.expect(404);
}

#[actix_web::test]
async fn many_first_readers_have_it_computed_once() {
    let service = TestService::start().await;
    let id = small_run(&service).await;
    let other = service.beside().await;
    let token = other.token("monitor").await;
    let path = format!("index-runs/{id}/units/SO-YT/explanation");
    other.settled().await;
    let before = other.state.db().statements();
    let answers = join_all((0..8).map(|_| other.get(&path).as_(&token).send())).await;
    answers.into_iter().for_each(|answer| {
        answer.expect(200);
    });
    let sent = other.state.db().statements() - before;
    assert!(sent <= 8 * 2, "{sent} statements: who and which run, and the inputs with the first");
}

async fn simulate(service: &TestService, token: &str, id: &str, body: Value) -> Value {
    service.post(&format!("index-runs/{id}/simulations"), body).as_(token).send().await.expect(200).json()
}

#[actix_web::test]
async fn other_figures_move_units() {
    let service = TestService::start().await;
    let id = small_run(&service).await;
    let token = service.client_token("portal").await;
    let scores = get(&service, &token, format!("index-runs/{id}/scores?node=ALL")).await.expect(200).json();
    let same = simulate(&service, &token, &id, json!({})).await;
    assert_eq!(same["scores"], scores["items"]);
    assert_eq!((same["moved"].clone(), same["inverse"].clone()), (json!([]), Value::Null));
    let better =
        json!({"changes": [{"unit": "SO-TTTT", "indicator": "X3", "value": 100}], "frontier": "frozen"});
    let after = simulate(&service, &token, &id, better).await;
    let moved = &after["moved"];
    let first = moved.as_array().unwrap().iter().find(|m| m["unit"] == "SO-TTTT").unwrap();
    assert_eq!((first["movement"].clone(), first["overtakes"].clone()), (json!(1), json!(["SO-YT"])));
    assert_eq!(
        moved.as_array().unwrap().iter().find(|m| m["unit"] == "SO-YT").unwrap()["overtaken_by"],
        json!(["SO-TTTT"])
    );
    // A better best moves the bounds of the others when the frontier is live.
    let change = |frontier: &str| json!({"changes": [{"unit": "SO-TTTT", "indicator": "X1", "value": 30}], "frontier": frontier, "nodes": ["X1"]});
    let live = simulate(&service, &token, &id, change("live")).await;
    let frozen = simulate(&service, &token, &id, change("frozen")).await;
    let of = |answer: &Value| {
        answer["scores"].as_array().unwrap().iter().find(|i| i["unit"] == "SO-GDDT").unwrap()["score"].clone()
    };
    assert_eq!((of(&live).to_string(), of(&frozen).to_string()), ("0.25".into(), "0.5".into()));
    let gone = json!({"changes": [{"unit": "SO-YT", "indicator": "X3", "value": null}]});
    let gone = simulate(&service, &token, &id, gone).await;
    assert_eq!(
        gone["scores"].as_array().unwrap().iter().find(|i| i["unit"] == "SO-YT").unwrap()["missing"],
        json!(["X3"])
    );
}

#[actix_web::test]
async fn the_least_change_reaches_a_goal() {
    let service = TestService::start().await;
    let id = small_run(&service).await;
    let token = service.token("monitor").await;
    let goal = |goal: Value| json!({"frontier": "frozen", "goal": goal});
    let place = goal(json!({"unit": "SO-TTTT", "indicators": ["X3"], "place": 1}));
    let reached = simulate(&service, &token, &id, place).await["inverse"].clone();
    assert_eq!((reached["answer"].clone(), reached["place"].clone()), (json!("reached"), json!(1)));
    let to = reached["figures"][0]["to"].clone();
    let change =
        json!({"changes": [{"unit": "SO-TTTT", "indicator": "X3", "value": to}], "frontier": "frozen"});
    let tried = simulate(&service, &token, &id, change).await;
    let own = tried["scores"].as_array().unwrap().iter().find(|i| i["unit"] == "SO-TTTT").unwrap().clone();
    assert_eq!((own["rank"].clone(), own["score"].clone()), (json!(1), reached["score"].clone()));
    let far = goal(json!({"unit": "SO-TTTT", "indicators": ["X1"], "score": 0.99}));
    assert_eq!(simulate(&service, &token, &id, far).await["inverse"]["answer"], "unreachable");
}

#[actix_web::test]
async fn all_that_is_wrong_with_a_simulation_is_named() {
    let service = TestService::start().await;
    let id = small_run(&service).await;
    let token = service.token("monitor").await;
    let refused = async |body: Value, status: u16| {
        let answer = service
            .post(&format!("index-runs/{id}/simulations"), body)
            .as_(&token)
            .send()
            .await
            .expect(status)
            .json();
        let errors = answer["errors"].as_array().unwrap().clone();
        errors
            .iter()
            .map(|e| format!("{} {}", e["pointer"].as_str().unwrap(), e["code"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let body = json!({
        "changes": [{"unit": "SO-XX", "indicator": "X3", "value": 1}, {"unit": "SO-YT", "indicator": "G1", "value": 1}],
        "nodes": ["ALL", "Y"], "goal": {"unit": "SO-XX", "indicators": ["G2", "X3"], "place": 1},
    });
    assert_eq!(
        refused(body, 422).await,
        [
            "/changes/0/unit UNKNOWN_REFERENCE",
            "/changes/1/indicator UNKNOWN_REFERENCE",
            "/nodes/1 UNKNOWN_REFERENCE",
            "/goal/unit UNKNOWN_REFERENCE",
            "/goal/indicators/0 UNKNOWN_REFERENCE",
        ]
    );
    let twice = json!({"changes": [{"unit": "SO-YT", "indicator": "X3", "value": 1}, {"unit": "SO-YT", "indicator": "X3", "value": 2}],
        "nodes": ["ALL", "ALL", "Y"],
        "goal": {"unit": "SO-YT", "indicators": [], "score": 1, "place": 0}});
    assert_eq!(
        refused(twice, 422).await,
        [
            "/changes/1 DUPLICATE_ENTRY",
            "/nodes/1 DUPLICATE_ENTRY",
            "/goal/indicators REQUIRED",
            "/goal INVALID_VALUE",
            "/goal/place INVALID_RANGE",
            "/nodes/2 UNKNOWN_REFERENCE",
        ]
    );
    assert_eq!(
        refused(json!({"changes": [{"unit": "SO-YT", "indicator": "X3"}]}), 400).await,
        ["/changes/0/value MISSING_FIELD"]
    );
    assert_eq!(
        refused(json!({"changes": [{"unit": "SO-YT", "indicator": "X3", "value": "84,1"}]}), 422).await,
        ["/changes/0/value NOT_A_NUMBER"]
    );
    assert_eq!(refused(json!({"frontier": "liquid"}), 400).await, ["/frontier WRONG_TYPE"]);
}

#[actix_web::test]
async fn levers_name_the_tasks_that_work_on_them() {
    let service = TestService::start().await;
    let leaf = |code: &str| json!({"code": code, "name": code, "normalise": {"method": "goalposts", "lo": 0, "hi": 100}});
    let root = json!({"code": "R", "name": "R", "aggregate": "arithmetic", "children": [leaf("UD.CQ.03"), leaf("Y")]});
    add_framework(&service, &framework("DON-BAY", "province", 3, root)).await;
    observe(&service, "DON-BAY", 2017, &[("A", "UD.CQ.03", "40"), ("A", "Y", "100"), ("B", "Y", "50")], &[])
        .await;
    let id = run(&service, "DON-BAY", 2017, "provisional").await;
    let token = service.client_token("portal").await;
    let path = format!("index-runs/{id}/units/A/levers");
    let (statements, answer) = service.statements_of(service.get(&path).as_(&token).send()).await;
    assert!(statements <= 4, "{statements} statements");
    let answer = answer.expect(200);
    let body = answer.json();
    let first = &body["items"][0];
    assert_eq!((first["indicator"].clone(), first["step"].clone()), (json!("UD.CQ.03"), json!(10)));
    assert_eq!((first["gain"].to_string(), first["gain_full"].to_string()), ("0.05".into(), "0.3".into()));
    let tasks = get(&service, &token, "tasks?indicator=UD.CQ.03").await.expect(200);
    let codes: Vec<Value> = first["tasks"].as_array().unwrap().iter().map(|t| t["code"].clone()).collect();
    assert!(!codes.is_empty());
    assert_eq!(codes, tasks.column("code"));
    assert_eq!(first["tasks"][0]["status"], tasks.column("status")[0]);
    assert_eq!(first["tasks"][0]["leads"][0], tasks.column("leads")[0][0]["code"]);
    let last = &body["items"][1];
    assert_eq!(
        (last["step"].clone(), last["gain_full"].clone(), last["tasks"].clone()),
        (Value::Null, json!(0), json!([]))
    );
    service.get(&path).as_(&token).header("If-None-Match", &answer.etag()).send().await.expect(304);
}

#[actix_web::test]
async fn a_comparison_says_why() {
    let service = TestService::start().await;
    let earlier = small_run(&service).await;
    let mut later = FIGURES.to_vec();
    later[0].2 = "25";
    later[5].2 = "90";
    later.retain(|(unit, _, _)| *unit != "SO-GDDT");
    later.push(("SO-NV", "X3", "10"));
    observe(&service, "NHO", 2018, &later, &[]).await;
    let id = run(&service, "NHO", 2018, "provisional").await;
    let token = service.token("monitor").await;
    let path = format!("index-runs/{id}/comparison?with={earlier}");
    let (statements, answer) = service.statements_of(service.get(&path).as_(&token).send()).await;
    assert!(statements <= 4, "{statements} statements");
    let body = answer.expect(200).json();
    assert_eq!((body["entered"].clone(), body["left"].clone()), (json!(["SO-NV"]), json!(["SO-GDDT"])));
    assert_eq!((body["before"]["id"].clone(), body["after"]["id"].clone()), (json!(earlier), json!(id)));
    let whole = item(&body, "SO-YT");
    assert_eq!((whole["node"].clone(), body["items"].as_array().unwrap().len()), (json!("ALL"), 12));
    for item in body["items"].as_array().unwrap() {
        let parts = &item["parts"];
        let sum = ["own", "frontier", "weights", "residual"]
            .map(|part| number(&parts[part]))
            .into_iter()
            .sum::<bigdecimal::BigDecimal>();
        assert_eq!(sum, number(&item["difference"]), "{item}");
        assert_eq!(number(&parts["weights"]), zero());
    }
    let one = get(&service, &token, format!("{path}&unit=SO-TTTT&node=X1")).await.expect(200).json();
    let x1 = item(&one, "SO-TTTT");
    assert_eq!((x1["parts"]["own"].clone(), x1["parts"]["frontier"] == x1["difference"]), (json!(0), true));
    assert_eq!(one["items"].as_array().unwrap().len(), 1);
    let csv = get(&service, &token, format!("{path}&format=csv&limit=2")).await.expect(200);
    assert_eq!(csv.text().lines().count(), 3);
    assert!(csv.text().contains("parts.frontier") && csv.header("link").contains("next"));
    let wrong = |with: &str| format!("index-runs/{id}/comparison?with={with}");
    for with in ["", "x", "01890000-0000-7000-8000-000000000000", &id] {
        get(&service, &token, &wrong(with)).await.expect_problem(400, "INVALID_PARAMETER");
    }
}

#[actix_web::test]
async fn ranks_are_tested() {
    let service = TestService::start().await;
    let id = small_run(&service).await;
    let token = service.token("monitor").await;
    let path = format!("index-runs/{id}/robustness");
    let read = |query: &str| get(&service, &token, format!("{path}{query}"));
    let answer = read("?draws=200&seed=7").await.expect(200);
    let body = answer.json();
    assert_eq!(
        (body["draws"].clone(), body["seed"].clone(), body["spread"].to_string()),
        (json!(200), json!(7), "0.25".into())
    );
    assert_eq!(read("?seed=7&draws=200").await.expect(200).body, answer.body);
    let intervals = body["intervals"].as_array().unwrap();
    assert_eq!(intervals.len(), 3);
    for interval in intervals {
        let order = ["best", "p05", "median", "p95", "worst"].map(|key| interval[key].as_i64().unwrap());
        assert!(order.is_sorted(), "{interval}");
    }
    let steady = read("?draws=10&spread=0").await.expect(200).json();
    assert!(
        steady["intervals"]
            .as_array()
            .unwrap()
            .iter()
            .all(|i| i["best"] == i["rank"] && i["worst"] == i["rank"])
    );
    let out = body["left_out"].as_array().unwrap().iter().find(|out| out["indicator"] == "X3").unwrap();
    assert!(out["largest_shift"].as_i64().unwrap() > 0);
    let many = read("?draws=20&method=rank,z_score&aggregate=geometric").await.expect(200).json();
    assert_eq!(many["variants"], 6);
    service
        .get(&format!("{path}?draws=200&seed=7"))
        .as_(&token)
        .header("If-None-Match", &answer.etag())
        .send()
        .await
        .expect(304);
    for query in [
        "?draws=0",
        "?draws=10001",
        "?draws=x",
        "?seed=-1",
        "?spread=1.01",
        "?spread=-0.1",
        "?method=none",
        "?aggregate=sum",
        "?method=zz",
    ] {
        read(query).await.expect_problem(400, "INVALID_PARAMETER");
    }
}

/// Inputs that say nothing have answers too.
#[actix_web::test]
async fn edges_have_answers() {
    let service = TestService::start().await;
    let leaf =
        |code: &str, method: &str| json!({"code": code, "name": code, "normalise": {"method": method}});
    let root = json!({"code": "R", "name": "R", "aggregate": "geometric", "children": [
        leaf("A", "min_max"), leaf("B", "z_score"), {"code": "C", "name": "C", "weight": 0, "normalise": {"method": "none"}}]});
    add_framework(&service, &framework("RIA", "province", 3, root)).await;
    let unit =
        |code: &str| ict_index::scoring::engine::input::Unit { code: code.into(), ..Default::default() };
    let token = service.token("monitor").await;
    let cases: [&[(&str, &str, &str)]; 5] = [
        &[],
        &[("u", "A", "1")],
        &[("u", "A", "1"), ("v", "A", "1"), ("u", "B", "2"), ("v", "B", "2")],
        &[("u", "A", "-5"), ("v", "A", "0"), ("u", "B", "-2"), ("v", "B", "0")],
        &[("u", "C", "7"), ("v", "C", "-7")],
    ];
    let mut earlier: Option<String> = None;
    for (year, figures) in (2010..).zip(cases) {
        observe(&service, "RIA", year, figures, &[unit("u")]).await;
        let id = run(&service, "RIA", year, "official").await;
        let read = get(&service, &token, format!("index-runs/{id}")).await.expect(200).json();
        assert_eq!(read["verification"]["matches"], true, "{figures:?}");
        for path in [
            "scores",
            "ranks",
            "units/u/explanation?target=1",
            "units/u/levers",
            "robustness?draws=20&method=rank",
            "national-results?unit=u",
        ] {
            let text = get(&service, &token, format!("index-runs/{id}/{path}")).await.expect(200).text();
            assert!(!text.contains("NaN") && !text.contains("inf"), "{path}: {text}");
        }
        if let Some(earlier) = &earlier {
            get(&service, &token, format!("index-runs/{id}/comparison?with={earlier}")).await.expect(200);
        }
        let goal = json!({"goal": {"unit": "u", "indicators": ["A"], "place": 1}});
        let goal = service.post(&format!("index-runs/{id}/simulations"), goal).as_(&token).send().await;
        assert!([200, 422].contains(&goal.status.as_u16()), "{}", goal.text());
        earlier = Some(id);
    }
}

#[actix_web::test]
async fn editions_with_other_weights_are_compared() {
    let service = TestService::start().await;
    let earlier = small_run(&service).await;
    let mut heavier = small("NHO-2", "agency");
    heavier["root"]["children"][1]["weight"] = json!(1);
    add_framework(&service, &heavier).await;
    observe(&service, "NHO-2", 2017, &FIGURES, &[]).await;
    let id = run(&service, "NHO-2", 2017, "official").await;
    let token = service.token("monitor").await;
    let body = get(&service, &token, format!("index-runs/{id}/comparison?with={earlier}&node=ALL"))
        .await
        .expect(200)
        .json();
    let moved = item(&body, "SO-YT");
    assert_eq!(moved["parts"]["weights"], moved["difference"]);
    assert_eq!(number(&moved["parts"]["own"]), zero());
}
