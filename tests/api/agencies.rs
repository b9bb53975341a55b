//! Agencies: the plan's, their search and order, their validity, and changing them.

use ict_index::db::sql;
use serde_json::{Value, json};

use crate::support::TestService;

#[actix_web::test]
async fn the_plan_names_37_agencies_and_5_groups() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let agencies = service.get("agencies?limit=200&count=exact").as_(&token).send().await.expect(200);
    assert_eq!(agencies.json()["page"]["total"], 37);
    assert_eq!(agencies.column("code").len(), 37);
    let groups =
        service.get("agency-groups?active_on=2018-01-01").as_(&token).send().await.expect(200).json();
    assert_eq!(groups["items"].as_array().unwrap().len(), 5);
    let tag = service.get("agencies/SO-GTVTXD").as_(&token).send().await.expect(200).etag();
    let other = service.get("agencies/SO-CT").as_(&token).send().await.expect(200).etag();
    let ends = json!({"successors": ["SO-GTVTXD"]});
    service.patch("agencies/SO-CT", ends).as_(&token).if_match(&other).send().await.expect(200);
    let seen =
        service.get("agencies/SO-GTVTXD").as_(&token).header("If-None-Match", &tag).send().await.expect(200);
    assert_eq!(
        seen.json()["predecessors"],
        json!(["SO-CT", "SO-GTVT", "SO-XD"]),
        "a derived member changes the tag"
    );
    let cqnn = &groups["items"][0];
    assert_eq!(cqnn["code"], "CQNN");
    let members: Vec<&str> =
        cqnn["members"].as_array().unwrap().iter().map(|m| m.as_str().unwrap()).collect();
    assert!(members.contains(&"SO-GTVT") && members.contains(&"SO-XD") && !members.contains(&"SO-GTVTXD"));
    let later = service.get("agency-groups?active_on=2018-07-15").as_(&token).send().await.expect(200).json();
    let members = later["items"][0]["members"].to_string();
    assert!(members.contains("SO-GTVTXD") && !members.contains("\"SO-XD\""));
}

#[actix_web::test]
async fn search_ignores_case_diacritics_and_composition() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    for (code, name) in [("XA-VAN-HOA", "Xã Vạn Hoà"), ("XA-HOA", "Xã Hòa"), ("XA-D", "Xã Đường Âm")]
    {
        let body = json!({"code": code, "name": name, "kind": "commune"});
        service.post("agencies", body).as_(&token).send().await.expect(201);
    }
    let found = async |q: &str| {
        service.get(&format!("agencies?q={q}&sort=code")).as_(&token).send().await.expect(200).column("code")
    };
    assert_eq!(found("so+y+te").await, [json!("SO-YT")]);
    assert_eq!(found("S%E1%BB%9F%20Y%20t%E1%BA%BF").await, [json!("SO-YT")]);
    assert_eq!(found("So%CC%9B%CC%89%20Y%20te").await, [json!("SO-YT")], "NFD is the same text");
    assert_eq!(found("hoa&kind=commune").await, [json!("XA-HOA"), json!("XA-VAN-HOA")]);
    assert_eq!(found("duong").await, [json!("XA-D")]);
    assert_eq!(found("%C4%90%C6%B0%E1%BB%9Dng").await, [json!("XA-D")]);
    assert_eq!(found("khong-co-dau").await, [] as [Value; 0]);
}

#[actix_web::test]
async fn lists_come_in_vietnamese_order() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    for (code, name) in [("A1", "Đa"), ("A2", "Da"), ("A3", "Âu"), ("A4", "Ăn"), ("A5", "An"), ("A6", "Eo")]
    {
        let body = json!({"code": code, "name": name, "kind": "commune"});
        service.post("agencies", body).as_(&token).send().await.expect(201);
    }
    let list = service.get("agencies?kind=commune").as_(&token).send().await.expect(200);
    assert_eq!(list.column("name"), ["An", "Ăn", "Âu", "Da", "Đa", "Eo"].map(Value::from));
}

