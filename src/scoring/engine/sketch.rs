//! A run in binary floating point, for thousands of draws: the same rules as `aggregate`, on the exact scores of leaves.

use std::collections::BTreeMap;

use super::aggregate::Cell;
use super::fixed::Fixed;
use super::framework::{Aggregate, DifferingMaxima, Missing, Ties};
use super::score::Run;
use super::tree::Group;

pub struct Sketch<'a> {
    run: &'a Run,
    weights: Vec<f64>,
    maxima: Vec<f64>,
    /// `[item][unit]`.
    scores: Vec<Vec<Option<f64>>>,
    blocked: Vec<bool>,
}

impl<'a> Sketch<'a> {
    pub fn of(run: &'a Run) -> Self {
        let column = |index: usize| {
            let score = |cells: &[Cell]| cells.get(index).and_then(Cell::score).map(Fixed::to_f64);
            run.units.iter().map(|scored| score(&scored.cells)).collect()
        };
        let blocks =
            |cells: &[Cell]| run.policy.missing == Missing::Block && cells.first() == Some(&Cell::Missing);
        Self {
            run,
            weights: run.tree.items().map(|(_, item)| item.weight.to_f64()).collect(),
            maxima: run.tree.items().map(|(_, item)| item.maximum.to_f64()).collect(),
            scores: run.tree.items().map(|(index, _)| column(index)).collect(),
            blocked: run.units.iter().map(|scored| blocks(&scored.cells)).collect(),
        }
    }

    /// The ranks with each item's weight multiplied by a factor of its own.
    pub fn ranks(&mut self, mut factor: impl FnMut() -> f64) -> Vec<Option<usize>> {
        let weights: Vec<f64> = self.weights.iter().map(|weight| weight * factor()).collect();
        for (index, item) in self.run.tree.items().rev() {
            let Some(group) = item.group() else { continue };
            let mut column: Vec<Option<f64>> =
                (0..self.run.units.len()).map(|unit| self.combine(group, &weights, unit)).collect();
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
        let rescales =
            self.run.policy.differing_maxima == DifferingMaxima::Rescale && own > 0.0 && own < full;
        if rescales { (sum - fixed) * full / own + fixed } else { sum }
    }

    fn renormalise(&self, column: &mut [Option<f64>]) {
        let mut ranges: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for (scored, score) in self.run.units.iter().zip(column.iter()) {
            if let Some(score) = score {
                let range = ranges.entry(self.run.frontier_key(&scored.unit)).or_insert((*score, *score));
                *range = (range.0.min(*score), range.1.max(*score));
            }
        }
        for (scored, score) in self.run.units.iter().zip(column.iter_mut()) {
            if let (Some(score), Some((lo, hi))) =
                (score.as_mut(), ranges.get(self.run.frontier_key(&scored.unit)))
            {
                *score = if hi > lo { (*score - lo) / (hi - lo) } else { 0.5 };
            }
        }
    }

    fn places(&self) -> Vec<Option<usize>> {
        let factor = 10_f64.powi(i32::try_from(self.run.policy.decimals).unwrap_or(0));
        // The small addition is far above the error of the arithmetic and far below a rounded place.
        let rounded = |score: f64| (score * factor + 0.5 + 1e-6).floor();
        let root = self.scores.first().map(Vec::as_slice).unwrap_or_default();
        let mut order: Vec<(&str, f64, usize)> = Vec::with_capacity(root.len());
        for (index, ((scored, score), blocked)) in
            self.run.units.iter().zip(root).zip(&self.blocked).enumerate()
        {
            if let Some(score) = score.filter(|_| !blocked) {
                order.push((self.run.rank_key(&scored.unit), rounded(score), index));
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
                rank = if self.run.policy.ties == Ties::Dense { rank + 1 } else { ahead };
                last = score;
            }
            if let Some(place) = ranks.get_mut(index) {
                *place = Some(rank);
            }
        }
        ranks
    }
}
