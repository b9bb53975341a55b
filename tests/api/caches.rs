//! What is answered from memory is what the database would answer.

use std::io::Read;

use ict_index::db::sql;
use serde_json::{Value, json};

use crate::dossiers::{add_service, batch, row};
use crate::support::{Answer, TestService, admin, until};

const MONTH: &str = "statistics/dossier-rates?period=2018-02&group_by=agency";
const LEVELS: &str = "statistics/service-levels?period=2018&group_by=agency";

/// Two procedures of two agencies, and the tokens of the coordinator and the portal.
async fn start() -> (TestService, String, String) {
    let service = TestService::start().await.listening().await;
    add_service(&service, "L3", "Đất đai", &[(3, "2017-06-01")], &["SO-YT", "SO-TC"]).await;
    add_service(&service, "L4", "Y tế", &[(4, "2017-06-01")], &["SO-YT", "SO-TC"]).await;
    let coordinator = service.token("coordinator").await;
    let portal = service.client_token("portal").await;
    service.settled().await;
    (service, coordinator, portal)
}

async fn get(service: &TestService, path: &str, token: &str) -> Answer {
    service.get(path).as_(token).send().await.expect(200)
}

fn without_time(answer: &Answer) -> Value {
    let mut body = answer.json();
    body.as_object_mut().unwrap().remove("as_of");
    body
}

#[actix_web::test]
async fn the_same_question_twice_costs_no_statement_and_gives_the_same_bytes() {
    let (service, _, portal) = start().await;
    for path in [MONTH, LEVELS] {
        let first = get(&service, path, &portal).await;
        let (statements, second) = service.further_statements_of(service.get(path).as_(&portal).send()).await;
        assert_eq!((statements, &second.body), (0, &first.body), "{path}");
        let ignored = ["x-request-id"];
        for (name, value) in first.headers.iter().filter(|(name, _)| !ignored.contains(&name.as_str())) {
            assert_eq!(second.headers.get(name), Some(value), "{name}");
        }
        let csv = service.get(path).header("Accept", "text/csv").as_(&portal).send().await.expect(200);
        assert!(csv.header("content-type").starts_with("text/csv"), "another format is another answer");
        let again = service.get(path).as_(&portal).send().await.expect(200);
        assert_eq!(again.body, first.body);
    }
    let metrics = service.call("GET", "/metrics").send().await.expect(200).text();
    assert!(metrics.contains("ict_index_changes_listening 1\n"), "{metrics}");
    let hits = metrics.lines().find(|line| line.starts_with("ict_index_answers_hits_total")).unwrap();
    assert_ne!(hits, "ict_index_answers_hits_total 0");
}

#[actix_web::test]
async fn every_change_is_in_the_very_next_answer() {
    let (service, coordinator, portal) = start().await;
    let mut seen = vec![
        without_time(&get(&service, MONTH, &portal).await),
        without_time(&get(&service, LEVELS, &portal).await),
    ];
    let mut next = async |path: &str, what: &str| {
        let answer = without_time(&get(&service, path, &portal).await);
        assert!(!seen.contains(&answer), "{what} is not in the answer");
        seen.push(answer);
    };
    let rows = [row("SO-YT", "L3", "online", 40, 30), row("SO-YT", "L3", "in_person", 60, 50)];
    service.put("dossier-batches/vnpt/2018-02", batch(&rows)).as_(&coordinator).send().await.expect(200);
    next(MONTH, "the batch").await;
    let level = json!({"level": 4, "effective_from": "2018-02-01", "decision": "QĐ 9"});
    service.post("services/L3/levels", level).as_(&coordinator).send().await.expect(201);
    next(LEVELS, "the level").await;
    next(MONTH, "the level").await;
    let target = json!({"subject": "metric", "code": "dossiers_level_4_resolved", "scope": "agency", "agency": "SO-YT",
        "year": 2018, "comparator": "gte", "value": 37.25, "due": "2018-12-31", "source": "test"});
    service.put("targets", target).as_(&coordinator).send().await.expect(200);
    next(MONTH, "the target").await;
    let tag = service.get("agencies/SO-YT").as_(&coordinator).send().await.expect(200).etag();
    let renamed = json!({"name": "Sở Y tế và Dân số"});
    service.patch("agencies/SO-YT", renamed).as_(&coordinator).if_match(&tag).send().await.expect(200);
    next(MONTH, "the agency's name").await;
    next(LEVELS, "the agency's name").await;
}

#[actix_web::test]
async fn a_write_that_changes_no_figure_and_a_dry_run_leave_answers_alone() {
    let (service, coordinator, portal) = start().await;
    get(&service, MONTH, &portal).await;
    let before = service.state.db().generations().figures();
    let rows = [row("SO-YT", "L3", "online", 40, 30)];
    let dry = "dossier-batches/vnpt/2018-02?dry_run=true";
    service.put(dry, batch(&rows)).as_(&coordinator).send().await.expect(200);
    let submission = json!({"agency": "SO-KHCN", "period": "2018-01"});
    service.post("submissions", submission).as_(&coordinator).send().await.expect(201);
    service.settled().await;
    assert_eq!(service.state.db().generations().figures(), before);
}