#[actix_web::test]
async fn pages_hold_every_agency_once_in_any_order() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    for sort in ["name", "-name", "kind,-code", "-kind,code"] {
        let mut seen = Vec::new();
        let mut path = format!("agencies?limit=5&sort={sort}");
        loop {
            let page = service.get(&path).as_(&token).send().await.expect(200);
            seen.extend(page.column("code"));
            match page.json()["page"]["next_cursor"].as_str() {
                Some(cursor) => path = format!("agencies?limit=5&sort={sort}&cursor={cursor}"),
                None => break,
            }
        }
        let whole =
            service.get(&format!("agencies?limit=200&sort={sort}")).as_(&token).send().await.expect(200);
        assert_eq!(seen, whole.column("code"), "sort={sort}");
    }
}

#[actix_web::test]
async fn a_cursor_belongs_to_its_query() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let page = service.get("agencies?limit=5").as_(&token).send().await.expect(200).json();
    let cursor = page["page"]["next_cursor"].as_str().unwrap();
    for path in [
        format!("agencies?limit=5&kind=department&cursor={cursor}"),
        format!("agencies?limit=5&sort=-name&cursor={cursor}"),
        "agencies?cursor=nonsense".to_owned(),
        format!("agency-groups?cursor={cursor}"),
    ] {
        service.get(&path).as_(&token).send().await.expect_problem(400, "INVALID_CURSOR");
    }
    let lowered = service.get("agencies?limit=5000").as_(&token).send().await.expect(200).json();
    assert_eq!(lowered["page"]["limit"], 200);
    service.get("agencies?sort=code,-code").as_(&token).send().await.expect_problem(400, "INVALID_PARAMETER");
    service.get("agencies?limit=0").as_(&token).send().await.expect_problem(400, "INVALID_PARAMETER");
}

#[actix_web::test]
async fn an_agency_is_created_read_and_changed_with_its_history() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let body = json!({"code": "SO-DL", "name": "  Sở Du lịch ", "kind": "department", "parent": "UBND-TINH", "gso_code": "999"});
    let created = service.post("agencies", body).as_(&token).send().await.expect(201);
    assert_eq!(created.header("location"), "/api/v1/agencies/SO-DL");
    assert_eq!(created.json()["name"], "Sở Du lịch");
    let tag = created.etag();

    let unchanged =
        service.get("agencies/SO-DL").as_(&token).header("If-None-Match", &tag).send().await.expect(304);
    assert!(unchanged.body.is_empty());

    let rename = json!({"name": "Sở Du lịch và Văn hóa", "gso_code": null});
    service
        .patch("agencies/SO-DL", rename.clone())
        .as_(&token)
        .send()
        .await
        .expect_problem(428, "PRECONDITION_REQUIRED");
    let changed =
        service.patch("agencies/SO-DL", rename.clone()).as_(&token).if_match(&tag).send().await.expect(200);
    assert_eq!(changed.json()["gso_code"], Value::Null);
    assert_eq!(changed.json()["kind"], "department");
    service
        .patch("agencies/SO-DL", rename)
        .as_(&token)
        .if_match(&tag)
        .send()
        .await
        .expect_problem(412, "PRECONDITION_FAILED");

    let events =
        service.get("audit-events?entity=agency&key=SO-DL&sort=at").as_(&token).send().await.expect(200);
    assert_eq!(events.column("action"), ["create", "update"].map(Value::from));
    assert_eq!(events.column("actor"), ["user:coordinator", "user:coordinator"].map(Value::from));
    assert_eq!(events.json()["items"][1]["before"]["name"], "Sở Du lịch");
    assert_eq!(events.json()["items"][1]["after"]["name"], "Sở Du lịch và Văn hóa");
}

