//! Procedures: what they are, their status and levels through time, and the catalogue in one piece.

use serde_json::{Value, json};

use crate::support::{Answer, TestService};

fn procedure(code: &str) -> Value {
    json!({"code": code, "name": "Đăng ký đất đai", "field": "Đất đai", "tier": "province", "agencies": ["SO-TNMT"]})
}

/// `base` with the members of `with` set.
fn with(mut base: Value, with: Value) -> Value {
    for (name, value) in with.as_object().unwrap() {
        base[name] = value.clone();
    }
    base
}

async fn create(service: &TestService, token: &str, body: Value) -> Answer {
    service.post("services", body).as_(token).send().await.expect(201)
}

async fn set_level(service: &TestService, token: &str, code: &str, level: u8, from: &str) -> Answer {
    let body = json!({"level": level, "effective_from": from, "decision": "QĐ 1/QĐ-UBND"});
    service.post(&format!("services/{code}/levels"), body).as_(token).send().await.expect(201)
}

fn errors(problem: &Answer) -> Vec<(String, String)> {
    let body = problem.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    body["errors"].as_array().unwrap().iter().map(|e| (text(&e["pointer"]), text(&e["code"]))).collect()
}

#[actix_web::test]
async fn a_procedure_is_created_read_and_changed_with_its_history() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let created = create(&service, &token, procedure("1.011443")).await;
    assert_eq!(created.header("location"), "/api/v1/services/1.011443");
    let expected = json!({
        "code": "1.011443", "name": "Đăng ký đất đai", "field": "Đất đai", "tier": "province", "agencies": ["SO-TNMT"],
        "status": "in_force", "duplicate_of": null, "postal": false, "information_complete": false, "forms_complete": false,
        "level": null, "level_effective_from": null, "version": 1
    });
    assert_eq!(created.json(), expected);
    let read = service.get("services/1.011443").as_(&token).send().await.expect(200);
    assert_eq!((read.json(), read.etag()), (expected, created.etag()));
    service
        .get("services/1.011443")
        .as_(&token)
        .header("If-None-Match", &read.etag())
        .send()
        .await
        .expect(304);

    let change = json!({"name": "  Tên mới ", "postal": true, "agencies": ["SO-YT", "SO-TNMT"]});
    service
        .patch("services/1.011443", change.clone())
        .as_(&token)
        .send()
        .await
        .expect_problem(428, "PRECONDITION_REQUIRED");
    let changed = service
        .patch("services/1.011443", change.clone())
        .as_(&token)
        .if_match(&read.etag())
        .send()
        .await
        .expect(200);
    assert_eq!(changed.json()["name"], "Tên mới");
    assert_eq!(changed.json()["agencies"], json!(["SO-TNMT", "SO-YT"]));
    assert_eq!(changed.json()["field"], "Đất đai");
    assert_eq!(changed.json()["version"], 2);
    service
        .patch("services/1.011443", change)
        .as_(&token)
        .if_match(&read.etag())
        .send()
        .await
        .expect_problem(412, "PRECONDITION_FAILED");

    let events =
        service.get("audit-events?entity=service&key=1.011443&sort=at").as_(&token).send().await.expect(200);
    assert_eq!(events.column("action"), ["create", "update"].map(Value::from));
    assert_eq!(events.json()["items"][1]["before"]["name"], "Đăng ký đất đai");
    service.get("services/1.999999").as_(&token).send().await.expect_problem(404, "NOT_FOUND");
}

