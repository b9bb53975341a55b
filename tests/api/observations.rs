//! What was observed of the units that a framework scores: whole sets in revisions.

mod collections;
mod sources;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::frameworks::sound;
use crate::support::TestService;

const PATH: &str = "frameworks/XA/observations/2025";

async fn with_framework() -> (TestService, String) {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    service.post("frameworks", sound("XA")).as_(&token).send().await.expect(201);
    (service, token)
}

fn value(unit: &str, indicator: &str, value: Value) -> Value {
    json!({"unit": unit, "indicator": indicator, "value": value})
}

fn ratio(unit: &str, indicator: &str, numerator: i64, denominator: i64) -> Value {
    json!({"unit": unit, "indicator": indicator, "numerator": numerator, "denominator": denominator})
}

#[actix_web::test]
async fn a_set_is_replaced_whole_and_keeps_its_revisions() {
    let (service, token) = with_framework().await;
    service.get(PATH).as_(&token).send().await.expect(404);
    let first = json!({"rows": [ratio("Bảo Nhai", "CQS.1", 41, 0), value(" Bản Liền ", "XHS", json!(-1.5))],
        "units": [{"code": "Bản Liền", "peer_group": "vùng cao", "attributes": ["b", "a", "b"], "not_applicable": ["CQS.2"]}],
        "reason": "bảng công bố"});
    let put = |body: &Value| service.put(PATH, body.clone()).as_(&token);
    put(&first).if_match("\"1\"").send().await.expect_problem(412, "PRECONDITION_FAILED");
    let dry =
        service.put(&format!("{PATH}?dry_run=true"), first.clone()).as_(&token).send().await.expect(200);
    assert_eq!((dry.json()["dry_run"].clone(), dry.etag()), (json!(true), String::new()));
    service.get(PATH).as_(&token).send().await.expect(404);
    let stored = put(&first).send().await.expect(200);
    assert_eq!(stored.etag(), "\"1\"");
    let body = stored.json();
    assert_eq!(body["counts"], json!({"created": 2, "updated": 0, "unchanged": 0, "deleted": 0}));
    assert_eq!(
        (&body["rows"], &body["units"], &body["reason"]),
        (&json!(2), &json!(2), &json!("bảng công bố"))
    );

    let again = put(&first).if_match("\"1\"").send().await.expect(200).json();
    assert_eq!((&again["revision"], &again["counts"]["unchanged"]), (&json!(1), &json!(2)));
    let second = json!({"rows": [value("Bản Liền", "XHS", json!(2)), value("Cốc Lầu", "XHS", json!(1))]});
    let changed = put(&second).if_match("\"1\"").send().await.expect(200);
    assert_eq!(
        (changed.etag().as_str(), &changed.json()["counts"]),
        ("\"2\"", &json!({"created": 1, "updated": 1, "unchanged": 0, "deleted": 1}))
    );
    put(&first).if_match("\"1\"").send().await.expect_problem(412, "PRECONDITION_FAILED");

    let old = service.get(&format!("{PATH}?revision=1")).as_(&token).send().await.expect(200).json();
    assert_eq!(
        old["rows"],
        json!([
        {"unit": "Bản Liền", "indicator": "XHS", "value": -1.5, "source": {"type": "imported"}},
        {"unit": "Bảo Nhai", "indicator": "CQS.1", "numerator": 41, "denominator": 0, "source": {"type": "imported"}}])
    );
    assert_eq!(
        old["units"],
        json!([{"code": "Bản Liền", "peer_group": "vùng cao", "attributes": ["a", "b"], "not_applicable": ["CQS.2"]}])
    );
    let now = service.get(PATH).as_(&token).send().await.expect(200);
    assert_eq!((now.etag(), now.json()["revision"].clone()), ("\"2\"".to_owned(), json!(2)));
    service.get(PATH).as_(&token).header("If-None-Match", "\"2\"").send().await.expect(304);
    service.get(&format!("{PATH}?revision=3")).as_(&token).send().await.expect(404);
    let some = service
        .get(&format!("{PATH}?unit=C%E1%BB%91c%20L%E1%BA%A7u,Sa%20Pa&indicator=XHS,CQS.1"))
        .as_(&token)
        .send()
        .await
        .expect(200);
    assert_eq!(some.json()["rows"][0]["unit"], "Cốc Lầu");
    assert_ne!(some.etag(), now.etag());
    let csv =
        service.get(&format!("{PATH}?format=csv&revision=1")).as_(&token).send().await.expect(200).text();
    assert_eq!(
        csv.lines().nth(2).unwrap(),
        "Bảo Nhai,CQS.1,,41,0,,imported,\"{\"\"type\"\":\"\"imported\"\"}\""
    );

    let revisions =
        service.get(&format!("{PATH}/revisions?sort=-revision")).as_(&token).send().await.expect(200);
    assert_eq!(revisions.column("revision"), [json!(2), json!(1)]);
    let oldest = &revisions.json()["items"][1];
    assert_eq!(
        (&oldest["rows"], &oldest["units"], &oldest["reason"]),
        (&json!(2), &json!(2), &json!("bảng công bố"))
    );
    let events =
        service.get("audit-events?entity=observations&key=XA/2025").as_(&token).send().await.expect(200);
    assert_eq!(events.column("action").len(), 2, "neither dry runs nor repetitions are events");
}

