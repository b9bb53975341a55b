//! Machine clients, managed by `admin`. A secret is shown once.

use actix_web::{delete, get, patch, post};
use serde_json::json;

use super::client_model as model;
use super::client_wire::{Client, ClientPatch, ClientWithSecret, NewClient, SecretRotation, names};
use super::rules::{Opaque, SECRET_OVERLAP_SECONDS};
use crate::audit::{self, Event};
use crate::auth::Access;
use crate::auth::permission::{ReadClients, WriteClients};
use crate::db::keyset::Order;
use crate::http::optional_json::OptionalJson;
use crate::http::{
    EntityTag, ListParams, ListQuery, NoFilter, Page, PathOf, Problem, ProblemCode, Reply, ValidJson,
};
use crate::ids::ClientId;

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
pub async fn list_clients(access: Access<ReadClients>, list: ListQuery<NoFilter>) -> Result<Reply, Problem> {
    let by_id = Order { key: model::CLIENT_ID, descending: false };
    let order = list.order(&[model::CLIENT_ID], &[by_id], by_id)?;
    let window = list.window(&order)?;
    let slice = access.read(async move |conn| Ok(model::list_clients(conn, &order, window).await?)).await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, Client::from))
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
/// The response contains the secret, which is shown only once.
#[utoipa::path(
    tag = "accounts",
    request_body = NewClient,
    responses((status = 201, description = "Created", body = ClientWithSecret, headers(("Location" = String, description = "URL of the new resource")))),
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
                let detail = msg!("Mã ứng dụng `{id}` đã được sử dụng.", "Client `{id}` already exists.");
                return Err(Problem::at(ProblemCode::AlreadyExists, "/client_id", detail));
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

/// Change a machine client
///
/// Changing scopes or disabling the client revokes its tokens at once.
#[utoipa::path(
    tag = "accounts",
    params(("client_id" = ClientId, Path)),
    request_body = ClientPatch,
    responses((status = 200, description = "The updated client", body = Client)),
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
/// Revokes its tokens at once. Data that it wrote is kept.
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

/// Create a new secret
///
/// The response contains the secret, which is shown only once. Older secrets stay valid for 24 hours, or for `overlap_seconds`.
/// With 0 they expire at once, and the client's tokens are revoked. At most five secrets are valid at the same time; the oldest
/// expire first.
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
