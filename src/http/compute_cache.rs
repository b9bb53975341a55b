//! What follows from things that never change: computed once however many requests need it (single flight), cached as long as there is room, and
//! worked out off the threads that answer requests. A computation that no request waits for any more is cancelled.

use std::any::Any;
use std::collections::HashMap;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::Problem;
use crate::db::{AdmissionControl, Caller, Limits, Permit};

/// MiB of cached results.
const MIB: u64 = 128;
/// Computations that may wait for a permit; excess ones are rejected.
const QUEUE: usize = 64;
/// Permits at the least, so that one caller's computations leave one to others.
const LEAST_PERMITS: usize = 2;

type Anything = Arc<dyn Any + Send + Sync>;

/// A key that requests wait for (single flight). Known as long as one waits or computes: a computation that failed leaves nothing behind.
#[derive(Default)]
struct Flight {
    result: OnceLock<Anything>,
    /// Tells requests that a computation has begun or ended.
    changed: Notify,
    state: Mutex<FlightState>,
}

#[derive(Default)]
struct FlightState {
    waiting: usize,
    /// Of the computation under way; one at a time.
    computation: Option<CancellationToken>,
}

impl Flight {
    fn state(&self) -> MutexGuard<'_, FlightState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_computing(&self) -> bool {
        self.state().computation.is_some()
    }
}

/// Flights by their keys.
type Flights = Arc<Mutex<HashMap<String, Arc<Flight>>>>;

/// The cached results, and the permits to compute.
pub struct ComputeCache {
    results: Cache<String, (Anything, u32)>,
    flights: Flights,
    permits: AdmissionControl,
}

impl Default for ComputeCache {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let results = Cache::builder()
            .weigher(|key: &String, (_, weight): &(Anything, u32)| {
                weight.saturating_add(u32::try_from(key.len() + 256).unwrap_or(u32::MAX))
            })
            .max_capacity(MIB << 20)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        let permits = processors.max(LEAST_PERMITS);
        let permits = AdmissionControl::new(Limits { permits, per_free: 1, queue: QUEUE });
        Self { results, flights: Flights::default(), permits }
    }
}

impl ComputeCache {
    /// The result cached under `key`, if there is one.
    pub fn cached<T: Send + Sync + 'static>(&self, key: &str) -> Option<Arc<T>> {
        self.results.get(key)?.0.downcast::<T>().ok()
    }

    /// The result cached under `key`, or what the work that `prepare` makes computes, with the bytes it takes. A key stands for one type
    /// and for one value, for ever. Failures are not cached: who waited tries for itself. The permit is the computation's: those who wait
    /// for it need none. `prepare` holds it, and so must not request another result.
    pub async fn get<T, W>(
        &self,
        caller: &Caller,
        key: String,
        prepare: impl AsyncFnOnce() -> Result<W, Problem>,
    ) -> Result<Arc<T>, Problem>
    where
        T: Send + Sync + 'static,
        W: FnOnce(&CancellationToken) -> Result<(T, usize), Problem> + Send + 'static,
    {
        let of_another_kind = |_| Problem::internal("one key for two kinds of results");
        let waiter = Waiter::join(&self.flights, key);
        let flight = &*waiter.flight;
        loop {
            let changed = flight.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let cached = || self.results.get(&waiter.key).map(|(result, _)| result);
            if let Some(result) = flight.result.get().cloned().or_else(cached) {
                return result.downcast().map_err(of_another_kind);
            }
            if flight.is_computing() {
                changed.await;
                continue;
            }
            let permit = tokio::select! {
                () = changed => continue,
                permit = self.permits.admit(caller) => permit?,
            };
            // Another request may have begun meanwhile.
            let Some(turn) = Turn::begin(&waiter) else { continue };
            let work = prepare().await?;
            let results = self.results.clone();
            let done =
                begin(permit, turn.cancelled.clone(), move |cancelled| turn.end(work(cancelled), &results));
            return done.await.map_err(ended_early)?;
        }
    }

    /// Computes for one caller alone. The work checks the token now and then: whether that one has departed.
    pub async fn work<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce(&CancellationToken) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = self.permit(caller).await?;
        let cancelled = CancellationToken::new();
        let _departure = cancelled.clone().drop_guard();
        begin(permit, cancelled, work).await.map_err(ended_early)
    }

    /// A permit to compute, for work that runs elsewhere.
    pub async fn permit(&self, caller: &Caller) -> Result<Permit, Problem> {
        self.permits.admit(caller).await.map_err(Problem::from)
    }

    /// (computations that hold a permit, callers that do, computations that wait)
    pub fn in_use(&self) -> (usize, usize, usize) {
        self.permits.in_use()
    }

    /// How often the queue was full, and how often a caller's share of it was used up.
    pub fn refused(&self) -> (u64, u64) {
        self.permits.refused()
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

/// One of those who wait for a flight.
struct Waiter {
    flights: Flights,
    key: String,
    flight: Arc<Flight>,
}

impl Waiter {
    fn join(flights: &Flights, key: String) -> Self {
        let flight = {
            let mut all = lock(flights);
            let flight = all.entry(key.clone()).or_default().clone();
            // Under the lock of all: it does not go in between.
            flight.state().waiting += 1;
            flight
        };
        Self { flights: flights.clone(), key, flight }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut all = lock(&self.flights);
        let mut state = self.flight.state();
        state.waiting = state.waiting.saturating_sub(1);
        match &state.computation {
            Some(computation) if state.waiting == 0 => computation.cancel(),
            None if state.waiting == 0 => drop(all.remove(&self.key)),
            _ => {}
        }
    }
}

/// The computation of a flight, from its preparation on. It goes on when the request that began it departs, as long as others wait.
struct Turn {
    flights: Flights,
    key: String,
    flight: Arc<Flight>,
    cancelled: CancellationToken,
}

impl Turn {
    /// `None`: one is under way, or was and has succeeded.
    fn begin(waiter: &Waiter) -> Option<Self> {
        let Waiter { flights, key, flight } = waiter;
        let cancelled = CancellationToken::new();
        let mut state = flight.state();
        if state.computation.is_some() || flight.result.get().is_some() {
            return None;
        }
        state.computation = Some(cancelled.clone());
        drop(state);
        flight.changed.notify_waiters();
        Some(Self { flights: flights.clone(), key: key.clone(), flight: flight.clone(), cancelled })
    }

    /// Leaves the result for all who wait, and for later requests. What was cancelled may not be whole.
    fn end<T: Send + Sync + 'static>(
        self,
        made: Result<(T, usize), Problem>,
        results: &Cache<String, (Anything, u32)>,
    ) -> Result<Arc<T>, Problem> {
        let (value, bytes) = made?;
        let value = Arc::new(value);
        if !self.cancelled.is_cancelled() {
            let _ = self.flight.result.set(value.clone());
            results.insert(self.key.clone(), (value.clone(), u32::try_from(bytes).unwrap_or(u32::MAX)));
        }
        Ok(value)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut all = lock(&self.flights);
        let mut state = self.flight.state();
        state.computation = None;
        if state.waiting == 0 {
            all.remove(&self.key);
        }
        drop(state);
        self.flight.changed.notify_waiters();
    }
}

fn lock(flights: &Flights) -> MutexGuard<'_, HashMap<String, Arc<Flight>>> {
    flights.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "compute_cache_tests.rs"]
mod tests;
