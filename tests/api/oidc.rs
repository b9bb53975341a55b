//! Single sign-on, against an identity provider of the test's own: its tokens, its keys, and what goes wrong with it.
//! `scripts/oidc.sh` tries the same against a real one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::{Either, join_all, select};
use ict_index::auth::oidc::{MfaRule, Oidc, OidcSettings, SignIn};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::KeyPair;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Answer, TestService};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[derive(Default)]
struct Answers {
    keys: Vec<Value>,
    id_token: String,
    /// Form and `Authorization` of the last exchange.
    exchange: (String, String),
    discovery: Option<HttpResponseMaker>,
    reads: HashMap<String, usize>,
}

type HttpResponseMaker = fn() -> HttpResponse;

/// An identity provider.
#[derive(Clone)]
struct Provider {
    url: String,
    answers: Arc<Mutex<Answers>>,
}

/// One of its keys.
struct Key {
    kid: &'static str,
    pair: KeyPair,
}

impl Key {
    fn new(kid: &'static str) -> Self {
        Self { kid, pair: KeyPair::generate().unwrap() }
    }

    fn jwk(&self) -> Value {
        let raw = self.pair.public_key_raw();
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&raw[range]);
        json!({"kty": "EC", "crv": "P-256", "x": part(1..33), "y": part(33..65), "kid": self.kid, "use": "sig", "alg": "ES256"})
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.to_owned());
        self.sign_as(&header, claims)
    }

    fn sign_as(&self, header: &Header, claims: &Value) -> String {
        encode(header, claims, &EncodingKey::from_ec_der(&self.pair.serialize_der())).unwrap()
    }
}

async fn answer(request: HttpRequest, body: String, answers: web::Data<Mutex<Answers>>) -> HttpResponse {
    let url = format!("http://{}", request.app_config().local_addr());
    let mut answers = answers.lock().unwrap();
    *answers.reads.entry(request.path().to_owned()).or_default() += 1;
    match request.path() {
        "/.well-known/openid-configuration" => match answers.discovery {
            Some(make) => make(),
            None => HttpResponse::Ok().json(json!({
                "issuer": url, "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
                "jwks_uri": format!("{url}/keys"),
            })),
        },
        "/keys" => HttpResponse::Ok().json(json!({"keys": answers.keys})),
        "/token" => {
            let authorization = request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned());
            answers.exchange = (body, authorization.unwrap_or_default());
            match answers.id_token.as_str() {
                "" => HttpResponse::BadRequest().json(json!({"error": "invalid_grant"})),
                token => HttpResponse::Ok().json(json!({"id_token": token, "access_token": "x", "token_type": "Bearer"})),
            }
        }
        _ => HttpResponse::NotFound().finish(),
    }
}

impl Provider {
    fn start(key: &Key) -> Self {
        let answers = web::Data::new(Mutex::new(Answers { keys: vec![key.jwk()], ..Answers::default() }));
        let shared = answers.clone();
        let server =
            HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(answer)))
                .workers(1)
                .disable_signals()
                .bind("127.0.0.1:0")
                .expect("a free port");
        let url = format!("http://{}", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        Self { url, answers: answers.into_inner() }
    }

    fn settings(&self) -> OidcSettings {
        OidcSettings {
            issuer: self.url.clone(),
            ca_file: None,
            username_claim: "sub".into(),
            audience: Some("ict-index-api".into()),
            authorized_parties: vec!["portal".into()],
            mfa: MfaRule::Asserted { amr: vec!["mfa".into()], acr: vec!["urn:loa:2".into()] },
            sign_in: Some(SignIn {
                client_id: "ict-index".into(),
                client_secret: Some("bí mật".into()),
                redirect_uri: "http://127.0.0.1/sso".into(),
                scope: "openid".into(),
            }),
        }
    }

    fn reads(&self, path: &str) -> usize {
        self.answers.lock().unwrap().reads.get(path).copied().unwrap_or_default()
    }

    fn set(&self, change: impl FnOnce(&mut Answers)) {
        change(&mut self.answers.lock().unwrap());
    }

    /// What a good access token says.
    fn access(&self, service: &TestService) -> Value {
        let now = service.clock.now().timestamp();
        json!({"iss": self.url, "aud": "ict-index-api", "azp": "portal", "sub": "s-1", "iat": now, "nbf": now, "exp": now + 300})
    }
}

fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

async fn link(service: &TestService, username: &str, subject: Value) -> Answer {
    let admin = service.token("admin").await;
    let path = format!("users/{username}");
    let tag = service.get(&path).as_(&admin).send().await.expect(200).etag();
    service.patch(&path, json!({"external_subject": subject})).as_(&admin).if_match(&tag).send().await
}

async fn me(service: &TestService, token: &str) -> Answer {
    service.get("me").as_(token).send().await
}

/// A service that accepts identities of a provider, to whom `monitor` is `s-1`.
async fn linked() -> (TestService, Provider, Key) {
    let service = TestService::start().await;
    let key = Key::new("k1");
    let provider = Provider::start(&key);
    accept(&service, provider.settings());
    link(&service, "monitor", json!("s-1")).await.expect(200);
    (service, provider, key)
}

fn accept(service: &TestService, settings: OidcSettings) {
    service.state.accept_identities_of(Oidc::new(settings, service.state.keys().clone()).unwrap());
}

#[actix_web::test]
async fn a_token_of_the_provider_is_the_linked_users() {
    let (service, provider, key) = linked().await;
    service.await_listening().await;
    let token = key.sign(&provider.access(&service));
    for _ in 0..2 {
        assert_eq!(me(&service, &token).await.expect(200).json()["username"], "monitor");
    }
    service.get("audit-events").as_(&token).send().await.expect(200);
    service.get("users").as_(&token).send().await.expect_problem(403, "FORBIDDEN");
    service.get("me/sessions").as_(&token).send().await.expect(200);
    service.post("auth/logout", json!({})).as_(&token).send().await.expect_problem(409, "CONFLICT");

    let stranger = key.sign(&with(&provider.access(&service), "sub", json!("s-2")));
    me(&service, &stranger).await.expect_problem(401, "INVALID_TOKEN");
    link(&service, "officer.so-yt", json!("s-2")).await.expect(200);
    assert_eq!(me(&service, &stranger).await.expect(200).json()["agency"], "SO-YT");
    let new = json!({"agency": "SO-TC", "period": "2018-01"});
    let foreign = service.post("submissions", new).as_(&stranger).send().await;
    assert!([403, 404].contains(&foreign.status.as_u16()), "{foreign:?}");

    // Unlinked, or disabled: at the next request.
    link(&service, "officer.so-yt", Value::Null).await.expect(200);
    me(&service, &stranger).await.expect_problem(401, "INVALID_TOKEN");
    let admin = service.token("admin").await;
    let tag = service.get("users/monitor").as_(&admin).send().await.expect(200).etag();
    service
        .patch("users/monitor", json!({"disabled": true}))
        .as_(&admin)
        .if_match(&tag)
        .send()
        .await
        .expect(200);
    me(&service, &token).await.expect_problem(401, "INVALID_TOKEN");
}