#[actix_web::test]
async fn codes_are_national_or_legacy_and_belong_to_one_procedure() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    for good in ["1.011443", "1.011443.000.00.00.H38", "T-LCA-123456", "T-LCA-123456-TT"] {
        create(&service, &token, procedure(good)).await;
    }
    for bad in
        ["", "1.01144", "1.011443.000.00.00", "T-lca-123456", "T-LCA-123", "Đăng ký đất đai", "1.011443 "]
    {
        let problem = service.post("services", procedure(bad)).as_(&token).send().await;
        let problem = problem.expect_problem(422, "INVALID_CODE");
        assert_eq!(errors(&problem)[0].0, "/code");
        assert!(problem.text().contains("1.011443.000.00.00.H38"), "the refusal says what a code is");
    }
    service
        .post("services", procedure("1.011443"))
        .as_(&token)
        .send()
        .await
        .expect_problem(409, "ALREADY_EXISTS");
}

#[actix_web::test]
async fn everything_wrong_is_said_at_once() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let body = with(
        procedure("x"),
        json!({"name": " ", "field": "a".repeat(201), "agencies": ["SO-YT", "SO-YT"], "status": "duplicate"}),
    );
    let problem = service.post("services", body).as_(&token).send().await.expect(422);
    let pointers: Vec<_> = errors(&problem).into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(pointers, ["/code", "/name", "/field", "/agencies/1", "/duplicate_of"]);
    let refers = with(
        procedure("1.000001"),
        json!({"agencies": ["SO-YT", "NO-1", "NO-2"], "status": "duplicate", "duplicate_of": "1.000009"}),
    );
    let problem = service.post("services", refers).as_(&token).send().await.expect(422);
    assert_eq!(
        errors(&problem),
        ["/agencies/1", "/agencies/2", "/duplicate_of"]
            .map(|p| (p.to_owned(), "UNKNOWN_REFERENCE".to_owned()))
    );
    for (member, value, code) in [
        ("colour", json!("red"), "UNKNOWN_FIELD"),
        ("tier", json!("nation"), "WRONG_TYPE"),
        ("postal", json!("yes"), "WRONG_TYPE"),
    ] {
        let body = with(procedure("1.000001"), json!({member: value}));
        service.post("services", body).as_(&token).send().await.expect_problem(400, code);
    }
}

#[actix_web::test]
async fn a_duplicate_names_an_original_that_is_none_itself() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    create(&service, &token, procedure("1.000001")).await;
    let duplicate =
        |code: &str, of: &str| with(procedure(code), json!({"status": "duplicate", "duplicate_of": of}));
    let made = create(&service, &token, duplicate("1.000002", "1.000001")).await;
    assert_eq!(made.json()["duplicate_of"], "1.000001");
    for (body, code) in [
        (duplicate("1.000003", "1.000002"), "CYCLIC_REFERENCE"),
        (duplicate("1.000003", "1.000003"), "CYCLIC_REFERENCE"),
        (with(procedure("1.000003"), json!({"duplicate_of": "1.000001"})), "INVALID_VALUE"),
    ] {
        let problem = service.post("services", body).as_(&token).send().await.expect_problem(422, code);
        assert_eq!(errors(&problem)[0].0, "/duplicate_of");
    }
    let revived = service
        .patch("services/1.000002", json!({"status": "in_force"}))
        .as_(&token)
        .if_match(&made.etag())
        .send()
        .await
        .expect(200);
    assert_eq!(revived.json()["duplicate_of"], Value::Null);
}

#[actix_web::test]
async fn a_status_changes_on_a_day_that_is_neither_ahead_nor_before_the_latest() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let mut tag = create(&service, &token, procedure("1.000001")).await.etag();
    let refused = async |body: Value, code: &str, tag: &str| {
        service
            .patch("services/1.000001", body)
            .as_(&token)
            .if_match(tag)
            .send()
            .await
            .expect_problem(422, code);
    };
    refused(json!({"status": "abolished", "status_effective_from": "2018-03-16"}), "DATE_IN_FUTURE", &tag)
        .await;
    refused(json!({"status_effective_from": "2018-03-01"}), "REQUIRED", &tag).await;
    refused(json!({"status": "abolished", "status_effective_from": "1000-01-01"}), "INVALID_RANGE", &tag)
        .await;
    for (status, day) in
        [("abolished", "2018-03-01"), ("in_force", "2018-03-01"), ("abolished", "2018-03-15")]
    {
        let body = json!({"status": status, "status_effective_from": day});
        let changed =
            service.patch("services/1.000001", body).as_(&token).if_match(&tag).send().await.expect(200);
        assert_eq!(changed.json()["status"], status);
        tag = changed.etag();
    }
    refused(json!({"status": "in_force", "status_effective_from": "2018-03-14"}), "INVALID_RANGE", &tag)
        .await;
}

