//! The service from outside: requests in, answers out, each test with a database of its own and a clock that stands still.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed"
)]

mod accounts;
mod agencies;
mod architecture;
mod audit;
mod caches;
mod clients;
mod compose;
mod contract;
mod departures;
mod dependencies;
mod description;
mod documents;
mod dossier_feed;
mod dossiers;
mod edge;
mod fail_closed;
mod failover;
mod forgeries;
mod frameworks;
mod index_runs;
mod indicators;
mod input;
mod instances;
mod login_throttle;
mod matrix;
mod months;
mod observations;
mod oidc;
mod operations;
mod overload;
mod prepared_statements;
mod progress;
mod races;
mod rates;
mod recount;
mod recount_many;
mod reports;
mod rls;
mod schema;
mod scripts;
mod second_factor;
mod services;
mod session_settings;
mod sessions;
mod shares;
mod statistics;
mod submissions;
mod support;
mod targets;
mod tasks;
mod texts;
mod tls;
mod variants;
mod walk;
mod wholeness;
