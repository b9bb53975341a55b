//! The compose files: each setting stands in the service that reads it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use regex::Regex;
use uuid::Uuid;

const SMALL: &str = "docker-compose.yml";
const CLUSTER: &str = "docs/ha/docker-compose.ha.yml";

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// What stands below `key` at this depth, without comments.
fn below(text: &str, depth: usize, key: &str) -> Option<(String, Vec<String>)> {
    let head = format!("{}{key}:", " ".repeat(depth));
    let lines: Vec<&str> =
        text.lines().filter(|l| !l.trim().is_empty() && !l.trim_start().starts_with('#')).collect();
    let at = lines.iter().position(|line| line.starts_with(&head))?;
    let block = lines[at + 1..].iter().take_while(|line| indent(line) > depth);
    Some((lines[at][head.len()..].trim().to_owned(), block.map(|line| (*line).to_owned()).collect()))
}

/// A service of a compose file, or a template (`x-…`), with the templates that it is merged from, its own first.
struct Service(Vec<Vec<String>>);

impl Service {
    fn of(file: &str, name: &str) -> Self {
        let text = fs::read_to_string(file).unwrap();
        let services = below(&text, 0, "services").unwrap().1.join("\n");
        let mut layers = Vec::new();
        let mut next = Some(below(&services, 2, name).unwrap_or_else(|| panic!("{file}: {name} is missing")));
        while let Some((rest, block)) = next {
            let merged = block.iter().find_map(|line| line.trim().strip_prefix("<<: *").map(str::to_owned));
            let template = rest.strip_prefix('*').map(str::to_owned).or(merged);
            next = template.map(|template| below(&text, 0, &format!("x-{template}")).unwrap());
            layers.push(block);
        }
        Self(layers)
    }

    /// A member of the first layer that has it: YAML merges no deeper.
    fn member(&self, name: &str) -> Option<(String, Vec<String>)> {
        self.0.iter().find_map(|layer| {
            let depth = layer.first().map(|line| indent(line))?;
            below(&layer.join("\n"), depth, name)
        })
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let lines = self.member("environment").map(|(_, lines)| lines).unwrap_or_default();
        lines
            .iter()
            .map(|line| line.trim().split_once(": ").unwrap())
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect()
    }
}

const INSTANCES: [(&str, &str); 3] =
    [(SMALL, "ict-index"), (CLUSTER, "ict-index-1"), (CLUSTER, "ict-index-2")];
const OWNERS: [(&str, &str); 4] =
    [(SMALL, "migrate"), (SMALL, "admin"), (CLUSTER, "migrate"), (CLUSTER, "admin")];

#[test]
fn every_setting_stands_in_the_service_that_reads_it() {
    for (file, name) in INSTANCES {
        let environment = Service::of(file, name).environment();
        for setting in ["METRICS_ADDRESS", "TRUSTED_PROXIES", "TOKEN_KEY_FILE", "SECOND_FACTOR_KEY_FILE"] {
            assert!(environment.contains_key(setting), "{file}, {name}: {setting}");
        }
        assert!(environment["DATABASE_URL"].starts_with("postgres://ict_index_service@"), "{file}, {name}");
        assert_eq!(environment["DATABASE_PASSWORD_FILE"], "/run/secrets/service_password", "{file}, {name}");
    }
    for (file, name) in OWNERS {
        let environment = Service::of(file, name).environment();
        for setting in ["METRICS_ADDRESS", "TRUSTED_PROXIES", "BIND_ADDRESS"] {
            assert!(!environment.contains_key(setting), "{file}, {name} serves nothing: {setting}");
        }
        assert!(environment["DATABASE_URL"].starts_with("postgres://ict_index@"), "{file}, {name}");
        assert_eq!(environment["DATABASE_PASSWORD_FILE"], "/run/secrets/owner_password", "{file}, {name}");
    }
}

#[test]
fn the_metrics_are_on_no_published_port_and_the_clusters_proxy_is_believed() {
    for (file, name) in INSTANCES {
        let service = Service::of(file, name);
        let metrics = service.environment()["METRICS_ADDRESS"].clone();
        let port = metrics.rsplit(':').next().unwrap();
        assert!(!service.member("ports").is_some_and(|(ports, _)| ports.contains(port)), "{file}, {name}");
    }
    let trusted = Service::of(CLUSTER, "ict-index-1").environment()["TRUSTED_PROXIES"].clone();
    let (networks, _) = Service::of(CLUSTER, "haproxy").member("networks").unwrap();
    assert!(networks.contains(&format!("ipv4_address: {trusted}}}")), "{networks}, {trusted}");
    let proxy = fs::read_to_string("docs/ha/haproxy.cfg").unwrap();
    assert!(proxy.contains("http-request set-header X-Forwarded-For %[src]"));
}

#[test]
fn the_first_account_is_made_by_a_service_that_runs_what_it_is_given() {
    let command = Regex::new(r"(?m)^# .*run --rm ([a-z-]+) user add --help").unwrap();
    for file in [SMALL, CLUSTER] {
        let text = fs::read_to_string(file).unwrap();
        let name =
            command.captures(&text).unwrap_or_else(|| panic!("{file} names the command"))[1].to_owned();
        let service = Service::of(file, &name);
        assert!(service.member("entrypoint").is_none(), "{file}: {name} has the image's own entry point");
        assert_eq!(service.member("restart").unwrap().0, "\"no\"", "{file}: {name} runs once");
    }
}

#[test]
fn every_secret_that_a_compose_file_reads_is_made_by_the_command_that_it_names() {
    let command = Regex::new(r"(?m)^# +scripts/make-secrets\.sh(.*)$").unwrap();
    for (file, depth) in [(SMALL, "./secrets/"), (CLUSTER, "../../secrets/")] {
        let text = fs::read_to_string(file).unwrap();
        let arguments = command.captures(&text).unwrap()[1].trim().to_owned();
        let place = std::env::temp_dir().join(format!("compose-{}", Uuid::now_v7()));
        fs::create_dir_all(place.join("scripts")).unwrap();
        fs::copy("scripts/make-secrets.sh", place.join("scripts/make-secrets.sh")).unwrap();
        let mut bash = Command::new("bash");
        bash.arg(place.join("scripts/make-secrets.sh")).args(arguments.split_whitespace());
        let output = bash.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let secrets = Regex::new(&format!(r"file: {}([a-z_]+)", regex::escape(depth))).unwrap();
        let names: Vec<String> = secrets.captures_iter(&text).map(|found| found[1].to_owned()).collect();
        let missing: Vec<&String> =
            names.iter().filter(|name| !place.join("secrets").join(name).exists()).collect();
        let _ = fs::remove_dir_all(&place);
        assert!(names.len() >= 5, "{file}: the test must see secrets");
        assert_eq!(missing, [] as [&String; 0], "{file}");
    }
}
