//! Logging in and out, users, machine clients.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestService};

async fn login(service: &TestService, username: &str, password: &str) -> Answer {
    service.post("auth/login", json!({"username": username, "password": password})).send().await
}

async fn refresh(service: &TestService, token: &Value) -> Answer {
    service.post("auth/refresh", json!({"refresh_token": token})).send().await
}

#[actix_web::test]
async fn a_login_gives_a_bearer_token_of_fifteen_minutes() {
    let service = TestService::start().await;
    let tokens = login(&service, "officer.so-yt", PASSWORD).await.expect(200);
    assert_eq!(tokens.header("cache-control"), "no-store");
    let tokens = tokens.json();
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(900)));
    let token = tokens["access_token"].as_str().unwrap();
    let me = service.get("me").as_(token).send().await.expect(200).json();
    assert_eq!(
        (&me["username"], &me["role"], &me["agency"]),
        (&json!("officer.so-yt"), &json!("officer"), &json!("SO-YT"))
    );
    service.at("2018-03-15T02:14:59Z");
    service.get("me").as_(token).send().await.expect(200);
    service.at("2018-03-15T02:15:00Z");
    let late = service.get("me").as_(token).send().await.expect_problem(401, "INVALID_TOKEN");
    assert!(late.header("www-authenticate").starts_with("Bearer"));
    let stranger = service.get("me").send().await.expect_problem(401, "UNAUTHENTICATED");
    assert!(stranger.header("www-authenticate").starts_with("Bearer"));
}

#[actix_web::test]
async fn unknown_and_wrong_are_told_alike_and_slowed_down() {
    let service = TestService::start().await;
    let mut wrong = login(&service, "monitor", "not the password").await.expect(401).json();
    let mut unknown = login(&service, "nobody", "not the password").await.expect(401).json();
    for answer in [&mut wrong, &mut unknown] {
        answer["request_id"] = Value::Null;
    }
    assert_eq!(wrong, unknown);
    for _ in 0..9 {
        login(&service, "monitor", "not the password").await.expect(401);
    }
    let slowed = login(&service, "monitor", PASSWORD).await.expect_problem(429, "TOO_MANY_REQUESTS");
    assert!(slowed.header("retry-after").parse::<u32>().unwrap() > 0);
    login(&service, "coordinator", PASSWORD).await.expect(200);
    service.at("2018-03-15T02:10:01Z");
    login(&service, "monitor", PASSWORD).await.expect(200);
}

#[actix_web::test]
async fn a_refresh_token_works_once_and_its_reuse_ends_the_session() {
    let service = TestService::start().await;
    let first = login(&service, "monitor", PASSWORD).await.expect(200).json();
    let second = refresh(&service, &first["refresh_token"]).await.expect(200).json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    service.get("me").as_(second["access_token"].as_str().unwrap()).send().await.expect(200);
    service.at("2018-03-15T02:00:10.001Z");
    refresh(&service, &first["refresh_token"]).await.expect_problem(401, "INVALID_REFRESH_TOKEN");
    refresh(&service, &second["refresh_token"]).await.expect_problem(401, "INVALID_REFRESH_TOKEN");
    service.get("me").as_(second["access_token"].as_str().unwrap()).send().await.expect(401);
    refresh(&service, &json!("nonsense")).await.expect_problem(401, "INVALID_REFRESH_TOKEN");
    let token = first["access_token"].as_str().unwrap();
    refresh(&service, &json!(token)).await.expect(401);
}

#[actix_web::test]
async fn logging_out_ends_tokens_at_once_and_only_of_this_session() {
    let service = TestService::start().await;
    let here = login(&service, "monitor", PASSWORD).await.expect(200).json();
    let there = login(&service, "monitor", PASSWORD).await.expect(200).json();
    let token = here["access_token"].as_str().unwrap();
    service.call("POST", "auth/logout").as_(token).send().await.expect(204);
    service.get("me").as_(token).send().await.expect(401);
    refresh(&service, &here["refresh_token"]).await.expect(401);
    service.get("me").as_(there["access_token"].as_str().unwrap()).send().await.expect(200);
}

