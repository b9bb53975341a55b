//! What all operations of the API's description have in common: headers, parameters, problems.

use serde_json::{Value, json};

use super::path_parameters;

/// Adds what every operation of its kind takes and answers.
pub fn complete(path: &str, method: &str, operation: &mut Value) {
    let public = operation
        .get("security")
        .and_then(Value::as_array)
        .is_some_and(|s| s.iter().all(|r| r == &json!({})));
    let is_api = path.starts_with("/api/");
    let has_body = operation.get("requestBody").is_some();
    // Written as it is read: it has no tag, and nothing to compare one with.
    let streamed = operation.get("x-streamed").is_some();
    let names_one = path.contains('{');
    let mut problems = Vec::new();
    if is_api || public {
        problems.extend([400, 503]);
    }
    if !public {
        problems.extend([401, 403, 406, 500]);
        if matches!(method, "post") {
            add_parameter(operation, idempotency_key());
            problems.extend([409, 422, 429]);
        }
        if method == "get" && !streamed {
            add_parameter(
                operation,
                tags_header(
                    "If-None-Match",
                    "`ETag` of the version you already have. Returns 304 if it is still current.",
                ),
            );
            add_response(operation, 304, json!({"description": "Not modified"}));
        }
        add_parameter(
            operation,
            header(
                "Accept-Language",
                "Language of `title` and `detail` in problems: `vi` (default) or `en`.",
            ),
        );
    }
    if names_one {
        problems.push(404);
    }
    if has_body {
        problems.extend([408, 413, 415, 422]);
        if !public {
            problems.push(409);
        }
    }
    if matches!(method, "patch" | "delete" | "put") && !public {
        problems.push(409);
        problems.push(412);
    }
    if let Some(kind) = operation.get("x-if-match").cloned() {
        let required = kind == json!("required");
        let description = if required {
            "`ETag` of the version you change. Without it: 428; a stale version: 412."
        } else {
            "Optional. `ETag` of the version you expect; a different current version returns 412."
        };
        problems.push(412);
        if required {
            problems.push(428);
        }
        add_parameter(operation, tags_header("If-Match", description));
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        path_parameters::describe(path, parameter);
        tell_example(parameter);
    }
    for status in problems {
        add_response(operation, status, problem_response(status));
    }
    let responses = operation.get_mut("responses").and_then(Value::as_object_mut);
    for (status, response) in responses.into_iter().flatten() {
        let Some(response) = response.as_object_mut() else { continue };
        let Some(headers) = response.entry("headers").or_insert(json!({})).as_object_mut() else { continue };
        let text = |description: &str| json!({"description": description, "schema": {"type": "string"}});
        headers.insert("X-Request-Id".into(), text("Id of the request, as in the log"));
        if matches!(status.as_str(), "200" | "201") && is_api && !public && !streamed {
            headers.insert("ETag".into(), text("Entity tag of this representation"));
        }
        if matches!(status.as_str(), "200" | "304") && path.starts_with("/api/v1/statistics/") {
            headers.insert(
                "Vary".into(),
                text(
                    "`Accept, Accept-Encoding`: the body can be compressed with `br` or `gzip`; each form has its own `ETag`",
                ),
            );
            headers.insert("Replica-Lag".into(), text("Present when the response was read from a standby: its maximum lag in seconds. The standby has every change acknowledged by the responding instance"));
        }
        if matches!(status.as_str(), "429" | "503") {
            headers.insert("Retry-After".into(), text("Seconds to wait"));
        }
    }
}

/// Swagger UI fills examples in as if they were asked for: those of optional parameters are told in words instead.
fn tell_example(parameter: &mut Value) {
    let Some(parameter) = parameter.as_object_mut() else { return };
    if parameter.get("required") == Some(&json!(true)) {
        return;
    }
    let inner = parameter
        .get_mut("schema")
        .and_then(Value::as_object_mut)
        .and_then(|schema| schema.remove("example"));
    let Some(example) = parameter.remove("example").or(inner) else { return };
    let shown = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
    let told = parameter.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = format!("{told} Example: `{shown}`.");
    parameter.insert("description".into(), json!(description.trim_start()));
}

fn header(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "header", "description": description, "required": false, "schema": {"type": "string"}})
}

/// A header that holds entity tags.
fn tags_header(name: &str, description: &str) -> Value {
    json!({
        "name": name,
        "in": "header",
        "description": description,
        "required": false,
        "schema": {"type": "string", "pattern": "^(\\*|(W/)?\"[!#-~]*\"(, *(W/)?\"[!#-~]*\")*)$"}
    })
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Repeating a request with the same key and body within 72 hours returns the stored response with `Idempotency-Replayed: true`. A different body returns 422; if the first request is still running, 409. At most 5,000 responses (64 MiB) are stored for each caller; more keys are rejected with 429.",
        "required": false,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
    })
}

fn add_parameter(operation: &mut Value, parameter: Value) {
    if let Some(operation) = operation.as_object_mut()
        && let Some(list) = operation.entry("parameters").or_insert(json!([])).as_array_mut()
    {
        list.push(parameter);
    }
}

fn add_response(operation: &mut Value, status: u16, response: Value) {
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        responses.entry(status.to_string()).or_insert(response);
    }
}

fn problem_response(status: u16) -> Value {
    let description = match status {
        400 => "Malformed body, unknown field or parameter, malformed period or cursor",
        401 => "Missing, invalid or expired token",
        403 => "Not permitted",
        404 => "Does not exist, or is outside your scope",
        406 => "None of the requested formats is available",
        408 => "The request body did not arrive in time",
        409 => "Conflicts with the current state",
        412 => "The resource has changed since you read it",
        413 => "Request body too large",
        415 => "Unsupported media type",
        422 => "Validation failed; `errors` lists the errors (the first 100)",
        428 => "`If-Match` is required",
        429 => "Too many attempts or stored keys; see `Retry-After`",
        503 => "Temporarily unavailable; see `Retry-After`",
        _ => "Internal error",
    };
    json!({
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    })
}