#[actix_web::test]
async fn everything_wrong_is_said_at_once() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let body = json!({"code": "ĐƯỜNG/1", "name": "", "kind": "department", "valid_from": "2018-02-01", "valid_to": "2018-01-01"});
    let problem = service
        .post("agencies", body)
        .as_(&token)
        .send()
        .await
        .expect_problem(422, "VALIDATION_FAILED")
        .json();
    let pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/code", "/name", "/valid_to"]);

    let refers =
        json!({"code": "X", "name": "X", "kind": "department", "parent": "NO-1", "successors": ["NO-2"]});
    let problem = service
        .post("agencies", refers)
        .as_(&token)
        .send()
        .await
        .expect_problem(422, "UNKNOWN_REFERENCE")
        .json();
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2);

    let taken = json!({"code": "SO-YT", "name": "X", "kind": "department"});
    service.post("agencies", taken).as_(&token).send().await.expect_problem(409, "ALREADY_EXISTS");
    let same_gso = json!({"code": "X", "name": "X", "kind": "district", "gso_code": "080"});
    service.post("agencies", same_gso).as_(&token).send().await.expect_problem(409, "ALREADY_EXISTS");
    let unknown = json!({"code": "X", "name": "X", "kind": "department", "colour": "red"});
    let problem = service
        .post("agencies", unknown)
        .as_(&token)
        .send()
        .await
        .expect_problem(400, "UNKNOWN_FIELD")
        .json();
    assert_eq!(problem["errors"][0]["pointer"], "/colour");
    service.get("agencies?colour=red").as_(&token).send().await.expect_problem(400, "UNKNOWN_PARAMETER");
    service.get("agencies/SO-YT?q=a").as_(&token).send().await.expect_problem(400, "UNKNOWN_PARAMETER");
    service.get("agencies/KHONG-CO").as_(&token).send().await.expect_problem(404, "NOT_FOUND");
    service.get("agencies/%FF").as_(&token).send().await.expect_problem(404, "NOT_FOUND");
    service
        .call("DELETE", "agencies/SO-YT")
        .as_(&token)
        .send()
        .await
        .expect_problem(405, "METHOD_NOT_ALLOWED");
}

#[actix_web::test]
async fn hierarchy_has_no_circles_and_codes_may_return_after_their_end() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let top = service.get("agencies/UBND-TINH").as_(&token).send().await.expect(200).etag();
    let below = json!({"parent": "SO-YT"});
    service
        .patch("agencies/UBND-TINH", below)
        .as_(&token)
        .if_match(&top)
        .send()
        .await
        .expect_problem(422, "CYCLIC_REFERENCE");

    let tag = service.get("agencies/UBND-080").as_(&token).send().await.expect(200).etag();
    let ended = json!({"valid_to": "2025-07-01"});
    service.patch("agencies/UBND-080", ended).as_(&token).if_match(&tag).send().await.expect(200);
    let again = json!({"code": "P-080", "name": "Phường", "kind": "commune", "gso_code": "080", "valid_from": "2025-07-01"});
    service.post("agencies", again).as_(&token).send().await.expect(201);
}

#[actix_web::test]
async fn lists_are_tables_for_spreadsheets_too() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let body = json!({"code": "X1", "name": "=HYPERLINK(1)", "kind": "commune"});
    service.post("agencies", body).as_(&token).send().await.expect(201);
    let csv = service.get("agencies?kind=commune&format=csv").as_(&token).send().await.expect(200);
    assert!(csv.header("content-type").starts_with("text/csv"));
    assert!(csv.text().starts_with("\u{feff}code,name,"));
    assert!(csv.text().contains("X1,'=HYPERLINK(1),"));
    let accepted = service
        .get("agencies?kind=commune")
        .as_(&token)
        .header("Accept", "text/csv")
        .send()
        .await
        .expect(200);
    assert_eq!(accepted.text(), csv.text());
    service
        .get("agencies")
        .as_(&token)
        .header("Accept", "image/png")
        .send()
        .await
        .expect_problem(406, "NOT_ACCEPTABLE");
    service
        .get("agencies/X1")
        .as_(&token)
        .header("Accept", "text/csv")
        .send()
        .await
        .expect_problem(406, "NOT_ACCEPTABLE");
}

#[actix_web::test]
async fn a_page_is_read_with_few_statements() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let (statements, _) =
        service.statements_of(service.get("agencies?limit=200&count=exact").as_(&token).send()).await;
    assert!(statements <= 4, "{statements} statements for a list");
}

#[actix_web::test]
async fn audit_events_cannot_be_changed() {
    let service = TestService::start().await;
    let changed = service
        .state
        .db()
        .transaction(async |conn: &mut ict_index::db::Conn| {
            Ok::<_, ict_index::http::Problem>(sql("update audit_events set actor = 'x'").run(conn).await?)
        })
        .await;
    assert!(changed.is_err(), "the trigger must refuse");
}
