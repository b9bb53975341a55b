//! The provider's discovery document and keys, cached in memory: read by one request for all who wait (single flight), and not more often than
//! twice a minute, whatever key ids tokens name.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::settings::OidcSettings;
use super::{Refusal, fetch};
use crate::db::{AdmissionControl, Caller, Limits};

/// Keys are read anew when they are older, so that a key that was withdrawn ends.
const FRESH_SECONDS: i64 = 600;
/// While they are being read, and while the provider does not answer, known keys are used for so long.
const STALE_SECONDS: i64 = 3_600;
/// Reads of the keys are at least so far apart.
const INTERVAL_SECONDS: i64 = 30;
const MOST_KEYS: usize = 64;
/// Requests that wait for one read of keys that they cannot do without.
const WAITING: Limits = Limits { permits: 64, per_free: 2, queue: 0 };
/// How long a request that could do with what is known waits for what it begins to read.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

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

/// Cheap to clone; clones share what was read.
#[derive(Clone)]
pub struct Provider {
    issuer: Arc<str>,
    pub client: Client,
    snapshot: Arc<RwLock<Option<Arc<Snapshot>>>>,
    /// When the provider was last queried, and the outcome. Locked during a query.
    last: Arc<Mutex<Last>>,
    waiting: AdmissionControl,
}

#[derive(Default)]
struct Last {
    queried_at: Option<DateTime<Utc>>,
    failure: Option<String>,
}

impl Last {
    fn is_recent(&self, now: DateTime<Utc>) -> bool {
        self.queried_at.is_some_and(|queried| now - queried < Duration::seconds(INTERVAL_SECONDS))
    }
}

impl Provider {
    pub fn new(settings: &OidcSettings) -> Result<Self, String> {
        Ok(Self {
            issuer: settings.issuer.as_str().into(),
            client: fetch::client(settings.ca_file.as_deref())?,
            snapshot: Arc::default(),
            last: Arc::default(),
            waiting: AdmissionControl::new(WAITING),
        })
    }

    pub fn refused_shares(&self) -> u64 {
        self.waiting.refused().1
    }

    /// The key of this id. One that is not known makes the keys be read anew; a known one is good while they are read.
    pub async fn key(
        &self,
        caller: &Caller,
        kid: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Box<Jwk>>, Refusal> {
        let known = |seconds| self.held(now, seconds).and_then(|held| find(&held, kid));
        if let Some(key) = known(FRESH_SECONDS) {
            return Ok(Some(key));
        }
        if known(STALE_SECONDS).is_some() {
            self.renew(now).await;
            return Ok(known(STALE_SECONDS));
        }
        let refreshed = self.refresh(caller, now, |held| find(held, kid).is_some()).await;
        match self.held(now, STALE_SECONDS) {
            Some(held) => Ok(find(&held, kid)),
            None => Err(refreshed.err().unwrap_or_else(|| Refusal::Unavailable("no keys".into()))),
        }
    }

    pub async fn metadata(&self, caller: &Caller, now: DateTime<Utc>) -> Result<Metadata, Refusal> {
        if self.held(now, STALE_SECONDS).is_none() {
            self.refresh(caller, now, |_| true).await?;
        } else if self.held(now, FRESH_SECONDS).is_none() {
            self.renew(now).await;
        }
        let held = self.held(now, STALE_SECONDS);
        held.map(|held| held.metadata.clone())
            .ok_or_else(|| Refusal::Unavailable("no discovery document".into()))
    }

    fn held(&self, now: DateTime<Utc>, seconds: i64) -> Option<Arc<Snapshot>> {
        let snapshot = self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone();
        snapshot.filter(|held| now - held.read_at < Duration::seconds(seconds))
    }

    /// Begins to replace what is old and still good. The request that begins gives the provider a moment, so that a key that was withdrawn
    /// ends at once; all others go on with what is there.
    #[allow(clippy::disallowed_methods, reason = "no database work is inside")]
    async fn renew(&self, now: DateTime<Utc>) {
        let Ok(last) = self.last.clone().try_lock_owned() else { return };
        if last.is_recent(now) || self.held(now, FRESH_SECONDS).is_some() {
            return;
        }
        let _ = timeout(PATIENCE, self.begin_query(last, now)).await;
    }

    /// Queries the provider, unless another request has meanwhile or the last query was a moment ago.
    async fn refresh(
        &self,
        caller: &Caller,
        now: DateTime<Utc>,
        suffices: impl Fn(&Snapshot) -> bool,
    ) -> Result<(), Refusal> {
        let _permit = self.waiting.try_admit(caller)?;
        let last = self.last.clone().lock_owned().await;
        if self.held(now, FRESH_SECONDS).is_some_and(|held| suffices(&held)) {
            return Ok(());
        }
        let outcome = match last.is_recent(now) {
            true => last.failure.clone().map_or(Ok(()), Err),
            false => self.begin_query(last, now).await.unwrap_or_else(|error| Err(error.to_string())),
        };
        outcome.map_err(Refusal::Unavailable)
    }

    /// In a task of its own: others wait for it when the request that began it departs.
    fn begin_query(
        &self,
        mut last: OwnedMutexGuard<Last>,
        now: DateTime<Utc>,
    ) -> JoinHandle<Result<(), String>> {
        let provider = self.clone();
        tokio::spawn(async move {
            last.queried_at = Some(now);
            last.failure = Some("the previous request was interrupted".into());
            let read = provider.read(now).await;
            last.failure = read.as_ref().err().cloned();
            let snapshot = read.inspect_err(|cause| {
                log::warn!(target: "oidc", cause = cause.as_str(); "cannot load the identity provider's keys");
            })?;
            *provider.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(snapshot));
            Ok(())
        })
    }

    async fn read(&self, now: DateTime<Utc>) -> Result<Snapshot, String> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let metadata: Metadata = self.get(&url).await?;
        if *metadata.issuer != *self.issuer {
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
