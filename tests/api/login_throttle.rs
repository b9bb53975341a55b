//! Guessing is bounded however many guess at once, wherever they come from, and locks no user out.

use futures::future::join_all;
use ict_index::accounts::login_throttle::{self, Credential, Origin};
use ict_index::db::{Conn, sql};
use ict_index::http::Problem;
use ict_index::http::client_address::TrustedProxies;
use serde_json::json;

use crate::support::{Answer, Call, PASSWORD, TestService};

const WRONG: &str = "not the password at all";

fn login<'s>(service: &'s TestService, username: &str, password: &str, address: &str) -> Call<'s> {
    service.post("auth/login", json!({"username": username, "password": password})).sent_from(address)
}

async fn fail(service: &TestService, username: &str, address: &str, times: usize) {
    for _ in 0..times {
        login(service, username, WRONG, address).send().await.expect(401);
    }
}

/// Hashes computed by the work.
async fn hashes_of(service: &TestService, work: impl Future<Output = Answer>) -> (u64, Answer) {
    let before = service.state.passwords().computed();
    let answer = work.await;
    (service.state.passwords().computed() - before, answer)
}

async fn rows(service: &TestService, table: &str) -> i64 {
    let statement = sql(format!("select count(*) as value from {table}"));
    let count = async move |conn: &mut Conn| Ok::<_, Problem>(statement.value(conn).await?);
    service.state.db().read(count).await.map_err(|problem| format!("{problem:?}")).unwrap()
}

#[actix_web::test]
async fn of_two_hundred_guesses_at_once_exactly_ten_reach_the_hash() {
    let service = TestService::start().await;
    let other = service.beside().await;
    let before = service.state.passwords().computed() + other.state.passwords().computed();
    let guesses = (0..200)
        .map(|n| login(if n % 2 == 0 { &service } else { &other }, "monitor", WRONG, "192.0.2.1").send());
    let answers = join_all(guesses).await;
    let hashed = service.state.passwords().computed() + other.state.passwords().computed() - before;
    let with = |status: u16| answers.iter().filter(|a| a.status.as_u16() == status).count();
    assert_eq!((hashed, with(401)), (10, 10), "the budget is taken before the hash");
    // 503: more transactions at once than the pool of a test lets wait.
    assert_eq!(with(429) + with(503), 190);
    assert!(with(429) > 0);
    let refused = login(&service, "monitor", PASSWORD, "192.0.2.1").send().await;
    let retry_after = refused.expect_problem(429, "TOO_MANY_REQUESTS").header("retry-after").parse::<u32>();
    assert_eq!(retry_after, Ok(600));
    login(&service, "monitor", PASSWORD, "192.0.2.2").send().await.expect(200);
}

#[actix_web::test]
async fn a_success_gives_its_attempt_back_and_forgets_failures_of_the_origin() {
    let service = TestService::start().await;
    for _ in 0..12 {
        fail(&service, "monitor", "192.0.2.1", 9).await;
        login(&service, "monitor", PASSWORD, "192.0.2.1").send().await.expect(200);
    }
    let held = sql(
        "select coalesce(max(attempts), 0)::bigint as value from login_attempts where subject like 'password:%'",
    );
    let read = async move |conn: &mut Conn| Ok::<i64, Problem>(held.value(conn).await?);
    assert_eq!(service.state.db().read(read).await.ok(), Some(0));
}

#[actix_web::test]
async fn refused_logins_cost_the_same_whatever_the_account_is() {
    let service = TestService::start().await;
    let admin = service.token("admin").await;
    let tag = service.get("users/coordinator").as_(&admin).send().await.expect(200).etag();
    let disabled = json!({"disabled": true});
    service.patch("users/coordinator", disabled).as_(&admin).if_match(&tag).send().await.expect(200);
    let kinds = [("nobody", WRONG), ("monitor", WRONG), ("coordinator", PASSWORD), ("No Name", WRONG)];
    for (status, hashes) in [(401, 1), (429, 0)] {
        let mut costs = Vec::new();
        for (name, password) in kinds {
            let before = service.state.db().statements();
            let call = login(&service, name, password, "192.0.2.1").send();
            let (hashed, answer) = hashes_of(&service, call).await;
            answer.expect(status);
            costs.push((service.state.db().statements() - before, hashed));
        }
        assert_eq!(costs, vec![(2, hashes); 4], "statements and hashes of a {status}");
        for (name, password) in kinds.iter().filter(|_| status == 401) {
            for _ in 1..10 {
                login(&service, name, password, "192.0.2.1").send().await.expect(401);
            }
        }
    }
}

