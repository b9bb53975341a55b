//! Admission control: a bound on concurrent work, in all and for each caller. Excess requests are rejected at once (load shedding) or
//! wait in a bounded queue.
//!
//! A caller's share is a dynamic threshold (Choudhury and Hahne, 1998): it may hold so many permits for each one that is free. A
//! caller alone gets most of them, several get less each, and one who comes new finds a free permit, whatever the others do. The
//! queue has the same rule, and serves the caller first who holds the fewest permits.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::DbError;

/// Who is charged for a permit: an account, a machine client, a source of batches, or a network address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller(Arc<str>);

impl Caller {
    /// The name states its kind, such as `user:admin` or `source:vnpt`.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The service itself, and its command line.
    pub fn system() -> Self {
        Self::named("system")
    }
}

/// Who is charged: one caller, or a caller and the source it delivers for.
#[derive(Clone, Debug)]
pub struct Charged(Caller, Option<Caller>);

impl Charged {
    pub fn and(self, other: Caller) -> Self {
        Self(self.0, Some(other))
    }

    fn each(&self) -> impl Iterator<Item = &Caller> {
        std::iter::once(&self.0).chain(&self.1)
    }

    fn includes(&self, caller: &Caller) -> bool {
        self.each().any(|charged| charged == caller)
    }
}

impl From<Caller> for Charged {
    fn from(caller: Caller) -> Self {
        Self(caller, None)
    }
}

impl From<&Caller> for Charged {
    fn from(caller: &Caller) -> Self {
        Self(caller.clone(), None)
    }
}

/// What is bounded.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub permits: usize,
    /// Permits that a caller may hold for each free one; `usize::MAX`: all, where permits are given back within milliseconds and the
    /// queue's order is share enough.
    pub per_free: usize,
    /// Requests that may wait for a permit.
    pub queue: usize,
}

/// A caller may fill two thirds of a queue, and leaves one.
const QUEUED_PER_FREE: usize = 2;

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// All permits are taken.
    All,
    /// The caller's own share is used up.
    Share,
}

impl From<Refused> for DbError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::All => Self::Overloaded,
            Refused::Share => Self::ShareUsedUp,
        }
    }
}

/// Cheap to clone; clones share the permits.
#[derive(Clone)]
pub struct AdmissionControl {
    inner: Arc<Inner>,
}

struct Inner {
    limits: Limits,
    state: Mutex<State>,
    refused: AtomicU64,
    shares_refused: AtomicU64,
}

#[derive(Default)]
struct State {
    in_use: usize,
    /// Only callers that hold a permit, so it is never larger than there are permits.
    held: HashMap<Caller, usize>,
    queue: VecDeque<Waiting>,
}

struct Waiting {
    charged: Charged,
    ready: oneshot::Sender<Permit>,
}

/// The right to go on; given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    control: AdmissionControl,
    charged: Charged,
}

impl std::fmt::Debug for AdmissionControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AdmissionControl").field(&self.inner.limits).finish()
    }
}

impl AdmissionControl {
    pub fn new(limits: Limits) -> Self {
        let (state, refused, shares_refused) = (Mutex::default(), AtomicU64::new(0), AtomicU64::new(0));
        Self { inner: Arc::new(Inner { limits, state, refused, shares_refused }) }
    }

    /// A permit at once, or none.
    pub fn try_admit(&self, charged: impl Into<Charged>) -> Result<Permit, Refused> {
        let charged = charged.into();
        let admitted = self.state().admit(self.inner.limits, &charged);
        match admitted {
            Ok(()) => Ok(self.permit(charged)),
            Err(refused) => Err(self.count(refused)),
        }
    }

    /// A permit, waited for as long as there is room in the queue. A caller that departs leaves the queue.
    pub async fn admit(&self, charged: impl Into<Charged>) -> Result<Permit, Refused> {
        let charged = charged.into();
        let waiting = {
            let mut state = self.state();
            if state.admit(self.inner.limits, &charged).is_ok() {
                drop(state);
                return Ok(self.permit(charged));
            }
            match state.enqueue(self.inner.limits, charged) {
                Ok(waiting) => waiting,
                Err(refused) => return Err(self.count(refused)),
            }
        };
        waiting.await.map_err(|_| self.count(Refused::All))
    }