#[actix_web::test]
async fn a_new_password_ends_every_session() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let change = |current: &str, new: &str| {
        service.put("me/password", json!({"current_password": current, "new_password": new})).as_(&token)
    };
    change(PASSWORD, "short").send().await.expect_problem(422, "WEAK_PASSWORD");
    for guessable in ["passwordpassword", "Correct-Horse-Battery-Staple1", "Superman12345678!"] {
        change(PASSWORD, guessable).send().await.expect_problem(422, "WEAK_PASSWORD");
    }
    change("wrong", "núi Fansipan 3143 mét").send().await.expect_problem(422, "WRONG_PASSWORD");
    change(PASSWORD, "núi Fansipan 3143 mét").send().await.expect(204);
    service.get("me").as_(&token).send().await.expect(401);
    login(&service, "monitor", PASSWORD).await.expect(401);
    login(&service, "monitor", "núi Fansipan 3143 mét").await.expect(200);
}

#[actix_web::test]
async fn users_are_managed_by_admin_alone() {
    let service = TestService::start().await;
    let admin = service.token("admin").await;
    let new = json!({"username": "an.nguyen", "display_name": "Nguyễn An", "role": "officer", "agency": "SO-GDDT", "password": "ba đường bảy nẻo"});
    for role in ["coordinator", "monitor", "officer.so-yt"] {
        let token = service.token(role).await;
        service.post("users", new.clone()).as_(&token).send().await.expect_problem(403, "FORBIDDEN");
        service.get("users").as_(&token).send().await.expect(403);
    }
    let created = service.post("users", new.clone()).as_(&admin).send().await.expect(201);
    assert!(!created.text().contains("argon2") && !created.text().contains("\"password"));
    service.post("users", new).as_(&admin).send().await.expect_problem(409, "ALREADY_EXISTS");
    let token = {
        let tokens = login(&service, "an.nguyen", "ba đường bảy nẻo").await.expect(200).json();
        tokens["access_token"].as_str().unwrap().to_owned()
    };
    let tag = created.etag();
    let promote = json!({"role": "monitor", "agency": null});
    let changed =
        service.patch("users/an.nguyen", promote).as_(&admin).if_match(&tag).send().await.expect(200);
    service.get("me").as_(&token).send().await.expect_problem(401, "INVALID_TOKEN");
    let disable = json!({"disabled": true});
    service.patch("users/an.nguyen", disable.clone()).as_(&admin).if_match(&tag).send().await.expect(412);
    service.patch("users/an.nguyen", disable).as_(&admin).if_match(&changed.etag()).send().await.expect(200);
    login(&service, "an.nguyen", "ba đường bảy nẻo").await.expect_problem(401, "INVALID_CREDENTIALS");
    let weak = json!({"username": "binh.tran", "display_name": "B", "role": "monitor", "password": "superman12345678"});
    service.post("users", weak).as_(&admin).send().await.expect_problem(422, "WEAK_PASSWORD");
    let tag = service.get("users/monitor").as_(&admin).send().await.expect(200).etag();
    let weak = json!({"password": "superman12345678"});
    service
        .patch("users/monitor", weak)
        .as_(&admin)
        .if_match(&tag)
        .send()
        .await
        .expect_problem(422, "WEAK_PASSWORD");
    // Two words that nobody guesses who does not know the user's name.
    let name = json!({"display_name": "Bhrzkwyp Qvxtmlgd"});
    let named = service.patch("users/monitor", name).as_(&admin).if_match(&tag).send().await.expect(200);
    let of_name = |change: Value| service.patch("users/monitor", change).as_(&admin).if_match(&named.etag());
    let stored = of_name(json!({"password": "qvxtmlgd 2018 bhrzkwyp"})).send().await;
    stored.expect_problem(422, "WEAK_PASSWORD");
    let renamed = json!({"display_name": "M", "password": "qvxtmlgd 2018 bhrzkwyp"});
    of_name(renamed).send().await.expect(200);
    let nobody = service.patch("users/nobody", json!({"password": "ba đường bảy nẻo"})).if_match("\"1\"");
    nobody.as_(&admin).send().await.expect_problem(404, "NOT_FOUND");
    let bad = json!({"username": "Bad Name", "display_name": "", "role": "officer", "password": "x"});
    let problem = service.post("users", bad).as_(&admin).send().await.expect(422).json();
    let pointers: Vec<&Value> = problem["errors"].as_array().unwrap().iter().map(|e| &e["pointer"]).collect();
    assert_eq!(pointers, ["/username", "/display_name", "/agency", "/password"]);
}

