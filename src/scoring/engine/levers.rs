//! Which indicators would gain a unit most, the frontier and the others held.

use serde::Serialize;

use super::aggregate::Cell;
use super::fixed::Fixed;
use super::framework::Ties;
use super::framework_leaf::{Method, Points, PointsKind};
use super::frontier::Bounds;
use super::normalise::leaf_score;
use super::score::{Run, Scored, climb, put};
use super::tree::{Leaf, Normaliser, Rule};
use super::work::{Cancellation, Cancelled, count};

/// The possible gain of one indicator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Lever {
    pub indicator: String,
    pub value: Option<Fixed>,
    /// The figure of a full score: the goalpost, the best observed figure, or the full count.
    pub best: Option<Fixed>,
    /// Size of one step: a tenth of the range from the worst to the best figure, but not beyond the best; a whole number for counts
    /// and yes/no.
    pub step: Option<Fixed>,
    /// Gain of the root's score for one step.
    pub gain: Option<Fixed>,
    pub gain_per_unit: Option<Fixed>,
    pub places: Option<usize>,
    /// Gain of the root's score for reaching `best`; null if neither a figure nor a bound defines it.
    pub gain_full: Option<Fixed>,
    pub places_full: Option<usize>,
}

impl Lever {
    /// Of which nothing is known.
    pub fn unknown(indicator: &str) -> Self {
        Self {
            indicator: indicator.to_owned(),
            value: None,
            best: None,
            step: None,
            gain: None,
            gain_per_unit: None,
            places: None,
            gain_full: None,
            places_full: None,
        }
    }
}

/// By the gain of a step; those without a step by the full gain, after them.
pub fn sort(levers: &mut [Lever]) {
    levers.sort_by(|a, b| {
        b.gain
            .cmp(&a.gain)
            .then_with(|| b.gain_full.cmp(&a.gain_full))
            .then_with(|| a.indicator.cmp(&b.indicator))
    });
}

impl Run {
    /// The levers of a unit, by the gain of a step; those without a step by the full gain, after them.
    pub fn levers(
        &self,
        unit: &str,
        cancellation: Cancellation<'_>,
    ) -> Result<Option<Vec<Lever>>, Cancelled> {
        let overall = |scored: &Scored| scored.cells.first()?.score().cloned();
        let Some((scored, now)) = self.unit(unit).and_then(|scored| Some((scored, overall(scored)?))) else {
            return Ok(None);
        };
        let lever = |(index, _, leaf): (usize, _, &Leaf)| {
            let found = cancellation.check().map(|()| self.lever(scored, index, leaf, &now));
            found.transpose()
        };
        let mut levers = self.tree.leaves().filter_map(lever).collect::<Result<Vec<Lever>, _>>()?;
        sort(&mut levers);
        Ok(Some(levers))
    }

    /// Scores that [`Run::levers`] takes: for each indicator those of one unit thrice, and the others' places four times.
    pub fn scores_for_levers(&self) -> u64 {
        let each = count(self.tree.len()).saturating_mul(3);
        each.saturating_add(count(self.units.len()).saturating_mul(4))
            .saturating_mul(count(self.tree.leaves().count()))
    }

    fn lever(&self, scored: &Scored, index: usize, leaf: &Leaf, now: &Fixed) -> Option<Lever> {
        if leaf.is(PointsKind::Information) || !self.applies(scored, index) {
            return None;
        }
        let item = self.tree.item(index)?;
        let value = scored.readings.get(index)?.value.clone();
        let range = self.reach(scored, index, leaf);
        let gain = |to: &Fixed| self.score_with(scored, &[(index, to.clone())]).map(|score| &score - now);
        let best = range.as_ref().map(|(_, best)| best.clone());
        let gain_full = match &best {
            Some(best) => gain(best),
            None if leaf.is(PointsKind::BestOf) => self.gain_at_full(scored, index, now),
            None => None,
        };
        let step = value.as_ref().zip(range.as_ref()).and_then(|(value, range)| step(leaf, value, range));
        let stepped = value.as_ref().zip(step.as_ref()).and_then(|(value, step)| gain(&(value + step)));
        let places =
            |gain: &Fixed| self.place_of(scored, now).saturating_sub(self.place_of(scored, &(now + gain)));
        Some(Lever {
            indicator: item.code.clone(),
            gain_per_unit: stepped
                .as_ref()
                .zip(step.as_ref())
                .and_then(|(gain, step)| gain.over(&step.abs())),
            places: stepped.as_ref().map(places),
            places_full: gain_full.as_ref().map(places),
            value,
            best,
            step,
            gain: stepped,
            gain_full,
        })
    }

    pub fn applies(&self, scored: &Scored, index: usize) -> bool {
        let state = scored.readings.get(index).map(|reading| reading.state);
        state.is_some_and(|state| state != super::readings::State::NotApplicable)
    }

    /// Of a best-of, whose alternatives have no common figure.
    fn gain_at_full(&self, scored: &Scored, index: usize, now: &Fixed) -> Option<Fixed> {
        let item = self.tree.item(index)?;
        let mut cells = scored.cells.clone();
        put(&mut cells, index, Cell::Present(item.maximum.clone()));
        climb(&self.tree, &self.policy, &mut cells, &|node| self.range_of(scored, node));
        Some(cells.first()?.score()? - now)
    }

