//! Why a unit has its score: the whole tree, where the contributions add up.
//!
//! What an item adds to the root's score, and how that is shared among its children, is decided in [`super::contribution`].

use serde::Serialize;

use super::aggregate::{Cell, counted};
use super::contribution::{Share, shares};
use super::fixed::Fixed;
use super::framework::{Aggregate, DifferingMaxima};
use super::framework_leaf::{Direction, Method, PointsKind};
use super::frontier::{Bounds, Range};
use super::readings::State;
use super::score::{Run, Scored, climb_from, put};
use super::tree::{Group, Item, Leaf, Rule};

/// One node of the tree, as it counts for one unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Explanation {
    pub code: String,
    pub name: String,
    pub state: CellState,
    /// For a leaf: whether it has a figure, or why it has none.
    pub reading: Option<State>,
    /// The observed figure. For a numerator and denominator, their quotient times `per`.
    pub raw: Option<Fixed>,
    /// The figure after `truncate` of the framework.
    pub counted: Option<Fixed>,
    /// For a normalised leaf: the normalisation method.
    pub method: Option<Method>,
    /// For a leaf with points: the kind of points.
    pub points: Option<PointsKind>,
    /// For a leaf: 1 if more is better, -1 if less is better.
    #[schema(value_type = Option<i32>, example = 1)]
    pub direction: Option<Direction>,
    /// Code of the alternative of `best_of` that counts; null if none.
    pub alternative: Option<String>,
    /// The bounds of the normalisation; null if the figure counts unchanged, and for points.
    pub bounds: Option<BoundsUsed>,
    pub normalised: Option<Fixed>,
    pub score: Option<Fixed>,
    /// The highest possible score of this unit.
    pub maximum: Fixed,
    /// Weight in the framework.
    pub weight: Fixed,
    /// Effective weight after missing indicators are left out: the share in a mean, the factor in a sum. Null if the node does not
    /// count.
    pub weight_in_force: Option<Fixed>,
    /// Contribution to the score of the root.
    pub contribution: Option<Fixed>,
    /// The part of the contribution that no child accounts for.
    pub residual: Fixed,
    /// Gain of the root's score if this node alone reached its maximum, with an unchanged frontier. Null if there is no maximum: for
    /// a `z_score`, for a score above the assumed maximum, and for the groups above these.
    pub lost: Option<Fixed>,
    pub rank: Option<usize>,
    pub missing: Vec<String>,
    #[schema(no_recursion)]
    pub children: Vec<Explanation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    Present,
    Missing,
    NotApplicable,
}

/// The bounds a figure is normalised with, or the range of a re-normalised node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct BoundsUsed {
    pub lo: Fixed,
    pub hi: Fixed,
    pub mean: Option<Fixed>,
    pub deviation: Option<Fixed>,
}

impl Run {
    /// The tree of one unit; `None` for a unit that is not in the run.
    pub fn explain(&self, unit: &str) -> Option<Explanation> {
        let scored = self.unit(unit)?;
        let contribution = scored.cells.first().and_then(Cell::score).cloned();
        let share =
            Share { weight: Some(Fixed::one()), contribution, factor: Some(Fixed::one()), is_held: false };
        self.explain_item(scored, 0, share)
    }

    fn explain_item(&self, scored: &Scored, index: usize, share: Share) -> Option<Explanation> {
        let item = self.tree.item(index)?;
        let cell = scored.cells.get(index)?;
        let reading = scored.readings.get(index).filter(|_| item.leaf().is_some());
        let split =
            item.group().map(|group| self.split(scored, index, item, group, &share)).unwrap_or_default();
        Some(Explanation {
            code: item.code.clone(),
            name: item.name.clone(),
            state: cell_state(cell),
            reading: reading.map(|reading| reading.state),
            raw: reading.and_then(|reading| reading.observed.clone()),
            counted: reading.and_then(|reading| reading.value.clone()),
            method: item.leaf().and_then(Leaf::method),
            points: item.leaf().and_then(Leaf::points_kind),
            direction: item.leaf().map(Leaf::sense),
            alternative: reading.and_then(|reading| reading.alternative.clone()),
            bounds: self.bounds_used(scored, item),
            normalised: scored.normalised.get(index).cloned().flatten(),
            score: cell.score().cloned(),
            maximum: self.own_maximum(scored, index, item),
            weight: item.weight.clone(),
            weight_in_force: share.weight.clone(),
            lost: self.lost(scored, index, item, cell, &share),
            contribution: share.contribution,
            residual: split.residual,
            rank: scored.ranks.get(index).copied().flatten(),
            missing: self.missing(scored, item),
            children: split.children,
        })
    }

