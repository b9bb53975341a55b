//! One's own password, changed.

use actix_web::{put, web};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::accounts::login_throttle::{self, Credential, Origin};
use crate::accounts::model::{self, Credentials};
use crate::accounts::new_password::hash_new;
use crate::accounts::rules::check_password;
use crate::audit::{self, Event};
use crate::auth::permission::OwnAccount;
use crate::auth::{Access, Actor, Identity, is_same_password};
use crate::db::Conn;
use crate::http::{Check, Msg, Problem, ProblemCode, Reply, ValidJson, Violations};
use crate::state::State;

/// A change of your password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(format = "password")]
    current_password: String,
    /// 15–256 characters. Must not be common, consist mostly of names of the province and the service, contain the username, or equal
    /// the current password.
    #[schema(format = "password")]
    new_password: String,
}

impl Check for PasswordChange {
    /// Needs the account: see `PasswordChange::check_new`.
    fn check(&self, _: &mut Violations) {}
}

impl PasswordChange {
    fn check_new(&self, known: &Credentials) -> Result<(), Problem> {
        let mut faults = Violations::default();
        check_password(
            &mut faults,
            "/new_password",
            &self.new_password,
            &known.username,
            &known.display_name,
        );
        if is_same_password(&self.new_password, &self.current_password) {
            let detail = Msg::fixed(
                "Mật khẩu mới không được trùng với mật khẩu hiện tại.",
                "The new password must differ from the current one.",
            );
            faults.add(ProblemCode::WeakPassword, "/new_password", detail);
        }
        faults.into_result()
    }
}

/// Change your password
///
/// Ends every session of the account, including this one. Log in again.
#[utoipa::path(
    tag = "auth",
    request_body = PasswordChange,
    responses(
        (status = 204, description = "Changed"),
        (status = 429, description = "Too many failed attempts; see `Retry-After`", body = crate::http::problem::ProblemBody, content_type = "application/problem+json")
    ),
    security(("bearer" = ["account:own"]))
)]
#[put("/me/password")]
pub async fn change_password(
    access: Access<OwnAccount>,
    state: web::Data<State>,
    body: ValidJson<PasswordChange>,
) -> Result<Reply, Problem> {
    let known = own_credentials(&access).await?;
    body.value.check_new(&known)?;
    let PasswordChange { current_password, new_password } = body.value;
    require_current_password(&access, &state, &current_password, known.password_hash.clone()).await?;
    refuse_temporary_password(&access, &state, &new_password, known.given_out_hash.clone()).await?;
    let account = (known.username.as_str(), known.display_name.as_str());
    let hash = hash_new(state.passwords(), access.caller(), "/new_password", &new_password, account).await?;
    let (actor, had_temporary_password) = (access.actor(), access.principal().has_temporary_password());
    access
        .transaction(async move |conn| {
            if !model::set_password(conn, known.id, known.epoch, hash, actor.now).await? {
                return Err(Problem::unauthenticated(ProblemCode::InvalidToken));
            }
            password_event(conn, &actor, &known.username, had_temporary_password).await?;
            Ok(Reply::no_content())
        })
        .await
}

async fn own_credentials(access: &Access<OwnAccount>) -> Result<Credentials, Problem> {
    let Identity::User { username, id, .. } = access.identity() else {
        return Err(Problem::new(ProblemCode::Forbidden));
    };
    let (username, id) = (username.clone(), *id);
    let known = access.read(async move |conn| Ok(model::credentials(conn, &username).await?)).await?;
    known.filter(|known| known.id == id).ok_or_else(|| Problem::unauthenticated(ProblemCode::InvalidToken))
}

/// Guesses are counted by session: the holder of a token gets no more guesses than other callers, and no other caller can lock the user out of this.
pub(in crate::accounts) async fn require_current_password(
    access: &Access<OwnAccount>,
    state: &State,
    password: &str,
    stored: String,
) -> Result<(), Problem> {
    let Identity::User { username, session, id, .. } = access.identity() else {
        return Err(Problem::new(ProblemCode::Forbidden));
    };
    let (username, origin, now) = (username.clone(), Origin::Session(session.unwrap_or(*id)), access.now());
    let attempt = access
        .transaction(async move |conn| {
            login_throttle::attempt(conn, Credential::Password, &username, &origin, now).await
        })
        .await?;
    // Hashing may have to wait for its turn.
    access.release_permit();
    let verified = state.passwords().verify(access.caller(), password, Some(stored)).await;
    if !attempt.decided(state.db(), verified).await? {
        let detail = Msg::fixed("Mật khẩu hiện tại không đúng.", "The current password is incorrect.");
        return Err(Problem::at(ProblemCode::WrongPassword, "/current_password", detail));
    }
    access.read(async move |conn| Ok(attempt.succeeded(conn).await?)).await?;
    access.release_permit();
    Ok(())
}

/// What somebody else knows does not become the user's own.
async fn refuse_temporary_password<P>(
    access: &Access<P>,
    state: &State,
    password: &str,
    temporary: Option<String>,
) -> Result<(), Problem> {
    let Some(temporary) = temporary else { return Ok(()) };
    if !state.passwords().verify(access.caller(), password, Some(temporary)).await? {
        return Ok(());
    }
    let detail = Msg::fixed(
        "Đây là mật khẩu tạm do quản trị viên cấp; đề nghị đặt mật khẩu khác.",
        "This is the temporary password. Choose a different one.",
    );
    Err(Problem::at(ProblemCode::WeakPassword, "/new_password", detail))
}

async fn password_event(
    conn: &mut Conn,
    actor: &Actor,
    username: &str,
    had_temporary_password: bool,
) -> Result<(), Problem> {
    let event = Event {
        action: "change_password",
        entity: "user",
        key: username.to_owned(),
        before: Some(json!({"must_change_password": had_temporary_password})),
        after: Some(json!({"must_change_password": false})),
    };
    Ok(audit::record(conn, actor, event).await?)
}
