//! Dossier counts: a source delivers its month whole, and a later delivery replaces it as a new revision. Figures that are
//! replaced are kept as history.
//!
//! Others read the tables `dossier_counts` and `dossier_batches`; writing goes through here.

mod checker;
pub mod counts_wire;
mod export;
pub mod feed_scope;
mod feed_wire;
mod intake;
mod intake_model;
pub mod model;
pub mod parked;
pub mod raw;
pub mod rollups;
pub mod routes;
pub mod rules;
mod store;
mod upload;
pub mod verify;
pub mod wire;
