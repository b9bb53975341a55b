//! The index: frameworks as trees of data, the indicators they rest on, and the results published for the province.
//!
//! Others use [`model::known`].

pub mod frameworks;
pub mod model;
pub mod national;
mod national_routes;
pub mod routes;
pub mod rules;
pub mod wire;
