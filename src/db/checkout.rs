//! The pool with a bounded checkout queue: excess requests are rejected at once (load shedding).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use deadpool::Status;
use deadpool::managed::{Object, Pool};

use super::DbError;
use super::session::Sessions;

/// Requests that may wait for each pooled connection. At the usual few milliseconds a piece of work they wait a fraction of the
/// time that they are ready to.
const WAITING_FOR_EACH: usize = 8;
/// However small the pool: all that admission control lets in, since the list has no shares.
const LEAST_WAITING: usize = 144;

/// The pool, and how many may wait for it.
#[derive(Clone)]
pub(super) struct CheckoutQueue {
    pool: Pool<Sessions>,
    most: usize,
    refused: Arc<AtomicU64>,
}

impl CheckoutQueue {
    pub fn new(pool: Pool<Sessions>, connections: usize) -> Self {
        Self {
            pool,
            most: connections.saturating_mul(WAITING_FOR_EACH).max(LEAST_WAITING),
            refused: Arc::default(),
        }
    }

    /// A connection, waited for as long as the checkout timeout. [`DbError::Overloaded`] when enough wait already.
    pub async fn checkout(&self) -> Result<Object<Sessions>, DbError> {
        if self.pool.status().waiting >= self.most {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(DbError::Overloaded);
        }
        self.pool.get().await.map_err(|error| DbError::Unavailable(error.to_string()))
    }

    pub fn status(&self) -> Status {
        self.pool.status()
    }

    /// How often enough waited already.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
