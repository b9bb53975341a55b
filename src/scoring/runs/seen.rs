//! What a reader of some agencies is told of a run.

use super::model::RunRow;
use super::warnings::RunWarning;

/// The warnings without units that are hidden from the reader: nor the nodes that are named for those.
pub fn warnings_seen(row: &RunRow, warnings: Vec<RunWarning>) -> Vec<RunWarning> {
    warnings.into_iter().filter_map(|warning| seen(row, warning)).collect()
}

fn seen(row: &RunRow, mut warning: RunWarning) -> Option<RunWarning> {
    let named = warning.units.len();
    warning.units.retain(|unit| row.explains(unit));
    if warning.units.len() < named {
        // Which node belongs to which unit is not told.
        warning.nodes.clear();
    }
    (named == 0 || !warning.units.is_empty()).then_some(warning)
}
