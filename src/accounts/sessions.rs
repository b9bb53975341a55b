//! Logging in, logging out; one's own account.

use actix_web::{HttpMessage, HttpRequest, HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::login_throttle::{self, Attempt, Credential, Origin, remember_address};
use super::model::{self, Credentials, UserRow};
use super::rules::Opaque;
use super::second_factor;
use super::session_model;
use crate::auth::permission::OwnAccount;
use crate::auth::{ACCESS_TOKEN_SECONDS, Access, Actor, Identity, Permission, Public, Role, Subject};
use crate::db::{Conn, Db};
use crate::http::client_address::ClientAddress;
use crate::http::request::RequestId;
use crate::http::{Check, EntityTag, Msg, Problem, ProblemCode, Reply, ValidJson, Violations};
use crate::state::State;

/// Username and password, and a code for users with a second factor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    #[schema(example = "coordinator")]
    username: String,
    #[schema(format = "password")]
    password: String,
    /// Six digits of the authenticator, or a recovery code. Required for users with a second factor.
    #[schema(example = "492039", max_length = 64)]
    code: Option<String>,
}

impl Check for Login {
    /// A wrong name and a wrong password are told alike, so nothing is checked before.
    fn check(&self, _: &mut Violations) {}
}

/// Tokens of a session.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tokens {
    /// JWT for `Authorization: Bearer`.
    pub access_token: String,
    #[schema(value_type = String, example = "Bearer")]
    pub token_type: &'static str,
    /// Lifetime of the access token in seconds.
    #[schema(example = 900)]
    pub expires_in: i64,
    /// Opaque refresh token for `POST /auth/refresh`. Can be used once, and again for 10 seconds after that.
    pub refresh_token: String,
}

/// No cache keeps an answer that holds tokens.
pub(super) fn token_answer(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(body)
}

/// Log in
///
/// The response, and the time it takes, are the same for a wrong password and for an unknown user. After repeated failures the
/// response is 429, and `detail` says how long to wait.
///
/// A user with a second factor who sends no `code` gets 401 `SECOND_FACTOR_REQUIRED` once the password is correct. Ask for the
/// code and log in again with it. An incorrect, used or expired code gets 401 `INVALID_SECOND_FACTOR`. A user who must enrol a
/// second factor first gets a session that allows operations on their own account only; all others return 403
/// `SECOND_FACTOR_ENROLMENT_REQUIRED`.
#[utoipa::path(
    tag = "auth",
    request_body = Login,
    responses(
        (status = 200, description = "Logged in", body = Tokens),
        (status = 401, description = "Incorrect username, password or code; or a code is required", body = crate::http::problem::ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many failed attempts; see `Retry-After`", body = crate::http::problem::ProblemBody, content_type = "application/problem+json")
    ),
    security(())
)]
#[post("/auth/login")]
pub async fn login(
    _: Public,
    request: HttpRequest,
    state: web::Data<State>,
    body: ValidJson<Login>,
) -> Result<HttpResponse, Problem> {
    let now = state.clock().now();
    let Login { username, password, code } = body.value;
    let address = state.client_of(&request);
    let (db, user, attempt) = verified(&state, &address, username, &password, now).await?;
    let actor = Actor { name: format!("user:{}", user.username), request_id: request_id_of(&request), now };
    let claim = second_factor::Claim { user: &user, password: attempt, address: &address };
    let factor = second_factor::at_login(&db, state.second_factor(), claim, code.as_deref(), actor).await?;
    open_session(&state, &db, LoggedIn { id: user.id, epoch: user.epoch, factor, address }, now).await
}

/// Whose password it is, the attempt at it, which is still counted, and the database for the rest of this login.
async fn verified(
    state: &State,
    address: &ClientAddress,
    username: String,
    password: &str,
    now: DateTime<Utc>,
) -> Result<(Db, Credentials, Attempt), Problem> {
    let origin = Origin::Address(address.clone());
    let caller = address.caller();
    // The permit ends with the transaction: hashing may have to wait for its turn.
    let (known, attempt) = state
        .db()
        .holding(state.db().admit_anonymous(&caller)?)
        .transaction(async move |conn: &mut Conn| {
            let known = model::credentials(conn, &username).await?;
            let attempt =
                login_throttle::attempt(conn, Credential::Password, &username, &origin, now).await?;
            Ok::<_, Problem>((known, attempt))
        })
        .await?;
    let hash = known.as_ref().map(|k| k.password_hash.clone());
    let verified = state.passwords().verify(&caller, password, hash).await;
    let db = state.db().holding(state.db().readmit_anonymous(&caller).await?);
    let matches = attempt.decided(&db, verified).await?;
    let user = known.filter(|k| matches && k.disabled_at.is_none());
    let user = user.ok_or_else(|| Problem::unauthenticated(ProblemCode::InvalidCredentials))?;
    Ok((db, user, attempt))
}