#[actix_web::test]
async fn machines_get_tokens_by_form_or_basic() {
    let service = TestService::start().await;
    let grant = |form: &str| service.call("POST", "oauth/token").form(form);
    let secret = PASSWORD.replace(' ', "%20");
    let whole = format!("grant_type=client_credentials&client_id=portal&client_secret={secret}");
    let token = grant(&whole).send().await.expect(200);
    assert_eq!(token.header("cache-control"), "no-store");
    assert_eq!(token.json()["scope"], "statistics:read catalogue:read");
    let basic = format!("Basic {}", STANDARD.encode(format!("portal:{secret}")));
    let narrowed = grant("grant_type=client_credentials&scope=catalogue:read")
        .header("Authorization", &basic)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(narrowed["scope"], "catalogue:read");
    let token = narrowed["access_token"].as_str().unwrap();
    service.get("agencies").as_(token).send().await.expect(200);
    service.get("targets").as_(token).send().await.expect_problem(403, "FORBIDDEN");
    service.get("me").as_(token).send().await.expect(403);

    let refused = async |form: &str, status: u16, error: &str| {
        let answer = grant(form).send().await.expect(status);
        assert_eq!(answer.json()["error"], error, "{form}");
        answer
    };
    let wrong =
        refused("grant_type=client_credentials&client_id=portal&client_secret=x", 401, "invalid_client")
            .await;
    assert!(wrong.header("www-authenticate").starts_with("Basic"));
    refused("grant_type=client_credentials&client_id=nobody&client_secret=x", 401, "invalid_client").await;
    refused("grant_type=client_credentials", 401, "invalid_client").await;
    refused(&whole.replace("client_credentials", "password"), 400, "unsupported_grant_type").await;
    refused(&whole.replace("grant_type=client_credentials&", ""), 400, "invalid_request").await;
    refused(&format!("{whole}&scope=dossiers:write"), 400, "invalid_scope").await;
    refused(&format!("{whole}&client_id=portal"), 400, "invalid_request").await;
    service.post("oauth/token", json!({})).send().await.expect_problem(415, "UNSUPPORTED_MEDIA_TYPE");
}

#[actix_web::test]
async fn a_client_secret_is_shown_once_and_rotates_with_an_overlap() {
    let service = TestService::start().await;
    let admin = service.token("admin").await;
    let new = json!({"client_id": "lgsp", "name": "Trục liên thông", "scopes": ["statistics:read"]});
    let created = service
        .post("clients", new.clone())
        .as_(&admin)
        .header("Idempotency-Key", "k1")
        .send()
        .await
        .expect(201)
        .json();
    let secret = created["client_secret"].as_str().unwrap().to_owned();
    let replayed =
        service.post("clients", new).as_(&admin).header("Idempotency-Key", "k1").send().await.expect(201);
    assert_eq!(replayed.header("idempotency-replayed"), "true");
    assert_eq!(replayed.json()["client_secret"], Value::Null, "a secret is shown once");
    let grant = async |secret: &str| {
        let form = format!("grant_type=client_credentials&client_id=lgsp&client_secret={secret}");
        service.call("POST", "oauth/token").form(&form).send().await
    };
    let token = grant(&secret).await.expect(200).json()["access_token"].as_str().unwrap().to_owned();
    let rotated = service.call("POST", "clients/lgsp/secret").as_(&admin).send().await.expect(200);
    assert_eq!(rotated.json()["old_secret_valid_until"], "2018-03-16T02:00:00Z");
    let second = rotated.json()["client_secret"].as_str().unwrap().to_owned();
    grant(&secret).await.expect(200);
    grant(&second).await.expect(200);
    service.at("2018-03-16T02:00:00Z");
    grant(&secret).await.expect(401);
    let admin = service.token("admin").await;
    let token = {
        let _expired = token;
        grant(&second).await.expect(200).json()["access_token"].as_str().unwrap().to_owned()
    };
    service.get("targets").as_(&token).send().await.expect(200);
    let tag = rotated.etag();
    service
        .patch("clients/lgsp", json!({"disabled": true}))
        .as_(&admin)
        .if_match(&tag)
        .send()
        .await
        .expect(200);
    service.get("targets").as_(&token).send().await.expect(401);
    grant(&second).await.expect(401);
    let tag = service.get("clients/lgsp").as_(&admin).send().await.expect(200).etag();
    service.delete("clients/lgsp").as_(&admin).send().await.expect_problem(428, "PRECONDITION_REQUIRED");
    service.delete("clients/lgsp").as_(&admin).if_match(&tag).send().await.expect(204);
    service.get("clients/lgsp").as_(&admin).send().await.expect(404);
}

