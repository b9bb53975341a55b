//! Defined answers where arithmetic has none.

use serde_json::{Value, json};

use super::super::aggregate::Cell;
use super::super::fixed::Fixed;
use super::super::input::{Input, InputFaultCode, Observation, Unit};
use super::super::readings::State;
use super::super::score::{Refusal, score};
use super::{fixed, framework, framework_with, group, input, leaf, rank_of, run, score_of, units};

fn single(method: &str, rows: &[(&str, &str, &str)], unit: &str) -> Option<Fixed> {
    score_of(&run(&framework(leaf("a", method)), &input(rows)), unit)
}

fn half() -> Option<Fixed> {
    Some(Fixed::half())
}

#[test]
fn one_unit_alone_and_all_equal_stand_in_the_middle() {
    for method in ["min_max", "rank"] {
        assert_eq!(single(method, &[("u", "a", "3")], "u"), half(), "{method}, one unit");
        assert_eq!(single(method, &[("u", "a", "3"), ("v", "a", "3")], "v"), half(), "{method}, all equal");
    }
    assert_eq!(single("z_score", &[("u", "a", "3"), ("v", "a", "3")], "v"), Some(Fixed::zero()));
    assert_eq!(single("ratio_to_max", &[("u", "a", "3")], "u"), Some(Fixed::one()));
    assert_eq!(single("ratio_to_max", &[("u", "a", "0")], "u"), Some(Fixed::zero()));
}

#[test]
fn methods_in_both_directions() {
    let rows = [("u", "a", "10"), ("v", "a", "40"), ("w", "a", "20")];
    let expected = [
        ("min_max", "0.333333333333333333", "0.666666666666666667"),
        ("ratio_to_max", "0.5", "0.5"),
        ("ratio_to_best", "0.5", "0.5"),
        ("rank", "0.5", "0.5"),
        ("z_score", "-0.267261241912424385", "0.267261241912424385"),
    ];
    for (method, up, down) in expected {
        assert_eq!(single(method, &rows, "w"), Some(fixed(up)), "{method}");
        let mut reversed = leaf("a", method);
        reversed["direction"] = json!(-1);
        assert_eq!(
            score_of(&run(&framework(reversed), &input(&rows)), "w"),
            Some(fixed(down)),
            "{method}, less is better"
        );
    }
    let mut goalposts = leaf("a", "goalposts");
    goalposts["normalise"] = json!({"method": "goalposts", "lo": 15, "hi": "25", "scale": [1, 5]});
    let run = run(&framework(goalposts), &input(&rows));
    let scores: Vec<Option<Fixed>> = ["u", "v", "w"].map(|unit| score_of(&run, unit)).into();
    assert_eq!(scores, [Some(fixed("1")), Some(fixed("5")), Some(fixed("3"))], "held within the goalposts");
}

#[test]
fn zero_and_negative_scores_make_a_geometric_or_harmonic_mean_zero() {
    for aggregate in ["geometric", "harmonic"] {
        let framework = framework(group("r", aggregate, vec![leaf("a", "none"), leaf("b", "none")]));
        for bad in ["0", "-4"] {
            let run = run(&framework, &input(&[("u", "a", bad), ("u", "b", "9")]));
            assert_eq!(score_of(&run, "u"), Some(Fixed::zero()), "{aggregate} of {bad}");
        }
        let run = run(&framework, &input(&[("u", "a", "4"), ("u", "b", "9")]));
        let wanted = if aggregate == "geometric" { "6" } else { "5.538461538461538" };
        let error = (&score_of(&run, "u").unwrap() - &fixed(wanted)).abs();
        assert!(error < fixed("0.000000000000001"), "{aggregate}: off by {error}");
    }
}

fn two(missing: &str) -> super::Framework {
    let mut heavy = leaf("b", "none");
    heavy["weight"] = json!(3);
    framework_with(json!({"missing": missing}), group("r", "arithmetic", vec![leaf("a", "none"), heavy]))
}

