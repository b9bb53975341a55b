//! Access tokens: signed JWTs (RFC 9068) of at most 15 minutes. One algorithm, every claim required, checked against our clock.

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::KeyRing;

/// Life of an access token.
pub const ACCESS_TOKEN_SECONDS: i64 = 900;
const ISSUER: &str = "ict-index";
const AUDIENCE: &str = "ict-index-api";
const TYPE: &str = "at+jwt";
/// Longer than any token made here; what is longer is not looked at.
const LONGEST: usize = 4096;

/// What a token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    iss: String,
    aud: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
    pub sub: String,
    /// Counts up when the account's tokens must end: password, role, disabling.
    pub epoch: i32,
    /// Session of a person; absent for a machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    /// Scopes granted to a machine; absent for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// Whom a token is for.
#[derive(Clone, Debug)]
pub enum Subject {
    User { id: Uuid, session: Uuid, epoch: i32 },
    Client { client_id: String, scope: String, epoch: i32 },
}

impl Claims {
    /// In force from the first second to before the second, in seconds of the epoch.
    pub fn validity(&self) -> (i64, i64) {
        (self.nbf, self.exp)
    }
}

impl KeyRing {
    /// Signs a token for `subject`.
    pub fn sign(&self, subject: &Subject, now: DateTime<Utc>) -> Result<String, String> {
        let (kid, secret) = self.read(|keys| keys.signing(now)).ok_or("no key to sign with")?;
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(kid);
        encode(&header, &claims(subject, now), &EncodingKey::from_secret(&secret)).map_err(|e| e.to_string())
    }

    /// The claims of a token that is ours, whole and in force; `None` for any other, whatever is wrong with it.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let header = decode_header(token).ok()?;
        if header.alg != Algorithm::HS256 || header.typ.as_deref() != Some(TYPE) {
            return None;
        }
        // A header that says that more has to be understood than is here (RFC 7515, 4.1.11).
        if header.crit.is_some() {
            return None;
        }
        let kid = header.kid?;
        let secret = self.read(|keys| keys.verifying(&kid))?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Times are compared below, with the service's own clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = decode::<Claims>(token, &DecodingKey::from_secret(&secret), &validation).ok()?.claims;
        let now = now.timestamp();
        (claims.nbf <= now && now < claims.exp && claims.exp - claims.iat <= ACCESS_TOKEN_SECONDS)
            .then_some(claims)
    }
}

fn claims(subject: &Subject, now: DateTime<Utc>) -> Claims {
    let iat = now.timestamp();
    let (sub, epoch, sid, scope) = match subject {
        Subject::User { id, session, epoch } => (id.to_string(), *epoch, Some(*session), None),
        Subject::Client { client_id, scope, epoch } => (client_id.clone(), *epoch, None, Some(scope.clone())),
    };
    Claims {
        iss: ISSUER.into(),
        aud: AUDIENCE.into(),
        iat,
        nbf: iat,
        exp: iat + ACCESS_TOKEN_SECONDS,
        jti: Uuid::now_v7(),
        sub,
        epoch,
        sid,
        scope,
    }
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use serde_json::{Value, json};

    use super::*;
    use crate::auth::TokenKeys;

    fn ring(now: DateTime<Utc>) -> KeyRing {
        KeyRing::new(TokenKeys::generate(now), None)
    }

    fn forged(ring: &KeyRing, now: DateTime<Utc>, header: Value, change: impl FnOnce(&mut Value)) -> String {
        let (kid, secret) = ring.read(|keys| keys.signing(now)).unwrap();
        let subject = Subject::User { id: Uuid::nil(), session: Uuid::nil(), epoch: 1 };
        let mut body = serde_json::to_value(claims(&subject, now)).unwrap();
        change(&mut body);
        let mut head = Header::new(Algorithm::HS256);
        head.typ = header.get("typ").and_then(Value::as_str).map(str::to_owned);
        head.crit = header.get("crit").map(|_| vec!["x".to_owned()]);
        head.kid = header.get("kid").map_or(Some(kid), |k| k.as_str().map(str::to_owned));
        encode(&head, &body, &EncodingKey::from_secret(&secret)).unwrap()
    }

    #[test]
    fn a_token_lives_fifteen_minutes_and_not_a_second_more() {
        let now: DateTime<Utc> = "2018-03-01T00:00:00Z".parse().unwrap();
        let ring = ring(now);
        let token =
            ring.sign(&Subject::User { id: Uuid::nil(), session: Uuid::nil(), epoch: 1 }, now).unwrap();
        assert!(ring.verify(&token, now).is_some());
        assert!(ring.verify(&token, now + Duration::seconds(899)).is_some());
        assert!(ring.verify(&token, now + Duration::seconds(900)).is_none());
        assert!(ring.verify(&token, now - Duration::seconds(1)).is_none());
    }

    #[test]
    fn forgeries_are_refused() {
        let now: DateTime<Utc> = "2018-03-01T00:00:00Z".parse().unwrap();
        let ring = ring(now);
        let good = forged(&ring, now, json!({"typ": "at+jwt"}), |_| {});
        assert!(ring.verify(&good, now).is_some(), "the forger must be able to make a good token");
        let bad = [
            forged(&ring, now, json!({"typ": "JWT"}), |_| {}),
            forged(&ring, now, json!({}), |_| {}),
            forged(&ring, now, json!({"typ": "at+jwt", "kid": "../../etc/passwd"}), |_| {}),
            forged(&ring, now, json!({"typ": "at+jwt", "kid": null}), |_| {}),
            forged(&ring, now, json!({"typ": "at+jwt"}), |c| c["iss"] = json!("other")),
            forged(&ring, now, json!({"typ": "at+jwt", "crit": ["x"]}), |_| {}),
            forged(&ring, now, json!({"typ": "at+jwt"}), |c| c["aud"] = json!("other")),
            forged(&ring, now, json!({"typ": "at+jwt"}), |c| c["exp"] = json!(now.timestamp() + 86_400)),
            forged(&ring, now, json!({"typ": "at+jwt"}), |c| {
                c.as_object_mut().unwrap().remove("exp");
            }),
            forged(&self::ring(now), now, json!({"typ": "at+jwt"}), |_| {}),
        ];
        for token in bad {
            assert!(ring.verify(&token, now).is_none(), "{token}");
        }
        let parts: Vec<_> = good.split('.').collect();
        let none = base64::Engine::encode(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            br#"{"alg":"none","typ":"at+jwt"}"#,
        );
        assert!(ring.verify(&format!("{none}.{}.", parts[1]), now).is_none());
        assert!(ring.verify(&format!("{}.{}.", parts[0], parts[1]), now).is_none());
    }
}
