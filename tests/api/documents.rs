//! What documents name is there: tests by name, commands of make, files.

use std::fs;
use std::path::Path;

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

#[test]
fn commands_that_documents_name_are_there() {
    let (makefile, chaos) = (read("Makefile"), read("tests/chaos/run.py"));
    let commands = Regex::new(r"`make ([a-z-]+)(?: ARGS='--only ([a-z,-]+)')?").unwrap();
    for document in
        ["README.md", "docs/security.md", "docs/reliability.md", "docs/operations.md", "CONTRIBUTING.md"]
    {
        for found in commands.captures_iter(&read(document)) {
            assert!(makefile.contains(&format!("\n{}:", &found[1])), "{document}: {}", &found[0]);
            for scenario in found.get(2).into_iter().flat_map(|list| list.as_str().split(',')) {
                assert!(chaos.contains(&format!("\"{scenario}\":")), "{document}: {scenario}");
            }
        }
    }
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
