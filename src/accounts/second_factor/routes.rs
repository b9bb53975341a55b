//! One's own second factor: read, enrolled, replaced, removed.

use actix_web::{delete, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::proof::{Owner, wrong_code};
use super::{model, rules};
use crate::audit::{self, Event};
use crate::auth::permission::OwnAccount;
use crate::auth::{Access, Identity};
use crate::db::Conn;
use crate::http::problem::ProblemBody;
use crate::http::{Check, Code, EntityTag, Msg, Problem, Reply, ValidJson, Violations};
use crate::state::State;

/// The state of your second factor.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecondFactorState {
    /// True if a second factor is enrolled: every login requires a code.
    pub enrolled: bool,
    pub enrolled_at: Option<DateTime<Utc>>,
    /// True if the role requires a second factor: it can be replaced, but not removed.
    pub required: bool,
    /// True if an enrolment is waiting for its first code.
    pub pending: bool,
    /// Number of unused recovery codes.
    #[schema(example = 10)]
    pub recovery_codes_left: i64,
}

/// Read the state of your second factor
#[utoipa::path(
    tag = "auth",
    responses((status = 200, description = "The state of the second factor", body = SecondFactorState)),
    security(("bearer" = ["account:own"]))
)]
#[get("/me/second-factor")]
pub async fn second_factor(access: Access<OwnAccount>, state: web::Data<State>) -> Result<Reply, Problem> {
    let Identity::User { id, role, .. } = access.identity() else {
        return Err(Problem::new(Code::Forbidden));
    };
    let (id, role, now) = (*id, *role, access.now());
    let row = access.read(async move |conn| Ok(model::find(conn, id).await?)).await?;
    let body = SecondFactorState {
        enrolled: row.secret.is_some(),
        enrolled_at: row.confirmed_at,
        required: state.second_factor().policy().requires(role),
        pending: row.pending_since.is_some_and(|since| rules::is_confirmable(since, now)),
        recovery_codes_left: row.recovery_codes_left,
    };
    let bytes = serde_json::to_vec(&body).map_err(|e| Problem::internal(e.to_string()))?;
    Reply::resource(&access.conditions, &EntityTag::of_bytes(&bytes), || body)
}

/// Proof of identity for a change of your second factor.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorProof {
    #[schema(format = "password")]
    current_password: String,
    /// Code of the current second factor, or a recovery code. Not required if there is none.
    #[schema(example = "492039", max_length = 64)]
    code: Option<String>,
}

impl Check for SecondFactorProof {
    /// Compared in the handler.
    fn check(&self, _: &mut Violations) {}
}

impl SecondFactorProof {
    async fn owner(&self, access: &Access<OwnAccount>, state: &State) -> Result<Owner, Problem> {
        let owner = Owner::of(access).await?;
        owner.check_password(access, state, &self.current_password).await?;
        owner.check_code(access, state, self.code.as_deref()).await
    }
}

/// The new secret for an authenticator app.
#[derive(Debug, Serialize, ToSchema)]
pub struct Enrolment {
    /// URI to show as a QR code. Absent if the request is repeated with its `Idempotency-Key`.
    #[schema(
        example = "otpauth://totp/ict-index:coordinator?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=ict-index"
    )]
    pub otpauth_uri: Option<String>,
    /// Secret in Base32. Absent if the request is repeated with its `Idempotency-Key`.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    pub secret: Option<String>,
}

/// Start to enrol a second factor
///
/// Returns a new secret for an authenticator app (TOTP, RFC 6238: SHA-1, six digits, 30 seconds). The secret is shown only once.
/// Confirm it with `POST /me/second-factor/confirmation` within 30 minutes; until then nothing changes. If you already have a
/// second factor, send its code; the new one then replaces it.
#[utoipa::path(
    tag = "auth",
    request_body = SecondFactorProof,
    responses(
        (status = 200, description = "The new secret", body = Enrolment),
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
        let detail = Msg::fixed(
            "Hệ thống chưa được cấu hình để đăng ký yếu tố thứ hai; đề nghị liên hệ quản trị viên.",
            "Second factors are not configured on this service (SECOND_FACTOR_KEY_FILE).",
        );
        return Err(Problem::with(Code::Conflict, detail));
    }
    let mut owner = body.value.owner(&access, &state).await?;
    let secret = rules::new_secret();
    let now = access.now();
    let stored =
        state.second_factor().encrypt(&secret, owner.id.as_bytes(), now).map_err(Problem::internal)?;
    access
        .post(&body.digest, async move |conn| {
            owner.lock(conn).await?;
            model::begin(conn, owner.id, stored, now).await?;
            record(conn, &owner, "start_second_factor", None).await?;
            let uri = rules::enrolment_uri(&secret, &owner.username);
            let shown = Enrolment { otpauth_uri: uri, secret: Some(rules::base32(&secret)) };
            shown_once(&shown, &Enrolment { otpauth_uri: None, secret: None })
        })
        .await
}

/// The first code of a new authenticator.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    #[schema(example = "492039", max_length = 64)]
    code: String,
}

impl Check for Confirmation {
    /// Compared in the handler.
    fn check(&self, _: &mut Violations) {}
}

