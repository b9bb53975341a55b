//! Statistics on their way out: from memory where it is there and right, else from their handler, compressed either way.

use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};

use crate::auth::{Principal, ReplicaLag};
use crate::http::csv::Format;
use crate::http::encoding::Coding;
use crate::http::response_cache::{CachedResponse, FlightOutcome, FlightRole, Key};
use crate::http::{Preconditions, Problem};
use crate::state::State;

const STATISTICS: &str = "/api/v1/statistics/";

/// What is asked for, where it can be answered from memory.
struct CacheLookup {
    key: Key,
    conditions: Preconditions,
    coding: Coding,
}

/// Whether this request's answer passes through here. Only operations that opted in (`x-response-cache` of their declaration) are
/// also cached; the path is canonical by now, so the one that is compared is the one that is routed.
pub fn is_cacheable(request: &ServiceRequest) -> bool {
    request.method() == Method::GET && request.path().starts_with(STATISTICS)
}

/// The kept answer, for a caller who may read it. Everything else about the request is left to [`through`].
pub async fn try_hit(
    request: &ServiceRequest,
    state: &State,
    principal: &Principal,
) -> Option<(Arc<CachedResponse>, actix_web::HttpResponse)> {
    if !may_read_cached(request, state, Some(principal)) {
        return None;
    }
    let generation = state.db().generations().figures()?;
    let wish = CacheLookup::of(request)?;
    let answer = state.answers().find(&wish.key, generation)?;
    let response = answer.respond(&wish.conditions, wish.coding).await;
    Some((answer, response))
}

/// The request is for an operation that opted into the cache, and its caller may read what that operation answers.
fn may_read_cached(request: &ServiceRequest, state: &State, principal: Option<&Principal>) -> bool {
    let needed = (request.method() == Method::GET).then(|| state.response_cached(request.path())).flatten();
    needed.is_some_and(|needed| principal.is_some_and(|principal| principal.has_permission(needed)))
}

/// The way of a statistic that is not kept: one request makes it for all who ask at the same time.
pub async fn serve(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    state: &State,
    principal: Option<&Principal>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let wish = if may_read_cached(&request, state, principal) { CacheLookup::of(&request) } else { None };
    let Some(wish) = wish else {
        // Not cached, or conditions and formats that are the handler's to judge.
        let coding = Coding::negotiate(request.headers());
        return Ok(render(next.call(request).await?, &Preconditions::default(), coding).await.0);
    };
    // The whole answer is made, whatever its first caller holds already.
    request.headers_mut().remove(IF_NONE_MATCH);
    loop {
        let generation = state.db().generations().figures().filter(|_| state.answers().is_on());
        let Some(generation) = generation else {
            return Ok(render(next.call(request).await?, &wish.conditions, wish.coding).await.0);
        };
        if let Some(answer) = state.answers().find(&wish.key, generation) {
            let response = answer.respond(&wish.conditions, wish.coding).await;
            return Ok(request.into_response(response));
        }
        match state.answers().join_flight(&wish.key, generation) {
            FlightRole::Make(making) => {
                let made = next.call(request).await?;
                let (response, answer) = render(made, &wish.conditions, wish.coding).await;
                if let Some(answer) = &answer {
                    state.answers().keep(wish.key, generation, answer.clone());
                }
                making.done(answer);
                return Ok(response);
            }
            FlightRole::Wait(waiting) => match waiting.outcome().await {
                FlightOutcome::Made(answer) => {
                    let response = answer.respond(&wish.conditions, wish.coding).await;
                    return Ok(request.into_response(response));
                }
                FlightOutcome::Refused => {
                    return Ok(render(next.call(request).await?, &wish.conditions, wish.coding).await.0);
                }
                FlightOutcome::Abandoned => {}
            },
        }
    }
}

impl CacheLookup {
    /// `None`: the request has something that its handler has to judge.
    fn of(request: &ServiceRequest) -> Option<Self> {
        let headers = request.headers();
        if headers.contains_key(IF_MATCH) || headers.contains_key("idempotency-key") {
            return None;
        }
        let plain = headers.get(ACCEPT).is_none_or(|accept| accept == "application/json" || accept == "*/*");
        let format = if plain { Format::Json } else { Format::negotiate(request.request(), None).ok()? };
        let conditions = match headers.contains_key(IF_NONE_MATCH) {
            true => Preconditions::of(request.request()).ok()?,
            false => Preconditions::default(),
        };
        let path = request.uri().path_and_query()?.as_str();
        let key = Key::new(path, if format == Format::Csv { 'c' } else { 'j' });
        Some(Self { key, conditions, coding: Coding::negotiate(headers) })
    }
}

/// A handler's 200 as an answer, in the form the caller takes; anything else as it is.
async fn render(
    response: ServiceResponse<impl MessageBody + 'static>,
    conditions: &Preconditions,
    coding: Coding,
) -> (ServiceResponse<BoxBody>, Option<Arc<CachedResponse>>) {
    let response = response.map_into_boxed_body();
    if response.status() != StatusCode::OK {
        return (response, None);
    }
    let (request, response) = response.into_parts();
    let (head, body) = response.into_parts();
    let Ok(body) = to_bytes(body).await else {
        let problem = Problem::internal("the body of a statistic broke off");
        return (ServiceResponse::from_err(problem, request), None);
    };
    let lag = request.extensions().get::<ReplicaLag>().and_then(ReplicaLag::seconds);
    let lag = lag.and_then(|seconds| HeaderValue::from_str(&format!("{seconds:.3}")).ok());
    let route = request.match_pattern().unwrap_or_default();
    match CachedResponse::of(route, head.headers(), body.clone(), lag) {
        None => (ServiceResponse::new(request, head.set_body(BoxBody::new(body))), None),
        Some(answer) => {
            let answer = Arc::new(answer);
            let response = answer.respond(conditions, coding).await;
            (ServiceResponse::new(request, response), Some(answer))
        }
    }
}
