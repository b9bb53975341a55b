//! From a figure to its place in the scale.

use super::aggregate::Cell;
use super::fixed::Fixed;
use super::framework::Missing;
use super::framework_leaf::{Direction, Method};
use super::frontier::{Bounds, Range, Ranked};
use super::readings::{Reading, State};
use super::tree::{Leaf, Normaliser, Rule};

/// What a leaf gives: its place in the scale, and the score it counts with under its parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeafScore {
    pub normalised: Option<Fixed>,
    pub cell: Cell,
}

/// `unit` is whose reading it is.
pub fn leaf_score(
    leaf: &Leaf,
    unit: &str,
    reading: &Reading,
    bounds: Option<&Bounds>,
    missing: Missing,
) -> LeafScore {
    match (reading.state, &leaf.rule, &reading.value) {
        (State::NotApplicable | State::Information, _, _) => LeafScore::default(),
        (State::Present, Rule::Points(_), _) => in_points(leaf, reading.points.clone().unwrap_or_default()),
        (State::Present, Rule::Normalise(normaliser), Some(value)) => {
            let own = Bounds { lo: value.clone(), hi: value.clone(), ..Bounds::default() };
            in_scale(leaf, position(normaliser, leaf.direction, unit, value, bounds.unwrap_or(&own)))
        }
        _ if missing != Missing::Zero => LeafScore { normalised: None, cell: Cell::Missing },
        (_, Rule::Points(_), _) => in_points(leaf, Fixed::zero()),
        (_, Rule::Normalise(normaliser), _) => in_scale(leaf, lowest(normaliser, leaf, bounds)),
    }
}

fn in_points(leaf: &Leaf, points: Fixed) -> LeafScore {
    let share = points.over(&leaf.max_points).unwrap_or_default();
    // Under a sum the multiplier is the maximum, and the points themselves are exact.
    let score = if leaf.multiplier == leaf.max_points { points } else { share.clone() };
    LeafScore { normalised: Some(share), cell: Cell::Present(score) }
}

fn in_scale(leaf: &Leaf, place: Fixed) -> LeafScore {
    LeafScore { cell: Cell::Present(place.times(&leaf.multiplier)), normalised: Some(place) }
}

/// What a missing figure counts as, where it counts: a z-score of 0 would be the mean, so the worst observed instead.
fn lowest(normaliser: &Normaliser, leaf: &Leaf, bounds: Option<&Bounds>) -> Fixed {
    let [lo, _] = &normaliser.scale;
    match (normaliser.method, bounds) {
        (Method::ZScore, Some(bounds)) => {
            let worst = if leaf.direction == Direction::Up { &bounds.lo } else { &bounds.hi };
            position(normaliser, leaf.direction, "", worst, bounds).min(lo.clone())
        }
        _ => lo.clone(),
    }
}

/// The place of a figure in the scale, the better the higher.
pub fn position(
    normaliser: &Normaliser,
    direction: Direction,
    unit: &str,
    figure: &Fixed,
    bounds: &Bounds,
) -> Fixed {
    let [lo, hi] = &normaliser.scale;
    let width = hi - lo;
    let placed = match normaliser.method {
        Method::None if direction == Direction::Up => figure.clone(),
        Method::None => &(lo + hi) - figure,
        method => lo + &width.times(&share(method, direction, unit, figure, bounds)),
    };
    if normaliser.clamp { placed.clamped(lo, hi) } else { placed }
}

fn share(method: Method, direction: Direction, unit: &str, figure: &Fixed, bounds: &Bounds) -> Fixed {
    let up = direction == Direction::Up;
    let reflected = |share: Fixed| if up { share } else { &Fixed::one() - &share };
    match method {
        Method::None => figure.clone(),
        Method::MinMax | Method::Goalposts => {
            let from = if up { figure - &bounds.lo } else { &bounds.hi - figure };
            from.over(&(&bounds.hi - &bounds.lo)).unwrap_or_else(Fixed::half)
        }
        Method::ZScore => z_score(up, figure, bounds),
        Method::RatioToMax => reflected(of_highest(figure, bounds)),
        Method::RatioToBest if up => of_highest(figure, bounds),
        Method::RatioToBest if *figure <= bounds.lo => Fixed::one(),
        Method::RatioToBest if bounds.lo.is_positive() => bounds.lo.over(figure).unwrap_or_default(),
        Method::RatioToBest => Fixed::zero(),
        Method::Rank => reflected(of_others(unit, figure, &bounds.figures)),
    }
}

fn z_score(up: bool, figure: &Fixed, bounds: &Bounds) -> Fixed {
    let distance = bounds.mean.as_ref().map(|mean| if up { figure - mean } else { mean - figure });
    distance
        .zip(bounds.deviation.as_ref())
        .and_then(|(distance, deviation)| distance.over(deviation))
        .unwrap_or_default()
}

fn of_highest(figure: &Fixed, bounds: &Bounds) -> Fixed {
    if bounds.hi.is_positive() { figure.over(&bounds.hi).unwrap_or_default() } else { Fixed::zero() }
}

/// The share of the others that are worse. The own figure among `figures`, which may be another one than this, does not count.
fn of_others(unit: &str, figure: &Fixed, figures: &[Ranked]) -> Fixed {
    let below = figures.partition_point(|other| other.figure < *figure);
    let up_to = figures.partition_point(|other| other.figure <= *figure);
    let own = figures.iter().position(|other| other.unit == unit);
    let before = |end: usize| end - usize::from(own.is_some_and(|own| own < end));
    let (others, below, up_to) = (before(figures.len()), before(below), before(up_to));
    if others == 0 {
        return Fixed::half();
    }
    Fixed::whole(below + up_to).over(&Fixed::whole(others * 2)).unwrap_or_default()
}

/// A score re-normalised between the lowest and the highest at its node; 0.5 when they are equal. Beyond a range that is held it stays
/// at the range's end, as a figure does.
pub fn renormalised(score: &Fixed, range: &Range) -> Fixed {
    let place = (score - &range.lo).over(&(&range.hi - &range.lo)).unwrap_or_else(Fixed::half);
    place.clamped(Fixed::zero_ref(), &Fixed::one())
}
