//! The rows: what is asked of each operation. An operation with a name in its path, or a body, is decided on by name.

use serde_json::{Value, json};

use crate::description::Operation;

/// One row.
#[derive(Clone, Debug)]
pub struct Case {
    /// Whose thing is asked for: `own` (of SO-YT), `foreign` (of SO-TTTT), `missing`; `any`: of nobody in particular.
    pub object: &'static str,
    /// State of the thing and, behind a slash, what is to be done with it.
    pub state: String,
    pub body: Option<Value>,
}

const SUBMISSION_STATES: [&str; 5] = ["draft", "submitted", "returned", "accepted", "locked"];
/// Steps of a submission, each with the state in which it can be taken.
const STEPS: [(&str, &str); 5] = [
    ("submit", "draft"),
    ("withdraw", "submitted"),
    ("return", "submitted"),
    ("accept", "submitted"),
    ("reopen", "accepted"),
];

fn case(object: &'static str, state: &str, body: Option<Value>) -> Case {
    Case { object, state: state.to_owned(), body }
}

fn of_everyone(state: &str, body: Option<&Value>) -> Vec<Case> {
    ["own", "foreign", "missing"].map(|object| case(object, state, body.cloned())).to_vec()
}

fn there_or_not(body: Option<Value>) -> Vec<Case> {
    vec![case("any", "", body.clone()), case("missing", "", body)]
}

fn one(body: Value) -> Vec<Case> {
    vec![case("any", "", Some(body))]
}

/// Of an officer's thing in every state, of the other's where it could be done.
fn by_state(body: &Value) -> Vec<Case> {
    let mut all: Vec<Case> =
        SUBMISSION_STATES.iter().map(|state| case("own", state, Some(body.clone()))).collect();
    all.extend(["draft", "returned"].map(|state| case("foreign", state, Some(body.clone()))));
    all.push(case("missing", "", Some(body.clone())));
    all
}

fn steps() -> Vec<Case> {
    let mut all = Vec::new();
    for (step, possible) in STEPS {
        let body = Some(json!({"action": step, "reason": "lý do"}));
        let named = |state: &str| format!("{state}/{step}");
        all.extend(SUBMISSION_STATES.map(|state| case("own", &named(state), body.clone())));
        all.push(case("foreign", &named(possible), body.clone()));
        all.push(case("missing", &named(possible), body));
    }
    all
}

fn reports() -> Vec<Case> {
    let body = |agency: &str| Some(json!({"agency": agency, "percent": 10, "narrative": "đang làm"}));
    let mut all: Vec<Case> =
        ["open", "confirmed", "cancelled"].map(|state| case("own", state, body("SO-YT"))).to_vec();
    all.extend(["open", "confirmed"].map(|state| case("foreign", state, body("SO-TTTT"))));
    all.push(case("missing", "open", body("KHONG-CO")));
    all
}

fn decisions() -> Vec<Case> {
    let body = |step: &str, agency: &str| {
        let due = (step == "extend").then_some("2018-12-30");
        Some(json!({"action": step, "agency": agency, "reason": "lý do", "due_date": due}))
    };
    let mut all = Vec::new();
    for (step, state) in
        [("confirm", "reported"), ("reopen", "confirmed"), ("cancel", "open"), ("extend", "open")]
    {
        all.push(case("own", &format!("{state}/{step}"), body(step, "SO-YT")));
        all.push(case("foreign", &format!("{state}/{step}"), body(step, "SO-TTTT")));
    }
    all.push(case("own", "open/confirm", body("confirm", "SO-YT")));
    all.push(case("missing", "open/cancel", body("cancel", "KHONG-CO")));
    all
}

fn months() -> Vec<Case> {
    [("open", "close"), ("closed", "close"), ("closed", "reopen"), ("open", "reopen")]
        .map(|(state, step)| {
            let body = json!({"action": step, "reason": "lý do"});
            case("any", &format!("{state}/{step}"), Some(body))
        })
        .to_vec()
}

