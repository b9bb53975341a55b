//! A run: every unit's score at every node, from a framework and an input.

use std::collections::{BTreeMap, BTreeSet};

use super::aggregate::{Cell, Policy, group_cell};
use super::faults::Report;
use super::fixed::Fixed;
use super::framework::Framework;
use super::frontier::{Frontier, Range, draw, range};
use super::input::{Input, InputFault, Unit, check_input};
use super::normalise::{leaf_score, renormalised};
use super::rank::places;
use super::readings::{Reading, read};
use super::tree::{Group, Item, Leaf, Tree};
use super::validate::validate;
use super::work::{Cancelled, TooMuchWork, count, within};

/// Why nothing was computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the framework has faults")]
    Framework(Report),
    #[error("the input has faults")]
    Input(Vec<InputFault>),
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// One unit of a run; the lists go by item of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scored {
    pub unit: Unit,
    pub readings: Vec<Reading>,
    /// Of leaves: the place in the scale, before `max_points`.
    pub normalised: Vec<Option<Fixed>>,
    pub cells: Vec<Cell>,
    pub ranks: Vec<Option<usize>>,
}

#[derive(Clone, Debug)]
pub struct Run {
    pub framework: Framework,
    pub tree: Tree,
    pub policy: Policy,
    /// By code.
    pub units: Vec<Scored>,
    /// In force in this run: held where the input held it, drawn from the figures elsewhere.
    pub frontier: Frontier,
    /// What it was computed from, units and observations in order of their codes.
    pub input: Input,
}

/// Computes a run. The order of units, observations and children does not matter.
pub fn score(framework: &Framework, input: &Input) -> Result<Run, Refusal> {
    let report = validate(framework, None);
    if !report.is_sound() {
        return Err(Refusal::Framework(report));
    }
    let tree = Tree::of(framework);
    let faults = check_input(&tree, input);
    if !faults.is_empty() {
        return Err(Refusal::Input(faults));
    }
    let mut input = input.clone();
    input.units.sort_by(|a, b| a.code.cmp(&b.code));
    input.observations.sort_by(|a, b| (&a.unit, &a.indicator).cmp(&(&b.unit, &b.indicator)));
    Ok(compute(framework, tree, input))
}

fn compute(framework: &Framework, tree: Tree, input: Input) -> Run {
    let readings = read(&tree, &input);
    let blank = |(unit, readings): (&Unit, Vec<Reading>)| Scored {
        unit: unit.clone(),
        readings,
        normalised: vec![None; tree.len()],
        cells: vec![Cell::NotApplicable; tree.len()],
        ranks: vec![None; tree.len()],
    };
    let units = input.units.iter().zip(readings).map(blank).collect();
    let policy = Policy::of(framework);
    let mut run = Run {
        framework: framework.clone(),
        tree: tree.clone(),
        policy,
        units,
        frontier: Frontier::default(),
        input,
    };
    for (index, item) in tree.items().rev() {
        match (item.leaf(), item.group()) {
            (Some(leaf), _) => run.score_leaf(index, item, leaf),
            (_, Some(group)) => run.score_group(index, item, group),
            _ => {}
        }
        run.rank(index);
    }
    run
}

impl Run {
    pub fn unit(&self, code: &str) -> Option<&Scored> {
        let index = self.units.binary_search_by(|scored| scored.unit.code.as_str().cmp(code)).ok()?;
        self.units.get(index)
    }

