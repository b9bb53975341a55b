//! Users on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::{UserChange, UserRow};
use super::rules::{check_password, is_username};
use crate::auth::Role;
use crate::http::csv::CsvRow;
use crate::http::query::AnyOf;
use crate::http::{Check, Msg, Patch, Problem, ProblemCode, Violations};

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
    /// True if the password is temporary. Until it is changed, all operations except those on the own account return 403
    /// `PASSWORD_CHANGE_REQUIRED`.
    pub must_change_password: bool,
    /// True if a second factor is enrolled.
    pub second_factor: bool,
    /// Identity of the user at the identity provider: the value of the configured claim. Null if not linked.
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
    /// Part of the username or display name.
    pub(super) q: Option<String>,
    /// Roles, comma-separated.
    #[param(value_type = Option<String>, example = "officer")]
    pub(super) role: Option<AnyOf<Role>>,
    /// Code of an agency.
    pub(super) agency: Option<String>,
}

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// 3–64 lower-case ASCII letters, digits, `.`, `_` or `-`, starting with a letter.
    #[schema(example = "officer.so-dl", pattern = "^[a-z][a-z0-9._-]{2,63}$")]
    pub(super) username: String,
    #[schema(min_length = 1, max_length = 200)]
    pub(super) display_name: String,
    pub(super) role: Role,
    /// Code of the agency; required for the role `officer`, not allowed otherwise.
    pub(super) agency: Option<String>,
    /// 15–256 characters. Must not be common, consist mostly of names of the province and the service, or contain the username.
    #[schema(format = "password")]
    pub(super) password: String,
    /// If true, `password` is temporary: the user must change it before doing anything else.
    #[serde(default)]
    #[schema(default = false)]
    pub(super) must_change_password: bool,
}

impl Check for NewUser {
    fn check(&self, faults: &mut Violations) {
        if !is_username(&self.username) {
            let detail = Msg::fixed(
                "Tên đăng nhập gồm 3–64 ký tự: chữ thường không dấu, chữ số và các dấu . _ -, bắt đầu bằng chữ cái.",
                "Usernames have 3–64 characters: lower-case ASCII letters, digits, `.`, `_` or `-`, starting with a letter.",
            );
            faults.add(ProblemCode::InvalidCode, "/username", detail);
        }
        faults.name("/display_name", self.display_name.trim(), 1, 200);
        check_agency_of_role(faults, self.role, self.agency.as_deref());
        check_password(faults, "/password", &self.password, &self.username, &self.display_name);
    }
}

fn check_agency_of_role(faults: &mut Violations, role: Role, agency: Option<&str>) {
    match (role, agency) {
        (Role::Officer, None) => {
            let detail = Msg::fixed(
                "Tài khoản cán bộ phải gắn với một cơ quan (trường `agency`).",
                "The role `officer` requires `agency`.",
            );
            faults.add(ProblemCode::Required, "/agency", detail);
        }
        (Role::Officer, Some(_)) | (_, None) => {}
        (_, Some(_)) => {
            let detail = Msg::fixed(
                "Chỉ tài khoản cán bộ (`officer`) mới được gắn với một cơ quan; đề nghị bỏ trường `agency`.",
                "`agency` is allowed for the role `officer` only.",
            );
            faults.add(ProblemCode::InvalidValue, "/agency", detail);
        }
    }
}

/// Changes to a user. Absent fields are left unchanged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    #[schema(min_length = 1, max_length = 200)]
    pub(super) display_name: Option<String>,
    pub(super) role: Option<Role>,
    /// Code of the agency; null if the role is no longer `officer`.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(super) agency: Patch<String>,
    pub(super) disabled: Option<bool>,
    /// A new password, set by an administrator.
    #[schema(format = "password")]
    pub(super) password: Option<String>,
    /// If true, the password is temporary: the user must change it before doing anything else.
    pub(super) must_change_password: Option<bool>,
    /// Links the user to an identity of the identity provider; null removes the link. Each identity can be linked to one user.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255, example = "8f14e45f-ceea-467f-a0e6-3f4c5b8d9a10")]
    pub(super) external_subject: Patch<String>,
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
    pub(super) fn apply(
        &self,
        row: &UserRow,
        now: DateTime<Utc>,
    ) -> Result<(UserChange, Option<String>), Problem> {
        let old_role =
            Role::parse(&row.role).ok_or_else(|| Problem::internal("unknown role in the database"))?;
        let role = self.role.unwrap_or(old_role);
        let agency = self.agency.clone().optional(row.agency.clone());
        let mut faults = Violations::default();
        check_agency_of_role(&mut faults, role, agency.as_deref());
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
