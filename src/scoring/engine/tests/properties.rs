//! Laws that hold for every framework.

use proptest::prelude::*;
use serde_json::json;

use super::super::aggregate::Cell;
use super::super::compare::compare;
use super::super::explain::Explanation;
use super::super::fixed::Fixed;
use super::super::framework::{Framework, Node};
use super::super::gap::leaves;
use super::super::hash::input_hash;
use super::super::inverse::{Goal, Inverse, least_change};
use super::super::robust::{Options, most_draws, rank_intervals, sketched_ranks};
use super::super::score::Run;
use super::super::validate::validate;
use super::super::whatif::{FrontierMode, Substitution, simulate};
use super::super::work::Cancellation;
use super::world::{Random, World, world};
use super::{fixed, framework_with, group, input, leaf, run, score_of};

type Standing<'a> = (&'a str, &'a [Cell], &'a [Option<usize>]);

fn cells(run: &Run) -> Vec<Standing<'_>> {
    run.units
        .iter()
        .map(|unit| (unit.unit.code.as_str(), unit.cells.as_slice(), unit.ranks.as_slice()))
        .collect()
}

fn shuffled<T>(list: &mut [T], random: &mut Random) {
    for index in (1..list.len()).rev() {
        list.swap(index, random.below(index + 1));
    }
}

fn shuffle_children(node: &mut Node, random: &mut Random) {
    if let Some(children) = node.children.as_mut() {
        shuffled(children, random);
        children.iter_mut().for_each(|child| shuffle_children(child, random));
    }
}

fn assert_adds_up(tree: &Explanation) {
    if let Some(contribution) = &tree.contribution {
        let mut parts = tree.residual.clone();
        for child in &tree.children {
            parts += child.contribution.as_ref().unwrap_or(Fixed::zero_ref());
        }
        if tree.children.iter().any(|child| child.contribution.is_some()) {
            assert_eq!(&parts, contribution, "the parts of {} must add up", tree.code);
        }
    }
    tree.children.iter().for_each(assert_adds_up);
}

fn residuals(tree: &Explanation) -> Fixed {
    &tree.residual + &tree.children.iter().map(residuals).sum::<Fixed>()
}

fn renormalises(node: &Node) -> bool {
    node.renormalise.is_some() || node.children.iter().flatten().any(renormalises)
}

