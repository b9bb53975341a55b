//! Filters, formats, sorts and counts: no parameter brings a foreign word to light, with both walls and with the first alone.

use ict_index::auth::Role;
use serde_json::Value;

use super::cases::cases;
use super::keeps_quiet;
use super::world::World;
use crate::description::{Operation, document, operations};
use crate::support::TestService;

/// What an officer would look for who wants to know of another agency.
fn values(parameter: &Value, document: &Value) -> Vec<String> {
    let named = |schema: &Value| {
        let all = schema["enum"].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let schema = &parameter["schema"];
    let referred = schema["$ref"].as_str().and_then(|at| document.pointer(at.trim_start_matches('#')));
    let one = |text: &str| vec![text.to_owned()];
    match parameter["name"].as_str().unwrap() {
        "agency" | "lead" | "coordinator" | "source" => one("SO-TTTT"),
        "q" => one("CANARY"),
        "state" => ["draft", "submitted", "returned", "accepted", "locked"].map(str::to_owned).to_vec(),
        "count" => one("exact"),
        "limit" => one("200"),
        "group_by" => one("agency"),
        "sort" => ["-updated_at", "-period", "-at", "-code", "-month"].map(str::to_owned).to_vec(),
        _ => named(referred.unwrap_or(schema)),
    }
}

async fn look(world: &World) -> usize {
    let (document, mut asked) = (document(), 0);
    let open = |operation: &Operation| {
        operation.method == "GET"
            && operation.permission().unwrap().is_some_and(|p| p.roles().contains(&Role::Officer))
    };
    for operation in operations(&document).into_iter().filter(open) {
        for case in cases(&operation) {
            let (path, _) = world.request(&operation, &case, "officer").await;
            let sign = if path.contains('?') { '&' } else { '?' };
            for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
                if parameter["in"] != "query" {
                    continue;
                }
                for value in values(parameter, &document) {
                    let name = parameter["name"].as_str().unwrap();
                    let call = world.service.get(&format!("{path}{sign}{name}={value}"));
                    let answer = call.as_(&world.tokens["officer"]).send().await;
                    assert!(answer.status.as_u16() < 500, "{path}{sign}{name}={value}: {}", answer.text());
                    keeps_quiet(&answer, &operation, "officer");
                    asked += 1;
                }
            }
        }
    }
    asked
}

#[actix_web::test]
async fn no_parameter_brings_anything_foreign() {
    for service in [TestService::start().await, TestService::start_without_wall().await] {
        let world = World::of(service).await;
        for agency in ["SO-YT", "SO-TTTT"] {
            for state in ["draft", "submitted", "returned", "accepted", "locked"] {
                world.submission(agency, state).await;
            }
        }
        let asked = look(&world).await;
        assert!(asked > 150, "{asked} questions: the walk must see the parameters");
    }
}