#[actix_web::test]
async fn every_wrong_row_is_named_and_nothing_is_stored() {
    let (service, token) = with_framework().await;
    let body = json!({"reason": "x", "units": [
    {"code": "", "peer_group": " a"}, {"code": "A"}, {"code": " A ", "not_applicable": ["CQS"]}],
    "rows": [
        value("A", "XHS", json!(1)),
        value("A ", "XHS", json!(2)),
        value("A", "CQS", json!(1)),
        json!({"unit": "A", "indicator": "CQS.1"}),
        json!({"unit": "A", "indicator": "CQS.1", "value": 1, "numerator": 1, "denominator": 2}),
        json!({"unit": "A", "indicator": "CQS.1", "numerator": 1}),
        ratio("A", "CQS.2", 1, -1),
        value("B", "XHS", json!("84,1")),
        value("C", "XHS", json!("1.155")),
        value("D", "XHS", json!("x")),
        json!({"unit": "x".repeat(101), "indicator": "XHS", "value": 1, "note": "y".repeat(2001)}),
        value("A\nB", "XHS", json!(1)),
    ]});
    let problem =
        service.put(PATH, body).as_(&token).send().await.expect_problem(422, "VALIDATION_FAILED").json();
    let found: Vec<(&str, &str)> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["code"].as_str().unwrap(), error["pointer"].as_str().unwrap()))
        .collect();
    assert_eq!(
        found,
        [
            ("INVALID_LENGTH", "/units/0/code"),
            ("INVALID_VALUE", "/units/0/peer_group"),
            ("DUPLICATE_ENTRY", "/units/2/code"),
            ("UNKNOWN_REFERENCE", "/units/2/not_applicable/0"),
            ("DUPLICATE_ENTRY", "/rows/1"),
            ("UNKNOWN_REFERENCE", "/rows/2/indicator"),
            ("REQUIRED", "/rows/3/value"),
            ("INVALID_VALUE", "/rows/4/value"),
            ("REQUIRED", "/rows/5/denominator"),
            ("NEGATIVE", "/rows/6/denominator"),
            ("DECIMAL_COMMA", "/rows/7/value"),
            ("AMBIGUOUS_NUMBER", "/rows/8/value"),
            ("NOT_A_NUMBER", "/rows/9/value"),
            ("INVALID_LENGTH", "/rows/10/unit"),
            ("INVALID_LENGTH", "/rows/10/note"),
            ("INVALID_CODE", "/rows/11/unit"),
        ]
    );
    let many: Vec<Value> = (0..250).map(|n| value("A", &format!("X{n}"), json!(1))).collect();
    let problem = service.put(PATH, json!({"rows": many})).as_(&token).send().await.expect(422).json();
    assert_eq!((problem["errors"].as_array().unwrap().len(), &problem["error_count"]), (100, &json!(250)));
    service.get(PATH).as_(&token).send().await.expect(404);
    let send = |body: Value| service.put(PATH, body).as_(&token).send();
    send(json!({"rows": [], "rws": []})).await.expect_problem(400, "UNKNOWN_FIELD");
    send(json!({"rows": [{"unit": "A", "indicator": "XHS", "value": 1, "source": {"type": "imported"}}]}))
        .await
        .expect_problem(400, "UNKNOWN_FIELD");
    send(json!({"rows": [{"indicator": "XHS", "value": 1}]})).await.expect_problem(400, "MISSING_FIELD");
    send(json!({"rows": [], "reason": " "})).await.expect_problem(422, "INVALID_LENGTH");
    for path in
        ["frameworks/XA/observations/25", "frameworks/XA/observations/x", "frameworks/NO/observations/2025"]
    {
        service.put(path, json!({"rows": []})).as_(&token).send().await.expect_problem(404, "NOT_FOUND");
    }
    let raw = r#"{"rows": [{"unit": "A", "indicator": "XHS", "value": 0.1234567890123456789}, {"unit": "B", "indicator": "XHS", "value": 1e24}]}"#;
    let problem =
        service.call("PUT", PATH).raw("application/json", raw).as_(&token).send().await.expect(422).json();
    assert_eq!(problem["error_count"], 2);
    assert_eq!(problem["errors"][1]["code"], "NUMBER_OUT_OF_RANGE");
    for reader in ["monitor", "officer.so-yt"] {
        let reader = service.token(reader).await;
        service.put(PATH, json!({"rows": []})).as_(&reader).send().await.expect_problem(403, "FORBIDDEN");
    }
    let empty = send(json!({"rows": []})).await.expect(200).json();
    assert_eq!((&empty["revision"], &empty["units"]), (&json!(1), &json!(0)));
}

