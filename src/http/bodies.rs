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
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const MIB: usize = 1 << 20;

    fn claim_of(memory: &BodyMemory, caller: &str) -> Claim {
        let request = TestRequest::default().to_http_request();
        request.extensions_mut().insert(Caller::named(caller));
        memory.claim(&request)
    }

    #[test]
    fn the_budget_is_one_for_all_and_free_again_when_bodies_are_dropped() {
        let memory = BodyMemory::new(LEAST_MIB);
        let mut first = claim_of(&memory, "a");
        first.grow_to(64 * MIB).unwrap();
        let mut second = claim_of(&memory, "b");
        second.grow_to(64 * MIB).unwrap();
        let mut third = claim_of(&memory, "c");
        third.grow_to(SEGMENT).unwrap();
        let refused = third.grow_to(10 * MIB).unwrap_err();
        assert_eq!(refused.code, ProblemCode::Unavailable);
        assert_eq!(memory.counts(), (128 * 1024 * 1024 + 64 * 1024, 1));
        drop(first);
        third.grow_to(10 * MIB).unwrap();
        drop((second, third));
        assert_eq!((memory.counts().0, memory.callers()), (0, 0));
    }

    #[test]
    fn no_caller_takes_the_share_of_others() {
        let memory = BodyMemory::new(512);
        let mut claims: Vec<Claim> = (0..20).map(|_| claim_of(&memory, "a")).collect();
        let taken = claims.iter_mut().filter_map(|claim| claim.grow_to(62 * MIB).ok()).count();
        assert_eq!(taken, 3, "half of 384 MiB");
        assert_eq!((memory.counts().1, memory.refused_shares()), (17, 17));
        assert!(claim_of(&memory, "a").grow_to(62 * MIB).unwrap_err().detail.is_some(), "and is told so");
        claim_of(&memory, "b").grow_to(62 * MIB).unwrap();
    }

    #[test]
    fn a_caller_who_takes_all_it_can_leaves_room_for_the_largest_body_of_another() {
        for mib in [LEAST_MIB, DEFAULT_MIB, 1024] {
            let memory = BodyMemory::new(mib);
            let mut claims: Vec<Claim> = (0..1024).map(|_| claim_of(&memory, "a")).collect();
            for claim in &mut claims {
                while claim.grow_to(claim.held[0] + claim.held[1] + MIB).is_ok() {}
            }
            assert!(memory.counts().0 >= LARGEST as u64, "a caller alone can send the largest body");
            claim_of(&memory, "b").grow_to(LARGEST).unwrap();
        }
    }

    #[test]
    fn several_callers_together_leave_room_for_one_more() {
        let memory = BodyMemory::new(1024);
        let mut held = Vec::new();
        for caller in ["a", "b", "c"] {
            let mut claims: Vec<Claim> = (0..16).map(|_| claim_of(&memory, caller)).collect();
            claims.retain_mut(|claim| claim.grow_to(LARGEST).is_ok());
            held.push(claims);
        }
        claim_of(&memory, "d").grow_to(LARGEST).unwrap();
    }

    #[test]
    fn a_segment_is_freed_once_it_is_copied() {
        struct Segment<'s>(u8, &'s std::cell::RefCell<Vec<String>>);
        impl AsRef<[u8]> for Segment<'_> {
            fn as_ref(&self) -> &[u8] {
                self.1.borrow_mut().push(format!("copy {}", self.0));
                std::slice::from_ref(&self.0)
            }
        }
        impl Drop for Segment<'_> {
            fn drop(&mut self) {
                self.1.borrow_mut().push(format!("free {}", self.0));
            }
        }
        let log = std::cell::RefCell::default();
        let whole = concatenated(vec![Segment(1, &log), Segment(2, &log)], 2);
        assert_eq!(whole, [1, 2]);
        assert_eq!(*log.borrow(), ["copy 1", "free 1", "copy 2", "free 2"]);
    }

    #[test]
    fn large_bodies_leave_room_for_ordinary_ones() {
        let memory = BodyMemory::new(LEAST_MIB);
        let mut large = [claim_of(&memory, "a"), claim_of(&memory, "b")];
        for claim in &mut large {
            while claim.grow_to(claim.held[0] + claim.held[1] + SEGMENT).is_ok() {}
        }
        claim_of(&memory, "c").grow_to(SEGMENT).unwrap();
    }

    #[test]
    fn ten_thousand_callers_leave_nothing_behind() {
        let memory = BodyMemory::default();
        for n in 0..10_000 {
            claim_of(&memory, &format!("user:{n}")).grow_to(1 + n * 10).unwrap();
        }
        assert_eq!((memory.counts(), memory.callers()), ((0, 0), 0));
        assert!(memory.0.held.lock().unwrap().by_caller.capacity() < 64);
    }

    #[actix_web::test]
    async fn a_body_in_crumbs_takes_what_its_bytes_take() {
        let crumbs = futures::stream::iter((0..200_000).map(|n: u32| Ok(n.to_le_bytes().to_vec().into())));
        let payload: actix_http::BoxedPayloadStream = Box::pin(crumbs);
        let memory = BodyMemory::default();
        let body = Body::collect(Payload::Stream { payload }, MIB, claim_of(&memory, "a")).await.unwrap();
        assert_eq!(memory.counts().0, 800_000);
        let capacity: usize = body.segments.iter().map(Vec::capacity).sum();
        assert!(capacity <= 800_000 + SEGMENT, "{capacity}");
        let (digits, claim) = body
            .parse(&Offload::default(), |bytes| {
                Ok(bytes.chunks(4).map(|n| u32::from_le_bytes(n.try_into().unwrap())).collect::<Vec<_>>())
            })
            .await
            .unwrap();
        assert_eq!(digits, (0..200_000).collect::<Vec<_>>());
        assert_eq!(memory.counts().0, 800_000, "held as long as what was parsed");
        drop(claim);
        assert_eq!(memory.counts().0, 0);
    }
}
