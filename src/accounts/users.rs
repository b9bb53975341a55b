//! Accounts of people, managed by `admin`.

use actix_web::{get, patch, post, web};

use super::administrators::keep_an_administrator;
use super::login_throttle;
use super::model::{self, UserQuery, UserRow, UserWrite};
use super::new_password::hash_new;
use super::rules::check_password;
use super::sso_model::is_linked_to_another;
use super::user_wire::{NewUser, User, UserFilter, UserPatch};
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::{ReadUsers, WriteUsers};
use crate::db::Conn;
use crate::db::list::Order;
use crate::http::{
    Code, EntityTag, ListParams, Listing, Msg, Page, PathOf, Problem, Reply, ValidJson, Violations,
};
use crate::ids::{AgencyId, Username};
use crate::state::State;

/// List users
///
/// Sort key: `username`.
#[utoipa::path(
    tag = "accounts",
    params(UserFilter, ListParams),
    responses((status = 200, description = "A page of users", content((Page<User> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["users:read"]))
)]
#[get("/users")]
pub async fn list_users(access: Access<ReadUsers>, list: Listing<UserFilter>) -> Result<Reply, Problem> {
    let by_name = Order { key: model::USERNAME, descending: false };
    let order = list.order(&[model::USERNAME], &[by_name], by_name)?;
    let filter = &list.filter;
    let query = UserQuery {
        q: filter.q.clone(),
        roles: filter.role.as_ref().map(|any| any.0.iter().map(|r| r.as_str().to_owned()).collect()),
        agency: filter.agency.clone(),
    };
    let window = list.window(&order)?;
    let slice =
        access.read(async move |conn| Ok(model::list_users(conn, query, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, User::from))
}

async fn agency_id(conn: &mut Conn, code: Option<&str>) -> Result<Option<AgencyId>, Problem> {
    let Some(code) = code else { return Ok(None) };
    match crate::agencies::model::find(conn, code).await? {
        Some(agency) => Ok(Some(agency.id)),
        None => {
            let detail = msg!(
                "Không tìm thấy cơ quan có mã `{code}`; đề nghị kiểm tra lại mã cơ quan.",
                "Agency `{code}` does not exist."
            );
            Err(Problem::at(Code::UnknownReference, "/agency", detail))
        }
    }
}

/// Create a user
#[utoipa::path(
    tag = "accounts",
    request_body = NewUser,
    responses((status = 201, description = "Created", body = User, headers(("Location" = String, description = "URL of the new resource")))),
    security(("bearer" = ["users:write"]))
)]
#[post("/users")]
pub async fn create_user(
    access: Access<WriteUsers>,
    state: web::Data<State>,
    body: ValidJson<NewUser>,
) -> Result<Reply, Problem> {
    let (actor, new) = (access.actor(), body.value);
    let account = (new.username.as_str(), new.display_name.as_str());
    let hash = hash_new(state.passwords(), access.caller(), "/password", &new.password, account).await?;
    access
        .post(&body.digest, async move |conn| {
            let agency = agency_id(conn, new.agency.as_deref()).await?;
            let user = UserWrite {
                username: new.username.clone(),
                display_name: new.display_name.trim().to_owned(),
                role: new.role.as_str(),
                agency,
                must_change_password: new.must_change_password,
            };
            if !model::insert_user(conn, user, hash, actor.now).await? {
                let name = &new.username;
                let detail = msg!(
                    "Tên đăng nhập `{name}` đã được sử dụng; đề nghị chọn tên khác.",
                    "Username `{name}` is already taken."
                );
                return Err(Problem::at(Code::AlreadyExists, "/username", detail));
            }
            let row = model::find_user(conn, &new.username).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::create("user", &new.username, &row)).await?;
            let tag = EntityTag::of_version(row.version);
            Ok(Reply::created(format!("/api/v1/users/{}", new.username), &User::from(row))?.tagged(&tag))
        })
        .await
}

/// Read a user
#[utoipa::path(
    tag = "accounts",
    params(("username" = Username, Path)),
    responses((status = 200, description = "The user", body = User)),
    security(("bearer" = ["users:read"]))
)]
#[get("/users/{username}")]
pub async fn get_user(access: Access<ReadUsers>, username: PathOf<Username>) -> Result<Reply, Problem> {
    let found = access.read(async move |conn| Ok(model::find_user(conn, &username.0.0).await?)).await?;
    let row = found.ok_or_else(Problem::not_found)?;
    Reply::resource(&access.conditions, &EntityTag::of_version(row.version), || User::from(row))
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
    Err(Problem::at(Code::AlreadyExists, "/external_subject", detail))
}

/// Change a user
///
/// Changing the role, agency, password or `external_subject`, and disabling the user, end the user's sessions and revoke the
/// tokens at once.
#[utoipa::path(
    tag = "accounts",
    params(("username" = Username, Path)),
    request_body = UserPatch,
    responses((status = 200, description = "The updated user", body = User)),
    extensions(("x-if-match" = json!("required"))),
    security(("bearer" = ["users:write"]))
)]
#[patch("/users/{username}")]
pub async fn update_user(
    access: Access<WriteUsers>,
    state: web::Data<State>,
    username: PathOf<Username>,
    body: ValidJson<UserPatch>,
) -> Result<Reply, Problem> {
    let (actor, conditions, username, patch) =
        (access.actor(), access.conditions.clone(), username.0.0, body.value);
    let hash = match &patch.password {
        Some(password) => {
            let name = patch.display_name.as_deref().unwrap_or_default();
            let mut faults = Violations::default();
            check_password(&mut faults, "/password", password, &username, name);
            faults.into_result()?;
            let account = (username.as_str(), name);
            Some(hash_new(state.passwords(), access.caller(), "/password", password, account).await?)
        }
        None => None,
    };
    access
        .transaction(async move |conn| {
            let before = model::lock_user(conn, &username).await?.ok_or_else(Problem::not_found)?;
            conditions.require_match(before.version)?;
            let (mut change, agency) = patch.apply(&before, actor.now)?;
            keep_an_administrator(conn, &before, &change).await?;
            refuse_shared_identity(conn, &before, change.external_subject.clone()).await?;
            change.agency = agency_id(conn, agency.as_deref()).await?;
            change.given_out_hash = if change.must_change_password { hash.clone() } else { None };
            change.password_hash = hash;
            if change.password_hash.is_some() {
                login_throttle::reopen(conn, &username).await?;
            }
            model::update_user(conn, before.id, change, actor.now).await?;
            let after = model::find_user(conn, &username).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::update("user", &username, &before, &after)).await?;
            let tag = EntityTag::of_version(after.version);
            Ok(Reply::ok(&User::from(after))?.tagged(&tag))
        })
        .await
}
