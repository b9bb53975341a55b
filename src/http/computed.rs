//! What follows from things that never change: computed once however many ask (single flight), kept as long as there is room, and
//! worked out off the threads that answer requests. A computation that nobody waits for any more is cancelled.

use std::any::Any;
use std::num::NonZero;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Code, Problem};
use crate::db::{AdmissionControl, Caller, Limits, Refused};

/// MiB of results that are kept.
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
    flight: Mutex<Waiting>,
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
    done: JoinHandle<Result<Box<dyn Any + Send>, Problem>>,
    cancelled: CancellationToken,
}

/// The results kept, and the permits to compute.
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
    /// The result kept under `key`, or what `make` makes of it, with the bytes it takes. A key stands for one type and for one
    /// value, for ever. What could not be made is not kept.
    pub async fn get<T: Send + Sync + 'static>(
        &self,
        caller: &Caller,
        key: String,
        make: impl AsyncFnOnce(&Flight<'_>) -> Result<(T, usize), Problem>,
    ) -> Result<Arc<T>, Problem> {
        let slot = self.kept.get_with_by_ref(&key, Arc::default);
        let flight = Flight::join(self, caller, slot.clone());
        let mut made = false;
        let (kept, _) = slot
            .result
            .get_or_try_init(|| async {
                let (value, bytes) = make(&flight).await?;
                made = true;
                let value: Anything = Arc::new(value);
                Ok::<_, Problem>((value, u32::try_from(bytes).unwrap_or(u32::MAX)))
            })
            .await?;
        let kept = kept.clone();
        if made {
            // Its weight is known only now.
            self.kept.insert(key, slot.clone());
        }
        kept.downcast::<T>().map_err(|_| Problem::internal("one key for two kinds of results"))
    }

    /// Computes for one caller alone. The work asks the token now and then whether that one has departed.
    pub async fn work<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce(&CancellationToken) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let cancelled = CancellationToken::new();
        let _departure = cancelled.clone().drop_guard();
        let done = self.start(caller.clone(), cancelled, work).await;
        done.map_err(|error| Problem::internal(format!("a computation ended early: {error}")))?
    }

    /// A permit to compute, for work that runs elsewhere.
    pub async fn permit(&self, caller: &Caller) -> Result<crate::db::Permit, Problem> {
        self.permits.admit(caller).await.map_err(rejected)
    }

    /// (computations that hold a permit, callers that do, computations that wait)
    pub fn in_use(&self) -> (usize, usize, usize) {
        self.permits.in_use()
    }

    /// Begins to work on a thread for what blocks. The thread ends its permit itself: a departing caller does not let another one in
    /// beside it.
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
                permit = permits.admit(caller) => permit.map_err(rejected)?,
            };
            let done = tokio::task::spawn_blocking(move || {
                let _until_done = permit;
                work(&cancelled)
            });
            done.await.map_err(|error| Problem::internal(format!("a computation ended early: {error}")))
        })
    }
}

/// One caller's wait for a result that others may wait for too.
pub struct Flight<'c> {
    computed: &'c Computed,
    caller: &'c Caller,
    slot: Arc<Slot>,
}

impl<'c> Flight<'c> {
    fn join(computed: &'c Computed, caller: &'c Caller, slot: Arc<Slot>) -> Self {
        slot.waiting().callers += 1;
        Self { computed, caller, slot }
    }

    /// As [`Computed::work`], for all who wait: goes on when the caller that began it departs, and is cancelled with the last one.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&CancellationToken) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let mut running = self.slot.running.lock().await;
        if let Some(left) = running.as_mut() {
            let ended = (&mut left.done).await;
            let cancelled = left.cancelled.is_cancelled();
            *running = None;
            if let (false, Ok(Ok(done))) = (cancelled, ended)
                && let Ok(done) = done.downcast::<T>()
            {
                return Ok(*done);
            }
        }
        let cancelled = CancellationToken::new();
        self.slot.waiting().computation = Some(cancelled.clone());
        let boxed = move |token: &CancellationToken| Box::new(work(token)) as Box<dyn Any + Send>;
        let done = self.computed.start(self.caller.clone(), cancelled.clone(), boxed);
        let ended = (&mut running.insert(Running { done, cancelled }).done).await;
        *running = None;
        let done =
            ended.map_err(|error| Problem::internal(format!("a computation ended early: {error}")))??;
        let done = done.downcast::<T>().map_err(|_| Problem::internal("one computation of two kinds"))?;
        Ok(*done)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut waiting = self.slot.waiting();
        waiting.callers = waiting.callers.saturating_sub(1);
        if waiting.callers == 0
            && let Some(computation) = waiting.computation.take()
        {
            computation.cancel();
        }
    }
}

impl Slot {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rejected(refused: Refused) -> Problem {
    match refused {
        Refused::All => Problem::new(Code::Unavailable).retry_after(2),
        Refused::Share => Problem::share_used_up(),
    }
}

/// Nobody is there to read it.
fn departed() -> Problem {
    Problem::new(Code::Unavailable).retry_after(1)
}

#[cfg(test)]
#[path = "computed_tests.rs"]
mod tests;
