//! What the engine promises, on published figures and on generated worlds.

mod edges;
mod faults;
mod properties;
mod published;
mod simulations;
mod warnings;
mod work;
mod world;

use serde_json::{Value, json};

use super::fixed::Fixed;
use super::framework::Framework;
use super::input::{Input, Observation, Unit};
use super::score::{Run, score};

pub fn fixed(text: &str) -> Fixed {
    text.parse().unwrap()
}

/// Within 6 in the fifth place: published figures have four decimals, of inputs with four decimals.
pub fn close(a: &Fixed, b: &Fixed) -> bool {
    (a - b).abs() <= fixed("0.00006")
}

pub fn framework(root: Value) -> Framework {
    framework_with(json!({}), root)
}

pub fn framework_with(extra: Value, root: Value) -> Framework {
    let mut document = json!({
        "code": "t", "name": "Test", "unit_type": "province", "status": "assumed",
        "rank": {"decimals": 3, "ties": "competition"}, "missing": "exclude_and_reweight", "root": root
    });
    for (key, value) in extra.as_object().unwrap() {
        document[key] = value.clone();
    }
    serde_json::from_str(&numbered(document).to_string()).unwrap()
}

/// Figures are written as text in the tests, so that no digit is lost on the way, and read as numbers.
fn numbered(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let named = |key: &str| matches!(key, "code" | "name");
            fields
                .into_iter()
                .map(|(key, v)| if named(&key) { (key, v) } else { (key, numbered(v)) })
                .collect()
        }
        Value::Array(items) => items.into_iter().map(numbered).collect(),
        Value::String(text) if text.parse::<Fixed>().is_ok() => serde_json::from_str(&text).unwrap(),
        other => other,
    }
}

pub fn leaf(code: &str, method: &str) -> Value {
    json!({"code": code, "name": code, "weight": 1, "direction": 1, "normalise": {"method": method}})
}

pub fn group(code: &str, aggregate: &str, children: Vec<Value>) -> Value {
    json!({"code": code, "name": code, "weight": 1, "aggregate": aggregate, "children": children})
}

pub fn units(codes: &[&str]) -> Vec<Unit> {
    codes.iter().map(|code| Unit { code: (*code).to_owned(), ..Unit::default() }).collect()
}

/// Rows of `(unit, indicator, value)`.
pub fn input(rows: &[(&str, &str, &str)]) -> Input {
    let mut codes: Vec<&str> = rows.iter().map(|(unit, _, _)| *unit).collect();
    codes.sort_unstable();
    codes.dedup();
    let observations =
        rows.iter().map(|(unit, code, value)| Observation::value(unit, code, fixed(value))).collect();
    Input { units: units(&codes), observations, frontier: None }
}

pub fn run(framework: &Framework, input: &Input) -> Run {
    score(framework, input).unwrap()
}

pub fn score_of(run: &Run, unit: &str) -> Option<Fixed> {
    run.unit(unit).unwrap().cells[0].score().cloned()
}

pub fn rank_of(run: &Run, unit: &str) -> Option<usize> {
    run.unit(unit).unwrap().ranks[0]
}

/// Rows of a simple CSV (no quoted fields), by column name.
pub fn table(text: &str) -> Vec<std::collections::HashMap<&str, &str>> {
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().trim_start_matches('\u{feff}').split(',').collect();
    lines.map(|line| header.iter().copied().zip(line.split(',')).collect()).collect()
}
