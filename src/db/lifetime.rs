//! When a connection has served long enough: by its age, and by how many statements it keeps prepared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Statements that a connection keeps prepared at the most, before it is replaced. Those of the source are some 300; of those
/// that are composed for requests `prepared.rs` lets few through. Each costs the server some 35 kB.
pub const MOST_PREPARED: u32 = 640;
/// It is replaced when there is room for so many: it may have to serve on until another one is open.
const RESERVE: u32 = 64;

/// Of one connection. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub(super) struct Lifetime {
    ends: Instant,
    prepared: Arc<AtomicU32>,
}

impl Lifetime {
    /// Begins now and ends within `most`: up to a fifth earlier, so that connections opened together do not end together.
    pub fn within(most: Duration) -> Self {
        let ends = Instant::now() + most.mul_f64(rand::random_range(0.8..=1.0));
        Self { ends, prepared: Arc::default() }
    }

    pub fn statement_prepared(&self) {
        self.prepared.fetch_add(1, Ordering::Relaxed);
    }

    pub fn is_over(&self) -> bool {
        self.prepared.load(Ordering::Relaxed) >= MOST_PREPARED - RESERVE || Instant::now() >= self.ends
    }

    /// It may serve no longer, whether or not another one can be had.
    pub fn is_full(&self) -> bool {
        self.prepared.load(Ordering::Relaxed) >= MOST_PREPARED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_replaced_for_its_age_or_for_its_statements() {
        assert!(Lifetime::within(Duration::ZERO).is_over());
        let young = Lifetime::within(Duration::from_secs(3600));
        for _ in 1..MOST_PREPARED - RESERVE {
            young.clone().statement_prepared();
        }
        assert!(!young.is_over());
        young.statement_prepared();
        assert!(young.is_over() && !young.is_full());
        for _ in 0..RESERVE {
            young.statement_prepared();
        }
        assert!(young.is_full());
    }
}
