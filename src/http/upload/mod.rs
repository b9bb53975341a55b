//! Bodies of many rows: streams of NDJSON or CSV, read row by row, and JSON read whole.

mod csv;
pub mod rows;
pub mod stream;
