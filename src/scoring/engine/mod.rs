//! Scores units (provinces, agencies, districts, communes) by a framework that is data. Pure: no database, no HTTP, no
//! clock; the same input gives the same answer, whatever its order.

pub mod aggregate;
pub mod catalogue;
pub mod compare;
pub mod contribution;
pub mod elementary;
pub mod explain;
pub mod faults;
pub mod fixed;
pub mod framework;
pub mod framework_leaf;
pub mod frontier;
pub mod gap;
pub mod hash;
pub mod input;
pub mod inverse;
pub mod levers;
pub mod normalise;
pub mod outcome;
pub mod points;
pub mod rank;
pub mod readings;
pub mod robust;
pub mod score;
pub mod shapley;
mod sketch;
pub mod tree;
pub mod validate;
pub mod validate_leaf;
pub mod warnings;
pub mod whatif;
pub mod work;

#[cfg(test)]
mod tests;
