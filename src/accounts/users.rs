//! Accounts of people, managed by `admin`.

use actix_web::{get, patch, post, web};

use super::model::{self, UserQuery};
use super::new_password::hash_new;
use super::user_change;
use super::user_wire::{NewUser, User, UserFilter, UserPatch};
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::{ReadUsers, WriteUsers};
use crate::db::keyset::Order;
use crate::http::{EntityTag, ListParams, ListQuery, Page, PathOf, Problem, Reply, ValidJson};
use crate::ids::Username;
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
pub async fn list_users(access: Access<ReadUsers>, list: ListQuery<UserFilter>) -> Result<Reply, Problem> {
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
            let row = user_change::create(conn, &new, hash, actor.now).await?;
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
    let hash = user_change::hash_of_new(&access, &state, &username, &patch).await?;
    access
        .transaction(async move |conn| {
            let before = model::lock_user(conn, &username).await?.ok_or_else(Problem::not_found)?;
            conditions.require_match(before.version)?;
            let after = user_change::apply(conn, &before, &patch, hash, actor.now).await?;
            audit::record(conn, &actor, Event::update("user", &username, &before, &after)).await?;
            let tag = EntityTag::of_version(after.version);
            Ok(Reply::ok(&User::from(after))?.tagged(&tag))
        })
        .await
}
