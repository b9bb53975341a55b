//! Answers kept as bytes, with their entity tag and their compressed forms, as long as nothing they are made of changes.
//!
//! An answer belongs to the generation that was current before its making began, and is used under no other. One request
//! makes it, however many wait for it. See `docs/adr/0011-cache-invalidation-by-generation.md`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::{OnceCell, watch};

use super::encoding::Coding;
use super::{EntityTag, Preconditions};

/// How far behind the standby was that an answer was read from, in seconds.
pub const REPLICA_LAG: HeaderName = HeaderName::from_static("replica-lag");
/// MiB of answers kept when nobody says.
pub const DEFAULT_MIB: u64 = 64;
/// Shorter bodies fit one packet anyway.
const WORTH_COMPRESSING: usize = 1024;
/// Longer ones are compressed aside: a worker has other requests to serve.
const COMPRESSED_ASIDE: usize = 16 * 1024;
const VARY: HeaderValue = HeaderValue::from_static("Accept, Accept-Encoding");

/// A representation, complete: what a 200 or a 304 is made of.
#[derive(Debug)]
pub struct CachedResponse {
    /// Template of the route, for log and metrics.
    pub route: Box<str>,
    body: Bytes,
    content_type: HeaderValue,
    tag: EntityTag,
    tag_headers: [HeaderValue; 3],
    replica_lag: Option<HeaderValue>,
    gzip: OnceCell<Option<Bytes>>,
    brotli: OnceCell<Option<Bytes>>,
}

impl CachedResponse {
    /// From the answer of a handler; `None` when it has anything that would be lost.
    pub fn of(route: String, headers: &HeaderMap, body: Bytes, lag: Option<HeaderValue>) -> Option<Self> {
        let known = [header::CONTENT_TYPE, header::ETAG];
        if headers.keys().any(|name| !known.contains(name)) {
            return None;
        }
        let tag = EntityTag::of_header(headers.get(header::ETAG)?)?;
        let content_type = headers.get(header::CONTENT_TYPE)?.clone();
        Some(Self { replica_lag: lag, ..Self::tagged(&route, body, content_type, tag) })
    }

    /// A JSON document that stays as it is, tagged by its bytes.
    pub fn json(route: &str, body: Bytes) -> Self {
        let tag = EntityTag::of_bytes(&body);
        Self::tagged(route, body, HeaderValue::from_static("application/json"), tag)
    }

    fn tagged(route: &str, body: Bytes, content_type: HeaderValue, tag: EntityTag) -> Self {
        let tag_headers =
            [Coding::Identity, Coding::Gzip, Coding::Brotli].map(|coding| tag.header_value_of(coding));
        Self {
            route: route.into(),
            body,
            content_type,
            tag,
            tag_headers,
            replica_lag: None,
            gzip: OnceCell::new(),
            brotli: OnceCell::new(),
        }
    }