#[actix_web::test]
async fn levels_hold_from_their_day_and_come_newest_first() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    create(&service, &token, procedure("1.000001")).await;
    let added = set_level(&service, &token, "1.000001", 3, "2018-03-15").await;
    assert_eq!(added.header("location"), "/api/v1/services/1.000001/levels");
    assert_eq!(added.json(), json!({"level": 3, "effective_from": "2018-03-15", "decision": "QĐ 1/QĐ-UBND"}));
    set_level(&service, &token, "1.000001", 2, "2016-01-01").await;
    let last = set_level(&service, &token, "1.000001", 4, "2018-12-31").await;
    let read = service.get("services/1.000001").as_(&token).send().await.expect(200);
    assert_eq!(read.json()["level"], 3, "neither the one entered last nor the one to come");
    assert_eq!(read.json()["level_effective_from"], "2018-03-15");
    assert_eq!(read.json()["version"], 4);
    let history = service.get("services/1.000001/levels").as_(&token).send().await.expect(200);
    assert_eq!(history.column("level"), [4, 3, 2].map(Value::from));
    let page = service.get("services/1.000001/levels?limit=2").as_(&token).send().await.expect(200).json();
    let cursor = page["page"]["next_cursor"].as_str().unwrap();
    let rest = format!("services/1.000001/levels?limit=2&cursor={cursor}");
    assert_eq!(service.get(&rest).as_(&token).send().await.expect(200).column("level"), [json!(2)]);

    service.at("2018-12-30T17:00:00Z");
    let token = service.token("coordinator").await;
    let later =
        service.get("services/1.000001").as_(&token).header("If-None-Match", &read.etag()).send().await;
    assert_eq!(later.expect(200).json()["level"], 4, "it is 31 December in Lào Cai");
    service
        .patch("services/1.000001", json!({"postal": true}))
        .as_(&token)
        .if_match(&last.etag())
        .send()
        .await
        .expect(200);
}

#[actix_web::test]
async fn a_level_is_checked_and_one_begins_on_a_day() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let tag = create(&service, &token, procedure("1.000001")).await.etag();
    let path = "services/1.000001/levels";
    let body = json!({"level": 5, "effective_from": "0099-01-01", "decision": " "});
    let problem = service.post(path, body).as_(&token).send().await.expect(422);
    let codes: Vec<_> = errors(&problem).into_iter().map(|(_, code)| code).collect();
    assert_eq!(codes, ["NUMBER_OUT_OF_RANGE", "INVALID_RANGE", "INVALID_LENGTH"]);
    let level = json!({"level": 3, "effective_from": "2018-01-01", "decision": "QĐ 1"});
    service.post(path, level.clone()).as_(&token).if_match(&tag).send().await.expect(201);
    service.post(path, level.clone()).as_(&token).send().await.expect_problem(409, "ALREADY_EXISTS");
    let next = with(level.clone(), json!({"effective_from": "2018-02-01"}));
    service
        .post(path, next.clone())
        .as_(&token)
        .if_match(&tag)
        .send()
        .await
        .expect_problem(412, "PRECONDITION_FAILED");
    let key = ("Idempotency-Key", "level-1");
    let first = service.post(path, next.clone()).as_(&token).header(key.0, key.1).send().await.expect(201);
    let again = service.post(path, next).as_(&token).header(key.0, key.1).send().await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), again.etag()), ("true", first.etag()));
    for path in ["services/1.999999/levels", "services/thu%20tuc/levels"] {
        service.get(path).as_(&token).send().await.expect_problem(404, "NOT_FOUND");
        service.post(path, level.clone()).as_(&token).send().await.expect_problem(404, "NOT_FOUND");
    }
    let events = service.get("audit-events?entity=service_level&key=1.000001").as_(&token).send().await;
    assert_eq!(events.expect(200).column("action").len(), 2);
}

