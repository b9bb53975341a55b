//! The HTTP edge: one reading of every path, closed sets of labels, limits before loops, memory that no caller can make grow.

mod caching;
mod dates;
mod growth;
mod limits;
mod memory;
mod paths;
mod worker;