fn small() -> impl Strategy<Value = World> {
    (any::<u64>(), 1..9_usize, 2..12_usize, 1..6_usize)
        .prop_map(|(seed, units, leaves, depth)| world(seed, units, leaves, depth))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn generated_worlds_are_sound(world in small()) {
        prop_assert_eq!(validate(&world.framework, None).faults, vec![]);
    }

    #[test]
    fn order_does_not_matter(world in small(), seed: u64) {
        let mut random = Random(seed);
        let (mut framework, mut input) = (world.framework.clone(), world.input.clone());
        shuffle_children(&mut framework.root, &mut random);
        shuffled(&mut input.units, &mut random);
        shuffled(&mut input.observations, &mut random);
        prop_assert_eq!(
            input_hash(&world.framework, &world.input).unwrap(),
            input_hash(&framework, &input).unwrap()
        );
        let (first, second) = (run(&world.framework, &world.input), run(&framework, &input));
        for (index, item) in first.tree.items() {
            let other = second.tree.index_of(&item.code).unwrap();
            for (a, b) in first.units.iter().zip(&second.units) {
                prop_assert_eq!(&a.cells[index], &b.cells[other], "{} of {}", &item.code, &a.unit.code);
                prop_assert_eq!(a.ranks[index], b.ranks[other]);
            }
        }
    }

    #[test]
    fn contributions_add_up(world in small()) {
        let run = run(&world.framework, &world.input);
        for unit in &run.units {
            let tree = run.explain(&unit.unit.code).unwrap();
            assert_adds_up(&tree);
            if let Some(score) = &tree.score {
                let all: Fixed = leaves(&tree).iter().filter_map(|leaf| leaf.contribution.as_ref()).sum();
                prop_assert_eq!(&(&all + &residuals(&tree)), score);
            }
            if !renormalises(&world.framework.root) {
                prop_assert_eq!(residuals(&tree), Fixed::zero(), "nothing is left over without re-normalisation");
            }
        }
    }

    #[test]
    fn a_simulation_without_change_is_the_run(world in small(), frozen: bool) {
        let run = run(&world.framework, &world.input);
        let mode = if frozen { FrontierMode::Frozen } else { FrontierMode::Live };
        let simulation = simulate(&run, &[], mode).unwrap();
        prop_assert_eq!(simulation.moved, vec![]);
        prop_assert_eq!(cells(&run), cells(&simulation.run));
        prop_assert_eq!(&run.frontier, &simulation.run.frontier);
    }

    #[test]
    fn a_better_figure_never_lowers_the_own_score(world in small(), seed: u64) {
        let before = run(&world.framework, &world.input);
        let mut random = Random(seed);
        let rows: Vec<_> = world.input.observations.iter().filter(|row| row.value.is_some()).collect();
        prop_assume!(!rows.is_empty());
        let row = rows[random.below(rows.len())];
        let index = before.tree.index_of(&row.indicator).unwrap();
        let down = before.tree.item(index).unwrap().leaf().unwrap().is_downward();
        let amount = fixed(["0.000001", "1", "40", "1000000"][random.below(4)]);
        let old = row.value.clone().unwrap();
        let value = Some(if down { &old - &amount } else { &old + &amount });
        let change = Substitution { unit: row.unit.clone(), indicator: row.indicator.clone(), value };
        let after = simulate(&before, &[change], FrontierMode::Frozen).unwrap().run;
        if let (Some(was), Some(is)) = (score_of(&before, &row.unit), score_of(&after, &row.unit)) {
            // Geometric and harmonic means are right to a few units of the last places, relative to their size.
            let tolerance = &was.abs().times(&fixed("0.000000000001")) + &fixed("0.000000000001");
            prop_assert!(is >= &was - &tolerance, "{} fell from {was} to {is}", &row.unit);
        }
    }

    #[test]
    fn parts_of_a_comparison_add_up(a in small(), seed: u64) {
        let mut random = Random(seed);
        let (mut framework, mut input): (Framework, _) = (a.framework.clone(), a.input.clone());
        for row in &mut input.observations {
            if random.below(2) == 0 && row.value.is_some() {
                row.value = row.value.as_ref().map(|value| value + &fixed("3.25"));
            }
        }
        if let Some(child) = framework.root.children.as_mut().and_then(|children| children.first_mut()) {
            child.weight = Some(fixed("2.5"));
        }
        let (before, after) = (run(&a.framework, &a.input), run(&framework, &input));
        for change in compare(&before, &after, Cancellation::NEVER).unwrap().changes {
            let Some(parts) = change.parts else { continue };
            let sum: Fixed = [&parts.own, &parts.frontier, &parts.weights, &parts.residual].into_iter().sum();
            prop_assert_eq!(Some(sum), change.difference);
            if !renormalises(&a.framework.root) {
                prop_assert!(parts.residual.is_zero());
            }
        }
        for change in compare(&before, &before, Cancellation::NEVER).unwrap().changes {
            let nothing = change.parts.is_none_or(|parts| parts.own.is_zero() && parts.frontier.is_zero() && parts.weights.is_zero() && parts.residual.is_zero());
            prop_assert!(nothing, "a run compared with itself");
        }
    }

    #[test]
    fn everything_answers(world in small(), seed: u64) {
        let run = run(&world.framework, &world.input);
        let _ = run.scores();
        for unit in &run.units {
            let code = unit.unit.code.as_str();
            let _ = (run.levers(code, Cancellation::NEVER), run.gap_to_leader(code), run.gap_to_target(code, &fixed("0.9")));
            for (_, item, _) in run.tree.leaves() {
                let goal = if seed % 2 == 0 { Goal::Place(1) } else { Goal::Score(fixed("0.6")) };
                if let Ok(Inverse::Reached(reached)) = least_change(&run, code, &[&item.code], &goal, FrontierMode::Frozen, Cancellation::NEVER) {
                    let met = match &goal {
                        Goal::Place(place) => reached.place.unwrap() <= *place,
                        Goal::Score(score) => reached.score >= *score,
                    };
                    prop_assert!(met, "what is said to be reached is reached");
                }
            }
        }
        let options = Options { seed, draws: 20, weight_spread: fixed("0.3"), variants: vec![] };
        prop_assert_eq!(rank_intervals(&run, &options, Cancellation::NEVER).unwrap(), rank_intervals(&run, &options, Cancellation::NEVER).unwrap());
    }
}

