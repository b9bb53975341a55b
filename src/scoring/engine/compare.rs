//! Why scores moved between two runs.
//!
//! Four things may differ: a unit's own figures, the figures of the others (which draw the frontier; or a held frontier),
//! the framework's weights and rules, and the ranges within which nodes are re-normalised. The last cannot be laid at
//! anybody's door and is named `residual`; it is zero where nothing is re-normalised. Each part is the Shapley value: the
//! effect of changing that thing alone, averaged over every order in which the changes could be made. So no order is
//! preferred, and the parts add up to the difference exactly.

use std::collections::BTreeMap;

use serde::Serialize;

use super::aggregate::{Cell, Policy};
use super::fixed::Fixed;
use super::framework_leaf::Method;
use super::frontier::draw;
use super::normalise::leaf_score;
use super::rank::movement;
use super::readings::{Reading, read};
use super::score::{Run, climb};
use super::shapley::{ALL, FRONTIER, OWN, Parts, RANGES, WEIGHTS, parts};
use super::tree::{Item, Leaf, Rule};
use super::work::{Cancellation, Cancelled, count};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Units that are in the later run only, in the earlier run only.
    pub entered: Vec<String>,
    pub left: Vec<String>,
    /// Units in both, by code; nodes and indicators in both frameworks, from the root downwards.
    pub changes: Vec<Change>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ScoreChange)]
pub struct Change {
    pub unit: String,
    pub node: String,
    pub before: Option<Fixed>,
    pub after: Option<Fixed>,
    pub difference: Option<Fixed>,
    pub rank_before: Option<usize>,
    pub rank_after: Option<usize>,
    /// Ranks gained; negative if lost.
    pub movement: Option<i64>,
    /// The parts of the difference; null if a score is missing in one of the runs or along the way.
    pub parts: Option<Parts>,
}

/// Compares two runs of one framework, or of two editions with common codes.
pub fn compare(before: &Run, after: &Run, cancellation: Cancellation<'_>) -> Result<Comparison, Cancelled> {
    let pair = Pair::of(before, after);
    let only = |run: &Run, other: &Run| {
        let codes = run.units.iter().map(|scored| scored.unit.code.clone());
        codes.filter(|code| other.unit(code).is_none()).collect()
    };
    let mut changes = Vec::new();
    for scored in before.units.iter().filter(|scored| after.unit(&scored.unit.code).is_some()) {
        cancellation.check()?;
        changes.append(&mut pair.changes(&scored.unit.code));
    }
    Ok(Comparison { entered: only(after, before), left: only(before, after), changes })
}

/// Scores that [`compare`] takes: of each mixture those of the run, and for indicators that are measured against all others one for
/// each hundred figures that are looked at.
pub fn scores_to_compare(before: &Run, after: &Run) -> u64 {
    let of = |run: &Run| {
        let (units, leaves) =
            (count(run.units.len()), count(run.tree.leaves().filter(|l| relative(l.2)).count()));
        let looked_at = units.saturating_mul(units).saturating_mul(leaves);
        run.scores_each().saturating_mul(8).saturating_add(looked_at.saturating_mul(4) / 100)
    };
    of(before).saturating_add(of(after))
}

/// Measured against the figures of all others, not only the best and the worst.
fn relative(leaf: &Leaf) -> bool {
    matches!(&leaf.rule, Rule::Normalise(normaliser) if matches!(normaliser.method, Method::ZScore | Method::Rank))
}

/// The movement of one unit, when it is in both runs.
pub fn compare_unit(before: &Run, after: &Run, unit: &str) -> Vec<Change> {
    Pair::of(before, after).changes(unit)
}

/// The figures at one item by peer group, ascending, each with its unit's place in the run.
type Sorted = BTreeMap<String, Vec<(Fixed, usize)>>;

/// Readings of both inputs under both frameworks: `[framework][input][unit][item]`.
struct Pair<'a> {
    runs: [&'a Run; 2],
    readings: [[Vec<Vec<Reading>>; 2]; 2],
    figures: [[Vec<Sorted>; 2]; 2],
    renormalises: bool,
}

