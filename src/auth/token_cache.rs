//! Tokens verified a moment ago: neither their signature nor their account is looked at again while nothing has changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::Principal;

/// Tokens cached at the most; each takes a kilobyte or so, however long it is.
const MOST: u64 = 10_000;

/// Generations of what a verified token depends on: accounts and sessions, and the keys in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generations {
    pub callers: u64,
    pub keys: u64,
}

/// SHA-256 of a token's text: one of the identity provider may be 16 KiB long, and no memory has to hold what could be sent again.
type Key = [u8; 32];

fn key_of(token: &str) -> Key {
    Sha256::digest(token.as_bytes()).into()
}

/// Principals by their token.
pub struct TokenCache {
    kept: Cache<Key, Arc<Kept>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

struct Kept {
    principal: Arc<Principal>,
    generations: Generations,
    from: i64,
    until: i64,
}

impl Default for TokenCache {
    fn default() -> Self {
        // The least recently used goes first: a flood of new logins must not be refused the place of old ones.
        let kept = Cache::builder().max_capacity(MOST).eviction_policy(EvictionPolicy::lru()).build();
        Self { kept, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }
}

impl TokenCache {
    /// The bearer of a token that was verified under these generations and is in force.
    pub fn find(&self, token: &str, generations: Generations, now: DateTime<Utc>) -> Option<Arc<Principal>> {
        let now = now.timestamp();
        let found = self
            .kept
            .get(&key_of(token))
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
        self.kept.insert(key_of(token), Arc::new(Kept { principal, generations, from, until }));
    }

    /// TokenCache cached.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{AgencyScope, Identity};

    #[test]
    fn tokens_are_told_apart_by_every_character_and_take_the_same_however_long_they_are() {
        let tokens = TokenCache::default();
        let generations = Generations { callers: 1, keys: 1 };
        let now = DateTime::<Utc>::UNIX_EPOCH;
        let long = "x".repeat(16 * 1024);
        let identity = Identity::Client { client_id: "vnpt".into(), scopes: Vec::new() };
        let principal = Arc::new(Principal::new(identity, AgencyScope::All));
        tokens.keep(&long, generations, (0, 60), None, principal.clone());
        assert!(tokens.find(&long, generations, now).is_some_and(|found| Arc::ptr_eq(&found, &principal)));
        assert!(tokens.find(&format!("{long}x"), generations, now).is_none());
        assert!(tokens.find(&long[1..], generations, now).is_none());
        assert_eq!(tokens.kept.iter().map(|(key, _)| key.len()).collect::<Vec<_>>(), [32]);
    }
}
