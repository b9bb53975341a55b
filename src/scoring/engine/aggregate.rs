//! How the scores of children become the score of their group.

use serde::{Deserialize, Serialize};

use super::elementary::Wide;
use super::fixed::Fixed;
use super::framework::{Aggregate, DifferingMaxima, Framework, Missing, Ties};
use super::framework::{Among, Peers};
use super::tree::{Group, Item, Tree};

/// A score, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Cell {
    Present(Fixed),
    Missing,
    #[default]
    NotApplicable,
}

impl Cell {
    pub fn score(&self) -> Option<&Fixed> {
        match self {
            Self::Present(score) => Some(score),
            Self::Missing | Self::NotApplicable => None,
        }
    }
}

/// The framework's rules beside the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub missing: Missing,
    pub differing_maxima: DifferingMaxima,
    pub peers: Peers,
    pub decimals: u32,
    pub ties: Ties,
}

impl Policy {
    pub fn of(framework: &Framework) -> Self {
        Self {
            missing: framework.missing,
            differing_maxima: framework.differing_maxima,
            peers: framework.peers,
            decimals: framework.rank.decimals,
            ties: framework.rank.ties,
        }
    }

    /// The peer group within which frontiers or ranks are taken; one for all by default.
    pub fn group_key(among: Among, peer_group: Option<&str>) -> &str {
        match among {
            Among::All => "",
            Among::PeerGroup => peer_group.unwrap_or_default(),
        }
    }
}

/// The mean or sum of `(weight, score)`; `None` when nothing has weight. Exact but for one rounding (arithmetic, sum);
/// harmonic: one rounding per term; geometric: see `elementary`.
pub fn combine(aggregate: Aggregate, parts: &[(&Fixed, &Fixed)]) -> Option<Fixed> {
    let total: Fixed = parts.iter().map(|(weight, _)| *weight).sum();
    if total.is_zero() {
        return None;
    }
    let counted = || parts.iter().filter(|(weight, _)| weight.is_positive()).copied();
    match aggregate {
        Aggregate::Arithmetic => Fixed::dot_over(counted(), &total),
        Aggregate::Sum => Fixed::dot_over(counted(), &Fixed::one()),
        Aggregate::Geometric | Aggregate::Harmonic if counted().any(|(_, score)| !score.is_positive()) => {
            Some(Fixed::zero())
        }
        Aggregate::Geometric => {
            let logarithms: Vec<(&Fixed, Wide)> =
                counted().filter_map(|(weight, score)| Some((weight, Wide::ln(score)?))).collect();
            Wide::mean(logarithms.iter().map(|(weight, log)| (*weight, log))).map(|mean| mean.exp())
        }
        Aggregate::Harmonic => {
            let reciprocals: Fixed = counted().filter_map(|(weight, score)| weight.over(score)).sum();
            total.over(&reciprocals)
        }
    }
}

/// A child that counts, with the weight it has after reweighting.
#[derive(Clone, Debug)]
pub struct Counted<'a> {
    pub index: usize,
    pub item: &'a Item,
    pub weight: Fixed,
    pub score: &'a Fixed,
}

/// The children with a score, and their weights in force. Under a sum the missing and not applicable maxima are made up
/// for by the others (unless points are to stay as they are), but deductions are not enlarged.
pub fn counted<'a>(tree: &'a Tree, group: &Group, cells: &'a [Cell], policy: &Policy) -> Vec<Counted<'a>> {
    let mut present: Vec<Counted<'a>> = group
        .children
        .iter()
        .filter_map(|index| {
            let (item, score) = (tree.item(*index)?, cells.get(*index)?.score()?);
            Some(Counted { index: *index, item, weight: item.weight.clone(), score })
        })
        .collect();
    if group.aggregate == Aggregate::Sum && policy.differing_maxima == DifferingMaxima::Rescale {
        let reachable = |item: &Item| item.weight.times(&item.maximum);
        let full: Fixed = group.children.iter().filter_map(|index| tree.item(*index)).map(reachable).sum();
        let own: Fixed = present.iter().map(|child| reachable(child.item)).sum();
        if full != own && own.is_positive() {
            for child in present.iter_mut().filter(|child| child.item.maximum.is_positive()) {
                child.weight = child.weight.times_over(&full, &own).unwrap_or_default();
            }
        }
    }
    present
}

/// The score of a group before any re-normalisation.
pub fn group_cell(tree: &Tree, group: &Group, cells: &[Cell], policy: &Policy) -> Cell {
    let is_missing = |index: &&usize| cells.get(**index) == Some(&Cell::Missing);
    let missing = group.children.iter().any(|index| is_missing(&index));
    // What has no weight is not missed.
    let counts = |index: &usize| tree.item(*index).is_some_and(|item| item.weight.is_positive());
    if policy.missing == Missing::Block && group.children.iter().filter(is_missing).any(counts) {
        return Cell::Missing;
    }
    let present = counted(tree, group, cells, policy);
    let parts: Vec<(&Fixed, &Fixed)> = present.iter().map(|child| (&child.weight, child.score)).collect();
    match combine(group.aggregate, &parts) {
        Some(score) => Cell::Present(score),
        // Scores whose weights are all zero say nothing, which is not the same as nothing being asked.
        None if missing || !parts.is_empty() => Cell::Missing,
        None => Cell::NotApplicable,
    }
}
