//! Runs are computed, stored, superseded, never changed, and what is stored is what comes out again.

use futures::future::join_all;
use ict_index::db::{Conn, sql};
use ict_index::http::Problem;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{FIGURES, add_framework, get, item, new_run, number, observe, run, small, small_run, zero};
use crate::support::TestService;

#[actix_web::test]
async fn a_run_is_computed_stored_and_audited() {
    let service = TestService::start().await;
    add_framework(&service, &small("NHO", "agency")).await;
    let token = service.token("coordinator").await;
    let post = |body: Value| service.post("index-runs", body).as_(&token);
    post(new_run("NHO", 2017, "official")).send().await.expect_problem(422, "MISSING_DATA");
    post(new_run("KHONG-CO", 2017, "official")).send().await.expect_problem(422, "UNKNOWN_REFERENCE");
    let wrong =
        json!({"framework": "a b", "data_year": 1999, "index_year": 2200, "kind": "official", "label": " "});
    let faults = post(wrong).send().await.expect(422).json();
    let pointers: Vec<&str> =
        faults["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/framework", "/data_year", "/index_year", "/label"]);
    observe(&service, "NHO", 2017, &FIGURES, &[]).await;
    let (statements, made) = service
        .statements_of(post(new_run("NHO", 2017, "official")).header("Idempotency-Key", "k").send())
        .await;
    let made = made.expect(201);
    assert!(statements <= 12, "{statements} statements");
    let body = made.json();
    assert_eq!((body["observations_revision"].clone(), body["units"].clone()), (json!(1), json!(3)));
    assert_eq!(
        (body["verification"]["matches"].clone(), body["current"].clone()),
        (json!(true), json!(true))
    );
    assert_eq!(body["input_hash"].as_str().unwrap().len(), 64);
    assert_eq!(body["warnings"], json!([{"code": "FIGURE_MISSING", "units": ["SO-GDDT"], "nodes": ["X2"]}]));
    let again =
        post(new_run("NHO", 2017, "official")).header("Idempotency-Key", "k").send().await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &made.body));
    let id = body["id"].as_str().unwrap();
    let (statements, read) =
        service.statements_of(service.get(&format!("index-runs/{id}")).as_(&token).send()).await;
    assert!(statements <= 4, "{statements} statements");
    let read = read.expect(200);
    assert_eq!(read.json(), body);
    assert_eq!(read.etag(), made.etag());
    let fresh = service.get(&format!("index-runs/{id}")).as_(&token).header("If-None-Match", &read.etag());
    fresh.send().await.expect(304);
    let events = get(&service, &token, format!("audit-events?entity=index_run&key={id}")).await.expect(200);
    assert_eq!(events.column("action"), ["create"]);
    let officer = service.token("officer.so-yt").await;
    service.post("index-runs", new_run("NHO", 2017, "official")).as_(&officer).send().await.expect(403);
}