    pub fn frontier_key<'a>(&self, unit: &'a Unit) -> &'a str {
        Policy::group_key(self.policy.peers.frontier, unit.peer_group.as_deref())
    }

    pub fn rank_key<'a>(&self, unit: &'a Unit) -> &'a str {
        Policy::group_key(self.policy.peers.rank, unit.peer_group.as_deref())
    }

    /// The score as it is ranked and shown.
    pub fn rounded(&self, score: &Fixed) -> Fixed {
        score.half_up(self.policy.decimals)
    }

    fn frontier_keys(&self) -> BTreeSet<String> {
        self.units.iter().map(|scored| self.frontier_key(&scored.unit).to_owned()).collect()
    }

    fn held(&self) -> Option<&Frontier> {
        self.input.frontier.as_ref()
    }

    fn score_leaf(&mut self, index: usize, item: &Item, leaf: &Leaf) {
        let mut bounds = BTreeMap::new();
        for key in self.frontier_keys() {
            let held = self.held().and_then(|held| held.leaf(&item.code, &key)).cloned();
            let among = self.units.iter().filter(|scored| self.frontier_key(&scored.unit) == key);
            let figures = among.filter_map(|scored| {
                Some((scored.unit.code.as_str(), scored.readings.get(index)?.value.as_ref()?))
            });
            if let Some(found) = held.or_else(|| draw(leaf, figures)) {
                bounds.insert(key, found);
            }
        }
        let (missing, among) = (self.policy.missing, self.policy.peers.frontier);
        for scored in &mut self.units {
            let key = Policy::group_key(among, scored.unit.peer_group.as_deref());
            let Some(reading) = scored.readings.get(index) else { continue };
            let result = leaf_score(leaf, &scored.unit.code, reading, bounds.get(key), missing);
            put(&mut scored.normalised, index, result.normalised);
            put(&mut scored.cells, index, result.cell);
        }
        self.frontier.leaves.insert(item.code.clone(), bounds);
    }

    fn score_group(&mut self, index: usize, item: &Item, group: &Group) {
        for scored in &mut self.units {
            let cell = group_cell(&self.tree, group, &scored.cells, &self.policy);
            put(&mut scored.cells, index, cell);
        }
        if group.renormalise.is_some() {
            self.renormalise(index, item);
        }
    }

    fn renormalise(&mut self, index: usize, item: &Item) {
        let mut ranges = BTreeMap::new();
        for key in self.frontier_keys() {
            let held = self.held().and_then(|held| held.node(&item.code, &key)).cloned();
            let among = self.units.iter().filter(|scored| self.frontier_key(&scored.unit) == key);
            let scores = among.filter_map(|scored| scored.cells.get(index)?.score());
            if let Some(found) = held.or_else(|| range(scores)) {
                ranges.insert(key, found);
            }
        }
        let among = self.policy.peers.frontier;
        for scored in &mut self.units {
            let range = ranges.get(Policy::group_key(among, scored.unit.peer_group.as_deref()));
            let score = scored.cells.get(index).and_then(Cell::score);
            if let Some((score, range)) = score.zip(range) {
                let cell = Cell::Present(renormalised(score, range));
                put(&mut scored.cells, index, cell);
            }
        }
        self.frontier.nodes.insert(item.code.clone(), ranges);
    }

    fn rank(&mut self, index: usize) {
        let rounded =
            |scored: &Scored| scored.cells.get(index).and_then(Cell::score).map(|score| self.rounded(score));
        let scores: Vec<(&str, Option<Fixed>)> =
            self.units.iter().map(|scored| (self.rank_key(&scored.unit), rounded(scored))).collect();
        let ranks = places(&scores, self.policy.ties);
        for (scored, rank) in self.units.iter_mut().zip(ranks) {
            put(&mut scored.ranks, index, rank);
        }
    }
}

/// Computes one unit's groups from its leaves, every re-normalisation within given ranges.
pub fn climb(tree: &Tree, policy: &Policy, cells: &mut [Cell], range_of: &dyn Fn(&Item) -> Option<Range>) {
    for (index, item) in tree.items().rev() {
        if let Some(group) = item.group() {
            let cell = held_cell(tree, policy, cells, item, group, range_of);
            put(cells, index, cell);
        }
    }
}

/// The same, but only above one item.
pub fn climb_from(
    tree: &Tree,
    policy: &Policy,
    cells: &mut [Cell],
    from: usize,
    range_of: &dyn Fn(&Item) -> Option<Range>,
) {
    for (index, item, group) in tree.ancestors(from) {
        let cell = held_cell(tree, policy, cells, item, group, range_of);
        put(cells, index, cell);
    }
}

fn held_cell(
    tree: &Tree,
    policy: &Policy,
    cells: &[Cell],
    item: &Item,
    group: &Group,
    range_of: &dyn Fn(&Item) -> Option<Range>,
) -> Cell {
    let cell = group_cell(tree, group, cells, policy);
    match (&cell, group.renormalise.and_then(|_| range_of(item))) {
        (Cell::Present(score), Some(range)) => Cell::Present(renormalised(score, &range)),
        // Nobody had a score here when the ranges were drawn: the one unit is all there is.
        (Cell::Present(_), None) if group.renormalise.is_some() => Cell::Present(Fixed::half()),
        _ => cell,
    }
}

pub fn put<T>(list: &mut [T], index: usize, value: T) {
    if let Some(place) = list.get_mut(index) {
        *place = value;
    }
}

impl Run {
    /// Scores of one scoring: units × nodes.
    pub fn scores_each(&self) -> u64 {
        count(self.units.len()).saturating_mul(count(self.tree.len()))
    }

    /// Whether so many scorings of the whole run are within [`MAX_SCORED`](super::work::MAX_SCORED).
    pub fn affords(&self, scorings: usize) -> Result<(), TooMuchWork> {
        within(self.scores_each().saturating_mul(count(scorings)))
    }
}
