//! Targets of the plan: what an indicator or a rate has to reach, for the province or for agencies, by when.
//!
//! Statistics read the table themselves.

pub mod model;
pub mod routes;
pub mod rules;
pub mod wire;
