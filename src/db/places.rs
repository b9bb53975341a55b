//! A bound on requests that the pool works for, from their first question to their answer.
//!
//! The pool alone does not bound them: it gives its connection to the next one as soon as the rows are read, while what is read still
//! waits to be written as an answer. Where writing is the slower half, rows would pile up in memory and every answer would come late.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Fault;

/// Requests for each pooled connection: one that is worked for, and five that wait before or behind it. At the usual few
/// milliseconds a piece of work they wait a fraction of the time that they are ready to.
const FOR_EACH: usize = 6;
/// However small the pool: requests that hold a place while they wait for a processor must not take the last one.
const LEAST: usize = 96;

#[derive(Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    refused: Arc<AtomicU64>,
}

/// One request's; given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    _held: OwnedSemaphorePermit,
}

impl Places {
    pub fn new(connections: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(connections.saturating_mul(FOR_EACH).max(LEAST))),
            refused: Arc::default(),
        }
    }

    /// [`Fault::Overloaded`] when all are taken: whoever comes on top is told so at once.
    pub fn take(&self) -> Result<Place, Fault> {
        match self.free.clone().try_acquire_owned() {
            Ok(held) => Ok(Place { _held: held }),
            Err(_) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(Fault::Overloaded)
            }
        }
    }

    /// How often all were taken.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_on_top_is_told_at_once_until_somebody_is_answered() {
        assert_eq!(Places::new(1).free.available_permits(), LEAST);
        let places = Places::new(20);
        let mut taken: Vec<Place> = (0..120).map(|_| places.take().unwrap()).collect();
        assert!(matches!(places.take(), Err(Fault::Overloaded)));
        assert!(matches!(places.clone().take(), Err(Fault::Overloaded)), "shared by all");
        assert_eq!(places.refused(), 2);
        taken.pop();
        let _next = places.take().unwrap();
        assert!(places.take().is_err());
    }
}
