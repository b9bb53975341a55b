//! Memory for request bodies: one budget of bytes for the process, for all callers and bodies together.
//!
//! Bytes are claimed as they arrive, not as they are announced, and given back when the body, or what was parsed from it, is dropped.
//! The first 64 KiB of each body comes out of a reserve, so that large bodies never keep ordinary requests out; of either part
//! no caller holds more than a share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::Payload;
use actix_web::{HttpMessage, HttpRequest};
use futures_util::StreamExt;

use super::offload::Offload;
use super::request::CallerName;
use super::{Code, Problem};

/// MiB by default.
pub const DEFAULT_MIB: usize = 128;
/// MiB at the least: the largest body fits.
pub const LEAST_MIB: usize = 96;
/// Bodies are held in pieces of this size: growing one copies nothing.
const SEGMENT: usize = 64 * 1024;
/// Of the budget, the part that the first segments of bodies come out of.
const RESERVE: usize = 4;
/// Largest body of any operation; the share of a caller is no smaller.
const LARGEST: usize = 64 * 1024 * 1024;
/// Seconds after which to come again.
const RETRY_AFTER: u64 = 2;
/// Callers without an account have one share together.
const ANONYMOUS: &str = "-";

/// The budget.
#[derive(Clone, Debug)]
pub struct BodyMemory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Bytes for first segments, and for what is beyond them.
    limits: [usize; 2],
    shares: [usize; 2],
    held: Mutex<Held>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Held {
    all: [usize; 2],
    /// As many entries as callers have bodies under way.
    by_caller: HashMap<Arc<str>, [usize; 2]>,
}

impl Default for BodyMemory {
    fn default() -> Self {
        Self::new(DEFAULT_MIB)
    }
}

impl BodyMemory {
    pub fn new(mib: usize) -> Self {
        let budget = mib.max(LEAST_MIB) << 20;
        let limits = [budget / RESERVE, budget - budget / RESERVE];
        let shares = [limits[0] / 2, LARGEST.max(limits[1] / 2)];
        Self(Arc::new(Inner { limits, shares, held: Mutex::default(), refused: AtomicU64::new(0) }))
    }

    /// Of the application that a request came to.
    pub fn of(request: &HttpRequest) -> Self {
        request.app_data::<Self>().cloned().unwrap_or_default()
    }

    /// An empty claim of this request's caller.
    pub fn claim(&self, request: &HttpRequest) -> Claim {
        let caller = request.extensions().get::<CallerName>().map(|name| name.0.clone());
        Claim { memory: self.clone(), caller: caller.unwrap_or_else(|| ANONYMOUS.into()), held: [0, 0] }
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
    caller: Arc<str>,
    held: [usize; 2],
}

impl Claim {
    /// Holds so many bytes from now on; 503 when the budget or the caller's share has no room for them.
    fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        let wanted = [bytes.min(SEGMENT), bytes.saturating_sub(SEGMENT)];
        let inner = &self.memory.0;
        let mut held = inner.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = &mut *held;
        let own = held.by_caller.entry(self.caller.clone()).or_default();
        let bounds = inner.limits.iter().zip(&inner.shares);
        let parts = wanted.into_iter().zip(&mut self.held).zip(&mut held.all).zip(own).zip(bounds);
        for ((((wanted, mine), all), own), (limit, share)) in parts {
            let more = wanted.saturating_sub(*mine);
            if more > 0 && (*all + more > *limit || *own + more > *share) {
                inner.refused.fetch_add(1, Ordering::Relaxed);
                return Err(Problem::new(Code::Unavailable).retry_after(RETRY_AFTER));
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
            let chunk = chunk.map_err(|_| Problem::new(Code::MalformedBody))?;
            length += chunk.len();
            if length > most {
                let detail = msg!(
                    "Nội dung gửi vượt quá {most} byte cho phép.",
                    "The request body exceeds {most} bytes."
                );
                return Err(Problem::with(Code::PayloadTooLarge, detail));
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
        let length = segments.iter().map(Vec::len).sum();
        let work = move || {
            // The pieces go before the parsing begins: the whole takes their place.
            let whole = match segments.len() {
                1 => segments.into_iter().next().unwrap_or_default(),
                _ => segments.concat(),
            };
            parse(&whole).map(|made| (made, claim))
        };
        offload.run_if_large(length, work).await?
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const MIB: usize = 1 << 20;

    fn claim_of(memory: &BodyMemory, caller: &str) -> Claim {
        let request = TestRequest::default().to_http_request();
        request.extensions_mut().insert(CallerName(caller.into()));
        memory.claim(&request)
    }

    #[test]
    fn the_budget_is_one_for_all_and_free_again_when_bodies_are_dropped() {
        let memory = BodyMemory::new(LEAST_MIB);
        let mut first = claim_of(&memory, "a");
        first.grow_to(64 * MIB).unwrap();
        let mut second = claim_of(&memory, "b");
        second.grow_to(SEGMENT).unwrap();
        let refused = second.grow_to(10 * MIB).unwrap_err();
        assert_eq!(refused.code, Code::Unavailable);
        assert_eq!(memory.counts(), (64 * 1024 * 1024 + 64 * 1024, 1));
        drop(first);
        second.grow_to(10 * MIB).unwrap();
        drop(second);
        assert_eq!((memory.counts().0, memory.callers()), (0, 0));
    }

    #[test]
    fn no_caller_takes_the_share_of_others() {
        let memory = BodyMemory::new(512);
        let mut claims: Vec<Claim> = (0..20).map(|_| claim_of(&memory, "a")).collect();
        let taken = claims.iter_mut().filter_map(|claim| claim.grow_to(62 * MIB).ok()).count();
        assert_eq!(taken, 3, "half of 384 MiB");
        claim_of(&memory, "b").grow_to(62 * MIB).unwrap();
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
