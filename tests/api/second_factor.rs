//! Second factors: who needs one, how it is enrolled, what it refuses, how it is reset.

use std::collections::HashSet;
use std::process::Command;

use chrono::Duration;
use futures::future::join_all;
use ict_index::auth::SecondFactorPolicy;
use ict_index::db::{Conn, sql};
use ict_index::http::Problem;
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::support::{Answer, NOW, PASSWORD, TestService};

/// The code that an authenticator shows so many steps of 30 seconds from now.
fn code(service: &TestService, secret: &str, steps: i64) -> String {
    let totp = Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).build().unwrap();
    totp.generate((service.clock.now().timestamp() + 30 * steps).try_into().unwrap()).to_string()
}

/// Codes that are wrong, whatever the time is within two steps.
fn wrong_codes(service: &TestService, secret: &str) -> impl Iterator<Item = String> {
    let right: Vec<String> = (-2..=2).map(|steps| code(service, secret, steps)).collect();
    (0..1_000_000).map(|n| format!("{n:06}")).filter(move |code| !right.contains(code))
}

fn wrong(service: &TestService, secret: &str) -> String {
    wrong_codes(service, secret).next().unwrap()
}

/// Moves the clock to where no code of these secrets is another's, or that of another step.
fn until_codes_differ(service: &TestService, secrets: &[&str]) {
    let codes = || -> Vec<String> {
        secrets.iter().flat_map(|secret| (-3..=3).map(|steps| code(service, secret, steps))).collect()
    };
    while codes().iter().collect::<HashSet<_>>().len() < codes().len() {
        later(service, 30);
    }
}

fn later(service: &TestService, seconds: i64) {
    service.clock.set(service.clock.now() + Duration::seconds(seconds));
}

async fn login(service: &TestService, username: &str, code: Option<&str>) -> Answer {
    let mut body = json!({"username": username, "password": PASSWORD});
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    service.post("auth/login", body).send().await
}

/// A user with a second factor.
struct Enrolled {
    secret: String,
    recovery_codes: Vec<String>,
    token: String,
}

async fn start(service: &TestService, token: &str, code: Option<&str>) -> Answer {
    let body = json!({"current_password": PASSWORD, "code": code});
    service.post("me/second-factor", body).as_(token).send().await
}

async fn confirm(service: &TestService, token: &str, code: &str) -> Answer {
    service.post("me/second-factor/confirmation", json!({"code": code})).as_(token).send().await
}