#[actix_web::test]
async fn procedures_are_found_by_words_level_field_agency_status_and_channel() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    for (code, with_) in [
        ("1.000001", json!({"name": "Cấp Giấy phép xây dựng", "field": "Xây dựng", "agencies": ["SO-XD"]})),
        ("1.000002", json!({"name": "Đăng ký biến động", "postal": true})),
        (
            "1.000003",
            json!({"name": "Khai tử", "field": "Văn hóa, Thể thao", "agencies": [], "status": "abolished"}),
        ),
        ("T-LCA-123456-TT", json!({"name": "An táng", "agencies": ["SO-YT", "SO-XD"]})),
    ] {
        create(&service, &token, with(procedure(code), with_)).await;
    }
    set_level(&service, &token, "1.000001", 3, "2018-01-01").await;
    set_level(&service, &token, "1.000002", 4, "2018-01-01").await;
    set_level(&service, &token, "T-LCA-123456-TT", 4, "2018-04-01").await;
    for (query, expected) in [
        ("q=giay+phep", vec!["1.000001"]),
        ("q=%C4%90%C4%83ng", vec!["1.000002"]),
        ("q=DANG+KY", vec!["1.000002"]),
        ("q=t-lca-1234", vec!["T-LCA-123456-TT"]),
        ("level=3,4", vec!["1.000001", "1.000002"]),
        ("level=4", vec!["1.000002"]),
        ("field=X%C3%A2y+d%E1%BB%B1ng", vec!["1.000001"]),
        ("field=V%C4%83n+h%C3%B3a,+Th%E1%BB%83+thao", vec!["1.000003"]),
        ("agency=SO-XD", vec!["1.000001", "T-LCA-123456-TT"]),
        ("agency=SO-YT,SO-TNMT", vec!["1.000002", "T-LCA-123456-TT"]),
        ("status=abolished,duplicate", vec!["1.000003"]),
        ("channel=online", vec!["1.000001", "1.000002"]),
        ("channel=postal", vec!["1.000002"]),
        ("channel=in_person", vec!["1.000001", "1.000002", "T-LCA-123456-TT"]),
        ("channel=postal&level=3", vec![]),
        ("sort=-code", vec!["T-LCA-123456-TT", "1.000003", "1.000002", "1.000001"]),
        ("sort=name", vec!["T-LCA-123456-TT", "1.000001", "1.000002", "1.000003"]),
    ] {
        let found = service.get(&format!("services?{query}")).as_(&token).send().await.expect(200);
        assert_eq!(found.column("code"), expected, "{query}");
    }
    for query in ["level=5", "level=x", "status=old", "channel=fax", "sort=tier", "tier=province"] {
        service.get(&format!("services?{query}")).as_(&token).send().await.expect(400);
    }
    let csv = service.get("services?format=csv&level=4").as_(&token).send().await.expect(200).text();
    assert!(csv.starts_with("\u{feff}code,name,field,tier,agencies,"));
    assert!(csv.contains(
        "1.000002,Đăng ký biến động,Đất đai,province,SO-TNMT,in_force,,true,false,false,4,2018-01-01,"
    ));
}

fn row(n: usize) -> Value {
    json!({
        "code": format!("1.{n:06}"), "name": format!("Thủ tục {n}"), "field": "Đất đai", "tier": "province",
        "agencies": ["SO-TNMT", "SO-YT"], "level": 1 + n % 4, "effective_from": "2018-01-01", "decision": "QĐ 1/QĐ-UBND"
    })
}

