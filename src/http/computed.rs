//! What follows from things that never change: computed once however many requests need it (single flight), cached as long as there is room, and
//! worked out off the threads that answer requests. A computation that no request waits for any more is cancelled.

use std::any::Any;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::{Notify, OnceCell};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{Code, Problem};
use crate::db::{AdmissionControl, Caller, Limits, Permit};

/// MiB of cached results.
const MIB: u64 = 128;
/// Computations that may wait for a permit; excess ones are rejected.
const QUEUE: usize = 64;
/// Permits at the least, so that one caller's computations leave one to others.
const LEAST_PERMITS: usize = 2;

type Anything = Arc<dyn Any + Send + Sync>;

/// A result, and the computation of it while there is none.
#[derive(Default)]
struct Slot {
    result: OnceCell<(Anything, u32)>,
    /// Wakes requests that wait for a permit when another one has made the result.
    made: Notify,
    flight: Mutex<Waiting>,
    /// Held by the request that makes the result, with a permit of its own.
    running: tokio::sync::Mutex<Option<Running>>,
}

/// Who waits for a slot's result.
#[derive(Default)]
struct Waiting {
    callers: usize,
    computation: Option<CancellationToken>,
}

/// A computation under way. It outlives the caller that began it as long as others wait for the same result.
struct Running {
    done: JoinHandle<Box<dyn Any + Send>>,
    cancelled: CancellationToken,
}

/// The cached results, and the permits to compute.
pub struct Computed {
    kept: Cache<String, Arc<Slot>>,
    permits: AdmissionControl,
}

impl Default for Computed {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let kept = Cache::builder()
            .weigher(|key: &String, slot: &Arc<Slot>| {
                let weight = slot.result.get().map_or(0, |(_, weight)| *weight);
                weight.saturating_add(u32::try_from(key.len() + 256).unwrap_or(u32::MAX))
            })
            .max_capacity(MIB << 20)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        let permits = processors.max(LEAST_PERMITS);
        Self { kept, permits: AdmissionControl::new(Limits { permits, per_free: 1, queue: QUEUE }) }
    }
}

impl Computed {
    /// The result cached under `key`, if there is one.
    pub fn cached<T: Send + Sync + 'static>(&self, key: &str) -> Option<Arc<T>> {
        let slot = self.kept.get(key)?;
        slot.result.get()?.0.clone().downcast::<T>().ok()
    }

    /// The result cached under `key`, or what `make` makes of it, with the bytes it takes. A key stands for one type and for one
    /// value, for ever. Failures are not cached. `make` holds a permit and so must not request another result.
    pub async fn get<T: Send + Sync + 'static>(
        &self,
        caller: &Caller,
        key: String,
        make: impl AsyncFnOnce(Flight<'_>) -> Result<(T, usize), Problem>,
    ) -> Result<Arc<T>, Problem> {
        let slot = self.kept.get_with_by_ref(&key, Arc::default);
        let _waiting = Waiter::join(slot.clone());
        let result = loop {
            let made = slot.made.notified();
            tokio::pin!(made);
            made.as_mut().enable();
            if let Some((result, _)) = slot.result.get() {
                break result.clone();
            }
            if slot.running.try_lock().is_err() {
                drop(slot.running.lock().await);
                continue;
            }
            // Each request takes a permit of its own caller: one that waits for its caller's share delays no other caller.
            let permit = tokio::select! {
                () = made => continue,
                permit = self.permits.admit(caller.clone()) => permit?,
            };
            // Another request may have begun meanwhile, with a permit of its own.
            let Ok(mut running) = slot.running.try_lock() else { continue };
            let (value, bytes) = make(Flight { slot: &slot, permit, running: &mut running }).await?;
            let value: Anything = Arc::new(value);
            let weight = u32::try_from(bytes).unwrap_or(u32::MAX);
            let _ = slot.result.set((value.clone(), weight));
            slot.made.notify_waiters();
            // Its weight is known only now.
            self.kept.insert(key, slot.clone());
            break value;
        };
        result.downcast::<T>().map_err(|_| Problem::internal("one key for two kinds of results"))
    }

    /// Computes for one caller alone. The work checks the token now and then: whether that one has departed.
    pub async fn work<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce(&CancellationToken) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let cancelled = CancellationToken::new();
        let _departure = cancelled.clone().drop_guard();
        let done = self.start(caller.clone(), cancelled, work).await;
        done.map_err(ended_early)?
    }

    /// A permit to compute, for work that runs elsewhere.
    pub async fn permit(&self, caller: &Caller) -> Result<crate::db::Permit, Problem> {
        self.permits.admit(caller).await.map_err(Problem::from)
    }

    /// (computations that hold a permit, callers that do, computations that wait)
    pub fn in_use(&self) -> (usize, usize, usize) {
        self.permits.in_use()
    }

    /// Takes a permit, and begins.
    fn start<T: Send + 'static>(
        &self,
        caller: Caller,
        cancelled: CancellationToken,
        work: impl FnOnce(&CancellationToken) -> T + Send + 'static,
    ) -> JoinHandle<Result<T, Problem>> {
        let permits = self.permits.clone();
        tokio::spawn(async move {
            let permit = tokio::select! {
                () = cancelled.cancelled() => return Err(departed()),
                permit = permits.admit(caller) => permit?,
            };
            begin(permit, cancelled, work).await.map_err(ended_early)
        })
    }
}

