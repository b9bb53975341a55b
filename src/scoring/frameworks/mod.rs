//! Ways to compute an index, stored as data. What is written once is never changed.

pub mod checks;
pub mod faults;
pub mod model;
pub mod routes;
pub mod wire;