#[actix_web::test]
async fn an_officer_sees_the_agencies_in_scope_and_nothing_of_others() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let path = "frameworks/ICT-INDEX-AGENCIES/observations/2018";
    let row = |unit: &str| json!({"unit": unit, "indicator": "CQ.HT.02", "value": 1, "note": format!("ghi chú {unit}")});
    let body = json!({"rows": [row("SO-YT"), row("SO-TTTT")], "units": [{"code": "SO-TTTT", "peer_group": "sở"}], "reason": "SO-TTTT sai"});
    let stranger = json!({"rows": [row("Sở lạ")]});
    let problem =
        service.put(path, stranger).as_(&token).send().await.expect_problem(422, "UNKNOWN_REFERENCE").json();
    assert_eq!(problem["errors"][0]["pointer"], "/rows/0/unit");
    service.put(path, body).as_(&token).send().await.expect(200);
    let officer = service.token("officer.so-yt").await;
    let seen = service.get(path).as_(&officer).send().await.expect(200);
    assert_eq!(
        (&seen.json()["rows"][0]["unit"], seen.json()["rows"].as_array().unwrap().len()),
        (&json!("SO-YT"), 1)
    );
    for query in ["", "?unit=SO-TTTT", "?format=csv", "/revisions", "/revisions?format=csv"] {
        let text = service.get(&format!("{path}{query}")).as_(&officer).send().await.expect(200).text();
        assert!(!text.contains("SO-TTTT"), "{query}: {text}");
    }
    let all = service.get(path).as_(&token).send().await.expect(200);
    assert_ne!(seen.etag(), all.etag());
    service.get(path).as_(&officer).header("If-None-Match", &all.etag()).send().await.expect(200);
    let monitor = service.token("monitor").await;
    let all = service.get(path).as_(&monitor).send().await.expect(200).json();
    assert_eq!((all["rows"].as_array().unwrap().len(), &all["reason"]), (2, &json!("SO-TTTT sai")));
    let portal = service.client_token("portal").await;
    for query in ["", "/revisions"] {
        let text = service.get(&format!("{path}{query}")).as_(&portal).send().await.expect(200).text();
        assert!(!text.contains("ghi chú") && !text.contains("SO-TTTT sai"), "{text}");
    }
}

/// A tree of `levels` levels whose leaves are `L0` to `L99`, weights and bounds at random.
fn grown(rng: &mut StdRng, levels: usize, next: &mut usize) -> Value {
    let code = format!("N{levels}.{next}");
    let weight = json!(f64::from(rng.random_range(1..=999)) / 1_000.0);
    if levels == 1 {
        let leaf = format!("L{next}");
        *next += 1;
        let method = ["min_max", "z_score", "rank", "ratio_to_max", "ratio_to_best"][rng.random_range(0..5)];
        let direction = if rng.random_bool(0.3) { -1 } else { 1 };
        return json!({"code": leaf, "name": leaf, "weight": weight, "direction": direction, "normalise": {"method": method}});
    }
    let width = match levels {
        5 => 2,
        2 | 4 => 5,
        _ => 2,
    };
    let children: Vec<Value> = (0..width).map(|_| grown(rng, levels - 1, next)).collect();
    json!({"code": code, "name": code, "weight": weight, "aggregate": "arithmetic", "children": children})
}

/// The spelling of a number with up to 24 digits before and 18 after the point, as it is written back.
fn spelt(rng: &mut StdRng) -> String {
    let before = rng.random_range(1..=24);
    let mut text = rng.random_range(1..=9).to_string();
    (1..before).for_each(|_| text.push(char::from(b'0' + rng.random_range(0..10u8))));
    let after = rng.random_range(0..=18);
    if after > 0 {
        text.push('.');
        (1..after).for_each(|_| text.push(char::from(b'0' + rng.random_range(0..10u8))));
        text.push(char::from(b'0' + rng.random_range(1..10u8)));
    }
    if rng.random_bool(0.3) { format!("-{text}") } else { text }
}

