use proptest::prelude::*;
use serde_json::json;

use super::*;

fn definitions() -> HashMap<String, Definition> {
    [("P", "percent", true), ("H", "per_100", true), ("K", "kbps_per_head", true), ("S", "score", false)]
        .map(|(code, unit, is_ratio)| (code.to_owned(), Definition { unit: unit.into(), is_ratio }))
        .into()
}

fn entry(indicator: &str, parts: Value) -> Entry {
    let part = |name: &str| parts.get(name).cloned();
    Entry {
        indicator: indicator.into(),
        numerator: part("n"),
        denominator: part("d"),
        value: part("v"),
        note: part("note").and_then(|n| n.as_str().map(str::to_owned)),
    }
}

fn codes(indicator: &str, parts: Value) -> Vec<&'static str> {
    let mut faults = Violations::default();
    check(vec![entry(indicator, parts)], &definitions(), &mut faults);
    faults.into_result().err().map(|p| p.errors).unwrap_or_default().iter().map(|e| e.code.as_str()).collect()
}

#[test]
fn each_kind_takes_its_own_figures() {
    for (indicator, parts, expected) in [
        ("P", json!({"n": 3, "d": 4}), vec![]),
        ("P", json!({"n": 5, "d": 4}), vec!["NUMERATOR_EXCEEDS_DENOMINATOR"]),
        ("H", json!({"n": 150, "d": 100}), vec![]),
        ("H", json!({"n": 1.5, "d": -1}), vec!["NOT_AN_INTEGER", "NEGATIVE"]),
        ("K", json!({"n": 1.5, "d": 2.25}), vec![]),
        ("P", json!({"v": 75}), vec!["NUMERATOR_REQUIRED"]),
        ("P", json!({"n": 3, "d": 4, "v": 75}), vec!["NUMERATOR_REQUIRED"]),
        ("P", json!({"n": 3}), vec!["REQUIRED"]),
        ("P", json!({}), vec!["REQUIRED", "REQUIRED"]),
        ("P", json!({"n": 1, "d": 0}), vec!["ZERO_DENOMINATOR"]),
        ("P", json!({"n": 0, "d": 0}), vec![]),
        ("S", json!({"v": 7.25}), vec![]),
        ("S", json!({"n": 1, "d": 2}), vec!["VALUE_REQUIRED"]),
        ("S", json!({}), vec!["VALUE_REQUIRED"]),
        ("S", json!({"v": "84,1"}), vec!["DECIMAL_COMMA"]),
        ("P", json!({"n": "1.155", "d": "abc"}), vec!["AMBIGUOUS_NUMBER", "NOT_A_NUMBER"]),
        ("P", json!({"n": 1, "d": 2, "note": "x".repeat(2001)}), vec!["INVALID_LENGTH"]),
        ("X", json!({"n": 1, "d": 2}), vec!["UNKNOWN_REFERENCE"]),
    ] {
        assert_eq!(codes(indicator, parts.clone()), expected, "{indicator} {parts}");
    }
}

#[test]
fn rates_are_in_the_unit_and_rounded_half_up() {
    let rate = |unit: &str, n: &str, d: &str| {
        let figure = Figure {
            indicator: "X".into(),
            unit: unit.into(),
            numerator: n.parse().ok(),
            denominator: d.parse().ok(),
            value: None,
            note: None,
        };
        figure.rate().map(|rate| rate.0.to_string())
    };
    assert_eq!(rate("percent", "1", "800").unwrap(), "0.13");
    assert_eq!(rate("percent", "2", "3").unwrap(), "66.67");
    assert_eq!(rate("per_100", "0", "100").unwrap(), "0");
    assert_eq!(rate("ratio", "117", "100").unwrap(), "1.17");
    assert_eq!(rate("percent", "0", "0"), None);
}

proptest! {
    #[test]
    fn a_share_never_exceeds_a_hundred(n in 0i64..100_000, d in 0i64..100_000) {
        let mut faults = Violations::default();
        let figures = check(vec![entry("P", json!({"n": n, "d": d}))], &definitions(), &mut faults);
        prop_assert_eq!(faults.is_empty(), n <= d);
        for rate in figures.iter().filter_map(Figure::rate) {
            prop_assert!(rate.0 <= 100);
        }
    }
}
