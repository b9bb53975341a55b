//! Refresh tokens: one honest client in several tabs, and someone with a copy.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestService};

async fn login(service: &TestService) -> Value {
    let body = json!({"username": "monitor", "password": PASSWORD});
    service.post("auth/login", body).send().await.expect(200).json()
}

async fn refresh(service: &TestService, tokens: &Value) -> Answer {
    service.post("auth/refresh", json!({"refresh_token": tokens["refresh_token"]})).send().await
}

async fn status_of(service: &TestService, tokens: &Value) -> u16 {
    service.get("me").as_(tokens["access_token"].as_str().unwrap()).send().await.status.as_u16()
}

/// What is stored of the session: tokens, tokens used, and why it ended.
async fn stored(service: &TestService) -> Value {
    use ict_index::db::{Conn, sql};
    let statement =
        sql("select jsonb_build_array(count(*), count(t.used_at), min(s.revoked_reason)) as value \
        from refresh_tokens t join sessions s on s.id = t.session_id");
    let read = async move |conn: &mut Conn| Ok::<_, ict_index::http::Problem>(statement.value(conn).await?);
    service.state.db().read(read).await.map_err(|problem| format!("{problem:?}")).unwrap()
}

#[actix_web::test]
async fn two_tabs_within_ten_seconds_each_get_a_pair_of_one_session() {
    let service = TestService::start().await;
    let first = login(&service).await;
    let one = refresh(&service, &first).await.expect(200).json();
    service.at("2018-03-15T02:00:10Z");
    let other = refresh(&service, &first).await.expect(200).json();
    assert_ne!(one["refresh_token"], other["refresh_token"]);
    assert_eq!(stored(&service).await, json!([3, 1, null]), "one family, of which one token was used");
    for tab in [&one, &other] {
        assert_eq!(status_of(&service, tab).await, 200);
        let next = refresh(&service, tab).await.expect(200).json();
        assert_eq!(status_of(&service, &next).await, 200, "either tab goes on");
    }
}

#[actix_web::test]
async fn a_further_use_does_not_prolong_the_grace_and_later_reuse_ends_every_branch() {
    let service = TestService::start().await;
    let first = login(&service).await;
    let one = refresh(&service, &first).await.expect(200).json();
    service.at("2018-03-15T02:00:09Z");
    let other = refresh(&service, &first).await.expect(200).json();
    service.at("2018-03-15T02:00:11Z");
    refresh(&service, &first).await.expect_problem(401, "INVALID_REFRESH_TOKEN");
    assert_eq!(stored(&service).await, json!([3, 1, "reuse"]));
    for branch in [&first, &one, &other] {
        assert_eq!(status_of(&service, branch).await, 401);
        refresh(&service, branch).await.expect_problem(401, "INVALID_REFRESH_TOKEN");
    }
}

#[actix_web::test]
async fn nothing_revives_a_session_that_has_ended_within_the_grace() {
    let service = TestService::start().await;
    let first = login(&service).await;
    let next = refresh(&service, &first).await.expect(200).json();
    let token = next["access_token"].as_str().unwrap();
    service.call("POST", "auth/logout").as_(token).send().await.expect(204);
    refresh(&service, &first).await.expect_problem(401, "INVALID_REFRESH_TOKEN");
    assert_eq!(
        stored(&service).await,
        json!([2, 1, "logout"]),
        "no token is added, and it did not end by reuse"
    );
}

#[actix_web::test]
async fn uses_at_the_same_time_are_one_first_use_and_five_further_ones() {
    let service = TestService::start().await;
    let beside = service.beside().await;
    let first = login(&service).await;
    let uses = (0..40).map(|n| refresh(if n % 2 == 0 { &service } else { &beside }, &first));
    let (renewed, refused): (Vec<Answer>, Vec<Answer>) =
        join_all(uses).await.into_iter().partition(|answer| answer.status == 200);
    assert!(refused.iter().all(|answer| answer.status == 401), "{refused:?}");
    let pairs: Vec<Value> = renewed.iter().map(Answer::json).collect();
    let mut tokens: Vec<&str> = pairs.iter().map(|pair| pair["refresh_token"].as_str().unwrap()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 6, "no two callers share a token");
    assert_eq!(stored(&service).await, json!([7, 1, null]), "what is refused does not end the session");
    for pair in &pairs {
        assert_eq!(status_of(&service, pair).await, 200);
    }
    service.at("2018-03-15T02:00:11Z");
    let mut late: Vec<u16> =
        join_all((0..6).map(|_| refresh(&service, &first))).await.iter().map(|a| a.status.as_u16()).collect();
    late.dedup();
    assert_eq!(late, [401]);
    assert_eq!(stored(&service).await, json!([7, 1, "reuse"]));
}

#[actix_web::test]
async fn branches_of_one_login_have_a_bounded_number_of_tokens() {
    let service = TestService::start().await;
    let mut unused = std::collections::VecDeque::from([login(&service).await]);
    let mut uses = 0;
    while let Some(tokens) = unused.pop_front() {
        for _ in 0..7 {
            uses += 1;
            let answer = refresh(&service, &tokens).await;
            match answer.status.as_u16() {
                200 => unused.push_back(answer.json()),
                401 => {}
                429 => assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0),
                other => panic!("{other}: {}", answer.text()),
            }
        }
        let read = ict_index::db::sql("select count(*) as value from refresh_tokens where used_at is null");
        let count = async move |conn: &mut ict_index::db::Conn| {
            Ok::<i64, ict_index::http::Problem>(read.value(conn).await?)
        };
        let live = service.state.db().read(count).await.map_err(|problem| format!("{problem:?}")).unwrap();
        assert!(live <= 20, "{live} refresh tokens are live");
    }
    assert!(uses > 200, "the test must try more than is let through");
    assert_eq!(stored(&service).await, json!([60, 40, null]), "with the login's own, in fifteen minutes");
}