#[actix_web::test]
async fn kept_answers_are_for_those_who_may_read_them() {
    let (service, _, portal) = start().await;
    get(&service, MONTH, &portal).await;
    let admin = service.token("admin").await;
    service.get(MONTH).as_(&admin).send().await.expect_problem(403, "FORBIDDEN");
    service.get(MONTH).send().await.expect_problem(401, "UNAUTHENTICATED");
    service.get(MONTH).as_("x.y.z").send().await.expect_problem(401, "INVALID_TOKEN");
    // A verified token ends when it says so, and was not in force before.
    service.at("2018-03-15T02:15:00Z");
    service.get(MONTH).as_(&portal).send().await.expect_problem(401, "INVALID_TOKEN");
    service.at("2018-03-15T01:59:59Z");
    service.get(MONTH).as_(&portal).send().await.expect_problem(401, "INVALID_TOKEN");
}

#[actix_web::test]
async fn who_is_logged_out_disabled_or_demoted_is_so_at_once() {
    let (service, ..) = start().await;
    let admin = service.token("admin").await;
    let monitor = service.token("monitor").await;
    service.settled().await;
    get(&service, MONTH, &monitor).await;
    let (statements, _) = service.further_statements_of(service.get(MONTH).as_(&monitor).send()).await;
    assert_eq!(statements, 0);
    service.post("auth/logout", json!({})).as_(&monitor).send().await;
    service.get(MONTH).as_(&monitor).send().await.expect_problem(401, "INVALID_TOKEN");

    let coordinator = service.token("coordinator").await;
    get(&service, MONTH, &coordinator).await;
    let tag = service.get("users/coordinator").as_(&admin).send().await.expect(200).etag();
    let role = json!({"role": "admin"});
    let changed =
        service.patch("users/coordinator", role).as_(&admin).if_match(&tag).send().await.expect(200);
    service.get(MONTH).as_(&coordinator).send().await.expect_problem(401, "INVALID_TOKEN");
    let disabled = json!({"disabled": true});
    service
        .patch("users/coordinator", disabled)
        .as_(&admin)
        .if_match(&changed.etag())
        .send()
        .await
        .expect(200);

    let portal = service.client_token("portal").await;
    get(&service, MONTH, &portal).await;
    let tag = service.get("clients/portal").as_(&admin).send().await.expect(200).etag();
    let scopes = json!({"scopes": ["catalogue:read"]});
    service.patch("clients/portal", scopes).as_(&admin).if_match(&tag).send().await.expect(200);
    let refused = service.get(MONTH).as_(&portal).send().await.status.as_u16();
    assert!([401, 403].contains(&refused), "{refused}");
}

#[actix_web::test]
async fn an_officers_agencies_are_those_of_now() {
    let (service, coordinator, _) = start().await;
    let officer = service.token("officer.so-yt").await;
    let mine = async || service.get("submissions?limit=1").as_(&officer).send().await.expect(200);
    service.settled().await;
    mine().await;
    let (statements, _) = service.further_statements_of(mine()).await;
    assert_eq!(statements, 1, "the list alone");
    let tag = service.get("agencies/SO-TC").as_(&coordinator).send().await.expect(200).etag();
    let below = json!({"parent": "SO-YT"});
    service.patch("agencies/SO-TC", below).as_(&coordinator).if_match(&tag).send().await.expect(200);
    let submission = json!({"agency": "SO-TC", "period": "2018-01"});
    service.post("submissions", submission).as_(&officer).send().await.expect(201);
}

#[actix_web::test]
async fn compressed_forms_have_their_own_tags_and_any_of_them_is_recognised() {
    let (service, _, portal) = start().await;
    let ask = async |encoding: &str, held: &str| {
        let call = service.get(LEVELS).as_(&portal).header("Accept-Encoding", encoding);
        let call = if held.is_empty() { call } else { call.header("If-None-Match", held) };
        call.send().await
    };
    let plain = ask("identity", "").await.expect(200);
    assert!(plain.body.len() > 1024, "worth compressing");
    let (gzip, brotli) = (ask("gzip", "").await.expect(200), ask("gzip, br", "").await.expect(200));
    assert_eq!((gzip.header("content-encoding"), brotli.header("content-encoding")), ("gzip", "br"));
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&*gzip.body).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.body);
    text.clear();
    brotli::BrotliDecompress(&mut &*brotli.body, &mut text).unwrap();
    assert_eq!(text, plain.body);
    assert!(brotli.body.len() * 3 < plain.body.len());
    let tags = [plain.etag(), gzip.etag(), brotli.etag()];
    for (n, answer) in [&plain, &gzip, &brotli].into_iter().enumerate() {
        assert_eq!(answer.header("vary"), "Accept, Accept-Encoding");
        assert!(
            tags.iter().skip(n + 1).all(|other| *other != tags[n]),
            "strong tags are for bytes: {tags:?}"
        );
    }
    for held in &tags {
        let (statements, unchanged) = service.further_statements_of(ask("br", held)).await;
        let unchanged = unchanged.expect(304);
        assert_eq!((statements, unchanged.body.len()), (0, 0));
        assert_eq!(
            (unchanged.etag(), unchanged.header("vary")),
            (tags[2].clone(), "Accept, Accept-Encoding")
        );
    }
    ask("br", "\"0123\"").await.expect(200);
    ask("br", "no tag").await.expect_problem(400, "INVALID_HEADER");
    ask("br;q=0, gzip;q=0", &tags[2]).await.expect(304);
}

