//! Ways to compute an index, sent as data: taken exactly, refused with everything that is wrong.

use serde_json::{Value, json};

use crate::support::{Answer, TestService};

/// A sound framework of two groups.
pub fn sound(code: &str) -> Value {
    json!({"code": code, "name": "Chuyển đổi số cấp xã", "unit_type": "commune", "status": "assumed",
        "rank": {"decimals": 4, "ties": "competition"}, "missing": "zero",
        "root": {"code": "DTI", "name": "DTI cấp xã", "aggregate": "arithmetic", "weight_total": 1, "children": [
            {"code": "CQS", "name": "Chính quyền số", "weight": 0.6, "aggregate": "sum", "max_points": 100, "children": [
                {"code": "CQS.1", "name": "Hồ sơ trực tuyến", "max_points": 60, "points": {"kind": "ratio"}},
                {"code": "CQS.2", "name": "Có trang thông tin", "max_points": 40, "points": {"kind": "yes_no"}}]},
            {"code": "XHS", "name": "Xã hội số", "weight": 0.4, "direction": -1,
                "normalise": {"method": "goalposts", "lo": 0, "hi": 80}}]}})
}

/// (code, pointer) of every error.
fn errors(answer: Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let body = answer.json();
    let all = body["errors"].as_array().unwrap_or_else(|| panic!("no errors in {body}"));
    all.iter().map(|error| (text(&error["code"]), text(&error["pointer"]))).collect()
}

#[actix_web::test]
async fn a_framework_is_added_once_and_reads_back_as_it_was_sent() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let body = sound("DTI-XA-2026");
    let post = || service.post("frameworks", body.clone()).as_(&token).header("Idempotency-Key", "fw-1");
    let created = post().send().await.expect(201);
    assert_eq!(created.header("location"), "/api/v1/frameworks/DTI-XA-2026");
    assert_eq!((created.etag().as_str(), &created.json()["indicators"]), ("\"1\"", &json!(3)));
    let replayed = post().send().await.expect(201);
    assert_eq!((replayed.header("idempotency-replayed"), &replayed.body), ("true", &created.body));
    service.post("frameworks", body.clone()).as_(&token).send().await.expect_problem(409, "ALREADY_EXISTS");

    let read = service.get("frameworks/DTI-XA-2026").as_(&token).send().await.expect(200);
    assert_eq!(read.body, created.body, "what was answered is what is there");
    let read = read.json();
    for (name, value) in body.as_object().unwrap() {
        assert_eq!(&read[name], value, "{name}");
    }
    let events =
        service.get("audit-events?entity=framework&key=DTI-XA-2026").as_(&token).send().await.expect(200);
    assert_eq!(events.json()["items"][0]["after"]["root"]["children"][1]["direction"], -1);
    let communes =
        service.get("frameworks?unit_type=commune,district&status=assumed").as_(&token).send().await;
    assert_eq!(communes.expect(200).column("code"), ["DTI-XA-2026"].map(Value::from));
    let monitor = service.token("monitor").await;
    service.post("frameworks", sound("X")).as_(&monitor).send().await.expect_problem(403, "FORBIDDEN");
}

