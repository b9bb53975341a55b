//! `POST /oauth/token`: client credentials (RFC 6749, 4.4), as provincial gateways speak it.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, post, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use super::client_model::{self as model, ClientRow};
use super::login_throttle::{self, Credential, Origin};
use super::rules::hash_of;
use super::sessions::token_answer;
use crate::auth::{ACCESS_TOKEN_SECONDS, Public, Subject};
use crate::db::Conn;
use crate::http::Problem;
use crate::http::json::{limits_of, read_body};
use crate::http::query::{from_pairs, pairs};
use crate::http::target::MOST_PARAMETERS;
use crate::ids::is_code;
use crate::state::State;

const MOST_BYTES: usize = 8 * 1024;

/// The form of a token request.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TokenRequest {
    /// `client_credentials`.
    #[schema(example = "client_credentials")]
    grant_type: Option<String>,
    /// Client id, if HTTP Basic authentication is not used.
    #[schema(example = "portal")]
    client_id: Option<String>,
    #[schema(format = "password")]
    client_secret: Option<String>,
    /// Space-separated subset of the client's scopes. Default: all of them.
    #[schema(example = "statistics:read catalogue:read")]
    scope: Option<String>,
}

/// The access token of a machine client.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientToken {
    access_token: String,
    #[schema(value_type = String, example = "Bearer")]
    token_type: &'static str,
    /// Lifetime in seconds.
    #[schema(example = 900)]
    expires_in: i64,
    /// Scopes granted.
    #[schema(example = "statistics:read catalogue:read")]
    scope: String,
}

/// Error of RFC 6749, 5.2.
#[derive(Debug, Serialize, ToSchema)]
pub struct OAuthError {
    #[schema(value_type = String, example = "invalid_client")]
    error: &'static str,
    #[schema(value_type = String)]
    error_description: &'static str,
}

enum Refusal {
    OAuth(StatusCode, &'static str, &'static str),
    Other(Problem),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Other(problem)
    }
}

fn bad(error: &'static str, description: &'static str) -> Refusal {
    Refusal::OAuth(StatusCode::BAD_REQUEST, error, description)
}

fn invalid_client() -> Refusal {
    Refusal::OAuth(StatusCode::UNAUTHORIZED, "invalid_client", "unknown client or wrong secret")
}

/// Get a token for a machine client
///
/// OAuth2 client credentials. Send `client_id` and `client_secret` with HTTP Basic authentication or in the form.
#[utoipa::path(
    tag = "auth",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The access token", body = ClientToken),
        (status = 400, description = "RFC 6749 error, or a problem with the query string", content((OAuthError = "application/json"), (crate::http::problem::ProblemBody = "application/problem+json"))),
        (status = 401, description = "RFC 6749 error `invalid_client`", body = OAuthError),
        (status = 429, description = "Too many failed attempts; see `Retry-After`", body = crate::http::problem::ProblemBody, content_type = "application/problem+json")
    ),
    security(())
)]
#[post("/oauth/token")]
pub async fn token(
    _: Public,
    request: HttpRequest,
    state: web::Data<State>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    match grant(&request, &state, payload).await {
        Ok(token) => Ok(token_answer(&token)),
        Err(Refusal::Other(problem)) => Err(problem),
        Err(Refusal::OAuth(status, error, error_description)) => {
            let mut answer = HttpResponse::build(status);
            answer.insert_header(("cache-control", "no-store"));
            if status == StatusCode::UNAUTHORIZED {
                answer.insert_header(("www-authenticate", "Basic realm=\"ict-index\""));
            }
            Ok(answer.json(OAuthError { error, error_description }))
        }
    }
}

async fn grant(request: &HttpRequest, state: &State, payload: web::Payload) -> Result<ClientToken, Refusal> {
    let form = form(request, payload).await?;
    let (client_id, secret) = credentials(request, &form)?;
    if !is_code(&client_id) {
        return Err(invalid_client());
    }
    match form.grant_type.as_deref() {
        Some("client_credentials") => {}
        Some(_) => return Err(bad("unsupported_grant_type", "only client_credentials is supported")),
        None => return Err(bad("invalid_request", "grant_type is missing")),
    }
    let now = state.clock().now();
    let client = authenticated(request, state, client_id, &secret).await?;
    let scope = granted(&client, form.scope.as_deref())?;
    let subject = Subject::Client { client_id: client.client_id, scope: scope.clone(), epoch: client.epoch };
    let access_token = state.keys().sign(&subject, now).map_err(Problem::internal)?;
    Ok(ClientToken { access_token, token_type: "Bearer", expires_in: ACCESS_TOKEN_SECONDS, scope })
}