#[actix_web::test]
async fn scores_are_exact() {
    let service = TestService::start().await;
    let id = small_run(&service).await;
    let token = service.token("monitor").await;
    let whole = get(&service, &token, format!("index-runs/{id}/scores?node=ALL")).await.expect(200).json();
    // (½·(0 + 1) + 2·0.8) ÷ 3, (½·(1 + 0) + 2·0.6) ÷ 3, (0.5 + 2·0.5) ÷ 3
    assert_eq!(item(&whole, "SO-YT")["score"].to_string(), "0.7");
    assert_eq!(item(&whole, "SO-TTTT")["score"].to_string(), "0.566666666666666667");
    assert_eq!(item(&whole, "SO-TTTT")["rounded"].to_string(), "0.567");
    assert_eq!(item(&whole, "SO-GDDT")["score"].to_string(), "0.5");
    assert_eq!(item(&whole, "SO-GDDT")["missing"], json!(["X2"]));
    let ranks = get(&service, &token, format!("index-runs/{id}/ranks")).await.expect(200);
    assert_eq!(ranks.column("unit"), ["SO-YT", "SO-TTTT", "SO-GDDT"]);
    assert_eq!(ranks.column("rank"), [1, 2, 3]);
    let path = format!("index-runs/{id}/ranks?node=X1,X2&unit=SO-TTTT,SO-GDDT&sort=node,-rank");
    let some = get(&service, &token, &path).await.expect(200);
    assert_eq!(some.column("node"), ["X1", "X1", "X2", "X2"]);
    assert_eq!(some.column("rank"), [json!(2), json!(1), Value::Null, json!(2)]);
    let all =
        get(&service, &token, format!("index-runs/{id}/scores?limit=4&count=exact")).await.expect(200).json();
    assert_eq!((all["page"]["total"].clone(), all["items"].as_array().unwrap().len()), (json!(18), 4));
    get(&service, &token, format!("index-runs/{id}/scores?sort=band")).await.expect(400);
    let none = "index-runs/01890000-0000-7000-8000-000000000000";
    for path in ["", "/scores", "/ranks", "/comparison", "/robustness", "/units/SO-YT/levers"] {
        get(&service, &token, format!("{none}{path}")).await.expect_problem(404, "NOT_FOUND");
    }
}

#[actix_web::test]
async fn the_later_official_run_supersedes() {
    let service = TestService::start().await;
    let first = small_run(&service).await;
    let token = service.token("coordinator").await;
    let one = run(&service, "NHO", 2017, "official").await;
    observe(&service, "NHO", 2017, &FIGURES[..6], &[]).await;
    let two = run(&service, "NHO", 2017, "official").await;
    let read = |id: &str| get(&service, &token, format!("index-runs/{id}"));
    let (one, two, first) = (
        read(&one).await.expect(200).json(),
        read(&two).await.expect(200).json(),
        read(&first).await.expect(200).json(),
    );
    assert_eq!((one["superseded_by"].clone(), one["current"].clone()), (two["id"].clone(), json!(false)));
    assert_eq!(
        (one["units"].clone(), two["units"].clone()),
        (json!(3), json!(2)),
        "the old one stays as it was"
    );
    assert_eq!(two["observations_revision"], 2);
    assert_eq!(one["verification"]["matches"], true);
    assert_eq!(first["current"], true, "a provisional run is superseded by nobody");
    let list = |query: &str| get(&service, &token, format!("index-runs?framework=NHO{query}"));
    let ids = |items: [&Value; 2]| items.map(|run| run["id"].clone());
    assert_eq!(list("&current=true").await.expect(200).column("id"), ids([&two, &first]));
    assert_eq!(list("&kind=official").await.expect(200).column("id"), ids([&two, &one]));
    assert_eq!(list("&kind=official&current=false").await.expect(200).column("id"), [one["id"].clone()]);
    assert_eq!(list("&index_year=2018&data_year=2017").await.expect(200).column("id").len(), 3);
    assert_eq!(list("&index_year=2019").await.expect(200).column("id").len(), 0);
    list("&index_year=x").await.expect_problem(400, "INVALID_PARAMETER");
    let events =
        get(&service, &token, format!("audit-events?entity=index_run&key={}", one["id"].as_str().unwrap()));
    let mut actions = events.await.expect(200).column("action");
    actions.sort_by_key(ToString::to_string);
    assert_eq!(actions, ["create", "supersede"]);
}

#[actix_web::test]
async fn official_runs_at_once_come_into_one_order() {
    let service = TestService::start().await;
    small_run(&service).await;
    let token = service.token("coordinator").await;
    let calls =
        (0..6).map(|_| service.post("index-runs", new_run("NHO", 2017, "official")).as_(&token).send());
    let ids: Vec<String> = join_all(calls)
        .await
        .into_iter()
        .map(|answer| answer.expect(201).json()["id"].as_str().unwrap().to_owned())
        .collect();
    let list = get(&service, &token, "index-runs?kind=official").await.expect(200).json();
    let runs = list["items"].as_array().unwrap();
    let current: Vec<&Value> = runs.iter().filter(|run| run["current"] == true).collect();
    assert_eq!((runs.len(), current.len()), (6, 1));
    let mut successors: Vec<&str> = runs.iter().filter_map(|run| run["superseded_by"].as_str()).collect();
    successors.sort_unstable();
    successors.dedup();
    assert_eq!(successors.len(), 5, "each supersedes one");
    assert!(successors.iter().all(|id| ids.iter().any(|known| known == id)));
}

