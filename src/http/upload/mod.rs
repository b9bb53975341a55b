//! Bodies of many rows: streams of NDJSON or CSV, read row by row, and JSON read whole.

mod csv;
pub mod flat_row;
pub mod rows;
pub mod stream;
