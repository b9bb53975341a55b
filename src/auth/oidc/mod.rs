//! Single sign-on with the province's identity provider: OpenID Connect as a relying party, and bearer tokens of the provider.
//!
//! Off unless it is configured. Nothing here makes accounts: an identity is one that an administrator has linked to a user.

mod fetch;
mod flow;
mod jwt;
mod provider;
mod settings;

use chrono::{DateTime, Utc};
use tokio::sync::Semaphore;

pub use self::fetch::is_allowed as is_allowed_url;
pub use self::flow::Returned;
pub use self::jwt::Verified;
use self::jwt::{Expected, Kind};
use self::provider::{Key, Provider};
pub use self::settings::{MfaRule, OidcSettings, SignIn};
use super::KeyRing;

const MOST_EXCHANGES: usize = 16;

/// The identity provider, as this service uses it.
pub struct Oidc {
    settings: OidcSettings,
    provider: Provider,
    /// Seals what a login remembers while the user is at the provider.
    keys: KeyRing,
    /// Codes that are exchanged at the same time; the rest are refused at once.
    exchanges: Semaphore,
}

/// Why identity not established.
#[derive(Debug)]
pub enum Refusal {
    /// The provider, or what the client brings from it, does not say who this is.
    Invalid(&'static str),
    /// The provider does not answer.
    Unavailable(String),
}

impl Oidc {
    pub fn new(settings: OidcSettings, keys: KeyRing) -> Result<Self, String> {
        let provider = Provider::new(&settings)?;
        Ok(Self { settings, provider, keys, exchanges: Semaphore::new(MOST_EXCHANGES) })
    }

    /// Whether the provider's access tokens are accepted.
    pub fn accepts_bearer(&self) -> bool {
        self.settings.audience.is_some()
    }

    pub fn sign_in(&self) -> Option<&SignIn> {
        self.settings.sign_in.as_ref()
    }

    /// Whether the token can only be another issuer's: this service signs with HS256 alone, and the provider never may.
    pub fn is_foreign(token: &str) -> bool {
        jwt::has_foreign_algorithm(token)
    }

    /// Whose access token it is.
    pub async fn access_token(&self, token: &str, now: DateTime<Utc>) -> Result<Verified, Refusal> {
        let Some(audience) = &self.settings.audience else {
            return Err(Refusal::Invalid("no audience is set"));
        };
        let kind = Kind::Access { parties: &self.settings.authorized_parties };
        self.verify(token, audience, kind, now).await
    }

    async fn verify(
        &self,
        token: &str,
        audience: &str,
        kind: Kind<'_>,
        now: DateTime<Utc>,
    ) -> Result<Verified, Refusal> {
        let header = jwt::header(token).ok_or(Refusal::Invalid("header"))?;
        let kid = header.kid.as_deref().ok_or(Refusal::Invalid("no kid"))?;
        let key = match self.provider.key(kid, now).await {
            Key::Known(key) => key,
            Key::Unknown => return Err(Refusal::Invalid("unknown kid")),
            Key::Unavailable(cause) => return Err(Refusal::Unavailable(cause)),
        };
        let expected = Expected {
            issuer: &self.settings.issuer,
            audience,
            kind,
            subject_claim: &self.settings.username_claim,
            mfa: &self.settings.mfa,
        };
        jwt::verify(token, &header, &key, &expected, now).map_err(Refusal::Invalid)
    }
}

impl Refusal {
    /// A line for the operator; the caller only learns that it failed.
    pub fn log(&self, request_id: &str) {
        let cause = match self {
            Self::Invalid(cause) => *cause,
            Self::Unavailable(cause) => cause.as_str(),
        };
        // What callers bring is theirs to be wrong; that the provider is gone is the operator's.
        let level = if matches!(self, Self::Invalid(_)) { log::Level::Info } else { log::Level::Warn };
        log::log!(target: "oidc", level, cause, request_id; "identity not established");
    }
}
