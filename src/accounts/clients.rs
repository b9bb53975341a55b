//! Machine clients, managed by `admin`. A secret is shown once.

use actix_web::{delete, get, patch, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::client_model::{self as model, ClientRow};
use super::rules::{Opaque, SECRET_OVERLAP_SECONDS};
use crate::audit::{self, Event};
use crate::auth::permission::{ReadClients, WriteClients};
use crate::auth::{Access, ClientScope};
use crate::db::list::Order;
use crate::http::csv::CsvRow;
use crate::http::optional_json::OptionalJson;
use crate::http::{
    Check, Code, EntityTag, ListParams, Listing, Msg, NoFilter, Page, PathOf, Problem, Reply, ValidJson,
    Violations,
};
use crate::ids::ClientId;

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

/// A client with its new secret. The secret is shown once: a repeated request with the same key shows null.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClientWithSecret {
    #[serde(flatten)]
    pub client: Client,
    pub client_secret: Option<String>,
    /// Until when the secrets before it still work; null when none of them does.
    pub old_secret_valid_until: Option<DateTime<Utc>>,
}

/// List machine clients
///
/// Sort key: `client_id`.
#[utoipa::path(
    tag = "accounts",
    params(ListParams),
    responses((status = 200, description = "A page of clients", content((Page<Client> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["clients:read"]))
)]
#[get("/clients")]
pub async fn list_clients(access: Access<ReadClients>, list: Listing<NoFilter>) -> Result<Reply, Problem> {
    let by_id = Order { key: model::CLIENT_ID, descending: false };
    let order = list.order(&[model::CLIENT_ID], &[by_id], by_id)?;
    let window = list.window(&order)?;
    let slice = access.read(async move |conn| Ok(model::list_clients(conn, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, Client::from))
}

/// A new machine client.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    #[schema(example = "lgsp", pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$", min_length = 1, max_length = 64)]
    client_id: String,
    #[schema(example = "Trục liên thông của tỉnh", min_length = 1, max_length = 200)]
    name: String,
    #[schema(min_items = 1)]
    scopes: Vec<ClientScope>,
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
            Code::Required,
            "/scopes",
            Msg::fixed("Cần ít nhất một phạm vi.", "At least one scope is needed."),
        );
    }
    for (i, scope) in scopes.iter().enumerate() {
        if scopes.iter().take(i).any(|earlier| earlier == scope) {
            faults.add(Code::DuplicateEntry, format!("/scopes/{i}"), Code::DuplicateEntry.title());
        }
    }
}

fn names(scopes: &[ClientScope]) -> Vec<String> {
    scopes.iter().map(|s| s.as_str().to_owned()).collect()
}

/// The answer with the secret, and what is kept of it for a repeated request: all but the secret.
fn with_secret(mut body: ClientWithSecret, location: Option<String>) -> Result<Reply, Problem> {
    let tag = EntityTag::of_version(body.client.version);
    let mut reply = match location {
        Some(location) => Reply::created(location, &body)?,
        None => Reply::ok(&body)?,
    };
    body.client_secret = None;
    reply.replay_body = Some(Reply::ok(&body)?.body);
    Ok(reply.tagged(&tag))
}

/// Create a machine client
///
/// The answer holds the secret; it is shown this once.
#[utoipa::path(
    tag = "accounts",
    request_body = NewClient,
    responses((status = 201, description = "Created", body = ClientWithSecret, headers(("Location" = String, description = "Where it is")))),
    security(("bearer" = ["clients:write"]))
)]
#[post("/clients")]
pub async fn create_client(
    access: Access<WriteClients>,
    body: ValidJson<NewClient>,
) -> Result<Reply, Problem> {
    let (actor, new, secret) = (access.actor(), body.value, Opaque::random());
    access
        .post(&body.digest, async move |conn| {
            let id = new.client_id;
            if !model::insert_client(conn, &id, new.name.trim(), names(&new.scopes), actor.now).await? {
                let detail = msg!("Đã có ứng dụng `{id}`.", "There is a client `{id}` already.");
                return Err(Problem::at(Code::AlreadyExists, "/client_id", detail));
            }
            let old_secret_valid_until =
                model::add_secret(conn, &id, secret.hash, SECRET_OVERLAP_SECONDS, actor.now).await?;
            let row = model::find_client(conn, &id).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::create("client", &id, &row)).await?;
            let body = ClientWithSecret {
                client: row.into(),
                client_secret: Some(secret.text),
                old_secret_valid_until,
            };
            with_secret(body, Some(format!("/api/v1/clients/{id}")))
        })
        .await
}

/// Read a machine client
#[utoipa::path(
    tag = "accounts",
    params(("client_id" = ClientId, Path)),
    responses((status = 200, description = "The client", body = Client)),
    security(("bearer" = ["clients:read"]))
)]
#[get("/clients/{client_id}")]
pub async fn get_client(access: Access<ReadClients>, client_id: PathOf<ClientId>) -> Result<Reply, Problem> {
    let found = access.read(async move |conn| Ok(model::find_client(conn, &client_id.0.0).await?)).await?;
    let row = found.ok_or_else(Problem::not_found)?;
    Reply::resource(&access.conditions, &EntityTag::of_version(row.version), || Client::from(row))
}

