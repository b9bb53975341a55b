//! Accounts of people, managed by `admin`.

use actix_web::{get, patch, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::administrators::keep_an_administrator;
use super::login_throttle;
use super::model::{self, UserChange, UserQuery, UserRow, UserWrite};
use super::new_password::hash_new;
use super::rules::{check_password, is_username};
use super::sso_model::is_linked_to_another;
use crate::audit::{self, Event};
use crate::auth::permission::{ReadUsers, WriteUsers};
use crate::auth::{Access, Role};
use crate::db::Conn;
use crate::db::list::Order;
use crate::http::csv::CsvRow;
use crate::http::listing::AnyOf;
use crate::http::{
    Check, Code, EntityTag, ListParams, Listing, Msg, Page, Patch, PathOf, Problem, Reply, ValidJson,
    Violations,
};
use crate::ids::{AgencyId, Username};
use crate::state::State;

/// An account of a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    #[schema(example = "officer.so-yt")]
    pub username: String,
    pub display_name: String,
    #[schema(value_type = Role)]
    pub role: String,
    /// Code of the officer's agency.
    pub agency: Option<String>,
    pub disabled: bool,
    /// The password was given out by an administrator: until it is changed, every operation but those on one's own account answers 403 `PASSWORD_CHANGE_REQUIRED`.
    pub must_change_password: bool,
    /// A second factor is enrolled.
    pub second_factor: bool,
    /// Who the user is to the identity provider: the value of the claim that single sign-on goes by.
    pub external_subject: Option<String>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        Self {
            username: row.username,
            display_name: row.display_name,
            role: row.role,
            agency: row.agency,
            disabled: row.disabled_at.is_some(),
            must_change_password: row.must_change_password,
            second_factor: row.second_factor,
            external_subject: row.external_subject,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl CsvRow for User {
    const COLUMNS: &'static [&'static str] = &[
        "username",
        "display_name",
        "role",
        "agency",
        "disabled",
        "must_change_password",
        "second_factor",
        "external_subject",
        "version",
        "created_at",
        "updated_at",
    ];
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UserFilter {
    /// Part of the username or name.
    q: Option<String>,
    /// Roles, comma-separated.
    #[param(value_type = Option<String>, example = "officer")]
    role: Option<AnyOf<Role>>,
    /// Code of an agency.
    agency: Option<String>,
}

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

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// 3-64 lower-case ASCII letters, digits, `.`, `_`, `-`; begins with a letter.
    #[schema(example = "officer.so-dl", pattern = "^[a-z][a-z0-9._-]{2,63}$")]
    username: String,
    #[schema(min_length = 1, max_length = 200)]
    display_name: String,
    role: Role,
    /// Needed for an officer, and for no other role.
    agency: Option<String>,
    /// At least 15 characters, not a common one, more than words of the province and the service, without the username.
    #[schema(format = "password")]
    password: String,
    /// Whether the user has to choose another password before anything else: a password that someone else knows is a first one only.
    #[serde(default)]
    #[schema(default = false)]
    must_change_password: bool,
}

impl Check for NewUser {
    fn check(&self, faults: &mut Violations) {
        if !is_username(&self.username) {
            let detail = Msg::fixed(
                "Tên đăng nhập gồm 3-64 chữ thường không dấu, chữ số, . _ - và bắt đầu bằng chữ.",
                "A username has 3-64 lower-case ASCII letters, digits or . _ - and begins with a letter.",
            );
            faults.add(Code::InvalidCode, "/username", detail);
        }
        faults.name("/display_name", self.display_name.trim(), 1, 200);
        check_agency_of_role(faults, self.role, self.agency.as_deref());
        check_password(faults, "/password", &self.password, &self.username, &self.display_name);
    }
}

fn check_agency_of_role(faults: &mut Violations, role: Role, agency: Option<&str>) {
    match (role, agency) {
        (Role::Officer, None) => {
            let detail = Msg::fixed("Cán bộ cơ quan cần có cơ quan.", "An officer needs an agency.");
            faults.add(Code::Required, "/agency", detail);
        }
        (Role::Officer, Some(_)) | (_, None) => {}
        (_, Some(_)) => {
            let detail = Msg::fixed(
                "Chỉ cán bộ cơ quan mới gắn với một cơ quan.",
                "Only an officer belongs to an agency.",
            );
            faults.add(Code::InvalidValue, "/agency", detail);
        }
    }
}

async fn agency_id(conn: &mut Conn, code: Option<&str>) -> Result<Option<AgencyId>, Problem> {
    let Some(code) = code else { return Ok(None) };
    match crate::agencies::model::find(conn, code).await? {
        Some(agency) => Ok(Some(agency.id)),
        None => {
            let detail = msg!("Không có cơ quan `{code}`.", "There is no agency `{code}`.");
            Err(Problem::at(Code::UnknownReference, "/agency", detail))
        }
    }
}

/// Create a user
#[utoipa::path(
    tag = "accounts",
    request_body = NewUser,
    responses((status = 201, description = "Created", body = User, headers(("Location" = String, description = "Where it is")))),
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
                let detail = msg!("Đã có tài khoản `{name}`.", "There is a user `{name}` already.");
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

/// Changes of a user: what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    #[schema(min_length = 1, max_length = 200)]
    display_name: Option<String>,
    role: Option<Role>,
    /// Null when the role is no longer `officer`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    agency: Patch<String>,
    disabled: Option<bool>,
    /// A new password, set by the administrator.
    #[schema(format = "password")]
    password: Option<String>,
    /// Whether the user has to choose another password before anything else.
    must_change_password: Option<bool>,
    /// Links the user to an identity of the identity provider, or (null) to none. Of one user at most.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255, example = "8f14e45f-ceea-467f-a0e6-3f4c5b8d9a10")]
    external_subject: Patch<String>,
}

