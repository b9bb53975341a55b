//! Reporting months: open until the coordinating department closes them, then locked.
//!
//! Others use [`model::is_closed`], [`model::lock_shared`] and [`model::lock_shared_text`] with [`model::closing`].

pub mod model;
pub mod routes;
pub mod rules;
