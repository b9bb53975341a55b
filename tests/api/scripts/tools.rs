//! The project's own tools: they leave nothing running, end when what they measure ends, and give no secret to `ps`.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use regex::Regex;

use super::{Place, path_with};
use crate::support::until;

impl Place {
    fn program(&self, name: &str, text: &str) {
        let path = self.file(name, text);
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// A checkout of its own with these files of this one.
    fn with_files(names: &[&str]) -> Self {
        let place = Self::new();
        for name in names {
            let target = place.0.join(name);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(name, target).unwrap();
        }
        place
    }

    fn run(&self, name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut bash = Command::new("bash");
        bash.arg(self.0.join(name)).args(arguments).envs(environment.iter().copied()).output().unwrap()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A process that has ended and whose parent does not ask is gone, too.
fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

#[actix_web::test]
async fn what_keeps_the_processors_busy_ends_with_the_run_and_all_its_processes() {
    let place = Place::with_files(&["scripts/repeat.sh", "scripts/common.sh"]);
    place.program("scripts/ensure-tools.sh", "#!/bin/sh\n");
    // The run lasts until the worker is there.
    let run = "#!/bin/sh\nuntil [ -s \"$NOTE\" ]; do sleep 0.01; done\necho 'test x ... ok'\necho 'test result: ok. 1 passed'\n";
    place.program("scripts/test.sh", run);
    fs::create_dir(place.0.join("bin")).unwrap();
    place.program("bin/cargo", "#!/bin/sh\n");
    // As `stress` does: the work is done by its children.
    let stress = "#!/bin/sh\nsleep 600 >/dev/null 2>&1 &\necho $! >>\"$NOTE\"\nwait\n";
    place.program("bin/stress", stress);
    let (note, path) = (place.0.join("workers"), path_with(&place.0.join("bin")));
    fs::write(&note, "").unwrap();
    let environment =
        [("PATH", path.as_str()), ("NOTE", note.to_str().unwrap()), ("TIMES", "1"), ("BUSY", "1")];
    let output = place.run("scripts/repeat.sh", &[], &environment);
    let workers = fs::read_to_string(&note).unwrap();
    let left = || workers.lines().filter(|pid| is_running(pid)).count();
    assert!(output.status.success() && !workers.is_empty(), "{}", stderr(&output));
    until("no worker is left", async || left() == 0).await;
}

#[test]
fn a_crate_that_was_never_looked_up_is_an_error_before_anything_is_installed() {
    let files =
        ["scripts/deny.sh", "scripts/common.sh", ".ci/advisory-db/looked-up", "Cargo.lock", "deny.toml"];
    let place = Place::with_files(&files);
    let lock = fs::read_to_string("Cargo.lock").unwrap()
        + "\n[[package]]\nname = \"never-seen\"\nversion = \"1.0.0\"\n";
    place.file("Cargo.lock", &lock);
    let output = place.run("scripts/deny.sh", &[], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("not looked up in the advisory database: never-seen ("),
        "{}",
        stderr(&output)
    );
}

/// Answers logins, and cuts every other answer off in the middle.
fn cut_off(mut connection: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if connection.read(&mut byte).unwrap_or_default() == 0 {
            return;
        }
        head.push(byte[0]);
    }
    let login = head.windows(10).any(|part| part == b"auth/login");
    let answer = if login {
        "HTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: close\r\n\r\n{\"access_token\":\"x\"}"
    } else {
        "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"
    };
    let _ = connection.write_all(answer.as_bytes());
}

#[test]
fn a_measurement_ends_with_an_error_when_its_connection_does() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || listener.incoming().flatten().for_each(cut_off));
    let own = std::process::id().to_string();
    let mut python = Command::new("python3");
    python.args([
        "-B",
        "scripts/edge_times.py",
        &url,
        "--pid",
        &own,
        "--seconds",
        "1",
        "--only",
        "parameters",
    ]);
    let mut child = python.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let code = (0..1200).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        child.try_wait().unwrap()
    });
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code.and_then(|status| status.code()), Some(1), "it must end: {}", stderr(&output));
    assert!(stderr(&output).contains("error: /readyz was not answered"), "{}", stderr(&output));
}

/// Lines of a script, continuations joined.
fn commands(text: &str) -> Vec<String> {
    let lines = text.replace("\\\n", " ");
    lines.lines().filter(|line| !line.trim_start().starts_with('#')).map(str::to_owned).collect()
}

/// A program that is started with a secret among its arguments. What is in front of its name is environment, what follows `<<<` its input.
fn shows_a_secret(line: &str) -> bool {
    let programs =
        r"(curl|psql|createdb|python3|node|env|docker|podman|pg_[a-z]+|\$\{?(binary|service|SERVICE)\b)";
    let secret = r#"\$\{?([a-z_]*(secret|password)|[A-Z_]*(PASSWORD|SECRET))\b"#;
    let shown = Regex::new(&format!(r#"(^|[\s(|"]){programs}["}}]?\s(.*?){secret}"#)).unwrap();
    shown.captures(line).is_some_and(|found| !found[4].contains("<<<"))
}

#[test]
fn no_script_hands_a_secret_over_among_arguments() {
    for shown in [
        r#"psql -X -v owner="$ICT_INDEX_OWNER_PASSWORD" "$1" <<'SQL'"#,
        r#"python3 -B walk.py "$api" "$secret" "$@""#,
        r#"answer=$(curl -sf "$api" -u "x:$DEMO_PASSWORD")"#,
    ] {
        assert!(shows_a_secret(shown), "the check sees what it is for: {shown}");
    }
    let mut seen = 0;
    for directory in ["scripts", "scripts/image", "tests", "docs/ha", ".ci"] {
        for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            // The tour is that of docs/tour.md, with the demo's password.
            let is_script = entry.extension().is_some_and(|e| e == "sh") || entry.ends_with(".ci/run");
            if !is_script || entry.ends_with("tour.sh") {
                continue;
            }
            seen += 1;
            for line in commands(&fs::read_to_string(&entry).unwrap()) {
                assert!(!shows_a_secret(&line), "{}: {line}", entry.display());
            }
        }
    }
    assert!(seen > 20, "the test must see scripts");
}

#[test]
fn the_cluster_makes_its_logins_by_the_same_script_with_passwords_from_files() {
    let place = Place::new();
    place.file("owner_password", "owner's secret");
    place.file("service_password", "service's secret");
    let path = path_with(&place.programs(&["psql"]));
    let environment = [("PATH", path.as_str()), ("ICT_INDEX_SECRETS", place.0.to_str().unwrap())];
    let mut init = Command::new("sh");
    init.args(["docs/ha/post-init.sh", "postgres://postgres@127.0.0.1/postgres"]).envs(environment);
    let output = init.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let called = place.called();
    assert!(called.contains(&format!("-v secrets={}", place.0.display())), "{called}");
    assert!(called.contains("/database-roles.sql postgres://postgres@127.0.0.1/postgres"), "{called}");
    assert!(!called.contains("'s secret"), "{called}");
    // The image has the script beside it.
    let compose = fs::read_to_string("docs/ha/docker-compose.ha.yml").unwrap();
    assert!(compose.contains("COPY --from=scripts database-roles.sql /etc/patroni/"));
    assert!(Path::new("scripts/database-roles.sql").exists());
}