impl Check for UserPatch {
    /// Role, agency and password are checked together with what is stored.
    fn check(&self, faults: &mut Violations) {
        if let Some(name) = &self.display_name {
            faults.name("/display_name", name.trim(), 1, 200);
        }
        if let Patch::Value(subject) = &self.external_subject {
            faults.length("/external_subject", subject, 1, 255);
        }
    }
}

impl UserPatch {
    /// The new state, without ids and hash.
    fn apply(&self, row: &UserRow, now: DateTime<Utc>) -> Result<(UserChange, Option<String>), Problem> {
        let old_role =
            Role::parse(&row.role).ok_or_else(|| Problem::internal("unknown role in the database"))?;
        let role = self.role.unwrap_or(old_role);
        let agency = self.agency.clone().optional(row.agency.clone());
        let mut faults = Violations::default();
        check_agency_of_role(&mut faults, role, agency.as_deref());
        if let Some(password) = &self.password {
            let name = self.display_name.as_deref().unwrap_or(&row.display_name);
            check_password(&mut faults, "/password", password, &row.username, name);
        }
        faults.into_result()?;
        let disabled_at = match self.disabled {
            None => row.disabled_at,
            Some(false) => None,
            Some(true) => row.disabled_at.or(Some(now)),
        };
        let external_subject = self.external_subject.clone().optional(row.external_subject.clone());
        let ends_tokens = role != old_role
            || external_subject != row.external_subject
            || agency != row.agency
            || self.password.is_some()
            || (disabled_at.is_some() && row.disabled_at.is_none());
        let display_name = self.display_name.as_deref().unwrap_or(&row.display_name).trim().to_owned();
        let change = UserChange {
            display_name,
            role: role.as_str(),
            agency: None,
            disabled_at,
            password_hash: None,
            given_out_hash: None,
            must_change_password: self.must_change_password.unwrap_or(row.must_change_password),
            external_subject,
            ends_tokens,
        };
        Ok((change, agency))
    }
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
        "Danh tính này đã được liên kết với tài khoản khác.",
        "Another user is linked to this identity.",
    );
    Err(Problem::at(Code::AlreadyExists, "/external_subject", detail))
}

/// Change a user
///
/// A new role, agency, password or `external_subject`, and disabling, end the user's sessions and tokens at once.
#[utoipa::path(
    tag = "accounts",
    params(("username" = Username, Path)),
    request_body = UserPatch,
    responses((status = 200, description = "The user as it is now", body = User)),
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