#[actix_web::test]
async fn a_leaked_client_secret_ends_at_once_with_its_tokens() {
    let service = TestService::start().await;
    let admin = service.token("admin").await;
    let grant = async |secret: &str| {
        let form = format!("grant_type=client_credentials&client_id=portal&client_secret={secret}");
        service.call("POST", "oauth/token").form(&form).send().await
    };
    let rotate = |body: Value| service.post("clients/portal/secret", body).as_(&admin);
    let leaked = PASSWORD.replace(' ', "+");
    let token = grant(&leaked).await.expect(200).json()["access_token"].as_str().unwrap().to_owned();
    let shortened = rotate(json!({"overlap_seconds": 60})).send().await.expect(200).json();
    assert_eq!(shortened["old_secret_valid_until"], "2018-03-15T02:01:00Z");
    service.get("agencies").as_(&token).send().await.expect(200);
    grant(&leaked).await.expect(200);

    let rotated = rotate(json!({"overlap_seconds": 0})).send().await.expect(200).json();
    assert_eq!(rotated["old_secret_valid_until"], Value::Null);
    service.get("agencies").as_(&token).send().await.expect_problem(401, "INVALID_TOKEN");
    grant(&leaked).await.expect(401);
    grant(shortened["client_secret"].as_str().unwrap()).await.expect(401);
    grant(rotated["client_secret"].as_str().unwrap()).await.expect(200);

    for refused in [json!({"overlap_seconds": 86_401}), json!({"overlap_seconds": 4_000_000_000_u32})] {
        rotate(refused).send().await.expect_problem(422, "NUMBER_OUT_OF_RANGE");
    }
    for refused in [json!({"overlap_seconds": -1}), json!({"overlap": 0})] {
        rotate(refused).send().await.expect(400);
    }
    let plain = service.call("POST", "clients/portal/secret").as_(&admin).raw("text/plain", "x").send().await;
    plain.expect_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    let null = service.call("POST", "clients/portal/secret").as_(&admin).raw("application/json", "null");
    null.send().await.expect(200);
    // A body is not needed, whatever its type is said to be.
    for content_type in ["application/json", "application/octet-stream"] {
        let empty = service.call("POST", "clients/portal/secret").as_(&admin).raw(content_type, "");
        assert_eq!(empty.send().await.expect(200).json()["old_secret_valid_until"], "2018-03-16T02:00:00Z");
    }
    let events =
        service.get("audit-events?entity=client&key=portal&action=rotate_secret").as_(&admin).send().await;
    assert!(events.expect(200).column("after").contains(&json!({"overlap_seconds": 0})));
}

#[actix_web::test]
async fn a_client_has_five_secrets_at_the_most() {
    let service = TestService::start().await;
    let admin = service.token("admin").await;
    let mut secrets = Vec::new();
    for second in 0..30 {
        service.at(&format!("2018-03-15T02:00:{second:02}Z"));
        let made = service.call("POST", "clients/portal/secret").as_(&admin).send().await.expect(200).json();
        secrets.push(made["client_secret"].as_str().unwrap().to_owned());
    }
    let mut work = Vec::new();
    for secret in &secrets {
        let form = format!("grant_type=client_credentials&client_id=portal&client_secret={secret}");
        let call = service.call("POST", "oauth/token").form(&form);
        work.push(call.send().await.status == 200);
    }
    assert_eq!(work.iter().rposition(|works| !works), Some(24));
    assert_eq!(work.iter().filter(|works| **works).count(), 5);
}

