//! Memory for request bodies: one budget of bytes for the process, for all callers and bodies together.
//!
//! Bytes are claimed as they arrive, not as they are announced, and given back when the body, or what was parsed from it, is dropped.
//! The first 64 KiB of each body comes out of a reserve, so that large bodies never keep ordinary requests out. Of either part a caller's
//! share is a dynamic threshold, as in admission control: one body in any case, beyond it as many bytes as stay free for others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::Payload;
use actix_web::{HttpMessage, HttpRequest};
use futures_util::StreamExt;

use super::offload::Offload;
use super::{Problem, ProblemCode};
use crate::db::{Caller, Refused};

/// MiB by default.
pub const DEFAULT_MIB: usize = 192;
/// MiB at the least: the largest body fits next to another caller's.
pub const LEAST_MIB: usize = 176;
/// Bodies are held in pieces of this size: growing one copies nothing.
const SEGMENT: usize = 64 * 1024;
/// Of the budget, the part that the first segments of bodies come out of.
const RESERVE: usize = 4;
/// Largest body of any operation.
const LARGEST: usize = 64 * 1024 * 1024;
/// What one body takes of either part: the share of a caller is no smaller.
const LEAST_SHARES: [usize; 2] = [SEGMENT, LARGEST];

/// The budget.
#[derive(Clone, Debug)]
pub struct BodyMemory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Bytes for first segments, and for what is beyond them.
    limits: [usize; 2],
    held: Mutex<Held>,
    refused: AtomicU64,
    shares_refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Held {
    all: [usize; 2],
    /// As many entries as callers have bodies under way.
    by_caller: HashMap<Caller, [usize; 2]>,
}

impl Default for BodyMemory {
    fn default() -> Self {
        Self::new(DEFAULT_MIB)
    }
}

impl Inner {
    fn refuse(&self, refused: Refused) -> Problem {
        self.refused.fetch_add(1, Ordering::Relaxed);
        if refused == Refused::Share {
            self.shares_refused.fetch_add(1, Ordering::Relaxed);
        }
        refused.into()
    }
}

impl BodyMemory {
    pub fn new(mib: usize) -> Self {
        let budget = mib.max(LEAST_MIB) << 20;
        let limits = [budget / RESERVE, budget - budget / RESERVE];
        let (refused, shares_refused) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Inner { limits, held: Mutex::default(), refused, shares_refused }))
    }

    /// Of the application that a request came to.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        request.app_data::<Self>().cloned()
    }

    /// An empty claim of this request's caller.
    pub fn claim(&self, request: &HttpRequest) -> Claim {
        let caller = request.extensions().get::<Caller>().cloned();
        // Without a body nothing is charged.
        let caller = caller.unwrap_or_else(|| Caller::named("address:unknown"));
        Claim { memory: self.clone(), caller, held: [0, 0] }
    }

    /// How many bodies were refused because of their caller's share.
    pub fn refused_shares(&self) -> u64 {
        self.0.shares_refused.load(Ordering::Relaxed)
    }

    /// (bytes held, bodies refused)
    pub fn counts(&self) -> (u64, u64) {
        let held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = held.all.iter().sum::<usize>();
        (u64::try_from(bytes).unwrap_or(u64::MAX), self.0.refused.load(Ordering::Relaxed))
    }

    /// Callers that hold any.
    pub fn callers(&self) -> usize {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner).by_caller.len()
    }
}

/// Bytes of the budget that a body holds. Dropped, they are free again.
#[derive(Debug)]
pub struct Claim {
    memory: BodyMemory,
    caller: Caller,
    held: [usize; 2],
}

impl Claim {
    /// Holds so many bytes from now on; 503 when the budget or the caller's share has no room for them.
    pub fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        let wanted = [bytes.min(SEGMENT), bytes.saturating_sub(SEGMENT)];
        let inner = &self.memory.0;
        let mut held = inner.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = &mut *held;
        let own = held.by_caller.entry(self.caller.clone()).or_default();
        let bounds = inner.limits.iter().zip(LEAST_SHARES);
        let parts = wanted.into_iter().zip(&mut self.held).zip(&mut held.all).zip(own).zip(bounds);
        for ((((wanted, mine), all), own), (limit, least)) in parts {
            let more = wanted.saturating_sub(*mine);
            let share = limit.saturating_sub(*all + more).max(least);
            if more > 0 && *all + more > *limit {
                return Err(inner.refuse(Refused::All));
            }
            if more > 0 && *own + more > share {
                return Err(inner.refuse(Refused::Share));
            }
            *all += more;
            *own += more;
            *mine += more;
        }
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut held = self.memory.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = &mut *held;
        let Some(own) = held.by_caller.get_mut(&self.caller) else { return };
        for ((mine, all), own) in self.held.iter().zip(&mut held.all).zip(own.iter_mut()) {
            *all -= mine;
            *own -= mine;
        }
        if *own == [0, 0] {
            held.by_caller.remove(&self.caller);
        }
    }
}

/// A body that is in memory, and the bytes it holds of the budget.
#[derive(Debug)]
pub struct Body {
    segments: Vec<Vec<u8>>,
    claim: Claim,
}

impl Body {
    /// Reads until the end, at most `most` bytes.
    pub async fn collect(mut payload: Payload, most: usize, claim: Claim) -> Result<Self, Problem> {
        let (mut body, mut length) = (Self { segments: Vec::new(), claim }, 0);
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Problem::new(ProblemCode::MalformedBody))?;
            length += chunk.len();
            if length > most {
                let detail = msg!(
                    "Nội dung gửi vượt quá {most} byte cho phép.",
                    "The request body exceeds {most} bytes."
                );
                return Err(Problem::with(ProblemCode::PayloadTooLarge, detail));
            }
            body.claim.grow_to(length)?;
            body.append(&chunk);
        }
        Ok(body)
    }

    fn append(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            let room = self.segments.last().map_or(0, |last| SEGMENT - last.len());
            let (now, later) = chunk.split_at(room.min(chunk.len()));
            match self.segments.last_mut().filter(|_| room > 0) {
                Some(last) => last.extend_from_slice(now),
                None => self.segments.push(Vec::new()),
            }
            chunk = later;
        }
    }

    /// What `parse` makes of the bytes, off the worker where they are many, and the claim: for as long as what it made is there.
    pub async fn parse<T: Send + 'static>(
        self,
        offload: &Offload,
        parse: impl FnOnce(&[u8]) -> Result<T, Problem> + Send + 'static,
    ) -> Result<(T, Claim), Problem> {
        let Self { segments, claim } = self;
        let caller = claim.caller.clone();
        let length = segments.iter().map(Vec::len).sum();
        let work = move || parse(&concatenated(segments, length)).map(|made| (made, claim));
        offload.run_if_large(&caller, length, work).await?
    }
}

/// One buffer of the segments, each of which is freed once it is copied: a body is not in memory twice.
fn concatenated<S: AsRef<[u8]>>(segments: Vec<S>, length: usize) -> Vec<u8> {
    let mut whole = Vec::with_capacity(length);
    for segment in segments {
        whole.extend_from_slice(segment.as_ref());
    }
    whole
}

#[cfg(test)]
#[path = "bodies_tests.rs"]
mod tests;
