//! The outermost layer: gives each request an id, writes problems in the caller's language, logs one line, measures,
//! and sets the headers that every answer has.

use std::sync::Arc;
use std::time::Instant;

use actix_http::ConnectionType;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY, TRANSFER_ENCODING, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, ResponseError, web};
use log::Level;
use uuid::{Builder, NoContext, Timestamp, Uuid};

use super::{not_an_operation, response_cache};
use crate::auth::{Principal, authenticate, leave};
use crate::http::chunked_body::in_pieces;
use crate::http::request::RequestId;
use crate::http::{Locale, Msg, Problem, ProblemCode, connection, methods, target};
use crate::state::State;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// Of a refused request a longer `Accept-Language` is not read: it may be what is refused.
const MOST_LANGUAGES: usize = 1024;
/// For everything but Swagger UI and the landing page: data needs no scripts and styles.
const DATA_ONLY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const OWN_PAGES: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; form-action 'self'",
);

/// Everything around the handlers, in one middleware: each layer of actix's costs more than what most of this does.
pub async fn edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Arrival { state, started, request_id } = Arrival::of(&request)?;
    let is_operation = request.path().starts_with("/api/");
    let admitted = admissible(&request, &state).and_then(|()| match is_operation && !state.is_admitting() {
        true => Err(Problem::new(ProblemCode::Unavailable).retry_after(1)),
        false => Ok(()),
    });
    if let Err(problem) = admitted {
        return Ok(refused(request, &state, started, &request_id, problem));
    }
    let caller = match is_operation {
        true => Some(authenticate(request.request(), &state).await),
        false => None,
    };
    let principal = caller.as_ref().and_then(|caller| caller.as_ref().ok()).cloned();
    if let Some(principal) = &principal
        && let Some((answer, response)) = response_cache::try_hit(&request, &state, principal).await
    {
        let mut response = in_pieces(request.into_response(response));
        let done = Done { state: &state, started, request_id: &request_id, caller: Some(principal) };
        done.finish(&mut response, &answer.route);
        return Ok(response);
    }
    if let Some(caller) = caller {
        leave(request.request(), caller);
    }
    let mut response = in_pieces(handled(request, next, &state, &request_id, principal.as_deref()).await?);
    let route = response.request().match_pattern();
    let done = Done { state: &state, started, request_id: &request_id, caller: principal.as_ref() };
    done.finish(&mut response, route.as_deref().unwrap_or("-"));
    Ok(response)
}

/// Around the metrics of a listener of their own: [`edge`] without callers and the response cache.
pub async fn metrics_edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Arrival { state, started, request_id } = Arrival::of(&request)?;
    if let Err(problem) = admissible(&request, &state) {
        return Ok(refused(request, &state, started, &request_id, problem));
    }
    let locale = Locale::negotiate(request.headers().get(ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()));
    let answer = next.call(request).await?.map_into_boxed_body();
    let mut response = in_pieces(render(answer, locale, &request_id));
    let route = response.request().match_pattern();
    let done = Done { state: &state, started, request_id: &request_id, caller: None };
    done.finish(&mut response, route.as_deref().unwrap_or("-"));
    Ok(response)
}

/// What is known of every request before anything of it is decided.
struct Arrival {
    state: web::Data<State>,
    started: Instant,
    request_id: Arc<str>,
}

impl Arrival {
    fn of(request: &ServiceRequest) -> Result<Self, Problem> {
        let started = Instant::now();
        let state = request.app_data::<web::Data<State>>().cloned();
        let state = state.ok_or_else(|| Problem::internal("no state in the application"))?;
        Ok(Self { state, started, request_id: request_id(request.headers()) })
    }
}

/// Whether the request has one end, one path, a method that HTTP defines, and no more of anything than is ever meant.
fn admissible(request: &ServiceRequest, state: &State) -> Result<(), Problem> {
    if !connection::request_started(request.request()) {
        let detail = Msg::fixed(
            "Không xác định được độ dài nội dung yêu cầu (Content-Length, Transfer-Encoding).",
            "The length of the request body is ambiguous (Content-Length, Transfer-Encoding).",
        );
        return Err(Problem::with(ProblemCode::MalformedBody, detail));
    }
    target::check(request.request().head())?;
    if methods::is_defined(request.method()) {
        return Ok(());
    }
    Err(not_an_operation(request.path(), state))
}

/// The answer to a request that is looked at no further. One that could be read two ways is the last of its connection.
fn refused(
    request: ServiceRequest,
    state: &State,
    started: Instant,
    request_id: &Arc<str>,
    problem: Problem,
) -> ServiceResponse<BoxBody> {
    let language = request.headers().get(ACCEPT_LANGUAGE).filter(|value| value.len() <= MOST_LANGUAGES);
    let locale = Locale::negotiate(language.and_then(|value| value.to_str().ok()));
    let last = problem.code == ProblemCode::MalformedBody;
    let mut response = render(request.into_response(problem.error_response()), locale, request_id);
    if last {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Done { state, started, request_id, caller: None }.finish(&mut response, "-");
    response
}

/// The answer of a handler, its problem written.
async fn handled(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    state: &State,
    request_id: &Arc<str>,
    principal: Option<&Principal>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    request.extensions_mut().insert(RequestId(request_id.clone()));
    if has_body(request.headers()) {
        // Who is charged for it.
        let address = || state.client_of(request.request()).caller();
        let caller = principal.map_or_else(address, Principal::caller);
        request.extensions_mut().insert(caller);
    }
    let locale = Locale::negotiate(request.headers().get(ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()));
    // Handlers' and extractors' errors are answers by now; an `Err` could only come from another middleware.
    let response = match response_cache::is_cacheable(&request) {
        true => response_cache::serve(request, next, state, principal).await?,
        false => next.call(request).await?.map_into_boxed_body(),
    };
    Ok(render(response, locale, request_id))
}

/// A request that is answered: what is left to do is the same for all.
struct Done<'r> {
    state: &'r State,
    started: Instant,
    request_id: &'r str,
    caller: Option<&'r Arc<Principal>>,
}

