//! What was observed of the units that a framework scores, per data year: whole sets in revisions, each figure with where it
//! comes from.

mod checked_set;
pub mod checker;
pub mod collect;
pub mod collect_wire;
pub mod collection;
pub mod model;
mod origins;
pub mod routes;
pub mod rules;
pub mod store;
mod view;
pub mod wire;
