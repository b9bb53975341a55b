//! Who sends a request: found out before any extractor runs, judged by [`super::Access`].

use std::sync::Arc;

use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpMessage, HttpRequest};

use super::oidc::Oidc;
use super::token_cache::Generations;
use super::{Principal, model};
use crate::db::{Caller, Reader};
use crate::http::request::RequestId;
use crate::http::{Problem, ProblemCode};
use crate::state::State;

/// The outcome, kept in the request's extensions.
#[derive(Clone)]
struct Authenticated(Result<Arc<Principal>, Problem>);

/// Leaves the outcome for [`super::Access`].
pub fn leave(request: &HttpRequest, outcome: Result<Arc<Principal>, Problem>) {
    request.extensions_mut().insert(Authenticated(outcome));
}

/// The caller, or why there is none.
pub fn authenticated(request: &HttpRequest) -> Result<Arc<Principal>, Problem> {
    let extensions = request.extensions();
    let outcome = extensions.get::<Authenticated>().map(|a| a.0.clone());
    outcome.unwrap_or_else(|| Err(Problem::unauthenticated(ProblemCode::Unauthenticated)))
}

/// The bearer of the request's token. Refuses nobody: public endpoints take no notice of it.
pub async fn authenticate(request: &HttpRequest, state: &State) -> Result<Arc<Principal>, Problem> {
    let token = bearer(request)?;
    let invalid = || Problem::unauthenticated(ProblemCode::InvalidToken);
    let now = state.clock().now();
    // Read before looking, so that what changes meanwhile is not kept.
    let callers = state.db().generations().callers();
    let generations = callers.map(|callers| Generations { callers, keys: state.keys().generation() });
    if let Some(generations) = generations
        && let Some(principal) = state.tokens().find(token, generations, now)
    {
        return Ok(principal);
    }
    if let Some(oidc) =
        state.identity_provider().filter(|oidc| oidc.accepts_bearer() && Oidc::is_foreign(token))
    {
        return external(request, state, oidc, token, generations).await;
    }
    let claims = state.keys().verify(token, now).ok_or_else(invalid)?;
    // Whose name it is, only the database knows.
    let caller = Caller::named(format!("token:{}", claims.sub));
    let found = state
        .db()
        .read_shared(&caller, async |conn: &mut Reader<'_>| {
            Ok::<_, Problem>(model::principal(conn, &claims, state.second_factor().policy(), now).await?)
        })
        .await?;
    let (principal, until) = found.ok_or_else(invalid)?;
    let principal = Arc::new(principal);
    if let Some(generations) = generations {
        state.tokens().keep(token, generations, claims.validity(), until, principal.clone());
    }
    Ok(principal)
}

/// Accepted this long without looking at the provider's keys again.
const EXTERNAL_SECONDS: i64 = 60;

/// The user whom an administrator has linked to the bearer of the identity provider's token.
async fn external(
    request: &HttpRequest,
    state: &State,
    oidc: &Oidc,
    token: &str,
    generations: Option<Generations>,
) -> Result<Arc<Principal>, Problem> {
    let now = state.clock().now();
    let address = state.client_of(request).caller();
    let verified = oidc.access_token(&address, token, now).await.map_err(|refusal| {
        let request_id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
        refusal.log(&request_id.0);
        refusal.into_problem(ProblemCode::InvalidToken)
    })?;
    let (subject, policy) = (verified.subject.as_str(), state.second_factor().policy());
    let caller = Caller::named(format!("token:{subject}"));
    let found = state
        .db()
        .read_shared(&caller, async |conn: &mut Reader<'_>| {
            Ok::<_, Problem>(model::external(conn, subject, policy).await?)
        })
        .await?;
    let (principal, needs_factor) =
        found.ok_or_else(|| Problem::unauthenticated(ProblemCode::InvalidToken))?;
    if needs_factor && !verified.mfa {
        return Err(Problem::unauthenticated(ProblemCode::SecondFactorRequired));
    }
    let principal = Arc::new(principal);
    if let Some(generations) = generations {
        let until = verified.until.min(now.timestamp() + EXTERNAL_SECONDS);
        state.tokens().keep(token, generations, (verified.from, until), None, principal.clone());
    }
    Ok(principal)
}

fn bearer(request: &HttpRequest) -> Result<&str, Problem> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let missing = || Problem::unauthenticated(ProblemCode::Unauthenticated);
    let header = headers.next().ok_or_else(missing)?;
    if headers.next().is_some() {
        return Err(Problem::unauthenticated(ProblemCode::InvalidToken));
    }
    let (scheme, token) = header.to_str().ok().and_then(|h| h.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}