/// Changes of a client: what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientPatch {
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    #[schema(min_items = 1)]
    scopes: Option<Vec<ClientScope>>,
    disabled: Option<bool>,
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
    fn apply(self, row: &ClientRow, now: DateTime<Utc>) -> ClientRow {
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

/// Change a machine client
///
/// Other scopes and disabling end the client's tokens at once.
#[utoipa::path(
    tag = "accounts",
    params(("client_id" = ClientId, Path)),
    request_body = ClientPatch,
    responses((status = 200, description = "The client as it is now", body = Client)),
    extensions(("x-if-match" = json!("required"))),
    security(("bearer" = ["clients:write"]))
)]
#[patch("/clients/{client_id}")]
pub async fn update_client(
    access: Access<WriteClients>,
    client_id: PathOf<ClientId>,
    body: ValidJson<ClientPatch>,
) -> Result<Reply, Problem> {
    let (actor, conditions, id) = (access.actor(), access.conditions.clone(), client_id.0.0);
    access
        .transaction(async move |conn| {
            let before = model::lock_client(conn, &id).await?.ok_or_else(Problem::not_found)?;
            conditions.require_match(before.version)?;
            let new = body.value.apply(&before, actor.now);
            let ends_tokens = new.scopes != before.scopes || new.disabled_at != before.disabled_at;
            model::update_client(conn, &new, ends_tokens, actor.now).await?;
            let after = model::find_client(conn, &id).await?.ok_or_else(Problem::not_found)?;
            audit::record(conn, &actor, Event::update("client", &id, &before, &after)).await?;
            let tag = EntityTag::of_version(after.version);
            Ok(Reply::ok(&Client::from(after))?.tagged(&tag))
        })
        .await
}

/// Delete a machine client
///
/// Its tokens end at once; what it wrote stays.
#[utoipa::path(
    tag = "accounts",
    params(("client_id" = ClientId, Path)),
    responses((status = 204, description = "Deleted")),
    extensions(("x-if-match" = json!("required"))),
    security(("bearer" = ["clients:write"]))
)]
#[delete("/clients/{client_id}")]
pub async fn delete_client(
    access: Access<WriteClients>,
    client_id: PathOf<ClientId>,
) -> Result<Reply, Problem> {
    let (actor, conditions, id) = (access.actor(), access.conditions.clone(), client_id.0.0);
    access
        .transaction(async move |conn| {
            let before = model::lock_client(conn, &id).await?.ok_or_else(Problem::not_found)?;
            conditions.require_match(before.version)?;
            model::delete_client(conn, &id).await?;
            audit::record(conn, &actor, Event::delete("client", &id, &before)).await?;
            Ok(Reply::no_content())
        })
        .await
}

/// How a new secret takes over from those before it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRotation {
    /// Seconds that older secrets still work. 0, for a secret that somebody else knows: they and every token of the client end at once.
    #[serde(default = "longest_overlap")]
    #[schema(default = 86400, minimum = 0, maximum = 86400)]
    overlap_seconds: u32,
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
            let detail = Msg::fixed("Từ 0 đến 86400 giây.", "From 0 to 86400 seconds.");
            faults.add(Code::NumberOutOfRange, "/overlap_seconds", detail);
        }
    }
}

/// Make a new secret
///
/// The answer holds it; it is shown this once. Older secrets work for another 24 hours, or for `overlap_seconds`; with 0 they end at
/// once, and the client's tokens with them. At most five secrets work at the same time: the oldest end first.
#[utoipa::path(
    tag = "accounts",
    params(("client_id" = ClientId, Path)),
    request_body = Option<SecretRotation>,
    responses((status = 200, description = "The client with its new secret", body = ClientWithSecret)),
    security(("bearer" = ["clients:write"]))
)]
#[post("/clients/{client_id}/secret")]
pub async fn rotate_secret(
    access: Access<WriteClients>,
    client_id: PathOf<ClientId>,
    body: OptionalJson<SecretRotation>,
) -> Result<Reply, Problem> {
    let (actor, id, secret) = (access.actor(), client_id.0.0, Opaque::random());
    let OptionalJson(body) = body;
    let overlap_seconds = body.value.overlap_seconds;
    access
        .post(&body.digest, async move |conn| {
            model::lock_client(conn, &id).await?.ok_or_else(Problem::not_found)?;
            let old_secret_valid_until =
                model::add_secret(conn, &id, secret.hash, overlap_seconds, actor.now).await?;
            model::touch_client(conn, &id, overlap_seconds == 0, actor.now).await?;
            let row = model::find_client(conn, &id).await?.ok_or_else(Problem::not_found)?;
            let after = Some(json!({"overlap_seconds": overlap_seconds}));
            let event = Event { action: "rotate_secret", entity: "client", key: id, before: None, after };
            audit::record(conn, &actor, event).await?;
            let client_secret = Some(secret.text);
            with_secret(ClientWithSecret { client: row.into(), client_secret, old_secret_valid_until }, None)
        })
        .await
}
