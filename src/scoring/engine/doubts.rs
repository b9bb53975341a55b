//! Where a run's figures and scores deserve a second look: defined answers that someone should know of.

use std::collections::HashMap;

use super::aggregate::{Cell, counted};
use super::explain::beyond_maximum;
use super::fixed::Fixed;
use super::framework::{Aggregate, Direction, Method, Points, PointsKind};
use super::frontier::Bounds;
use super::input::Observation;
use super::readings::{Reading, State};
use super::score::{Run, Scored};
use super::tree::{Item, Leaf, Normaliser, Rule, Tree};

/// What may be doubted of a unit at an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// A leaf that reads so.
    Reads(State),
    /// A figure that the rule of points does not take as it is.
    OutOfRange,
    /// A score above the maximum that is reckoned with.
    AboveMaximum,
    /// A geometric or harmonic mean that a zero made zero.
    ZeroUnderMean,
    /// A geometric or harmonic mean that a negative score made zero.
    NegativeUnderMean,
}

impl Run {
    /// Units and items of which this is so, each in its order.
    pub fn doubtful(&self, doubt: Doubt) -> (Vec<String>, Vec<String>) {
        let mut of_unit = vec![false; self.units.len()];
        let mut nodes = Vec::new();
        for (index, item) in self.tree.items() {
            let mut here = false;
            for (scored, of_unit) in self.units.iter().zip(&mut of_unit) {
                if self.doubts(scored, index, item, doubt) {
                    here = true;
                    *of_unit = true;
                }
            }
            if here {
                nodes.push(item.code.clone());
            }
        }
        let units = self.units.iter().zip(of_unit).filter(|(_, is)| *is);
        (units.map(|(scored, _)| scored.unit.code.clone()).collect(), nodes)
    }

    fn doubts(&self, scored: &Scored, index: usize, item: &Item, doubt: Doubt) -> bool {
        let reading = || scored.readings.get(index).filter(|_| item.leaf().is_some());
        match doubt {
            Doubt::Reads(state) => reading().is_some_and(|reading| reading.state == state),
            Doubt::OutOfRange => {
                item.leaf().zip(reading()).is_some_and(|(leaf, reading)| out_of_range(leaf, reading))
            }
            Doubt::AboveMaximum => {
                item.leaf().is_some()
                    && scored
                        .cells
                        .get(index)
                        .and_then(Cell::score)
                        .is_some_and(|score| beyond_maximum(item, score))
            }
            Doubt::ZeroUnderMean => {
                self.lowest_under_mean(scored, item).is_some_and(|lowest| lowest.is_zero())
            }
            Doubt::NegativeUnderMean => {
                self.lowest_under_mean(scored, item).is_some_and(|lowest| lowest.is_negative())
            }
        }
    }

    /// The lowest score that counts under a mean that a zero makes zero.
    fn lowest_under_mean(&self, scored: &Scored, item: &Item) -> Option<Fixed> {
        let group = item.group()?;
        if !matches!(group.aggregate, Aggregate::Geometric | Aggregate::Harmonic) {
            return None;
        }
        let counted = counted(&self.tree, group, &scored.cells, &self.policy);
        counted.iter().filter(|child| child.weight.is_positive()).map(|child| child.score).min().cloned()
    }

    /// Indicators that are measured against what is observed, where all that is observed is the same.
    pub fn without_variance(&self) -> Vec<String> {
        let relative = |normaliser: &Normaliser| {
            matches!(normaliser.method, Method::MinMax | Method::ZScore | Method::Rank)
        };
        self.leaves_where(|leaf, bounds| {
            normaliser_of(leaf).is_some_and(relative) && bounds.iter().all(|bounds| bounds.lo == bounds.hi)
        })
    }

    /// Indicators measured by a ratio to something that is not above zero.
    pub fn ratios_without_measure(&self) -> Vec<String> {
        self.leaves_where(|leaf, bounds| {
            let measure = |bounds: &Bounds| match normaliser_of(leaf)?.method {
                Method::RatioToBest if leaf.direction == Direction::Down => Some(bounds.lo.clone()),
                Method::RatioToMax | Method::RatioToBest => Some(bounds.hi.clone()),
                _ => None,
            };
            bounds.iter().filter_map(|bounds| measure(bounds)).any(|measure| !measure.is_positive())
        })
    }