#[test]
fn missing_figures_by_policy() {
    let rows = [("u", "a", "0.8"), ("v", "a", "0.4"), ("v", "b", "0.4")];
    let expected = [("exclude_and_reweight", Some("0.8")), ("zero", Some("0.2")), ("block", None)];
    for (policy, wanted) in expected {
        let run = run(&two(policy), &input(&rows));
        assert_eq!(score_of(&run, "u"), wanted.map(fixed), "{policy}");
        let item = &run.scores_of("r")[0];
        assert_eq!(item.missing, ["b"], "{policy} names what is missing");
        assert_eq!(item.rank.is_none(), wanted.is_none(), "no place without a score");
    }
}

#[test]
fn missing_everything() {
    let nothing = Input { units: units(&["u", "v"]), ..Input::default() };
    for (policy, wanted) in [("exclude_and_reweight", None), ("zero", Some(Fixed::zero())), ("block", None)] {
        let run = run(&two(policy), &nothing);
        assert_eq!(score_of(&run, "u"), wanted, "{policy}");
        assert_eq!(run.scores_of("r")[0].missing, ["a", "b"]);
        assert!(run.explain("u").is_some());
    }
    let empty = run(&two("zero"), &Input::default());
    assert!(empty.scores().is_empty(), "no units, no scores");
}

#[test]
fn a_zero_denominator_is_a_missing_figure_with_its_reason() {
    let mut input = input(&[("u", "b", "0.5")]);
    let (zero, one) = (Some(Fixed::zero()), Some(Fixed::one()));
    let row = Observation {
        unit: "u".into(),
        indicator: "a".into(),
        value: None,
        numerator: one,
        denominator: zero,
    };
    input.observations.push(row);
    let run = run(&two("exclude_and_reweight"), &input);
    assert_eq!(run.explain("u").unwrap().children[0].reading, Some(State::ZeroDenominator));
    assert_eq!(score_of(&run, "u"), half());
}

#[test]
fn weights_of_zero_say_nothing() {
    let mut idle = leaf("a", "none");
    idle["weight"] = json!(0);
    let framework = framework(group("r", "arithmetic", vec![idle, leaf("b", "none")]));
    let both = run(&framework, &input(&[("u", "a", "9"), ("u", "b", "0.5")]));
    assert_eq!(score_of(&both, "u"), half());
    let only = run(&framework, &input(&[("u", "a", "9")]));
    assert_eq!(only.unit("u").unwrap().cells[0], Cell::Missing, "what remains has no weight");
}

#[test]
fn indicators_that_do_not_apply_are_not_missing() {
    let mut special = leaf("a", "none");
    special["applies_to"] = json!(["has_procedures"]);
    let framework = framework_with(
        json!({"missing": "block"}),
        group("r", "arithmetic", vec![special, leaf("b", "none")]),
    );
    let input = Input {
        units: vec![
            Unit { code: "u".into(), ..Unit::default() },
            Unit { code: "v".into(), peer_group: Some("has_procedures".into()), ..Unit::default() },
        ],
        observations: vec![
            Observation::value("u", "b", fixed("0.5")),
            Observation::value("v", "b", fixed("0.5")),
        ],
        frontier: None,
    };
    let run = run(&framework, &input);
    assert_eq!(score_of(&run, "u"), half());
    assert_eq!(score_of(&run, "v"), None);
}

#[test]
fn peers_have_frontiers_and_ranks_of_their_own() {
    let peers = json!({"peers": {"frontier": "peer_group", "rank": "peer_group"}});
    let framework = framework_with(peers, leaf("a", "min_max"));
    let mut input = input(&[("a1", "a", "1"), ("a2", "a", "2"), ("b1", "a", "100"), ("b2", "a", "200")]);
    for unit in &mut input.units {
        unit.peer_group = Some(unit.code[..1].to_owned());
    }
    let run = run(&framework, &input);
    assert_eq!(["a1", "a2", "b1", "b2"].map(|unit| rank_of(&run, unit).unwrap()), [2, 1, 2, 1]);
    assert_eq!(score_of(&run, "a2"), Some(Fixed::one()));
}