#[actix_web::test]
async fn behind_a_trusted_proxy_failures_of_one_client_lock_out_no_other() {
    let service = TestService::start().await;
    service.state.trust_proxies(TrustedProxies::parse("10.0.0.0/24").unwrap());
    let through = |client: &str, password: &str| {
        login(&service, "monitor", password, "10.0.0.5").header("X-Forwarded-For", client)
    };
    // What the client writes itself stands left of what the proxy adds.
    for spoofed in 0..10 {
        through(&format!("198.51.100.{spoofed}, 203.0.113.1"), WRONG).send().await.expect(401);
    }
    through("198.51.100.99, 203.0.113.1", PASSWORD).send().await.expect(429);
    through("203.0.113.2", PASSWORD).send().await.expect(200);
}

#[actix_web::test]
async fn a_header_of_an_untrusted_peer_gives_no_new_budget() {
    let service = TestService::start().await;
    for spoofed in 0..10 {
        let call = login(&service, "monitor", WRONG, "192.0.2.1");
        call.header("X-Forwarded-For", &format!("198.51.100.{spoofed}")).send().await.expect(401);
    }
    let call = login(&service, "monitor", PASSWORD, "192.0.2.1");
    call.header("X-Forwarded-For", "198.51.100.99").send().await.expect(429);
}

#[actix_web::test]
async fn the_addresses_of_an_ipv6_network_share_a_budget() {
    let service = TestService::start().await;
    for host in 1..=10 {
        fail(&service, "monitor", &format!("2001:db8:0:1::{host}"), 1).await;
    }
    login(&service, "monitor", PASSWORD, "2001:db8:0:1:ffff::1").send().await.expect(429);
    login(&service, "monitor", PASSWORD, "2001:db8:0:2::1").send().await.expect(200);
}

#[actix_web::test]
async fn a_hundred_failures_over_all_addresses_close_an_account_but_not_to_where_it_is_known() {
    let service = TestService::start().await;
    for (name, desk) in [("monitor", "192.0.2.1"), ("nobody", "192.0.2.2")] {
        login(&service, name, PASSWORD, desk).send().await;
        for host in 0..if name == "monitor" { 10 } else { 9 } {
            fail(&service, name, &format!("203.0.113.{host}"), 10).await;
        }
    }
    // The first login of a name that does not exist was a failure.
    fail(&service, "nobody", "203.0.113.200", 9).await;
    let (hashed, answer) =
        hashes_of(&service, login(&service, "monitor", PASSWORD, "203.0.113.77").send()).await;
    let retry_after = answer.expect(429).header("retry-after").parse::<u32>();
    assert_eq!((hashed, retry_after), (0, Ok(86_400)));
    login(&service, "nobody", PASSWORD, "203.0.113.77").send().await.expect(429);

    let known = login(&service, "monitor", PASSWORD, "192.0.2.1").send().await.expect(200).json();
    let token = known["access_token"].as_str().unwrap();
    service.get("me").as_(token).send().await.expect(200);
    login(&service, "monitor", PASSWORD, "203.0.113.77").send().await.expect(429);
    // The known address has a budget of its own, and no more than that.
    fail(&service, "monitor", "192.0.2.1", 10).await;
    login(&service, "monitor", PASSWORD, "192.0.2.1").send().await.expect(429);

    let admin = service.token("admin").await;
    let tag = service.get("users/monitor").as_(&admin).send().await.expect(200).etag();
    let reset = json!({"password": "mưa rơi trên mái tôn cũ"});
    service.patch("users/monitor", reset).as_(&admin).if_match(&tag).send().await.expect(200);
    for address in ["203.0.113.77", "192.0.2.1"] {
        login(&service, "monitor", "mưa rơi trên mái tôn cũ", address).send().await.expect(200);
    }
    service.at("2018-03-16T02:00:01Z");
    fail(&service, "nobody", "203.0.113.77", 1).await;
}

#[actix_web::test]
async fn a_known_address_has_a_ceiling_too() {
    let service = TestService::start().await;
    login(&service, "monitor", PASSWORD, "192.0.2.1").send().await.expect(200);
    for tens in 0..10 {
        // The budget of ten minutes is there again.
        service.at(&format!("2018-03-15T{:02}:00:00Z", 3 + tens));
        fail(&service, "monitor", "192.0.2.1", 10).await;
    }
    service.at("2018-03-15T14:00:00Z");
    login(&service, "monitor", PASSWORD, "192.0.2.1").send().await.expect(429);
    service.at("2018-03-16T12:00:00Z");
    login(&service, "monitor", PASSWORD, "192.0.2.1").send().await.expect(200);
}

#[actix_web::test]
async fn guesses_at_the_current_password_are_counted_by_session() {
    let service = TestService::start().await;
    let (thief, owner) = (service.token("monitor").await, service.token("monitor").await);
    let change = |token: &str, current: &str| {
        let body = json!({"current_password": current, "new_password": "núi Fansipan 3143 mét"});
        service.put("me/password", body).as_(token)
    };
    let before = service.state.passwords().computed();
    let answers = join_all((0..60).map(|_| change(&thief, WRONG).send())).await;
    let hashed = service.state.passwords().computed() - before;
    let wrong = answers.iter().filter(|a| a.status.as_u16() == 422).count();
    assert_eq!((hashed, wrong), (10, 10));
    change(&thief, PASSWORD).send().await.expect_problem(429, "TOO_MANY_REQUESTS");
    login(&service, "monitor", PASSWORD, "192.0.2.1").send().await.expect(200);
    change(&owner, PASSWORD).send().await.expect(204);
}

