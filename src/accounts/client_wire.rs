//! Machine clients on the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::client_model::ClientRow;
use super::rules::SECRET_OVERLAP_SECONDS;
use crate::auth::ClientScope;
use crate::http::csv::CsvRow;
use crate::http::{Check, Msg, ProblemCode, Violations};

/// A machine client.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Client {
    #[schema(example = "portal")]
    pub client_id: String,
    pub name: String,
    #[schema(value_type = Vec<ClientScope>)]
    pub scopes: Vec<String>,
    pub disabled: bool,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl From<ClientRow> for Client {
    fn from(row: ClientRow) -> Self {
        Self {
            client_id: row.client_id,
            name: row.name,
            scopes: row.scopes,
            disabled: row.disabled_at.is_some(),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl CsvRow for Client {
    const COLUMNS: &'static [&'static str] =
        &["client_id", "name", "scopes", "disabled", "version", "created_at", "updated_at"];
}

/// A client with its new secret. The secret is shown only once: a request that is repeated with the same `Idempotency-Key` returns
/// null.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientWithSecret {
    #[serde(flatten)]
    pub client: Client,
    pub client_secret: Option<String>,
    /// Time until which previous secrets stay valid; null if none does.
    pub old_secret_valid_until: Option<DateTime<Utc>>,
}

/// A new machine client.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    #[schema(example = "lgsp", pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$", min_length = 1, max_length = 64)]
    pub(super) client_id: String,
    #[schema(
        example = "Nền tảng tích hợp, chia sẻ dữ liệu của tỉnh (LGSP)",
        min_length = 1,
        max_length = 200
    )]
    pub(super) name: String,
    #[schema(min_items = 1)]
    pub(super) scopes: Vec<ClientScope>,
}

impl Check for NewClient {
    fn check(&self, faults: &mut Violations) {
        faults.code("/client_id", &self.client_id);
        faults.name("/name", self.name.trim(), 1, 200);
        check_scopes(faults, &self.scopes);
    }
}

fn check_scopes(faults: &mut Violations, scopes: &[ClientScope]) {
    if scopes.is_empty() {
        faults.add(
            ProblemCode::Required,
            "/scopes",
            Msg::fixed("Phải chọn ít nhất một phạm vi truy cập (scope).", "Specify at least one scope."),
        );
    }
    for (i, scope) in scopes.iter().enumerate() {
        if scopes.iter().take(i).any(|earlier| earlier == scope) {
            faults.add(
                ProblemCode::DuplicateEntry,
                format!("/scopes/{i}"),
                ProblemCode::DuplicateEntry.title(),
            );
        }
    }
}

/// Changes to a client. Absent fields are left unchanged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientPatch {
    #[schema(min_length = 1, max_length = 200)]
    pub(super) name: Option<String>,
    #[schema(min_items = 1)]
    pub(super) scopes: Option<Vec<ClientScope>>,
    pub(super) disabled: Option<bool>,
}

impl Check for ClientPatch {
    fn check(&self, faults: &mut Violations) {
        if let Some(name) = &self.name {
            faults.name("/name", name.trim(), 1, 200);
        }
        if let Some(scopes) = &self.scopes {
            check_scopes(faults, scopes);
        }
    }
}

impl ClientPatch {
    pub(super) fn apply(self, row: &ClientRow, now: DateTime<Utc>) -> ClientRow {
        let mut new = row.clone();
        if let Some(name) = self.name {
            new.name = name.trim().to_owned();
        }
        if let Some(scopes) = self.scopes {
            new.scopes = names(&scopes);
        }
        match self.disabled {
            Some(true) => new.disabled_at = row.disabled_at.or(Some(now)),
            Some(false) => new.disabled_at = None,
            None => {}
        }
        new
    }
}

/// How a new secret replaces the previous ones.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRotation {
    /// Seconds that older secrets stay valid. With 0, for a leaked secret, they expire at once and every token of the client is
    /// revoked.
    #[serde(default = "longest_overlap")]
    #[schema(default = 86400, minimum = 0, maximum = 86400)]
    pub(super) overlap_seconds: u32,
}

const fn longest_overlap() -> u32 {
    SECRET_OVERLAP_SECONDS
}

impl Default for SecretRotation {
    fn default() -> Self {
        Self { overlap_seconds: SECRET_OVERLAP_SECONDS }
    }
}

impl Check for SecretRotation {
    fn check(&self, faults: &mut Violations) {
        if self.overlap_seconds > SECRET_OVERLAP_SECONDS {
            let detail =
                Msg::fixed("Thời gian phải từ 0 đến 86400 giây.", "Must be between 0 and 86400 seconds.");
            faults.add(ProblemCode::NumberOutOfRange, "/overlap_seconds", detail);
        }
    }
}

pub(super) fn names(scopes: &[ClientScope]) -> Vec<String> {
    scopes.iter().map(|s| s.as_str().to_owned()).collect()
}
