//! What all requests share: the database, the clock, keys, metrics, and the description of the API.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use crate::auth::oidc::Oidc;
use crate::auth::{KeyRing, Passwords, SecondFactor, Tokens};
use crate::clock::Clock;
use crate::db::Db;
use crate::http::answers::Answers;
use crate::http::client_address::{ClientAddress, TrustedProxies};
use crate::http::computed::Computed;
use crate::http::describe::Description;
use crate::http::metrics::Metrics;

/// What all requests share. Cheap to clone.
#[derive(Clone)]
pub struct State {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    clock: Clock,
    keys: KeyRing,
    passwords: Passwords,
    second_factor: SecondFactor,
    metrics: Metrics,
    description: Description,
    tokens: Tokens,
    answers: Answers,
    computed: Computed,
    stopping: AtomicBool,
    trusted_proxies: OnceLock<TrustedProxies>,
    identity_provider: OnceLock<Oidc>,
}

impl State {
    pub fn new(
        db: Db,
        clock: Clock,
        keys: KeyRing,
        passwords: Passwords,
        second_factor: SecondFactor,
        description: Description,
        answers: Answers,
    ) -> Self {
        let inner = Inner {
            db,
            clock,
            keys,
            passwords,
            second_factor,
            metrics: Metrics::default(),
            description,
            tokens: Tokens::default(),
            answers,
            computed: Computed::default(),
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
        &self.inner.keys
    }

    pub fn passwords(&self) -> &Passwords {
        &self.inner.passwords
    }

    /// Who needs a second factor, and the keys that encrypt its secrets.
    pub fn second_factor(&self) -> &SecondFactor {
        &self.inner.second_factor
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

    /// Whose identities are accepted beside the service's own; said once, before serving. Otherwise: nobody's.
    pub fn accept_identities_of(&self, provider: Oidc) {
        let _ = self.inner.identity_provider.set(provider);
    }

    pub fn identity_provider(&self) -> Option<&Oidc> {
        self.inner.identity_provider.get()
    }

    /// Tokens verified a moment ago.
    pub fn tokens(&self) -> &Tokens {
        &self.inner.tokens
    }

    /// Answers kept.
    pub fn answers(&self) -> &Answers {
        &self.inner.answers
    }

    /// What was computed from things that never change.
    pub fn computed(&self) -> &Computed {
        &self.inner.computed
    }

    /// The exposition format of all metrics.
    pub fn render_metrics(&self) -> String {
        let inner = &self.inner;
        inner.metrics.render(&inner.db, inner.answers.counts(), inner.tokens.counts())
    }

    /// Readiness goes first: from now on `/readyz` answers 503.
    pub fn begin_stopping(&self) {
        self.inner.stopping.store(true, Ordering::Relaxed);
    }

    pub fn is_stopping(&self) -> bool {
        self.inner.stopping.load(Ordering::Relaxed)
    }
}