fn recovery_codes(answer: &Answer) -> Vec<String> {
    serde_json::from_value(answer.json()["recovery_codes"].clone()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn refreshed(service: &TestService, login: &Answer) -> String {
    let body = json!({"refresh_token": login.json()["refresh_token"]});
    text(&service.post("auth/refresh", body).send().await.expect(200).json()["access_token"])
}

/// Enrols, and waits for the next code.
async fn enrolled(service: &TestService, username: &str) -> Enrolled {
    let session = login(service, username, None).await.expect(200);
    let token = text(&session.json()["access_token"]);
    let secret = text(&start(service, &token, None).await.expect(200).json()["secret"]);
    let answer = confirm(service, &token, &code(service, &secret, 0)).await.expect(200);
    let token = refreshed(service, &session).await;
    later(service, 30);
    Enrolled { secret, recovery_codes: recovery_codes(&answer), token }
}

#[actix_web::test]
async fn a_coordinator_has_to_enrol_before_anything_else() {
    let service = TestService::start().await.requiring_second_factor().await.listening().await;
    let reader = service.token("monitor").await;
    let other = login(&service, "coordinator", None).await.expect(200);
    let session = login(&service, "coordinator", None).await.expect(200);
    let token = text(&session.json()["access_token"]);
    for path in ["agencies", "statistics/service-levels?period=2018-03", "audit-events", "submissions"] {
        service.get(path).as_(&reader).send().await.expect(200);
        service.get(path).as_(&token).send().await.expect_problem(403, "SECOND_FACTOR_ENROLMENT_REQUIRED");
    }
    assert_eq!(
        service.get("me").as_(&token).send().await.expect(200).json()["must_enrol_second_factor"],
        true
    );
    let state = service.get("me/second-factor").as_(&token).send().await.expect(200).json();
    assert_eq!(
        (&state["enrolled"], &state["required"], &state["pending"]),
        (&json!(false), &json!(true), &json!(false))
    );
    // A renewed session is the same session.
    let renewed = refreshed(&service, &session).await;
    service
        .get("agencies")
        .as_(&renewed)
        .send()
        .await
        .expect_problem(403, "SECOND_FACTOR_ENROLMENT_REQUIRED");

    let begun = start(&service, &token, None).await.expect(200).json();
    let secret = text(&begun["secret"]);
    assert!(text(&begun["otpauth_uri"]).starts_with("otpauth://totp/ict-index:coordinator?"), "{begun}");
    confirm(&service, &token, &wrong(&service, &secret)).await.expect_problem(422, "WRONG_SECOND_FACTOR");
    let codes = confirm(&service, &token, &code(&service, &secret, 0)).await.expect(200);
    assert_eq!(recovery_codes(&codes).iter().collect::<HashSet<_>>().len(), 10);

    // Every other session has ended; this one goes on.
    let gone = json!({"refresh_token": other.json()["refresh_token"]});
    service.post("auth/refresh", gone).send().await.expect_problem(401, "INVALID_REFRESH_TOKEN");
    service.get("me").as_(&text(&other.json()["access_token"])).send().await.expect(401);
    service.get("me").as_(&token).send().await.expect(401);
}

#[actix_web::test]
async fn a_session_that_confirmed_goes_on_after_a_refresh() {
    let service = TestService::start().await.requiring_second_factor().await;
    let coordinator = enrolled(&service, "coordinator").await;
    service.get("agencies").as_(&coordinator.token).send().await.expect(200);
    let state = service.get("me/second-factor").as_(&coordinator.token).send().await.expect(200).json();
    assert_eq!((&state["enrolled"], &state["recovery_codes_left"]), (&json!(true), &json!(10)));
    assert_eq!(
        service.get("me").as_(&coordinator.token).send().await.json()["must_enrol_second_factor"],
        false
    );
}

#[actix_web::test]
async fn a_login_needs_password_and_code_and_reveals_nothing_without_the_password() {
    let service = TestService::start().await.requiring_second_factor().await;
    let coordinator = enrolled(&service, "coordinator").await;
    let challenge = login(&service, "coordinator", None).await.expect_problem(401, "SECOND_FACTOR_REQUIRED");
    assert!(challenge.header("www-authenticate").starts_with("Bearer"));
    let wrong = wrong(&service, &coordinator.secret);
    login(&service, "coordinator", Some(&wrong)).await.expect_problem(401, "INVALID_SECOND_FACTOR");
    let right = code(&service, &coordinator.secret, 0);
    for code in [None, Some(right.as_str()), Some(wrong.as_str())] {
        for username in ["coordinator", "nobody"] {
            let body = json!({"username": username, "password": "sai mat khau roi", "code": code});
            service.post("auth/login", body).send().await.expect_problem(401, "INVALID_CREDENTIALS");
        }
    }
    let token = text(&login(&service, "coordinator", Some(&right)).await.expect(200).json()["access_token"]);
    service.get("agencies").as_(&token).send().await.expect(200);
}

#[actix_web::test]
async fn a_code_opens_one_login_even_of_many_at_once() {
    let service = TestService::start().await.requiring_second_factor().await;
    let coordinator = enrolled(&service, "coordinator").await;
    let right = code(&service, &coordinator.secret, 0);
    let answers = join_all((0..8).map(|_| login(&service, "coordinator", Some(&right)))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    login(&service, "coordinator", Some(&right)).await.expect_problem(401, "INVALID_SECOND_FACTOR");
    // Nor the one before it, whose code is another one or this one.
    let before = code(&service, &coordinator.secret, -1);
    login(&service, "coordinator", Some(&before)).await.expect_problem(401, "INVALID_SECOND_FACTOR");
    later(&service, 30);
    login(&service, "coordinator", Some(&code(&service, &coordinator.secret, 0))).await.expect(200);
}

#[actix_web::test]
async fn a_clock_may_be_thirty_seconds_off() {
    let service = TestService::start().await.requiring_second_factor().await;
    let coordinator = enrolled(&service, "coordinator").await;
    later(&service, 600);
    until_codes_differ(&service, &[&coordinator.secret]);
    for steps in [-2, 2] {
        let wrong = code(&service, &coordinator.secret, steps);
        login(&service, "coordinator", Some(&wrong)).await.expect_problem(401, "INVALID_SECOND_FACTOR");
    }
    for steps in [-1, 0, 1] {
        login(&service, "coordinator", Some(&code(&service, &coordinator.secret, steps))).await.expect(200);
    }
}

#[actix_web::test]
async fn ten_codes_are_compared_however_many_are_sent_at_once() {
    let service = TestService::start().await.requiring_second_factor().await;
    let coordinator = enrolled(&service, "coordinator").await;
    let answers = join_all(wrong_codes(&service, &coordinator.secret).take(30).map(|guess| {
        let service = &service;
        async move { login(service, "coordinator", Some(&guess)).await }
    }))
    .await;
    let count = |code: &str| answers.iter().filter(|answer| answer.json()["code"] == code).count();
    assert_eq!((count("INVALID_SECOND_FACTOR"), count("TOO_MANY_REQUESTS")), (10, 20));
    let right = code(&service, &coordinator.secret, 0);
    let late = login(&service, "coordinator", Some(&right)).await.expect_problem(429, "TOO_MANY_REQUESTS");
    assert!(late.header("retry-after").parse::<u64>().unwrap() <= 600);
    let recovery = &coordinator.recovery_codes[0];
    login(&service, "coordinator", Some(recovery)).await.expect_problem(429, "TOO_MANY_REQUESTS");
    // A user who is logged in may guess no more than that either, and is not locked out by those who are not.
    let renew = async |code: &str| {
        let body = json!({"current_password": PASSWORD, "code": code});
        service.post("me/second-factor/recovery-codes", body).as_(&coordinator.token).send().await
    };
    for _ in 0..10 {
        renew(&wrong(&service, &coordinator.secret)).await.expect_problem(422, "WRONG_SECOND_FACTOR");
    }
    renew(&right).await.expect_problem(429, "TOO_MANY_REQUESTS");
    login(&service, "monitor", None).await.expect(200);
    later(&service, 600);
    login(&service, "coordinator", Some(&code(&service, &coordinator.secret, 0))).await.expect(200);
}

#[actix_web::test]
async fn a_login_without_a_code_is_not_counted() {
    let service = TestService::start().await.requiring_second_factor().await;
    let coordinator = enrolled(&service, "coordinator").await;
    for _ in 0..15 {
        login(&service, "coordinator", None).await.expect_problem(401, "SECOND_FACTOR_REQUIRED");
    }
    login(&service, "coordinator", Some(&code(&service, &coordinator.secret, 0))).await.expect(200);
}

#[actix_web::test]
async fn a_recovery_code_replaces_one_code() {
    let service = TestService::start().await.requiring_second_factor().await;
    let coordinator = enrolled(&service, "coordinator").await;
    let spare = &coordinator.recovery_codes[3];
    let answers = join_all((0..6).map(|_| login(&service, "coordinator", Some(spare)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    login(&service, "coordinator", Some(spare)).await.expect_problem(401, "INVALID_SECOND_FACTOR");
    later(&service, 600);
    let typed = coordinator.recovery_codes[4].to_lowercase().replace('-', " ");
    let session = login(&service, "coordinator", Some(&typed)).await.expect(200);
    let token = text(&session.json()["access_token"]);
    let state = service.get("me/second-factor").as_(&token).send().await.expect(200).json();
    assert_eq!(state["recovery_codes_left"], 8);
    let events = service.get("audit-events?entity=user&key=coordinator").as_(&token).send().await.expect(200);
    assert_eq!(events.column("action").iter().filter(|action| **action == "use_recovery_code").count(), 2);

    let renew = async |code: Value| {
        let body = json!({"current_password": PASSWORD, "code": code});
        service.post("me/second-factor/recovery-codes", body).as_(&token).send().await
    };
    renew(Value::Null).await.expect_problem(422, "REQUIRED");
    renew(json!(wrong(&service, &coordinator.secret))).await.expect_problem(422, "WRONG_SECOND_FACTOR");
    let renewed = renew(json!(code(&service, &coordinator.secret, 0))).await.expect(200);
    assert_eq!(recovery_codes(&renewed).len(), 10);
    let old = &coordinator.recovery_codes[5];
    login(&service, "coordinator", Some(old)).await.expect_problem(401, "INVALID_SECOND_FACTOR");
    login(&service, "coordinator", Some(&recovery_codes(&renewed)[5])).await.expect(200);
}

#[actix_web::test]
async fn others_may_have_a_second_factor_and_remove_it() {
    let service = TestService::start().await.requiring_second_factor().await;
    let officer = enrolled(&service, "officer.so-yt").await;
    login(&service, "officer.so-yt", None).await.expect_problem(401, "SECOND_FACTOR_REQUIRED");
    let remove = async |token: &str, password: &str, code: Value| {
        let body = json!({"current_password": password, "code": code});
        service.call("DELETE", "me/second-factor").json(&body).as_(token).send().await
    };
    remove(&officer.token, "sai mat khau roi", json!(code(&service, &officer.secret, 0)))
        .await
        .expect_problem(422, "WRONG_PASSWORD");
    let wrong = json!(wrong(&service, &officer.secret));
    remove(&officer.token, PASSWORD, wrong).await.expect_problem(422, "WRONG_SECOND_FACTOR");
    remove(&officer.token, PASSWORD, Value::Null).await.expect_problem(422, "REQUIRED");
    login(&service, "officer.so-yt", None).await.expect_problem(401, "SECOND_FACTOR_REQUIRED");
    remove(&officer.token, PASSWORD, json!(code(&service, &officer.secret, 0))).await.expect(204);
    login(&service, "officer.so-yt", None).await.expect(200);

    let coordinator = enrolled(&service, "coordinator").await;
    let right = json!(code(&service, &coordinator.secret, 0));
    remove(&coordinator.token, PASSWORD, right).await.expect_problem(409, "CONFLICT");
}

#[actix_web::test]
async fn a_new_authenticator_replaces_the_old_one_when_it_is_confirmed() {
    let service = TestService::start().await.requiring_second_factor().await;
    let coordinator = enrolled(&service, "coordinator").await;
    let session =
        login(&service, "coordinator", Some(&code(&service, &coordinator.secret, 0))).await.expect(200);
    let token = text(&session.json()["access_token"]);
    start(&service, &token, None).await.expect_problem(422, "REQUIRED");
    later(&service, 30);
    let begun = start(&service, &token, Some(&code(&service, &coordinator.secret, 0))).await.expect(200);
    let secret = text(&begun.json()["secret"]);
    assert_ne!(secret, coordinator.secret);
    later(&service, 30);
    until_codes_differ(&service, &[&secret, &coordinator.secret]);
    login(&service, "coordinator", Some(&code(&service, &secret, 0))).await.expect(401);
    login(&service, "coordinator", Some(&code(&service, &coordinator.secret, 0))).await.expect(200);
    confirm(&service, &token, &code(&service, &secret, 0)).await.expect(200);
    later(&service, 30);
    until_codes_differ(&service, &[&secret, &coordinator.secret]);
    login(&service, "coordinator", Some(&code(&service, &coordinator.secret, 0))).await.expect(401);
    login(&service, "coordinator", Some(&coordinator.recovery_codes[0])).await.expect(401);
    login(&service, "coordinator", Some(&code(&service, &secret, 0))).await.expect(200);
}

#[actix_web::test]
async fn an_enrolment_is_confirmed_within_half_an_hour_by_the_user_who_began_it() {
    let service = TestService::start().await.requiring_second_factor().await;
    let token = service.token("coordinator").await;
    confirm(&service, &token, "123456").await.expect_problem(409, "CONFLICT");
    let body = json!({"current_password": "sai mat khau roi"});
    service.post("me/second-factor", body).as_(&token).send().await.expect_problem(422, "WRONG_PASSWORD");
    let secret = text(&start(&service, &token, None).await.expect(200).json()["secret"]);
    let stranger = service.token("admin").await;
    confirm(&service, &stranger, &code(&service, &secret, 0)).await.expect_problem(409, "CONFLICT");
    later(&service, 1_800);
    let token = service.token("coordinator").await;
    confirm(&service, &token, &code(&service, &secret, 0)).await.expect_problem(409, "CONFLICT");
    // Begun twice: the second one counts.
    let first = text(&start(&service, &token, None).await.expect(200).json()["secret"]);
    let second = text(&start(&service, &token, None).await.expect(200).json()["secret"]);
    until_codes_differ(&service, &[&first, &second]);
    confirm(&service, &token, &code(&service, &first, 0)).await.expect_problem(422, "WRONG_SECOND_FACTOR");
    confirm(&service, &token, &code(&service, &second, 0)).await.expect(200);
}

#[actix_web::test]
async fn a_repeated_request_does_not_show_a_secret_again() {
    let service = TestService::start().await.requiring_second_factor().await;
    let token = service.token("coordinator").await;
    let begin = async || {
        let body = json!({"current_password": PASSWORD});
        service.post("me/second-factor", body).as_(&token).header("Idempotency-Key", "k").send().await
    };
    let secret = text(&begin().await.expect(200).json()["secret"]);
    let again = begin().await.expect(200);
    assert_eq!((&again.json()["secret"], &again.json()["otpauth_uri"]), (&Value::Null, &Value::Null));
    confirm(&service, &token, &code(&service, &secret, 0)).await.expect(200);
}

#[actix_web::test]
async fn a_repeated_request_is_no_attempt() {
    let service = TestService::start().await.requiring_second_factor().await;
    let session = login(&service, "coordinator", None).await.expect(200);
    let token = text(&session.json()["access_token"]);
    let secret = text(&start(&service, &token, None).await.expect(200).json()["secret"]);
    let first = json!({"code": code(&service, &secret, 0)});
    let send = async |path: &str, body: &Value, token: &str| {
        service.post(path, body.clone()).as_(token).header("Idempotency-Key", path).send().await
    };
    send("me/second-factor/confirmation", &first, &token).await.expect(200);
    let token = refreshed(&service, &session).await;
    later(&service, 30);
    let proof = json!({"current_password": PASSWORD, "code": code(&service, &secret, 0)});
    send("me/second-factor/recovery-codes", &proof, &token).await.expect(200);
    let hashed = service.state.passwords().computed();
    for _ in 0..12 {
        for (path, body) in [("confirmation", &first), ("recovery-codes", &proof)] {
            let again = send(&format!("me/second-factor/{path}"), body, &token).await.expect(200);
            assert_eq!((again.header("idempotency-replayed"), recovery_codes_of(&again)), ("true", None));
        }
    }
    assert_eq!(service.state.passwords().computed(), hashed, "nor is a password compared");
    let other = json!({"code": "another body under the key"});
    let reused = send("me/second-factor/confirmation", &other, &token).await;
    reused.expect_problem(422, "IDEMPOTENCY_KEY_REUSED");
    for _ in 0..10 {
        let wrong = json!({"current_password": PASSWORD, "code": wrong(&service, &secret)});
        let answer = service.post("me/second-factor/recovery-codes", wrong).as_(&token).send().await;
        answer.expect_problem(422, "WRONG_SECOND_FACTOR");
    }
}

fn recovery_codes_of(answer: &Answer) -> Option<Vec<Value>> {
    answer.json()["recovery_codes"].as_array().cloned()
}

/// A hundred wrong codes from ten addresses close the account to every address that it is not known from.
#[actix_web::test]
async fn an_administrator_opens_an_account_that_wrong_codes_have_closed() {
    let service = TestService::start().await.requiring_second_factor().await;
    let admin = enrolled(&service, "admin").await;
    let mut coordinator = enrolled(&service, "coordinator").await;
    let mut password = PASSWORD;
    for (reset, hosts) in [("factor", 10..20), ("password", 20..30)] {
        let attempt = async |host: u32, code: Option<&str>| {
            let body = json!({"username": "coordinator", "password": password, "code": code});
            service.post("auth/login", body).sent_from(&format!("203.0.113.{host}")).send().await
        };
        let wrong = wrong(&service, &coordinator.secret);
        for host in hosts.clone() {
            for _ in 0..10 {
                attempt(host, Some(&wrong)).await.expect_problem(401, "INVALID_SECOND_FACTOR");
            }
        }
        let right = code(&service, &coordinator.secret, 0);
        attempt(hosts.end + 100, Some(&right)).await.expect_problem(429, "TOO_MANY_REQUESTS");
        if reset == "factor" {
            let path = "users/coordinator/second-factor";
            service.delete(path).as_(&admin.token).send().await.expect(204);
            coordinator = enrolled(&service, "coordinator").await;
        } else {
            let tag = service.get("users/coordinator").as_(&admin.token).send().await.expect(200).etag();
            let change = json!({"password": "mưa rơi trên mái tôn cũ"});
            let change = service.patch("users/coordinator", change).as_(&admin.token);
            change.if_match(&tag).send().await.expect(200);
            password = "mưa rơi trên mái tôn cũ";
        }
        for host in [hosts.end + 100, hosts.start] {
            let code = code(&service, &coordinator.secret, 0);
            let body = json!({"username": "coordinator", "password": password, "code": code});
            let login = service.post("auth/login", body).sent_from(&format!("203.0.113.{host}"));
            login.send().await.expect(200);
            later(&service, 30);
        }
    }
}

#[actix_web::test]
async fn another_administrator_resets_a_second_factor() {
    let service = TestService::start().await.requiring_second_factor().await;
    let admin = enrolled(&service, "admin").await;
    let coordinator = enrolled(&service, "coordinator").await;
    let reset = async |username: &str| {
        service.delete(&format!("users/{username}/second-factor")).as_(&admin.token).send().await
    };
    reset("monitor").await.expect_problem(404, "NOT_FOUND");
    reset("admin").await.expect_problem(409, "CONFLICT");
    let shown = async || service.get("users/coordinator").as_(&admin.token).send().await.expect(200);
    let before = shown().await;
    assert_eq!(before.json()["second_factor"], true);
    reset("coordinator").await.expect(204);
    assert_eq!(shown().await.json()["second_factor"], false);
    assert_ne!(shown().await.etag(), before.etag());
    service.get("me").as_(&coordinator.token).send().await.expect(401);
    let token = service.token("coordinator").await;
    service.get("agencies").as_(&token).send().await.expect_problem(403, "SECOND_FACTOR_ENROLMENT_REQUIRED");
    let events =
        service.get("audit-events?entity=user&key=coordinator").as_(&admin.token).send().await.expect(200);
    assert_eq!(
        events.column("action"),
        [
            json!("reset_second_factor"),
            json!("enrol_second_factor"),
            json!("start_second_factor"),
            json!("create")
        ]
    );
    assert_eq!(events.column("actor")[0], "user:admin");
    enrolled(&service, "coordinator").await;
}

#[actix_web::test]
async fn the_last_administrators_second_factor_is_reset_on_the_command_line() {
    let service = TestService::start().await.requiring_second_factor().await;
    let admin = enrolled(&service, "admin").await;
    let reset = |username: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ict-index"));
        command.env_clear().env("DATABASE_URL", service.url()).args([
            "user",
            "reset-second-factor",
            username,
        ]);
        command.output().expect("the binary runs")
    };
    let unknown = reset("nobody");
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");
    let done = reset("admin");
    assert!(done.status.success(), "{done:?}");
    service.get("me").as_(&admin.token).send().await.expect(401);
    let token = service.token("admin").await;
    service.get("users").as_(&token).send().await.expect_problem(403, "SECOND_FACTOR_ENROLMENT_REQUIRED");
}

#[actix_web::test]
async fn a_new_role_and_a_new_password_require_the_factor_too() {
    let service = TestService::start().await.requiring_second_factor().await;
    let admin = enrolled(&service, "admin").await;
    let edit = async |username: &str, change: Value| {
        let path = format!("users/{username}");
        let tag = service.get(&path).as_(&admin.token).send().await.expect(200).etag();
        service.patch(&path, change).as_(&admin.token).if_match(&tag).send().await.expect(200)
    };
    edit("monitor", json!({"role": "coordinator"})).await;
    let token = service.token("monitor").await;
    service.get("agencies").as_(&token).send().await.expect_problem(403, "SECOND_FACTOR_ENROLMENT_REQUIRED");

    let coordinator = enrolled(&service, "coordinator").await;
    let given = "the clerk wrote it down";
    edit("coordinator", json!({"password": given, "must_change_password": true})).await;
    let body = |code: Option<String>| json!({"username": "coordinator", "password": given, "code": code});
    service.post("auth/login", body(None)).send().await.expect_problem(401, "SECOND_FACTOR_REQUIRED");
    let code = code(&service, &coordinator.secret, 0);
    let session = service.post("auth/login", body(Some(code))).send().await.expect(200).json();
    let token = text(&session["access_token"]);
    service.get("agencies").as_(&token).send().await.expect_problem(403, "PASSWORD_CHANGE_REQUIRED");
}

#[actix_web::test]
async fn a_code_that_was_right_before_a_reset_opens_nothing() {
    use ict_index::accounts::login_throttle::{Credential, Origin, attempt};
    use ict_index::accounts::second_factor::{Claim, at_login};
    use ict_index::accounts::{model, second_factor};
    use ict_index::auth::Actor;

    let service = TestService::start().await.requiring_second_factor().await;
    let coordinator = enrolled(&service, "coordinator").await;
    let (db, now) = (service.state.db(), service.clock.now());
    let known =
        db.read(async |conn: &mut Conn| Ok::<_, Problem>(model::credentials(conn, "coordinator").await?));
    let known = known.await.unwrap().unwrap();
    let right = code(&service, &coordinator.secret, 0);
    let address = service.state.client_of(&actix_web::test::TestRequest::default().to_http_request());
    let origin = Origin::Address(address.clone());
    let counted =
        async move |conn: &mut Conn| attempt(conn, Credential::Password, "coordinator", &origin, now).await;
    let password = db.transaction(counted).await.unwrap();
    let claim = Claim { user: &known, password, address: &address };
    let factor = at_login(db, service.state.second_factor(), claim, Some(&right), Actor::system(now));
    let factor = factor.await.unwrap();
    // What a login does when the reset has come between.
    let reset = async move |conn: &mut Conn| {
        second_factor::reset::reset(conn, "coordinator", &Actor::system(now)).await
    };
    db.transaction(reset).await.unwrap();
    let spent = db.transaction(async move |conn: &mut Conn| factor.spend(conn).await).await;
    assert_eq!(spent.unwrap_err().code.as_str(), "INVALID_CREDENTIALS");
}

#[actix_web::test]
async fn nothing_stored_or_recorded_holds_a_secret() {
    let service = TestService::start().await.requiring_second_factor().await;
    let admin = enrolled(&service, "admin").await;
    let raw = Secret::try_from_base32(&admin.secret).unwrap();
    let hex: String = raw.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let work = async |conn: &mut Conn| {
        let dump = "select string_agg(t::text, E'\\n') as value from (select f::text from second_factors f union all \
                    select r::text from recovery_codes r union all select e::text from audit_events e union all \
                    select k::text from idempotency_keys k) t";
        sql("set local role none").run(conn).await?;
        Ok::<_, Problem>(sql(dump).value::<String>(conn).await?)
    };
    let stored = service.state.db().transaction(work).await.unwrap();
    assert!(stored.contains("enrol_second_factor") && stored.contains("user:admin"), "{stored}");
    for secret in [&admin.secret, &hex, &admin.recovery_codes[0], &admin.recovery_codes[0].replace('-', "")] {
        assert!(!stored.to_uppercase().contains(&secret.to_uppercase()), "{secret} is stored: {stored}");
    }
}

#[actix_web::test]
async fn without_the_requirement_enrolment_is_voluntary_and_enrolled_users_need_a_code() {
    let service = TestService::start().await.with_second_factor(SecondFactorPolicy::Optional).await;
    let token = service.token("coordinator").await;
    service.get("agencies").as_(&token).send().await.expect(200);
    let coordinator = enrolled(&service, "coordinator").await;
    login(&service, "coordinator", None).await.expect_problem(401, "SECOND_FACTOR_REQUIRED");
    login(&service, "coordinator", Some(&code(&service, &coordinator.secret, 0))).await.expect(200);
    // A service without keys enrols no user, and admits none whose factor it cannot read.
    let bare = service.beside().await;
    let other = bare.token("monitor").await;
    start(&bare, &other, None).await.expect_problem(409, "CONFLICT");
    bare.clock.set(service.clock.now() + Duration::seconds(30));
    login(&bare, "coordinator", Some(&code(&bare, &coordinator.secret, 0))).await.expect(500);
    login(&bare, "coordinator", None).await.expect_problem(401, "SECOND_FACTOR_REQUIRED");
    login(&bare, "coordinator", Some(&coordinator.recovery_codes[0])).await.expect(200);
}

/// `oathtool` is of another implementation; `scripts/ensure-tools.sh --test` installs it.
#[actix_web::test]
async fn codes_of_another_implementation_are_accepted() {
    let service = TestService::start().await.requiring_second_factor().await;
    let oathtool = |secret: &str| {
        let now = service.clock.now().format("%Y-%m-%d %H:%M:%S UTC").to_string();
        let output = Command::new("oathtool").args(["--totp", "--base32", "--now", &now, secret]).output();
        let output = output.expect("oathtool is missing: scripts/ensure-tools.sh --test installs it");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let session = login(&service, "coordinator", None).await.expect(200);
    let token = text(&session.json()["access_token"]);
    let secret = text(&start(&service, &token, None).await.expect(200).json()["secret"]);
    confirm(&service, &token, &oathtool(&secret)).await.expect(200);
    for _ in 0..20 {
        later(&service, 37);
        login(&service, "coordinator", Some(&oathtool(&secret))).await.expect(200);
    }
    assert_ne!(service.clock.now().to_rfc3339(), NOW);
}
