//! The outermost layer: gives each request an id, writes problems in the caller's language, logs one line, measures,
//! and sets the headers that every answer has.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, VARY,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use uuid::Uuid;

use crate::http::request::{Caller, RequestId};
use crate::http::{Code, Locale, Problem};
use crate::state::State;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub async fn edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let request_id = request_id(request.headers());
    request.extensions_mut().insert(RequestId(request_id.clone()));
    let locale = Locale::negotiate(request.headers().get(ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()));
    let method = request.method().as_str().to_owned();

    // Handlers' and extractors' errors are answers by now; an `Err` could only come from another middleware.
    let response = next.call(request).await?.map_into_boxed_body();

    let route = response.request().match_pattern().unwrap_or_else(|| "-".to_owned());
    let mut response = render(response, locale, &request_id);
    finish_headers(response.headers_mut(), &request_id, &route);
    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    if let Some(state) = response.request().app_data::<web::Data<State>>() {
        state.metrics().observe(&method, &route, status, elapsed);
    }
    let caller =
        response.request().extensions().get::<Caller>().map_or_else(|| "-".to_owned(), |c| c.0.clone());
    let duration_ms = elapsed.as_secs_f64() * 1000.0;
    log::info!(target: "access", method = method.as_str(), route = route.as_str(), status, duration_ms, request_id = request_id.as_str(), caller = caller.as_str(); "request");
    Ok(response)
}

/// A client's id is kept when it is short and plain, so that it cannot forge log lines.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(&REQUEST_ID)
        .and_then(|v| v.to_str().ok())
        .filter(|id| (1..=64).contains(&id.len()))
        .filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
        .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
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
        log::error!(target: "failure", request_id, code = problem.code.as_str(), cause; "request failed");
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
        405 => Problem::new(Code::MethodNotAllowed),
        413 => Problem::new(Code::PayloadTooLarge),
        415 => Problem::new(Code::UnsupportedMediaType),
        429 => Problem::new(Code::TooManyRequests).retry_after(1),
        503 => Problem::new(Code::Unavailable).retry_after(1),
        500.. => Problem::internal(error.map(ToString::to_string).unwrap_or_default()),
        _ => Problem::new(Code::MalformedBody),
    }
}

fn finish_headers(headers: &mut HeaderMap, request_id: &str, route: &str) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    let fixed = [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // Swagger UI needs its own scripts and styles; everything else is data and needs nothing.
    let policy = if route.starts_with("/docs") || route == "/" {
        "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; form-action 'self'"
    } else {
        "default-src 'none'; frame-ancestors 'none'"
    };
    headers.insert(HeaderName::from_static("content-security-policy"), HeaderValue::from_static(policy));
    if !headers.contains_key(CACHE_CONTROL) {
        // Answers depend on the caller: a shared cache must not keep them, a private one must ask.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
}
