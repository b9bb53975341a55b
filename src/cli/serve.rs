//! `ict-index serve`: checks its configuration, serves, and leaves without failing a request.

use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use tokio::signal::unix::{SignalKind, signal};

use super::connections::{self, Connections};
use super::preflight::{self, Preflight, Refusal};
use super::{one, report};
use crate::app;
use crate::auth::oidc::Oidc;
use crate::auth::{KeyRing, Passwords, SecondFactor, TokenKeys};
use crate::clock::Clock;
use crate::config::{Config, Environment, SecondFactorSettings};
use crate::db::{Conn, Db, RlsContext, migrations};
use crate::http::Problem;
use crate::state::{Authentication, State};

/// Time between "not ready" and closing the door, for a load balancer to look away.
const GRACE: Duration = Duration::from_millis(500);
/// Requests in flight get this long to end.
const SHUTDOWN_SECONDS: u64 = 20;
/// A head that does not come is not waited for (a body neither: `http::json::read_body`).
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Exit code of a start that is refused.
const REFUSED: u8 = 2;
/// Between looks at a database that did not answer at the start.
const EXAMINE: Duration = Duration::from_secs(1);
/// Connections of scrapers at the same time.
const METRICS_CONNECTIONS: usize = 64;
const KEY_RELOAD: Duration = Duration::from_secs(5);
const HOUSEKEEPING: Duration = Duration::from_secs(600);

pub fn run(env: &Environment, migrate: bool) -> ExitCode {
    let system = actix_web::rt::System::new();
    let config = match system.block_on(preflight::load(env)) {
        Ok(config) => config,
        Err(faults) => return report(Err(faults), REFUSED),
    };
    match system.block_on(serve(config, migrate)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended::Refused(faults)) => report(Err(faults), REFUSED),
        Err(Ended::Failed(faults)) => report(Err(faults), 1),
    }
}

/// Why it serves no longer, or never did.
enum Ended {
    /// Something has to be put right first.
    Refused(Vec<String>),
    Failed(Vec<String>),
}

fn failed(fault: impl ToString) -> Ended {
    Ended::Failed(one(fault))
}

/// Found out when it is put to use.
fn refused_setting(fault: String) -> Ended {
    Ended::Refused(one(format!("OIDC_CA_FILE: {fault}")))
}

async fn serve(config: Config, migrate: bool) -> Result<(), Ended> {
    let keys = TokenKeys::load(&config.token_key_file).map_err(failed)?;
    let ring = KeyRing::new(keys, Some(config.token_key_file.clone()));
    let db = Db::new(&config.db).map_err(failed)?;
    if migrate {
        let url = config.db.url.clone();
        migrations::migrate(&url).await.map_err(failed)?;
    }
    let examined = refuse_unfit(&db, config.unsafe_database).await?;
    let passwords = Passwords::new(config.password_cost).map_err(failed)?;
    let memory = app::Memory { answers_mib: config.answer_cache_mib, bodies_mib: config.body_memory_mib };
    let second_factor = second_factor(&config.second_factor).map_err(failed)?;
    let authentication = Authentication { keys: ring, passwords, second_factor };
    let state = app::state_with(db, Clock::System, authentication, memory).map_err(failed)?;
    state.trust_proxies(config.trusted_proxies);
    if let Some(settings) = config.oidc {
        state.accept_identities_of(Oidc::new(settings, state.keys().clone()).map_err(refused_setting)?);
    }
    let (served, connections) = (state.clone(), Connections::new(connections::raise_limit()));
    let greeted = connections.clone();
    // Putting the routes together takes memory for a moment: one worker after the other, in the same place.
    let one_at_a_time = Arc::new(Mutex::new(()));
    let application = move || {
        let _turn = one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        app::build(served.clone())
    };
    let server = HttpServer::new(application)
        .on_connect(move |connection, extensions| greeted.on_connect(connection, extensions))
        .client_request_timeout(CLIENT_TIMEOUT)
        // Who closes its side is gone: its handler is dropped, and what it alone waits for is cancelled.
        .h1_allow_half_closed(false)
        .keep_alive(connections::IDLE)
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .bind(&config.bind_address)
        .map_err(|e| failed(format!("cannot listen on {}: {e}", config.bind_address)))?
        .run();
    if let Some(address) = &config.metrics_address {
        serve_metrics(&state, address)?;
    }
    log::info!(target: "serve", address = config.bind_address.as_str(); "serving");
    let refused = Refused::default();
    if examined {
        state.admit_requests();
    } else {
        let (state, found) = (state.clone(), refused.clone());
        actix_web::rt::spawn(examine_later(state, config.unsafe_database, found, server.handle()));
    }
    actix_web::rt::spawn(connections.reap_idle());
    actix_web::rt::spawn(look_after(state.clone()));
    actix_web::rt::spawn(stop_on_signal(state, server.handle()));
    server.await.map_err(failed)?;
    match refused.take().as_slice() {
        [] => Ok(()),
        faults => Err(Ended::Refused(faults.to_vec())),
    }
}

