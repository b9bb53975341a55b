//! Where a run's figures and scores deserve a second look: defined answers that someone should know of.

use std::collections::HashMap;

use super::aggregate::{Cell, counted};
use super::explain::beyond_maximum;
use super::fixed::Fixed;
use super::framework::Aggregate;
use super::framework_leaf::{Direction, Method, Points, PointsKind};
use super::frontier::Bounds;
use super::input::Observation;
use super::readings::{Reading, State};
use super::score::{Run, Scored};
use super::tree::{Item, Leaf, Normaliser, Rule, Tree};

/// What may be doubted of a unit at an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// A leaf that reads so.
    Reads(State),
    /// A figure of an indicator that does not apply to the unit.
    NotAsked,
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
    /// Of whom and where this is so: each of the units at each of the items, in their order.
    pub fn doubtful(&self, doubt: WarningKind) -> Vec<(Vec<String>, Vec<String>)> {
        let mut alike: Vec<(Vec<String>, Vec<String>)> = Vec::new();
        for (index, item) in self.tree.items() {
            let here = self.units.iter().filter(|scored| self.doubts(scored, index, item, doubt));
            let units: Vec<String> = here.map(|scored| scored.unit.code.clone()).collect();
            if units.is_empty() {
                continue;
            }
            match alike.iter_mut().find(|(others, _)| *others == units) {
                Some((_, nodes)) => nodes.push(item.code.clone()),
                None => alike.push((units, vec![item.code.clone()])),
            }
        }
        alike
    }

    /// Units that have nobody to be compared with, or to be ranked among.
    pub fn alone(&self) -> Vec<String> {
        let mut sizes: HashMap<(bool, &str), usize> = HashMap::new();
        for key in self.units.iter().flat_map(|scored| self.company(scored)) {
            *sizes.entry(key).or_default() += 1;
        }
        let is_alone = |scored: &&Scored| self.company(scored).iter().any(|key| sizes.get(key) == Some(&1));
        self.units.iter().filter(is_alone).map(|scored| scored.unit.code.clone()).collect()
    }

    /// Among whom a unit is measured, and among whom it is ranked.
    fn company<'s>(&self, scored: &'s Scored) -> [(bool, &'s str); 2] {
        [(false, self.frontier_key(&scored.unit)), (true, self.rank_key(&scored.unit))]
    }

    fn doubts(&self, scored: &Scored, index: usize, item: &Item, doubt: WarningKind) -> bool {
        let reading = || scored.readings.get(index).filter(|_| item.leaf().is_some());
        match doubt {
            WarningKind::Reads(state) => reading().is_some_and(|reading| reading.state == state),
            WarningKind::NotAsked => {
                reading().is_some_and(|reading| reading.state == State::NotApplicable)
                    && self.input.has_figure(&scored.unit.code, &item.code)
            }
            WarningKind::OutOfRange => {
                item.leaf().zip(reading()).is_some_and(|(leaf, reading)| out_of_range(item, leaf, reading))
            }
            WarningKind::AboveMaximum => {
                item.leaf().is_some()
                    && scored
                        .cells
                        .get(index)
                        .and_then(Cell::score)
                        .is_some_and(|score| beyond_maximum(item, score))
            }
            WarningKind::ZeroUnderMean => {
                self.lowest_under_mean(scored, item).is_some_and(|lowest| lowest.is_zero())
            }
            WarningKind::NegativeUnderMean => {
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
        taking.is_some_and(|taking| taking.figure(row).is_some_and(|figure| !taking.takes(&figure)))
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

    /// Whether the rule takes a figure as it is. A count may exceed its cap and a share what earns full points, but not the whole; a
    /// step table has no upper end.
    fn takes(&self, figure: &Fixed) -> bool {
        let one = Fixed::one();
        match self.points.kind {
            PointsKind::Ratio => {
                !figure.is_negative() && figure <= self.points.full.as_ref().unwrap_or(&one).max(&self.per)
            }
            PointsKind::Awarded => !figure.is_negative() && figure <= self.maximum,
            PointsKind::YesNo => figure.is_zero() || *figure == one,
            PointsKind::CappedCount | PointsKind::Deduction => !figure.is_negative(),
            PointsKind::Steps | PointsKind::BestOf | PointsKind::Information => true,
        }
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

/// As it counted: of a best-of the alternative that did.
fn out_of_range(item: &Item, leaf: &Leaf, reading: &Reading) -> bool {
    let code = reading.alternative.as_ref().unwrap_or(&item.code);
    let taking = takings(item, leaf).into_iter().find(|(of, _)| of == code).map(|(_, taking)| taking);
    taking.zip(reading.value.as_ref()).is_some_and(|(taking, figure)| !taking.takes(figure))
}