#[actix_web::test]
async fn a_published_index_of_300_units_and_100_indicators_reads_back_exactly() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let mut rng = StdRng::seed_from_u64(332);
    let mut leaves = 0;
    let root = grown(&mut rng, 5, &mut leaves);
    assert_eq!(leaves, 100);
    let framework = json!({"code": "LON", "name": "Lớn", "unit_type": "country", "status": "official",
        "rank": {"decimals": 4, "ties": "competition"}, "missing": "exclude_and_reweight", "root": root});
    service.post("frameworks", framework.clone()).as_(&token).send().await.expect(201);
    let read = service.get("frameworks/LON").as_(&token).send().await.expect(200).json();
    assert_eq!(read["root"], framework["root"]);

    let mut sent = std::collections::BTreeMap::new();
    for unit in 0..300 {
        for leaf in 0..leaves {
            if rng.random_bool(0.9) {
                sent.insert((format!("Đơn vị, số {unit}"), format!("L{leaf}")), spelt(&mut rng));
            }
        }
    }
    let rows: Vec<String> = sent
        .iter()
        .rev()
        .map(|((unit, leaf), number)| format!(r#"{{"unit":"{unit}","indicator":"{leaf}","value":{number}}}"#))
        .collect();
    let path = "frameworks/LON/observations/2024";
    let body = format!(r#"{{"rows":[{}]}}"#, rows.join(","));
    let put = || service.call("PUT", path).raw("application/json", body.clone()).as_(&token).send();
    let (statements, stored) = service.statements_of(put()).await;
    assert_eq!(stored.expect(200).json()["rows"], json!(sent.len()));
    assert!(statements <= 12, "{statements} statements");
    let again = put().await.expect(200).json();
    assert_eq!((&again["revision"], &again["counts"]["unchanged"]), (&json!(1), &json!(sent.len())));

    let (statements, answer) = service.statements_of(service.get(path).as_(&token).send()).await;
    assert!(statements <= 4, "{statements} statements");
    let text = answer.expect(200).text();
    let document: Value = serde_json::from_str(&text).unwrap();
    let read = document["rows"].as_array().unwrap();
    assert_eq!(read.len(), sent.len());
    for row in read {
        let key = (row["unit"].as_str().unwrap().to_owned(), row["indicator"].as_str().unwrap().to_owned());
        assert_eq!(row["value"].to_string(), sent[&key], "{key:?}");
    }
    let one = service
        .get(&format!("{path}?unit=%C4%90%C6%A1n%20v%E1%BB%8B%2C%20s%E1%BB%91%207"))
        .as_(&token)
        .send()
        .await;
    let of_one = sent.keys().filter(|(unit, _)| unit == "Đơn vị, số 7").count();
    assert_eq!(one.expect(200).json()["rows"].as_array().unwrap().len(), of_one);
}

#[actix_web::test]
async fn of_many_writers_with_one_tag_exactly_one_wins() {
    let (service, token) = with_framework().await;
    let tag = service.put(PATH, json!({"rows": []})).as_(&token).send().await.expect(200).etag();
    let write = |n: i64| {
        service.put(PATH, json!({"rows": [value("A", "XHS", json!(n))]})).as_(&token).if_match(&tag).send()
    };
    let answers = futures::future::join_all((0..6).map(write)).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412]);
}

#[actix_web::test]
async fn the_demo_has_labelled_observations_once() {
    use ict_index::auth::{PasswordCost, Passwords};
    let service = TestService::start().await;
    let passwords = Passwords::new(PasswordCost { memory_kib: 64, iterations: 1 }).unwrap();
    for _ in 0..2 {
        let password = Some(crate::support::PASSWORD.to_owned());
        ict_index::seed::demo(service.state.db(), &passwords, password, service.clock.now())
            .await
            .expect("the demo loads");
    }
    let token = service.token("coordinator").await;
    let path = "frameworks/ICT-INDEX-AGENCIES/observations/2018";
    let set = service.get(path).as_(&token).send().await.expect(200).json();
    assert_eq!((&set["revision"], set["units"].as_array().unwrap().len()), (&json!(1), 15));
    assert!(
        set["rows"].as_array().unwrap().iter().all(|row| row["note"].as_str().unwrap().starts_with("[demo]"))
    );
    // What was loaded would be taken from a client too.
    let strip = |row: &Value| {
        let mut row = row.clone();
        row.as_object_mut().unwrap().remove("source");
        row
    };
    let rows: Vec<Value> = set["rows"].as_array().unwrap().iter().map(strip).collect();
    let same =
        service.put(path, json!({"rows": rows, "units": set["units"]})).as_(&token).send().await.expect(200);
    assert_eq!(same.json()["revision"], 1);
}
