//! Days that no calendar of the province has: refused before the database is queried.

use regex::Regex;
use serde_json::Value;

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

/// The example of each body with every day in it moved out of the calendar, one at a time.
#[actix_web::test]
async fn a_day_that_cannot_be_meant_is_refused_in_every_body() {
    let service = TestService::start().await;
    let callers = Callers::of(&service).await;
    let a_day = Regex::new(r#""\d{4}-\d{2}-\d{2}""#).unwrap();
    let (document, mut walked) = (document(), 0);
    for operation in operations(&document) {
        let content = &operation.value["requestBody"]["content"]["application/json"];
        let schema = resolved(&document, &content["schema"]);
        let example = if content["example"].is_null() { &schema["example"] } else { &content["example"] };
        let mut example = example.clone();
        // Days that the example leaves out.
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if property["format"] == "date" && example.is_object() {
                example[name.as_str()] = "2018-01-31".into();
            }
        }
        let text = example.to_string();
        for found in a_day.find_iter(&text) {
            for day in DAYS {
                let body = format!("{}\"{day}\"{}", &text[..found.start()], &text[found.end()..]);
                let token = callers.of_operation(&operation);
                let call = prepared(&service, &operation, &path_of(&operation), token);
                let answer = call.raw("application/json", body.clone()).send().await;
                assert_refused_here(&answer, &format!("{} {} {body}", operation.method, operation.path));
                walked += 1;
            }
        }
    }
    assert!(walked >= DAYS.len(), "{walked} requests");
}

fn resolved<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(target) => document.pointer(target.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}
