//! Counting, decided once.

pub use crate::values::{Bound, Comparator, Rate};