#[actix_web::test]
async fn a_session_is_renewed_sixty_times_in_fifteen_minutes_and_then_again() {
    let service = TestService::start().await;
    let mut tokens = login(&service).await;
    for _ in 1..60 {
        tokens = refresh(&service, &tokens).await.expect(200).json();
    }
    for _ in 0..40 {
        refresh(&service, &tokens).await.expect_problem(429, "TOO_MANY_REQUESTS");
    }
    service.at("2018-03-15T02:15:00Z");
    refresh(&service, &tokens).await.expect(200);
}

#[actix_web::test]
async fn a_user_has_fifty_sessions_and_the_oldest_ends_first() {
    let service = TestService::start().await;
    let oldest = login(&service).await;
    service.at("2018-03-15T02:00:01Z");
    let next = login(&service).await;
    service.at("2018-03-15T02:00:02Z");
    // Sessions that have ended go before those that are in force.
    service
        .sql(ict_index::db::sql(
            "insert into sessions (id, user_id, created_at, expires_at, revoked_at, revoked_reason) \
             select gen_random_uuid(), u.id, '2018-03-15T02:00:02Z', '2018-03-15T18:00:02Z', '2018-03-15T02:00:02Z', 'logout' \
             from users u, generate_series(1, 10000) where u.username = 'monitor'",
        ))
        .await;
    for _ in 0..48 {
        login(&service).await;
    }
    assert_eq!(status_of(&service, &oldest).await, 200, "it is one of fifty");
    let last = login(&service).await;
    assert_eq!((status_of(&service, &oldest).await, status_of(&service, &next).await), (401, 200));
    refresh(&service, &oldest).await.expect_problem(401, "INVALID_REFRESH_TOKEN");
    assert_eq!(status_of(&service, &last).await, 200);
    let read = ict_index::db::sql("select count(*) as value from sessions");
    let count = async move |conn: &mut ict_index::db::Conn| {
        Ok::<i64, ict_index::http::Problem>(read.value(conn).await?)
    };
    assert_eq!(service.state.db().read(count).await.ok(), Some(50));
}

#[actix_web::test]
async fn a_session_left_alone_for_four_hours_needs_the_password_again() {
    let service = TestService::start().await;
    let left_alone = login(&service).await;
    let first = login(&service).await;
    service.at("2018-03-15T05:59:59Z");
    let second = refresh(&service, &first).await.expect(200).json();
    service.at("2018-03-15T06:00:00Z");
    refresh(&service, &left_alone).await.expect_problem(401, "INVALID_REFRESH_TOKEN");
    service.at("2018-03-15T09:59:58Z");
    refresh(&service, &second).await.expect(200);
}

#[actix_web::test]
async fn ones_own_sessions_are_seen_and_ended_one_by_one() {
    let service = TestService::start().await;
    let phone = login(&service).await;
    service.at("2018-03-15T02:05:00Z");
    let desk = login(&service).await;
    let token = desk["access_token"].as_str().unwrap();
    let listed = service.get("me/sessions").as_(token).send().await.expect(200);
    assert_eq!(listed.column("current"), [json!(true), json!(false)], "the newest first");
    assert_eq!(listed.column("started_at"), [json!("2018-03-15T02:05:00Z"), json!("2018-03-15T02:00:00Z")]);
    let of_phone = format!("me/sessions/{}", listed.column("id")[1].as_str().unwrap());
    let renewed = refresh(&service, &phone).await.expect(200).json();
    let listed = service.get("me/sessions").as_(token).send().await.expect(200);
    assert_eq!(listed.column("renewed_at")[1], json!("2018-03-15T02:05:00Z"));

    // Nobody else sees or ends them, whatever their role.
    let stranger = service.token("admin").await;
    service.delete(&of_phone).as_(&stranger).send().await.expect_problem(404, "NOT_FOUND");
    assert_eq!(service.get("me/sessions").as_(&stranger).send().await.expect(200).column("id").len(), 1);
    assert_eq!(status_of(&service, &renewed).await, 200);

    service.delete(&of_phone).as_(token).send().await.expect(204);
    let events =
        service.get("audit-events?entity=user&key=monitor&action=end_session").as_(&stranger).send().await;
    assert_eq!(
        of_phone,
        format!("me/sessions/{}", events.expect(200).column("after")[0]["session"].as_str().unwrap())
    );
    for ended in [&phone, &renewed] {
        assert_eq!(status_of(&service, ended).await, 401);
        refresh(&service, ended).await.expect_problem(401, "INVALID_REFRESH_TOKEN");
    }
    service.delete(&of_phone).as_(token).send().await.expect_problem(404, "NOT_FOUND");
    assert_eq!(service.get("me/sessions").as_(token).send().await.expect(200).column("id").len(), 1);
    assert_eq!(status_of(&service, &desk).await, 200);
}

#[actix_web::test]
async fn a_copy_is_found_out_however_late_it_is_used() {
    let service = TestService::start().await;
    let first = login(&service).await;
    let second = refresh(&service, &first).await.expect(200).json();
    service.at("2018-03-15T05:00:00Z");
    let third = refresh(&service, &second).await.expect(200).json();
    service.at("2018-03-15T06:30:00Z");
    refresh(&service, &first).await.expect_problem(401, "INVALID_REFRESH_TOKEN");
    assert_eq!(stored(&service).await, json!([3, 2, "reuse"]), "left alone for longer than a session may be");
    refresh(&service, &third).await.expect_problem(401, "INVALID_REFRESH_TOKEN");
}
