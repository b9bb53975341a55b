//! Logging in, logging out; one's own account.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::login_throttle::{self, Credential, Origin, remember_address};
use super::model::{self, UserRow};
use super::rules::Opaque;
use super::session_model;
use crate::auth::permission::OwnAccount;
use crate::auth::{ACCESS_TOKEN_SECONDS, Access, Busy, Identity, Permission, Public, Role, Subject};
use crate::db::{Caller, Conn};
use crate::http::client_address::ClientAddress;
use crate::http::{Check, Code, Problem, Reply, ValidJson, Violations};
use crate::state::State;

/// Username and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    #[schema(example = "coordinator")]
    username: String,
    #[schema(format = "password")]
    password: String,
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
    /// Seconds the access token lives.
    #[schema(example = 900)]
    pub expires_in: i64,
    /// Opaque; works once, at `POST /auth/refresh`, and again for 10 seconds after that.
    pub refresh_token: String,
}

pub(super) fn busy(busy: Busy) -> Problem {
    match busy.own_share {
        true => Problem::share_used_up(),
        false => Problem::new(Code::Unavailable).retry_after(2),
    }
}

/// Who is charged for a request before it is known whose it is.
pub(super) fn anonymous(address: &ClientAddress) -> Caller {
    Caller::named(format!("address:{}", address.as_str()))
}

/// No cache keeps an answer that holds tokens.
pub(super) fn token_answer(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(body)
}

/// Log in
///
/// The same answer, in the same time, for a wrong password and for a user who does not exist. After repeated failures: 429.
#[utoipa::path(
    tag = "auth",
    request_body = Login,
    responses(
        (status = 200, description = "Logged in", body = Tokens),
        (status = 401, description = "Wrong username or password", body = crate::http::problem::ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many failures; see `Retry-After`", body = crate::http::problem::ProblemBody, content_type = "application/problem+json")
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
    let Login { username, password } = body.value;
    let address = state.client_of(&request);
    let origin = Origin::Address(address.clone());
    let caller = anonymous(&address);
    let permit = state.db().admit_anonymous(&caller)?;
    let (known, attempt) = state
        .db()
        .transaction(async move |conn: &mut Conn| {
            let known = model::credentials(conn, &username).await?;
            let attempt =
                login_throttle::attempt(conn, Credential::Password, &username, &origin, now).await?;
            Ok::<_, Problem>((known, attempt))
        })
        .await?;
    // Hashing may have to wait for its turn.
    drop(permit);
    let hash = known.as_ref().map(|k| k.password_hash.clone());
    let verified = state.passwords().verify(&caller, &password, hash).await;
    let matches = attempt.decided(state.db(), verified).await?;
    let Some(user) = known.filter(|k| matches && k.disabled_at.is_none()) else {
        return Err(Problem::new(Code::InvalidCredentials).header(
            actix_web::http::header::WWW_AUTHENTICATE,
            actix_web::http::header::HeaderValue::from_static("Bearer realm=\"ict-index\""),
        ));
    };
    let first = Opaque::random();
    let refresh_hash = first.hash.clone();
    let (id, epoch) = (user.id, user.epoch);
    let session = state
        .db()
        .transaction(async move |conn: &mut Conn| {
            let session = session_model::open_session(conn, id, epoch, refresh_hash, now).await?;
            if session.is_some() {
                remember_address(conn, id, &address, now).await?;
            }
            attempt.succeeded(conn).await?;
            Ok::<_, Problem>(session)
        })
        .await?
        .ok_or_else(|| Problem::unauthenticated(Code::InvalidCredentials))?;
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

/// Log out
///
/// Ends the session: its access and refresh tokens work no more.
#[utoipa::path(
    tag = "auth",
    responses((status = 204, description = "Logged out")),
    security(("bearer" = ["account:own"]))
)]
#[post("/auth/logout")]
pub async fn logout(access: Access<OwnAccount>) -> Result<Reply, Problem> {
    let Identity::User { session, .. } = access.identity() else { return Err(Problem::new(Code::Forbidden)) };
    let (session, now) = (*session, access.now());
    access
        .transaction(async move |conn| {
            session_model::revoke_session(conn, session, "logout", now).await?;
            Ok(Reply::no_content())
        })
        .await
}

/// The caller's own account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    #[schema(example = "coordinator")]
    pub username: String,
    pub display_name: String,
    #[schema(value_type = Role)]
    pub role: String,
    /// Code of the officer's agency.
    pub agency: Option<String>,
    /// What the role may do.
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<&'static str>,
    /// The password was given out by an administrator: `PUT /me/password` comes first.
    pub must_change_password: bool,
}

impl From<UserRow> for Me {
    fn from(row: UserRow) -> Self {
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
        }
    }
}

/// Read one's own account
#[utoipa::path(
    tag = "auth",
    responses((status = 200, description = "The account", body = Me)),
    security(("bearer" = ["account:own"]))
)]
#[get("/me")]
pub async fn me(access: Access<OwnAccount>) -> Result<Reply, Problem> {
    let Identity::User { username, .. } = access.identity() else {
        return Err(Problem::new(Code::Forbidden));
    };
    let username = username.clone();
    let row = access.read(async move |conn| Ok(model::find_user(conn, &username).await?)).await?;
    let row = row.ok_or_else(Problem::not_found)?;
    let tag = crate::http::EntityTag::of_version(row.version);
    Reply::resource(&access.conditions, &tag, || Me::from(row))
}
