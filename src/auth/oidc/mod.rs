//! Single sign-on with the province's identity provider: OpenID Connect as a relying party, and bearer tokens of the provider.
//!
//! Off unless it is configured. Nothing here makes accounts: an identity is one that an administrator has linked to a user.

mod fetch;
mod flow;
mod jwt;
mod provider;
mod settings;

use chrono::{DateTime, Utc};

pub use self::fetch::{client as http_client, is_allowed as is_allowed_url};
pub use self::flow::Returned;
pub use self::jwt::Verified;
use self::jwt::{Expected, Kind};
use self::provider::Provider;
pub use self::settings::{MfaRule, OidcSettings, SignIn};
use super::KeyRing;
use crate::db::{AdmissionControl, Caller, Limits, Refused};
use crate::http::{Problem, ProblemCode};

/// Codes that are exchanged at the same time.
const EXCHANGES: Limits = Limits { permits: 16, per_free: 2, queue: 0 };

/// The identity provider, as this service uses it.
pub struct Oidc {
    settings: OidcSettings,
    provider: Provider,
    /// Seals what a login remembers while the user is at the provider.
    keys: KeyRing,
    exchanges: AdmissionControl,
}

/// Why identity not established.
#[derive(Debug)]
pub enum Refusal {
    /// The provider, or what the client brings from it, does not say who this is.
    Invalid(&'static str),
    /// The provider does not answer.
    Unavailable(String),
    /// Too many wait for it.
    Overloaded(Refused),
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::Overloaded(refused)
    }
}

impl Oidc {
    pub fn new(settings: OidcSettings, keys: KeyRing) -> Result<Self, String> {
        let provider = Provider::new(&settings)?;
        Ok(Self { settings, provider, keys, exchanges: AdmissionControl::new(EXCHANGES) })
    }

    /// Whether the provider's access tokens are accepted.
    pub fn accepts_bearer(&self) -> bool {
        self.settings.audience.is_some()
    }

    pub fn sign_in(&self) -> Option<&SignIn> {
        self.settings.sign_in.as_ref()
    }

    /// How often a caller's share was used up.
    pub fn refused_shares(&self) -> u64 {
        self.exchanges.refused().1 + self.provider.refused_shares()
    }

    /// Whether the token can only be another issuer's: this service signs with HS256 alone, and the provider never may.
    pub fn is_foreign(token: &str) -> bool {
        jwt::has_foreign_algorithm(token)
    }

    /// Whose access token it is.
    pub async fn access_token(
        &self,
        caller: &Caller,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Verified, Refusal> {
        let Some(audience) = &self.settings.audience else {
            return Err(Refusal::Invalid("no audience is set"));
        };
        let kind = Kind::Access { parties: &self.settings.authorized_parties };
        self.verify(caller, token, audience, kind, now).await
    }

    async fn verify(
        &self,
        caller: &Caller,
        token: &str,
        audience: &str,
        kind: Kind<'_>,
        now: DateTime<Utc>,
    ) -> Result<Verified, Refusal> {
        let header = jwt::header(token).ok_or(Refusal::Invalid("header"))?;
        let kid = header.kid.as_deref().ok_or(Refusal::Invalid("no kid"))?;
        let key = self.provider.key(caller, kid, now).await?.ok_or(Refusal::Invalid("unknown kid"))?;
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
            // Counted instead.
            Self::Overloaded(_) => return,
        };
        // What callers bring is theirs to be wrong; that the provider is gone is the operator's.
        let level = if matches!(self, Self::Invalid(_)) { log::Level::Info } else { log::Level::Warn };
        log::log!(target: "oidc", level, cause, request_id; "identity not established");
    }

    /// 401 with this code, or 503.
    pub fn into_problem(self, invalid: ProblemCode) -> Problem {
        match self {
            Self::Invalid(_) => Problem::unauthenticated(invalid),
            Self::Unavailable(_) => Problem::new(ProblemCode::Unavailable).retry_after(30),
            Self::Overloaded(refused) => refused.into(),
        }
    }
}
