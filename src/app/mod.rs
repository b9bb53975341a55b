//! Composition: the one list of routes, which is the description of the API, and the edge around it.

mod document;
mod edge;
mod frame;
mod health;
mod response_cache;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, HttpRequest, HttpResponse, web};
use utoipa_actix_web::{AppExt, scope};
use utoipa_swagger_ui::{Config as SwaggerConfig, SwaggerUi};

use crate::clock::Clock;
use crate::db::Db;
use crate::http::bodies::BodyMemory;
use crate::http::openapi::Description;
use crate::http::response_cache::ResponseCache;
use crate::http::{Problem, ProblemCode};
use crate::state::{Authentication, State};
use crate::{
    accounts, agencies, audit, dossiers, indicators, months, reports, scoring, services, statistics,
    submissions, targets, tasks,
};

/// The application with every route, wrapped by the edge.
pub fn build(
    state: State,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    let (app, _) = routes().split_for_parts();
    let swagger = SwaggerUi::new("/docs/{_:.*}").config(
        SwaggerConfig::from("/openapi.json")
            .persist_authorization(true)
            .display_request_duration(true)
            .doc_expansion("none")
            .filter(true)
            .validator_url("none"),
    );
    app.app_data(state.bodies().clone())
        .app_data(state.offload().clone())
        .app_data(web::Data::new(state))
        .app_data(web::PathConfig::default().error_handler(|_, _| Problem::not_found().into()))
        .route("/", web::get().to(landing))
        .route("/docs", web::get().to(docs_redirect))
        .route("/openapi.json", web::get().to(document::openapi))
        .service(swagger)
        .default_service(web::to(unrouted))
        .wrap(from_fn(edge::edge))
}

/// The state of a service with these parts and this API; it listens for changes from now on, and admits requests after [`State::admit_requests`].
pub fn state(db: Db, clock: Clock, authentication: Authentication) -> Result<State, String> {
    state_with(db, clock, authentication, Memory::default())
}

/// MiB of memory that an operator may set.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Of cached answers; 0: none.
    pub answers_mib: u64,
    /// Of request bodies held at the same time.
    pub bodies_mib: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            answers_mib: crate::http::response_cache::DEFAULT_MIB,
            bodies_mib: crate::http::bodies::DEFAULT_MIB,
        }
    }
}

/// As [`state`], with so much memory.
pub fn state_with(
    db: Db,
    clock: Clock,
    authentication: Authentication,
    memory: Memory,
) -> Result<State, String> {
    db.listen();
    let (answers, bodies) = (ResponseCache::new(memory.answers_mib), BodyMemory::new(memory.bodies_mib));
    Ok(State::new(db, clock, authentication, description()?, answers, bodies))
}

/// The description of the API, complete.
pub fn description() -> Result<Description, String> {
    let (_, document) = routes().split_for_parts();
    Description::of(&document)
}

/// The one list of routes.
fn routes() -> utoipa_actix_web::UtoipaApp<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    App::new()
        .into_utoipa_app()
        .openapi(frame::base())
        .service(health::healthz)
        .service(health::readyz)
        .service(health::metrics)
        .service(
            scope::scope("/api/v1")
                // A request is held against each route before its own: what is asked most comes first.
                .configure(statistics::routes::configure)
                .configure(services::routes::configure)
                .configure(dossiers::routes::configure)
                .configure(submissions::routes::configure)
                .configure(accounts::routes::configure)
                .configure(agencies::routes::configure)
                .configure(indicators::routes::configure)
                .configure(targets::routes::configure)
                .configure(tasks::routes::configure)
                .configure(months::routes::configure)
                .configure(scoring::routes::configure)
                .configure(reports::routes::configure)
                .configure(audit::routes::configure),
        )
}

async fn landing() -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(include_str!("../../docs/landing.html"))
}

async fn docs_redirect() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header(("location", "/docs/")).finish()
}

/// No operation took the request: the path is unknown (404), or known for other methods (405).
async fn unrouted(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    Err(not_an_operation(request.path(), &state))
}

fn not_an_operation(path: &str, state: &State) -> Problem {
    let methods = state.description().methods_at(path).join(", ");
    match HeaderValue::from_str(&methods) {
        Ok(allow) if !methods.is_empty() => Problem::new(ProblemCode::MethodNotAllowed).header(ALLOW, allow),
        _ => Problem::not_found(),
    }
}

/// What listens on `METRICS_ADDRESS`: the metrics and nothing else. No caller is authenticated here, and no answer cached.
pub fn build_metrics(
    state: State,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody + use<>>,
        Error = Error,
        InitError = (),
    > + use<>,
> {
    App::new()
        .app_data(web::Data::new(state))
        .route("/metrics", web::get().to(health::metrics_apart))
        .default_service(web::to(async || Err::<HttpResponse, _>(Problem::not_found())))
        .wrap(from_fn(edge::metrics_edge))
}
