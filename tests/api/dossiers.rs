//! Dossier batches: replacing a month whole, refusing what is wrong all at once, keeping sources and revisions apart.

use ict_index::db::sql;
use ict_index::seed;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestService};

/// Adds a procedure with levels `(level, effective_from)`, handled by the agencies.
pub async fn add_service(
    service: &TestService,
    code: &str,
    field: &str,
    levels: &[(i16, &'static str)],
    agencies: &[&str],
) {
    let insert = sql(
        "with s as (insert into services (code, name, name_search, field, tier, status, postal, information_complete, \
         forms_complete, created_at, updated_at) values ($1, 'Thủ tục ' || $1, $1, $2, 'province', 'in_force', true, true, true, \
         '2018-01-01', '2018-01-01') returning id), \
         l as (insert into service_levels (service_id, effective_from, level, decision, created_at) \
         select s.id, x.day::date, x.level, 'QĐ 1', '2018-01-01' from s, unnest($3::smallint[], $4::text[]) as x(level, day)), \
         t as (insert into service_statuses (service_id, effective_from, status) select id, '-infinity', 'in_force' from s) \
         insert into service_agencies (service_id, agency_id) select s.id, a.id from s, agencies a where a.code = any($5)",
    );
    let bound = insert
        .bind(code.to_owned())
        .bind(field.to_owned())
        .bind(levels.iter().map(|l| l.0).collect::<Vec<i16>>())
        .bind(levels.iter().map(|l| l.1.to_owned()).collect::<Vec<String>>())
        .bind(agencies.iter().map(|a| (*a).to_owned()).collect::<Vec<String>>());
    service.sql(bound).await;
}

/// A balanced row: all of `received` resolved on time but `left`, which stay in progress.
pub fn row(agency: &str, procedure: &str, channel: &str, received: i64, left: i64) -> Value {
    json!({
        "agency": agency, "service": procedure, "channel": channel, "received": received, "resolved_early": 0,
        "resolved_on_time": received - left, "resolved_late": 0, "withdrawn": 0, "carried_in": 0,
        "in_progress_on_time": left, "in_progress_overdue": 0,
    })
}

/// The batch of these rows with right control totals.
pub fn batch(rows: &[Value]) -> Value {
    let received: i64 = rows.iter().filter_map(|row| row["received"].as_i64()).sum();
    json!({"control": {"rows": rows.len(), "received": received}, "rows": rows})
}

async fn put(service: &TestService, token: &str, path: &str, rows: &[Value]) -> Answer {
    service.put(&format!("dossier-batches/{path}"), batch(rows)).as_(token).send().await
}

/// A service with procedures S1, S2, S3 and the token of the coordinator.
async fn start() -> (TestService, String) {
    let service = TestService::start().await;
    for code in ["S1", "S2", "S3"] {
        add_service(&service, code, "Đất đai", &[(3, "2018-01-01")], &["SO-YT", "SO-TC"]).await;
    }
    let token = service.token("coordinator").await;
    (service, token)
}

fn counts(created: i64, updated: i64, unchanged: i64, deleted: i64) -> Value {
    json!({"created": created, "updated": updated, "unchanged": unchanged, "deleted": deleted, "parked": 0})
}

/// What is stored, as an officer of the department would list it.
async fn stored(service: &TestService, token: &str, query: &str) -> Vec<Value> {
    let list = service.get(&format!("dossier-counts?{query}")).as_(token).send().await.expect(200);
    list.json()["items"].as_array().unwrap().clone()
}

fn errors(answer: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    answer.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (text(&error["code"]), text(&error["pointer"])))
        .collect()
}

fn error(code: &str, pointer: &str) -> (String, String) {
    (code.to_owned(), pointer.to_owned())
}

#[actix_web::test]
async fn a_batch_replaces_its_month_whole() {
    let (service, token) = start().await;
    let first = [
        row("SO-YT", "S1", "online", 10, 2),
        row("SO-YT", "S2", "online", 5, 0),
        row("SO-YT", "S3", "postal", 7, 0),
    ];
    let created = put(&service, &token, "vnpt/2018-02", &first).await.expect(200);
    assert_eq!(created.etag(), "\"1\"");
    let body = created.json();
    assert_eq!((&body["source"], &body["month"]), (&json!("vnpt"), &json!("2018-02")));
    assert_eq!((&body["revision"], &body["dry_run"]), (&json!(1), &json!(false)));
    assert_eq!(body["counts"], counts(3, 0, 0, 0));

    let second = [
        row("SO-YT", "S1", "online", 11, 2),
        row("SO-YT", "S2", "online", 5, 0),
        row("SO-TC", "S3", "in_person", 1, 0),
    ];
    let replaced = put(&service, &token, "vnpt/2018-02", &second).await.expect(200).json();
    assert_eq!((&replaced["revision"], &replaced["counts"]), (&json!(2), &counts(1, 1, 1, 1)));

    let now = stored(&service, &token, "period=2018-02").await;
    let mut found: Vec<(&str, &str, i64, i64)> = now
        .iter()
        .map(|item| {
            let text = |name: &str| item[name].as_str().unwrap();
            (
                text("agency"),
                text("service"),
                item["received"].as_i64().unwrap(),
                item["revision"].as_i64().unwrap(),
            )
        })
        .collect();
    found.sort_unstable();
    assert_eq!(found, [("SO-TC", "S3", 1, 2), ("SO-YT", "S1", 11, 2), ("SO-YT", "S2", 5, 1)]);

    let kept = service
        .sql(sql("delete from dossier_count_history where replaced_by = 2 and revision = 1 \
         and (received, in_progress_on_time) in ((10, 2), (7, 0))"))
        .await;
    assert_eq!(kept, 2, "the old figures of the changed and the removed row are kept");
}

#[actix_web::test]
async fn the_same_batch_again_writes_nothing() {
    let (service, token) = start().await;
    let rows = [row("SO-YT", "S1", "online", 10, 2), row("SO-YT", "S2", "online", 0, 0)];
    put(&service, &token, "vnpt/2018-02", &rows).await.expect(200);
    let reversed = [rows[1].clone(), rows[0].clone()];
    let again = put(&service, &token, "vnpt/2018-02", &reversed).await.expect(200);
    assert_eq!(again.etag(), "\"1\"");
    assert_eq!(again.json()["revision"], 1);
    assert_eq!(again.json()["counts"], counts(0, 0, 2, 0));
    let events = service.get("audit-events?entity=dossier_batch").as_(&token).send().await.expect(200);
    assert_eq!(events.column("key"), [json!("vnpt/2018-02")]);
    let first = "update dossier_counts set revision = revision where xmin::text = (select xmin::text from dossier_batches)";
    let touched = service.sql(sql(first)).await;
    assert_eq!(
        touched, 2,
        "both rows are as the first transaction wrote them, also the one with nothing in it"
    );
    let state = service.get("dossier-batches/vnpt/2018-02").as_(&token).send().await.expect(200).json();
    assert_eq!(state["revisions"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_batch_is_read_with_its_revisions() {
    let (service, token) = start().await;
    service.get("dossier-batches/vnpt/2018-02").as_(&token).send().await.expect_problem(404, "NOT_FOUND");
    put(&service, &token, "vnpt/2018-02", &[row("SO-YT", "S1", "online", 10, 0)]).await.expect(200);
    put(&service, &token, "vnpt/2018-02", &[row("SO-YT", "S1", "online", 12, 0)]).await.expect(200);
    let read = service.get("dossier-batches/vnpt/2018-02").as_(&token).send().await.expect(200);
    let body = read.json();
    assert_eq!(body["revision"], 2);
    assert_eq!((&body["rows"], &body["received"]), (&json!(1), &json!(12)));
    assert_eq!(body["counts"], counts(0, 1, 0, 0));
    assert_eq!(body["actor"], "user:coordinator");
    assert_eq!(body["revisions"][1]["received"], 10);
    service
        .get("dossier-batches/vnpt/2018-02")
        .as_(&token)
        .header("If-None-Match", &read.etag())
        .send()
        .await
        .expect(304);
    let events =
        service.get("audit-events?entity=dossier_batch&sort=at").as_(&token).send().await.expect(200);
    assert_eq!(events.column("action"), ["create", "update"].map(Value::from));
    assert_eq!(events.json()["items"][1]["before"]["received"], 10);
    assert_eq!(events.json()["items"][1]["after"]["received"], 12);
}

#[actix_web::test]
async fn if_match_guards_a_batch_where_it_is_sent() {
    let (service, token) = start().await;
    let send = async |tag: &str, received: i64| {
        let body = batch(&[row("SO-YT", "S1", "online", received, 0)]);
        service.put("dossier-batches/vnpt/2018-02", body).as_(&token).if_match(tag).send().await
    };
    send("\"1\"", 1).await.expect_problem(412, "PRECONDITION_FAILED");
    put(&service, &token, "vnpt/2018-02", &[row("SO-YT", "S1", "online", 1, 0)]).await.expect(200);
    send("\"2\"", 2).await.expect_problem(412, "PRECONDITION_FAILED");
    assert_eq!(send("\"1\"", 2).await.expect(200).etag(), "\"2\"");
}

#[actix_web::test]
async fn a_dry_run_answers_what_the_batch_would_and_stores_nothing() {
    let (service, token) = start().await;
    put(
        &service,
        &token,
        "vnpt/2018-02",
        &[row("SO-YT", "S1", "online", 10, 4), row("SO-YT", "S2", "online", 1, 0)],
    )
    .await
    .expect(200);
    for (path, rows) in [
        ("vnpt/2018-02", vec![row("SO-YT", "S1", "online", 11, 4), row("SO-YT", "S3", "online", 1, 0)]),
        ("vnpt/2018-03", vec![row("SO-YT", "S1", "online", 3, 0)]),
    ] {
        let before = (
            stored(&service, &token, "period=2018").await,
            service.get("audit-events?entity=dossier_batch").as_(&token).send().await.json(),
        );
        let dry = service
            .put(&format!("dossier-batches/{path}?dry_run=true"), batch(&rows))
            .as_(&token)
            .send()
            .await
            .expect(200);
        assert_eq!(dry.etag(), "");
        let after = (
            stored(&service, &token, "period=2018").await,
            service.get("audit-events?entity=dossier_batch").as_(&token).send().await.json(),
        );
        assert_eq!(before, after, "{path}");
        let mut said = dry.json();
        assert_eq!(said["dry_run"], true);
        said["dry_run"] = json!(false);
        assert_eq!(put(&service, &token, path, &rows).await.expect(200).json(), said);
    }
    let bad = json!({"control": {"rows": 0, "received": 0}, "rows": [row("SO-YT", "S9", "online", 1, 0)]});
    let said = async |query: &str| {
        let path = format!("dossier-batches/vnpt/2018-03{query}");
        service.put(&path, bad.clone()).as_(&token).send().await.expect(422).json()["errors"].clone()
    };
    assert_eq!(said("?dry_run=true").await, said("").await);
}

#[actix_web::test]
async fn stocks_carried_over_are_compared_with_the_month_before() {
    let (service, token) = start().await;
    put(
        &service,
        &token,
        "vnpt/2018-01",
        &[row("SO-YT", "S1", "online", 10, 4), row("SO-YT", "S2", "online", 3, 0)],
    )
    .await
    .expect(200);
    let carrying = |mut row: Value, n: i64| {
        row["carried_in"] = json!(n);
        row["withdrawn"] = json!(n);
        row
    };
    let rows = [
        carrying(row("SO-YT", "S1", "online", 1, 0), 4),
        carrying(row("SO-YT", "S2", "online", 1, 0), 1),
        carrying(row("SO-YT", "S3", "online", 1, 0), 2),
        carrying(row("SO-TC", "S1", "online", 1, 0), 9),
    ];
    let done = put(&service, &token, "vnpt/2018-02", &rows).await.expect(200).json();
    assert_eq!(done["counts"], counts(4, 0, 0, 0), "a warning is no error");
    assert_eq!(done["warning_count"], 2);
    assert_eq!(
        done["warnings"],
        json!([
            {"code": "CARRIED_IN_MISMATCH", "pointer": "/rows/1/carried_in", "carried_in": 1, "in_progress_before": 0},
            {"code": "CARRIED_IN_MISMATCH", "pointer": "/rows/2/carried_in", "carried_in": 2, "in_progress_before": 0},
        ]),
        "SO-TC did not report the month before: nothing to compare with"
    );
}

#[actix_web::test]
async fn the_largest_stocks_do_not_break_the_next_month() {
    let (service, token) = start().await;
    let mut huge = row("SO-YT", "S1", "online", 2_147_483_647, 2_147_483_647);
    huge["carried_in"] = json!(2_147_483_647);
    huge["in_progress_overdue"] = json!(2_147_483_647);
    put(&service, &token, "vnpt/2018-01", &[huge]).await.expect(200);
    let next =
        put(&service, &token, "vnpt/2018-02", &[row("SO-YT", "S1", "online", 1, 0)]).await.expect(200).json();
    assert_eq!(next["warnings"][0]["in_progress_before"], 4_294_967_294_i64);
}

#[actix_web::test]
async fn hostile_figures_are_all_told_with_their_place() {
    let (service, token) = start().await;
    let mut rows: Vec<Value> = (0..4).map(|_| row("SO-YT", "S1", "online", 1, 0)).collect();
    rows[0]["received"] = json!("84,1");
    rows[0]["resolved_early"] = json!("1.155");
    rows[0]["resolved_on_time"] = json!("nhiều");
    rows[0]["resolved_late"] = json!(1.5);
    rows[0]["withdrawn"] = json!(-1);
    rows[0]["carried_in"] = json!(2_147_483_648_i64);
    rows[0]["in_progress_on_time"] = json!(null);
    rows[0].as_object_mut().unwrap().remove("in_progress_overdue");
    rows[1]["channel"] = json!("fax");
    rows[1]["agency"] = json!("SO-KHONG-CO");
    rows[1]["service"] = json!("332/QĐ");
    rows[2]["resolved_on_time"] = json!(7);
    rows[3]["received"] = json!(2.0);
    rows[3]["carried_in"] = serde_json::from_str("1e99").unwrap();
    let body = json!({"control": {"rows": 5, "received": "4"}, "rows": rows});
    let problem = service.put("dossier-batches/vnpt/2018-02", body).as_(&token).send().await;
    let problem = problem.expect_problem(422, "VALIDATION_FAILED");
    assert_eq!(
        errors(&problem),
        [
            error("CONTROL_MISMATCH", "/control/rows"),
            error("NOT_A_NUMBER", "/control/received"),
            error("DECIMAL_COMMA", "/rows/0/received"),
            error("AMBIGUOUS_NUMBER", "/rows/0/resolved_early"),
            error("NOT_A_NUMBER", "/rows/0/resolved_on_time"),
            error("NOT_AN_INTEGER", "/rows/0/resolved_late"),
            error("NEGATIVE", "/rows/0/withdrawn"),
            error("NUMBER_OUT_OF_RANGE", "/rows/0/carried_in"),
            error("NOT_A_NUMBER", "/rows/0/in_progress_on_time"),
            error("REQUIRED", "/rows/0/in_progress_overdue"),
            error("UNKNOWN_REFERENCE", "/rows/1/agency"),
            error("INVALID_CODE", "/rows/1/service"),
            error("INVALID_VALUE", "/rows/1/channel"),
            error("ARITHMETIC_MISMATCH", "/rows/2"),
            error("DUPLICATE_ENTRY", "/rows/2"),
            error("NUMBER_OUT_OF_RANGE", "/rows/3/carried_in"),
            error("DUPLICATE_ENTRY", "/rows/3"),
        ]
    );
    assert!(stored(&service, &token, "period=2018").await.is_empty());
}

#[actix_web::test]
async fn the_first_hundred_errors_are_listed_and_all_are_counted() {
    let (service, token) = start().await;
    let rows: Vec<Value> = (0..150).map(|_| row("SO-YT", "S9", "online", 1, 0)).collect();
    let problem = put(&service, &token, "vnpt/2018-02", &rows).await.expect(422).json();
    assert_eq!(problem["errors"].as_array().unwrap().len(), 100);
    assert_eq!(problem["error_count"], 150);
    assert!(problem["detail"].as_str().unwrap().contains("150"));
}

#[actix_web::test]
async fn syntax_is_400_and_rules_are_422() {
    let (service, token) = start().await;
    let good = batch(&[row("SO-YT", "S1", "online", 1, 0)]);
    let send = async |path: &str, body: &Value| {
        service.put(&format!("dossier-batches/{path}"), body.clone()).as_(&token).send().await
    };
    for (change, code) in [("control", "MISSING_FIELD"), ("rows", "MISSING_FIELD")] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(change);
        send("vnpt/2018-02", &body).await.expect_problem(400, code);
    }
    let mut unknown = good.clone();
    unknown["rows"][0]["recieved"] = json!(1);
    let problem = send("vnpt/2018-02", &unknown).await.expect_problem(400, "UNKNOWN_FIELD");
    assert_eq!(errors(&problem)[0].1, "/rows/0/recieved");
    for month in ["2018-2", "2018", "2018-13", "2018-Q1", "02-2018"] {
        send(&format!("vnpt/{month}"), &good).await.expect_problem(400, "MALFORMED_MONTH");
    }
    send("vnpt/2018-02?dry_run=maybe", &good).await.expect_problem(400, "INVALID_PARAMETER");
    send("vnpt/2018-02?force=true", &good).await.expect_problem(400, "UNKNOWN_PARAMETER");
    send("khong-co/2018-02", &good).await.expect_problem(404, "NOT_FOUND");
    send("vnpt/2018-04", &good).await.expect_problem(422, "DATE_IN_FUTURE");
    send("vnpt/2018-03", &good).await.expect(200);
    let mut received = good.clone();
    received["control"]["received"] = json!(2);
    let problem = send("vnpt/2018-02", &received).await.expect_problem(422, "CONTROL_MISMATCH").json();
    assert_eq!((&problem["errors"][0]["control"], &problem["errors"][0]["found"]), (&json!(2), &json!(1)));
}

#[actix_web::test]
async fn an_agency_reports_only_while_it_exists() {
    let (service, token) = start().await;
    service.at("2018-09-01T00:00:00Z");
    let token = {
        drop(token);
        service.token("coordinator").await
    };
    let ended = [row("SO-XD", "S1", "online", 1, 0)];
    put(&service, &token, "vnpt/2018-08", &ended).await.expect_problem(422, "AGENCY_NOT_ACTIVE");
    put(&service, &token, "vnpt/2018-07", &ended).await.expect(200);
    let early = [row("SO-GTVTXD", "S1", "online", 1, 0)];
    put(&service, &token, "vnpt/2018-06", &early).await.expect_problem(422, "AGENCY_NOT_ACTIVE");
}

#[actix_web::test]
async fn an_agencys_month_has_one_source() {
    let (service, token) = start().await;
    let rows = [row("SO-YT", "S1", "online", 1, 0)];
    put(&service, &token, "vnpt/2018-02", &rows).await.expect(200);
    let other = [row("SO-YT", "S2", "online", 1, 0)];
    let problem = put(&service, &token, "SO-YT/2018-02", &other).await.expect_problem(422, "FOREIGN_SOURCE");
    assert_eq!(errors(&problem), [error("FOREIGN_SOURCE", "/rows/0/agency")]);
    put(&service, &token, "SO-YT/2018-01", &other).await.expect(200);
    // The first source gives the month back: now another one may have it.
    put(&service, &token, "vnpt/2018-02", &[]).await.expect(200);
    put(&service, &token, "SO-YT/2018-02", &other).await.expect(200);

    service.sql(sql("update agencies set dossier_source = 'SO-TC' where code = 'SO-TC'")).await;
    let decided = [row("SO-TC", "S1", "online", 1, 0)];
    put(&service, &token, "vnpt/2018-02", &decided).await.expect_problem(422, "FOREIGN_SOURCE");
    put(&service, &token, "SO-TC/2018-02", &decided).await.expect(200);
}

#[actix_web::test]
async fn a_machine_writes_its_own_feed_and_an_officer_the_agencies_in_scope() {
    let (service, coordinator) = start().await;
    let (vnpt, officer) = (service.client_token("vnpt").await, service.token("officer.so-yt").await);
    let rows = [row("SO-YT", "S1", "online", 1, 0)];
    put(&service, &vnpt, "vnpt/2018-01", &rows).await.expect(200);
    put(&service, &vnpt, "SO-YT/2018-02", &rows).await.expect_problem(404, "NOT_FOUND");
    put(&service, &vnpt, "portal/2018-02", &rows).await.expect_problem(404, "NOT_FOUND");
    put(&service, &officer, "vnpt/2018-02", &rows).await.expect_problem(404, "NOT_FOUND");
    put(&service, &officer, "SO-TC/2018-02", &rows).await.expect_problem(404, "NOT_FOUND");
    put(&service, &officer, "SO-YT/2018-02", &rows).await.expect(200);
    let foreign = [row("SO-YT", "S1", "online", 1, 0), row("SO-TC", "S1", "online", 1, 0)];
    let problem = put(&service, &officer, "SO-YT/2018-02", &foreign).await.expect(422);
    assert_eq!(errors(&problem), [error("OUTSIDE_SCOPE", "/rows/1/agency")]);
    let problem = put(&service, &coordinator, "SO-YT/2018-02", &foreign).await.expect(422);
    assert_eq!(
        errors(&problem),
        [error("OUTSIDE_SCOPE", "/rows/1/agency")],
        "a source that is an agency reports itself alone: replacing its month never removes another's figures"
    );
    let monitor = service.token("monitor").await;
    put(&service, &monitor, "vnpt/2018-02", &rows).await.expect_problem(403, "FORBIDDEN");
    let portal = service.client_token("portal").await;
    put(&service, &portal, "portal/2018-02", &rows).await.expect_problem(403, "FORBIDDEN");

    put(&service, &coordinator, "SO-TC/2018-02", &[row("SO-TC", "S1", "postal", 4, 0)]).await.expect(200);
    let sources = async |token: &str| {
        let mut all: Vec<Value> =
            stored(&service, token, "").await.iter().map(|r| r["source"].clone()).collect();
        all.sort_by_key(Value::to_string);
        all
    };
    assert_eq!(sources(&monitor).await, ["SO-TC", "SO-YT", "vnpt"].map(Value::from));
    assert_eq!(sources(&officer).await, ["SO-YT", "vnpt"].map(Value::from), "what was reported of SO-YT");
    assert_eq!(sources(&vnpt).await, ["vnpt"].map(Value::from));
    service.get("dossier-counts").as_(&portal).send().await.expect_problem(403, "FORBIDDEN");
    for (token, path, status) in [
        (&officer, "dossier-batches/SO-YT/2018-02", 200),
        (&officer, "dossier-batches/SO-TC/2018-02", 404),
        (&officer, "dossier-feeds/vnpt", 404),
        (&officer, "dossier-feeds/SO-YT", 200),
        (&vnpt, "dossier-batches/vnpt/2018-01", 200),
        (&vnpt, "dossier-feeds/SO-YT", 404),
        (&monitor, "dossier-feeds/vnpt", 200),
        (&monitor, "dossier-feeds/khong-co", 404),
    ] {
        service.get(path).as_(token).send().await.expect(status);
    }
}

#[actix_web::test]
async fn a_closed_month_is_corrected_by_the_coordinator_with_a_reason() {
    let (service, token) = start().await;
    let vnpt = service.client_token("vnpt").await;
    put(&service, &vnpt, "vnpt/2018-01", &[row("SO-YT", "S1", "online", 1, 0)]).await.expect(200);
    let close = "insert into closed_months (month, closed_at, closed_by) values ('2018-01-01', '2018-02-05', 'user:coordinator')";
    service.sql(sql(close)).await;
    let corrected = [row("SO-YT", "S1", "online", 2, 0)];
    put(&service, &vnpt, "vnpt/2018-01", &corrected).await.expect_problem(409, "PERIOD_LOCKED");
    let officer = service.token("officer.so-yt").await;
    put(&service, &officer, "SO-YT/2018-01", &corrected).await.expect_problem(409, "PERIOD_LOCKED");
    put(&service, &token, "vnpt/2018-01", &corrected).await.expect_problem(422, "REASON_REQUIRED");
    let mut body = batch(&corrected);
    body["reason"] = json!("   ");
    let send = async |body: &Value| {
        service.put("dossier-batches/vnpt/2018-01", body.clone()).as_(&token).send().await
    };
    send(&body).await.expect_problem(422, "INVALID_LENGTH");
    body["reason"] = json!("Đơn vị gửi bổ sung");
    assert_eq!(send(&body).await.expect(200).json()["revision"], 2);
    let state = service.get("dossier-batches/vnpt/2018-01").as_(&token).send().await.expect(200).json();
    assert_eq!(state["reason"], "Đơn vị gửi bổ sung");
    put(&service, &vnpt, "vnpt/2018-02", &corrected).await.expect(200);
}

#[actix_web::test]
async fn two_batches_for_the_same_month_do_not_mix() {
    let (service, token) = start().await;
    let of = |received: i64| -> Vec<Value> {
        ["S1", "S2", "S3"].map(|code| row("SO-YT", code, "online", received, 0)).into()
    };
    let sets: Vec<Vec<Value>> = (1..=4).map(of).collect();
    let calls = sets.iter().map(|rows| put(&service, &token, "vnpt/2018-02", rows));
    let mut revisions: Vec<i64> = futures::future::join_all(calls)
        .await
        .into_iter()
        .map(|answer| answer.expect(200).json()["revision"].as_i64().unwrap())
        .collect();
    revisions.sort_unstable();
    assert_eq!(revisions, [1, 2, 3, 4]);
    let now = stored(&service, &token, "period=2018-02").await;
    assert_eq!(now.len(), 3);
    assert!(now.iter().all(|row| row["received"] == now[0]["received"] && row["revision"] == 4), "{now:?}");
}

#[actix_web::test]
async fn of_two_sources_that_report_an_agency_at_once_one_is_refused() {
    let (service, token) = start().await;
    let (one, other) = ([row("SO-YT", "S1", "online", 1, 0)], [row("SO-YT", "S2", "online", 1, 0)]);
    let (a, b) = futures::join!(
        put(&service, &token, "vnpt/2018-02", &one),
        put(&service, &token, "SO-YT/2018-02", &other)
    );
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422]);
    assert_eq!(stored(&service, &token, "period=2018-02").await.len(), 1);
}

#[actix_web::test]
async fn counts_are_filtered_and_paged() {
    let (service, token) = start().await;
    for month in ["2017-12", "2018-01", "2018-02", "2018-03"] {
        let mut rows = Vec::new();
        for code in ["S1", "S2", "S3"] {
            for channel in ["online", "in_person"] {
                rows.push(row("SO-YT", code, channel, 1, 0));
                rows.push(row("SO-TC", code, channel, 2, 0));
            }
        }
        put(&service, &token, &format!("vnpt/{month}"), &rows).await.expect(200);
    }
    for (query, expected) in [
        ("", 48),
        ("period=2018", 36),
        ("period=2018-Q1&agency=SO-YT", 18),
        ("period=2018-01&agency=SO-YT,SO-TC&service=S1,S3&channel=online", 4),
        ("agency=KHONG-CO", 0),
    ] {
        let list =
            service.get(&format!("dossier-counts?limit=200&count=exact&{query}")).as_(&token).send().await;
        let list = list.expect(200).json();
        assert_eq!(list["items"].as_array().unwrap().len(), expected, "{query}");
        assert_eq!(list["page"]["total"], expected, "{query}");
    }
    for sort in ["month", "-month"] {
        let mut seen = Vec::new();
        let mut path = format!("dossier-counts?limit=7&sort={sort}");
        loop {
            let page = service.get(&path).as_(&token).send().await.expect(200).json();
            seen.extend(page["items"].as_array().unwrap().iter().map(|i| {
                let text = |name: &str| i[name].as_str().unwrap().to_owned();
                (text("month"), text("agency"), text("service"), text("channel"))
            }));
            match page["page"]["next_cursor"].as_str() {
                Some(cursor) => path = format!("dossier-counts?limit=7&sort={sort}&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 48);
        let months: Vec<&String> = seen.iter().map(|key| &key.0).collect();
        assert!(if sort == "month" { months.is_sorted() } else { months.iter().rev().is_sorted() });
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 48, "each row once");
    }
    service
        .get("dossier-counts?channel=fax")
        .as_(&token)
        .send()
        .await
        .expect_problem(400, "INVALID_PARAMETER");
    service
        .get("dossier-counts?period=2018-3")
        .as_(&token)
        .send()
        .await
        .expect_problem(400, "MALFORMED_PERIOD");
    let csv = service.get("dossier-counts?format=csv&limit=1").as_(&token).send().await.expect(200).text();
    assert!(csv.starts_with("\u{feff}month,agency,service,channel,received,"), "{csv}");
}

#[actix_web::test]
async fn a_feed_says_what_is_missing_and_how_late_it_is() {
    let (service, token) = start().await;
    let feed = async || service.get("dossier-feeds/vnpt").as_(&token).send().await.expect(200);
    let none = feed().await.json();
    assert_eq!(
        (&none["last_batch"], &none["missing_months"], &none["lag_days"]),
        (&json!(null), &json!([]), &json!(null))
    );
    let rows = [row("SO-YT", "S1", "online", 3, 0)];
    put(&service, &token, "vnpt/2017-11", &rows).await.expect(200);
    put(&service, &token, "vnpt/2018-01", &rows).await.expect(200);
    put(&service, &token, "vnpt/2018-01", &[row("SO-YT", "S1", "online", 4, 0)]).await.expect(200);
    let late = feed().await;
    let body = late.json();
    assert_eq!(body["missing_months"], json!(["2017-12", "2018-02"]));
    assert_eq!(body["lag_days"], 43, "31 January to 15 March");
    let last = &body["last_batch"];
    assert_eq!(
        (&last["month"], &last["revision"], &last["received"]),
        (&json!("2018-01"), &json!(2), &json!(4))
    );
    service
        .get("dossier-feeds/vnpt")
        .as_(&token)
        .header("If-None-Match", &late.etag())
        .send()
        .await
        .expect(304);
    put(&service, &token, "vnpt/2018-02", &[]).await.expect(200);
    let empty = feed().await.json();
    assert_eq!((&empty["missing_months"], &empty["lag_days"]), (&json!(["2017-12"]), &json!(15)));
    assert_eq!(empty["last_batch"]["rows"], 0, "a month without dossiers is reported too");
}

#[actix_web::test]
async fn a_batch_takes_a_few_statements_however_many_rows() {
    let (service, token) = start().await;
    let send =
        async |rows: Vec<Value>| service.statements_of(put(&service, &token, "vnpt/2018-02", &rows)).await;
    let few = send(vec![row("SO-YT", "S1", "online", 1, 0)]).await;
    let many = ["S1", "S2", "S3"]
        .iter()
        .flat_map(|code| ["online", "in_person", "postal"].map(|channel| row("SO-TC", code, channel, 1, 0)))
        .collect();
    let many = send(many).await;
    few.1.expect(200);
    many.1.expect(200);
    assert_eq!(few.0 + 1, many.0, "one more clears the sums of what was removed");
}

#[actix_web::test]
async fn the_demo_year_is_whole_balanced_and_labelled() {
    let service = TestService::start().await;
    let load = async || {
        let (db, passwords) = (service.state.db(), service.state.passwords());
        seed::demo(db, passwords, Some(PASSWORD.into()), service.clock.now())
            .await
            .map_err(|e| e.to_string())
            .unwrap();
    };
    load().await;
    load().await;
    service.at("2019-01-10T00:00:00Z");
    let token = service.token("coordinator").await;
    let feed = service.get("dossier-feeds/vnpt").as_(&token).send().await.expect(200).json();
    assert_eq!((&feed["last_batch"]["month"], &feed["missing_months"]), (&json!("2018-12"), &json!([])));
    assert_eq!(feed["last_batch"]["revision"], 1);
    // What is stored passes as a batch, changes nothing, and follows from the month before.
    for month in ["2018-01", "2018-08"] {
        let mut rows = Vec::new();
        let mut path = format!("dossier-counts?limit=200&period={month}");
        loop {
            let page = service.get(&path).as_(&token).send().await.expect(200).json();
            rows.extend(page["items"].as_array().unwrap().clone());
            match page["page"]["next_cursor"].as_str() {
                Some(cursor) => path = format!("dossier-counts?limit=200&period={month}&cursor={cursor}"),
                None => break,
            }
        }
        for row in &mut rows {
            row.as_object_mut()
                .unwrap()
                .retain(|name, _| !["month", "source", "revision"].contains(&name.as_str()));
        }
        assert!(rows.len() > 200, "{}", rows.len());
        let again = put(&service, &token, &format!("vnpt/{month}"), &rows).await.expect(200).json();
        assert_eq!(again["counts"], counts(0, 0, rows.len() as i64, 0));
        assert_eq!(again["warnings"], json!([]));
    }
    let rates =
        service.get("statistics/dossier-rates?period=2018").as_(&token).send().await.expect(200).json();
    for item in rates["items"].as_array().unwrap() {
        let rate = item["rate"].as_f64().unwrap();
        assert!(20.0 < rate && rate < 90.0, "{item}");
    }
}

#[actix_web::test]
async fn all_counts_come_as_one_file_of_ones_own_agencies() {
    let (service, token) = start().await;
    let rows = [
        row("SO-YT", "S1", "online", 3, 1),
        row("SO-YT", "S2", "postal", 2, 0),
        row("SO-TC", "S1", "online", 9, 0),
    ];
    put(&service, &token, "vnpt/2018-01", &rows).await.expect(200);
    put(&service, &token, "vnpt/2018-02", &rows[2..]).await.expect(200);
    let lines = async |token: &str, query: &str| -> Vec<String> {
        let answer =
            service.get(&format!("dossier-counts/export{query}")).as_(token).send().await.expect(200);
        assert_eq!(answer.header("content-disposition"), "attachment; filename=\"dossier-counts.csv\"");
        let text = answer.text();
        let mut lines: Vec<String> =
            text.strip_prefix('\u{feff}').expect("a BOM").lines().map(str::to_owned).collect();
        assert!(lines.remove(0).starts_with("month,agency,service,channel,received,"));
        lines.sort_unstable();
        lines
    };
    let all = lines(&token, "").await;
    assert_eq!(all.len(), 4);
    assert!(all.contains(&"2018-01,SO-YT,S1,online,3,0,2,0,0,0,1,0,vnpt,1".to_owned()), "{all:?}");
    let page = service.get("dossier-counts?format=csv").as_(&token).send().await.expect(200).text();
    let mut listed: Vec<&str> = page.lines().skip(1).collect();
    listed.sort_unstable();
    assert_eq!(all, listed, "the list as CSV has the same lines");
    assert_eq!(lines(&token, "?period=2018-01&agency=SO-TC").await.len(), 1);
    assert_eq!(lines(&token, "?channel=postal&service=S2").await.len(), 1);
    let officer = service.token("officer.so-yt").await;
    assert!(lines(&officer, "").await.iter().all(|line| line.contains("SO-YT")));
    assert_eq!(lines(&officer, "?agency=SO-TC").await, [] as [String; 0]);
    assert_eq!(lines(&officer, "?agency=x')%20or%20true--").await, [] as [String; 0]);
    service
        .get("dossier-counts/export?limit=5")
        .as_(&token)
        .send()
        .await
        .expect_problem(400, "UNKNOWN_PARAMETER");
}

#[actix_web::test]
async fn what_was_left_in_progress_and_has_no_row_any_more_is_told() {
    let (service, token) = start().await;
    let before = [
        row("SO-YT", "S1", "online", 9, 4),
        row("SO-YT", "S2", "postal", 3, 0),
        row("SO-YT", "S3", "in_person", 5, 2),
        row("SO-TC", "S1", "online", 8, 8),
    ];
    put(&service, &token, "vnpt/2018-01", &before).await.expect(200);
    let carried = json!({
        "agency": "SO-YT", "service": "S1", "channel": "online", "received": 0, "resolved_early": 4, "resolved_on_time": 0,
        "resolved_late": 0, "withdrawn": 0, "carried_in": 4, "in_progress_on_time": 0, "in_progress_overdue": 0,
    });
    let done = put(&service, &token, "vnpt/2018-02", &[carried]).await.expect(200).json();
    assert_eq!(done["warning_count"], 1, "S2 left nothing, SO-TC reports nothing at all: {done}");
    assert_eq!(
        done["warnings"][0],
        json!({"code": "CARRIED_IN_MISSING", "pointer": "/rows", "carried_in": 0, "in_progress_before": 2,
            "missing": {"agency": "SO-YT", "service": "S3", "channel": "in_person"}})
    );
}
