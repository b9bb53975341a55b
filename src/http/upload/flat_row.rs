//! What a type needs to be read from a line of NDJSON or CSV.

use serde::de::DeserializeOwned;

use crate::http::Problem;

/// A row that is an object in JSON and a line of cells in CSV.
pub trait FlatRow: DeserializeOwned {
    /// Names of the columns; those of the first [`FlatRow::REQUIRED`] must be in the header.
    const COLUMNS: &'static [&'static str];
    const REQUIRED: usize;

    /// A row as nearly all are written, read without looking for what might be wrong with it; `None` sends it the long way, which
    /// finds out.
    fn of_plain(_object: &[u8]) -> Option<Self> {
        None
    }

    /// Cells in the order of `COLUMNS`, trimmed; `None`: empty, or no such column.
    fn of_cells(cells: &[Option<&str>]) -> Result<Self, Problem>;
}
