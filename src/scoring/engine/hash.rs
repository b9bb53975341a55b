//! What a run was computed from, in 32 bytes: equal for equal inputs in whatever order they came.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::framework::Framework;
use super::input::Input;

/// Changes whenever the same input could give another result.
pub const ENGINE_VERSION: &str = "2";

/// SHA-256, in hexadecimal, over the canonical JSON of engine version, framework and input.
pub fn input_hash(framework: &Framework, input: &Input) -> serde_json::Result<String> {
    let document = json!({
        "engine": ENGINE_VERSION,
        "framework": serde_json::to_value(framework)?,
        "input": serde_json::to_value(input)?,
    });
    let mut text = Vec::new();
    write_canonical(&document, "", &mut text)?;
    Ok(Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Keys in order, no blanks; lists that are sets in the order of their canonical members. Numbers are already in their
/// one spelling, as `Fixed` writes them.
fn write_canonical(value: &Value, key: &str, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match value {
        Value::Object(fields) => write_object(fields, out),
        Value::Array(members) => {
            let mut written: Vec<Vec<u8>> = members.iter().map(canonical).collect::<Result<_, _>>()?;
            if is_set(key) {
                written.sort_unstable();
            }
            out.push(b'[');
            out.extend(written.join(&b','));
            out.push(b']');
            Ok(())
        }
        plain => serde_json::to_writer(out, plain),
    }
}

fn canonical(value: &Value) -> serde_json::Result<Vec<u8>> {
    // Of an observation with a value, about.
    let mut text = Vec::with_capacity(96);
    write_canonical(value, "", &mut text)?;
    Ok(text)
}

fn is_set(key: &str) -> bool {
    matches!(key, "children" | "of" | "applies_to" | "units" | "observations")
}

fn write_object(fields: &Map<String, Value>, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    out.push(b'{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, key)?;
        out.push(b':');
        write_canonical(value, key, out)?;
    }
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scoring::engine::fixed::Fixed;
    use crate::scoring::engine::input::Observation;

    /// What is stored with a run must come out of every later build of the same engine.
    #[test]
    fn the_hash_of_an_input_stays_what_it_was() {
        let framework = serde_json::from_str::<Framework>(
            r#"{"code": "t", "name": "\u0110\u1ec3 \"th\u1eed\"", "unit_type": "province", "status": "official", "missing": "zero",
                "rank": {"decimals": 3, "ties": "dense"}, "root": {"code": "r", "name": "r", "aggregate": "sum", "children": [
                    {"code": "b", "name": "b", "normalise": {"method": "goalposts", "lo": -0.50, "hi": 1e2}},
                    {"code": "a", "name": "a", "max_points": 10, "points": {"kind": "ratio"}}]}}"#,
        )
        .unwrap();
        let observations = vec![
            Observation::value("v", "a", "0.10".parse().unwrap()),
            Observation::value("u", "b", Fixed::one()),
        ];
        let input = Input { units: Vec::new(), observations, frontier: None };
        assert_eq!(
            input_hash(&framework, &input).unwrap(),
            "98290be947569bbf1074485453b8c8b46639a285dccdf419f0bf8a73731a9e02"
        );
    }
}
