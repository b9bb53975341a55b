//! The indicators that frameworks rest on, and the results published for the province.
//!
//! Others use [`model::known`].

pub mod model;
pub mod national;
pub mod national_routes;
pub mod routes;
pub mod rules;
pub mod wire;
