//! What all requests share: the database, the clock, keys, metrics, and the description of the API.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::auth::oidc::Oidc;
use crate::auth::{KeyRing, Passwords, Permission, SecondFactor, TokenCache};
use crate::clock::Clock;
use crate::db::Db;
use crate::http::bodies::BodyMemory;
use crate::http::client_address::{ClientAddress, TrustedProxies};
use crate::http::compute_cache::ComputeCache;
use crate::http::metrics::Metrics;
use crate::http::offload::Offload;
use crate::http::openapi::Description;
use crate::http::response_cache::ResponseCache;

/// How callers prove who they are.
#[derive(Clone)]
pub struct Authentication {
    pub keys: KeyRing,
    pub passwords: Passwords,
    /// Who needs a second factor, and the keys that encrypt its secrets.
    pub second_factor: SecondFactor,
}

/// What all requests share. Cheap to clone.
#[derive(Clone)]
pub struct State {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    clock: Clock,
    authentication: Authentication,
    metrics: Metrics,
    description: Description,
    tokens: TokenCache,
    answers: ResponseCache,
    computed: ComputeCache,
    bodies: BodyMemory,
    offload: Offload,
    /// Paths whose answers the response cache keeps, and the permissions that their operations require.
    response_cached: Box<[(Box<str>, Permission)]>,
    metrics_apart: AtomicBool,
    admitting: AtomicBool,
    stopping: AtomicBool,
    trusted_proxies: OnceLock<TrustedProxies>,
    identity_provider: OnceLock<Oidc>,
}

impl State {
    /// It admits no request yet: [`State::admit_requests`].
    pub fn new(
        db: Db,
        clock: Clock,
        authentication: Authentication,
        description: Description,
        answers: ResponseCache,
        bodies: BodyMemory,
    ) -> Self {
        let response_cached = response_cached(&description);
        let inner = Inner {
            db,
            clock,
            authentication,
            metrics: Metrics::default(),
            description,
            tokens: TokenCache::default(),
            answers,
            computed: ComputeCache::default(),
            bodies,
            offload: Offload::default(),
            response_cached,
            metrics_apart: AtomicBool::new(false),
            admitting: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            trusted_proxies: OnceLock::new(),
            identity_provider: OnceLock::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// For [`crate::auth`] and the health endpoints; handlers reach the database through their `Access`.
    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    pub fn keys(&self) -> &KeyRing {
        &self.inner.authentication.keys
    }

    pub fn passwords(&self) -> &Passwords {
        &self.inner.authentication.passwords
    }

    /// Who needs a second factor, and the keys that encrypt its secrets.
    pub fn second_factor(&self) -> &SecondFactor {
        &self.inner.authentication.second_factor
    }

    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    pub fn description(&self) -> &Description {
        &self.inner.description
    }

    /// Proxies whose word on the client's address is taken; said once, before serving. Otherwise: none.
    pub fn trust_proxies(&self, proxies: TrustedProxies) {
        let _ = self.inner.trusted_proxies.set(proxies);
    }

    /// Where a request comes from.
    pub fn client_of(&self, request: &actix_web::HttpRequest) -> ClientAddress {
        self.inner.trusted_proxies.get_or_init(TrustedProxies::default).client_of(request)
    }

    /// Whose identities are accepted in addition to the service's own; set once, before serving. Otherwise: none.
    pub fn accept_identities_of(&self, provider: Oidc) {
        let _ = self.inner.identity_provider.set(provider);
    }

    pub fn identity_provider(&self) -> Option<&Oidc> {
        self.inner.identity_provider.get()
    }

    /// TokenCache verified a moment ago.
    pub fn tokens(&self) -> &TokenCache {
        &self.inner.tokens
    }

    /// Answers kept.
    pub fn answers(&self) -> &ResponseCache {
        &self.inner.answers
    }

    /// What was computed from things that never change.
    pub fn computed(&self) -> &ComputeCache {
        &self.inner.computed
    }

    /// Memory for request bodies.
    pub fn bodies(&self) -> &BodyMemory {
        &self.inner.bodies
    }

    /// Where work goes that would hold a worker.
    pub fn offload(&self) -> &Offload {
        &self.inner.offload
    }

    /// What a caller needs for the cached answers of this path; `None`: its operation did not opt into the response cache.
    pub fn response_cached(&self, path: &str) -> Option<Permission> {
        self.inner
            .response_cached
            .iter()
            .find(|(cached, _)| **cached == *path)
            .map(|(_, permission)| *permission)
    }

    /// The exposition format of all metrics.
    pub fn render_metrics(&self) -> String {
        let inner = &self.inner;
        let (answers, tokens, bodies) =
            (inner.answers.counts(), inner.tokens.counts(), inner.bodies.counts());
        inner.metrics.render(&inner.db, answers, tokens, bodies, self.refused_shares())
    }

    /// How often a caller alone had its share of something under way.
    fn refused_shares(&self) -> u64 {
        let inner = &self.inner;
        let (_, _, database) = inner.db.refused();
        let processor = inner.offload.refused().1 + inner.computed.refused().1 + self.passwords().refused().1;
        let provider = self.identity_provider().map_or(0, Oidc::refused_shares);
        database + processor + inner.bodies.refused_shares() + provider
    }

    /// Metrics have a listener of their own from now on: `/metrics` of the API is 404.
    pub fn serve_metrics_apart(&self) {
        self.inner.metrics_apart.store(true, Ordering::Relaxed);
    }

    pub fn are_metrics_apart(&self) -> bool {
        self.inner.metrics_apart.load(Ordering::Relaxed)
    }

    /// The preflight has found the database fit: operations are answered from now on, and `/readyz` looks at the database.
    pub fn admit_requests(&self) {
        self.inner.admitting.store(true, Ordering::Release);
    }

    pub fn is_admitting(&self) -> bool {
        self.inner.admitting.load(Ordering::Acquire)
    }

    /// Readiness goes first: from now on `/readyz` answers 503.
    pub fn begin_stopping(&self) {
        self.inner.stopping.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.inner.stopping.load(Ordering::Relaxed)
    }
}

/// An operation whose permission is not known is not cached; `tests/api/caches.rs` lists those that are.
fn response_cached(description: &Description) -> Box<[(Box<str>, Permission)]> {
    let permission = |name: &str| Permission::ALL.iter().copied().find(|one| one.as_str() == name);
    let cached = description.response_cached().iter();
    cached.filter_map(|one| Some((one.path.as_str().into(), permission(&one.permission)?))).collect()
}