#[actix_web::test]
async fn every_fault_is_named_with_its_place_in_both_languages() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let mut body = sound("Đ/1");
    body["unit_type"] = json!("Xã phường");
    body["name"] = json!(" ");
    body["rank"]["decimals"] = json!(11);
    body["bands"] = json!([{"code": "b", "name": "B", "from": 5}, {"code": "b", "name": "A", "from": 5}]);
    body["root"]["weight_total"] = json!(100);
    body["root"]["children"][0]["max_points"] = json!(99.5);
    body["root"]["children"][0]["children"][0]["code"] = json!("CQS");
    body["root"]["children"][0]["children"][1]["code"] = json!("XHS");
    body["root"]["children"][0]["children"][1]["points"] = json!({"kind": "steps", "each": 3});
    body["root"]["children"][1]["normalise"] = json!({"method": "goalposts", "lo": 80, "hi": 80});
    body["root"]["children"][1]["weight"] = json!(-0.4);
    let post = |language| {
        service.post("frameworks", body.clone()).as_(&token).header("Accept-Language", language).send()
    };
    let answer = post("en").await.expect(422);
    let mut found = errors(answer);
    found.sort();
    let mut expected = [
        ("INVALID_CODE", "/code"),
        ("INVALID_CODE", "/unit_type"),
        ("INVALID_LENGTH", "/name"),
        ("RANK_DECIMALS", "/rank/decimals"),
        ("BANDS_UNORDERED", "/bands/1/from"),
        ("DUPLICATE_ENTRY", "/bands/1/code"),
        ("WEIGHTS_TOTAL", "/root/children"),
        ("MAX_POINTS_TOTAL", "/root/children/0/max_points"),
        ("CYCLIC_REFERENCE", "/root/children/0/children/0/code"),
        ("STEPS_MISSING", "/root/children/0/children/1/points/steps"),
        ("POINTS_PARAMETER", "/root/children/0/children/1/points/each"),
        ("DUPLICATE_ENTRY", "/root/children/1/code"),
        ("GOALPOSTS_REVERSED", "/root/children/1/normalise"),
        ("WEIGHT_NEGATIVE", "/root/children/1/weight"),
    ]
    .map(|(code, pointer)| (code.to_owned(), pointer.to_owned()));
    expected.sort();
    assert_eq!(found, expected);
    let detail = |answer: Answer| {
        let all = answer.json()["errors"].as_array().unwrap().clone();
        let error = all.iter().find(|error| error["code"] == "WEIGHTS_TOTAL").unwrap().clone();
        (error["detail"].as_str().unwrap().to_owned(), error["found"].clone())
    };
    let (english, found) = detail(post("en").await);
    assert_eq!((english.as_str(), found), ("Weights must add up to 100; they add up to 0.2.", json!("0.2")));
    assert_eq!(
        detail(post("vi").await).0,
        "Tổng trọng số phải bằng 100; tổng trọng số của các mục con hiện là 0.2."
    );
    service.get("frameworks/DTI-XA-2026").as_(&token).send().await.expect(404);
}

#[actix_web::test]
async fn warnings_are_told_and_do_not_refuse() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let mut body = sound("GEO");
    body["root"]["aggregate"] = json!("geometric");
    let created = service.post("frameworks", body).as_(&token).send().await.expect(201).json();
    let warning = &created["warnings"][0];
    assert_eq!(
        (&warning["code"], &warning["pointer"]),
        (&json!("ZERO_UNDER_MEAN"), &json!("/root/children/1"))
    );
    assert_ne!(warning["detail"], warning["detail_en"]);
    let read = service.get("frameworks/GEO").as_(&token).send().await.expect(200).json();
    assert_eq!(read["warnings"], created["warnings"]);
}

