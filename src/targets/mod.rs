//! To be written.

pub mod routes;
