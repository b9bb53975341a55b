//! Who sends a request: found out before any extractor runs, judged by [`super::Access`].

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};

use super::{Principal, model};
use crate::db::Conn;
use crate::http::request::Caller;
use crate::http::{Code, Problem};
use crate::state::State;

/// The outcome, kept in the request's extensions.
#[derive(Clone)]
struct Authenticated(Result<Principal, Problem>);

/// Middleware: looks up the bearer of a token. It refuses nobody: public endpoints take no notice of it.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if request.path().starts_with("/api/") {
        let outcome = principal_of(request.request()).await;
        if let Ok(principal) = &outcome {
            request.extensions_mut().insert(Caller(principal.name()));
        }
        request.extensions_mut().insert(Authenticated(outcome));
    }
    next.call(request).await
}

/// The caller, or why there is none.
pub fn authenticated(request: &HttpRequest) -> Result<Principal, Problem> {
    let extensions = request.extensions();
    let outcome = extensions.get::<Authenticated>().map(|a| a.0.clone());
    outcome.unwrap_or_else(|| Err(Problem::unauthenticated(Code::Unauthenticated)))
}

async fn principal_of(request: &HttpRequest) -> Result<Principal, Problem> {
    let token = bearer(request)?;
    let invalid = || Problem::unauthenticated(Code::InvalidToken);
    let state = request
        .app_data::<web::Data<State>>()
        .ok_or_else(|| Problem::internal("no state in the application"))?;
    let now = state.clock().now();
    let claims = state.keys().verify(token, now).ok_or_else(invalid)?;
    let found = state
        .db()
        .read(async move |conn: &mut Conn| Ok::<_, Problem>(model::principal(conn, &claims, now).await?))
        .await?;
    found.ok_or_else(invalid)
}

fn bearer(request: &HttpRequest) -> Result<&str, Problem> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let missing = || Problem::unauthenticated(Code::Unauthenticated);
    let header = headers.next().ok_or_else(missing)?;
    if headers.next().is_some() {
        return Err(Problem::unauthenticated(Code::InvalidToken));
    }
    let (scheme, token) = header.to_str().ok().and_then(|h| h.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}
