//! From observations to what stands at each leaf: a figure, or why there is none.

use serde::Serialize;

use super::fixed::Fixed;
use super::framework_leaf::{Points, PointsKind};
use super::input::{Input, Observation, Unit};
use super::points::points_of;
use super::tree::{Item, Leaf, Rule, Tree};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReadingState)]
pub enum State {
    Present,
    NoFigure,
    ZeroDenominator,
    /// Shown, not scored.
    Information,
    #[default]
    NotApplicable,
}

/// What stands at a leaf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub state: State,
    /// The figure as it was observed.
    pub observed: Option<Fixed>,
    /// What counts of it: after truncation.
    pub value: Option<Fixed>,
    /// Of a leaf in points.
    pub points: Option<Fixed>,
    /// Code of the alternative of `best_of` that counts; null if none.
    pub alternative: Option<String>,
}

/// The rows of one unit, by indicator.
type Figures<'a> = &'a [Observation];

/// Per unit (in the input's order) and item of the tree. Observations are expected by unit, then indicator.
pub fn read(tree: &Tree, input: &Input) -> Vec<Vec<Reading>> {
    let of_unit = |unit: &Unit| {
        let from = input.observations.partition_point(|row| row.unit < unit.code);
        let rest = input.observations.get(from..).unwrap_or_default();
        let figures = rest.get(..rest.partition_point(|row| row.unit == unit.code)).unwrap_or_default();
        let at = |item: &Item| {
            item.leaf().map_or_else(Reading::default, |leaf| reading(figures, unit, item, leaf))
        };
        tree.items().map(|(_, item)| at(item)).collect()
    };
    input.units.iter().map(of_unit).collect()
}

fn reading(figures: Figures<'_>, unit: &Unit, item: &Item, leaf: &Leaf) -> Reading {
    if !applies(unit, item, leaf) {
        return Reading::default();
    }
    if let Rule::Points(points) = &leaf.rule
        && points.kind == PointsKind::BestOf
    {
        return best_of(figures, points, leaf);
    }
    match figure(figures, &item.code, &leaf.per) {
        Ok(value) => leaf.reading_of(value),
        Err(_) if leaf.is(PointsKind::Information) => {
            Reading { state: State::Information, ..Reading::default() }
        }
        Err(state) => Reading { state, ..Reading::default() },
    }
}

fn applies(unit: &Unit, item: &Item, leaf: &Leaf) -> bool {
    let asked =
        |wanted: &String| unit.attributes.contains(wanted) || unit.peer_group.as_ref() == Some(wanted);
    !unit.not_applicable.contains(&item.code)
        && leaf.applies_to.as_ref().is_none_or(|wanted| wanted.iter().any(asked))
}

fn figure(figures: Figures<'_>, code: &str, per: &Fixed) -> Result<Fixed, State> {
    let found =
        figures.binary_search_by(|row| row.indicator.as_str().cmp(code)).map_err(|_| State::NoFigure)?;
    let row = figures.get(found).ok_or(State::NoFigure)?;
    match (&row.value, &row.numerator, &row.denominator) {
        (Some(value), _, _) => Ok(value.clone()),
        (None, Some(numerator), Some(denominator)) => {
            numerator.times_over(per, denominator).ok_or(State::ZeroDenominator)
        }
        _ => Err(State::NoFigure),
    }
}

/// The first of those with the most points; missing only when every alternative is.
fn best_of(figures: Figures<'_>, points: &Points, leaf: &Leaf) -> Reading {
    let mut best = Reading { state: State::NoFigure, ..Reading::default() };
    for alternative in points.of.iter().flatten() {
        let per = alternative.per.clone().unwrap_or_else(Fixed::one);
        let Ok(value) = figure(figures, &alternative.code, &per) else { continue };
        let (observed, value) = (Some(value.clone()), leaf.truncated(value));
        let maximum = alternative.max_points.as_ref().unwrap_or(&leaf.max_points);
        let earned = points_of(&alternative.points, &value, maximum);
        // By code on equal points, so that the order of the alternatives does not matter.
        let better = earned > best.points
            || (earned == best.points
                && best.alternative.as_ref().is_none_or(|code| alternative.code < *code));
        if better {
            let alternative = Some(alternative.code.clone());
            best =
                Reading { state: State::Present, observed, value: Some(value), points: earned, alternative };
        }
    }
    best
}

impl Leaf {
    /// What a figure would read as, if it stood at this leaf.
    pub fn reading_of(&self, value: Fixed) -> Reading {
        let (observed, value) = (Some(value.clone()), self.truncated(value));
        let (state, points) = match &self.rule {
            Rule::Points(points) if points.kind == PointsKind::Information => (State::Information, None),
            Rule::Points(points) => (State::Present, points_of(points, &value, &self.max_points)),
            Rule::Normalise(_) => (State::Present, None),
        };
        Reading { state, observed, value: Some(value), points, alternative: None }
    }
}
