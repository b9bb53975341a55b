//! How much a rank can be trusted: what becomes of it under other weights and methods, and without one indicator.
//!
//! Statistics, not scores: normalised figures are exact, then weights are drawn and aggregated in binary floating point in a
//! fixed order. The same seed gives the same answer (with geometric means: on the same platform's `ln` and `exp`).

use serde::{Deserialize, Serialize};

use super::fixed::Fixed;
use super::framework::{Aggregate, Framework, Node};
use super::framework_leaf::Method;
use super::input::Input;
use super::rank::movement;
use super::score::{Refusal, Run, score};
use super::sketch::Sketch;
use super::work::Cancellation;

/// A way of computing that is drawn as often as any other; none of a thing leaves it as the framework has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// For leaves that are measured against what is observed.
    #[serde(default)]
    pub method: Option<Method>,
    /// For means (a sum of points stays one).
    #[serde(default)]
    pub aggregate: Option<Aggregate>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    pub seed: u64,
    pub draws: usize,
    /// Each weight is multiplied by 1 ± up to this; at most 1.
    pub weight_spread: Fixed,
    /// Empty: the framework as it is.
    pub variants: Vec<Variant>,
}

/// Draws beyond these are not made.
pub const MAX_DRAWS: usize = 10_000;
/// Scores that may be drawn for one answer: some seconds of work.
const MAX_DRAWN: usize = 200_000_000;

/// How many draws there may be of a run: every score of every draw is computed.
pub fn most_draws(run: &Run) -> usize {
    (MAX_DRAWN / (run.units.len() * run.tree.len()).max(1)).min(MAX_DRAWS)
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RankInterval {
    pub unit: String,
    pub rank: Option<usize>,
    /// 5th percentile (nearest rank) of the drawn ranks; null if there is no score in any draw.
    pub p05: Option<usize>,
    pub median: Option<usize>,
    pub p95: Option<usize>,
    pub best: Option<usize>,
    pub worst: Option<usize>,
}

/// Rank intervals of all units, by code.
pub fn rank_intervals(
    run: &Run,
    options: &Options,
    cancellation: Cancellation<'_>,
) -> Result<Vec<RankInterval>, Refusal> {
    let variants =
        if options.variants.is_empty() { vec![Variant::default()] } else { options.variants.clone() };
    // One run after the other: a sketch is a tenth of it.
    let sketch = |variant: &Variant| {
        cancellation.check()?;
        Ok(Sketch::of(&varied(run, *variant)?))
    };
    let mut sketches: Vec<Sketch> = variants.iter().map(sketch).collect::<Result<_, Refusal>>()?;
    let mut dice = Dice(options.seed);
    let spread = options.weight_spread.clone().clamped(Fixed::zero_ref(), &Fixed::one()).to_f64();
    let mut drawn: Vec<Vec<usize>> = vec![Vec::new(); run.units.len()];
    for _ in 0..options.draws.min(MAX_DRAWS) {
        cancellation.check()?;
        let count = u64::try_from(sketches.len()).unwrap_or(1).max(1);
        let choice = usize::try_from(dice.next() % count).unwrap_or(0);
        let Some(sketch) = sketches.get_mut(choice) else { continue };
        let ranks = sketch.ranks(|| 1.0 + spread * (2.0 * dice.share() - 1.0));
        for (list, rank) in drawn.iter_mut().zip(ranks) {
            list.extend(rank);
        }
    }
    Ok(run
        .units
        .iter()
        .zip(drawn)
        .map(|(scored, ranks)| interval(&scored.unit.code, scored.ranks.first(), ranks))
        .collect())
}

fn interval(unit: &str, rank: Option<&Option<usize>>, mut ranks: Vec<usize>) -> RankInterval {
    ranks.sort_unstable();
    let percentile = |percent: usize| {
        let nearest = (ranks.len() * percent).div_ceil(100).max(1);
        ranks.get(nearest - 1).copied()
    };
    RankInterval {
        unit: unit.to_owned(),
        rank: rank.copied().flatten(),
        p05: percentile(5),
        median: percentile(50),
        p95: percentile(95),
        best: ranks.first().copied(),
        worst: ranks.last().copied(),
    }
}

/// The run by another method; a held frontier has no bounds for another method, so it is let go.
fn varied(run: &Run, variant: Variant) -> Result<Run, Refusal> {
    if variant == Variant::default() {
        return Ok(run.clone());
    }
    let mut framework: Framework = run.framework.clone();
    vary(&mut framework.root, variant);
    let frontier = run.input.frontier.clone().filter(|_| variant.method.is_none());
    score(&framework, &Input { frontier, ..run.input.clone() })
}

fn vary(node: &mut Node, variant: Variant) {
    if let (Some(aggregate), Some(own)) =
        (variant.aggregate.filter(|a| *a != Aggregate::Sum), node.aggregate.as_mut())
        && *own != Aggregate::Sum
    {
        *own = aggregate;
    }
    if let (Some(method), Some(normalise)) = (variant.method, node.normalise.as_mut())
        && !matches!(method, Method::None | Method::Goalposts)
        && !matches!(normalise.method, Method::None | Method::Goalposts)
    {
        normalise.method = method;
    }
    node.children.iter_mut().flatten().for_each(|child| vary(child, variant));
}

/// The effect of leaving out one indicator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LeftOut {
    pub indicator: String,
    /// Units whose rank changes, by code.
    pub moved: Vec<RankShift>,
    pub largest_shift: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RankShift {
    pub unit: String,
    pub rank: Option<usize>,
    pub without: Option<usize>,
    pub movement: Option<i64>,
}

/// Leaves out each indicator in turn, exactly; its weight goes to the others of its group.
pub fn leave_one_out(run: &Run, cancellation: Cancellation<'_>) -> Result<Vec<LeftOut>, Refusal> {
    let without = |indicator: &str| {
        cancellation.check()?;
        left_out(run, indicator)
    };
    run.tree.leaves().map(|(_, item, _)| without(&item.code)).collect()
}

fn left_out(run: &Run, indicator: &str) -> Result<LeftOut, Refusal> {
    let mut input = run.input.clone();
    for unit in &mut input.units {
        unit.not_applicable.insert(indicator.to_owned());
    }
    let without = score(&run.framework, &input)?;
    let first = |ranks: &[Option<usize>]| ranks.first().copied().flatten();
    let pairs = run
        .units
        .iter()
        .zip(&without.units)
        .map(|(old, new)| (&old.unit.code, first(&old.ranks), first(&new.ranks)));
    let moved: Vec<RankShift> = pairs
        .filter(|(_, rank, without)| rank != without)
        .map(|(unit, rank, without)| RankShift {
            unit: unit.clone(),
            rank,
            without,
            movement: rank.zip(without).map(|(before, after)| movement(before, after)),
        })
        .collect();
    Ok(LeftOut::of(indicator.to_owned(), moved))
}

impl LeftOut {
    pub fn of(indicator: String, moved: Vec<RankShift>) -> Self {
        let shifts = moved.iter().filter_map(|shift| shift.movement).map(i64::unsigned_abs);
        let largest_shift = shifts.max().unwrap_or(0);
        Self { indicator, moved, largest_shift }
    }
}

/// SplitMix64: a generator that is the same in every version of every library.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 inclusive to 1 exclusive.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Whether an unperturbed sketch ranks as the exact run does, for tests.
#[cfg(test)]
pub fn sketched_ranks(run: &Run) -> Vec<Option<usize>> {
    Sketch::of(run).ranks(|| 1.0)
}
