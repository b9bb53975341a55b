//! Which statements stay prepared on their connections.
//!
//! Texts that stand in the source are few, and always do. Texts that are put together for a request (filters, orders, groupings)
//! are as many as callers care to send: of those only the ones that are used often do, few for the whole process.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use foldhash::fast::RandomState;
use moka::sync::Cache;

/// Composed texts whose uses are counted, and that may therefore be prepared. What is used often stays among them however many
/// others come once (TinyLFU).
const MOST_COMPOSED: u64 = 256;
/// A composed text is prepared from this use on.
const OFTEN: u32 = 3;

static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);
static USES: LazyLock<Cache<u64, Arc<AtomicU32>>> = LazyLock::new(|| Cache::new(MOST_COMPOSED));

/// Counts a use of a composed text; whether it is worth being prepared. The same for all connections: the servers are the same.
pub(super) fn is_used_often(text: &str) -> bool {
    let uses = USES.get_with(SEED.hash_one(text), Arc::default);
    uses.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= OFTEN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_often_is_prepared_and_what_comes_once_displaces_none_of_it() {
        let hot: Vec<String> = (0..40).map(|n| format!("select {n} -- hot")).collect();
        for _ in 0..20 {
            let _ = hot.iter().filter(|text| is_used_often(text)).count();
        }
        assert!(!is_used_often("select 1 -- once"));
        for n in 0..20_000 {
            assert!(!is_used_often(&format!("select {n} -- flood")));
            // Hot texts go on being used, now and then.
            if n % 50 == 0 {
                let _ = hot.iter().filter(|text| is_used_often(text)).count();
            }
        }
        USES.run_pending_tasks();
        assert!(hot.iter().all(|text| is_used_often(text)), "a flood took a hot statement's place");
        assert!(USES.entry_count() <= MOST_COMPOSED);
    }
}