#[actix_web::test]
async fn a_batch_is_merged_by_code_and_the_same_again_changes_nothing() {
    let service = TestService::start().await;
    let token = service.client_token("vnpt").await;
    let reader = service.token("coordinator").await;
    create(&service, &reader, with(procedure("1.000001"), json!({"postal": true}))).await;
    let mut rows: Vec<Value> = (1..=30).map(row).collect();
    rows[29] = with(row(30), json!({"status": "duplicate", "duplicate_of": "1.000029"}));
    let batch = json!({"rows": rows});
    let send = async |path: &str, body: &Value| {
        service.post(path, body.clone()).as_(&token).send().await.expect(200).json()
    };
    let counts = json!({"created": 29, "updated": 1, "unchanged": 0});
    assert_eq!(
        send("service-batches?dry_run=true", &batch).await,
        json!({"dry_run": true, "counts": counts})
    );
    let list = service.get("services?count=exact").as_(&reader).send().await.expect(200).json();
    assert_eq!(list["page"]["total"], 1, "a dry run stores nothing");
    assert_eq!(send("service-batches", &batch).await, json!({"dry_run": false, "counts": counts}));

    let read = service.get("services/1.000001").as_(&reader).send().await.expect(200).json();
    assert_eq!(read["agencies"], json!(["SO-TNMT", "SO-YT"]));
    assert_eq!((&read["level"], &read["postal"], &read["version"]), (&json!(2), &json!(true), &json!(2)));
    let duplicate = service.get("services/1.000030").as_(&reader).send().await.expect(200).json();
    assert_eq!(duplicate["duplicate_of"], "1.000029");
    let versions =
        async || service.get("services?limit=200").as_(&reader).send().await.expect(200).column("version");
    let events = async || {
        let list = service.get("audit-events?count=exact&actor=client:vnpt").as_(&reader).send().await;
        list.expect(200).json()["page"]["total"].as_i64().unwrap()
    };
    let (versions_before, events_before) = (versions().await, events().await);
    assert_eq!(events_before, 30 + 30, "each procedure and each level");

    let unchanged = json!({"created": 0, "updated": 0, "unchanged": 30});
    assert_eq!(send("service-batches?dry_run=true", &batch).await["counts"], unchanged);
    assert_eq!(send("service-batches", &batch).await["counts"], unchanged);
    assert_eq!((versions().await, events().await), (versions_before, events_before));

    rows[1]["name"] = json!("Tên khác");
    rows[2]["decision"] = json!("QĐ 2/QĐ-UBND");
    rows[3] = with(row(4), json!({"level": 4, "effective_from": "2019-01-01"}));
    rows[4]["status"] = json!("abolished");
    rows[5]["agencies"] = json!([]);
    let changed = json!({"created": 0, "updated": 5, "unchanged": 25});
    let batch = json!({"rows": rows});
    assert_eq!(send("service-batches?dry_run=true", &batch).await["counts"], changed);
    assert_eq!(send("service-batches", &batch).await["counts"], changed);
    let levels = service.get("services/1.000003/levels").as_(&reader).send().await.expect(200);
    assert_eq!(levels.column("decision"), [json!("QĐ 2/QĐ-UBND")]);
    let levels = service.get("services/1.000004/levels").as_(&reader).send().await.expect(200);
    assert_eq!(levels.column("level"), [json!(4), json!(1)]);
    let emptied = service.get("services/1.000006").as_(&reader).send().await.expect(200).json();
    assert_eq!(emptied["agencies"], json!([]));
}

