//! A bounded pool for short work of the processor: a worker that parses or writes a large body answers no other request meanwhile.

use std::num::NonZero;

use super::Problem;
use crate::db::{AdmissionControl, Caller, Limits};

/// Bytes that a worker handles itself; more go to the pool.
pub const INLINE_BYTES: usize = 64 * 1024;
/// Pieces of work that may wait, two thirds of them of one caller; excess ones are rejected.
const QUEUE: usize = 256;

/// As many pieces of work at a time as there are processors; the rest wait.
#[derive(Clone, Debug)]
pub struct Offload(AdmissionControl);

impl Default for Offload {
    fn default() -> Self {
        let permits = std::thread::available_parallelism().map_or(1, NonZero::get);
        // Most pieces take milliseconds: the order of the queue is share enough.
        Self(AdmissionControl::new(Limits { permits, per_free: usize::MAX, queue: QUEUE }))
    }
}

impl Offload {
    /// Runs on a thread of the blocking pool. The permit belongs to the work: a departing caller does not let another in next to it.
    pub async fn run<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = self.0.admit(caller).await?;
        let done = tokio::task::spawn_blocking(move || {
            let _until_done = permit;
            work()
        });
        done.await.map_err(|error| Problem::internal(format!("offloaded work ended early: {error}")))
    }

    /// As [`Offload::run`] for work on more than [`INLINE_BYTES`]; less is done at once.
    pub async fn run_if_large<T: Send + 'static>(
        &self,
        caller: &Caller,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        if bytes <= INLINE_BYTES { Ok(work()) } else { self.run(caller, work).await }
    }

    /// How often the queue was full, and how often a caller's share of it was used up.
    pub fn refused(&self) -> (u64, u64) {
        self.0.refused()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use futures_util::FutureExt;

    use super::*;

    fn caller(name: &str) -> Caller {
        Caller::named(name)
    }

    #[tokio::test]
    async fn large_work_leaves_the_worker_and_small_work_stays() {
        let (offload, worker, caller) = (Offload::default(), thread::current().id(), caller("a"));
        let thread_of =
            async |bytes| offload.run_if_large(&caller, bytes, || thread::current().id()).await.unwrap();
        assert_eq!(thread_of(INLINE_BYTES).await, worker);
        assert_ne!(thread_of(INLINE_BYTES + 1).await, worker);
    }

    #[tokio::test]
    async fn no_more_runs_at_once_than_there_are_processors() {
        let (offload, caller) = (Offload::default(), caller("a"));
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let all = futures::future::join_all((0..2 * processors).map(|_| {
            let pool = offload.clone();
            offload.run(&caller, move || pool.0.in_use().0)
        }));
        for in_use in all.await {
            assert!((1..=processors).contains(&in_use.unwrap()), "the work holds a permit");
        }
        assert_eq!(offload.0.in_use(), (0, 0, 0), "and gives it back");
    }

    #[tokio::test]
    async fn one_callers_work_leaves_another_its_turn() {
        let (offload, hog, other) = (Offload::default(), caller("hog"), caller("other"));
        let running: Vec<_> = std::iter::from_fn(|| offload.0.try_admit(&hog).ok()).collect();
        let mut waiting: Vec<_> = (0..1_000).map(|_| Box::pin(offload.run(&hog, || ()))).collect();
        waiting.retain_mut(|queued| match queued.now_or_never() {
            Some(refused) => {
                assert!(refused.unwrap_err().detail.is_some(), "its share is used up");
                false
            }
            None => true,
        });
        assert_eq!(waiting.len(), 171, "two thirds of the queue");
        assert_eq!(offload.refused(), (1, 829), "the first when it had taken all that run");
        let mut turn = Box::pin(offload.run(&other, || 7));
        assert!((&mut turn).now_or_never().is_none(), "it waits, and is not refused");
        drop(running);
        assert_eq!(turn.await.unwrap(), 7);
    }
}