    /// 200 in the form the caller takes, or 304 when the caller holds it in any form.
    pub async fn respond(&self, conditions: &Preconditions, coding: Coding) -> HttpResponse<BoxBody> {
        let (coding, body) = match self.encoded(coding).await {
            Some(encoded) => (coding, encoded),
            None => (Coding::Identity, self.body.clone()),
        };
        let fresh = conditions.is_fresh(&self.tag);
        let status = if fresh { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let mut response = HttpResponse::new(status);
        let headers = response.headers_mut();
        let [identity, gzip, brotli] = &self.tag_headers;
        let tag = match coding {
            Coding::Identity => identity,
            Coding::Gzip => gzip,
            Coding::Brotli => brotli,
        };
        headers.insert(header::ETAG, tag.clone());
        headers.insert(header::VARY, VARY);
        if let Some(lag) = &self.replica_lag {
            headers.insert(REPLICA_LAG, lag.clone());
        }
        if fresh {
            return response;
        }
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        if let Some(encoding) = coding.header_value() {
            headers.insert(header::CONTENT_ENCODING, encoding);
        }
        response.set_body(BoxBody::new(body))
    }

    /// The compressed form, made when it is first asked for.
    async fn encoded(&self, coding: Coding) -> Option<Bytes> {
        if self.body.len() < WORTH_COMPRESSING {
            return None;
        }
        let cell = match coding {
            Coding::Identity => return None,
            Coding::Gzip => &self.gzip,
            Coding::Brotli => &self.brotli,
        };
        if let Some(made) = cell.get() {
            return made.clone();
        }
        let body = self.body.clone();
        let encode = move || coding.encode(&body).map(Bytes::from);
        cell.get_or_init(|| async move {
            if self.body.len() < COMPRESSED_ASIDE {
                encode()
            } else {
                web::block(encode).await.unwrap_or(None)
            }
        })
        .await
        .clone()
    }

    /// Bytes it takes at the most: the compressed forms together are shorter than the body.
    fn weight(&self) -> usize {
        2 * self.body.len() + 1024
    }
}

/// What an answer is found by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(Box<str>);

impl Key {
    /// `variant` tells apart what the same path and query can mean.
    pub fn new(path_and_query: &str, variant: char) -> Self {
        let mut key = String::with_capacity(path_and_query.len() + variant.len_utf8());
        key.push(variant);
        key.push_str(path_and_query);
        Self(key.into())
    }
}

#[derive(Clone)]
struct Kept {
    generation: u64,
    answer: Arc<CachedResponse>,
}

/// How the making of an answer ended.
#[derive(Clone, Debug)]
enum Outcome {
    Made(Arc<CachedResponse>),
    /// It was no 200; the others find out for themselves.
    Refused,
}

type Flights = Arc<Mutex<HashMap<(Key, u64), watch::Receiver<Option<Outcome>>>>>;

/// The answers kept, bounded by their bytes.
pub struct ResponseCache {
    kept: Option<Cache<Key, Kept>>,
    flights: Flights,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// What the one has to do who asks for an answer that is not there.
#[derive(Debug)]
pub enum FlightRole {
    /// Make it.
    Make(FlightLeader),
    /// Another one is making it.
    Wait(FlightFollower),
}

impl ResponseCache {
    /// Keeps up to so many MiB; none: nothing.
    pub fn new(mib: u64) -> Self {
        let kept = (mib > 0).then(|| {
            Cache::builder()
                .weigher(|key: &Key, kept: &Kept| {
                    u32::try_from(key.0.len() + kept.answer.weight()).unwrap_or(u32::MAX)
                })
                .max_capacity(mib << 20)
                // What was just made is what is asked for: it must not be refused for older ones.
                .eviction_policy(EvictionPolicy::lru())
                .build()
        });
        Self { kept, flights: Flights::default(), hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    pub fn is_on(&self) -> bool {
        self.kept.is_some()
    }

    /// The answer of this generation, if it is kept.
    pub fn find(&self, key: &Key, generation: u64) -> Option<Arc<CachedResponse>> {
        let kept = self.kept.as_ref()?.get(key).filter(|kept| kept.generation == generation)?;
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(kept.answer)
    }

    /// Keeps an answer whose making began under this generation.
    pub fn keep(&self, key: Key, generation: u64, answer: Arc<CachedResponse>) {
        if let Some(cache) = &self.kept {
            cache.insert(key, Kept { generation, answer });
        }
    }

    /// Whether to make the answer or to wait for it.
    pub fn join_flight(&self, key: &Key, generation: u64) -> FlightRole {
        let place = (key.clone(), generation);
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcome) = flights.get(&place) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return FlightRole::Wait(FlightFollower(outcome.clone()));
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let (outcome, waiting) = watch::channel(None);
        flights.insert(place.clone(), waiting);
        FlightRole::Make(FlightLeader { flights: self.flights.clone(), place, outcome })
    }

    /// (found, not found, bytes kept)
    pub fn counts(&self) -> (u64, u64, u64) {
        let bytes = self.kept.as_ref().map_or(0, Cache::weighted_size);
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed), bytes)
    }
}

/// The duty of making an answer that others wait for. Dropped (its caller went away), another one takes it over.
#[derive(Debug)]
pub struct FlightLeader {
    flights: Flights,
    place: (Key, u64),
    outcome: watch::Sender<Option<Outcome>>,
}

impl FlightLeader {
    /// Hands the answer, or that there is none, to those who wait.
    pub fn done(self, answer: Option<Arc<CachedResponse>>) {
        let outcome = answer.map_or(Outcome::Refused, Outcome::Made);
        self.outcome.send_replace(Some(outcome));
    }
}

impl Drop for FlightLeader {
    fn drop(&mut self) {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.place);
    }
}

/// The wait for an answer that another request makes.
#[derive(Debug)]
pub struct FlightFollower(watch::Receiver<Option<Outcome>>);

/// How a wait ended.
#[derive(Debug)]
pub enum FlightOutcome {
    Made(Arc<CachedResponse>),
    /// There is no answer to share: ask for oneself.
    Refused,
    /// Who was making it went away: it is anybody's turn.
    Abandoned,
}

impl FlightFollower {
    pub async fn outcome(mut self) -> FlightOutcome {
        let seen = self.0.wait_for(Option::is_some).await.map(|outcome| outcome.clone());
        match seen {
            Ok(Some(Outcome::Made(answer))) => FlightOutcome::Made(answer),
            Ok(_) => FlightOutcome::Refused,
            Err(_) => FlightOutcome::Abandoned,
        }
    }
}

#[cfg(test)]
#[path = "response_cache_tests.rs"]
mod tests;
