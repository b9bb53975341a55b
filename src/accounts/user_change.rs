//! Users made and changed, in the transaction of the request.

use chrono::{DateTime, Utc};

use super::last_admin::keep_an_administrator;
use super::login_throttle::{self, Credential};
use super::model::{self, UserRow, UserWrite};
use super::new_password::hash_new;
use super::rules::check_password;
use super::sso_model::is_linked_to_another;
use super::user_wire::{NewUser, UserPatch};
use crate::auth::Access;
use crate::auth::permission::WriteUsers;
use crate::db::Conn;
use crate::http::{Msg, Problem, ProblemCode, Violations};
use crate::ids::AgencyId;
use crate::state::State;

pub(super) async fn create(
    conn: &mut Conn,
    new: &NewUser,
    hash: String,
    now: DateTime<Utc>,
) -> Result<UserRow, Problem> {
    let user = UserWrite {
        username: new.username.clone(),
        display_name: new.display_name.trim().to_owned(),
        role: new.role.as_str(),
        agency: agency_id(conn, new.agency.as_deref()).await?,
        must_change_password: new.must_change_password,
    };
    if !model::insert_user(conn, user, hash, now).await? {
        let name = &new.username;
        let detail = msg!(
            "Tên đăng nhập `{name}` đã được sử dụng; đề nghị chọn tên khác.",
            "Username `{name}` is already taken."
        );
        return Err(Problem::at(ProblemCode::AlreadyExists, "/username", detail));
    }
    model::find_user(conn, &new.username).await?.ok_or_else(Problem::not_found)
}

/// The hash of the patch's password, checked with the name that the user will have.
pub(super) async fn hash_of_new(
    access: &Access<WriteUsers>,
    state: &State,
    username: &str,
    patch: &UserPatch,
) -> Result<Option<String>, Problem> {
    let Some(password) = patch.password.as_deref() else { return Ok(None) };
    let key = username.to_owned();
    let stored = access.read(async move |conn| Ok(model::find_user(conn, &key).await?)).await?;
    let stored = stored.ok_or_else(Problem::not_found)?;
    // Hashing may have to wait for its turn.
    access.release_permit();
    let name = patch.display_name.as_deref().unwrap_or(&stored.display_name);
    let mut faults = Violations::default();
    check_password(&mut faults, "/password", password, username, name);
    faults.into_result()?;
    hash_new(state.passwords(), access.caller(), "/password", password, (username, name)).await.map(Some)
}

/// The user as it is afterwards; `before` is locked.
pub(super) async fn apply(
    conn: &mut Conn,
    before: &UserRow,
    patch: &UserPatch,
    hash: Option<String>,
    now: DateTime<Utc>,
) -> Result<UserRow, Problem> {
    let (mut change, agency) = patch.apply(before, now)?;
    keep_an_administrator(conn, before, &change).await?;
    refuse_shared_identity(conn, before, change.external_subject.clone()).await?;
    change.agency = agency_id(conn, agency.as_deref()).await?;
    if hash.is_some() {
        // Wrong codes were sent by a caller who knew the old password.
        for credential in [Credential::Password, Credential::SecondFactor] {
            login_throttle::reopen(conn, credential, &before.username).await?;
        }
    }
    change.given_out_hash = if change.must_change_password { hash.clone() } else { None };
    change.password_hash = hash;
    model::update_user(conn, before.id, change, now).await?;
    model::find_user(conn, &before.username).await?.ok_or_else(Problem::not_found)
}

async fn refuse_shared_identity(
    conn: &mut Conn,
    user: &UserRow,
    subject: Option<String>,
) -> Result<(), Problem> {
    let Some(subject) = subject else { return Ok(()) };
    if !is_linked_to_another(conn, subject, user.id).await? {
        return Ok(());
    }
    let detail = Msg::fixed(
        "Danh tính này đã được liên kết với tài khoản khác; đề nghị hủy liên kết đó trước.",
        "This identity is already linked to another user.",
    );
    Err(Problem::at(ProblemCode::AlreadyExists, "/external_subject", detail))
}

async fn agency_id(conn: &mut Conn, code: Option<&str>) -> Result<Option<AgencyId>, Problem> {
    let Some(code) = code else { return Ok(None) };
    match crate::agencies::model::find(conn, code).await? {
        Some(agency) => Ok(Some(agency.id)),
        None => {
            let detail = crate::agencies::unknown(&code);
            Err(Problem::at(ProblemCode::UnknownReference, "/agency", detail))
        }
    }
}
