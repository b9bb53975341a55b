//! TokenCache of the provider, judged: signature by a pinned algorithm, then every claim, against our clock.

use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::settings::MfaRule;

/// Clocks may differ by this much.
const SKEW_SECONDS: i64 = 60;
/// Longer tokens are not looked at.
const LONGEST: usize = 16_384;
const LONGEST_SUBJECT: usize = 255;
/// Asymmetric ones: who can verify cannot sign.
const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
];

/// What a token is for, and what it has to say because of that.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// Of one of these clients.
    Access { parties: &'a [String] },
    /// For this login.
    Id { nonce: &'a str },
}

/// What a token is held against.
#[derive(Debug)]
pub struct Expected<'a> {
    pub issuer: &'a str,
    pub audience: &'a str,
    pub kind: Kind<'a>,
    pub subject_claim: &'a str,
    pub mfa: &'a MfaRule,
}

/// Who the provider says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Value of the configured claim.
    pub subject: String,
    /// The provider's word counts as a second factor.
    pub mfa: bool,
    /// Seconds of the epoch between which the token is in force.
    pub from: i64,
    pub until: i64,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    aud: OneOrMany,
    exp: i64,
    nbf: Option<i64>,
    iat: Option<i64>,
    azp: Option<String>,
    client_id: Option<String>,
    nonce: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
    acr: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

pub fn has_foreign_algorithm(token: &str) -> bool {
    token.len() <= LONGEST && decode_header(token).is_ok_and(|header| ALGORITHMS.contains(&header.alg))
}

/// The header of a token that could be the provider's.
pub fn header(token: &str) -> Option<Header> {
    if token.len() > LONGEST {
        return None;
    }
    let header = decode_header(token).ok()?;
    // What says that more has to be understood than is here is refused (RFC 7515, 4.1.11).
    let plain = header.typ.as_deref().is_none_or(|typ| {
        ["jwt", "at+jwt", "application/at+jwt"].contains(&typ.to_ascii_lowercase().as_str())
    });
    (plain && header.crit.is_none() && ALGORITHMS.contains(&header.alg)).then_some(header)
}

/// `Err` says what is wrong, for the log.
pub fn verify(
    token: &str,
    header: &Header,
    key: &Jwk,
    expected: &Expected<'_>,
    now: DateTime<Utc>,
) -> Result<Verified, &'static str> {
    let all = signed_claims(token, header, key)?;
    let claims: Claims = serde_json::from_value(Value::Object(all.clone())).map_err(|_| "claims")?;
    if claims.iss != expected.issuer {
        return Err("iss");
    }
    if !claims.aud.all().iter().any(|aud| aud == expected.audience) {
        return Err("aud");
    }
    check_party(&claims, expected)?;
    let now = now.timestamp();
    let from = claims.nbf.unwrap_or(i64::MIN).saturating_sub(SKEW_SECONDS);
    let until = claims.exp.saturating_add(SKEW_SECONDS);
    if now >= until {
        return Err("exp");
    }
    if now < from || claims.iat.is_some_and(|iat| iat.saturating_sub(SKEW_SECONDS) > now) {
        return Err("nbf or iat");
    }
    let subject = subject(&all, expected.subject_claim).ok_or("no usable subject")?;
    let mfa = expected.mfa.is_met(&claims.amr, claims.acr.as_deref());
    Ok(Verified { subject, mfa, from, until })
}

fn signed_claims(token: &str, header: &Header, key: &Jwk) -> Result<Map<String, Value>, &'static str> {
    if !fits(key, header.alg) {
        return Err("key and algorithm do not fit");
    }
    let mut validation = Validation::new(header.alg);
    // Compared below, with the service's own clock and rules.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_jwk(key).map_err(|_| "the key cannot be used")?;
    decode::<Map<String, Value>>(token, &key, &validation).map(|data| data.claims).map_err(|_| "signature")
}

/// The key is of the algorithm's family, for signatures, and for no other algorithm. A shared secret in a key set is none.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    use Algorithm::{ES256, ES384, PS256, PS384, PS512, RS256, RS384, RS512};
    let family = match &key.algorithm {
        AlgorithmParameters::RSA(_) => {
            matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
        }
        AlgorithmParameters::EllipticCurve(_) => matches!(algorithm, ES256 | ES384),
        _ => false,
    };
    let named = key.common.key_algorithm.is_none_or(|named| named.to_string() == format!("{algorithm:?}"));
    let signs = key.common.public_key_use.as_ref().is_none_or(|r#use| *r#use == PublicKeyUse::Signature);
    family && named && signs
}

fn check_party(claims: &Claims, expected: &Expected<'_>) -> Result<(), &'static str> {
    match expected.kind {
        Kind::Access { parties } => {
            let party = claims.azp.as_ref().or(claims.client_id.as_ref()).ok_or("no azp")?;
            let both_agree = claims.client_id.as_ref().is_none_or(|client| client == party);
            (both_agree && parties.contains(party)).then_some(()).ok_or("azp")
        }
        // OpenID Connect Core, 3.1.3.7.
        Kind::Id { nonce } => {
            let azp = claims.azp.as_deref();
            if azp.is_some_and(|azp| azp != expected.audience)
                || (azp.is_none() && claims.aud.all().len() > 1)
            {
                return Err("azp");
            }
            (claims.nonce.as_deref() == Some(nonce)).then_some(()).ok_or("nonce")
        }
    }
}

fn subject(claims: &Map<String, Value>, name: &str) -> Option<String> {
    let text = claims.get(name)?.as_str()?;
    (!text.is_empty() && text.len() <= LONGEST_SUBJECT).then(|| text.to_owned())
}
