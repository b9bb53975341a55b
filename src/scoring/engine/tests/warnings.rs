//! What deserves a second look is named, with whose it is and where.

use serde_json::{Value, json};

use super::super::faults::FaultCode;
use super::super::fixed::Fixed;
use super::super::framework::Framework;
use super::super::input::{Input, Observation};
use super::super::validate::validate;
use super::super::warnings::WarningKind;
use super::super::whatif::{FrontierMode, Substitution, simulate};
use super::super::work::Cancellation;
use super::{fixed, framework, framework_with, group, input, leaf, run, score_of, units};

fn named(units: &[&str], nodes: &[&str]) -> Vec<(Vec<String>, Vec<String>)> {
    let owned = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
    if units.is_empty() { Vec::new() } else { vec![(owned(units), owned(nodes))] }
}

#[test]
fn what_made_a_mean_zero_is_told_from_what_cannot_be_in_it() {
    for aggregate in ["geometric", "harmonic"] {
        let mut idle = leaf("c", "none");
        idle["weight"] = json!(0);
        let framework = framework(group("r", aggregate, vec![leaf("a", "none"), leaf("b", "none"), idle]));
        let rows = [
            ("u", "a", "0"),
            ("u", "b", "9"),
            ("v", "a", "-4"),
            ("v", "b", "9"),
            ("w", "a", "1"),
            ("w", "c", "-1"),
        ];
        let run = run(&framework, &input(&rows));
        assert_eq!(run.doubtful(WarningKind::ZeroUnderMean), named(&["u"], &["r"]), "{aggregate}");
        assert_eq!(run.doubtful(WarningKind::NegativeUnderMean), named(&["v"], &["r"]), "{aggregate}");
    }
}

#[test]
fn only_what_has_weight_can_make_a_mean_zero() {
    let mut idle = leaf("b", "none");
    idle["weight"] = json!(0);
    let report = validate(&framework(group("r", "geometric", vec![leaf("a", "none"), idle])), None);
    let warned: Vec<(FaultCode, &str)> =
        report.warnings.iter().map(|w| (w.code, w.pointer.as_str())).collect();
    assert_eq!(warned, [(FaultCode::ZeroUnderMean, "/root/children/0")]);
}

fn points(code: &str, kind: Value) -> Value {
    json!({"code": code, "name": code, "max_points": 10, "points": kind})
}

fn rules() -> Framework {
    let best_of = json!({"kind": "best_of", "of": [
        {"code": "f1", "name": "f1", "points": {"kind": "ratio"}},
        {"code": "f2", "name": "f2", "points": {"kind": "yes_no"}}]});
    framework(group(
        "r",
        "sum",
        vec![
            points("a", json!({"kind": "ratio", "full": 100})),
            points("b", json!({"kind": "yes_no"})),
            points("c", json!({"kind": "capped_count", "each": 5})),
            points("d", json!({"kind": "deduction"})),
            points("e", json!({"kind": "awarded"})),
            points("f", best_of),
            points("g", json!({"kind": "steps", "steps": [{"from": 1, "points": 10}]})),
        ],
    ))
}

#[test]
fn figures_that_a_rule_of_points_does_not_take_are_named() {
    let fine = [
        ("a", "99"),
        ("a", "100"),
        ("b", "1"),
        ("c", "7"),
        ("d", "3"),
        ("e", "10"),
        ("f1", "1"),
        ("f2", "0"),
        ("g", "-5"),
    ];
    let bad = [
        ("a", "100.5"),
        ("a", "-1"),
        ("b", "2"),
        ("c", "-1"),
        ("d", "-1"),
        ("e", "11"),
        ("f1", "1.2"),
        ("f2", "3"),
    ];
    for (code, figure) in fine {
        let run = run(&rules(), &input(&[("u", code, figure)]));
        assert_eq!(run.doubtful(WarningKind::OutOfRange), named(&[], &[]), "{code} = {figure}");
    }
    for (code, figure) in bad {
        let run = run(&rules(), &input(&[("u", code, figure), ("v", "b", "1")]));
        let node = &code[..1];
        assert_eq!(run.doubtful(WarningKind::OutOfRange), named(&["u"], &[node]), "{code} = {figure}");
    }
    let share = Observation {
        unit: "u".into(),
        indicator: "f1".into(),
        value: None,
        numerator: Some(fixed("12")),
        denominator: Some(fixed("10")),
    };
    let run = run(&rules(), &Input { units: units(&["u"]), observations: vec![share], frontier: None });
    assert_eq!(run.doubtful(WarningKind::OutOfRange), named(&["u"], &["f"]), "12 of 10");
}

#[test]
fn nothing_is_lost_below_a_maximum_that_is_none() {
    let endless = framework(group("r", "arithmetic", vec![leaf("a", "none"), leaf("b", "none")]));
    let run =
        run(&endless, &input(&[("u", "a", "40"), ("u", "b", "0.25"), ("v", "a", "0.5"), ("v", "b", "0.25")]));
    assert_eq!(run.doubtful(WarningKind::AboveMaximum), named(&["u"], &["a"]));
    let lost = |unit: &str| {
        let tree = run.explain(unit).unwrap();
        (tree.lost.clone(), tree.children.iter().map(|leaf| leaf.lost.clone()).collect::<Vec<_>>())
    };
    assert_eq!(lost("u"), (None, vec![None, Some(fixed("0.375"))]));
    assert_eq!(lost("v"), (Some(fixed("0.625")), vec![Some(fixed("0.25")), Some(fixed("0.375"))]));
    assert!(run.gap_to_target("u", &fixed("50")).unwrap().parts.iter().all(|part| !part.gap.is_negative()));
}

