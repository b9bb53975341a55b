//! What a reader of some agencies is told of a run.

use super::model::RunRow;
use super::warnings::RunWarning;
use crate::scoring::engine::outcome::ScoreItem;
use crate::scoring::engine::tree::Tree;

/// The warnings without units that are hidden from the reader.
pub fn warnings_seen(row: &RunRow, warnings: Vec<RunWarning>) -> Vec<RunWarning> {
    warnings.into_iter().filter_map(|warning| seen(row, warning)).collect()
}

fn seen(row: &RunRow, mut warning: RunWarning) -> Option<RunWarning> {
    let named = warning.units.len();
    warning.units.retain(|unit| row.explains(unit));
    (named == 0 || !warning.units.is_empty()).then_some(warning)
}

/// The scores as stored ones are told: of an indicator no unit that is hidden from the reader, and nowhere what such a unit lacks.
pub fn scores_seen(row: &RunRow, tree: &Tree, scores: Vec<ScoreItem>) -> Vec<ScoreItem> {
    let is_leaf = |code: &str| tree.index_of(code).and_then(|index| tree.item(index)?.leaf()).is_some();
    let seen = |mut item: ScoreItem| {
        let (shown, leaf) = (row.explains(&item.unit), is_leaf(&item.node));
        if leaf {
            item.tied_with.retain(|unit| row.explains(unit));
        }
        if !shown {
            item.missing.clear();
        }
        (shown || !leaf).then_some(item)
    };
    scores.into_iter().filter_map(seen).collect()
}