impl Done<'_> {
    fn finish(&self, response: &mut ServiceResponse<BoxBody>, route: &str) {
        finish_headers(response.headers_mut(), self.request_id, route);
        connection::request_finished(response.request(), response.response().body());
        if self.state.is_stopping() {
            // Who keeps the connection would send the next request just when it is closed.
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        let elapsed = self.started.elapsed();
        let (method, status) = (methods::label(response.request().method()), response.status().as_u16());
        // What is no operation shares one series: a caller can try every method on every route.
        let known = method == "GET" || self.state.description().names(route, method);
        self.state.metrics().observe(method, if known { route } else { "-" }, status, elapsed);
        let caller = self.caller.map_or("-", |principal| principal.name_ref());
        // Microseconds are exact enough, and shorter to write.
        let duration_ms = f64::from(u32::try_from(elapsed.as_micros()).unwrap_or(u32::MAX)) / 1000.0;
        log::info!(target: "access", method, route, status, duration_ms, request_id = self.request_id, caller; "request");
    }
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING)
}

/// A client's id is kept when it is short and plain, so that it cannot forge log lines.
fn request_id(headers: &HeaderMap) -> Arc<str> {
    headers
        .get(&REQUEST_ID)
        .and_then(|v| v.to_str().ok())
        .filter(|id| (1..=64).contains(&id.len()))
        .filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
        .map_or_else(new_request_id, Arc::from)
}

/// UUIDv7 from this thread's generator: the usual way asks the kernel for each.
fn new_request_id() -> Arc<str> {
    let (seconds, nanos) = Timestamp::now(NoContext).to_unix();
    let millis = seconds * 1000 + u64::from(nanos / 1_000_000);
    let id = Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid();
    let mut text = Uuid::encode_buffer();
    Arc::from(&*id.hyphenated().encode_lower(&mut text))
}

/// Writes the problem that the handler left, or makes one of an answer that actix wrote as plain text.
fn render(response: ServiceResponse<BoxBody>, locale: Locale, request_id: &str) -> ServiceResponse<BoxBody> {
    let status = response.status();
    let problem = response.response().extensions().get::<Problem>().cloned();
    let problem = match problem {
        Some(problem) => problem,
        None if status.is_client_error() || status.is_server_error() => {
            if is_problem(response.headers()) {
                return response;
            }
            foreign(status.as_u16(), response.response().error())
        }
        None => return response,
    };
    if let Some(cause) = problem.internal_cause() {
        // What is the caller's doing needs no operator's attention, however often it is sent.
        let level = if problem.code.status().is_server_error() { Level::Error } else { Level::Info };
        log::log!(target: "failure", level, request_id, code = problem.code.as_str(), cause; "request failed");
    }
    let instance = response.request().path().to_owned();
    let body = serde_json::to_vec(&problem.body(locale, &instance, request_id)).unwrap_or_default();
    let (request, old) = response.into_parts();
    let mut builder = HttpResponse::build(problem.code.status());
    for (name, value) in old.headers().iter().filter(|(name, _)| **name != CONTENT_TYPE) {
        builder.append_header((name.clone(), value.clone()));
    }
    builder.insert_header((CONTENT_TYPE, "application/problem+json"));
    builder.insert_header((CONTENT_LANGUAGE, locale.tag()));
    builder.insert_header((VARY, "Accept-Language"));
    ServiceResponse::new(request, builder.body(body))
}

fn is_problem(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|v| {
        v.as_bytes().starts_with(b"application/problem+json") || v.as_bytes().starts_with(b"application/json")
    })
}

/// An error of the framework, by its status.
fn foreign(status: u16, error: Option<&Error>) -> Problem {
    match status {
        404 => Problem::not_found(),
        405 => Problem::new(ProblemCode::MethodNotAllowed),
        413 => Problem::new(ProblemCode::PayloadTooLarge),
        415 => Problem::new(ProblemCode::UnsupportedMediaType),
        429 => Problem::new(ProblemCode::TooManyRequests).retry_after(1),
        503 => Problem::new(ProblemCode::Unavailable).retry_after(1),
        500.. => Problem::internal(error.map(ToString::to_string).unwrap_or_default()),
        _ => Problem::new(ProblemCode::MalformedBody),
    }
}

fn finish_headers(headers: &mut HeaderMap, request_id: &str, route: &str) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    let own_page = route.starts_with("/docs") || route == "/";
    headers.insert(CONTENT_SECURITY_POLICY, if own_page { OWN_PAGES } else { DATA_ONLY });
    if !headers.contains_key(CACHE_CONTROL) {
        // Answers depend on the caller: a shared cache must not keep them, a private one must ask.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
}
