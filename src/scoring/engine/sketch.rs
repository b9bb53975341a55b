//! A run in binary floating point, for thousands of draws: the same rules as `aggregate`, on the exact scores of leaves.

use std::collections::BTreeMap;

use super::aggregate::{Cell, Policy};
use super::fixed::Fixed;
use super::framework::{Aggregate, DifferingMaxima, Missing, Ties};
use super::score::Run;
use super::tree::{Group, Item, Tree};

/// Has what it needs of a run, so that the run need not be kept.
pub struct Sketch {
    tree: Tree,
    policy: Policy,
    /// Of each unit: among whom its frontier is drawn, and its place given.
    frontier_keys: Vec<String>,
    rank_keys: Vec<String>,
    weights: Vec<f64>,
    maxima: Vec<f64>,
    /// `[item][unit]`.
    scores: Vec<Vec<Option<f64>>>,
    /// `[item][unit]`: no score because of a figure that is missing and may not be; else empty.
    blocked: Vec<Vec<bool>>,
}

impl Sketch {
    pub fn of(run: &Run) -> Self {
        let column = |index: usize| {
            let score = |cells: &[Cell]| cells.get(index).and_then(Cell::score).map(Fixed::to_f64);
            run.units.iter().map(|scored| score(&scored.cells)).collect()
        };
        let blocked =
            |index: usize| run.units.iter().map(|s| s.cells.get(index) == Some(&Cell::Missing)).collect();
        let blocks = run.policy.missing == Missing::Block;
        Self {
            tree: run.tree.clone(),
            policy: run.policy,
            frontier_keys: run.units.iter().map(|s| run.frontier_key(&s.unit).to_owned()).collect(),
            rank_keys: run.units.iter().map(|s| run.rank_key(&s.unit).to_owned()).collect(),
            weights: run.tree.items().map(|(_, item)| item.weight.to_f64()).collect(),
            maxima: run.tree.items().map(|(_, item)| item.maximum.to_f64()).collect(),
            scores: run.tree.items().map(|(index, _)| column(index)).collect(),
            blocked: run.tree.items().filter(|_| blocks).map(|(index, _)| blocked(index)).collect(),
        }
    }

    /// The ranks with each item's weight multiplied by a factor of its own.
    pub fn ranks(&mut self, mut factor: impl FnMut() -> f64) -> Vec<Option<usize>> {
        let weights: Vec<f64> = self.weights.iter().map(|weight| weight * factor()).collect();
        for index in (0..self.tree.len()).rev() {
            let Some(group) = self.tree.item(index).and_then(Item::group) else { continue };
            let blocked =
                |unit: usize| self.blocked.get(index).and_then(|all| all.get(unit)).is_some_and(|is| *is);
            let of = |unit: usize| if blocked(unit) { None } else { self.combine(group, &weights, unit) };
            let mut column: Vec<Option<f64>> = (0..self.rank_keys.len()).map(of).collect();
            if group.renormalise.is_some() {
                self.renormalise(&mut column);
            }
            if let Some(place) = self.scores.get_mut(index) {
                *place = column;
            }
        }
        self.places()
    }

    fn combine(&self, group: &Group, weights: &[f64], unit: usize) -> Option<f64> {
        let at = |child: &usize| {
            let score = self.scores.get(*child)?.get(unit).copied()??;
            Some((*weights.get(*child)?, score, *self.maxima.get(*child)?))
        };
        let (mut total, mut sum, mut positive) = (0.0, 0.0, true);
        for (weight, score, _) in group.children.iter().filter_map(at) {
            total += weight;
            sum += match group.aggregate {
                Aggregate::Arithmetic | Aggregate::Sum => weight * score,
                Aggregate::Geometric => weight * score.max(f64::MIN_POSITIVE).ln(),
                Aggregate::Harmonic => weight / score.max(f64::MIN_POSITIVE),
            };
            positive &= score > 0.0 || weight <= 0.0;
        }
        if total <= 0.0 {
            return None;
        }
        Some(match group.aggregate {
            Aggregate::Arithmetic => sum / total,
            Aggregate::Sum => self.rescaled(group, weights, unit, sum),
            _ if !positive => 0.0,
            Aggregate::Geometric => (sum / total).exp(),
            Aggregate::Harmonic => total / sum,
        })
    }

    /// Points as if every maximum applied; deductions, whose maximum is zero, stay.
    fn rescaled(&self, group: &Group, weights: &[f64], unit: usize, sum: f64) -> f64 {
        let (mut full, mut own, mut fixed) = (0.0, 0.0, 0.0);
        for child in &group.children {
            let (Some(weight), Some(maximum)) = (weights.get(*child), self.maxima.get(*child)) else {
                continue;
            };
            full += weight * maximum;
            if let Some(score) =
                self.scores.get(*child).and_then(|column| column.get(unit).copied().flatten())
            {
                own += weight * maximum;
                fixed += if *maximum > 0.0 { 0.0 } else { weight * score };
            }
        }
        let rescales = self.policy.differing_maxima == DifferingMaxima::Rescale && own > 0.0 && own < full;
        if rescales { (sum - fixed) * full / own + fixed } else { sum }
    }

    fn renormalise(&self, column: &mut [Option<f64>]) {
        let mut ranges: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for (key, score) in self.frontier_keys.iter().zip(column.iter()) {
            if let Some(score) = score {
                let range = ranges.entry(key).or_insert((*score, *score));
                *range = (range.0.min(*score), range.1.max(*score));
            }
        }
        for (key, score) in self.frontier_keys.iter().zip(column.iter_mut()) {
            if let (Some(score), Some((lo, hi))) = (score.as_mut(), ranges.get(key.as_str())) {
                *score = if hi > lo { (*score - lo) / (hi - lo) } else { 0.5 };
            }
        }
    }

    fn places(&self) -> Vec<Option<usize>> {
        let factor = 10_f64.powi(i32::try_from(self.policy.decimals).unwrap_or(0));
        // The small addition is far above the error of the arithmetic and far below a rounded place.
        let rounded = |score: f64| (score * factor + 0.5 + 1e-6).floor();
        let root = self.scores.first().map(Vec::as_slice).unwrap_or_default();
        let mut order: Vec<(&str, f64, usize)> = Vec::with_capacity(root.len());
        for (index, (key, score)) in self.rank_keys.iter().zip(root).enumerate() {
            if let Some(score) = score {
                order.push((key, rounded(*score), index));
            }
        }
        order.sort_by(|a, b| a.0.cmp(b.0).then(b.1.total_cmp(&a.1)));
        let mut ranks = vec![None; root.len()];
        let (mut group, mut last, mut ahead, mut rank) = (None, f64::NAN, 0, 0);
        for (key, score, index) in order {
            if group != Some(key) {
                (group, last, ahead, rank) = (Some(key), f64::NAN, 0, 0);
            }
            ahead += 1;
            if score.total_cmp(&last).is_ne() {
                rank = if self.policy.ties == Ties::Dense { rank + 1 } else { ahead };
                last = score;
            }
            if let Some(place) = ranks.get_mut(index) {
                *place = Some(rank);
            }
        }
        ranks
    }
}