    /// The worst and the best figure a unit could have at a leaf, as far as the frontier shows.
    pub fn reach(&self, scored: &Scored, index: usize, leaf: &Leaf) -> Option<(Fixed, Fixed)> {
        let item = self.tree.item(index)?;
        let bounds = self.frontier.leaf(&item.code, self.frontier_key(&scored.unit));
        let (worst, best) = match &leaf.rule {
            Rule::Points(points) => of_points(points, leaf)?,
            Rule::Normalise(normaliser) => of_scale(normaliser, leaf, bounds)?,
        };
        Some((leaf.truncated(worst), leaf.truncated(best)))
    }

    /// The root's score with other figures at some leaves, frontier held. A leaf that does not apply to the unit has none.
    pub fn score_with(&self, scored: &Scored, figures: &[(usize, Fixed)]) -> Option<Fixed> {
        let mut cells = scored.cells.clone();
        for (index, figure) in figures {
            let item = self.tree.item(*index)?;
            let leaf = item.leaf()?;
            if !self.applies(scored, *index) {
                continue;
            }
            let bounds = self.frontier.leaf(&item.code, self.frontier_key(&scored.unit));
            let reading = leaf.reading_of(figure.clone());
            let result = leaf_score(leaf, &scored.unit.code, &reading, bounds, self.policy.missing);
            put(&mut cells, *index, result.cell);
        }
        climb(&self.tree, &self.policy, &mut cells, &|node| self.range_of(scored, node));
        cells.first()?.score().cloned()
    }

    /// The place a unit would have with another overall score, the others as they are.
    pub fn place_of(&self, scored: &Scored, score: &Fixed) -> usize {
        let (own, key) = (self.rounded(score), self.rank_key(&scored.unit));
        let rivals = self
            .units
            .iter()
            .filter(|rival| rival.unit.code != scored.unit.code && self.rank_key(&rival.unit) == key);
        let scores = rivals.filter_map(|rival| rival.cells.first()?.score());
        let mut ahead: Vec<Fixed> =
            scores.map(|score| self.rounded(score)).filter(|score| *score > own).collect();
        if self.policy.ties == Ties::Dense {
            ahead.sort_unstable();
            ahead.dedup();
        }
        ahead.len() + 1
    }
}

fn of_points(points: &Points, leaf: &Leaf) -> Option<(Fixed, Fixed)> {
    let zero = Fixed::zero();
    let each = points.each.clone().unwrap_or_else(Fixed::one);
    match points.kind {
        PointsKind::Ratio => Some((zero, points.full.clone().unwrap_or_else(Fixed::one))),
        PointsKind::CappedCount => Some((zero, leaf.max_points.over(&each)?)),
        PointsKind::Deduction => Some((leaf.max_points.over(&each)?, zero)),
        PointsKind::YesNo => Some((zero, Fixed::one())),
        PointsKind::Awarded => Some((zero, leaf.max_points.clone())),
        PointsKind::Steps => {
            let steps = points.steps.as_deref().unwrap_or_default();
            let highest = steps.iter().map(|step| &step.points).max()?;
            let best = steps.iter().find(|step| step.points == *highest)?;
            Some((zero.min(best.from.clone()), best.from.clone()))
        }
        PointsKind::BestOf | PointsKind::Information => None,
    }
}

fn of_scale(normaliser: &Normaliser, leaf: &Leaf, bounds: Option<&Bounds>) -> Option<(Fixed, Fixed)> {
    let (lo, hi) = match (normaliser.method, &normaliser.goalposts, bounds) {
        (Method::None, _, _) if normaliser.bounded => {
            let [lo, hi] = normaliser.scale.clone();
            (lo, hi)
        }
        (Method::Goalposts, Some(goalposts), _) => goalposts.clone(),
        (_, _, bounds) => bounds.map(|bounds| (bounds.lo.clone(), bounds.hi.clone()))?,
    };
    Some(if leaf.is_downward() { (hi, lo) } else { (lo, hi) })
}

/// Signed: downwards where less is better. `None` when there is nothing left to improve.
fn step(leaf: &Leaf, value: &Fixed, (worst, best): &(Fixed, Fixed)) -> Option<Fixed> {
    let left = best - value;
    let way = best - worst;
    if left.is_zero() || left.is_negative() != leaf.is_downward() {
        return None;
    }
    let wanted = match &leaf.rule {
        _ if leaf.counts_whole() => Fixed::one(),
        Rule::Points(points) if points.kind == PointsKind::Steps => {
            next_step(points, value).unwrap_or_else(|| left.clone())
        }
        _ => way.abs().over(&Fixed::whole(10))?,
    };
    let size = wanted.min(left.abs());
    (!size.is_zero()).then(|| if left.is_negative() { -&size } else { size })
}

fn next_step(points: &Points, value: &Fixed) -> Option<Fixed> {
    let above = points.steps.iter().flatten().find(|step| step.from > *value)?;
    Some(&above.from - value)
}
