//! The house rules of `ARCHITECTURE.md`, read from the sources.

use std::fs;
use std::path::{Path, PathBuf};

use crate::description::{document, operations};

/// From the floor up. A room may use rooms above it in this list and rooms of its own line, none below.
const STOREYS: [&[&str]; 7] = [
    &["clock", "ids", "values", "db"],
    &["http"],
    &["auth", "state", "config"],
    &[
        "accounts",
        "agencies",
        "audit",
        "dossiers",
        "indicators",
        "months",
        "services",
        "submissions",
        "targets",
        "tasks",
    ],
    &["scoring", "statistics"],
    &["reports"],
    &["app", "cli", "seed"],
];

pub fn sources() -> Vec<(PathBuf, String)> {
    let mut all = Vec::new();
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                all.push((path, text));
            }
        }
    }
    assert!(all.len() > 40, "the test must see the sources");
    all
}

/// The sources without their unit tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

fn room(path: &Path) -> String {
    let first = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn storey(room: &str) -> Option<usize> {
    STOREYS.iter().position(|rooms| rooms.contains(&room))
}

/// Rooms that a text names as `crate::<room>`.
fn used_rooms(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + 7..];
        if let Some(list) = rest.strip_prefix('{') {
            let list = list.split('}').next().unwrap();
            rooms.extend(list.split(',').map(|p| p.trim().split("::").next().unwrap().to_owned()));
        } else {
            rooms.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    rooms
}

#[test]
fn dependencies_point_down() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let own = room(&path);
        // Macros are expanded in the rooms that use them.
        if ["lib", "main", "macros"].contains(&own.as_str()) {
            continue;
        }
        let own_storey = storey(&own)
            .unwrap_or_else(|| panic!("{own} is in no storey of this test: decide where it stands"));
        for used in used_rooms(code(&text)) {
            if storey(&used).is_some_and(|s| s > own_storey) {
                faults.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert_eq!(faults, [] as [String; 0], "a lower room must not know a higher one");
}

#[test]
fn rooms_keep_to_their_trade() {
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let (name, code) = (path.file_name().unwrap().to_str().unwrap(), code(&text));
        // Rules name the codes of what they find, and build no answer.
        let code = code.replace("ProblemCode", "");
        let mut forbid = |what: &str| {
            if code.contains(what) {
                faults.push(format!("{} holds `{what}`", path.display()));
            }
        };
        let speaks_http = code.contains("#[utoipa::path");
        if name == "model.rs" {
            ["actix_web", "Problem", "HttpResponse"].iter().for_each(|w| forbid(w));
        } else if name == "rules.rs" {
            ["actix_web", "crate::db", "diesel", "async fn", "Problem"].iter().for_each(|w| forbid(w));
        } else if speaks_http {
            ["diesel", "sql("].iter().for_each(|w| forbid(w));
        }
    }
    assert_eq!(faults, [] as [String; 0]);
}

/// Scores follow from a framework and figures alone: whoever asks, whatever is stored, whenever.
#[test]
fn the_scoring_engine_is_pure() {
    let engine = sources().into_iter().filter(|(path, _)| path.starts_with("src/scoring/engine"));
    let mut faults = Vec::new();
    for (path, text) in engine {
        for what in ["crate::", "actix", "diesel", "async ", "Problem", "chrono", "std::env", "rand::"] {
            if code(&text).contains(what) {
                faults.push(format!("{} holds `{what}`", path.display()));
            }
        }
    }
    assert_eq!(faults, [] as [String; 0]);
}

/// Each handler's file, route and text from `fn` to the end.
fn handlers() -> Vec<(PathBuf, String, Vec<String>)> {
    const VERBS: [&str; 5] = ["#[get(", "#[post(", "#[put(", "#[patch(", "#[delete("];
    let mut handlers = Vec::new();
    for (path, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (at, route) in
            lines.iter().enumerate().filter(|(_, line)| VERBS.iter().any(|v| line.starts_with(v)))
        {
            let rest = lines[at..].iter().skip_while(|line| !line.contains("fn "));
            let end = rest.clone().position(|line| *line == "}").unwrap();
            let body = rest.take(end + 1).map(|line| line.trim().to_owned()).collect();
            handlers.push((path.clone(), (*route).to_owned(), body));
        }
    }
    assert_eq!(
        handlers.len(),
        operations(&document()).len(),
        "a handler is not registered, or a route has no description"
    );
    handlers
}

#[test]
fn every_handler_says_first_who_may_call_it() {
    for (path, route, lines) in handlers() {
        let signature = lines[..lines.len().min(4)].join(" ");
        let first = signature.split_once("fn ").unwrap().1.split_once('(').unwrap().1.trim();
        let decided = first.starts_with("access: Access<") || first.starts_with("_: Public");
        assert!(decided, "{}: `{route}` must take Access<…> or Public first, not `{first}`", path.display());
    }
}

/// What a request does is read at a glance; how it is done stands in functions of its own.
#[test]
fn handlers_stay_short() {
    let long: Vec<String> = handlers()
        .into_iter()
        .filter(|(_, _, lines)| lines.len() > 25)
        .map(|(path, route, lines)| format!("{} {route}: {} lines", path.display(), lines.len()))
        .collect();
    assert_eq!(long, [] as [String; 0]);
}

#[test]
fn files_stay_small() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|(path, text)| (text.lines().count(), path))
        .filter(|(lines, _)| *lines > 300)
        .map(|(lines, path)| format!("{} has {lines} lines", path.display()))
        .collect();
    assert_eq!(long, [] as [String; 0], "is there a room missing?");
}

/// `make mutants` takes long and is run seldom: that its list still fits the sources is seen here, not among the tests that a
/// mutant is held against: there it would be caught by its own absence from the list.
#[test]
fn every_mutant_applies() {
    let list = fs::read_to_string("scripts/mutants.txt").unwrap();
    let mutants: Vec<Vec<&str>> = list
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split('§').collect())
        .collect();
    assert!(mutants.len() > 30);
    for mutant in mutants {
        let [number, file, old, new, tests, why] = mutant[..] else { panic!("six fields: {mutant:?}") };
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains(&old.replace("\\n", "\n")), "mutant {number} ({why}): {old} is not in {file}");
        assert!(old != new && !tests.is_empty(), "mutant {number} changes nothing, or is tested by nothing");
    }
}
