//! The description of the API: committed, complete, and the decisions on access that stand in it.

use std::collections::BTreeMap;

use ict_index::app;
use ict_index::auth::{ClientScope, Permission};
use serde_json::{Value, json};

/// One operation of the description.
#[derive(Clone, Debug)]
pub struct Operation {
    pub method: String,
    pub path: String,
    pub value: Value,
}

impl Operation {
    /// What a caller needs: `Ok(None)` for a public endpoint, `Err` when nobody decided.
    pub fn permission(&self) -> Result<Option<Permission>, String> {
        let name = format!("{} {}", self.method, self.path);
        let security = self.value["security"].as_array().ok_or(format!("{name}: no decision on access"))?;
        if *security == [json!({})] {
            return Ok(None);
        }
        let text = security
            .iter()
            .find_map(|s| s["bearer"][0].as_str())
            .ok_or(format!("{name}: no bearer permission"))?;
        let permission = Permission::ALL.iter().find(|p| p.as_str() == text);
        permission.copied().map(Some).ok_or(format!("{name}: {text} is no permission"))
    }

    /// Machine scopes that are documented to open it.
    pub fn scopes(&self) -> Vec<&str> {
        let security = self.value["security"].as_array().into_iter().flatten();
        security.filter_map(|s| s["oauth2"][0].as_str()).collect()
    }

    pub fn has_path_parameters(&self) -> bool {
        self.path.contains('{')
    }
}

pub fn document() -> Value {
    serde_json::from_str(app::description().unwrap().text()).unwrap()
}

pub fn operations(document: &Value) -> Vec<Operation> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, value) in item.as_object().unwrap() {
            all.push(Operation { method: method.to_uppercase(), path: path.clone(), value: value.clone() });
        }
    }
    all
}

/// Operations whose access nobody decided, or whose documented machine scopes are not those of the permission.
fn undecided(document: &Value) -> Vec<String> {
    operations(document)
        .iter()
        .filter_map(|operation| match operation.permission() {
            Err(fault) => Some(fault),
            Ok(None) => None,
            Ok(Some(permission)) => {
                let granted: Vec<&str> = permission.client_scopes().iter().map(|s| s.as_str()).collect();
                (granted != operation.scopes()).then(|| {
                    format!(
                        "{} {}: documented scopes differ from {granted:?}",
                        operation.method, operation.path
                    )
                })
            }
        })
        .collect()
}

#[test]
fn the_committed_description_is_the_served_one() {
    let committed = std::fs::read_to_string("openapi/openapi.json").unwrap_or_default();
    assert!(
        committed == app::description().unwrap().text(),
        "openapi/openapi.json is old: run `make openapi` and commit it"
    );
}

#[test]
fn every_operation_has_a_decision_on_access() {
    assert_eq!(undecided(&document()), [] as [String; 0]);
}

#[test]
fn a_planted_route_without_a_decision_is_found() {
    let mut planted = document();
    planted["paths"]["/api/v1/planted"] = json!({"get": {"responses": {}}});
    planted["paths"]["/api/v1/weakened"] = json!({"get": {"security": [{"bearer": ["nothing:read"]}]}});
    planted["paths"]["/api/v1/widened"] =
        json!({"get": {"security": [{"bearer": ["users:read"]}, {"oauth2": ["statistics:read"]}]}});
    assert_eq!(undecided(&planted).len(), 3);
}

/// `tests/fixtures/authorisation.csv` is read by people: a new operation, or a new permission on one, is a line they see.
#[test]
fn the_reviewed_matrix_lists_every_operation() {
    let reviewed = std::fs::read_to_string("tests/fixtures/authorisation.csv").unwrap_or_default();
    let mut lines: Vec<String> = operations(&document())
        .iter()
        .map(|o| {
            let permission = o.permission().ok().flatten().map_or("public", Permission::as_str);
            let roles = o.permission().ok().flatten().map_or(String::new(), |p| {
                serde_json::to_value(p.roles())
                    .unwrap()
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|r| r.as_str().unwrap())
                    .collect::<Vec<_>>()
                    .join("|")
            });
            format!("{},{},{permission},{roles},{}", o.method, o.path, o.scopes().join("|"))
        })
        .collect();
    lines.sort();
    let now = format!("method,path,permission,roles,client_scopes\n{}\n", lines.join("\n"));
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write("tests/fixtures/authorisation.csv", &now).unwrap();
        return;
    }
    assert!(
        reviewed == now,
        "tests/fixtures/authorisation.csv differs: review the change, then UPDATE_FIXTURES=1 make test\n{now}"
    );
}