impl<'a> Pair<'a> {
    fn of(before: &'a Run, after: &'a Run) -> Self {
        let runs = [before, after];
        let under = |rules: &Run| runs.map(|data| read(&rules.tree, &data.input));
        let readings = runs.map(under);
        let [[ee, el], [le, ll]] = &readings;
        let figures = [
            [sorted_figures(before, before, ee), sorted_figures(before, after, el)],
            [sorted_figures(after, before, le), sorted_figures(after, after, ll)],
        ];
        let renormalises = |run: &&Run| {
            run.tree.items().any(|(_, item)| item.group().is_some_and(|g| g.renormalise.is_some()))
        };
        Self { runs, readings, figures, renormalises: runs.iter().any(renormalises) }
    }

    /// The figures of the others that bounds are drawn from: all of them only where the method looks at all.
    fn others(
        &self,
        leaf: &Leaf,
        rules: bool,
        data: bool,
        index: usize,
        key: &str,
        unit: &str,
    ) -> Vec<&Fixed> {
        let [before, after] = &self.figures;
        let [earlier, later] = if rules { after } else { before };
        let sorted = if data { later } else { earlier }.get(index).and_then(|groups| groups.get(key));
        let own = self.side(data).units.binary_search_by(|scored| scored.unit.code.as_str().cmp(unit)).ok();
        let mut theirs =
            sorted.into_iter().flatten().filter(|(_, at)| Some(*at) != own).map(|(figure, _)| figure);
        match relative(leaf) {
            true => theirs.collect(),
            false => theirs.next().into_iter().chain(theirs.next_back()).collect(),
        }
    }