/// Begins to work on a thread for what blocks. The thread ends its permit itself: a departing caller does not let another one in
/// next to it.
fn begin<T: Send + 'static>(
    permit: Permit,
    cancelled: CancellationToken,
    work: impl FnOnce(&CancellationToken) -> T + Send + 'static,
) -> JoinHandle<T> {
    tokio::task::spawn_blocking(move || {
        let _until_done = permit;
        work(&cancelled)
    })
}

fn ended_early(error: JoinError) -> Problem {
    Problem::internal(format!("a computation ended early: {error}"))
}

/// One of those who wait for a slot's result.
struct Waiter(Arc<Slot>);

impl Waiter {
    fn join(slot: Arc<Slot>) -> Self {
        slot.waiting().callers += 1;
        Self(slot)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.callers = waiting.callers.saturating_sub(1);
        if waiting.callers == 0
            && let Some(computation) = waiting.computation.take()
        {
            computation.cancel();
        }
    }
}

/// The turn of the caller who makes a result that others may wait for too.
pub struct Flight<'s> {
    slot: &'s Slot,
    permit: Permit,
    running: &'s mut Option<Running>,
}

impl Flight<'_> {
    /// As [`Computed::work`], for all who wait: goes on when the caller that began it departs, and is cancelled with the last one.
    pub async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce(&CancellationToken) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let Self { slot, permit, running } = self;
        if let Some(left) = running.as_mut() {
            let ended = (&mut left.done).await;
            let cancelled = left.cancelled.is_cancelled();
            *running = None;
            if let (false, Ok(done)) = (cancelled, ended)
                && let Ok(done) = done.downcast::<T>()
            {
                return Ok(*done);
            }
        }
        let cancelled = CancellationToken::new();
        slot.waiting().computation = Some(cancelled.clone());
        let boxed = move |token: &CancellationToken| Box::new(work(token)) as Box<dyn Any + Send>;
        let done = begin(permit, cancelled.clone(), boxed);
        let ended = (&mut running.insert(Running { done, cancelled }).done).await;
        *running = None;
        let done = ended.map_err(ended_early)?.downcast::<T>();
        done.map(|done| *done).map_err(|_| Problem::internal("one computation of two kinds"))
    }
}

impl Slot {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The caller is gone; the answer is not read.
fn departed() -> Problem {
    Problem::new(Code::Unavailable).retry_after(1)
}

#[cfg(test)]
#[path = "computed_tests.rs"]
mod tests;