    fn bounds_used(&self, scored: &Scored, item: &Item) -> Option<BoundsUsed> {
        let key = self.frontier_key(&scored.unit);
        let of_leaf = |bounds: &Bounds| BoundsUsed {
            lo: bounds.lo.clone(),
            hi: bounds.hi.clone(),
            mean: bounds.mean.clone(),
            deviation: bounds.deviation.clone(),
        };
        let of_node = |range: &Range| BoundsUsed {
            lo: range.lo.clone(),
            hi: range.hi.clone(),
            mean: None,
            deviation: None,
        };
        let is_measured = item.leaf().and_then(Leaf::method).is_some_and(|method| method != Method::None);
        let leaf = self.frontier.leaf(&item.code, key).filter(|_| is_measured).map(of_leaf);
        leaf.or_else(|| self.frontier.node(&item.code, key).map(of_node))
    }

    /// The maximum without what does not apply to the unit, where points are not rescaled.
    fn own_maximum(&self, scored: &Scored, index: usize, item: &Item) -> Fixed {
        if scored.cells.get(index) == Some(&Cell::NotApplicable) {
            return Fixed::zero();
        }
        let Some(group) =
            item.group().filter(|group| group.aggregate == Aggregate::Sum && group.renormalise.is_none())
        else {
            return item.maximum.clone();
        };
        let applying =
            group.children.iter().filter(|child| scored.cells.get(**child) != Some(&Cell::NotApplicable));
        let rescaled = self.policy.differing_maxima == DifferingMaxima::Rescale;
        if rescaled {
            return item.maximum.clone();
        }
        let maximum = |child: &usize| {
            let below = self.tree.item(*child)?;
            Some(self.own_maximum(scored, *child, below).times(&below.weight))
        };
        applying.filter_map(maximum).sum()
    }

    fn lost(&self, scored: &Scored, index: usize, item: &Item, cell: &Cell, share: &Share) -> Option<Fixed> {
        let score = cell.score()?;
        share.weight.as_ref()?;
        if !self.has_maximum(scored, item) {
            return None;
        }
        let full = self.own_maximum(scored, index, item);
        if let Some(factor) = share.factor.as_ref().filter(|_| !share.is_held) {
            return Some((&full - score).times(factor));
        }
        let mut cells = scored.cells.clone();
        put(&mut cells, index, Cell::Present(full));
        climb_from(&self.tree, &self.policy, &mut cells, index, &|node| self.range_of(scored, node));
        Some(cells.first()?.score()? - scored.cells.first()?.score()?)
    }

    /// Whether the maxima of all that counts below are known to be such.
    fn has_maximum(&self, scored: &Scored, item: &Item) -> bool {
        item.leaves.iter().all(|index| {
            let (below, score) = (self.tree.item(*index), scored.cells.get(*index).and_then(Cell::score));
            below.zip(score).is_none_or(|(below, score)| !is_endless(below) && !beyond_maximum(below, score))
        })
    }

    pub fn range_of(&self, scored: &Scored, node: &Item) -> Option<Range> {
        self.frontier.node(&node.code, self.frontier_key(&scored.unit)).cloned()
    }

    fn split(&self, scored: &Scored, index: usize, item: &Item, group: &Group, share: &Share) -> Split {
        let present = match scored.cells.get(index) {
            Some(Cell::Present(_)) => counted(&self.tree, group, &scored.cells, &self.policy),
            _ => Vec::new(),
        };
        let shares = shares(group, &present, share, self.range_of(scored, item).as_ref());
        let parts: Fixed = shares.iter().filter_map(|(_, share)| share.contribution.as_ref()).sum();
        let residual =
            share.contribution.as_ref().filter(|_| !present.is_empty()).map(|whole| whole - &parts);
        let below = |child: &usize| {
            let share = shares.iter().find(|(index, _)| index == child).map(|(_, share)| share.clone());
            self.explain_item(scored, *child, share.unwrap_or_default())
        };
        Split {
            residual: residual.unwrap_or_default(),
            children: group.children.iter().filter_map(below).collect(),
        }
    }
}

/// A z-score has no upper end.
fn is_endless(item: &Item) -> bool {
    let of =
        |leaf: &Leaf| matches!(&leaf.rule, Rule::Normalise(by) if by.method == Method::ZScore && !by.clamp);
    item.leaf().is_some_and(of)
}

/// A leaf's score above what is taken for its maximum, where nothing holds it below.
pub fn beyond_maximum(item: &Item, score: &Fixed) -> bool {
    !is_endless(item) && *score > item.maximum
}

#[derive(Default)]
struct Split {
    residual: Fixed,
    children: Vec<Explanation>,
}

fn cell_state(cell: &Cell) -> CellState {
    match cell {
        Cell::Present(_) => CellState::Present,
        Cell::Missing => CellState::Missing,
        Cell::NotApplicable => CellState::NotApplicable,
    }
}
