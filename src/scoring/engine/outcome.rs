//! The answers of a run as lists: scores, ranks, ties, what is missing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::aggregate::Cell;
use super::fixed::Fixed;
use super::readings::State;
use super::score::{Run, Scored};
use super::tree::Item;

/// Names beside a tie: where hundreds are equal, all of them beside each would be many times the scores.
const MOST_TIED: usize = 50;

/// One unit at one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ScoreItem {
    pub unit: String,
    pub node: String,
    /// Exact score.
    pub score: Option<Fixed>,
    /// The score rounded half up to the decimals of the framework. Ranks are computed from it.
    pub rounded: Option<Fixed>,
    pub rank: Option<usize>,
    /// Other units of the same rank, by code; the first 50.
    pub tied_with: Vec<String>,
    /// Codes of the indicators at or below the node that apply to the unit and have no figure.
    pub missing: Vec<String>,
    /// Band of the root's score; null for other nodes, and without bands.
    pub band: Option<String>,
}

impl Run {
    /// Every unit at every node, nodes from the root downwards, units by code.
    pub fn scores(&self) -> Vec<ScoreItem> {
        self.tree.items().flat_map(|(index, item)| self.scores_at(index, item)).collect()
    }

    /// Every unit at the root.
    pub fn overall(&self) -> Vec<ScoreItem> {
        self.scores_of("").into_iter().collect()
    }

    /// Every unit at one node; an empty code is the root.
    pub fn scores_of(&self, node: &str) -> Vec<ScoreItem> {
        let index = if node.is_empty() { Some(0) } else { self.tree.index_of(node) };
        let found = index.and_then(|index| Some((index, self.tree.item(index)?)));
        found.map(|(index, item)| self.scores_at(index, item)).unwrap_or_default()
    }

    fn scores_at(&self, index: usize, item: &Item) -> Vec<ScoreItem> {
        let mut sharing: BTreeMap<(&str, usize), Vec<&str>> = BTreeMap::new();
        for scored in &self.units {
            if let Some(rank) = rank_at(scored, index) {
                sharing.entry((self.rank_key(&scored.unit), rank)).or_default().push(&scored.unit.code);
            }
        }
        let tied = |scored: &Scored| {
            let rank = rank_at(scored, index);
            let same = rank.and_then(|rank| sharing.get(&(self.rank_key(&scored.unit), rank)));
            same.into_iter()
                .flatten()
                .filter(|code| **code != scored.unit.code)
                .take(MOST_TIED)
                .map(|code| (*code).to_owned())
                .collect()
        };
        self.units.iter().map(|scored| self.score_item(scored, index, item, tied(scored))).collect()
    }

    fn score_item(&self, scored: &Scored, index: usize, item: &Item, tied_with: Vec<String>) -> ScoreItem {
        let score = scored.cells.get(index).and_then(Cell::score).cloned();
        let rounded = score.as_ref().map(|score| self.rounded(score));
        ScoreItem {
            unit: scored.unit.code.clone(),
            node: item.code.clone(),
            rank: rank_at(scored, index),
            tied_with,
            missing: self.missing(scored, item),
            band: rounded.as_ref().filter(|_| index == 0).and_then(|rounded| self.band(rounded)),
            score,
            rounded,
        }
    }

    pub fn missing(&self, scored: &Scored, item: &Item) -> Vec<String> {
        let absent = |leaf: &&usize| {
            let state = scored.readings.get(**leaf).map(|reading| reading.state);
            matches!(state, Some(State::NoFigure | State::ZeroDenominator))
        };
        let mut codes: Vec<String> = item
            .leaves
            .iter()
            .filter(absent)
            .filter_map(|leaf| Some(self.tree.item(*leaf)?.code.clone()))
            .collect();
        codes.sort_unstable();
        codes
    }

    fn band(&self, rounded: &Fixed) -> Option<String> {
        let reached = self.framework.bands.iter().rev().find(|band| band.from <= *rounded);
        reached.map(|band| band.code.clone())
    }
}

fn rank_at(scored: &Scored, index: usize) -> Option<usize> {
    scored.ranks.get(index).copied().flatten()
}
