//! The index computed: frameworks as data, observations of units, runs that keep their inputs, and what follows from them.
//!
//! [`engine`] is pure: it knows no database and no HTTP.

pub mod engine;