#[actix_web::test]
async fn account_changes_are_in_the_audit_trail_without_secrets() {
    let service = TestService::start().await;
    let admin = service.token("admin").await;
    let new = json!({"username": "binh.tran", "display_name": "Trần Bình", "role": "monitor", "password": "hoa ban nở trắng rừng"});
    service.post("users", new).as_(&admin).send().await.expect(201);
    let events = service.get("audit-events?entity=user&key=binh.tran").as_(&admin).send().await.expect(200);
    assert_eq!(events.column("actor"), [json!("user:admin")]);
    assert!(!events.text().contains("argon2"));
}

#[actix_web::test]
async fn a_repeated_seed_changes_nothing_and_a_new_demo_password_takes_effect() {
    use ict_index::auth::{PasswordCost, Passwords};
    let service = TestService::start().await;
    let passwords = Passwords::new(PasswordCost { memory_kib: 64, iterations: 1 }).unwrap();
    let (db, now) = (service.state.db(), service.clock.now());
    let events = async || {
        let token = service.token("admin").await;
        service.get("audit-events?count=exact&limit=1").as_(&token).send().await.expect(200).json()["page"]["total"].clone()
    };
    let seeded = async |password: Option<&str>| {
        ict_index::seed::plan(db, now).await.unwrap();
        ict_index::seed::demo(db, &passwords, password.map(str::to_owned), now).await.unwrap()
    };
    seeded(Some(PASSWORD)).await;
    let before = events().await;
    seeded(None).await;
    seeded(Some(PASSWORD)).await;
    assert_eq!(events().await, before);
    seeded(Some("another demo password")).await;
    login(&service, "officer.so-yt", PASSWORD).await.expect(401);
    login(&service, "officer.so-yt", "another demo password").await.expect(200);
    let form = "grant_type=client_credentials&client_id=portal&client_secret=another+demo+password";
    service.call("POST", "oauth/token").form(form).send().await.expect(200);
}

#[actix_web::test]
async fn a_password_that_was_given_out_is_good_for_choosing_another_one_only() {
    let service = TestService::start().await.listening().await;
    let admin = service.token("admin").await;
    let (given, chosen) = ("the clerk wrote it down", "mưa rơi trên mái tôn cũ");
    let user = json!({"username": "monitor2", "display_name": "Giám sát", "role": "monitor", "password": given, "must_change_password": true});
    let made = service.post("users", user).as_(&admin).send().await.expect(201);
    assert_eq!(made.json()["must_change_password"], json!(true));

    let first = login(&service, "monitor2", given).await.expect(200).json();
    let token = first["access_token"].as_str().unwrap();
    let me = service.get("me").as_(token).send().await.expect(200).json();
    assert_eq!(me["must_change_password"], json!(true));
    let reader = service.token("monitor").await;
    service.settled().await;
    for path in ["agencies", "statistics/service-levels?period=2018-03", "audit-events", "submissions"] {
        service.get(path).as_(&reader).send().await.expect(200);
        if path.starts_with("statistics") {
            let again = service.further_statements_of(service.get(path).as_(&reader).send()).await;
            assert_eq!(again.0, 0, "it is kept in memory, and kept from them all the same");
        }
        service.get(path).as_(token).send().await.expect_problem(403, "PASSWORD_CHANGE_REQUIRED");
    }
    let change =
        |new: &str| service.put("me/password", json!({"current_password": given, "new_password": new}));
    change(given).as_(token).send().await.expect_problem(422, "WEAK_PASSWORD");
    // The same password, as another keyboard sends it.
    change("ｔhe clerk wrote it down").as_(token).send().await.expect_problem(422, "WEAK_PASSWORD");
    change(chosen).as_(token).send().await.expect(204);
    service.get("me").as_(token).send().await.expect(401);

    let second = login(&service, "monitor2", chosen).await.expect(200).json();
    let token = second["access_token"].as_str().unwrap();
    service.get("agencies").as_(token).send().await.expect(200);

    // Given out again: at once, for those who are logged in as well.
    let now = service.get("users/monitor2").as_(&admin).send().await.expect(200);
    assert_eq!(now.json()["must_change_password"], json!(false));
    let reset = json!({"must_change_password": true});
    service.patch("users/monitor2", reset).as_(&admin).if_match(&now.etag()).send().await.expect(200);
    service.get("agencies").as_(token).send().await.expect_problem(403, "PASSWORD_CHANGE_REQUIRED");
}

