//! Level statistics and dossier rates: what the portal and VNPT read all day. Counting is decided once, in `rules`.

pub mod metrics;
pub mod rate_counts;
pub mod rates;
pub mod routes;
pub mod rules;
pub mod targets;
pub mod wire;
