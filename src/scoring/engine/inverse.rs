//! The least change of one indicator, or of several in proportion, that reaches a score or a place.

use serde::{Deserialize, Serialize};

use super::fixed::Fixed;
use super::framework_leaf::PointsKind;
use super::score::{Run, Scored};
use super::whatif::{FrontierMode, Substitution, rescored};
use super::work::{Cancellation, Cancelled};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SimulationGoal)]
pub enum Goal {
    /// At least this score, unrounded.
    Score(Fixed),
    /// Rank to reach, or better.
    Place(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
#[schema(as = SimulationInverse)]
pub enum Inverse {
    Reached(Reached),
    /// Out of reach, even with every chosen indicator at its best.
    Unreachable {
        best_score: Fixed,
        best_place: Option<usize>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SimulationReached)]
pub struct Reached {
    /// Share of the distance from the current figure to the best one, the same for all chosen indicators.
    pub share: Fixed,
    pub figures: Vec<NewFigure>,
    pub score: Fixed,
    /// Rank reached; null for callers who cannot read all units, because it would reveal other units' figures.
    pub place: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct NewFigure {
    pub indicator: String,
    pub from: Option<Fixed>,
    /// New figure with six decimals, rounded towards the better side; a whole number for counts and yes/no.
    pub to: Fixed,
}

impl Inverse {
    /// Without the places.
    pub fn without_places(self) -> Self {
        match self {
            Self::Reached(reached) => Self::Reached(Reached { place: None, ..reached }),
            Self::Unreachable { best_score, .. } => Self::Unreachable { best_score, best_place: None },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InverseFault {
    #[error("the unit is not in the run or has no score")]
    UnitUnknown,
    #[error("no indicator of the framework")]
    IndicatorUnknown,
    #[error("the indicator has no figure to move towards")]
    NoRange,
    #[error("the indicator does not apply to the unit")]
    NotApplicable,
    #[error("the indicator is the best of several, which have no figure in common")]
    BestOf,
    #[error("no request waits for the answer any more")]
    Cancelled,
}

/// Places of a stored figure after the point.
const FIGURE_PLACES: u32 = 6;
/// Halvings of the way; finer than a figure is stored.
const HALVINGS: u32 = 40;

struct Way {
    index: usize,
    indicator: String,
    from: Option<Fixed>,
    start: Fixed,
    best: Fixed,
    /// Places after the point that a figure may have.
    places: u32,
}

impl From<Cancelled> for InverseFault {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// Scorings of the whole run that [`least_change`] takes at the most: with a live frontier one for each halving, the best and the least.
pub fn scorings_to_reach(mode: FrontierMode) -> usize {
    match mode {
        FrontierMode::Live | FrontierMode::LiveBounds => {
            usize::try_from(HALVINGS).unwrap_or(usize::MAX).saturating_add(2)
        }
        FrontierMode::Frozen => 0,
    }
}

/// Searches by bisection, which supposes that better figures do not lower the score: so it is with held bounds. A figure
/// better than the best known one stays where it is; one that is missing starts at the worst known.
pub fn least_change(
    run: &Run,
    unit: &str,
    indicators: &[&str],
    goal: &Goal,
    mode: FrontierMode,
    cancellation: Cancellation<'_>,
) -> Result<Inverse, InverseFault> {
    let scored = run.unit(unit).ok_or(InverseFault::UnitUnknown)?;
    let ways = indicators.iter().map(|code| way(run, scored, code)).collect::<Result<Vec<_>, _>>()?;
    let search = Search { run, scored, ways, goal, mode };
    if let Some((score, place)) = search.present().filter(|found| search.meets(found)) {
        return Ok(Inverse::Reached(Reached {
            share: Fixed::zero(),
            figures: Vec::new(),
            score,
            place: Some(place),
        }));
    }
    let (best_score, best_place) = search.at(&Fixed::one()).ok_or(InverseFault::UnitUnknown)?;
    if !search.meets(&(best_score.clone(), best_place)) {
        return Ok(Inverse::Unreachable { best_score, best_place: Some(best_place) });
    }
    let share = search.least(cancellation)?;
    let (score, place) = search.at(&share).ok_or(InverseFault::UnitUnknown)?;
    let figures = search.figures(&share);
    Ok(Inverse::Reached(Reached { share, figures, score, place: Some(place) }))
}

fn way(run: &Run, scored: &Scored, code: &str) -> Result<Way, InverseFault> {
    let index = run.tree.index_of(code).ok_or(InverseFault::IndicatorUnknown)?;
    let leaf = run.tree.item(index).and_then(|item| item.leaf()).ok_or(InverseFault::IndicatorUnknown)?;
    if !run.applies(scored, index) {
        return Err(InverseFault::NotApplicable);
    }
    if leaf.is(PointsKind::BestOf) {
        return Err(InverseFault::BestOf);
    }
    let (worst, best) = run.reach(scored, index, leaf).ok_or(InverseFault::NoRange)?;
    let from = scored.readings.get(index).and_then(|reading| reading.value.clone());
    let start = from.clone().unwrap_or(worst);
    let beyond = if leaf.is_downward() { start <= best } else { start >= best };
    let best = if beyond { start.clone() } else { best };
    let places = if leaf.counts_whole() { 0 } else { FIGURE_PLACES };
    Ok(Way { index, indicator: code.to_owned(), from, start, best, places })
}

struct Search<'a> {
    run: &'a Run,
    scored: &'a Scored,
    ways: Vec<Way>,
    goal: &'a Goal,
    mode: FrontierMode,
}

impl Search<'_> {
    fn present(&self) -> Option<(Fixed, usize)> {
        let score = self.scored.cells.first()?.score()?.clone();
        Some((score, self.scored.ranks.first().copied().flatten()?))
    }

    fn meets(&self, (score, place): &(Fixed, usize)) -> bool {
        match self.goal {
            Goal::Score(wanted) => score >= wanted,
            Goal::Place(wanted) => place <= wanted,
        }
    }

    fn least(&self, cancellation: Cancellation<'_>) -> Result<Fixed, Cancelled> {
        let (mut short, mut enough) = (Fixed::zero(), Fixed::one());
        for _ in 0..HALVINGS {
            cancellation.check()?;
            let middle = (&short + &enough).times(&Fixed::half());
            if self.at(&middle).is_some_and(|found| self.meets(&found)) {
                enough = middle;
            } else {
                short = middle;
            }
        }
        Ok(enough)
    }

    fn figure(way: &Way, share: &Fixed) -> Fixed {
        let to = &way.start + &(&way.best - &way.start).times(share);
        let up = way.best > way.start;
        let rounded = to.stepped(way.places, up);
        // Never past the best, nor short of the start.
        if up { rounded.min(way.best.clone()) } else { rounded.max(way.best.clone()) }
    }

    fn figures(&self, share: &Fixed) -> Vec<NewFigure> {
        let figure = |way: &Way| NewFigure {
            indicator: way.indicator.clone(),
            from: way.from.clone(),
            to: Self::figure(way, share),
        };
        self.ways.iter().map(figure).collect()
    }

    fn at(&self, share: &Fixed) -> Option<(Fixed, usize)> {
        match self.mode {
            FrontierMode::Frozen => {
                let figures: Vec<(usize, Fixed)> =
                    self.ways.iter().map(|way| (way.index, Self::figure(way, share))).collect();
                let score = self.run.score_with(self.scored, &figures)?;
                let place = self.run.place_of(self.scored, &score);
                Some((score, place))
            }
            FrontierMode::Live | FrontierMode::LiveBounds => {
                let unit = &self.scored.unit.code;
                let change = |way: &Way| Substitution {
                    unit: unit.clone(),
                    indicator: way.indicator.clone(),
                    value: Some(Self::figure(way, share)),
                };
                let changes: Vec<Substitution> = self.ways.iter().map(change).collect();
                let after = rescored(self.run, &changes, self.mode).ok()?;
                let scored = after.unit(unit)?;
                Some((scored.cells.first()?.score()?.clone(), scored.ranks.first().copied().flatten()?))
            }
        }
    }
}
