//! Logging in by way of the province's identity provider (OpenID Connect, authorization code flow with PKCE).

use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::Deserialize;
use utoipa::ToSchema;

use super::login_throttle::{self, Attempt, Credential, Origin};
use super::second_factor::LoginFactor;
use super::sessions::{LoggedIn, Tokens, open_session, request_id_of};
use super::sso_model::{self, LinkedUser};
use crate::auth::oidc::{Oidc, Refusal};
use crate::auth::{Public, Role};
use crate::db::{Conn, Db};
use crate::http::client_address::ClientAddress;
use crate::http::problem::ProblemBody;
use crate::http::query::{from_pairs, invalid, pairs};
use crate::http::{Check, Msg, Problem, ProblemCode, ValidJson, Violations};
use crate::state::State;

/// Start single sign-on
///
/// Redirects the browser to the identity provider. Generate a random `verifier` of 43–128 characters, keep it where the page that
/// receives the result can read it (`sessionStorage`), and send its hash: `challenge` is base64url(SHA-256(verifier)) without
/// padding, as in PKCE. The provider redirects the browser to the registered redirect address with `code` and `state`. Complete
/// the login within ten minutes.
#[utoipa::path(
    tag = "auth",
    params(("challenge" = String, Query, description = "base64url(SHA-256(verifier))", min_length = 43, max_length = 43, pattern = "^[A-Za-z0-9_-]{43}$", example = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")),
    responses(
        (status = 302, description = "Redirect to the identity provider", headers(("Location" = String, description = "The provider's authorization endpoint"))),
        (status = 404, description = "Single sign-on is not configured", body = ProblemBody, content_type = "application/problem+json")
    ),
    security(())
)]
#[get("/auth/oidc/start")]
pub async fn start_sso(
    _: Public,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    let oidc = configured(&state)?;
    let challenge = challenge_of(&request)?;
    let begun = oidc.begin(&state.client_of(&request).caller(), &challenge, state.clock().now()).await;
    let location = begun.map_err(|refusal| problem(refusal, &request))?;
    let mut answer = HttpResponse::Found();
    Ok(answer.insert_header((LOCATION, location)).insert_header((CACHE_CONTROL, "no-store")).finish())
}

fn configured(state: &State) -> Result<&Oidc, Problem> {
    state.identity_provider().filter(|oidc| oidc.sign_in().is_some()).ok_or_else(Problem::not_found)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StartParams {
    challenge: String,
}

fn challenge_of(request: &HttpRequest) -> Result<String, Problem> {
    let StartParams { challenge } = from_pairs(&pairs(request.query_string())?)?;
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if challenge.len() == 43 && challenge.bytes().all(is_plain) {
        return Ok(challenge);
    }
    let detail = Msg::fixed(
        "Giá trị phải là base64url(SHA-256(verifier)), gồm 43 ký tự.",
        "Must be base64url(SHA-256(verifier)): 43 characters.",
    );
    Err(invalid("challenge", detail))
}

/// What the provider returned to the browser, and the verifier of the client.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SsoAnswer {
    #[schema(max_length = 2048)]
    code: String,
    #[schema(max_length = 2048)]
    state: String,
    /// The random text whose hash is `challenge`.
    #[schema(max_length = 128, example = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")]
    verifier: String,
}

impl Check for SsoAnswer {
    fn check(&self, faults: &mut Violations) {
        faults.length("/code", &self.code, 1, 2048);
        faults.length("/state", &self.state, 1, 2048);
        faults.length("/verifier", &self.verifier, 1, 128);
    }
}

/// Complete single sign-on
///
/// Returns the same response as `POST /auth/login`, for the user that an administrator has linked to this identity
/// (`external_subject`). Users are never created. If a second factor is required, the provider must assert one (`amr`, `acr`) or
/// be trusted to require one; otherwise the response is 401 `SECOND_FACTOR_REQUIRED`.
#[utoipa::path(
    tag = "auth",
    request_body = SsoAnswer,
    responses(
        (status = 200, description = "Logged in", body = Tokens),
        (status = 401, description = "Invalid login, identity not linked to a user, or no second factor", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "Single sign-on is not configured", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many failed attempts; see `Retry-After`", body = ProblemBody, content_type = "application/problem+json")
    ),
    security(())
)]
#[post("/auth/oidc/callback")]
pub async fn finish_sso(
    _: Public,
    request: HttpRequest,
    state: web::Data<State>,
    body: ValidJson<SsoAnswer>,
) -> Result<HttpResponse, Problem> {
    let (oidc, now, address) = (configured(&state)?, state.clock().now(), state.client_of(&request));
    let SsoAnswer { code, state: sealed, verifier } = body.value;
    let login = oidc.returned(&sealed, &verifier, now).map_err(|refusal| problem(refusal, &request))?;
    let caller = address.caller();
    let attempt = count_attempt(&state, login.key(), &address, now).await?;
    let known =
        oidc.finish(&caller, login, &code, now).await.map_err(|refusal| problem(refusal, &request))?;
    let db = state.db().holding(state.db().readmit_anonymous(&caller).await?);
    let user = linked_user(&db, attempt, known.subject).await?;
    let factor = asserted(&state, &user, known.mfa, now)?;
    let LinkedUser { id, epoch, .. } = user;
    open_session(&state, &db, LoggedIn { id, epoch, factor, address }, now).await
}

async fn count_attempt(
    state: &State,
    key: String,
    address: &ClientAddress,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Attempt, Problem> {
    let origin = Origin::Address(address.clone());
    // The permit ends with the transaction: exchanges have permits of their own.
    let db = state.db().holding(state.db().admit_anonymous(&address.caller())?);
    let counted = async move |conn: &mut Conn| {
        login_throttle::attempt(conn, Credential::SingleSignOn, &key, &origin, now).await
    };
    db.transaction(counted).await
}

/// The user of an identity that was established: the attempt is given back.
async fn linked_user(db: &Db, attempt: Attempt, subject: String) -> Result<LinkedUser, Problem> {
    let linked = async move |conn: &mut Conn| {
        attempt.succeeded(conn).await?;
        Ok::<_, Problem>(sso_model::linked_user(conn, subject).await?)
    };
    db.transaction(linked).await?.ok_or_else(not_linked)
}

/// The provider's word, where a second factor is needed.
fn asserted(
    state: &State,
    user: &LinkedUser,
    mfa: bool,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<LoginFactor, Problem> {
    let role = Role::parse(&user.role).ok_or_else(|| Problem::internal("unknown role in the database"))?;
    let needed = user.second_factor || state.second_factor().policy().requires(role);
    if needed && !mfa {
        let detail = Msg::fixed(
            "Hệ thống đăng nhập một lần (SSO) chưa xác nhận yếu tố thứ hai; đề nghị đăng nhập lại bằng yếu tố thứ hai.",
            "The identity provider did not confirm a second factor.",
        );
        return Err(Problem::unauthenticated(ProblemCode::SecondFactorRequired).detailed(detail));
    }
    Ok(LoginFactor::asserted(mfa.then_some(now)))
}

fn not_linked() -> Problem {
    let detail = Msg::fixed(
        "Danh tính này chưa được liên kết với tài khoản còn hiệu lực; đề nghị liên hệ quản trị viên.",
        "This identity is not linked to an active user. Ask an administrator to link it.",
    );
    Problem::unauthenticated(ProblemCode::InvalidSingleSignOn).detailed(detail)
}

fn problem(refusal: Refusal, request: &HttpRequest) -> Problem {
    refusal.log(&request_id_of(request));
    refusal.into_problem(ProblemCode::InvalidSingleSignOn)
}
