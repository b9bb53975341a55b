//! Administrative procedures: what they are, whether they are in force, and their levels, each from a day on so that a past period stays what it was.
//!
//! Others use [`batch::store`].

pub mod batch;
mod batch_model;
pub mod batch_wire;
pub mod filter;
pub mod level_wire;
pub mod levels;
pub mod merge;
pub mod model;
pub mod routes;
pub mod rules;
pub mod wire;
