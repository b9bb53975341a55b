//! Times a run of 30 indicators × 200 units: `cargo run --release --example scoring_timing`.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Instant;

use ict_index::scoring::engine::catalogue::frameworks;
use ict_index::scoring::engine::compare::compare;
use ict_index::scoring::engine::fixed::Fixed;
use ict_index::scoring::engine::hash::input_hash;
use ict_index::scoring::engine::input::{Input, Observation, Unit};
use ict_index::scoring::engine::inverse::{Goal, least_change};
use ict_index::scoring::engine::robust::{Options, leave_one_out, rank_intervals};
use ict_index::scoring::engine::score::score;
use ict_index::scoring::engine::tree::Tree;
use ict_index::scoring::engine::whatif::{FrontierMode, Substitution, simulate};
use ict_index::scoring::engine::work::Cancellation;

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = work();
    println!("{what:<45} {:>9.2} ms", begun.elapsed().as_secs_f64() * 1e3);
    result
}

fn main() {
    let framework = frameworks().unwrap().remove(0);
    let tree = Tree::of(&framework);
    let mut input = Input::default();
    for n in 0..200_usize {
        let code = format!("u{n:03}");
        for (index, item, _) in tree.leaves() {
            let value: Fixed =
                format!("{}.{:06}", (n * 37 + index * 11) % 97, (n * n * 7919 + index * 104_729) % 1_000_000)
                    .parse()
                    .unwrap();
            input.observations.push(Observation::value(&code, &item.code, value));
        }
        input.units.push(Unit { code, ..Unit::default() });
    }
    timed("hash", || input_hash(&framework, &input).unwrap());
    let run = timed("run", || score(&framework, &input).unwrap());
    timed("run with explanation of all units", || {
        let run = score(&framework, &input).unwrap();
        run.units.iter().filter_map(|scored| run.explain(&scored.unit.code)).count()
    });
    let change =
        Substitution { unit: "u100".into(), indicator: "UD.DV.04".into(), value: Some(Fixed::one()) };
    let after = timed("simulation, live", || {
        simulate(&run, std::slice::from_ref(&change), FrontierMode::Live).unwrap()
    });
    timed("simulation, frozen", || simulate(&run, &[change], FrontierMode::Frozen).unwrap());
    timed("scores of all nodes", || run.scores());
    timed("levers of a unit", || run.levers("u100", Cancellation::NEVER)).unwrap();
    timed("least change, frozen", || {
        least_change(&run, "u100", &["HT.XH.01"], &Goal::Place(50), FrontierMode::Frozen, Cancellation::NEVER)
            .unwrap()
    });
    timed("least change, live", || {
        least_change(&run, "u100", &["HT.XH.01"], &Goal::Place(50), FrontierMode::Live, Cancellation::NEVER)
            .unwrap()
    });
    timed("comparison of all units", || compare(&run, &after.run, Cancellation::NEVER)).unwrap();
    let options = Options { seed: 1, draws: 1000, weight_spread: "0.25".parse().unwrap(), variants: vec![] };
    timed("rank intervals, 1000 draws", || rank_intervals(&run, &options, Cancellation::NEVER).unwrap());
    timed("leave one out", || leave_one_out(&run, Cancellation::NEVER).unwrap());
}
