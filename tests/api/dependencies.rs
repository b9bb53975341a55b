//! Crates with a known hole do not come back with the next `cargo update` or a copied lock file. `make deny` compares all of
//! `.ci/advisory-db`; this compares what touches what the service does, and what that list does not have, wherever the tests run.

/// Crate, first version without the hole, and the hole.
const LEAST: &[(&str, &str, &str)] = &[
    ("actix-http", "3.0.0", "RUSTSEC-2021-0081: request smuggling"),
    (
        "aws-lc-sys",
        "0.39.0",
        "RUSTSEC-2026-0044, -0048 and before: verification that passes what it should not",
    ),
    ("bytes", "1.11.1", "RUSTSEC-2026-0007: integer overflow in BytesMut::reserve"),
    ("chrono", "0.4.20", "RUSTSEC-2020-0159: invalid reads of the environment"),
    ("crossbeam-channel", "0.5.15", "RUSTSEC-2025-0024: double free"),
    ("crossbeam-epoch", "0.9.20", "RUSTSEC-2026-0204: invalid pointer"),
    ("diesel", "2.2.3", "RUSTSEC-2024-0365: values that overflow the protocol's lengths"),
    ("h2", "0.4.16", "RUSTSEC-2026-0258: unbounded empty frames; HTTP/2 is the proxy's business"),
    ("hashbrown", "0.15.1", "RUSTSEC-2024-0402: unsound serialisation"),
    ("idna", "1.0.0", "RUSTSEC-2024-0421: names that look alike"),
    ("jsonwebtoken", "10.3.0", "CVE-2026-25537: exp and nbf of another type were passed over"),
    ("mio", "0.8.11", "RUSTSEC-2024-0019: tokens of closed pipes"),
    ("postgres-protocol", "0.6.12", "RUSTSEC-2026-0179, -0180: a server's answer ends the process"),
    ("quick-xml", "0.41.0", "RUSTSEC-2026-0194, -0195: time and memory without bounds"),
    (
        "quinn-proto",
        "0.11.18",
        "GHSA-qfwj-vfxf-92j2, -2hv7-gw8g-gpq5, -hmxj-32vh-65vr, -465w-v9q3-7j98 and before: memory without bounds, panics",
    ),
    ("rand", "0.10.1", "RUSTSEC-2026-0097: unsound with a logger of one's own, which this service has"),
    ("regex", "1.5.5", "RUSTSEC-2022-0013: patterns without bounds"),
    ("rustix", "0.38.19", "GHSA-c827-hfw6-qwvm: memory without bounds"),
    ("rustls", "0.23.45", "RUSTSEC-2026-0285: handshake messages at the wrong encryption level"),
    ("slab", "0.4.11", "RUSTSEC-2025-0047: reads beyond the end"),
    ("smallvec", "1.6.1", "RUSTSEC-2021-0003: writes beyond the end"),
    ("time", "0.3.47", "RUSTSEC-2026-0009: the stack is exhausted"),
    ("tokio", "1.44.2", "RUSTSEC-2025-0023: unsound broadcast"),
    ("tokio-postgres", "0.7.18", "RUSTSEC-2026-0178: a server's answer ends the process"),
    ("zip", "2.3.0", "RUSTSEC-2025-0168: links that lead out"),
];

/// (name, version) of all packages of a lock file.
fn packages(lock: &str) -> Vec<(String, String)> {
    let value = |line: Option<&str>, name: &str| {
        let text = line?.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"')?;
        Some(text.to_owned())
    };
    let blocks = lock.split("[[package]]").skip(1);
    blocks
        .filter_map(|block| {
            let mut lines = block.trim_start().lines();
            Some((value(lines.next(), "name")?, value(lines.next(), "version")?))
        })
        .collect()
}

/// The numbers of a version; what stands behind `-` or `+` does not count.
fn numbers(version: &str) -> Vec<u64> {
    let plain = version.split(['-', '+']).next().unwrap();
    plain.split('.').map(|part| part.parse().unwrap()).collect()
}

fn holes(lock: &str) -> Vec<String> {
    let packages = packages(lock);
    let too_old = |name: &str, version: &str| {
        let least = LEAST.iter().find(|(crate_name, ..)| *crate_name == name)?;
        (numbers(version) < numbers(least.1)).then(|| format!("{name} {version} < {}: {}", least.1, least.2))
    };
    packages.iter().filter_map(|(name, version)| too_old(name, version)).collect()
}

#[test]
fn no_crate_is_locked_at_a_version_with_a_known_hole() {
    let lock = std::fs::read_to_string("Cargo.lock").unwrap();
    assert!(packages(&lock).len() > 100, "the test must see the packages");
    assert_eq!(holes(&lock), [] as [String; 0]);
}

#[test]
fn an_old_version_is_found() {
    let lock = |name: &str, version: &str| {
        format!("version = 4\n\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"x\"\n")
    };
    assert_eq!(holes(&lock("jsonwebtoken", "10.2.9")).len(), 1);
    assert_eq!(holes(&lock("jsonwebtoken", "9.10.0")).len(), 1, "versions are numbers, not texts");
    assert_eq!(holes(&lock("jsonwebtoken", "10.3.0")), [] as [String; 0]);
    assert_eq!(holes(&lock("serde", "0.0.1")), [] as [String; 0]);
}

/// What `make deny` cannot find: nothing is known about a crate that nobody looked up.
#[test]
fn every_locked_crate_was_looked_up_in_the_advisory_database() {
    let looked_up = std::fs::read_to_string(".ci/advisory-db/looked-up").unwrap();
    let looked_up: Vec<&str> = looked_up.lines().collect();
    assert!(looked_up.is_sorted(), "make deny compares it line by line");
    let lock = std::fs::read_to_string("Cargo.lock").unwrap();
    let mut missing: Vec<String> = packages(&lock).into_iter().map(|(name, _)| name).collect();
    missing.retain(|name| name != "ict-index" && !looked_up.contains(&name.as_str()));
    assert_eq!(missing, [] as [String; 0]);
    for entry in std::fs::read_dir(".ci/advisory-db/crates").unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(looked_up.contains(&name.as_str()), "{name} has advisories and was not looked up");
    }
}

#[test]
fn every_crate_comes_from_the_one_registry_and_none_is_banned() {
    let lock = std::fs::read_to_string("Cargo.lock").unwrap();
    for block in lock.split("[[package]]").skip(1).filter(|block| !block.contains("name = \"ict-index\"")) {
        let registry = block.contains("source = \"registry+https://github.com/rust-lang/crates.io-index\"");
        assert!(registry && block.contains("\nchecksum = \""), "{block}");
    }
    let deny = std::fs::read_to_string("deny.toml").unwrap();
    let banned: Vec<&str> =
        deny.lines().filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split('"').next()).collect();
    assert!(banned.contains(&"openssl-sys"), "the test must see what is banned: {banned:?}");
    for (name, _) in packages(&lock) {
        assert!(!banned.contains(&name.as_str()), "{name} is banned");
    }
}
