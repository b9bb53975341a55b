//! Tokens verified a moment ago: neither their signature nor their account is looked at again while nothing has changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::Principal;

/// Tokens kept at the most; each is a kilobyte or so.
const MOST: u64 = 10_000;

/// Generations of what a verified token depends on: accounts and sessions, and the keys in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generations {
    pub callers: u64,
    pub keys: u64,
}

/// Principals by the text of their token.
pub struct Tokens {
    kept: Cache<Box<str>, Arc<Kept>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

struct Kept {
    principal: Arc<Principal>,
    generations: Generations,
    from: i64,
    until: i64,
}

impl Default for Tokens {
    fn default() -> Self {
        // The least recently used goes first: a flood of new logins must not be refused the place of old ones.
        let kept = Cache::builder().max_capacity(MOST).eviction_policy(EvictionPolicy::lru()).build();
        Self { kept, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }
}

impl Tokens {
    /// The bearer of a token that was verified under these generations and is in force.
    pub fn find(&self, token: &str, generations: Generations, now: DateTime<Utc>) -> Option<Arc<Principal>> {
        let now = now.timestamp();
        let found = self
            .kept
            .get(token)
            .filter(|kept| kept.generations == generations && kept.from <= now && now < kept.until);
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found.map(|kept| kept.principal.clone())
    }

    /// Keeps what was found under generations that were read before looking. `until`: when the session ends.
    pub fn keep(
        &self,
        token: &str,
        generations: Generations,
        (from, expires): (i64, i64),
        until: Option<DateTime<Utc>>,
        principal: Arc<Principal>,
    ) {
        let until = until.map_or(expires, |session| session.timestamp().min(expires));
        self.kept.insert(token.into(), Arc::new(Kept { principal, generations, from, until }));
    }

    /// Tokens cached.
    pub fn len(&self) -> u64 {
        self.kept.run_pending_tasks();
        self.kept.entry_count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// (found, not found)
    pub fn counts(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }
}
