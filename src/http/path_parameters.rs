//! What the parameters of paths are. They are of few kinds, so each kind is described once, here.

use serde_json::{Value, json};

/// The description of a path parameter: by its name and, for a code, by the list that it is a code of.
fn description(path: &str, name: &str) -> Option<&'static str> {
    let list = path.split('/').take_while(|part| !part.starts_with('{')).last()?;
    Some(match (list, name) {
        ("agencies", "code") => "Code of the agency.",
        ("frameworks", "code") => "Code of the framework.",
        ("indicators", "code") => "Code of the indicator.",
        ("plans", "code") => "Code of the plan.",
        ("services", "code") => "Code of the administrative procedure.",
        ("tasks", "code") => "Code of the task.",
        ("index-runs", "id") => "Id of the run (UUID).",
        ("submissions", "id") => "Id of the submission (UUID).",
        ("sessions", "id") => "Id of the session (UUID).",
        (_, "n") => "Number of the revision, from 1.",
        (_, "unit") => "Code of the unit, percent-encoded.",
        (_, "source") => "Code of the source: an agency, or the feed of a machine client.",
        (_, "month") => "Month, as `2018-03`.",
        (_, "data_year") => "Year of the observations, as `2017`.",
        (_, "username") => "Username.",
        (_, "client_id") => "Id of the machine client.",
        _ => return None,
    })
}

/// Describes the parameter of this path, unless its operation does.
pub(super) fn describe(path: &str, parameter: &mut Value) {
    if parameter.get("in") != Some(&json!("path")) || parameter.get("description").is_some() {
        return;
    }
    let text = parameter.get("name").and_then(Value::as_str).and_then(|name| description(path, name));
    if let (Some(text), Some(parameter)) = (text, parameter.as_object_mut()) {
        parameter.insert("description".into(), json!(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_of_the_list_before_it() {
        let mut parameter = json!({"name": "code", "in": "path"});
        describe("/api/v1/services/{code}/levels", &mut parameter);
        assert_eq!(parameter["description"], "Code of the administrative procedure.");
        describe("/api/v1/tasks/{code}", &mut parameter);
        assert_eq!(
            parameter["description"], "Code of the administrative procedure.",
            "what is described stays"
        );
    }
}
