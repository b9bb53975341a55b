//! Who did what, when, with what was before and after. Written with the change, in one transaction, and never again.
//!
//! Others use [`record`], [`record_all`] and [`Event`].

pub mod model;
pub mod routes;

pub use model::{Event, record, record_all};