#[test]
fn a_mean_of_thirds_is_rounded_as_if_exact() {
    let third = fixed("1").over(&fixed("3")).unwrap();
    let sum = &(&third + &third) + &third;
    assert_ne!(sum, Fixed::one());
    assert_eq!(sum.half_up(3), Fixed::one());
    assert_eq!(fixed("0.0005").half_up(3), fixed("0.001"));
    assert_eq!(fixed("-0.0005").half_up(3), fixed("0"), "half up is towards plus infinity");
}

#[test]
fn faulty_input_is_refused_with_all_its_faults() {
    let mut input = input(&[("u", "a", "1"), ("u", "zz", "1")]);
    input.observations.push(Observation::value("nobody", "a", Fixed::one()));
    input.observations.push(Observation::value("u", "a", Fixed::one()));
    input.observations.push(Observation { value: None, ..Observation::value("u", "b", Fixed::one()) });
    let Err(Refusal::Input(faults)) = score(&two("zero"), &input) else { panic!("the input has faults") };
    let codes: Vec<InputFaultCode> = faults.iter().map(|fault| fault.code).collect();
    use InputFaultCode::{FigureIncomplete, IndicatorUnknown, ObservationDuplicate, UnitUnknown};
    assert_eq!(codes, [IndicatorUnknown, UnitUnknown, ObservationDuplicate, FigureIncomplete]);
}

#[test]
fn numbers_are_read_by_their_spelling() {
    let read = |text: &str| serde_json::from_str::<Fixed>(text);
    assert_eq!(read("0.1").unwrap(), fixed("0.1"));
    assert_eq!(read("1e-1").unwrap(), fixed("0.1"));
    assert_eq!(
        serde_json::to_string(&read("123456789012345678.123456").unwrap()).unwrap(),
        "123456789012345678.123456"
    );
    for bad in ["1e999999999", "0.1234567890123456789", "\"0.1\"", "\"1,5\"", "\"NaN\"", "true", "1e25"] {
        assert!(read(bad).is_err(), "{bad} must be refused");
    }
    let _: Value = json!({});
}

#[test]
fn what_has_no_weight_is_not_missed() {
    let mut idle = leaf("b", "none");
    idle["weight"] = json!(0);
    let framework =
        framework_with(json!({"missing": "block"}), group("r", "arithmetic", vec![leaf("a", "none"), idle]));
    assert_eq!(score_of(&run(&framework, &input(&[("u", "a", "0.5")])), "u"), half());
}

#[test]
fn the_figure_observed_is_told_beside_what_counts_of_it() {
    let mut cut = leaf("a", "min_max");
    cut["truncate"] = json!({"lo": 2, "hi": 8});
    let run = run(&framework(cut), &input(&[("u", "a", "1"), ("v", "a", "9")]));
    let tree = run.explain("v").unwrap();
    assert_eq!((tree.raw, tree.counted), (Some(fixed("9")), Some(fixed("8"))));
    assert_eq!(tree.bounds.map(|bounds| (bounds.lo, bounds.hi)), Some((fixed("2"), fixed("8"))));
    let plain = super::run(&framework(leaf("a", "none")), &input(&[("u", "a", "0.5")])).explain("u").unwrap();
    assert_eq!(plain.bounds, None, "it counts as it is");
}

#[test]
fn too_many_scores_are_refused_and_ties_of_hundreds_are_named_in_part() {
    let children: Vec<Value> = (0..400).map(|n| leaf(&format!("l{n}"), "none")).collect();
    let framework = framework(group("r", "arithmetic", children));
    let codes: Vec<String> = (0..400).map(|n| format!("u{n:03}")).collect();
    let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
    let input = |count: usize| Input { units: units(&codes[..count]), ..Input::default() };
    let Err(Refusal::Input(faults)) = score(&framework, &input(400)) else { panic!("160,400 scores") };
    assert_eq!(faults[0].code, InputFaultCode::TooManyScores);
    let zero = framework_with(json!({"missing": "zero"}), leaf("a", "none"));
    let items = run(&zero, &input(300)).scores();
    assert!(items.iter().all(|item| item.rank == Some(1) && item.tied_with.len() == 50));
}