#[actix_web::test]
async fn guesses_at_a_client_secret_are_counted_and_the_right_one_passes_always() {
    let service = TestService::start().await;
    let grant = |client: &str, secret: &str| {
        let form = format!("grant_type=client_credentials&client_id={client}&client_secret={secret}");
        service.call("POST", "oauth/token").form(&form).sent_from("192.0.2.1")
    };
    for client in ["portal", "nobody"] {
        let answers: Vec<Answer> = join_all((0..40).map(|_| grant(client, "wrong").send())).await;
        let with = |status: u16| answers.iter().filter(|a| a.status.as_u16() == status).count();
        // Who comes while the address has its share under way is rejected before anything is counted.
        assert_eq!((with(401), with(429) + with(503)), (10, 30), "{client}");
    }
    let basic = service.call("POST", "oauth/token").form("grant_type=client_credentials");
    basic.header("Authorization", "Basic cG9ydGFsOng=").sent_from("192.0.2.1").send().await.expect(429);
    grant("portal", &PASSWORD.replace(' ', "+")).send().await.expect(200);
}

/// Whether an attempt was let through.
async fn attempted(service: &TestService, credential: Credential, account: String, origin: Origin) -> bool {
    let now = service.clock.now();
    let work = async move |conn: &mut Conn| {
        login_throttle::attempt(conn, credential, &account, &origin, now).await.map(|_| ())
    };
    service.state.db().transaction(work).await.is_ok()
}

#[actix_web::test]
async fn ten_thousand_attempts_leave_a_bounded_number_of_rows() {
    let service = TestService::start().await;
    let trusted = TrustedProxies::parse("10.0.0.5").unwrap();
    let request = actix_web::test::TestRequest::default().peer_addr("192.0.2.1:1".parse().unwrap());
    let origin = Origin::Address(trusted.client_of(&request.to_http_request()));
    let mut passed = 0;
    for n in 0..10_000 {
        let (credential, name) = match n % 3 {
            0 => (Credential::Password, format!("nobody{n}")),
            1 => (Credential::ClientSecret, format!("nobody{n}")),
            _ => (Credential::Password, format!("No Name {n} {}", "x".repeat(n))),
        };
        passed += usize::from(attempted(&service, credential, name, origin.clone()).await);
    }
    assert!(passed <= 600, "{passed} attempts of one address");
    let held = rows(&service, "login_attempts").await;
    assert!(held <= 2 * 600 + 1, "{held} rows");
    service.at("2018-03-17T02:00:00Z");
    let now = service.clock.now();
    let purge =
        async move |conn: &mut Conn| Ok::<_, Problem>(login_throttle::purge_expired(conn, now).await?);
    service.state.db().read(purge).await.unwrap();
    assert_eq!(rows(&service, "login_attempts").await, 0);
}

#[actix_web::test]
async fn addresses_that_a_user_is_known_from_are_bounded() {
    let service = TestService::start().await;
    for host in 0..30 {
        service.at(&format!("2018-03-15T02:{host:02}:00Z"));
        login(&service, "monitor", PASSWORD, &format!("192.0.2.{host}")).send().await.expect(200);
    }
    assert_eq!(rows(&service, "login_addresses").await, 20);
    let newest =
        sql("select count(*) as value from login_addresses where last_login_at >= '2018-03-15T02:10:00Z'");
    let read = async move |conn: &mut Conn| Ok::<i64, Problem>(newest.value(conn).await?);
    assert_eq!(service.state.db().read(read).await.ok(), Some(20));
}

/// Each waits for what the other holds, where a purge waits.
#[actix_web::test]
async fn a_purge_passes_over_what_a_login_holds() {
    let service = TestService::start().await;
    for desk in ["192.0.2.1", "192.0.2.2"] {
        login(&service, "monitor", PASSWORD, desk).send().await.expect(200);
    }
    service.at("2018-05-15T02:00:00Z");
    let (db, now) = (service.state.db().clone(), service.clock.now());
    let holding = async move |conn: &mut Conn| {
        for held in [
            "select subject as value from login_attempts where subject like '%@192.0.2.1' for update",
            "select address as value from login_addresses where address = '192.0.2.1' for update",
        ] {
            let held: Vec<String> = sql(held).values(conn).await?;
            assert_eq!(held.len(), 1);
        }
        let purge =
            async move |conn: &mut Conn| Ok::<_, Problem>(login_throttle::purge_expired(conn, now).await?);
        db.read(purge).await
    };
    service.state.db().transaction(holding).await.map_err(|problem| format!("{problem:?}")).unwrap();
    assert_eq!((rows(&service, "login_attempts").await, rows(&service, "login_addresses").await), (1, 1));
}
