//! Index runs: a framework computed on one revision of its observations, stored and never changed, and what follows from a run:
//! why a unit stands where it does, what would move it, why two runs differ, how much a rank can be trusted.
//!
//! Others have no need of it.

pub mod comparison;
pub mod faults;
pub mod levers;
pub mod limited_simulation;
pub mod model;
pub mod national;
pub mod redaction;
pub mod robustness;
pub mod routes;
pub mod rules;
pub mod run_store;
pub mod score_model;
pub mod scores;
pub mod simulations;
pub mod units;
pub mod warnings;
pub mod wire;