fn second_factor(settings: &SecondFactorSettings) -> Result<SecondFactor, String> {
    let ring = match &settings.key_file {
        Some(path) => Some(KeyRing::new(TokenKeys::load(path)?, Some(path.clone()))),
        None => None,
    };
    Ok(SecondFactor::new(settings.policy, ring))
}

/// Metrics on a listener of their own, for as long as the process runs: also while the API's is closing.
fn serve_metrics(state: &State, address: &str) -> Result<(), Ended> {
    let (served, connections) = (state.clone(), Connections::new(METRICS_CONNECTIONS));
    let greeted = connections.clone();
    let server = HttpServer::new(move || app::build_metrics(served.clone()))
        .workers(1)
        .on_connect(move |connection, extensions| greeted.on_connect(connection, extensions))
        .client_request_timeout(CLIENT_TIMEOUT)
        .h1_allow_half_closed(false)
        .keep_alive(connections::IDLE)
        .disable_signals()
        .bind(address)
        .map_err(|e| failed(format!("METRICS_ADDRESS: cannot listen on {address}: {e}")))?
        .run();
    state.serve_metrics_apart();
    log::info!(target: "serve", address; "serving metrics");
    actix_web::rt::spawn(server);
    actix_web::rt::spawn(connections.reap_idle());
    Ok(())
}

/// Whether the database was there to be examined; what is wrong with it ends the start.
async fn refuse_unfit(db: &Db, unsafe_allowed: bool) -> Result<bool, Ended> {
    match preflight::examine(db, unsafe_allowed).await {
        Preflight::Ready => Ok(true),
        Preflight::Rejected(refusal) => Err(Ended::Refused(refusal.all())),
        Preflight::Unreachable(cause) => {
            log::warn!(target: "serve", cause = cause.as_str(); "database unreachable; waiting");
            Ok(false)
        }
    }
}

/// What a database that came up after the service was found to be.
#[derive(Clone, Default)]
struct Refused(Rc<RefCell<Vec<String>>>);

impl Refused {
    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// Examines the database once it answers, and admits requests when it is fit: what would have refused the start ends the service. Migrations may still be under way:
/// `/readyz` waits for them, and nothing ends for them. Twice in a row, because a restore gives rights a moment after tables.
async fn examine_later(state: State, unsafe_allowed: bool, refused: Refused, server: ServerHandle) {
    let mut before = Refusal::default();
    loop {
        actix_web::rt::time::sleep(EXAMINE).await;
        let refusal = match preflight::examine(state.db(), unsafe_allowed).await {
            Preflight::Ready => {
                log::info!(target: "serve", "database ready");
                return state.admit_requests();
            }
            Preflight::Unreachable(_) => continue,
            Preflight::Rejected(refusal) => refusal,
        };
        if !refusal.lasting.is_empty() && refusal == before {
            *refused.0.borrow_mut() = refusal.all();
            state.begin_stopping();
            return server.stop(true).await;
        }
        if refusal != before {
            let reasons = refusal.unmigrated.iter().chain(&refusal.lasting).map(String::as_str);
            let reasons = reasons.collect::<Vec<_>>().join("; ");
            log::warn!(target: "serve", reasons = reasons.as_str(); "database not ready");
        }
        before = refusal;
    }
}

/// Reads rotated keys, forgets what is kept for a time only.
async fn look_after(state: State) {
    let mut since_housekeeping = HOUSEKEEPING;
    loop {
        actix_web::rt::time::sleep(KEY_RELOAD).await;
        for reloaded in [state.keys().reload(), state.second_factor().reload()] {
            if !reloaded {
                state.metrics().background_failures.inc();
            }
        }
        since_housekeeping += KEY_RELOAD;
        if since_housekeeping >= HOUSEKEEPING && state.is_admitting() {
            since_housekeeping = Duration::ZERO;
            purge_expired(&state).await;
        }
    }
}

async fn purge_expired(state: &State) {
    let now = state.clock().now();
    let done = state
        .db()
        .read_as(RlsContext::system(), async move |conn: &mut Conn| {
            crate::http::idempotency::purge_expired(conn, now).await?;
            crate::accounts::login_throttle::purge_expired(conn, now).await?;
            crate::accounts::session_model::purge_expired(conn, now).await?;
            crate::accounts::client_model::purge_expired_secrets(conn, now).await?;
            Ok::<_, Problem>(())
        })
        .await;
    if let Err(problem) = done {
        state.metrics().background_failures.inc();
        log::warn!(target: "housekeeping", cause = problem.internal_cause(); "cleanup failed; it will be retried");
    }
}

async fn stop_on_signal(state: State, server: ServerHandle) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        log::error!(target: "serve", "cannot listen for signals");
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    log::info!(target: "serve", "stopping");
    state.begin_stopping();
    actix_web::rt::time::sleep(GRACE).await;
    server.stop(true).await;
}
