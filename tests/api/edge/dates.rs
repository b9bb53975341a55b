//! Days that no calendar of the province has: refused before the database is queried.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Value, json};

use crate::description::{document, operations};
use crate::input::{Callers, path_of, prepared};
use crate::support::{Answer, TestService};

const DAYS: [&str; 6] =
    ["-262143-01-01", "+262142-12-31", "0000-01-01", "1899-12-31", "2200-01-01", "9999-12-31"];

#[track_caller]
fn assert_refused_here(answer: &Answer, what: &str) {
    assert!(answer.status.is_client_error(), "{what}: {} {}", answer.status, answer.text());
    assert!(!answer.text().contains("VALUE_OUT_OF_RANGE"), "{what}: the database had to refuse it");
}

#[actix_web::test]
async fn a_day_that_cannot_be_meant_is_refused_in_every_parameter() {
    let service = TestService::start().await;
    let callers = Callers::of(&service).await;
    let mut walked = 0;
    for operation in operations(&document()) {
        for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
            let format = parameter["schema"]["format"].as_str().unwrap_or_default();
            if parameter["in"] != "query" || !["date", "date-time"].contains(&format) {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            for day in DAYS {
                let value = if format == "date" { day.to_owned() } else { format!("{day}T00:00:00Z") };
                let value = value.replace('+', "%2B");
                let period = if operation.path.contains("/dossier-rates") { "&period=2018-02" } else { "" };
                let path = format!("{}?{name}={value}{period}", path_of(&operation));
                let token = callers.of_operation(&operation);
                let answer = prepared(&service, &operation, &path, token).send().await;
                assert_refused_here(&answer, &path);
                walked += 1;
            }
        }
    }
    assert!(walked >= 6 * 5, "{walked} requests");
}

/// Spellings of a kind of day: what is never meant, and the first and last that may be.
struct Kind {
    spelt: Regex,
    refused: &'static [&'static str],
    allowed: [&'static str; 2],
}

fn kinds() -> [Kind; 4] {
    let kind = |spelt: &str, refused, allowed| Kind {
        spelt: Regex::new(&format!("^{spelt}$")).unwrap(),
        refused,
        allowed,
    };
    [
        kind(r"\d{4}-\d{2}-\d{2}", &DAYS, ["1900-01-01", "2199-12-31"]),
        kind(r"\d{4}-\d{2}", &["1899-12", "2200-01", "0000-01", "2018-13"], ["1900-01", "2199-12"]),
        kind(r"\d{4}-Q\d", &["1899-Q4", "2200-Q1", "0000-Q1", "2018-Q5"], ["1900-Q1", "2199-Q4"]),
        kind(
            r"\d{4}-\d{2}-\d{2}T.*",
            &["1899-12-31T00:00:00Z"],
            ["1900-01-01T00:00:00Z", "2199-12-31T00:00:00Z"],
        ),
    ]
}

/// Every day, month and quarter of every body, one at a time: the first and the last that may be meant, and those that may not.
#[actix_web::test]
async fn a_day_that_cannot_be_meant_is_refused_in_every_body() {
    let service = TestService::start().await;
    let callers = Callers::of(&service).await;
    let (document, kinds, mut fields) = (document(), kinds(), BTreeSet::new());
    for operation in operations(&document) {
        let name = format!("{} {}", operation.method, operation.path);
        let schema = &operation.value["requestBody"]["content"]["application/json"]["schema"];
        for body in samples(&document, schema, 0) {
            for (pointer, kind) in days_of(&body, &kinds) {
                let send = async |day: &str| {
                    let mut body = body.clone();
                    *body.pointer_mut(&pointer).unwrap() = json!(day);
                    let call = prepared(
                        &service,
                        &operation,
                        &path_of(&operation),
                        callers.of_operation(&operation),
                    );
                    call.json(&body).send().await
                };
                for day in kind.refused {
                    let answer = send(day).await;
                    let what = format!("{name} {pointer} {day}");
                    assert_refused_here(&answer, &what);
                    assert!(is_named(&answer, &pointer), "{what}: {}", answer.text());
                }
                for day in kind.allowed {
                    let answer = send(day).await;
                    let text = answer.text();
                    // A refusal is of something else; a success repeats the day.
                    let blames_the_day =
                        ["VALUE_OUT_OF_RANGE", "1900"].iter().any(|fault| text.contains(fault));
                    let fits = answer.status.is_success() || answer.status.as_u16() < 500 && !blames_the_day;
                    assert!(fits, "{name} {pointer} {day}: {} {text}", answer.status);
                }
                fields.insert(format!("{name} {pointer}"));
            }
        }
    }
    assert_eq!(fields.len(), 20, "{fields:#?}");
}

fn is_named(answer: &Answer, pointer: &str) -> bool {
    let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().any(|error| error["pointer"] == pointer)
}

/// No body has a day further down.
const DEEPEST: usize = 8;

/// Bodies with every member of the schema, one for each of its alternatives.
fn samples(document: &Value, schema: &Value, depth: usize) -> Vec<Value> {
    // Schemas may hold themselves.
    if depth > DEEPEST {
        return Vec::new();
    }
    let below = |schema: &Value| samples(document, schema, depth + 1);
    let schema = resolved(document, schema);
    if let Some(example) = schema.get("example").or(schema["examples"].get(0)).filter(|e| !e.is_object()) {
        return vec![example.clone()];
    }
    for several in ["oneOf", "anyOf"] {
        if let Some(alternatives) = schema[several].as_array() {
            return alternatives.iter().filter(|s| s["type"] != "null").flat_map(below).collect();
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let members = parts.iter().flat_map(below).filter_map(|part| match part {
            Value::Object(members) => Some(members),
            _ => None,
        });
        return vec![Value::Object(members.flatten().collect())];
    }
    if let Some(properties) = schema["properties"].as_object() {
        let member = |(name, property): (&String, &Value)| {
            below(property).first().map(|value| (name.clone(), value.clone()))
        };
        return vec![Value::Object(properties.iter().filter_map(member).collect())];
    }
    let types = &schema["type"];
    let is = |name: &str| types == name || types.as_array().is_some_and(|all| all.contains(&json!(name)));
    let value = match () {
        () if schema["enum"].is_array() => schema["enum"][0].clone(),
        () if schema["format"] == "date" => json!("2018-01-31"),
        () if schema["format"] == "date-time" => json!("2018-01-31T00:00:00Z"),
        () if schema["format"] == "uuid" => json!("01890000-0000-7000-8000-000000000000"),
        () if is("array") => json!(below(&schema["items"])),
        () if is("integer") || is("number") => json!(1),
        () if is("boolean") => json!(true),
        () if is("string") => json!("x"),
        () if is("object") => json!({}),
        () => return Vec::new(),
    };
    vec![value]
}

/// Where in the value days stand, and of which kind.
fn days_of<'k>(value: &Value, kinds: &'k [Kind]) -> Vec<(String, &'k Kind)> {
    let below = |key: String, value: &Value| -> Vec<(String, &'k Kind)> {
        days_of(value, kinds).into_iter().map(|(rest, kind)| (format!("/{key}{rest}"), kind)).collect()
    };
    match value {
        Value::String(text) => kinds
            .iter()
            .find(|kind| kind.spelt.is_match(text))
            .map(|kind| (String::new(), kind))
            .into_iter()
            .collect(),
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(at, item)| below(at.to_string(), item)).collect()
        }
        Value::Object(members) => {
            members.iter().flat_map(|(name, member)| below(name.clone(), member)).collect()
        }
        _ => Vec::new(),
    }
}

fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(target) => document.pointer(target.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}