/// All rows of an operation.
pub fn cases(operation: &Operation) -> Vec<Case> {
    let path = operation.path.trim_start_matches("/api/v1/");
    match (operation.method.as_str(), path) {
        ("DELETE", "submissions/{id}") => by_state(&Value::Null),
        ("PUT", "submissions/{id}/values") => by_state(&json!({"values": []})),
        ("POST", "submissions/{id}/transitions") => steps(),
        // Who may not know of an agency's submission is not told that there is one already either.
        ("POST", "submissions") => [of_everyone("", None), of_everyone("there", None)].concat(),
        ("DELETE", "me/sessions/{id}") => of_everyone("", None),
        ("GET", of) if of.starts_with("submissions/{id}") => of_everyone("accepted", None),
        ("POST", "tasks/{code}/updates") => reports(),
        ("POST", "tasks/{code}/transitions") => decisions(),
        ("POST", "reporting-months/{month}/transitions") => months(),
        ("GET", "reporting-months/{month}" | "reports/{month}") => vec![case("any", "", None)],
        ("GET", "dossier-batches/{source}/{month}" | "dossier-feeds/{source}") => {
            let mut all = of_everyone("", None);
            all.push(case("any", "feed", None));
            all
        }
        ("PUT", "dossier-batches/{source}/{month}") => {
            let mut all = of_everyone("open", None);
            all.push(case("any", "open", None));
            all.extend(["own", "foreign"].map(|object| case(object, "closed", None)));
            all
        }
        ("GET", "index-runs/{id}/units/{unit}/explanation" | "index-runs/{id}/units/{unit}/levers") => {
            of_everyone("", None)
        }
        ("POST", "index-runs/{id}/simulations") => {
            let change =
                |unit: &str| Some(json!({"changes": [{"unit": unit, "indicator": "X3", "value": 1}]}));
            vec![
                case("own", "", change("SO-YT")),
                case("foreign", "", change("SO-TTTT")),
                case("missing", "", change("SO-YT")),
            ]
        }
        _ => simple(operation, path),
    }
}

/// Operations on what belongs to no agency.
fn simple(operation: &Operation, path: &str) -> Vec<Case> {
    let named = operation.has_path_parameters();
    match (operation.method.as_str(), path) {
        ("GET", _) if named => there_or_not(None),
        ("GET", _) => vec![case("any", "", None)],
        ("PATCH", "agencies/{code}") => there_or_not(Some(json!({"name_en": "Health"}))),
        ("PATCH", "clients/{client_id}" | "indicators/{code}" | "services/{code}") => {
            there_or_not(Some(json!({"name": "Tên"})))
        }
        ("PATCH", "plans/{code}" | "tasks/{code}") => there_or_not(Some(json!({"title": "Tên"}))),
        ("PATCH", "users/{username}") => there_or_not(Some(json!({"display_name": "Tên"}))),
        ("POST", "services/{code}/levels") => {
            there_or_not(Some(json!({"level": 3, "effective_from": "2018-01-01", "decision": "QĐ 1"})))
        }
        ("POST", "clients/{client_id}/secret")
        | ("DELETE", "clients/{client_id}" | "frameworks/{code}" | "users/{username}/second-factor") => {
            there_or_not(None)
        }
        ("DELETE", "me/second-factor") => one(super::bodies::body_of(path)),
        ("PUT", "frameworks/{code}/observations/{data_year}") => {
            there_or_not(Some(json!({"rows": [{"unit": "SO-YT", "indicator": "X3", "value": 1}]})))
        }
        ("POST", "frameworks/{code}/observations/{data_year}/collections") => there_or_not(Some(json!({}))),
        ("POST" | "PUT", _) if !named => one(super::bodies::body_of(path)),
        (method, path) => panic!("decide on the rows of {method} {path}"),
    }
}
