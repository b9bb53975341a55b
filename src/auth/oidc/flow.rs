//! The authorization code flow: what a login remembers travels sealed in `state`, so that nothing is stored for who only begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use reqwest::{StatusCode, Url};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::jwt::{Kind, Verified};
use super::provider::Metadata;
use super::{Oidc, Refusal, SignIn, fetch};
use crate::db::Caller;

/// A login at the provider takes at most this long.
const LOGIN_SECONDS: i64 = 600;
const PURPOSE: &str = "ict-index oidc login";

/// What the service has to know again when the user comes back.
#[derive(Serialize, Deserialize)]
struct Remembered {
    nonce: String,
    /// PKCE towards the provider (RFC 7636).
    verifier: String,
    /// Hash of what the client that began keeps to itself.
    challenge: String,
    until: i64,
}

/// A login that comes back to the client that began it.
pub struct Returned(Remembered);

impl Returned {
    /// Names this login among others.
    pub fn key(&self) -> String {
        s256(&self.0.nonce).bytes().filter(u8::is_ascii_alphanumeric).map(char::from).collect()
    }
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
}

fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

fn s256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

impl Oidc {
    /// Where the user goes, for the client that holds what `challenge` is the hash of.
    pub async fn begin(
        &self,
        caller: &Caller,
        challenge: &str,
        now: DateTime<Utc>,
    ) -> Result<String, Refusal> {
        let sign_in = self.sign_in().ok_or(Refusal::Invalid("not configured"))?;
        let metadata = self.provider.metadata(caller, now).await?;
        let remembered = Remembered {
            nonce: random(),
            verifier: random(),
            challenge: challenge.to_owned(),
            until: now.timestamp() + LOGIN_SECONDS,
        };
        let plain = serde_json::to_vec(&remembered).map_err(|_| Refusal::Invalid("state"))?;
        let state = self.keys.seal(PURPOSE, &[], &plain, now).map_err(|_| Refusal::Invalid("state"))?;
        let mut url = Url::parse(&metadata.authorization_endpoint)
            .map_err(|_| Refusal::Unavailable("authorization_endpoint".into()))?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &sign_in.client_id)
            .append_pair("redirect_uri", sign_in.redirect_uri.as_str())
            .append_pair("scope", &sign_in.scope)
            .append_pair("state", &state)
            .append_pair("nonce", &remembered.nonce)
            .append_pair("code_challenge", &s256(&remembered.verifier))
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Opens what was sealed, for the client that began and within ten minutes. Sends no request.
    pub fn returned(
        &self,
        state: &str,
        client_verifier: &str,
        now: DateTime<Utc>,
    ) -> Result<Returned, Refusal> {
        let plain = self.keys.open(PURPOSE, &[], state).ok_or(Refusal::Invalid("state"))?;
        let remembered: Remembered = serde_json::from_slice(&plain).map_err(|_| Refusal::Invalid("state"))?;
        if now.timestamp() >= remembered.until {
            return Err(Refusal::Invalid("state is too old"));
        }
        // A user who was sent a link with another user's code has not begun that login.
        let held = s256(client_verifier);
        if !bool::from(held.as_bytes().ct_eq(remembered.challenge.as_bytes())) {
            return Err(Refusal::Invalid("verifier"));
        }
        Ok(Returned(remembered))
    }

    /// Who has logged in: exchanges the code for an ID token.
    pub async fn finish(
        &self,
        caller: &Caller,
        login: Returned,
        code: &str,
        now: DateTime<Utc>,
    ) -> Result<Verified, Refusal> {
        let sign_in = self.sign_in().ok_or(Refusal::Invalid("not configured"))?;
        let _permit = self.exchanges.try_admit(caller)?;
        let Remembered { nonce, verifier, .. } = login.0;
        let metadata = self.provider.metadata(caller, now).await?;
        let id_token = self.exchange(sign_in, &metadata, code, &verifier).await?;
        self.verify(caller, &id_token, &sign_in.client_id, Kind::Id { nonce: &nonce }, now).await
    }

    async fn exchange(
        &self,
        sign_in: &SignIn,
        metadata: &Metadata,
        code: &str,
        verifier: &str,
    ) -> Result<String, Refusal> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", sign_in.redirect_uri.as_str()),
            ("code_verifier", verifier),
        ];
        let mut request = self.provider.client.post(&metadata.token_endpoint);
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let by_post = !methods.is_empty() && !methods.iter().any(|m| m == "client_secret_basic");
        match &sign_in.client_secret {
            Some(secret) if by_post => {
                form.push(("client_id", sign_in.client_id.as_str()));
                form.push(("client_secret", secret.as_str()));
            }
            // RFC 6749, 2.3.1: encoded as in a form first.
            Some(secret) => request = request.basic_auth(encoded(&sign_in.client_id), Some(encoded(secret))),
            None => form.push(("client_id", sign_in.client_id.as_str())),
        }
        let (status, body) = fetch::send(request.form(&form)).await.map_err(Refusal::Unavailable)?;
        if status.is_server_error() {
            return Err(Refusal::Unavailable(format!("the token endpoint responded with {status}")));
        }
        if status != StatusCode::OK {
            return Err(Refusal::Invalid("the provider refused the code"));
        }
        let answer: TokenAnswer =
            serde_json::from_slice(&body).map_err(|_| Refusal::Invalid("the token endpoint's answer"))?;
        Ok(answer.id_token)
    }
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