/// The size the engine must hold: 300 units × 100 indicators × 5 levels, with gaps and negative directions.
#[test]
fn the_largest_world_answers() {
    let world = world(7, 300, 100, 5);
    let run = run(&world.framework, &world.input);
    assert_eq!(run.units.len(), 300);
    assert_eq!(run.tree.leaves().count(), 100);
    for code in ["u0", "u150", "u299"] {
        assert_adds_up(&run.explain(code).unwrap());
        let _ = run.levers(code, Cancellation::NEVER);
    }
}

#[test]
fn the_sketch_ranks_as_the_run_does() {
    let framework = super::super::catalogue::frameworks().unwrap().remove(0);
    let mut random = Random(11);
    let mut input = super::super::input::Input::default();
    let tree = super::super::tree::Tree::of(&framework);
    for n in 0..60 {
        let code = format!("u{n:02}");
        for (_, item, _) in tree.leaves() {
            let value = fixed(&format!("{}.{}", random.below(100), random.below(100)));
            input.observations.push(super::super::input::Observation::value(&code, &item.code, value));
        }
        input.units.push(super::super::input::Unit { code, ..Default::default() });
    }
    let run = run(&framework, &input);
    let exact: Vec<Option<usize>> = run.units.iter().map(|unit| unit.ranks[0]).collect();
    assert_eq!(sketched_ranks(&run), exact);
}

/// A unit that is blocked in one group draws no range there.
#[test]
fn the_sketch_blocks_what_the_run_blocks() {
    let mut ranged = group("g", "arithmetic", vec![leaf("a", "none"), leaf("b", "none")]);
    ranged["renormalise"] = json!("min_max");
    let root = group("r", "arithmetic", vec![ranged, leaf("c", "none")]);
    let framework = framework_with(json!({"missing": "block"}), root);
    let figures = [
        ("u", "a", "0.5"),
        ("u", "b", "0.5"),
        ("u", "c", "1"),
        ("v", "a", "0.6"),
        ("v", "b", "0.6"),
        ("v", "c", "0"),
        ("w", "a", "0"),
        ("w", "c", "0"),
    ];
    let run = run(&framework, &input(&figures));
    let exact: Vec<Option<usize>> = run.units.iter().map(|unit| unit.ranks[0]).collect();
    assert_eq!(exact, [Some(1), Some(1), None]);
    assert_eq!(sketched_ranks(&run), exact);
}

#[test]
fn a_large_run_is_drawn_less_often() {
    let draws = |units: usize, leaves: usize| {
        let world = world(7, units, leaves, 3);
        let run = run(&world.framework, &world.input);
        (most_draws(&run), units * run.tree.len())
    };
    assert_eq!(draws(20, 10).0, 10_000);
    let (most, scores) = draws(250, 100);
    assert!(
        most < 10_000 && most * scores <= 200_000_000 && (most + 1) * scores > 200_000_000,
        "{most} × {scores}"
    );
}
