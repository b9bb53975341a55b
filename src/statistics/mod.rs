//! Level statistics and dossier rates: what the portal and VNPT read all day. Counting is decided once, in `rules`.

mod coverage;
mod fact_counts;
pub mod figures;
pub mod level_counts;
pub mod levels;
pub mod metrics;
pub mod progress;
pub mod rate_counts;
mod rate_query;
pub mod rates;
pub mod routes;
pub mod rules;
pub mod targets;
pub mod wire;
