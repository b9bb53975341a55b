//! What documents name is there: tests by name, commands of make, files.

use std::fs;
use std::path::Path;

use ict_index::db::locks::{self, LockSpace};
use regex::Regex;

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text of a module of the tests with all its parts; empty when there is none.
fn module(name: &str) -> String {
    let file = format!("tests/api/{name}.rs");
    let mut text = fs::read_to_string(file).unwrap_or_default();
    for entry in fs::read_dir(format!("tests/api/{name}")).into_iter().flatten() {
        text += &read(entry.unwrap().path());
    }
    text
}

/// Names of tests that a document mentions as `module::`, `module::test` or `module::part::test`.
fn named(document: &str) -> Vec<String> {
    let names = Regex::new(r"`([a-z_]+::[a-z_:]*)`").unwrap();
    names.captures_iter(document).map(|found| found[1].to_owned()).collect()
}

#[test]
fn the_tests_that_documents_name_are_there() {
    let mut missing = Vec::new();
    let mut seen = 0;
    for document in ["docs/security.md", "docs/reliability.md"] {
        for name in named(&read(document)) {
            seen += 1;
            let mut parts = name.split("::").filter(|part| !part.is_empty());
            let text = module(parts.next().unwrap());
            let last = parts.last();
            let known = last.is_none_or(|test| {
                text.contains(&format!("fn {test}(")) || text.contains(&format!("mod {test};"))
            });
            if text.is_empty() || !known {
                missing.push(format!("{document}: {name}"));
            }
        }
    }
    assert!(seen > 20, "the test must see names");
    assert_eq!(missing, [] as [String; 0]);
}

#[test]
fn unit_tests_that_documents_name_are_there() {
    let names = Regex::new(r"`(src/[a-z/_]+\.rs)(?:: ([a-z_]+))?`").unwrap();
    let text = read("docs/security.md");
    let mut seen = 0;
    for found in names.captures_iter(&text) {
        seen += 1;
        let source = read(&found[1]);
        if let Some(test) = found.get(2) {
            assert!(source.contains(&format!("fn {}(", test.as_str())), "{} is not there", &found[0]);
        }
    }
    assert!(seen > 5, "the test must see names");
}

/// All that is for readers, the record of changes apart: it names what was there at the time.
fn documents() -> Vec<String> {
    let mut all: Vec<String> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "benches/README.md"]
            .map(str::to_owned)
            .into();
    for directory in ["docs", "docs/adr"] {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let texts = entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
        all.extend(texts.map(|path| path.display().to_string()));
    }
    assert!(all.len() > 30, "the test must see documents");
    all
}

#[test]
fn commands_that_documents_name_are_there() {
    let (makefile, chaos, ha) = (read("Makefile"), read("tests/chaos/run.py"), read("tests/ha/run.py"));
    let commands = Regex::new(r"`make ([a-z-]+)(?: ARGS='--only ([a-z,-]+)')?").unwrap();
    for document in documents() {
        for found in commands.captures_iter(&read(&document)) {
            assert!(makefile.contains(&format!("\n{}:", &found[1])), "{document}: {}", &found[0]);
            let scenarios = match &found[1] {
                "ha" => &ha,
                "chaos" | "chaos-long" => &chaos,
                _ => continue,
            };
            for scenario in found.get(2).into_iter().flat_map(|list| list.as_str().split(',')) {
                assert!(scenarios.contains(&format!("\"{scenario}\":")), "{document}: {scenario}");
            }
        }
    }
}

#[test]
fn every_command_of_make_and_of_the_binary_is_told() {
    let (readme, configuration) = (read("README.md"), read("docs/configuration.md"));
    let targets = Regex::new(r"(?m)^([a-z][a-z-]*):.*## ").unwrap();
    let makefile = read("Makefile");
    let mut missing: Vec<String> = targets
        .captures_iter(&makefile)
        .map(|found| found[1].to_owned())
        .filter(|target| target != "help" && !readme.contains(&format!("`make {target}`")))
        .collect();
    // Of the binary: variants of the enumerations that clap reads, `user reset-second-factor` for `UserCommand::ResetSecondFactor`.
    let variants = Regex::new(r"(?m)^    ([A-Z][A-Za-z]+)(?: \{|,)").unwrap();
    let kebab = Regex::new(r"([a-z])([A-Z])").unwrap();
    let source = read("src/cli/mod.rs") + &read("src/cli/audit.rs");
    for (prefix, head) in [
        ("", "enum Command {"),
        ("user ", "enum UserCommand {"),
        ("keys ", "enum KeysCommand {"),
        ("audit ", "enum AuditCommand {"),
    ] {
        let body = source.split_once(head).unwrap_or_else(|| panic!("{head}")).1;
        let body = body.split_once("\n}").unwrap().0;
        for found in variants.captures_iter(body) {
            let command = format!("{prefix}{}", kebab.replace_all(&found[1], "$1-$2").to_lowercase());
            if !configuration.contains(&format!("`{command}")) {
                missing.push(command);
            }
        }
    }
    assert_eq!(missing, [] as [String; 0]);
}