#[actix_web::test]
async fn a_change_of_password_under_way_does_not_undo_an_administrators_reset() {
    use ict_index::accounts::model;
    use ict_index::db::Conn;
    use ict_index::http::Problem;

    let service = TestService::start().await;
    let admin = service.token("admin").await;
    let db = service.state.db();
    let known =
        db.transaction(async |conn: &mut Conn| Ok::<_, Problem>(model::credentials(conn, "monitor").await?));
    let known = known.await.unwrap().unwrap();
    let tag = service.get("users/monitor").as_(&admin).send().await.expect(200).etag();
    let reset = json!({"password": "the clerk wrote it down", "must_change_password": true});
    service.patch("users/monitor", reset).as_(&admin).if_match(&tag).send().await.expect(200);
    // What the handler does when it has verified the old password and hashed the new one.
    let late = async move |conn: &mut Conn| {
        let now = "2018-03-15T02:00:00Z".parse().unwrap();
        Ok::<_, Problem>(model::set_password(conn, known.id, known.epoch, "$argon2id$x".into(), now).await?)
    };
    assert!(!db.transaction(late).await.unwrap());
    let user = service.get("users/monitor").as_(&admin).send().await.expect(200).json();
    assert_eq!(user["must_change_password"], json!(true));
    login(&service, "monitor", "the clerk wrote it down").await.expect(200);
}

#[actix_web::test]
async fn a_password_that_was_given_out_is_not_come_back_to() {
    let service = TestService::start().await;
    let admin = service.token("admin").await;
    let (given, own, other) = ("the clerk wrote it down", "mưa rơi trên mái tôn cũ", "đường xa mấy cũng về");
    let tag = service.get("users/monitor").as_(&admin).send().await.expect(200).etag();
    let reset = json!({"password": given, "must_change_password": true});
    service.patch("users/monitor", reset).as_(&admin).if_match(&tag).send().await.expect(200);
    let change = async |from: &str, to: &str| {
        let token = login(&service, "monitor", from).await.expect(200).json();
        let body = json!({"current_password": from, "new_password": to});
        service.put("me/password", body).as_(token["access_token"].as_str().unwrap()).send().await
    };
    change(given, own).await.expect(204);
    change(own, given).await.expect_problem(422, "WEAK_PASSWORD");
    change(own, other).await.expect(204);
    change(other, own).await.expect(204);
}

#[actix_web::test]
async fn the_last_administrator_stays() {
    let service = TestService::start().await;
    let admin = service.token("admin").await;
    let edit = async |name: &str, change: Value| {
        let path = format!("users/{name}");
        let tag = service.get(&path).as_(&admin).send().await.expect(200).etag();
        service.patch(&path, change).as_(&admin).if_match(&tag).send().await
    };
    for change in [json!({"disabled": true}), json!({"role": "monitor"})] {
        edit("admin", change).await.expect_problem(409, "CONFLICT");
    }
    edit("admin", json!({"display_name": "Quản trị"})).await.expect(200);
    let second =
        json!({"username": "admin2", "display_name": "B", "role": "admin", "password": "ba đường bảy nẻo"});
    service.post("users", second).as_(&admin).send().await.expect(201);
    edit("admin2", json!({"disabled": true})).await.expect(200);
    edit("admin", json!({"role": "monitor"})).await.expect_problem(409, "CONFLICT");
    edit("admin2", json!({"disabled": false})).await.expect(200);
    edit("admin", json!({"role": "monitor"})).await.expect(200);
    service.get("users").as_(&admin).send().await.expect(401);
}