#[actix_web::test]
async fn a_token_that_is_wrong_in_anything_is_refused() {
    let (service, provider, key) = linked().await;
    let good = provider.access(&service);
    let now = service.clock.now().timestamp();
    me(&service, &key.sign(&good)).await.expect(200);
    for (name, value) in [
        ("iss", json!("https://other.vn")),
        ("iss", Value::Null),
        ("aud", json!("ict-index")),
        ("aud", json!(["a", "b"])),
        ("aud", Value::Null),
        ("azp", json!("other")),
        ("azp", Value::Null),
        ("client_id", json!("other")),
        ("exp", json!(now - 60)),
        ("exp", Value::Null),
        ("exp", json!("tomorrow")),
        ("nbf", json!(now + 61)),
        ("iat", json!(now + 61)),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!(1)),
        ("sub", json!("S-1")),
    ] {
        let token = key.sign(&with(&good, name, value.clone()));
        me(&service, &token).await.expect_problem(401, "INVALID_TOKEN");
    }
    for (name, value) in [
        ("exp", json!(now - 59)),
        ("nbf", json!(now + 60)),
        ("nbf", Value::Null),
        ("aud", json!(["x", "ict-index-api"])),
        ("client_id", json!("portal")),
    ] {
        me(&service, &key.sign(&with(&good, name, value))).await.expect(200);
    }
    let party = with(&with(&good, "azp", Value::Null), "client_id", json!("portal"));
    me(&service, &key.sign(&party)).await.expect(200);
}

#[actix_web::test]
async fn a_token_with_another_signature_is_refused() {
    let (service, provider, key) = linked().await;
    let good = provider.access(&service);
    let header = |kid: Option<&str>, typ: &str| {
        let mut header = Header::new(Algorithm::ES256);
        (header.kid, header.typ) = (kid.map(str::to_owned), Some(typ.to_owned()));
        header
    };
    me(&service, &key.sign_as(&header(Some("k1"), "at+jwt"), &good)).await.expect(200);
    let mut forged = vec![
        Key::new("k1").sign(&good),
        key.sign_as(&header(None, "JWT"), &good),
        key.sign_as(&header(Some("k2"), "JWT"), &good),
        key.sign_as(&header(Some("k1"), "logout+jwt"), &good),
    ];
    // Signed with what everybody knows as if it were a shared secret.
    let mut confused = Header::new(Algorithm::HS256);
    confused.kid = Some("k1".into());
    for secret in [key.pair.public_key_raw().to_vec(), key.jwk().to_string().into_bytes()] {
        forged.push(encode(&confused, &good, &EncodingKey::from_secret(&secret)).unwrap());
    }
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for alg in ["none", "None", "ES512", "EdDSA"] {
        forged.push(format!("{}.{}.", part(json!({"alg": alg, "kid": "k1"})), part(good.clone())));
    }
    let real = key.sign(&good);
    let (signed, signature) = real.rsplit_once('.').unwrap();
    forged.push(format!("{signed}."));
    forged.push(format!(
        "{}.{}.{signature}",
        signed.split('.').next().unwrap(),
        part(with(&good, "sub", json!("s-9")))
    ));
    for token in forged {
        me(&service, &token).await.expect(401);
    }
    // A shared secret among the keys is none.
    provider.set(|answers| {
        answers.keys =
            vec![json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode([7; 32]), "kid": "k9", "alg": "HS256"})];
    });
    service.clock.set(service.clock.now() + chrono::Duration::seconds(700));
    confused.kid = Some("k9".into());
    let token = encode(&confused, &provider.access(&service), &EncodingKey::from_secret(&[7; 32])).unwrap();
    me(&service, &token).await.expect(401);
}

#[actix_web::test]
async fn without_a_provider_its_tokens_are_worth_nothing() {
    let service = TestService::start().await;
    let key = Key::new("k1");
    let provider = Provider::start(&key);
    link(&service, "monitor", json!("s-1")).await.expect(200);
    me(&service, &key.sign(&provider.access(&service))).await.expect_problem(401, "INVALID_TOKEN");
    service
        .get(&format!("auth/oidc/start?challenge={}", challenge()))
        .send()
        .await
        .expect_problem(404, "NOT_FOUND");
    let body = json!({"code": "x", "state": "x", "verifier": "x"});
    service.post("auth/oidc/callback", body).send().await.expect_problem(404, "NOT_FOUND");
    assert_eq!(provider.reads("/keys"), 0);
}

