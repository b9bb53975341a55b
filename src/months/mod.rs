//! Reporting months: open until the coordinating department closes them, then locked.
//!
//! Others use [`model::is_closed`] and [`model::lock_shared`].

pub mod model;
pub mod routes;
