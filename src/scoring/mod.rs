//! The index computed: frameworks as data, observations of units, runs that keep their inputs, and what follows from them.
//!
//! [`engine`] is pure: it knows no database and no HTTP. Others use [`frameworks::model`] to add a framework.

pub mod disclosure;
pub mod engine;
pub mod frameworks;
pub mod observations;
pub mod routes;
pub mod runs;
pub mod visible_units;
