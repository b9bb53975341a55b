//! A second factor enrolled: a secret is given out, and in force with its first code.

use actix_web::{post, web};
use serde::Serialize;

use super::proof::{Owner, wrong_code};
use super::wire::{Confirmation, Enrolment, RecoveryCodes, SecondFactorProof};
use super::{model, rules};
use crate::auth::Access;
use crate::auth::permission::OwnAccount;
use crate::db::Conn;
use crate::http::problem::ProblemBody;
use crate::http::{Msg, Problem, ProblemCode, Reply, ValidJson};
use crate::state::State;

/// Start to enrol a second factor
///
/// Returns a new secret for an authenticator app (TOTP, RFC 6238: SHA-1, six digits, 30 seconds). The secret is shown only once.
/// Confirm it with `POST /me/second-factor/confirmation` within 30 minutes; until then nothing changes. If you already have a
/// second factor, send its code; the new one then replaces it.
#[utoipa::path(
    tag = "auth",
    request_body = SecondFactorProof,
    responses(
        (status = 200, description = "The secret", body = Enrolment),
        (status = 429, description = "Too many failed attempts; see `Retry-After`", body = ProblemBody, content_type = "application/problem+json")
    ),
    security(("bearer" = ["account:own"]))
)]
#[post("/me/second-factor")]
pub async fn start_enrolment(
    access: Access<OwnAccount>,
    state: web::Data<State>,
    body: ValidJson<SecondFactorProof>,
) -> Result<Reply, Problem> {
    if !state.second_factor().is_available() {
        return Err(not_available());
    }
    if let Some(reply) = access.replay(&body.digest).await? {
        return Ok(reply);
    }
    let mut owner = Owner::proved(&access, &state, &body.value).await?;
    let (secret, now) = (rules::new_secret(), access.now());
    let stored =
        state.second_factor().encrypt(&secret, owner.id.as_bytes(), now).map_err(Problem::internal)?;
    access
        .post(&body.digest, async move |conn| {
            owner.lock(conn).await?;
            model::begin(conn, owner.id, stored, now).await?;
            owner.record(conn, "start_second_factor", None).await?;
            shown_secret(&secret, &owner.username)
        })
        .await
}

fn not_available() -> Problem {
    let detail = Msg::fixed(
        "Hệ thống chưa được cấu hình để đăng ký yếu tố thứ hai; đề nghị liên hệ quản trị viên.",
        "Second factors are not configured on this service (SECOND_FACTOR_KEY_FILE).",
    );
    Problem::with(ProblemCode::Conflict, detail)
}

fn shown_secret(secret: &[u8], username: &str) -> Result<Reply, Problem> {
    let uri = rules::enrolment_uri(secret, username);
    let shown = Enrolment { otpauth_uri: uri, secret: Some(rules::base32(secret)) };
    shown_once(&shown, &Enrolment { otpauth_uri: None, secret: None })
}

/// Confirm a second factor
///
/// Activates the second factor and returns ten recovery codes, which are shown only once. Store them apart from the
/// authenticator. Ends all other sessions of the account. Continue this one with `POST /auth/refresh`, because its access token
/// is revoked.
#[utoipa::path(
    tag = "auth",
    request_body = Confirmation,
    responses(
        (status = 200, description = "In force", body = RecoveryCodes),
        (status = 429, description = "Too many failed attempts; see `Retry-After`", body = ProblemBody, content_type = "application/problem+json")
    ),
    security(("bearer" = ["account:own"]))
)]
#[post("/me/second-factor/confirmation")]
pub async fn confirm_enrolment(
    access: Access<OwnAccount>,
    state: web::Data<State>,
    body: ValidJson<Confirmation>,
) -> Result<Reply, Problem> {
    // Before the attempt is counted: a repetition is none.
    if let Some(reply) = access.replay(&body.digest).await? {
        return Ok(reply);
    }
    let mut owner = Owner::of(&access).await?;
    let attempt = owner.attempt(&access).await?;
    access
        .post(&body.digest, async move |conn| {
            owner.lock(conn).await?;
            put_into_force(conn, &state, &owner, &body.value.code).await?;
            attempt.succeeded(conn).await?;
            owner.record(conn, "enrol_second_factor", Some(true)).await?;
            new_codes(conn, &owner).await
        })
        .await
}

/// Compares the first code with the pending secret; the account is locked.
async fn put_into_force(conn: &mut Conn, state: &State, owner: &Owner, code: &str) -> Result<(), Problem> {
    let now = owner.actor.now;
    let pending = model::find(conn, owner.id).await?;
    let since = pending.pending_since.filter(|since| rules::is_confirmable(*since, now));
    let (Some(stored), Some(_)) = (pending.pending_secret, since) else { return Err(not_begun()) };
    let secret = state.second_factor().decrypt(&stored, owner.id.as_bytes()).map_err(Problem::internal)?;
    let rules::SubmittedCode::Totp(code) = rules::SubmittedCode::parse(code) else {
        return Err(wrong_code());
    };
    let step = rules::matching_step(&secret, &code, now).ok_or_else(wrong_code)?;
    if !model::confirm(conn, owner.id, stored, step, now).await? {
        return Err(not_begun());
    }
    model::mark_session(conn, owner.session, Some(now)).await?;
    Ok(model::end_sessions(conn, owner.id, owner.session, now).await?)
}

fn not_begun() -> Problem {
    let detail = Msg::fixed(
        "Chưa có đăng ký nào chờ xác nhận; đề nghị bắt đầu lại (POST /api/v1/me/second-factor).",
        "No enrolment is pending. Start again (POST /api/v1/me/second-factor).",
    );
    Problem::with(ProblemCode::Conflict, detail)
}

pub(super) async fn new_codes(conn: &mut Conn, owner: &Owner) -> Result<Reply, Problem> {
    let (shown, hashes) = rules::new_recovery_codes();
    model::replace_recovery_codes(conn, owner.id, hashes).await?;
    shown_once(&RecoveryCodes { recovery_codes: Some(shown) }, &RecoveryCodes { recovery_codes: None })
}

/// The answer, and what is stored of it for a repeated request.
fn shown_once<T: Serialize>(shown: &T, stored: &T) -> Result<Reply, Problem> {
    let mut reply = Reply::ok(shown)?;
    reply.replay_body = Some(Reply::ok(stored)?.body);
    Ok(reply)
}
