//! TokenCache that are not ours, or not in force, or not for this: 401 at every operation.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use crate::description::{document, operations};
use crate::support::{PASSWORD, TestService};
use crate::walk::concrete;

/// What a genuine token is made of.
struct Mint {
    header: Value,
    claims: Value,
    secret: Vec<u8>,
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

impl Mint {
    fn of(service: &TestService, token: &str) -> Self {
        let decode = |n: usize| {
            let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap();
            serde_json::from_slice::<Value>(&part).unwrap()
        };
        let file: Value = serde_json::from_slice(&std::fs::read(service.key_file()).unwrap()).unwrap();
        let secret = STANDARD.decode(file["keys"][0]["secret"].as_str().unwrap()).unwrap();
        Self { header: decode(0), claims: decode(1), secret }
    }

    fn sign(&self, header: &Value, claims: &Value, algorithm: Algorithm, secret: &[u8]) -> String {
        let message = format!("{}.{}", part(header), part(claims));
        let signature =
            crypto::sign(message.as_bytes(), &EncodingKey::from_secret(secret), algorithm).unwrap();
        format!("{message}.{signature}")
    }

    /// The genuine token with a member of the header changed.
    fn header(&self, name: &str, value: Value) -> String {
        let mut header = self.header.clone();
        header[name] = value;
        self.sign(&header, &self.claims, Algorithm::HS256, &self.secret)
    }

    /// The genuine token with a claim changed, or without it.
    fn claim(&self, name: &str, value: Option<Value>) -> String {
        let mut claims = self.claims.clone();
        match value {
            Some(value) => claims[name] = value,
            None => drop(claims.as_object_mut().unwrap().remove(name)),
        }
        self.sign(&self.header, &claims, Algorithm::HS256, &self.secret)
    }

    fn forgeries(&self, genuine: &str, refresh: &str, foreign: &Self) -> Vec<(&'static str, String)> {
        let now = Utc::now().timestamp();
        let unsigned = format!("{}.{}.", part(&json!({"alg": "none", "typ": "at+jwt"})), part(&self.claims));
        let (message, signature) = genuine.rsplit_once('.').unwrap();
        let mut other_claims = self.claims.clone();
        other_claims["epoch"] = json!(other_claims["epoch"].as_i64().unwrap() + 1);
        let hs512 = {
            let mut header = self.header.clone();
            header["alg"] = json!("HS512");
            self.sign(&header, &self.claims, Algorithm::HS512, &self.secret)
        };
        vec![
            ("alg none", unsigned),
            ("alg None with the signature", {
                let mut header = self.header.clone();
                header["alg"] = json!("None");
                format!("{}.{}.{signature}", part(&header), part(&self.claims))
            }),
            ("another algorithm of the family", hs512),
            ("alg RS256 over our secret", self.header("alg", json!("RS256"))),
            ("alg ES256 over our secret", self.header("alg", json!("ES256"))),
            ("no kid", self.header("kid", Value::Null)),
            ("kid of a file", self.header("kid", json!("../../../../dev/null"))),
            ("kid with SQL", self.header("kid", json!("x' union select 'secret"))),
            ("kid unknown", self.header("kid", json!("ffffffffffff"))),
            (
                "another key under our kid",
                self.sign(&self.header, &self.claims, Algorithm::HS256, &foreign.secret),
            ),
            ("another service's key and kid", {
                self.sign(&foreign.header, &self.claims, Algorithm::HS256, &foreign.secret)
            }),
            ("empty key", self.sign(&self.header, &self.claims, Algorithm::HS256, b"")),
            ("typ JWT", self.header("typ", json!("JWT"))),
            ("typ rt+jwt", self.header("typ", json!("rt+jwt"))),
            ("no typ", self.header("typ", Value::Null)),
            ("embedded key", {
                let mut header = self.header.clone();
                header["jwk"] = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(b"attacker")});
                self.sign(&header, &self.claims, Algorithm::HS256, b"attacker")
            }),
            ("key from an address", {
                let mut header = self.header.clone();
                header["jku"] = json!("http://127.0.0.1:1/keys");
                self.sign(&header, &self.claims, Algorithm::HS256, b"attacker")
            }),
            ("another issuer", self.claim("iss", Some(json!("https://elsewhere")))),
            ("no issuer", self.claim("iss", None)),
            ("another audience", self.claim("aud", Some(json!("another-api")))),
            ("no audience", self.claim("aud", None)),
            ("expired", {
                let mut claims = self.claims.clone();
                for (name, at) in [("iat", now - 900), ("nbf", now - 900), ("exp", now)] {
                    claims[name] = json!(at);
                }
                self.sign(&self.header, &claims, Algorithm::HS256, &self.secret)
            }),
            ("no expiry", self.claim("exp", None)),
            ("an expiry far off", self.claim("exp", Some(json!(now + 86_400)))),
            ("an expiry beyond numbers", self.claim("exp", Some(json!(1e300)))),
            ("not yet valid", self.claim("nbf", Some(json!(now + 300)))),
            ("no beginning", self.claim("nbf", None)),
            ("an unknown claim", self.claim("role", Some(json!("admin")))),
            ("another subject", self.claim("sub", Some(json!("00000000-0000-0000-0000-000000000000")))),
            ("another session", self.claim("sid", Some(json!("01890000-0000-7000-8000-000000000000")))),
            ("no session", self.claim("sid", None)),
            (
                "a person with a machine's scope",
                self.claim("scope", Some(json!("statistics:read catalogue:write"))),
            ),
            ("another epoch", self.claim("epoch", Some(other_claims["epoch"].clone()))),
            ("claims changed under the signature", {
                format!("{}.{}.{signature}", genuine.split('.').next().unwrap(), part(&other_claims))
            }),
            ("truncated signature", genuine[..genuine.len() - 2].to_owned()),
            ("no signature", format!("{message}.")),
            ("two parts", message.to_owned()),
            ("four parts", format!("{genuine}.{signature}")),
            ("too long", format!("{genuine}{}", "A".repeat(9_000))),
            ("refresh token as access token", refresh.to_owned()),
            ("empty", String::new()),
            ("two tokens", format!("{genuine} {genuine}")),
        ]
    }
}

