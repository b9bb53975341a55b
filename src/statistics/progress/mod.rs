//! Targets and where they stand on a day, with the tasks beside them: what is presented at the committee's meetings.
//!
//! The monthly report runs the same query by [`load`]. Which figure a target is compared with is decided in `figures`, how
//! it stands in `rules`.

pub mod figures;
pub mod model;
pub mod routes;
pub mod rules;
pub mod snapshot;
pub mod target_wire;
pub mod tasks;
pub mod wire;

pub use snapshot::{Query, Snapshot, load};
