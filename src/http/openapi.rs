//! The API's description: what all operations have in common is added once, and what it says is what is enforced.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use actix_web::HttpRequest;
use serde_json::{Value, json};
use utoipa::openapi::OpenApi as Document;

use super::operation_defaults::complete;
use super::response_cache::CachedResponse;
use super::xlsx::XLSX;

/// The finished description, ready to be served and asked.
#[derive(Clone, Debug)]
pub struct Description {
    document: Arc<CachedResponse>,
    text: Arc<str>,
    /// By route template, then by method.
    operations: HashMap<String, HashMap<String, Operation>>,
    response_cached: Vec<ResponseCached>,
}

/// A `GET` whose declaration says `x-response-cache`: its answer depends on path, query, format and generation alone, never on the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseCached {
    /// Without parameters, so that the template is the path.
    pub path: String,
    /// The permission that the operation requires.
    pub permission: String,
}

/// What is enforced of an operation.
#[derive(Clone, Debug)]
pub struct Operation {
    parameters: HashSet<String>,
    other_formats: bool,
}

impl Operation {
    pub fn knows_parameter(&self, name: &str) -> bool {
        self.parameters.contains(name)
    }

    /// It answers in CSV or as a workbook too, and judges `Accept` itself.
    pub fn speaks_other_formats(&self) -> bool {
        self.other_formats
    }
}

impl Description {
    pub fn of(document: &Document) -> Result<Self, String> {
        let mut value = serde_json::to_value(document).map_err(|e| e.to_string())?;
        super::fields::describe(&mut value)?;
        super::vendor_extensions::open(&mut value);
        let mut operations: HashMap<String, HashMap<String, Operation>> = HashMap::new();
        let response_cached = response_cached(&value)?;
        each_operation(&mut value, |path, method, operation| {
            let content = operation.pointer("/responses/200/content");
            let other_formats =
                ["text/csv", XLSX].iter().any(|kind| content.is_some_and(|c| c.get(kind).is_some()));
            let enforced = Operation { parameters: query_parameters(operation), other_formats };
            operations.entry(path.to_owned()).or_default().insert(method.to_ascii_uppercase(), enforced);
            complete(path, method, operation);
        });
        let text = serde_json::to_string_pretty(&value).map_err(|e| e.to_string())? + "\n";
        let document = Arc::new(CachedResponse::json("/openapi.json", text.clone().into()));
        Ok(Self { document, text: text.into(), operations, response_cached })
    }

    /// The operations that opted into the response cache.
    pub fn response_cached(&self) -> &[ResponseCached] {
        &self.response_cached
    }

    /// Whether this is an operation, for the labels of metrics.
    pub fn names(&self, template: &str, method: &str) -> bool {
        self.operations.get(template).is_some_and(|methods| methods.contains_key(method))
    }

    /// The document as text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The document as served at `/openapi.json`.
    pub fn document(&self) -> &CachedResponse {
        &self.document
    }

    /// The operation that a request is for.
    pub fn operation(&self, request: &HttpRequest) -> Option<&Operation> {
        self.operations.get(&request.match_pattern()?)?.get(request.method().as_str())
    }

    /// Methods of the operations at this path, whatever the request's own method.
    pub fn methods_at(&self, path: &str) -> Vec<&str> {
        let mut methods: Vec<&str> = self
            .operations
            .iter()
            .filter(|(template, _)| is_instance(template, path))
            .flat_map(|(_, methods)| methods.keys().map(String::as_str))
            .collect();
        methods.sort_unstable();
        methods.dedup();
        methods
    }
}

fn is_instance(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(w), Some(g)) if w == g || (w.starts_with('{') && !g.is_empty()) => {}
            _ => return false,
        }
    }
}

fn each_operation(document: &mut Value, mut visit: impl FnMut(&str, &str, &mut Value)) {
    let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) else { return };
    for (path, item) in paths {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            visit(path, method, operation);
        }
    }
}

/// Only a `GET` of one plain path that names its permission can opt in.
fn response_cached(document: &Value) -> Result<Vec<ResponseCached>, String> {
    let mut all = Vec::new();
    let paths = document.get("paths").and_then(Value::as_object);
    for (path, item) in paths.into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            if operation.get("x-response-cache").is_none() {
                continue;
            }
            let requirements = operation.get("security").and_then(Value::as_array);
            let permission = requirements
                .into_iter()
                .flatten()
                .find_map(|one| one.pointer("/bearer/0").and_then(Value::as_str))
                .filter(|_| method == "get" && !path.contains('{'))
                .ok_or_else(|| format!("{method} {path} cannot opt into the response cache"))?;
            all.push(ResponseCached { path: path.clone(), permission: permission.to_owned() });
        }
    }
    Ok(all)
}

fn query_parameters(operation: &Value) -> HashSet<String> {
    let parameters = operation.get("parameters").and_then(Value::as_array);
    parameters
        .into_iter()
        .flatten()
        .filter(|p| p.get("in") == Some(&json!("query")))
        .filter_map(|p| p.get("name").and_then(Value::as_str).map(str::to_owned))
        .collect()
}