/// A statement that the database refuses, or not.
async fn refused(service: &TestService, statement: &'static str, id: &str) -> bool {
    let id: Uuid = id.parse().unwrap();
    let done = service
        .state
        .db()
        .transaction(async move |conn: &mut Conn| Ok::<_, Problem>(sql(statement).bind(id).run(conn).await?));
    done.await.is_err()
}

#[actix_web::test]
async fn the_database_refuses_to_change_a_run() {
    let service = TestService::start().await;
    let id = small_run(&service).await;
    for statement in [
        "update index_runs set label = 'x' where id = $1",
        "update index_runs set input_hash = 'x', superseded_by = id, superseded_at = now() where id = $1",
        "delete from index_runs where id = $1",
        "update index_run_scores set score = 1 where run_id = $1",
        "delete from index_run_scores where run_id = $1",
    ] {
        assert!(refused(&service, statement, &id).await, "{statement}");
    }
    assert!(!refused(&service, "select 1 from index_runs where id = $1", &id).await);
}

#[actix_web::test]
async fn verification_sees_what_was_tampered_with() {
    let service = TestService::start().await;
    let id = small_run(&service).await;
    let token = service.token("monitor").await;
    let read = async || get(&service, &token, format!("index-runs/{id}")).await.expect(200);
    let sound = read().await;
    assert_eq!(sound.json()["verification"]["matches"], true);
    service.sql(sql("alter table index_run_scores disable trigger index_run_scores_are_kept")).await;
    service.sql(sql("update index_run_scores set score = score + 0.000000000000000001 where node = 'ALL' and unit = 'SO-YT'")).await;
    service.sql(sql("delete from index_run_scores where node = 'X1' and unit = 'SO-TTTT'")).await;
    let tampered = read().await;
    assert_ne!(tampered.etag(), sound.etag());
    let verification = tampered.json()["verification"].clone();
    assert_eq!(
        (verification["matches"].clone(), verification["difference_count"].clone()),
        (json!(false), json!(2))
    );
    assert_eq!(
        verification["differences"],
        json!([{"unit": "SO-YT", "node": "ALL", "field": "score"}, {"unit": "SO-TTTT", "node": "X1", "field": "item"}])
    );
}

#[actix_web::test]
async fn another_engine_and_other_inputs_are_told_apart() {
    let service = TestService::start().await;
    let (first, token) = (small_run(&service).await, service.token("monitor").await);
    let second = run(&service, "NHO", 2017, "provisional").await;
    service.sql(sql("alter table index_runs disable trigger index_runs_are_kept")).await;
    let change = |text: &'static str, id: &str| service.sql(sql(text).bind(id.parse::<Uuid>().unwrap()));
    change("update index_runs set engine_version = '0', input_hash = 'old' where id = $1", &first).await;
    change("update index_runs set input_hash = 'other' where id = $1", &second).await;
    let older = get(&service, &token, format!("index-runs/{first}")).await.expect(200).json();
    assert_eq!(
        (older["verification"]["engine_differs"].clone(), older["verification"]["matches"].clone()),
        (json!(true), json!(true))
    );
    let other = get(&service, &token, format!("index-runs/{second}")).await.expect(200).json();
    assert_eq!(
        (other["verification"]["engine_differs"].clone(), other["verification"]["matches"].clone()),
        (json!(false), json!(false))
    );
    assert_eq!(number(&other["verification"]["difference_count"]), zero());
}