    /// Why one who has waited in vain is not admitted now.
    pub fn refusal(&self, charged: &Charged) -> Refused {
        let state = self.state();
        self.count(state.may_admit(self.inner.limits, charged).err().unwrap_or(Refused::All))
    }

    /// How often all permits were taken, and how often a caller's share was used up.
    pub fn refused(&self) -> (u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&self.inner.refused), read(&self.inner.shares_refused))
    }

    /// (permits in use, callers that hold one, requests that wait)
    pub fn in_use(&self) -> (usize, usize, usize) {
        let state = self.state();
        let waiting = state.queue.iter().filter(|waiting| !waiting.ready.is_closed()).count();
        (state.in_use, state.held.len(), waiting)
    }

    fn permit(&self, charged: Charged) -> Permit {
        Permit { control: self.clone(), charged }
    }

    fn count(&self, refused: Refused) -> Refused {
        let counter = match refused {
            Refused::All => &self.inner.refused,
            Refused::Share => &self.inner.shares_refused,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        refused
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn release(&self, charged: &Charged) {
        let handed_on = {
            let mut state = self.state();
            state.release(charged);
            std::iter::from_fn(|| state.next_admitted(self.inner.limits, charged)).collect::<Vec<_>>()
        };
        // Outside the lock: the permit of one that has departed comes back here.
        for Waiting { charged, ready } in handed_on {
            let _ = ready.send(self.permit(charged));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.control.release(&self.charged);
    }
}

impl State {
    fn may_admit(&self, limits: Limits, charged: &Charged) -> Result<(), Refused> {
        let free = limits.permits.saturating_sub(self.in_use);
        if free == 0 {
            return Err(Refused::All);
        }
        let share = free.saturating_mul(limits.per_free);
        if charged.each().any(|caller| self.held_by(caller) >= share) {
            return Err(Refused::Share);
        }
        Ok(())
    }

    fn admit(&mut self, limits: Limits, charged: &Charged) -> Result<(), Refused> {
        self.may_admit(limits, charged)?;
        self.in_use += 1;
        for caller in charged.each() {
            *self.held.entry(caller.clone()).or_default() += 1;
        }
        Ok(())
    }

    fn release(&mut self, charged: &Charged) {
        self.in_use = self.in_use.saturating_sub(1);
        for caller in charged.each() {
            if let Some(held) = self.held.get_mut(caller) {
                *held -= 1;
                if *held == 0 {
                    self.held.remove(caller);
                }
            }
        }
    }

    fn held_by(&self, caller: &Caller) -> usize {
        self.held.get(caller).copied().unwrap_or_default()
    }

    fn enqueue(&mut self, limits: Limits, charged: Charged) -> Result<oneshot::Receiver<Permit>, Refused> {
        self.queue.retain(|waiting| !waiting.ready.is_closed());
        let free = limits.queue.saturating_sub(self.queue.len());
        if free == 0 {
            return Err(Refused::All);
        }
        let waits = |caller: &Caller| self.queue.iter().filter(|w| w.charged.includes(caller)).count();
        if charged.each().any(|caller| waits(caller) >= free.saturating_mul(QUEUED_PER_FREE)) {
            return Err(Refused::Share);
        }
        let (ready, waiting) = oneshot::channel();
        self.queue.push_back(Waiting { charged, ready });
        Ok(waiting)
    }

    /// Takes out of the queue who is admitted now: of those within their share who holds the fewest permits, and of them the first.
    /// Who gave one back comes behind the others.
    fn next_admitted(&mut self, limits: Limits, leaving: &Charged) -> Option<Waiting> {
        self.queue.retain(|waiting| !waiting.ready.is_closed());
        let free = limits.permits.saturating_sub(self.in_use);
        let share = free.saturating_mul(limits.per_free);
        let holds = |waiting: &Waiting| waiting.charged.each().map(|caller| self.held_by(caller)).max();
        let again = |waiting: &Waiting| waiting.charged.each().any(|caller| leaving.includes(caller));
        let within = |waiting: &Waiting| holds(waiting).filter(|held| *held < share);
        let queued = self.queue.iter().enumerate();
        let ready = queued.filter_map(|(at, w)| Some((within(w)? + usize::from(again(w)), at)));
        let (_, first) = ready.min()?;
        let next = self.queue.remove(first)?;
        self.admit(limits, &next.charged).ok()?;
        Some(next)
    }
}

#[cfg(test)]
#[path = "admission_tests.rs"]
mod tests;