async fn form(request: &HttpRequest, payload: web::Payload) -> Result<TokenRequest, Refusal> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Problem::new(crate::http::ProblemCode::UnsupportedMediaType).into());
    }
    let (claim, offload) = limits_of(request)?;
    let body = read_body(payload.into_inner(), MOST_BYTES, claim).await?;
    let (form, _claim) = body.parse(&offload, |bytes| Ok(read_form(bytes))).await?;
    form
}

fn read_form(bytes: &[u8]) -> Result<TokenRequest, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|_| bad("invalid_request", "the form is not UTF-8"))?;
    let malformed = |_| bad("invalid_request", "the form is malformed or names a parameter twice");
    if text.bytes().filter(|byte| *byte == b'&').count() >= MOST_PARAMETERS {
        return Err(malformed(Problem::new(crate::http::ProblemCode::TooManyParameters)));
    }
    from_pairs(&pairs(text).map_err(malformed)?).map_err(malformed)
}

/// From HTTP Basic or the form; from both is an error (RFC 6749, 2.3).
fn credentials(request: &HttpRequest, form: &TokenRequest) -> Result<(String, String), Refusal> {
    let basic = request.headers().get(AUTHORIZATION);
    match (basic, &form.client_id, &form.client_secret) {
        (Some(_), _, Some(_)) => {
            Err(bad("invalid_request", "credentials both in the header and in the form"))
        }
        (Some(header), id, None) => {
            let pair = header.to_str().ok().and_then(decode_basic).ok_or_else(invalid_client)?;
            match id {
                Some(id) if *id != pair.0 => Err(bad("invalid_request", "two different client_id")),
                _ => Ok(pair),
            }
        }
        (None, Some(id), Some(secret)) => Ok((id.clone(), secret.clone())),
        (None, ..) => Err(invalid_client()),
    }
}

fn decode_basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    // RFC 6749, 2.3.1: both are form-encoded before they are joined.
    let decode = |part: &str| {
        let query = format!("x={part}");
        let value = form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned());
        value.unwrap_or_default()
    };
    Some((decode(id), decode(secret)))
}

async fn authenticated(
    request: &HttpRequest,
    state: &State,
    client_id: String,
    secret: &str,
) -> Result<ClientRow, Refusal> {
    let now = state.clock().now();
    let address = state.client_of(request);
    let permit = state.db().admit_anonymous(&address.caller()).map_err(Problem::from)?;
    let db = state.db().holding(permit);
    let (name, origin) = (client_id.clone(), Origin::Address(address));
    let (hashes, client) = db
        .read(async move |conn: &mut Conn| {
            // The client first: a secret that ends in between gives a token of an epoch that has ended with it.
            let client = model::find_client(conn, &client_id).await?;
            Ok::<_, Problem>((model::secrets(conn, &client_id, now).await?, client))
        })
        .await?;
    let given = hash_of(secret);
    let matches = hashes.iter().fold(false, |found, hash| found | bool::from(hash.ct_eq(&given)));
    // The right secret always passes: others' failures must not lock a machine out, and 256 random bits are not guessed.
    if let Some(client) = client.filter(|_| matches) {
        return Ok(client);
    }
    let counted = async move |conn: &mut Conn| {
        login_throttle::attempt(conn, Credential::ClientSecret, &name, &origin, now).await
    };
    // Decided already: it stays counted as the failure that it is.
    let _failed = db.transaction(counted).await?;
    Err(invalid_client())
}

fn granted(client: &ClientRow, asked: Option<&str>) -> Result<String, Refusal> {
    let Some(asked) = asked.filter(|a| !a.trim().is_empty()) else { return Ok(client.scopes.join(" ")) };
    let asked: Vec<&str> = asked.split_whitespace().collect();
    if asked.iter().all(|scope| client.scopes.iter().any(|held| held == scope)) {
        return Ok(asked.join(" "));
    }
    Err(bad("invalid_scope", "the client does not hold every scope asked for"))
}