#[actix_web::test]
async fn keys_are_read_by_one_for_all_and_again_when_they_rotate() {
    let (service, provider, old) = linked().await;
    let token = |key: &Key| key.sign(&provider.access(&service));
    let first = token(&old);
    let all = join_all((0..20).map(|_| me(&service, &first))).await;
    assert!(all.iter().all(|answer| answer.status == 200));
    assert_eq!(provider.reads("/keys"), 1, "one reads for all");
    // Invented key ids cause no more than two reads a minute.
    for n in 0..20 {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(format!("invented-{n}"));
        me(&service, &old.sign_as(&header, &provider.access(&service))).await.expect(401);
    }
    assert_eq!(provider.reads("/keys"), 1);
    let new = Key::new("k2");
    provider.set(|answers| answers.keys.push(new.jwk()));
    service.clock.set(service.clock.now() + chrono::Duration::seconds(30));
    me(&service, &token(&new)).await.expect(200);
    me(&service, &token(&old)).await.expect(200);
    assert_eq!(provider.reads("/keys"), 2);
    // A key that was withdrawn ends within ten minutes.
    provider.set(|answers| answers.keys = vec![new.jwk()]);
    service.clock.set(service.clock.now() + chrono::Duration::seconds(600));
    me(&service, &token(&new)).await.expect(200);
    me(&service, &token(&old)).await.expect(401);
}

#[actix_web::test]
#[allow(clippy::await_holding_lock, reason = "what keeps the provider from answering")]
async fn known_keys_are_not_waited_for_while_they_are_read_again() {
    let (service, provider, key) = linked().await;
    me(&service, &key.sign(&provider.access(&service))).await.expect(200);
    service.clock.set(service.clock.now() + chrono::Duration::seconds(700));
    let claims = provider.access(&service);
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("invented".into());
    let (known, unknown) = (key.sign(&claims), key.sign_as(&header, &claims));
    let stalled = provider.answers.lock().unwrap();
    match select(Box::pin(me(&service, &unknown)), Box::pin(me(&service, &known))).await {
        Either::Left(_) => panic!("a known key waits for the provider"),
        Either::Right((answer, _)) => drop(answer.expect(200)),
    }
    drop(stalled);
}

#[actix_web::test]
async fn a_provider_that_fails_is_waited_for_and_does_no_harm() {
    let (service, provider, key) = linked().await;
    let failures: [HttpResponseMaker; 4] = [
        || HttpResponse::InternalServerError().finish(),
        || HttpResponse::Found().insert_header(("location", "http://127.0.0.1:1/")).finish(),
        || HttpResponse::Ok().body(vec![b' '; 300_000]),
        || {
            HttpResponse::Ok().json(json!({"issuer": "https://other.vn", "authorization_endpoint": "https://x", "token_endpoint": "https://x", "jwks_uri": "https://x"}))
        },
    ];
    for failure in failures {
        provider.set(|answers| answers.discovery = Some(failure));
        let token = key.sign(&provider.access(&service));
        let answer = me(&service, &token).await.expect_problem(503, "UNAVAILABLE");
        assert!(!answer.header("retry-after").is_empty());
        service.clock.set(service.clock.now() + chrono::Duration::seconds(31));
    }
    provider.set(|answers| answers.discovery = None);
    me(&service, &key.sign(&provider.access(&service))).await.expect(200);
    // Gone again: known keys are good for an hour.
    provider.set(|answers| answers.discovery = Some(failures[0]));
    service.clock.set(service.clock.now() + chrono::Duration::seconds(3_000));
    me(&service, &key.sign(&provider.access(&service))).await.expect(200);
    service.clock.set(service.clock.now() + chrono::Duration::seconds(601));
    me(&service, &key.sign(&provider.access(&service))).await.expect(503);
}

