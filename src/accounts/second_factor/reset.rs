//! A second factor taken away by another administrator, for a user who has lost it and the recovery codes.

use actix_web::delete;
use serde_json::json;

use super::model;
use crate::accounts::login_throttle::{self, Credential};
use crate::accounts::model as users;
use crate::audit::{self, Event};
use crate::auth::permission::WriteUsers;
use crate::auth::{Access, Actor, Identity};
use crate::db::Conn;
use crate::http::{Msg, PathOf, Problem, ProblemCode, Reply};
use crate::ids::Username;

/// Reset a user's second factor
///
/// For a user who has lost the authenticator and the recovery codes. Verify the user's identity first. Ends the user's sessions.
/// You cannot reset your own second factor: ask another administrator, or run `ict-index user reset-second-factor`.
#[utoipa::path(
    tag = "accounts",
    params(("username" = Username, Path)),
    responses((status = 204, description = "Removed. The next login requires the password only; if the role requires a second factor, the user must enrol a new one")),
    security(("bearer" = ["users:write"]))
)]
#[delete("/users/{username}/second-factor")]
pub async fn reset_second_factor(
    access: Access<WriteUsers>,
    username: PathOf<Username>,
) -> Result<Reply, Problem> {
    let (username, actor) = (username.0.0, access.actor());
    if matches!(access.identity(), Identity::User { username: own, .. } if *own == username) {
        let detail = Msg::fixed(
            "Tài khoản không được tự đặt lại yếu tố thứ hai; đề nghị quản trị viên khác thực hiện.",
            "You cannot reset your own second factor. Ask another administrator.",
        );
        return Err(Problem::with(ProblemCode::Conflict, detail));
    }
    access
        .transaction(async move |conn| {
            reset(conn, &username, &actor).await?;
            Ok(Reply::no_content())
        })
        .await
}

/// Removes factor and recovery codes, ends all sessions, forgets wrong codes. `NOT_FOUND` for a user without a factor too.
pub async fn reset(conn: &mut Conn, username: &str, actor: &Actor) -> Result<(), Problem> {
    let user = users::lock_user(conn, username).await?.ok_or_else(Problem::not_found)?;
    if !model::remove(conn, user.id).await? {
        let detail = Msg::fixed("Tài khoản chưa đăng ký yếu tố thứ hai.", "The user has no second factor.");
        return Err(Problem::with(ProblemCode::NotFound, detail));
    }
    model::end_sessions(conn, user.id, None, actor.now).await?;
    login_throttle::reopen(conn, Credential::SecondFactor, username).await?;
    let event = Event {
        action: "reset_second_factor",
        entity: "user",
        key: username.to_owned(),
        before: Some(json!({"second_factor": user.second_factor})),
        after: Some(json!({"second_factor": false})),
    };
    Ok(audit::record(conn, actor, event).await?)
}