#[actix_web::test]
async fn no_forgery_opens_any_operation() {
    let service = TestService::start_on_system_time().await;
    let elsewhere = TestService::start_on_system_time().await;
    let login = json!({"username": "coordinator", "password": PASSWORD});
    let tokens = service.post("auth/login", login.clone()).send().await.expect(200).json();
    let foreign = elsewhere.post("auth/login", login).send().await.expect(200).json();
    let text = |tokens: &Value, name: &str| tokens[name].as_str().unwrap().to_owned();
    let genuine = text(&tokens, "access_token");
    let mint = Mint::of(&service, &genuine);
    let other = Mint::of(&elsewhere, &text(&foreign, "access_token"));
    // The mint is right: what it makes unchanged is let in, else refusals would prove nothing.
    let again = mint.sign(&mint.header, &mint.claims, Algorithm::HS256, &mint.secret);
    service.get("me").as_(&again).send().await.expect(200);
    let forgeries = mint.forgeries(&genuine, &text(&tokens, "refresh_token"), &other);
    for operation in operations(&document()) {
        if operation.permission().unwrap().is_none() {
            continue;
        }
        for (what, token) in &forgeries {
            let answer = service.call(&operation.method, &concrete(&operation.path)).as_(token).send().await;
            assert_eq!(answer.status, 401, "{} {} with {what}", operation.method, operation.path);
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{what}");
            let told = answer.text().to_lowercase();
            assert!(
                !["signature", "hs256", "audience", "issuer", "epoch"].iter().any(|w| told.contains(w)),
                "{what}: {told}"
            );
        }
    }
    service.get("me").as_(&genuine).send().await.expect(200);
}

#[actix_web::test]
async fn a_token_is_taken_from_the_header_alone() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let with = |name: &str, value: &str| service.get("agencies").header(name, value);
    with("Authorization", &format!("bearer {token}")).send().await.expect(200);
    for (name, value) in [
        ("Authorization", token.clone()),
        ("Authorization", format!("Basic {token}")),
        ("Authorization", format!("Token {token}")),
        ("Cookie", format!("access_token={token}; Authorization=Bearer {token}")),
        ("X-Access-Token", token.clone()),
        ("X-Forwarded-User", "coordinator".to_owned()),
        ("X-Original-Authorization", format!("Bearer {token}")),
    ] {
        with(name, &value).send().await.expect(401);
    }
    service.get(&format!("agencies?access_token={token}")).send().await.expect(401);
    let twice = with("Authorization", &format!("Bearer {token}")).as_(&token);
    // `as_` replaces; a second header of the same name is another request.
    twice.header("Authorization", "Bearer x").send().await.expect(401);
}