    fn side(&self, later: bool) -> &'a Run {
        let [before, after] = self.runs;
        if later { after } else { before }
    }

    fn reading_rows(&self, rules: bool, data: bool) -> &[Vec<Reading>] {
        let [before, after] = &self.readings;
        let [earlier, later] = if rules { after } else { before };
        if data { later } else { earlier }
    }

    fn changes(&self, unit: &str) -> Vec<Change> {
        let [before, after] = self.runs;
        if before.unit(unit).is_none() || after.unit(unit).is_none() {
            return Vec::new();
        }
        let states = self.states(unit);
        let common = before
            .tree
            .items()
            .filter_map(|(index, item)| Some((index, after.tree.index_of(&item.code)?, item)));
        common.filter_map(|(from, to, item)| self.change(unit, from, to, item, &states)).collect()
    }

    /// The unit's cells in each of the sixteen mixtures; a set bit is a thing taken from the later run.
    fn states(&self, unit: &str) -> Vec<Vec<Cell>> {
        let mut leaves: BTreeMap<usize, Vec<Cell>> = BTreeMap::new();
        for mixture in 0..RANGES {
            leaves.insert(mixture, self.leaves(unit, mixture));
        }
        let state = |mixture: usize| {
            let mut cells = leaves.get(&(mixture & !RANGES)).cloned().unwrap_or_default();
            self.climb(unit, mixture, &mut cells);
            cells
        };
        let mut states: Vec<Vec<Cell>> = (0..RANGES).map(state).collect();
        let rest: Vec<Vec<Cell>> =
            if self.renormalises { (RANGES..=ALL).map(state).collect() } else { states.clone() };
        states.extend(rest);
        states
    }

    fn climb(&self, unit: &str, mixture: usize, cells: &mut [Cell]) {
        let rules = self.side(mixture & WEIGHTS != 0);
        let (first, second) = (self.side(mixture & RANGES != 0), self.side(mixture & RANGES == 0));
        let range_of = |item: &Item| {
            let of = |run: &Run| run.unit(unit).and_then(|scored| run.range_of(scored, item));
            of(first).or_else(|| of(second))
        };
        climb(&rules.tree, &rules.policy, cells, &range_of);
    }

    fn leaves(&self, unit: &str, mixture: usize) -> Vec<Cell> {
        let later_rules = mixture & WEIGHTS != 0;
        let rules = self.side(later_rules);
        let at = |(index, item): (usize, &Item)| match item.leaf() {
            Some(leaf) => self.leaf(unit, mixture, rules, index, item, leaf),
            None => Cell::NotApplicable,
        };
        rules.tree.items().map(at).collect()
    }

    fn leaf(&self, unit: &str, mixture: usize, rules: &Run, index: usize, item: &Item, leaf: &Leaf) -> Cell {
        let (own, others) = (self.side(mixture & OWN != 0), self.side(mixture & FRONTIER != 0));
        let later_rules = mixture & WEIGHTS != 0;
        let position = own.units.binary_search_by(|scored| scored.unit.code.as_str().cmp(unit)).ok();
        let rows = self.reading_rows(later_rules, mixture & OWN != 0);
        let Some((scored, row)) = position.and_then(|at| own.units.get(at).zip(rows.get(at))) else {
            return Cell::NotApplicable;
        };
        let reading = row.get(index).cloned().unwrap_or_default();
        let key = Policy::group_key(rules.policy.peers.frontier, scored.unit.peer_group.as_deref());
        let held = others.input.frontier.as_ref().and_then(|held| held.leaf(&item.code, key)).cloned();
        let bounds = held.or_else(|| {
            if matches!(leaf.rule, Rule::Points(_)) {
                return None;
            }
            let theirs = self.others(leaf, later_rules, mixture & FRONTIER != 0, index, key, unit);
            // Nobody's name is empty: the figures of the others are none of the unit's own.
            let theirs = theirs.into_iter().map(|figure| ("", figure));
            draw(leaf, theirs.chain(reading.value.as_ref().map(|figure| (unit, figure))))
        });
        leaf_score(leaf, unit, &reading, bounds.as_ref(), rules.policy.missing).cell
    }

    fn change(
        &self,
        unit: &str,
        from: usize,
        to: usize,
        item: &Item,
        states: &[Vec<Cell>],
    ) -> Option<Change> {
        let [before, after] = self.runs.map(|run| run.unit(unit));
        let (before, after) = (before?, after?);
        let score = |cells: &[Cell], index: usize| cells.get(index).and_then(Cell::score).cloned();
        let (earlier, later) = (score(&before.cells, from), score(&after.cells, to));
        let ranks = (before.ranks.get(from).copied().flatten(), after.ranks.get(to).copied().flatten());
        let worth = |mixture: usize| {
            let index = if mixture & WEIGHTS != 0 { to } else { from };
            states.get(mixture).and_then(|cells| score(cells, index))
        };
        let worths: Option<Vec<Fixed>> = (0..=ALL).map(worth).collect();
        Some(Change {
            unit: unit.to_owned(),
            node: item.code.clone(),
            difference: later.as_ref().zip(earlier.as_ref()).map(|(later, earlier)| later - earlier),
            before: earlier,
            after: later,
            rank_before: ranks.0,
            rank_after: ranks.1,
            movement: ranks.0.zip(ranks.1).map(|(earlier, later)| movement(earlier, later)),
            parts: worths.map(|worths| parts(&worths)),
        })
    }
}

fn sorted_figures(rules: &Run, data: &Run, rows: &[Vec<Reading>]) -> Vec<Sorted> {
    let column = |index: usize| {
        let mut groups = Sorted::new();
        for (at, (scored, row)) in data.units.iter().zip(rows).enumerate() {
            if let Some(figure) = row.get(index).and_then(|reading| reading.value.clone()) {
                let key = Policy::group_key(rules.policy.peers.frontier, scored.unit.peer_group.as_deref());
                groups.entry(key.to_owned()).or_default().push((figure, at));
            }
        }
        groups.values_mut().for_each(|figures| figures.sort_unstable());
        groups
    };
    (0..rules.tree.len()).map(column).collect()
}