/// Recovery codes. Each can be used once in place of a code.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveryCodes {
    /// Ten recovery codes. Absent if the request is repeated with its `Idempotency-Key`.
    #[schema(example = json!(["MFRG-GZDF-MZTW-Q2LK-NNWG-23TP"]))]
    pub recovery_codes: Option<Vec<String>>,
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
        (status = 200, description = "Activated; the recovery codes", body = RecoveryCodes),
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
    let (mut owner, now) = (Owner::of(&access).await?, access.now());
    let attempt = owner.attempt(&access).await?;
    let code = body.value.code;
    access
        .post(&body.digest, async move |conn| {
            owner.lock(conn).await?;
            let pending = model::find(conn, owner.id).await?;
            let since = pending.pending_since.filter(|since| rules::is_confirmable(*since, now));
            let (Some(stored), Some(_)) = (pending.pending_secret, since) else { return Err(not_begun()) };
            let secret =
                state.second_factor().decrypt(&stored, owner.id.as_bytes()).map_err(Problem::internal)?;
            let rules::Code::Totp(code) = rules::Code::parse(&code) else { return Err(wrong_code()) };
            let step = rules::matching_step(&secret, &code, now).ok_or_else(wrong_code)?;
            if !model::confirm(conn, owner.id, stored, step, now).await? {
                return Err(not_begun());
            }
            attempt.succeeded(conn).await?;
            model::mark_session(conn, owner.session, Some(now)).await?;
            model::end_sessions(conn, owner.id, owner.session, now).await?;
            record(conn, &owner, "enrol_second_factor", Some(true)).await?;
            new_codes(conn, &owner).await
        })
        .await
}

fn not_begun() -> Problem {
    let detail = Msg::fixed(
        "Chưa có đăng ký nào chờ xác nhận; đề nghị bắt đầu lại (POST /api/v1/me/second-factor).",
        "No enrolment is pending. Start again (POST /api/v1/me/second-factor).",
    );
    Problem::with(Code::Conflict, detail)
}

/// Remove your second factor
///
/// Not allowed if your role requires one. Ends all other sessions of the account; continue this one with `POST /auth/refresh`.
#[utoipa::path(
    tag = "auth",
    request_body = SecondFactorProof,
    responses(
        (status = 204, description = "Removed"),
        (status = 429, description = "Too many failed attempts; see `Retry-After`", body = ProblemBody, content_type = "application/problem+json")
    ),
    security(("bearer" = ["account:own"]))
)]
#[delete("/me/second-factor")]
pub async fn remove_second_factor(
    access: Access<OwnAccount>,
    state: web::Data<State>,
    body: ValidJson<SecondFactorProof>,
) -> Result<Reply, Problem> {
    if matches!(access.identity(), Identity::User { role, .. } if state.second_factor().policy().requires(*role))
    {
        let detail = Msg::fixed(
            "Vai trò này bắt buộc phải có yếu tố thứ hai nên chỉ được thay thế, không được gỡ bỏ.",
            "This role requires a second factor. You can replace it, but not remove it.",
        );
        return Err(Problem::with(Code::Conflict, detail));
    }
    let mut owner = body.value.owner(&access, &state).await?;
    access
        .transaction(async move |conn| {
            owner.lock(conn).await?;
            if !model::remove(conn, owner.id).await? {
                return Err(not_enrolled());
            }
            model::mark_session(conn, owner.session, None).await?;
            model::end_sessions(conn, owner.id, owner.session, owner.actor.now).await?;
            record(conn, &owner, "remove_second_factor", Some(false)).await?;
            Ok(Reply::no_content())
        })
        .await
}

fn not_enrolled() -> Problem {
    let detail = Msg::fixed("Chưa đăng ký yếu tố thứ hai.", "You have not enrolled a second factor.");
    Problem::with(Code::Conflict, detail)
}

/// Create new recovery codes
///
/// Returns ten codes, which are shown only once. The previous codes are revoked.
#[utoipa::path(
    tag = "auth",
    request_body = SecondFactorProof,
    responses(
        (status = 200, description = "The new recovery codes", body = RecoveryCodes),
        (status = 429, description = "Too many failed attempts; see `Retry-After`", body = ProblemBody, content_type = "application/problem+json")
    ),
    security(("bearer" = ["account:own"]))
)]
#[post("/me/second-factor/recovery-codes")]
pub async fn renew_recovery_codes(
    access: Access<OwnAccount>,
    state: web::Data<State>,
    body: ValidJson<SecondFactorProof>,
) -> Result<Reply, Problem> {
    let mut owner = body.value.owner(&access, &state).await?;
    access
        .post(&body.digest, async move |conn| {
            owner.lock(conn).await?;
            if owner.factor.secret.is_none() {
                return Err(not_enrolled());
            }
            record(conn, &owner, "renew_recovery_codes", None).await?;
            new_codes(conn, &owner).await
        })
        .await
}

async fn new_codes(conn: &mut Conn, owner: &Owner) -> Result<Reply, Problem> {
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

/// `enrolled`: how it stands afterwards, when that has changed.
async fn record(
    conn: &mut Conn,
    owner: &Owner,
    action: &'static str,
    enrolled: Option<bool>,
) -> Result<(), Problem> {
    let before = enrolled.map(|_| json!({"second_factor": owner.factor.secret.is_some()}));
    let after = enrolled.map(|enrolled| json!({"second_factor": enrolled}));
    let event = Event { action, entity: "user", key: owner.username.clone(), before, after };
    Ok(audit::record(conn, &owner.actor, event).await?)
}
