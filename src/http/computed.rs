//! What follows from things that never change: computed once however many ask, kept as long as there is room, and worked out off
//! the threads that answer requests.

use std::any::Any;
use std::num::NonZero;
use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::{OnceCell, Semaphore};

use super::{Code, Problem};

/// MiB of results that are kept.
const MIB: u64 = 128;
/// Computations that may wait for their turn; further ones are told to come again.
const WAITING: usize = 64;

type Anything = Arc<dyn Any + Send + Sync>;

#[derive(Default)]
struct Slot(OnceCell<(Anything, u32)>);

/// The results kept, and the turns at computing.
pub struct Computed {
    kept: Cache<String, Arc<Slot>>,
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Default for Computed {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let kept = Cache::builder()
            .weigher(|key: &String, slot: &Arc<Slot>| {
                let weight = slot.0.get().map_or(0, |(_, weight)| *weight);
                weight.saturating_add(u32::try_from(key.len() + 256).unwrap_or(u32::MAX))
            })
            .max_capacity(MIB << 20)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self {
            kept,
            turns: Arc::new(Semaphore::new(processors)),
            places: Arc::new(Semaphore::new(processors + WAITING)),
        }
    }
}

impl Computed {
    /// The result kept under `key`, or what `make` makes of it, with the bytes it takes. A key stands for one type and for one
    /// value, for ever. What could not be made is not kept.
    pub async fn get<T: Send + Sync + 'static>(
        &self,
        key: String,
        make: impl AsyncFnOnce() -> Result<(T, usize), Problem>,
    ) -> Result<Arc<T>, Problem> {
        let slot = self.kept.get_with_by_ref(&key, Arc::default);
        let mut made = false;
        let (kept, _) = slot
            .0
            .get_or_try_init(|| async {
                let (value, bytes) = make().await?;
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

    /// Works on a thread of its own, as many at a time as there are processors. It ends its turn itself: a departing caller does not
    /// let another one in beside it.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let busy = || Problem::new(Code::Unavailable).retry_after(2);
        let place = self.places.clone().try_acquire_owned().map_err(|_| busy())?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || {
            let _until_done = (place, turn);
            work()
        });
        done.await.map_err(|error| Problem::internal(format!("a computation ended early: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn many_who_ask_at_once_have_it_made_once() {
        let (computed, made) = (Computed::default(), AtomicUsize::new(0));
        let ask = || {
            computed.get("k".to_owned(), async || {
                made.fetch_add(1, Ordering::Relaxed);
                let value = computed.work(|| 42).await?;
                Ok((value, 8))
            })
        };
        for answer in join_all((0..8).map(|_| ask())).await {
            assert_eq!(*answer.unwrap(), 42);
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_failed_is_tried_again() {
        let computed = Computed::default();
        let failed = computed.get::<u8>("k".to_owned(), async || Err(Problem::not_found())).await;
        assert_eq!(failed.unwrap_err().code, Code::NotFound);
        assert_eq!(*computed.get::<u8>("k".to_owned(), async || Ok((1, 1))).await.unwrap(), 1);
    }
}