#[actix_web::test]
async fn unusual_requests_get_what_the_handler_says() {
    let (service, _, portal) = start().await;
    let plain = get(&service, MONTH, &portal).await;
    let with =
        async |name: &str, value: &str| service.get(MONTH).as_(&portal).header(name, value).send().await;
    assert_eq!(with("If-Match", "\"7\"").await.expect(200).json()["items"], plain.json()["items"]);
    with("If-Match", "7").await.expect_problem(400, "INVALID_HEADER");
    assert_eq!(with("Idempotency-Key", "k").await.expect(200).json()["items"], plain.json()["items"]);
    with("Accept", "image/png").await.expect(406);
    service.get(&format!("{MONTH}&x=1")).as_(&portal).send().await.expect_problem(400, "UNKNOWN_PARAMETER");
    service.get("statistics/dossier-rates?period=x").as_(&portal).send().await.expect(400);
    service.call("POST", "statistics/dossier-rates?period=2018").as_(&portal).send().await.expect(405);
}

#[actix_web::test]
async fn many_who_ask_at_once_cost_what_one_costs() {
    let (service, _, portal) = start().await;
    get(&service, LEVELS, &portal).await;
    let (alone, _) = service.further_statements_of(service.get(MONTH).as_(&portal).send()).await;
    assert!(alone > 0);
    let other = MONTH.replace("2018-02", "2018-01");
    let before = service.state.db().statements();
    let all = (0..20).map(|_| service.get(&other).as_(&portal).send());
    let answers = futures::future::join_all(all).await;
    assert_eq!(service.state.db().statements() - before, alone);
    let first = answers[0].body.clone();
    assert!(answers.into_iter().all(|answer| answer.expect(200).body == first));
    // Bad questions are answered each, and none for another.
    let bad = format!("{MONTH}&agency=NOWHERE");
    let all = (0..5).map(|_| service.get(&bad).as_(&portal).send());
    for answer in futures::future::join_all(all).await {
        answer.expect(400);
    }
}

#[actix_web::test]
async fn who_goes_away_takes_nobody_along() {
    let (service, _, portal) = start().await;
    get(&service, LEVELS, &portal).await;
    let mut first = Box::pin(service.get(MONTH).as_(&portal).send());
    assert!(futures::poll!(&mut first).is_pending(), "it asks the database");
    let mut second = Box::pin(service.get(MONTH).as_(&portal).send());
    assert!(futures::poll!(&mut second).is_pending(), "it waits for the first");
    drop(first);
    second.await.expect(200);
    get(&service, MONTH, &portal).await;
}

#[actix_web::test]
async fn without_a_listener_nothing_old_is_answered() {
    let (service, _, portal) = start().await;
    let old = without_time(&get(&service, LEVELS, &portal).await);
    // The listener is cut off, and somebody else writes: this instance's own commits say nothing of it.
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ict-index changes' and datname = ";
    admin(&format!("{kill}'{}'", database_of(&service))).await;
    foreign_write(&service, "update agencies set name = 'Tên mới' where code = 'SO-YT'").await;
    until("the change is answered", async || without_time(&get(&service, LEVELS, &portal).await) != old)
        .await;
    service.await_listening().await;
    service.settled().await;
    for _ in 0..50 {
        assert_ne!(without_time(&get(&service, LEVELS, &portal).await), old, "the old answer is back");
    }
    let (statements, _) = service.further_statements_of(service.get(LEVELS).as_(&portal).send()).await;
    assert_eq!(statements, 0, "it listens again");
}

/// A write that this instance knows nothing of.
pub async fn foreign_write(service: &TestService, statements: &str) {
    use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
    let mut conn = AsyncPgConnection::establish(&service.url()).await.unwrap();
    conn.batch_execute(statements).await.unwrap();
}

fn database_of(service: &TestService) -> String {
    service.url().rsplit('/').next().unwrap().to_owned()
}

#[actix_web::test]
async fn shared_connections_that_end_are_replaced_unnoticed() {
    let (service, _, portal) = start().await;
    for round in 0..3 {
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ict-index' and datname = ";
        admin(&format!("{kill}'{}'", database_of(&service))).await;
        until("reads are answered again", async || {
            let answer =
                service.get(&format!("{MONTH}&metric=on_time&agency=SO-YT")).as_(&portal).send().await;
            assert!([200, 503].contains(&answer.status.as_u16()), "round {round}: {}", answer.text());
            answer.status == 200
        })
        .await;
        // Nothing is left over in the cache of a service that could not ask.
        service.sql(sql("update targets set value = value where year = 2018")).await;
    }
}