#[test]
fn a_z_score_has_no_end() {
    let run = run(&framework(leaf("a", "z_score")), &input(&[("u", "a", "1"), ("v", "a", "9")]));
    assert_eq!(run.explain("v").unwrap().lost, None);
    assert_eq!(run.doubtful(WarningKind::AboveMaximum), named(&[], &[]));
}

#[test]
fn ratios_need_something_above_zero_to_be_measured_by() {
    let measured = |method: &str, direction: i32, rows: &[(&str, &str, &str)]| {
        let mut ratio = leaf("a", method);
        ratio["direction"] = json!(direction);
        run(&framework(ratio), &input(rows)).ratios_without_measure()
    };
    for method in ["ratio_to_max", "ratio_to_best"] {
        assert_eq!(measured(method, 1, &[("u", "a", "0"), ("v", "a", "-3")]), ["a"], "{method}");
        assert!(measured(method, 1, &[("u", "a", "0"), ("v", "a", "3")]).is_empty(), "{method}");
    }
    assert_eq!(measured("ratio_to_best", -1, &[("u", "a", "0"), ("v", "a", "3")]), ["a"]);
    assert!(measured("min_max", 1, &[("u", "a", "0"), ("v", "a", "0")]).is_empty());
}

/// What a lever promises for going all the way, the simulation gives.
#[test]
fn levers_of_missing_figures_promise_nothing_that_is_not_known() {
    for method in ["min_max", "z_score", "ratio_to_max", "rank"] {
        let framework = framework(group(
            "r",
            "arithmetic",
            vec![leaf("a", "goalposts_of_1"), leaf("b", method)].into_iter().map(bounded).collect(),
        ));
        let alone = run(&framework, &input(&[("u", "a", "0.5")]));
        let lever = alone
            .levers("u", Cancellation::NEVER)
            .unwrap()
            .unwrap()
            .into_iter()
            .find(|lever| lever.indicator == "b")
            .unwrap();
        assert_eq!(
            (lever.best, lever.gain_full, lever.places_full),
            (None, None, None),
            "{method}: nobody has a figure"
        );

        let two = run(&framework, &input(&[("u", "a", "0.5"), ("v", "a", "0.5"), ("v", "b", "8")]));
        let lever = two
            .levers("u", Cancellation::NEVER)
            .unwrap()
            .unwrap()
            .into_iter()
            .find(|lever| lever.indicator == "b")
            .unwrap();
        let best = lever.best.clone().unwrap();
        let change = Substitution { unit: "u".into(), indicator: "b".into(), value: Some(best) };
        let after = simulate(&two, &[change], FrontierMode::Frozen).unwrap().run;
        let gained: Fixed = &score_of(&after, "u").unwrap() - &score_of(&two, "u").unwrap();
        assert_eq!(lever.gain_full, Some(gained), "{method}");
    }
}

fn bounded(mut node: Value) -> Value {
    if node["normalise"]["method"] == "goalposts_of_1" {
        node["normalise"] = json!({"method": "goalposts", "lo": 0, "hi": 1});
    }
    node
}

#[test]
fn each_unit_is_named_with_its_own_indicators() {
    let figures = [("u", "b", "2"), ("v", "b", "2"), ("v", "e", "11"), ("w", "e", "11"), ("w", "b", "1")];
    let found = run(&rules(), &input(&figures)).doubtful(WarningKind::OutOfRange);
    assert_eq!(found, [named(&["u", "v"], &["b"]), named(&["v", "w"], &["e"])].concat());
}

#[test]
fn a_share_above_what_earns_full_points_is_fine_and_above_the_whole_is_not() {
    let mut share = points("a", json!({"kind": "ratio", "full": 60}));
    share["per"] = json!(100);
    let framework = framework(group("r", "sum", vec![share]));
    let doubts =
        |figure: &str| run(&framework, &input(&[("u", "a", figure)])).doubtful(WarningKind::OutOfRange);
    assert_eq!(doubts("68.95"), []);
    assert_eq!(doubts("100.01"), named(&["u"], &["a"]));
}

#[test]
fn a_figure_that_does_not_apply_is_named() {
    let mut asked = leaf("a", "none");
    asked["applies_to"] = json!(["with_procedures"]);
    let framework = framework(group("r", "arithmetic", vec![asked, leaf("b", "none")]));
    let run = run(&framework, &input(&[("u", "a", "1"), ("u", "b", "1"), ("v", "b", "1")]));
    assert_eq!(run.doubtful(WarningKind::NotAsked), named(&["u"], &["a"]));
}

#[test]
fn who_is_alone_is_named() {
    let mut input = input(&[("u", "a", "1"), ("v", "a", "2"), ("w", "a", "3")]);
    input.units[2].peer_group = Some("solo".into());
    let peers = json!({"peers": {"rank": "peer_group"}});
    assert_eq!(run(&framework_with(peers, leaf("a", "min_max")), &input).alone(), ["w"]);
    assert!(run(&framework(leaf("a", "min_max")), &input).alone().is_empty());
}
