//! One's own second factor: read, removed; new recovery codes.

use actix_web::{delete, get, post, web};

use super::enrolment::new_codes;
use super::proof::Owner;
use super::wire::{RecoveryCodes, SecondFactorProof, SecondFactorState};
use super::{model, rules};
use crate::auth::permission::OwnAccount;
use crate::auth::{Access, Identity};
use crate::http::problem::ProblemBody;
use crate::http::{Msg, Problem, ProblemCode, Reply, ValidJson};
use crate::state::State;

/// Read the state of your second factor
#[utoipa::path(
    tag = "auth",
    responses((status = 200, description = "The state of the second factor", body = SecondFactorState)),
    security(("bearer" = ["account:own"]))
)]
#[get("/me/second-factor")]
pub async fn second_factor(access: Access<OwnAccount>, state: web::Data<State>) -> Result<Reply, Problem> {
    let Identity::User { id, role, .. } = access.identity() else {
        return Err(Problem::new(ProblemCode::Forbidden));
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
    Reply::unversioned(&access.conditions, &body)
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
    refuse_where_required(&access, &state)?;
    let mut owner = Owner::proved(&access, &state, &body.value).await?;
    access
        .transaction(async move |conn| {
            owner.lock(conn).await?;
            if !model::remove(conn, owner.id).await? {
                return Err(not_enrolled());
            }
            model::mark_session(conn, owner.session, None).await?;
            model::end_sessions(conn, owner.id, owner.session, owner.actor.now).await?;
            owner.record(conn, "remove_second_factor", Some(false)).await?;
            Ok(Reply::no_content())
        })
        .await
}

fn refuse_where_required(access: &Access<OwnAccount>, state: &State) -> Result<(), Problem> {
    match access.identity() {
        Identity::User { role, .. } if state.second_factor().policy().requires(*role) => {}
        _ => return Ok(()),
    }
    let detail = Msg::fixed(
        "Vai trò này bắt buộc phải có yếu tố thứ hai nên chỉ được thay thế, không được gỡ bỏ.",
        "This role requires a second factor. You can replace it, but not remove it.",
    );
    Err(Problem::with(ProblemCode::Conflict, detail))
}

fn not_enrolled() -> Problem {
    let detail = Msg::fixed("Chưa đăng ký yếu tố thứ hai.", "You have not enrolled a second factor.");
    Problem::with(ProblemCode::Conflict, detail)
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
    if let Some(reply) = access.replay(&body.digest).await? {
        return Ok(reply);
    }
    let mut owner = Owner::proved(&access, &state, &body.value).await?;
    access
        .post(&body.digest, async move |conn| {
            owner.lock(conn).await?;
            if owner.factor.secret.is_none() {
                return Err(not_enrolled());
            }
            owner.record(conn, "renew_recovery_codes", None).await?;
            new_codes(conn, &owner).await
        })
        .await
}