/// As `src/db/keyset.rs` or, within `src`, `db/keyset.rs`.
#[test]
fn sources_that_documents_name_are_there() {
    let paths = Regex::new(r"`((?:[a-z0-9_]+/)+[a-z0-9_]+\.rs)\b").unwrap();
    let (mut seen, mut missing) = (0, Vec::new());
    for document in documents() {
        for found in paths.captures_iter(&read(&document)) {
            seen += 1;
            if !Path::new(&found[1]).exists() && !Path::new("src").join(&found[1]).exists() {
                missing.push(format!("{document}: {}", &found[1]));
            }
        }
    }
    assert!(seen > 50, "the test must see paths");
    assert_eq!(missing, [] as [String; 0]);
}

/// Every `.rs` below a directory.
fn sources(directory: &Path, text: &mut String) {
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            sources(&path, text);
        } else {
            text.push_str(&read(path));
        }
    }
}

#[test]
fn operators_are_told_every_target_of_the_log() {
    let operations = read("docs/operations.md");
    let mut source = String::new();
    sources(Path::new("src"), &mut source);
    let log = operations.split_once("\n## The log").unwrap().1.split_once("\n## ").unwrap().0;
    let targets = Regex::new(r#"target: "([a-z_]+)""#).unwrap();
    for found in targets.captures_iter(&source) {
        assert!(log.contains(&format!("`{}`", &found[1])), "docs/operations.md, The log: {}", &found[1]);
    }
}

#[test]
fn every_advisory_lock_is_one_of_the_registry() {
    let mut source = String::new();
    sources(Path::new("src"), &mut source);
    let taken = Regex::new(r"advisory_(xact_)?lock(_shared)?\([^)]*").unwrap();
    for found in taken.find_iter(&source).map(|found| found.as_str()) {
        let (_, space) = found.split_once('(').unwrap();
        let is_named = ["$", "space", "{MONTHS}", "{lock}", "hashtextextended($1, $2"];
        assert!(is_named.iter().any(|begin| space.starts_with(begin)), "not from db/locks.rs: {found}");
    }
    let mut numbers = locks::ALL.map(LockSpace::number);
    numbers.sort_unstable();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "two spaces have one number");
}

#[test]
fn routes_that_alerts_watch_are_operations() {
    let (alerts, description) = (read("docs/alerts.yml"), read("openapi/openapi.json"));
    let watched = Regex::new(r#"route=~?"([^"(]*)\(?([^")]*)"#).unwrap();
    let mut seen = 0;
    for found in watched.captures_iter(&alerts) {
        for alternative in found[2].split('|') {
            seen += 1;
            let path = format!("\"{}{alternative}\":", &found[1]);
            assert!(description.contains(&path), "docs/alerts.yml: {path}");
        }
    }
    assert!(seen > 0, "the test must see routes");
}

/// Cells of a table's row; an escaped bar belongs to its cell.
fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{0}");
    inner.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// What a merge that went wrong leaves behind: a heading twice, a row that is cut off, a row that says again what another one says.
fn merge_damage(document: &str, text: &str) -> Vec<String> {
    let (mut damage, mut headings, mut columns, mut first_cells) = (Vec::new(), Vec::new(), None, Vec::new());
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        if line.starts_with('#') {
            if headings.contains(&line) {
                damage.push(format!("{document}:{number}: the heading stands twice: {line}"));
            }
            headings.push(line);
        }
        if !line.starts_with('|') {
            columns = None;
            continue;
        }
        let row = cells(line);
        if columns.is_none() {
            first_cells.clear();
        }
        if row.len() != *columns.get_or_insert(row.len()) || !line.trim_end().ends_with('|') {
            damage.push(format!("{document}:{number}: the row has not as many cells as its table's head"));
        }
        // An empty first cell goes on with the row above.
        if !row[0].is_empty() && first_cells.contains(&row[0]) {
            damage.push(format!("{document}:{number}: the row stands twice: {}", row[0]));
        }
        first_cells.push(row[0].clone());
    }
    damage
}

#[test]
fn documents_have_no_doubled_section_and_no_cut_row() {
    let broken = "## A\n| a | b |\n|---|---|\n| x |\n| y | z |\n| y | 1 |\n## A\n";
    assert_eq!(merge_damage("example", broken).len(), 3, "the check sees what it is for");
    let mut damage = Vec::new();
    for document in fs::read_dir("docs").unwrap().map(|entry| entry.unwrap().path()) {
        if document.extension().is_some_and(|extension| extension == "md") {
            damage.extend(merge_damage(&document.display().to_string(), &read(&document)));
        }
    }
    assert_eq!(damage, [] as [String; 0]);
}
