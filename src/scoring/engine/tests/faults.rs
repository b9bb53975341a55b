//! Every fault of a framework is named, all at once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::faults::FaultCode::{self, *};
use super::super::framework::Framework;
use super::super::validate::validate;
use super::{framework, framework_with, group, leaf};

fn faults(framework: &Framework) -> Vec<(FaultCode, String)> {
    let mut found: Vec<_> =
        validate(framework, None).faults.into_iter().map(|f| (f.code, f.pointer)).collect();
    found.sort();
    found
}

fn only(root: Value, code: FaultCode, pointer: &str) {
    assert_eq!(faults(&framework(root)), [(code, pointer.to_owned())]);
}

fn with(field: &str, value: Value) -> Value {
    let mut leaf = leaf("a", "min_max");
    leaf[field] = value;
    leaf
}

fn points(points: Value) -> Value {
    json!({"code": "a", "name": "a", "max_points": 10, "points": points})
}

#[test]
fn single_faults() {
    only(with("weight", json!(-1)), WeightNegative, "/root/weight");
    only(json!({"code": "a", "name": "a"}), MethodMissing, "/root/normalise");
    only(
        with("normalise", json!({"method": "goalposts", "lo": 5, "hi": 5})),
        GoalpostsReversed,
        "/root/normalise",
    );
    only(with("normalise", json!({"method": "goalposts", "lo": 5})), GoalpostsMissing, "/root/normalise");
    only(with("normalise", json!({"method": "min_max", "lo": 5})), BoundsUnused, "/root/normalise");
    only(
        with("normalise", json!({"method": "min_max", "scale": [1, 0]})),
        ScaleReversed,
        "/root/normalise/scale",
    );
    only(with("truncate", json!({"lo": 2, "hi": 1})), TruncateReversed, "/root/truncate");
    only(with("max_points", json!(0)), MaxPointsNotPositive, "/root/max_points");
    only(with("per", json!(0)), PerNotPositive, "/root/per");
    only(with("applies_to", json!([])), AppliesToEmpty, "/root/applies_to");
    only(with("renormalise", json!("min_max")), NodeAndLeaf, "/root");
    only(with("points", json!({"kind": "information"})), MethodAndPoints, "/root/normalise");
    only(json!({"code": "a", "name": "a", "points": {"kind": "yes_no"}}), MaxPointsMissing, "/root/points");
    only(points(json!({"kind": "yes_no", "full": 3})), PointsParameter, "/root/points/full");
    only(points(json!({"kind": "steps"})), StepsMissing, "/root/points/steps");
    let unordered = json!([{"from": 2, "points": 1}, {"from": 1, "points": 2}]);
    only(points(json!({"kind": "steps", "steps": unordered})), StepsUnordered, "/root/points/steps/1/from");
    let beyond = json!([{"from": 2, "points": 11}]);
    only(points(json!({"kind": "steps", "steps": beyond})), StepsOutOfRange, "/root/points/steps/0/points");
    only(points(json!({"kind": "best_of"})), AlternativesMissing, "/root/points");
    only(group("r", "arithmetic", vec![]), NodeEmpty, "/root/children");
    only(json!({"code": "r", "name": "r", "aggregate": "sum"}), NodeEmpty, "/root/children");
    only(
        group("r", "sum", vec![leaf("a", "none"), leaf("a", "none")]),
        CodeDuplicate,
        "/root/children/1/code",
    );
    only(group("r", "sum", vec![leaf("r", "none")]), CodeCycle, "/root/children/0/code");
}

#[test]
fn weights_and_points_must_add_up() {
    let mut root = group("r", "arithmetic", vec![with("weight", json!(0))]);
    only(root.clone(), WeightsAllZero, "/root/children");
    root["children"][0]["weight"] = json!(999.5);
    root["weight_total"] = json!(1000);
    let report = validate(&framework(root), None);
    let fault = &report.faults[0];
    assert_eq!(
        (fault.code, fault.params["expected"].as_str(), fault.params["found"].as_str()),
        (WeightsTotal, "1000", "999.5")
    );
    let mut sum = group("r", "sum", vec![with("max_points", json!(9))]);
    sum["max_points"] = json!(10);
    only(sum, MaxPointsTotal, "/root/max_points");
}

#[test]
fn limits_of_size() {
    let deep = (0..8).fold(leaf("a", "none"), |below, n| group(&format!("g{n}"), "sum", vec![below]));
    assert_eq!(faults(&framework(deep))[0].0, TooDeep);
    let allowed = (0..7).fold(leaf("a", "none"), |below, n| group(&format!("g{n}"), "sum", vec![below]));
    assert_eq!(faults(&framework(allowed)), []);
    let leaves = (0..501).map(|n| leaf(&format!("l{n}"), "none")).collect();
    only(group("r", "sum", leaves), TooManyLeaves, "/root");
}

#[test]
fn all_at_once() {
    let mut bad = with("normalise", json!({"method": "goalposts", "lo": 9, "hi": 1, "scale": [1, 1]}));
    bad["weight"] = json!(-2);
    let other = json!({"code": "", "name": " "});
    let rank = json!({"rank": {"decimals": 11, "ties": "dense"}});
    let found = faults(&framework_with(rank, group("r", "sum", vec![bad, other])));
    let codes: Vec<FaultCode> = found.into_iter().map(|(code, _)| code).collect();
    let wanted = [
        CodeInvalid,
        NameEmpty,
        WeightNegative,
        MethodMissing,
        GoalpostsReversed,
        ScaleReversed,
        RankDecimals,
    ];
    assert_eq!(codes, wanted);
}

#[test]
fn indicators_must_be_known_where_a_list_is_given() {
    let framework = framework(group("r", "sum", vec![leaf("a", "none"), leaf("b", "none")]));
    let known = BTreeSet::from(["a".to_owned()]);
    let report = validate(&framework, Some(&known));
    assert_eq!(report.faults[0].code, IndicatorUnknown);
    assert_eq!(report.faults[0].pointer, "/root/children/1/code");
}

#[test]
fn a_possible_zero_under_a_geometric_mean_is_a_warning() {
    let report = validate(&framework(group("r", "geometric", vec![leaf("a", "min_max")])), None);
    assert!(report.is_sound());
    assert_eq!(report.warnings[0].code, ZeroUnderMean);
}

#[test]
fn unknown_fields_are_refused() {
    let mut document = serde_json::to_value(framework(leaf("a", "none"))).unwrap();
    document["root"]["colour"] = json!("red");
    assert!(serde_json::from_value::<Framework>(document).is_err());
}