    fn leaves_where(&self, is_so: impl Fn(&Leaf, &[&Bounds]) -> bool) -> Vec<String> {
        let leaves = self.tree.leaves().filter(|(_, item, leaf)| {
            let bounds: Vec<&Bounds> =
                self.frontier.leaves.get(&item.code).into_iter().flat_map(|groups| groups.values()).collect();
            !bounds.is_empty() && is_so(leaf, &bounds)
        });
        leaves.map(|(_, item, _)| item.code.clone()).collect()
    }
}

/// Units and indicators whose figures a rule of points does not take as they are.
pub fn figures_out_of_range(tree: &Tree, observations: &[Observation]) -> Vec<(String, String)> {
    let rules: HashMap<&str, Taking<'_>> =
        tree.leaves().flat_map(|(_, item, leaf)| takings(item, leaf)).collect();
    let out = observations.iter().filter(|row| {
        let taking = rules.get(row.indicator.as_str());
        taking.is_some_and(|taking| {
            taking.figure(row).is_some_and(|figure| !takes(taking.points, taking.maximum, &figure))
        })
    });
    out.map(|row| (row.unit.clone(), row.indicator.clone())).collect()
}

/// How figures under one code earn points.
struct Taking<'t> {
    leaf: &'t Leaf,
    points: &'t Points,
    maximum: &'t Fixed,
    per: Fixed,
}

impl Taking<'_> {
    fn figure(&self, row: &Observation) -> Option<Fixed> {
        let share = || row.numerator.as_ref()?.times_over(&self.per, row.denominator.as_ref()?);
        row.value.clone().or_else(share).map(|figure| self.leaf.truncated(figure))
    }
}

fn takings<'t>(item: &'t Item, leaf: &'t Leaf) -> Vec<(&'t str, Taking<'t>)> {
    let Rule::Points(points) = &leaf.rule else { return Vec::new() };
    if points.kind != PointsKind::BestOf {
        let taking = Taking { leaf, points, maximum: &leaf.max_points, per: leaf.per.clone() };
        return vec![(&item.code, taking)];
    }
    let alternatives = points.of.iter().flatten().map(|alternative| {
        let maximum = alternative.max_points.as_ref().unwrap_or(&leaf.max_points);
        let per = alternative.per.clone().unwrap_or_else(Fixed::one);
        (alternative.code.as_str(), Taking { leaf, points: &alternative.points, maximum, per })
    });
    alternatives.collect()
}

fn normaliser_of(leaf: &Leaf) -> Option<&Normaliser> {
    match &leaf.rule {
        Rule::Normalise(normaliser) => Some(normaliser),
        Rule::Points(_) => None,
    }
}

fn out_of_range(leaf: &Leaf, reading: &Reading) -> bool {
    let (Rule::Points(points), Some(figure)) = (&leaf.rule, &reading.value) else { return false };
    let alternatives = || points.of.iter().flatten();
    let counted = alternatives().find(|alternative| Some(&alternative.code) == reading.alternative.as_ref());
    let (points, maximum) = match counted {
        Some(alternative) => {
            (&alternative.points, alternative.max_points.as_ref().unwrap_or(&leaf.max_points))
        }
        None => (points, &leaf.max_points),
    };
    !takes(points, maximum, figure)
}

/// Whether a rule of points takes a figure as it is. A count may exceed its cap, a step table has no upper end.
fn takes(points: &Points, maximum: &Fixed, figure: &Fixed) -> bool {
    let one = Fixed::one();
    match points.kind {
        PointsKind::Ratio => !figure.is_negative() && figure <= points.full.as_ref().unwrap_or(&one),
        PointsKind::Awarded => !figure.is_negative() && figure <= maximum,
        PointsKind::YesNo => figure.is_zero() || *figure == one,
        PointsKind::CappedCount | PointsKind::Deduction => !figure.is_negative(),
        PointsKind::Steps | PointsKind::BestOf | PointsKind::Information => true,
    }
}