#[actix_web::test]
async fn where_a_second_factor_is_needed_the_provider_has_to_assert_one() {
    let key = Key::new("k1");
    let provider = Provider::start(&key);
    let service = TestService::start().await;
    link(&service, "coordinator", json!("s-1")).await.expect(200);
    let service = service.requiring_second_factor().await;
    accept(&service, provider.settings());
    let good = provider.access(&service);
    let refusal = me(&service, &key.sign(&good)).await.expect_problem(401, "SECOND_FACTOR_REQUIRED");
    assert!(refusal.header("www-authenticate").contains("insufficient_user_authentication"), "{refusal:?}");
    me(&service, &key.sign(&with(&good, "amr", json!(["pwd"]))))
        .await
        .expect_problem(401, "SECOND_FACTOR_REQUIRED");
    for (name, value) in [("amr", json!(["pwd", "mfa"])), ("acr", json!("urn:loa:2"))] {
        let token = key.sign(&with(&good, name, value));
        service.get("agencies").as_(&token).send().await.expect(200);
    }
    let trusting = service.beside().await.requiring_second_factor().await;
    accept(&trusting, OidcSettings { mfa: MfaRule::Trusted, ..provider.settings() });
    trusting.get("agencies").as_(&key.sign(&good)).send().await.expect(200);
}

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

/// Begins a login; answers the parameters that the provider gets.
async fn begin(service: &TestService) -> HashMap<String, String> {
    let answer = service.get(&format!("auth/oidc/start?challenge={}", challenge())).send().await.expect(302);
    assert_eq!(answer.header("cache-control"), "no-store");
    let (_, query) = answer.header("location").split_once("/authorize?").expect("the authorization endpoint");
    serde_urlencoded::from_str(query).unwrap()
}

async fn finish(service: &TestService, code: &str, state: &str, verifier: &str) -> Answer {
    service
        .post("auth/oidc/callback", json!({"code": code, "state": state, "verifier": verifier}))
        .send()
        .await
}

impl Provider {
    /// What a good ID token says to this login.
    fn id(&self, service: &TestService, login: &HashMap<String, String>) -> Value {
        let now = service.clock.now().timestamp();
        json!({"iss": self.url, "aud": "ict-index", "sub": "s-1", "iat": now, "exp": now + 300, "nonce": login["nonce"]})
    }
}

#[actix_web::test]
async fn a_login_at_the_provider_opens_a_session() {
    let (service, provider, key) = linked().await;
    let login = begin(&service).await;
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "ict-index"),
        ("redirect_uri", "http://127.0.0.1/sso"),
        ("scope", "openid"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(login[name], value, "{name}");
    }
    assert!(
        !login["state"].contains(&login["nonce"]) && !login["state"].contains(&challenge()),
        "it is sealed"
    );
    provider.set(|answers| answers.id_token = key.sign(&provider.id(&service, &login)));
    let tokens = finish(&service, "the code", &login["state"], VERIFIER).await.expect(200);
    assert_eq!(tokens.header("cache-control"), "no-store");
    let token = tokens.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(me(&service, &token).await.expect(200).json()["username"], "monitor");
    let refresh = json!({"refresh_token": tokens.json()["refresh_token"]});
    service.post("auth/refresh", refresh).send().await.expect(200);

    let (form, authorization) = provider.answers.lock().unwrap().exchange.clone();
    let form: HashMap<String, String> = serde_urlencoded::from_str(&form).unwrap();
    assert_eq!((form["grant_type"].as_str(), form["code"].as_str()), ("authorization_code", "the code"));
    assert_eq!(URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"])), login["code_challenge"]);
    let basic = base64::engine::general_purpose::STANDARD
        .decode(authorization.strip_prefix("Basic ").unwrap())
        .unwrap();
    assert_eq!(String::from_utf8(basic).unwrap(), "ict-index:b%C3%AD+m%E1%BA%ADt");
}

