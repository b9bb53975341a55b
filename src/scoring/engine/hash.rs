//! What a run was computed from, in 32 bytes: equal for equal inputs in whatever order they came.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::framework::Framework;
use super::input::Input;

/// Changes whenever the same input could give another result.
pub const ENGINE_VERSION: &str = "1";

/// SHA-256, in hexadecimal, over the canonical JSON of engine version, framework and input.
pub fn input_hash(framework: &Framework, input: &Input) -> serde_json::Result<String> {
    let document = json!({
        "engine": ENGINE_VERSION,
        "framework": serde_json::to_value(framework)?,
        "input": serde_json::to_value(input)?,
    });
    let mut text = String::new();
    write_canonical(&document, "", &mut text);
    Ok(Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Keys in order, no blanks; lists that are sets in the order of their canonical members. Numbers are already in their
/// one spelling, as `Fixed` writes them.
fn write_canonical(value: &Value, key: &str, out: &mut String) {
    match value {
        Value::Object(fields) => write_object(fields, out),
        Value::Array(members) => {
            let mut written: Vec<String> = members.iter().map(canonical).collect();
            if is_set(key) {
                written.sort_unstable();
            }
            out.push('[');
            out.push_str(&written.join(","));
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, "", &mut text);
    text
}

fn is_set(key: &str) -> bool {
    matches!(key, "children" | "of" | "applies_to" | "units" | "observations")
}

fn write_object(fields: &Map<String, Value>, out: &mut String) {
    let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    out.push('{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&Value::from(key.as_str()).to_string());
        out.push(':');
        write_canonical(value, key, out);
    }
    out.push('}');
}
