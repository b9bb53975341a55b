//! The Shapley values of what may differ between two runs: the parts of a difference.

use serde::Serialize;

use super::fixed::Fixed;

/// The parts of a difference. They add up to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ScoreChangeParts)]
pub struct Parts {
    pub own: Fixed,
    pub frontier: Fixed,
    pub weights: Fixed,
    pub residual: Fixed,
}

pub const OWN: usize = 1;
pub const FRONTIER: usize = 2;
pub const WEIGHTS: usize = 4;
pub const RANGES: usize = 8;
pub const ALL: usize = 15;

pub fn parts(worths: &[Fixed]) -> Parts {
    let total = difference(worths, ALL, 0);
    let [frontier, weights, residual] = [FRONTIER, WEIGHTS, RANGES].map(|thing| shapley(worths, thing));
    // The one rounding of each part is made good here, so that the sum is exact.
    let own = &(&(&total - &frontier) - &weights) - &residual;
    Parts { own, frontier, weights, residual }
}

/// Σ over the sets without the thing of |set|!·(3 − |set|)! ÷ 4! × what adding it changes.
fn shapley(worths: &[Fixed], thing: usize) -> Fixed {
    let sets = (0..=ALL).filter(|set| set & thing == 0);
    let weighted = sets.map(|set| {
        let orders = if matches!(set.count_ones(), 0 | 3) { 6 } else { 2 };
        difference(worths, set | thing, set).times(&Fixed::whole(orders))
    });
    weighted.sum::<Fixed>().over(&Fixed::whole(24)).unwrap_or_default()
}

fn difference(worths: &[Fixed], with: usize, without: usize) -> Fixed {
    worths.get(with).zip(worths.get(without)).map(|(with, without)| with - without).unwrap_or_default()
}
