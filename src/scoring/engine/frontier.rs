//! The bounds figures are measured against: drawn from the figures of a run, or held from another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::elementary::square_root;
use super::fixed::Fixed;
use super::framework_leaf::Method;
use super::tree::{Leaf, Rule};

/// Of one indicator, among one set of units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    pub lo: Fixed,
    pub hi: Fixed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Fixed>,
    /// Standard deviation of the population.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviation: Option<Fixed>,
    /// All figures, ascending; kept for ranks only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<Ranked>,
}

/// Whose figure it is: a unit is ranked among the others, also when its own figure is another than the one held here.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranked {
    pub figure: Fixed,
    pub unit: String,
}

/// Lowest and highest score at a node, before it is re-normalised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    pub lo: Fixed,
    pub hi: Fixed,
}

/// By code of the indicator or node, then by peer group (empty where frontiers are drawn among all).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frontier {
    #[serde(default)]
    pub leaves: BTreeMap<String, BTreeMap<String, Bounds>>,
    #[serde(default)]
    pub nodes: BTreeMap<String, BTreeMap<String, Range>>,
}

impl Frontier {
    pub fn leaf(&self, code: &str, group: &str) -> Option<&Bounds> {
        self.leaves.get(code)?.get(group)
    }

    pub fn node(&self, code: &str, group: &str) -> Option<&Range> {
        self.nodes.get(code)?.get(group)
    }
}

/// The bounds of the figures of units; `None` when there is none. Goalposts are bounds of their own, whatever was observed.
pub fn draw<'a>(leaf: &Leaf, figures: impl Iterator<Item = (&'a str, &'a Fixed)>) -> Option<Bounds> {
    let (units, figures): (Vec<&str>, Vec<&Fixed>) = figures.unzip();
    let (lo, hi) = (*figures.iter().min()?, *figures.iter().max()?);
    let mut bounds = Bounds { lo: lo.clone(), hi: hi.clone(), ..Bounds::default() };
    if let Rule::Normalise(normaliser) = &leaf.rule {
        match normaliser.method {
            Method::Goalposts => (bounds.lo, bounds.hi) = normaliser.goalposts.clone().unwrap_or_default(),
            Method::ZScore => (bounds.mean, bounds.deviation) = moments(&figures),
            Method::Rank => {
                let ranked = |(figure, unit): (&&Fixed, &str)| Ranked {
                    figure: (*figure).clone(),
                    unit: unit.to_owned(),
                };
                bounds.figures = figures.iter().zip(units).map(ranked).collect();
                bounds.figures.sort_unstable();
            }
            _ => {}
        }
    }
    Some(bounds)
}

fn moments(figures: &[&Fixed]) -> (Option<Fixed>, Option<Fixed>) {
    let count = Fixed::whole(figures.len());
    let mean = figures.iter().copied().sum::<Fixed>().over(&count);
    let deviations: Vec<Fixed> =
        figures.iter().zip(mean.iter().cycle()).map(|(figure, mean)| *figure - mean).collect();
    let variance = Fixed::dot_over(deviations.iter().map(|d| (d, d)), &count);
    (mean, variance.map(|variance| square_root(&variance)))
}

pub fn range<'a>(scores: impl Iterator<Item = &'a Fixed>) -> Option<Range> {
    let scores: Vec<&Fixed> = scores.collect();
    let (lo, hi) = (*scores.iter().min()?, *scores.iter().max()?);
    Some(Range { lo: lo.clone(), hi: hi.clone() })
}