/// Who has logged in, whichever way.
pub(super) struct LoggedIn {
    pub id: Uuid,
    pub epoch: i32,
    pub factor: second_factor::LoginFactor,
    pub address: ClientAddress,
}

/// The session's first tokens; `INVALID_CREDENTIALS` when the account has changed since it was looked at.
pub(super) async fn open_session(
    state: &State,
    db: &Db,
    who: LoggedIn,
    now: DateTime<Utc>,
) -> Result<HttpResponse, Problem> {
    let LoggedIn { id, epoch, factor, address } = who;
    let first = Opaque::random();
    let refresh_hash = first.hash.clone();
    let session = db
        .transaction(async move |conn: &mut Conn| {
            let (proved, attempt) = factor.spend(conn).await?;
            let session = session_model::open_session(conn, id, epoch, refresh_hash, proved, now).await?;
            if session.is_some() {
                remember_address(conn, id, &address, now).await?;
            }
            // After the account, in the order in which a reset locks them.
            if let Some(attempt) = attempt {
                attempt.succeeded(conn).await?;
            }
            Ok::<_, Problem>(session)
        })
        .await?
        .ok_or_else(|| Problem::unauthenticated(ProblemCode::InvalidCredentials))?;
    let access_token =
        state.keys().sign(&Subject::User { id, session, epoch }, now).map_err(Problem::internal)?;
    Ok(token_answer(&tokens(access_token, first)))
}

pub(super) fn tokens(access_token: String, opaque: Opaque) -> Tokens {
    Tokens {
        access_token,
        token_type: "Bearer",
        expires_in: ACCESS_TOKEN_SECONDS,
        refresh_token: opaque.text,
    }
}

pub(super) fn request_id_of(request: &HttpRequest) -> String {
    request.extensions().get::<RequestId>().cloned().unwrap_or_default().0.to_string()
}

/// Log out
///
/// Ends the session and revokes its access and refresh tokens.
#[utoipa::path(
    tag = "auth",
    responses((status = 204, description = "Logged out")),
    security(("bearer" = ["account:own"]))
)]
#[post("/auth/logout")]
pub async fn logout(access: Access<OwnAccount>) -> Result<Reply, Problem> {
    let Identity::User { session, .. } = access.identity() else {
        return Err(Problem::new(ProblemCode::Forbidden));
    };
    let (session, now) = (session.ok_or_else(of_provider)?, access.now());
    access
        .transaction(async move |conn| {
            session_model::revoke_session(conn, session, "logout", now).await?;
            Ok(Reply::no_content())
        })
        .await
}

fn of_provider() -> Problem {
    let detail = Msg::fixed(
        "Phiên đăng nhập này do hệ thống đăng nhập một lần (SSO) cấp; đề nghị đăng xuất tại hệ thống đó.",
        "The identity provider issued this access token. Log out there.",
    );
    Problem::with(ProblemCode::Conflict, detail)
}

/// Your account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    #[schema(example = "coordinator")]
    pub username: String,
    pub display_name: String,
    #[schema(value_type = Role)]
    pub role: String,
    /// Code of the officer's agency.
    pub agency: Option<String>,
    /// Permissions of the role.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<&'static str>,
    /// True if the password is temporary: change it with `PUT /me/password` first.
    pub must_change_password: bool,
    /// True if a second factor is required and not enrolled: start with `POST /me/second-factor`.
    pub must_enrol_second_factor: bool,
}

impl Me {
    fn of(row: UserRow, must_enrol_second_factor: bool) -> Self {
        let role = Role::parse(&row.role);
        let permissions = Permission::ALL
            .iter()
            .filter(|p| role.is_some_and(|role| p.roles().contains(&role)))
            .map(|p| p.as_str())
            .collect();
        Self {
            username: row.username,
            display_name: row.display_name,
            role: row.role,
            agency: row.agency,
            permissions,
            must_change_password: row.must_change_password,
            must_enrol_second_factor,
        }
    }
}

/// Read your account
#[utoipa::path(
    tag = "auth",
    responses((status = 200, description = "The account", body = Me)),
    security(("bearer" = ["account:own"]))
)]
#[get("/me")]
pub async fn me(access: Access<OwnAccount>) -> Result<Reply, Problem> {
    let Identity::User { username, .. } = access.identity() else {
        return Err(Problem::new(ProblemCode::Forbidden));
    };
    let username = username.clone();
    let row = access.read(async move |conn| Ok(model::find_user(conn, &username).await?)).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let must_enrol = access.principal().must_enrol();
    let tag = match must_enrol {
        true => EntityTag::of_variant(row.version, &["must_enrol"]),
        false => EntityTag::of_version(row.version),
    };
    Reply::resource(&access.conditions, &tag, || Me::of(row, must_enrol))
}
