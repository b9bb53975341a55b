//! Every operation × every caller × whose thing it is × the state it is in: the answer's status, in a file that people read.
//!
//! The rows are those of `matrix/cases.rs`: who adds an operation without deciding on its rows fails here. The same rows are
//! asked of the service alone, without row-level security: each of the two must suffice.

mod bodies;
pub mod callers;
mod cases;
mod parameters;
pub mod world;

use std::collections::BTreeSet;

use callers::CALLERS;
use cases::{Case, cases};
use world::{World, canary};

use ict_index::auth::Permission;

use crate::architecture::sources;
use crate::description::{Operation, document, operations};
use crate::support::{Answer, TestService};

const FILE: &str = "tests/fixtures/authorisation_matrix.csv";
/// Lists that hold an officer's own alone.
const OWN_ALONE: [&str; 4] = [
    "/api/v1/submissions",
    "/api/v1/indicator-values",
    "/api/v1/dossier-counts",
    "/api/v1/dossier-counts/export",
];

fn header() -> String {
    format!("method,path,object,state,{}", CALLERS.join(","))
}

fn line(operation: &Operation, case: &Case, statuses: &[u16]) -> String {
    let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
    let Case { object, state, .. } = case;
    format!("{},{},{object},{state},{}", operation.method, operation.path, statuses.join(","))
}

/// No answer, whatever its status, holds words of an agency that is not the caller's.
fn keeps_quiet(answer: &Answer, operation: &Operation, caller: &str) {
    let others: &[&str] = match caller {
        "coordinator" | "monitor" => return,
        "officer" | "first_password" => &["SO-TTTT"],
        "stranger" => &["SO-YT"],
        _ => &["SO-TTTT", "SO-YT"],
    };
    let told = String::from_utf8_lossy(&answer.body);
    let heard = others.iter().find(|agency| told.contains(&canary(agency)));
    // Lists of what is somebody's do not even name another.
    let named = others.len() == 1
        && answer.status == 200
        && OWN_ALONE.contains(&operation.path.as_str())
        && others.iter().any(|agency| told.contains(agency));
    assert!(!named, "{caller} is told of {others:?} by {}: {told}", operation.path);
    // Whoever reads the trail reads what was done.
    let of_trail = caller == "admin" && operation.path.contains("/audit-events");
    assert!(
        heard.is_none() || of_trail,
        "{caller} hears {heard:?} by {} {}: {told}",
        operation.method,
        operation.path
    );
}

/// Asks what the case says as each caller.
async fn ask(world: &World, operation: &Operation, case: &Case) -> Vec<u16> {
    let mut statuses = Vec::new();
    for caller in CALLERS {
        let answer = world.send(operation, case, caller).await;
        let status = answer.status.as_u16();
        keeps_quiet(&answer, operation, caller);
        assert!(status < 500, "{}: {caller} got {}", line(operation, case, &[]), answer.text());
        statuses.push(status);
    }
    statuses
}

async fn matrix(world: &World, wanted: impl Fn(&Case) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    for operation in operations(&document()) {
        for case in cases(&operation).iter().filter(|case| wanted(case)) {
            lines.push(line(&operation, case, &ask(world, &operation, case).await));
        }
    }
    lines
}

fn reviewed() -> Vec<String> {
    std::fs::read_to_string(FILE).unwrap_or_default().lines().skip(1).map(str::to_owned).collect()
}

#[actix_web::test]
async fn the_reviewed_matrix_is_what_the_service_answers() {
    let world = World::of(TestService::start().await).await;
    let lines = matrix(&world, |_| true).await;
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(FILE, format!("{}\n{}\n", header(), lines.join("\n"))).unwrap();
        return;
    }
    let reviewed = reviewed();
    let differing: Vec<(&String, &String)> =
        lines.iter().zip(&reviewed).filter(|(now, reviewed)| now != reviewed).take(10).collect();
    assert!(
        differing.is_empty() && lines.len() == reviewed.len(),
        "{FILE} differs (now, reviewed): review the change, then UPDATE_FIXTURES=1\n{}\n{differing:#?}",
        header()
    );
}

/// Without row-level security the service's own filters and checks answer the same wherever it matters whose a thing is.
#[actix_web::test]
async fn the_first_wall_alone_answers_the_same() {
    let world = World::of(TestService::start_without_wall().await).await;
    // What is somebody's, and lists, which are of everybody's things until they are filtered.
    let lines =
        matrix(&world, |case| case.object == "foreign" || case.state.is_empty() && case.body.is_none()).await;
    let reviewed: BTreeSet<String> = reviewed().into_iter().collect();
    let differing: Vec<&String> = lines.iter().filter(|line| !reviewed.contains(*line)).collect();
    assert!(lines.len() > 40, "the walk must see foreign things");
    assert!(differing.is_empty(), "without row-level security: {}\n{differing:#?}", header());
}

/// What holds of the whole file, whatever is in it.
#[test]
fn the_reviewed_matrix_keeps_the_rules() {
    let text = std::fs::read_to_string(FILE).unwrap();
    assert_eq!(text.lines().next(), Some(header().as_str()));
    let (mut seen, all) = (BTreeSet::new(), operations(&document()));
    for row in text.lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        let (method, path, object) = (fields[0], fields[1], fields[2]);
        seen.insert(format!("{method} {path}"));
        let status = |caller: &str| fields[4 + CALLERS.iter().position(|c| *c == caller).unwrap()];
        let operation = all.iter().find(|o| o.method == method && o.path == path).expect(row);
        if operation.permission().unwrap().is_none() {
            continue;
        }
        for nobody in ["anonymous", "expired", "revoked", "disabled"] {
            assert_eq!(status(nobody), "401", "{nobody}: {row}");
        }
        if operation.permission().unwrap() != Some(Permission::OwnAccount) {
            for restricted in ["first_password", "must_enrol"] {
                assert_eq!(status(restricted), "403", "{restricted} opens something: {row}");
            }
        }
        // An officer is told of a foreign thing what a stranger to the catalogue is told: it is not there, or it is not for you.
        if object == "foreign" && !path.contains("index-runs") {
            assert!(["404", "403"].contains(&status("officer")), "{row}");
        }
        if method != "GET" && !operation.path.ends_with("/simulations") {
            assert!(!status("monitor").starts_with('2') || path.contains("/auth/"), "a reader writes: {row}");
        }
    }
    let described: BTreeSet<String> = all.iter().map(|o| format!("{} {}", o.method, o.path)).collect();
    assert_eq!(seen, described, "every operation has a row");
}

/// A route that is registered beside the description would be in no row.
#[test]
fn no_route_is_registered_past_the_description() {
    const WAYS: [&str; 5] =
        [".route(", "web::resource(", "web::scope(", "default_service(", "HttpServer::new"];
    let count = |text: &str| WAYS.iter().map(|way| text.matches(way).count()).sum::<usize>();
    let all = sources().into_iter().map(|(path, text)| (path.display().to_string(), count(&text)));
    let mut found: Vec<(String, usize)> = all.filter(|(_, ways)| *ways > 0).collect();
    found.sort();
    // The landing page, the way to /docs/, the description itself and what answers unknown paths; the listener of the metrics with what
    // answers unknown paths there; the two servers that have them.
    assert_eq!(found, [("src/app/mod.rs".to_owned(), 6), ("src/cli/serve.rs".to_owned(), 2)]);
}
