//! What was observed of the units that a framework scores, per data year: whole sets in revisions, each figure with where it
//! comes from.

pub mod model;
pub mod rules;
