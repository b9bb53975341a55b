//! The provider's discovery document and keys, cached in memory: read by one request for all who wait (single flight), and not more often than
//! twice a minute, whatever key ids tokens name.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};

use super::fetch;
use super::settings::OidcSettings;

/// Keys are read anew when they are older, so that a key that was withdrawn ends.
const FRESH_SECONDS: i64 = 600;
/// While the provider does not answer, keys are used for so long.
const STALE_SECONDS: i64 = 3_600;
/// Reads of the keys are at least so far apart.
const INTERVAL_SECONDS: i64 = 30;
const MOST_KEYS: usize = 64;
/// Requests that wait for one read; the rest are refused at once.
const MOST_WAITING: usize = 64;

/// What discovery says (OpenID Connect Discovery, 3), as far as it is used.
#[derive(Clone, Debug, Deserialize)]
pub struct Metadata {
    issuer: String,
    pub authorization_endpoint: String,
    pub token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
}

#[derive(Debug)]
struct Snapshot {
    metadata: Metadata,
    keys: JwkSet,
    read_at: DateTime<Utc>,
}

/// What became of the search for a key.
pub enum Key {
    Known(Box<Jwk>),
    Unknown,
    Unavailable(String),
}

pub struct Provider {
    issuer: String,
    pub client: Client,
    snapshot: RwLock<Option<Arc<Snapshot>>>,
    /// When the provider was last queried, and the outcome. Locked during a query.
    last: Arc<Mutex<Last>>,
    waiting: Semaphore,
}

#[derive(Default)]
struct Last {
    queried_at: Option<DateTime<Utc>>,
    failure: Option<String>,
}

impl Provider {
    pub fn new(settings: &OidcSettings) -> Result<Self, String> {
        Ok(Self {
            issuer: settings.issuer.clone(),
            client: fetch::client(settings.ca_file.as_deref())?,
            snapshot: RwLock::default(),
            last: Arc::default(),
            waiting: Semaphore::new(MOST_WAITING),
        })
    }

    /// The key of this id; an id that is not known makes the keys be read anew.
    pub async fn key(&self, kid: &str, now: DateTime<Utc>) -> Key {
        if let Some(key) = self.held(now, FRESH_SECONDS).and_then(|held| find(&held, kid)) {
            return Key::Known(key);
        }
        let refreshed = self.refresh(now, |held| find(held, kid).is_some()).await;
        match (self.held(now, STALE_SECONDS), refreshed) {
            (Some(held), _) => find(&held, kid).map_or(Key::Unknown, Key::Known),
            (None, Ok(())) => Key::Unavailable("no keys".into()),
            (None, Err(cause)) => Key::Unavailable(cause),
        }
    }

    pub async fn metadata(&self, now: DateTime<Utc>) -> Result<Metadata, String> {
        if let Some(held) = self.held(now, FRESH_SECONDS) {
            return Ok(held.metadata.clone());
        }
        let refreshed = self.refresh(now, |_| true).await;
        match self.held(now, STALE_SECONDS) {
            Some(held) => Ok(held.metadata.clone()),
            None => Err(refreshed.err().unwrap_or_else(|| "no discovery document".into())),
        }
    }

    fn held(&self, now: DateTime<Utc>, seconds: i64) -> Option<Arc<Snapshot>> {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone();
        snapshot.filter(|held| now - held.read_at < Duration::seconds(seconds))
    }

    /// Queries the provider, unless another request has meanwhile or the last query was a moment ago.
    async fn refresh(&self, now: DateTime<Utc>, suffices: impl Fn(&Snapshot) -> bool) -> Result<(), String> {
        let Ok(_permit) = self.waiting.try_acquire() else {
            return Err("too many requests wait for the keys".into());
        };
        let mut last = self.last.lock().await;
        if self.held(now, FRESH_SECONDS).is_some_and(|held| suffices(&held)) {
            return Ok(());
        }
        if last.queried_at.is_some_and(|queried| now - queried < Duration::seconds(INTERVAL_SECONDS)) {
            return last.failure.clone().map_or(Ok(()), Err);
        }
        last.queried_at = Some(now);
        last.failure = Some("the previous request was interrupted".into());
        let read = self.read(now).await;
        last.failure = read.as_ref().err().cloned();
        let snapshot = read.inspect_err(|cause| {
            log::warn!(target: "oidc", cause = cause.as_str(); "cannot load the identity provider's keys");
        })?;
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(snapshot));
        Ok(())
    }

    async fn read(&self, now: DateTime<Utc>) -> Result<Snapshot, String> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let metadata: Metadata = self.get(&url).await?;
        if metadata.issuer != self.issuer {
            return Err("discovery names another issuer".into());
        }
        let urls = [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri];
        if !urls.iter().all(|url| fetch::is_allowed(url)) {
            return Err("discovery names an address without TLS".into());
        }
        let keys: RawKeys = self.get(&metadata.jwks_uri).await?;
        // Keys of kinds that are not known here are others' business.
        let keys = keys.keys.into_iter().take(MOST_KEYS).filter_map(|key| serde_json::from_value(key).ok());
        Ok(Snapshot { metadata, keys: JwkSet { keys: keys.collect() }, read_at: now })
    }

    async fn get<T: for<'de> Deserialize<'de>>(&self, url: &str) -> Result<T, String> {
        let (status, body) = fetch::send(self.client.get(url).header("accept", "application/json")).await?;
        if status != StatusCode::OK {
            return Err(format!("the provider responded with {status}"));
        }
        serde_json::from_slice(&body).map_err(|e| format!("invalid response of the provider: {e}"))
    }
}

#[derive(Deserialize)]
struct RawKeys {
    keys: Vec<serde_json::Value>,
}

fn find(held: &Snapshot, kid: &str) -> Option<Box<Jwk>> {
    held.keys.find(kid).cloned().map(Box::new)
}
