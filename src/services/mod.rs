//! To be written.

pub mod dossiers;
pub mod routes;