#[actix_web::test]
async fn all_faults_of_a_batch_are_named_and_nothing_is_stored() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let rows = json!([
        row(1),
        row(1),
        with(row(2), json!({"code": "Đất đai"})),
        with(row(3), json!({"agencies": ["SO-YT", "NO-1"]})),
        with(row(4), json!({"level": 0})),
        {"code": "1.000005", "name": "x", "field": "y", "tier": "commune", "level": 3},
        with(row(6), json!({"duplicate_of": "1.999999", "status": "duplicate"})),
    ]);
    for path in ["service-batches?dry_run=true", "service-batches"] {
        let problem = service.post(path, json!({"rows": rows})).as_(&token).send().await;
        let mut found = errors(&problem.expect_problem(422, "VALIDATION_FAILED"));
        found.sort();
        let expected = [
            ("/rows/1/code", "DUPLICATE_ENTRY"),
            ("/rows/2/code", "INVALID_CODE"),
            ("/rows/3/agencies/1", "UNKNOWN_REFERENCE"),
            ("/rows/4/level", "NUMBER_OUT_OF_RANGE"),
            ("/rows/5/decision", "REQUIRED"),
            ("/rows/5/effective_from", "REQUIRED"),
            ("/rows/6/duplicate_of", "UNKNOWN_REFERENCE"),
        ];
        assert_eq!(found, expected.map(|(p, c)| (p.to_owned(), c.to_owned())));
    }
    let list = service.get("services").as_(&token).send().await.expect(200);
    assert!(list.column("code").is_empty());
    let none = json!({"rows": []});
    service.post("service-batches", none).as_(&token).send().await.expect_problem(422, "INVALID_LENGTH");
    let unknown = json!({"rows": [with(row(1), json!({"colour": 1}))]});
    let problem = service.post("service-batches", unknown).as_(&token).send().await;
    assert_eq!(errors(&problem.expect(400)), [("/rows/0/colour".to_owned(), "UNKNOWN_FIELD".to_owned())]);
}

#[actix_web::test]
async fn who_may_read_and_who_may_write() {
    let service = TestService::start().await;
    let coordinator = service.token("coordinator").await;
    create(&service, &coordinator, procedure("1.000001")).await;
    let batch = json!({"rows": [row(1)]});
    let level = json!({"level": 3, "effective_from": "2018-01-01", "decision": "QĐ 1"});
    for token in [
        service.token("monitor").await,
        service.token("officer.so-yt").await,
        service.client_token("portal").await,
    ] {
        for path in ["services", "services/1.000001", "services/1.000001/levels"] {
            service.get(path).as_(&token).send().await.expect(200);
        }
        let writes = [
            service.post("services", procedure("1.000002")),
            service.patch("services/1.000001", json!({"postal": true})).if_match("\"1\""),
            service.post("services/1.000001/levels", level.clone()),
            service.post("service-batches", batch.clone()),
        ];
        for write in writes {
            write.as_(&token).send().await.expect_problem(403, "FORBIDDEN");
        }
    }
    let vnpt = service.client_token("vnpt").await;
    create(&service, &vnpt, procedure("1.000002")).await;
    service.post("services/1.000001/levels", level).as_(&vnpt).send().await.expect(201);
    service.get("services").send().await.expect_problem(401, "UNAUTHENTICATED");
}

#[actix_web::test]
async fn statements_do_not_grow_with_the_catalogue() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let batch = json!({"rows": (1..=10_000).map(row).collect::<Vec<_>>()});
    let (statements, answer) =
        service.statements_of(service.post("service-batches", batch.clone()).as_(&token).send()).await;
    assert_eq!(answer.expect(200).json()["counts"]["created"], 10_000);
    assert!(statements <= 12, "{statements} statements for a batch");
    let more = json!({"rows": (1..=10_001).map(row).collect::<Vec<_>>()});
    service.post("service-batches", more).as_(&token).send().await.expect_problem(422, "INVALID_LENGTH");
    let (statements, answer) =
        service.statements_of(service.get("services?limit=200&count=exact&level=4").as_(&token).send()).await;
    assert_eq!(answer.expect(200).json()["page"]["total"], 2_500);
    assert!(statements <= 4, "{statements} statements for a list");
}
