//! The trail in one file.

use serde_json::{Value, json};

use crate::support::TestService;

/// A service with a few events of different days and actors, and the coordinator's token.
async fn start() -> (TestService, String) {
    let service = TestService::start().await;
    let coordinator = service.token("coordinator").await;
    for (code, name) in [("A1", "Sở \"Một\", hai phần"), ("A2", "=cmd|' /C calc'!A0")] {
        let body = json!({"code": code, "name": name, "kind": "department"});
        service.post("agencies", body).as_(&coordinator).send().await.expect(201);
    }
    service.at("2018-03-16T02:00:00Z");
    let admin = service.token("admin").await;
    let user = json!({"username": "binh.tran", "display_name": "Trần Bình", "role": "monitor", "password": "hoa ban nở trắng rừng"});
    service.post("users", user).as_(&admin).send().await.expect(201);
    let coordinator = service.token("coordinator").await;
    (service, coordinator)
}

/// Events of a file, an object each.
fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// All events by way of the list.
async fn listed(service: &TestService, token: &str, filters: &str) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = service
            .get(&format!("audit-events?sort=at&limit=50{filters}{cursor}"))
            .as_(token)
            .send()
            .await
            .expect(200)
            .json();
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["page"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// Times are written to the microsecond in the file, as short as they go in the list.
fn instant(event: &Value) -> chrono::DateTime<chrono::Utc> {
    event["at"].as_str().unwrap().parse().unwrap()
}

#[actix_web::test]
async fn the_file_holds_what_the_list_holds_whole_and_in_order() {
    let (service, token) = start().await;
    let day = "&from=2018-03-15&to=2018-03-15";
    for filters in [
        "",
        day,
        "&entity=user,agency&action=create",
        "&actor=user:admin",
        "&key=A2",
        "&key=x'%20or%20true--",
    ] {
        let list = listed(&service, &token, filters).await;
        let query = format!("audit-events/export?format=ndjson{filters}");
        let answer = service.get(&query).as_(&token).send().await.expect(200);
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        assert_eq!(answer.header("content-disposition"), "attachment; filename=\"audit-events.ndjson\"");
        let file = objects(&answer.text());
        assert_eq!(file.len(), list.len(), "{filters}");
        for (line, item) in file.iter().zip(&list) {
            assert_eq!(instant(line), instant(item));
            for name in ["id", "actor", "request_id", "action", "entity", "key", "before", "after"] {
                assert_eq!(line[name], item[name], "{filters} {name}");
            }
        }
    }
    let all = listed(&service, &token, "").await.len();
    assert!(all > 50, "more than a page: {all}");
    assert_eq!(listed(&service, &token, day).await.len(), 2);
}

#[actix_web::test]
async fn the_table_has_a_line_per_event_and_no_formulas() {
    let (service, token) = start().await;
    let answer =
        service.get("audit-events/export?entity=agency&from=2018-03-15").as_(&token).send().await.expect(200);
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8; header=present");
    let text = answer.text();
    let table = text.strip_prefix('\u{feff}').expect("a BOM");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(
        reader.headers().unwrap().iter().collect::<Vec<_>>(),
        ["id", "at", "actor", "request_id", "action", "entity", "key", "before", "after"]
    );
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 2);
    let after: Value = serde_json::from_str(&rows[0][8]).unwrap();
    assert_eq!((&rows[0][1], &rows[0][6], &rows[0][7]), ("2018-03-15T02:00:00.000000Z", "A1", ""));
    assert_eq!(after["name"], "Sở \"Một\", hai phần");
    let formula = "insert into audit_events values (gen_random_uuid(), '2018-03-16', '=1+1', '@x', '-1', E'\\t=', '+1', null, '\"=2\"')";
    crate::caches::foreign_write(&service, formula).await;
    let text = service.get("audit-events/export?actor=%3D1%2B1").as_(&token).send().await.expect(200).text();
    let line = text.lines().nth(1).unwrap();
    assert!(line.ends_with(",'=1+1,'@x,'-1,'\t'=,'+1,,\"\"\"=2\"\"\""), "{line:?}");
}

#[actix_web::test]
async fn the_format_is_agreed_on_and_strangers_get_nothing() {
    let (service, token) = start().await;
    let accepted = async |accept: &str, status: u16| {
        let call = service.get("audit-events/export").as_(&token).header("Accept", accept);
        call.send().await.expect(status).header("content-type").to_owned()
    };
    assert!(accepted("*/*", 200).await.starts_with("text/csv"));
    assert!(accepted("application/x-ndjson, */*;q=0.1", 200).await.starts_with("application/x-ndjson"));
    assert_eq!(accepted("application/pdf", 406).await, "application/problem+json");
    let asked =
        async |query: &str| service.get(&format!("audit-events/export?{query}")).as_(&token).send().await;
    asked("format=xlsx").await.expect_problem(400, "INVALID_PARAMETER");
    asked("limit=5").await.expect_problem(400, "UNKNOWN_PARAMETER");
    asked("from=2018-02-30").await.expect_problem(400, "INVALID_PARAMETER");
    for caller in [service.token("officer.so-yt").await, service.client_token("portal").await] {
        service.get("audit-events/export").as_(&caller).send().await.expect_problem(403, "FORBIDDEN");
    }
    service.get("audit-events/export").send().await.expect_problem(401, "UNAUTHENTICATED");
}
