//! Plans and their tasks: who leads and coordinates them, how far each lead agency is, what the coordinating department decided.
//!
//! Others use [`model`] to read and to load tasks, and the view `task_agencies` for the agencies a task means at its dates.

mod csv;
mod decision;
mod editing;
mod editing_wire;
pub mod model;
mod plans;
mod quarter;
pub mod routes;
pub mod rules;
mod transitions;
mod update_wire;
mod updates;
pub mod wire;

pub use quarter::Quarter;
