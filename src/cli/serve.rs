//! `ict-index serve`: checks its configuration, serves, and leaves without failing a request.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::HttpServer;
use tokio::signal::unix::{SignalKind, signal};

use super::{one, report};
use crate::app;
use crate::auth::{KeyRing, Passwords, TokenKeys};
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::db::{Conn, Db, migrations};
use crate::http::Problem;
use crate::state::State;

/// Time between "not ready" and closing the door, for a load balancer to look away.
const GRACE: Duration = Duration::from_millis(500);
/// Requests in flight get this long to end.
const SHUTDOWN_SECONDS: u64 = 20;
/// A head that does not come is not waited for (a body neither: `http::json::read_body`).
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
const KEY_RELOAD: Duration = Duration::from_secs(5);
const HOUSEKEEPING: Duration = Duration::from_secs(600);

pub fn run(env: &Environment, migrate: bool) -> ExitCode {
    let config = match Config::load(env) {
        Ok(config) => config,
        Err(faults) => return report(Err(faults), 2),
    };
    report(actix_web::rt::System::new().block_on(serve(config, migrate)), 1)
}

async fn serve(config: Config, migrate: bool) -> Result<(), Vec<String>> {
    let keys = TokenKeys::load(&config.token_key_file).map_err(one)?;
    let ring = KeyRing::new(keys, Some(config.token_key_file.clone()));
    let db = Db::new(&config.db).map_err(one)?;
    if migrate {
        let url = config.db.url.clone();
        migrations::migrate(&url).await.map_err(one)?;
    }
    refuse_pending(&db).await?;
    let passwords = Passwords::new(config.password_cost).map_err(one)?;
    let state =
        app::state_with_answers(db, Clock::System, ring, passwords, config.answer_cache_mib).map_err(one)?;
    let served = state.clone();
    // Putting the routes together takes memory for a moment: one worker after the other, in the same place.
    let one_at_a_time = Arc::new(Mutex::new(()));
    let application = move || {
        let _turn = one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        app::build(served.clone())
    };
    let server = HttpServer::new(application)
        .client_request_timeout(CLIENT_TIMEOUT)
        .keep_alive(Duration::from_secs(75))
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .disable_signals()
        .bind(&config.bind_address)
        .map_err(|e| one(format!("cannot listen on {}: {e}", config.bind_address)))?
        .run();
    log::info!(target: "serve", address = config.bind_address.as_str(); "serving");
    actix_web::rt::spawn(look_after(state.clone()));
    actix_web::rt::spawn(stop_on_signal(state, server.handle()));
    server.await.map_err(one)
}

/// A schema this binary does not know would give wrong answers: better none.
async fn refuse_pending(db: &Db) -> Result<(), Vec<String>> {
    let pending = db.read(async |conn: &mut Conn| Ok::<_, Problem>(migrations::pending(conn).await?)).await;
    match pending {
        Ok(pending) if pending.is_empty() => Ok(()),
        Ok(pending) => {
            Err(one(format!("migrations are pending ({}): run `ict-index migrate`", pending.join(", "))))
        }
        Err(problem) => {
            let cause = problem.internal_cause().unwrap_or("no answer").to_owned();
            if cause.contains("__diesel_schema_migrations") {
                return Err(one("the database is empty: run `ict-index migrate`"));
            }
            // The database may come up after the service: /readyz says 503 until it does.
            log::warn!(target: "serve", cause = cause.as_str(); "the database does not answer yet");
            Ok(())
        }
    }
}

/// Reads rotated keys, forgets what is kept for a time only.
async fn look_after(state: State) {
    let mut since_housekeeping = HOUSEKEEPING;
    loop {
        actix_web::rt::time::sleep(KEY_RELOAD).await;
        state.keys().reload();
        since_housekeeping += KEY_RELOAD;
        if since_housekeeping >= HOUSEKEEPING {
            since_housekeeping = Duration::ZERO;
            forget_old(&state).await;
        }
    }
}

async fn forget_old(state: &State) {
    let now = state.clock().now();
    let done = state
        .db()
        .read(async move |conn: &mut Conn| {
            crate::http::idempotency::forget_old(conn, now).await?;
            crate::accounts::throttle::forget_old(conn, now).await?;
            crate::accounts::session_model::forget_old(conn, now).await?;
            Ok::<_, Problem>(())
        })
        .await;
    if let Err(problem) = done {
        log::warn!(target: "housekeeping", cause = problem.internal_cause(); "not done this time");
    }
}

async fn stop_on_signal(state: State, server: actix_web::dev::ServerHandle) {
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