#[test]
fn operations_are_described_for_people() {
    let mut ids = BTreeMap::new();
    for operation in operations(&document()) {
        let name = format!("{} {}", operation.method, operation.path);
        assert!(operation.value["summary"].as_str().is_some_and(|s| !s.is_empty()), "{name} has no summary");
        assert!(operation.value["tags"][0].is_string(), "{name} has no tag");
        let id = operation.value["operationId"].as_str().unwrap().to_owned();
        assert_eq!(ids.insert(id.clone(), name), None, "operationId {id} occurs twice");
        for (status, response) in operation.value["responses"].as_object().unwrap() {
            assert!(response["description"].as_str().is_some_and(|d| !d.is_empty()), "{id} {status}");
        }
        for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["schema"].is_object(), "{id}: {} has no schema", parameter["name"]);
        }
    }
    assert!(ids.len() > 30, "the walk must see the operations");
}

/// Found by schemathesis: an answer that extends a schema without further members was off its own description.
#[test]
fn no_schema_without_further_members_is_extended() {
    let document = document();
    let mut stack = vec![&document["components"]["schemas"], &document["paths"]];
    let mut extended = 0;
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(map) => {
                for part in map.get("allOf").and_then(Value::as_array).into_iter().flatten() {
                    let target = part["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
                    let schema = target.map_or(part, |target| document.pointer(target).unwrap());
                    assert_ne!(schema["additionalProperties"], false, "{value}");
                    extended += 1;
                }
                stack.extend(map.values());
            }
            Value::Array(items) => stack.extend(items),
            _ => {}
        }
    }
    assert!(extended > 3, "the test must see schemas that extend others");
}

#[test]
fn references_lead_somewhere() {
    let document = document();
    let mut stack = vec![&document];
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(target)) = map.get("$ref") {
                    let pointer = target.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{target} is not there");
                }
                stack.extend(map.values());
            }
            Value::Array(items) => stack.extend(items),
            _ => {}
        }
    }
    let scopes = &document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["scopes"];
    assert_eq!(scopes.as_object().unwrap().len(), ClientScope::ALL.len());
}

/// Every object's `properties` in the document, with the way to it.
fn properties<'d>(value: &'d Value, at: &str, found: &mut Vec<(String, &'d Value)>) {
    match value {
        Value::Object(map) => {
            for (name, property) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
                found.push((format!("{at}.{name}"), property));
            }
            map.iter().for_each(|(key, member)| properties(member, &format!("{at}/{key}"), found));
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, at, found)),
        _ => {}
    }
}

fn is_described(schema: &Value, document: &Value) -> bool {
    let of_reference =
        schema["$ref"].as_str().map(|target| &document.pointer(&target[1..]).unwrap()["description"]);
    schema["description"].is_string()
        || of_reference.is_some_and(Value::is_string)
        || ["allOf", "anyOf", "oneOf"]
            .iter()
            .filter_map(|keyword| schema[*keyword].as_array())
            .flatten()
            .any(|one| is_described(one, document))
}

#[test]
fn every_parameter_and_property_is_described() {
    let document = document();
    for operation in operations(&document) {
        for parameter in operation.value["parameters"].as_array().into_iter().flatten() {
            let name = format!("{} {}: {}", operation.method, operation.path, parameter["name"]);
            assert!(parameter["description"].as_str().is_some_and(|d| !d.is_empty()), "{name}");
        }
    }
    let mut all = Vec::new();
    properties(&document["components"]["schemas"], "", &mut all);
    properties(&document["paths"], "paths", &mut all);
    let without: Vec<&String> =
        all.iter().filter(|(_, property)| !is_described(property, &document)).map(|(at, _)| at).collect();
    assert!(without.is_empty(), "describe them in the type or in docs/api-fields.csv: {without:#?}");
    assert!(all.len() > 1000, "the walk must see the properties");
}

/// A line that nothing needs any more is a description that no reader sees.
#[test]
fn every_line_of_the_vocabulary_is_used() {
    let text = app::description().unwrap().text().to_owned();
    let mut reader = csv::Reader::from_path("docs/api-fields.csv").unwrap();
    for row in reader.records().map(Result::unwrap) {
        assert!(text.contains(&format!("\"description\": {}", json!(&row[1]))), "{} is not used", &row[0]);
    }
}

/// utoipa keeps one of two types that share a schema's name: clients would get the wrong one.
#[test]
fn no_two_types_share_a_schema_name() {
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for (path, text) in crate::architecture::sources() {
        for declaration in
            text.split("#[derive(").skip(1).filter(|d| d.split(")]").next().unwrap().contains("ToSchema"))
        {
            let head = declaration.split('{').next().unwrap();
            let renamed =
                head.split("#[schema(as = ").nth(1).map(|rest| rest.split([')', ',']).next().unwrap());
            let Some(declared) =
                head.split(['\n', ' ']).skip_while(|w| !["struct", "enum"].contains(w)).nth(1)
            else {
                continue;
            };
            let declared = declared.split(['<', '(', ';']).next().unwrap();
            // Types that a macro declares are named where it is used.
            if declared.starts_with('$') {
                continue;
            }
            let name = renamed.unwrap_or(declared).to_owned();
            let here = format!("{}: {declared}", path.display());
            assert_eq!(names.insert(name.clone(), here), None, "{name} is declared twice");
        }
    }
    assert!(names.len() > 150, "the test must see the types: {}", names.len());
}
