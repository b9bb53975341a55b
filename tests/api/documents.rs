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
