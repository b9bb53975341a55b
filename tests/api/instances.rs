//! Several instances on one database: each answers what any of them has written.

use serde_json::{Value, json};

use crate::caches::foreign_write;
use crate::dossiers::{add_service, batch, row};
use crate::support::{PASSWORD, TestService, until};

const MONTH: &str = "statistics/dossier-rates?period=2018-02&metric=dossiers_level_3_received";

async fn pair() -> (TestService, TestService) {
    let one = TestService::start().await.listening().await;
    let other = one.beside().await.listening().await;
    add_service(&one, "L3", "Đất đai", &[(3, "2017-06-01")], &["SO-YT"]).await;
    (one, other)
}

async fn received(service: &TestService, token: &str) -> Value {
    service.get(MONTH).as_(token).send().await.expect(200).json()["items"][0]["numerator"].clone()
}

async fn report(service: &TestService, token: &str, received: i64) {
    let rows = [row("SO-YT", "L3", "online", received, 0)];
    service.put("dossier-batches/vnpt/2018-02", batch(&rows)).as_(token).send().await.expect(200);
}

#[actix_web::test]
async fn a_write_on_one_is_the_answer_of_both_and_the_old_one_never_comes_back() {
    let (one, other) = pair().await;
    let token = one.token("coordinator").await;
    assert_eq!((received(&one, &token).await, received(&other, &token).await), (json!(0), json!(0)));
    for n in 1..=10 {
        let (writer, reader) = if n % 2 == 0 { (&one, &other) } else { (&other, &one) };
        report(writer, &token, n).await;
        assert_eq!(received(writer, &token).await, json!(n), "the writer's very next answer");
        // How soon that is, is measured by tests/proxy.sh: here the machine may be loaded.
        reader.settled().await;
        for _ in 0..20 {
            assert_eq!(received(reader, &token).await, json!(n));
            assert_eq!(received(writer, &token).await, json!(n));
        }
    }
    other.settled().await;
    received(&other, &token).await;
    let (statements, _) = other.further_statements_of(other.get(MONTH).as_(&token).send()).await;
    assert_eq!(statements, 0, "both answer from memory");
}

#[actix_web::test]
async fn who_is_out_on_one_is_out_on_both() {
    let (one, other) = pair().await;
    let admin = one.token("admin").await;
    let ends = async |token: &str, what: &str| {
        until(what, async || other.get(MONTH).as_(token).send().await.status != 200).await;
        for _ in 0..10 {
            assert_ne!(other.get(MONTH).as_(token).send().await.status, 200, "{what}: back again");
        }
    };
    let monitor = one.token("monitor").await;
    received(&other, &monitor).await;
    one.post("auth/logout", json!({})).as_(&monitor).send().await;
    ends(&monitor, "a logout ends the token").await;

    let coordinator = one.token("coordinator").await;
    received(&other, &coordinator).await;
    let tag = one.get("users/coordinator").as_(&admin).send().await.expect(200).etag();
    let disabled = json!({"disabled": true});
    one.patch("users/coordinator", disabled).as_(&admin).if_match(&tag).send().await.expect(200);
    ends(&coordinator, "disabling ends the token").await;

    let officer = one.token("officer.so-yt").await;
    received(&other, &officer).await;
    let tag = one.get("users/officer.so-yt").as_(&admin).send().await.expect(200).etag();
    let role = json!({"role": "admin", "agency": null});
    one.patch("users/officer.so-yt", role).as_(&admin).if_match(&tag).send().await.expect(200);
    ends(&officer, "another role ends the token").await;

    let portal = one.client_token("portal").await;
    received(&other, &portal).await;
    let tag = one.get("clients/portal").as_(&admin).send().await.expect(200).etag();
    let scopes = json!({"scopes": ["catalogue:read"]});
    one.patch("clients/portal", scopes).as_(&admin).if_match(&tag).send().await.expect(200);
    ends(&portal, "a scope less ends the reading").await;
}

#[actix_web::test]
async fn a_new_password_and_a_stolen_refresh_token_end_the_session_on_both() {
    let (one, other) = pair().await;
    let ends = async |token: &str, what: &str| {
        until(what, async || other.get(MONTH).as_(token).send().await.status == 401).await;
        for _ in 0..10 {
            assert_eq!(other.get(MONTH).as_(token).send().await.status, 401, "{what}: back again");
        }
    };
    let monitor = one.token("monitor").await;
    received(&other, &monitor).await;
    let change = json!({"current_password": PASSWORD, "new_password": "núi Fansipan 3143 mét"});
    one.put("me/password", change).as_(&monitor).send().await.expect(204);
    ends(&monitor, "a new password ends the token").await;

    let login = json!({"username": "coordinator", "password": PASSWORD});
    let first = one.post("auth/login", login).send().await.expect(200).json();
    let used = json!({"refresh_token": first["refresh_token"]});
    let next = one.post("auth/refresh", used.clone()).send().await.expect(200).json();
    let token = next["access_token"].as_str().unwrap();
    received(&other, token).await;
    one.at("2018-03-15T02:00:11Z");
    one.post("auth/refresh", used).send().await.expect(401);
    ends(token, "reuse of a refresh token ends the tokens of its family").await;
}

#[actix_web::test]
async fn what_other_programs_write_is_answered_too() {
    let (one, other) = pair().await;
    let token = one.token("coordinator").await;
    report(&one, &token, 7).await;
    until("both have the figure", async || {
        received(&one, &token).await == json!(7) && received(&other, &token).await == json!(7)
    })
    .await;
    foreign_write(&one, "update services set field = 'Y tế'").await;
    let field = format!("{MONTH}&field=Y%20t%E1%BA%BF");
    for service in [&one, &other] {
        until("the field is answered", async || {
            let answer = service.get(&field).as_(&token).send().await.expect(200).json();
            answer["items"][0]["numerator"] == json!(7)
        })
        .await;
    }
}

#[actix_web::test]
async fn what_is_no_standby_is_not_read_from() {
    let one = TestService::start().await;
    // A primary stands in for a standby that was promoted; nobody is there at the other address.
    for url in [one.url(), "postgres://postgres@127.0.0.1:1/nowhere".to_owned()] {
        let other = one.beside_with_replica(Some(url)).await.listening().await;
        let token = other.token("coordinator").await;
        let answer = other.get(MONTH).as_(&token).send().await.expect(200);
        assert_eq!(answer.header("replica-lag"), "");
        let metrics = other.call("GET", "/metrics").send().await.expect(200).text();
        assert!(metrics.contains("ict_index_replica_in_use 0\n"), "{metrics}");
    }
}