#[actix_web::test]
async fn hostile_bodies_are_refused_in_order() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let with = |pointer: &str, value: Value| {
        let mut body = sound("H");
        *body.pointer_mut(pointer).unwrap() = value;
        body
    };
    let raw = |number: &str| {
        serde_json::to_string(&sound("H")).unwrap().replace("\"weight\":0.6", &format!("\"weight\":{number}"))
    };
    let send =
        |body: String| service.call("POST", "frameworks").raw("application/json", body).as_(&token).send();
    for (number, code) in [
        ("0.1234567890123456789", "NUMBER_OUT_OF_RANGE"),
        ("1e999999999", "NUMBER_OUT_OF_RANGE"),
        ("1e24", "NUMBER_OUT_OF_RANGE"),
        ("\"0.6\"", "NOT_A_NUMBER"),
        ("true", "NOT_A_NUMBER"),
    ] {
        let problem = send(raw(number)).await.expect_problem(422, code).json();
        assert_eq!(problem["errors"][0]["pointer"], "/root/children/0/weight", "{number}");
    }
    for (body, code, pointer) in [
        (
            with("/root/children/1/normalise/method", json!("magic")),
            "WRONG_TYPE",
            "/root/children/1/normalise/method",
        ),
        (with("/root/children/1/direction", json!(0)), "WRONG_TYPE", "/root/children/1/direction"),
        (with("/root/children", json!({"a": 1})), "WRONG_TYPE", "/root/children"),
        (with("/rank", json!({"decimals": 1, "ties": "dense", "x": 1})), "UNKNOWN_FIELD", "/rank/x"),
    ] {
        let problem = send(body.to_string()).await.expect_problem(400, code).json();
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let mut deep = json!({"code": "L", "name": "l", "normalise": {"method": "none"}});
    for level in 0..9 {
        deep = json!({"code": format!("G{level}"), "name": "g", "aggregate": "sum", "children": [deep]});
    }
    let found = errors(send(with("/root", deep).to_string()).await.expect(422));
    assert_eq!(found.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), ["TREE_TOO_DEEP"]);
    let bottomless = format!("{{\"code\":\"x\",\"root\":{}", "{\"children\":[".repeat(100_000));
    send(bottomless).await.expect_problem(400, "MALFORMED_BODY");
    let leaf = |n: usize| json!({"code": format!("L{n}"), "name": "l", "normalise": {"method": "rank"}});
    let leaves: Vec<Value> = (0..501).map(leaf).collect();
    let wide = json!({"code": "R", "name": "r", "aggregate": "sum", "children": leaves});
    assert_eq!(errors(send(with("/root", wide).to_string()).await.expect(422))[0].0, "TOO_MANY_LEAVES");
    let many: Vec<Value> = (0..3_000).map(|_| json!({"code": "", "name": ""})).collect();
    let faulty = json!({"code": "R", "name": "r", "aggregate": "sum", "children": many});
    let problem = send(with("/root", faulty).to_string()).await.expect(422).json();
    assert_eq!(problem["errors"].as_array().unwrap().len(), 100);
    assert!(problem["error_count"].as_u64().unwrap() > 1_900, "two for each of the nodes that are looked at");
    send("[".repeat(2_000_000)).await.expect_problem(400, "WRONG_TYPE");
    send(" ".repeat(2 * 1024 * 1024 + 1)).await.expect_problem(413, "PAYLOAD_TOO_LARGE");
    service.get("frameworks/H").as_(&token).send().await.expect(404);
}

#[actix_web::test]
async fn only_an_unused_framework_is_deleted() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let tag = service.post("frameworks", sound("TAM")).as_(&token).send().await.expect(201).etag();
    let delete = || service.delete("frameworks/TAM").as_(&token);
    delete().send().await.expect_problem(428, "PRECONDITION_REQUIRED");
    delete().if_match("\"9\"").send().await.expect_problem(412, "PRECONDITION_FAILED");
    let rows = json!({"rows": [{"unit": "Bảo Nhai", "indicator": "XHS", "value": 3}]});
    service.put("frameworks/TAM/observations/2025", rows).as_(&token).send().await.expect(200);
    delete().if_match(&tag).send().await.expect_problem(409, "IN_USE");
    let tag = service.post("frameworks", sound("TAM-2")).as_(&token).send().await.expect(201).etag();
    service.delete("frameworks/TAM-2").as_(&token).if_match(&tag).send().await.expect(204);
    service.get("frameworks/TAM-2").as_(&token).send().await.expect(404);
    let events = service.get("audit-events?entity=framework&key=TAM-2").as_(&token).send().await.expect(200);
    let mut actions = events.column("action");
    actions.sort_by_key(Value::to_string);
    assert_eq!(actions, ["create", "delete"].map(Value::from));
    service.post("frameworks", sound("TAM-2")).as_(&token).send().await.expect(201);
}
