//! A bounded pool for short work of the processor: a worker that parses or writes a large body answers no other request meanwhile.

use std::num::NonZero;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{Code, Problem};

/// Bytes that a worker handles itself; more go to the pool.
pub const INLINE_BYTES: usize = 64 * 1024;

/// As many pieces of work at a time as there are processors; the rest wait.
#[derive(Clone, Debug)]
pub struct Offload(Arc<Semaphore>);

impl Default for Offload {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Semaphore::new(processors)))
    }
}

impl Offload {
    /// Runs on a thread of the blocking pool. The permit belongs to the work: a departing caller does not let another in next to it.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let closed = |_| Problem::new(Code::Unavailable).retry_after(1);
        let permit = self.0.clone().acquire_owned().await.map_err(closed)?;
        let done = tokio::task::spawn_blocking(move || {
            let _until_done = permit;
            work()
        });
        done.await.map_err(|error| Problem::internal(format!("offloaded work ended early: {error}")))
    }

    /// As [`Offload::run`] for work on more than [`INLINE_BYTES`]; less is done at once.
    pub async fn run_if_large<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        if bytes <= INLINE_BYTES { Ok(work()) } else { self.run(work).await }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn large_work_leaves_the_worker_and_small_work_stays() {
        let (offload, worker) = (Offload::default(), thread::current().id());
        let thread_of = async |bytes| offload.run_if_large(bytes, || thread::current().id()).await.unwrap();
        assert_eq!(thread_of(INLINE_BYTES).await, worker);
        assert_ne!(thread_of(INLINE_BYTES + 1).await, worker);
    }

    #[tokio::test]
    async fn no_more_runs_at_once_than_there_are_processors() {
        let offload = Offload::default();
        let permits = offload.0.available_permits();
        let all = futures::future::join_all((0..4 * permits).map(|_| {
            let pool = offload.clone();
            offload.run(move || pool.0.available_permits())
        }));
        for left in all.await {
            assert!(left.unwrap() < permits, "the work holds a permit");
        }
        assert_eq!(offload.0.available_permits(), permits, "and gives it back");
    }
}