#[actix_web::test]
async fn a_login_that_is_wrong_in_anything_is_refused() {
    let (service, provider, key) = linked().await;
    let refused = "INVALID_SINGLE_SIGN_ON";
    let login = begin(&service).await;
    let good = provider.id(&service, &login);
    let now = service.clock.now().timestamp();
    for (name, value) in [
        ("nonce", json!("another")),
        ("nonce", Value::Null),
        ("aud", json!("ict-index-api")),
        ("aud", json!(["ict-index", "other"])),
        ("azp", json!("other")),
        ("iss", json!("https://other.vn")),
        ("exp", json!(now - 60)),
        ("sub", json!("s-2")),
    ] {
        provider.set(|answers| answers.id_token = key.sign(&with(&good, name, value)));
        finish(&service, "c", &login["state"], VERIFIER).await.expect_problem(401, refused);
    }
    provider.set(|answers| answers.id_token = String::new());
    finish(&service, "c", &login["state"], VERIFIER).await.expect_problem(401, refused);

    // From here on the provider is not even queried.
    let exchanges = provider.reads("/token");
    provider.set(|answers| answers.id_token = key.sign(&good));
    finish(&service, "c", &login["state"], "someone else's verifier").await.expect_problem(401, refused);
    finish(&service, "c", &format!("{}A", login["state"]), VERIFIER).await.expect_problem(401, refused);
    finish(&service, "c", "x", VERIFIER).await.expect_problem(401, refused);
    service.clock.set(service.clock.now() + chrono::Duration::seconds(600));
    finish(&service, "c", &login["state"], VERIFIER).await.expect_problem(401, refused);
    assert_eq!(provider.reads("/token"), exchanges);
    for query in ["", "?challenge=short", "?challenge=x&challenge=y"] {
        let path = format!("auth/oidc/start{query}");
        service.get(&path).send().await.expect_problem(400, "INVALID_PARAMETER");
    }
}

#[actix_web::test]
async fn one_login_at_the_provider_is_exchanged_ten_times_at_most() {
    let (service, provider, _) = linked().await;
    let login = begin(&service).await;
    let all = join_all((0..15).map(|_| finish(&service, "guess", &login["state"], VERIFIER))).await;
    let statuses: Vec<u16> = all.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 5, "{statuses:?}");
    assert!(provider.reads("/token") <= 10);
}

#[actix_web::test]
async fn a_login_at_the_provider_shows_a_second_factor_where_one_is_needed() {
    let key = Key::new("k1");
    let provider = Provider::start(&key);
    let service = TestService::start().await;
    link(&service, "coordinator", json!("s-1")).await.expect(200);
    let service = service.requiring_second_factor().await;
    accept(&service, provider.settings());
    let login = begin(&service).await;
    let good = provider.id(&service, &login);
    provider.set(|answers| answers.id_token = key.sign(&good));
    finish(&service, "c", &login["state"], VERIFIER).await.expect_problem(401, "SECOND_FACTOR_REQUIRED");
    provider.set(|answers| answers.id_token = key.sign(&with(&good, "amr", json!(["mfa"]))));
    let tokens = finish(&service, "c", &login["state"], VERIFIER).await.expect(200).json();
    let token = tokens["access_token"].as_str().unwrap();
    service.get("agencies").as_(token).send().await.expect(200);
}

#[actix_web::test]
async fn an_identity_is_one_users_and_a_new_one_ends_the_sessions() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let shown = link(&service, "monitor", json!("s-1")).await.expect(200);
    assert_eq!(shown.json()["external_subject"], "s-1");
    me(&service, &token).await.expect(401);
    link(&service, "coordinator", json!("s-1")).await.expect_problem(409, "ALREADY_EXISTS");
    link(&service, "monitor", json!("")).await.expect_problem(422, "INVALID_LENGTH");
    link(&service, "monitor", Value::Null).await.expect(200);
    link(&service, "coordinator", json!("s-1")).await.expect(200);
}
