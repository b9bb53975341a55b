//! Work is bounded before it begins and given up between its steps.

use std::cell::Cell;

use super::super::compare::{compare, scores_to_compare};
use super::super::inverse::{Goal, InverseFault, least_change, scorings_to_reach};
use super::super::robust::{Options, leave_one_out, rank_intervals};
use super::super::score::{Refusal, Run};
use super::super::whatif::{FrontierMode, scores_to_simulate};
use super::super::work::{Cancellation, Cancelled, MAX_SCORED, TooMuchWork, within};
use super::{fixed, framework, group, input, leaf, run};

fn three() -> Run {
    let root = group("r", "arithmetic", vec![leaf("a", "min_max"), leaf("b", "rank")]);
    let figures = [("u", "a", "0"), ("u", "b", "0.1"), ("v", "a", "0.4"), ("v", "b", "0.5"), ("w", "a", "1")];
    run(&framework(root), &input(&figures))
}

/// Whether the work ends when it is cancelled after so many steps, and how many it takes when it is not.
fn steps<T, E: std::fmt::Debug>(
    work: impl Fn(Cancellation<'_>) -> Result<T, E>,
    cancelled: impl Fn(E) -> bool,
) -> usize {
    let taken = Cell::new(0);
    let count = || {
        taken.set(taken.get() + 1);
        false
    };
    work(Cancellation::when(&count)).unwrap();
    let all = taken.get();
    for most in 0..all.min(5) {
        let checks = Cell::new(0);
        let departs = || {
            checks.set(checks.get() + 1);
            checks.get() > most
        };
        assert!(work(Cancellation::when(&departs)).is_err_and(&cancelled));
        assert_eq!(checks.get(), most + 1, "it stops at the step that finds no request waiting");
    }
    all
}

#[test]
fn every_long_computation_stops_at_its_next_step_when_no_request_waits() {
    let run = three();
    let refusal = |refusal: Refusal| refusal == Refusal::Cancelled(Cancelled);
    assert_eq!(steps(|c| leave_one_out(&run, c), refusal), 2, "once for each indicator");
    let options = Options { seed: 1, draws: 100, weight_spread: fixed("0.25"), variants: vec![] };
    assert_eq!(steps(|c| rank_intervals(&run, &options, c), refusal), 101, "for each variant and draw");
    assert_eq!(steps(|c| compare(&run, &run, c), |_| true), 3, "for each unit");
    assert_eq!(steps(|c| run.levers("u", c), |_| true), 2, "for each indicator");
    for mode in [FrontierMode::Live, FrontierMode::Frozen] {
        let goal = Goal::Score(fixed("0.5"));
        let reach = |c: Cancellation<'_>| least_change(&run, "u", &["a"], &goal, mode, c);
        assert_eq!(steps(reach, |fault| fault == InverseFault::Cancelled), 40, "for each halving");
    }
}

#[test]
fn work_is_scorings_times_units_times_nodes() {
    let run = three();
    assert_eq!(run.scores_each(), 9);
    assert_eq!(scores_to_simulate(&run), 9, "pairs of three units are less than a score");
    assert_eq!(scorings_to_reach(FrontierMode::Live), 42);
    assert_eq!(scorings_to_reach(FrontierMode::Frozen), 0);
    assert_eq!(scores_to_compare(&run, &run), 144, "sixteen mixtures");
    assert_eq!(run.scores_for_levers(), 2 * (3 * 3 + 3 * 4));
    let most = usize::try_from(MAX_SCORED / 9).unwrap();
    assert_eq!(run.affords(most), Ok(()));
    assert_eq!(run.affords(most + 1), Err(TooMuchWork { scores: MAX_SCORED / 9 * 9 + 9 }));
    assert_eq!(run.affords(usize::MAX), Err(TooMuchWork { scores: u64::MAX }));
    // 300 units at 100 indicators and 20 groups, each indicator left out in turn.
    assert_eq!(within(300 * 120 * 100), Ok(()));
}
