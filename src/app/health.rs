//! Whether the process lives, whether it can serve, and what it measures. Public: they tell nothing about data.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Public;
use crate::db::{Reader, migrations};
use crate::http::{Problem, ProblemCode};
use crate::state::State;

/// State of the service.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Check that the process is alive
///
/// Returns 200 as long as the process runs, regardless of the state of the database.
#[utoipa::path(tag = "health", responses((status = 200, description = "Alive", body = Health)), security(()))]
#[get("/healthz")]
pub async fn healthz(_: Public) -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Health { status: "ok" })
}

/// Check that the service is ready
///
/// Queries the database and checks that every migration is applied. 503 if this fails, or during shutdown.
#[utoipa::path(
    tag = "health",
    responses((status = 200, description = "Ready", body = Health), (status = 503, description = "Not ready", body = crate::http::problem::ProblemBody, content_type = "application/problem+json")),
    security(())
)]
#[get("/readyz")]
pub async fn readyz(_: Public, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    if state.is_stopping() || !state.is_admitting() {
        return Err(Problem::new(ProblemCode::Unavailable).retry_after(1));
    }
    let pending = state
        .db()
        .read_shared_always(async |conn: &mut Reader<'_>| Ok::<_, Problem>(migrations::pending(conn).await?))
        .await;
    match pending {
        Ok(pending) if pending.is_empty() => {
            Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Health { status: "ready" }))
        }
        Ok(pending) => {
            log::error!(target: "health", pending = pending.len(); "migrations are pending");
            Err(Problem::new(ProblemCode::Unavailable).retry_after(5))
        }
        Err(problem) => {
            log::error!(target: "health", cause = problem.internal_cause(); "database unreachable");
            Err(Problem::new(ProblemCode::Unavailable).retry_after(1))
        }
    }
}

/// Get metrics
///
/// OpenMetrics 1.0 text. 404 if the metrics have a listener of their own (`METRICS_ADDRESS`).
#[utoipa::path(tag = "health", responses((status = 200, description = "OpenMetrics 1.0 text", body = String, content_type = "application/openmetrics-text"), (status = 404, description = "Metrics have a separate listener", body = crate::http::problem::ProblemBody, content_type = "application/problem+json")), security(()))]
#[get("/metrics")]
pub async fn metrics(
    _: Public,
    request: HttpRequest,
    state: web::Data<State>,
) -> Result<HttpResponse, Problem> {
    if state.are_metrics_apart() {
        return Err(Problem::not_found());
    }
    rendered(&request, &state).await
}

/// The metrics on the listener of `METRICS_ADDRESS`.
pub async fn metrics_apart(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    rendered(&request, &state).await
}

async fn rendered(request: &HttpRequest, state: &State) -> Result<HttpResponse, Problem> {
    let all = state.clone();
    let caller = state.client_of(request).caller();
    let text = state.offload().run(&caller, move || all.render_metrics()).await?;
    Ok(HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text))
}
