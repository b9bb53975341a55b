//! What an operator relies on: starts that are refused, lines of the log, headers, metrics that alerts are made of.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{PASSWORD, TestService, admin, own_address, until};

fn command(environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ict-index"));
    command.env_clear().arg("serve").env("SECOND_FACTOR", "optional");
    command.envs(environment.iter().copied()).stdin(Stdio::null());
    command
}

/// Exit code and what was said of a start that is refused; one that is not fails the test.
pub fn refused(environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut child = command(environment).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let give_up = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > give_up {
            child.kill().unwrap();
            panic!("it serves: {environment:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[track_caller]
fn assert_refused(environment: &[(&str, &str)], faults: &[&str]) {
    let (code, said) = refused(environment);
    assert_eq!(code, Some(2), "{said}");
    for fault in faults {
        assert!(said.contains(fault), "{fault} is not among: {said}");
    }
}

#[actix_web::test]
async fn a_start_is_refused_for_everything_that_is_wrong_at_once() {
    assert_refused(&[], &["DATABASE_URL", "TOKEN_KEY_FILE"]);
    assert_refused(&[("SECOND_FACTOR", "required")], &["SECOND_FACTOR_KEY_FILE: missing"]);
    let service = TestService::start_on_system_time().await;
    let (url, keys) = (service.url(), service.key_file().to_str().unwrap().to_owned());
    let database = url.rsplit_once('/').unwrap().1.to_owned();
    admin(&format!("alter database {database} set synchronous_commit = off")).await;
    service
        .sql(ict_index::db::sql(
            "delete from __diesel_schema_migrations where version = (select max(version) from __diesel_schema_migrations)",
        ))
        .await;
    let weak = std::env::temp_dir().join(format!("weak-{}.keys", uuid::Uuid::now_v7()));
    let secret = "eW91ci0yNTYtYml0LXNlY3JldC1jaGFuZ2UtbWUtbm93";
    let text = json!({"keys": [{"kid": "a", "secret": secret, "not_before": "2018-01-01T00:00:00Z"}]});
    std::fs::write(&weak, text.to_string()).unwrap();
    let weak = weak.to_str().unwrap();
    assert_refused(
        &[("DATABASE_URL", &url), ("TOKEN_KEY_FILE", weak), ("BIND_ADDRESS", "nowhere")],
        &[
            "TOKEN_KEY_FILE",
            "well-known example",
            "BIND_ADDRESS",
            "migrations are pending",
            "synchronous_commit=off",
        ],
    );
    assert_refused(
        &[("DATABASE_URL", &url), ("TOKEN_KEY_FILE", &keys)],
        &["migrations are pending", "synchronous_commit=off", "DATABASE_UNSAFE"],
    );
    assert_refused(
        &[("DATABASE_URL", &url), ("TOKEN_KEY_FILE", &keys), ("DATABASE_UNSAFE", "allow")],
        &["migrations are pending"],
    );
    let elsewhere = "postgres://ict_index:postgres@db.invalid/ict_index";
    assert_refused(&[("DATABASE_URL", elsewhere), ("TOKEN_KEY_FILE", &keys)], &["well-known example"]);
    let (_, said) = refused(&[("DATABASE_URL", elsewhere), ("TOKEN_KEY_FILE", weak)]);
    assert!(!said.contains(secret) && !said.contains(":postgres@"), "a secret is repeated: {said}");
    std::fs::remove_file(weak).unwrap();
}

/// The binary on a test's database with its log in a file, ended with it.
pub struct Logged {
    pub child: Child,
    log: std::path::PathBuf,
    pub url: String,
}

impl Logged {
    pub fn start(service: &TestService, filter: &str) -> Self {
        Self::start_with(service, filter, &[])
    }

    /// As [`Logged::start`], with further variables.
    pub fn start_with(service: &TestService, filter: &str, further: &[(&str, &str)]) -> Self {
        Self::start_at(&service.url(), service.key_file(), filter, further)
    }

    /// As [`Logged::start_with`], on any database.
    pub fn start_at(url: &str, keys: &std::path::Path, filter: &str, further: &[(&str, &str)]) -> Self {
        let address = own_address();
        let log = std::env::temp_dir().join(format!("log-{}.txt", uuid::Uuid::now_v7()));
        let child = command(&[
            ("DATABASE_URL", url),
            ("TOKEN_KEY_FILE", keys.to_str().unwrap()),
            ("BIND_ADDRESS", &address),
            ("DATABASE_UNSAFE", "allow"),
            ("RUST_LOG", filter),
        ])
        .envs(further.iter().copied())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .expect("the binary starts");
        Self { child, log, url: format!("http://{address}") }
    }

    pub fn text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Status of a request sent by curl; 0: nobody listens.
    pub async fn curl(&self, path: &str, arguments: &[&str]) -> u16 {
        Self::curl_at(&format!("{}{path}", self.url), arguments).await
    }

    pub async fn curl_at(url: &str, arguments: &[&str]) -> u16 {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is"]);
        curl.args(arguments).arg(url);
        let output = tokio::task::spawn_blocking(move || curl.output().expect("curl runs")).await.unwrap();
        String::from_utf8(output.stdout).unwrap().parse().unwrap_or(0)
    }

    /// As [`Logged::curl`], again while the answer is to come again: on a busy machine a connection may take longer than the service
    /// waits for one.
    async fn answered(&self, path: &str, arguments: &[&str]) -> u16 {
        let mut status = 503;
        until("it answers", async || {
            status = self.curl(path, arguments).await;
            status != 503
        })
        .await;
        status
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.log);
    }
}

#[actix_web::test]
async fn the_log_says_what_to_act_on_and_holds_no_secret_and_no_content() {
    let service = TestService::start_on_system_time().await;
    let logged = Logged::start(&service, "debug");
    until("the service listens", async || logged.curl("/readyz", &[]).await == 200).await;
    let token = service.token("coordinator").await;
    let bearer = format!("Authorization: Bearer {token}");
    let json = "Content-Type: application/json";
    let login = |password: &str| format!(r#"{{"username":"monitor","password":"{password}"}}"#);
    let statuses = [
        logged.answered("/api/v1/auth/login", &["-H", json, "-d", &login(PASSWORD)]).await,
        logged.answered("/api/v1/auth/login", &["-H", json, "-d", &login("PLANTED-password-wrong")]).await,
        logged
            .answered("/api/v1/auth/refresh", &["-H", json, "-d", r#"{"refresh_token":"PLANTED-refresh"}"#])
            .await,
        logged
            .answered(
                "/api/v1/oauth/token",
                &["-u", "vnpt:PLANTED-client-secret", "-d", "grant_type=client_credentials"],
            )
            .await,
        logged.answered("/api/v1/agencies", &["-H", "Authorization: Bearer PLANTED-token"]).await,
        logged.answered("/api/v1/agencies?q=PLANTED-query", &["-H", &bearer]).await,
        logged.answered("/api/v1/agencies/PLANTED-path", &["-H", &bearer]).await,
        logged
            .answered("/PLANTED-unrouted", &["-H", "Cookie: session=PLANTED-cookie", "-A", "PLANTED-agent"])
            .await,
        logged.answered("/api/v1/audit-events?from=PLANTED-parameter", &["-H", &bearer]).await,
        logged
            .answered(
                "/api/v1/agencies",
                &[
                    "-H",
                    json,
                    "-H",
                    &bearer,
                    "-H",
                    "Idempotency-Key: PLANTED-key",
                    "-d",
                    r#"{"code":"A1","name":"PLANTED-name","kind":"department"}"#,
                ],
            )
            .await,
        logged
            .answered("/api/v1/agencies", &["-H", json, "-H", &bearer, "-d", r#"{"code":"PLANTED-body"#])
            .await,
        logged.answered("/api/v1/agencies?active_on=-10000-01-01", &["-H", &bearer]).await,
        logged.answered("/api/v1/agencies?active_on=-262143-01-01", &["-H", &bearer]).await,
        logged.answered(&format!("/api/v1/indicators?cursor={}", forged_cursor()), &["-H", &bearer]).await,
    ];
    assert_eq!(statuses, [200, 401, 401, 401, 401, 200, 404, 404, 400, 201, 400, 400, 400, 400]);
    let database = service.url().rsplit_once('/').unwrap().1.to_owned();
    until("the lines are written", async || {
        logged.text().lines().filter(|line| line.contains("access]") && line.contains("status=400")).count()
            >= 5
    })
    .await;
    let log = logged.text();
    let error = log.lines().find(|line| line.contains(" ERROR "));
    assert_eq!(error, None, "what callers did is no error of the service");
    let line = |parts: &[&str]| log.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(line(&[
        "access]",
        "method=POST",
        "route=/api/v1/auth/login",
        "status=401",
        "duration_ms=",
        "request_id="
    ]));
    assert!(line(&["access]", "route=/api/v1/agencies/{code}", "status=404", "caller=user:coordinator"]));
    for planted in
        ["PLANTED", PASSWORD, token.as_str(), "Bearer ey", "-10000-01-01", "$argon2", "select ", &database]
    {
        let found = log.lines().find(|line| line.contains(planted));
        assert_eq!(found, None, "{planted} is in the log");
    }
}

/// A cursor of another list.
fn forged_cursor() -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"q":"0","k":["-262143-01-01"]}"#)
}

#[actix_web::test]
async fn a_database_that_is_gone_is_a_line_of_the_log_with_its_cause() {
    let service = TestService::start_on_system_time().await;
    let logged = Logged::start(&service, "info");
    until("the service listens", async || logged.curl("/readyz", &[]).await == 200).await;
    let database = service.url().rsplit_once('/').unwrap().1.to_owned();
    admin(&format!("alter database {database} allow_connections false")).await;
    admin(&format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'"))
        .await;
    until("it is not ready", async || logged.curl("/readyz", &[]).await == 503).await;
    assert_eq!(logged.curl("/healthz", &[]).await, 200);
    until("it is logged", async || logged.text().contains("database unreachable cause=")).await;
    admin(&format!("alter database {database} allow_connections true")).await;
    until("it is ready again", async || logged.curl("/readyz", &[]).await == 200).await;
}

#[actix_web::test]
async fn every_answer_has_the_headers_that_protect_it() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let login = json!({"username": "monitor", "password": PASSWORD});
    let tag = service.get("agencies/SO-YT").as_(&token).send().await.etag();
    let answers = [
        ("landing", 200, service.get("/").send().await),
        ("docs", 200, service.get("/docs/").send().await),
        ("docs redirect", 308, service.get("/docs").send().await),
        ("description", 200, service.get("/openapi.json").send().await),
        ("health", 200, service.get("/healthz").send().await),
        ("metrics", 200, service.get("/metrics").send().await),
        ("unknown path", 404, service.get("/nowhere").send().await),
        ("unknown method", 405, service.call("PUT", "agencies").send().await),
        ("stranger", 401, service.get("agencies").send().await),
        ("list", 200, service.get("agencies").as_(&token).send().await),
        ("csv", 200, service.get("agencies?format=csv").as_(&token).send().await),
        (
            "not changed",
            304,
            service.get("agencies/SO-YT").as_(&token).header("If-None-Match", &tag).send().await,
        ),
        ("statistic", 200, service.get("statistics/service-levels?period=2018-02").as_(&token).send().await),
        ("forbidden", 403, service.get("users").as_(&token).send().await),
        (
            "malformed",
            400,
            service.call("POST", "agencies").as_(&token).raw("application/json", "{").send().await,
        ),
        (
            "too large",
            413,
            service
                .call("POST", "agencies")
                .as_(&token)
                .raw("application/json", vec![b' '; 300_000])
                .send()
                .await,
        ),
        ("login", 200, service.post("auth/login", login).send().await),
    ];
    for (name, status, answer) in &answers {
        assert_eq!(answer.status.as_u16(), *status, "{name}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{name}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{name}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{name}");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{name}");
        assert!(!answer.header("x-request-id").is_empty(), "{name}");
        let kept = answer.header("cache-control");
        assert!(kept.contains("private") || kept.contains("no-store"), "{name}: {kept}");
        for telling in ["server", "x-powered-by", "access-control-allow-origin"] {
            assert_eq!(answer.header(telling), "", "{name}: {telling}");
        }
    }
    let tokens = &answers.last().unwrap().2;
    assert_eq!(tokens.header("cache-control"), "no-store");
}

#[actix_web::test]
async fn an_instance_that_stops_asks_its_clients_to_go() {
    let service = TestService::start().await;
    let url = service.listen();
    let head = async || {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-i"]).arg(format!("{url}/healthz"));
        let output = tokio::task::spawn_blocking(move || curl.output().expect("curl runs")).await.unwrap();
        String::from_utf8(output.stdout).unwrap().to_lowercase()
    };
    until("the service listens", async || head().await.contains("200 ok")).await;
    assert!(!head().await.contains("connection: close"));
    service.state.begin_stopping();
    let told = head().await;
    assert!(told.contains("200 ok") && told.contains("connection: close"), "{told}");
}

/// Names of metrics in a text.
fn metrics_in(text: &str) -> Vec<String> {
    let name = regex::Regex::new(r"ict_index_[a-z_]+").unwrap();
    name.find_iter(text).map(|found| found.as_str().to_owned()).collect()
}

#[actix_web::test]
async fn every_metric_that_alerts_and_documents_name_is_there() {
    let service = TestService::start().await;
    service.get("/healthz").send().await.expect(200);
    let shown = metrics_in(&service.get("/metrics").send().await.expect(200).text());
    for file in ["docs/alerts.yml", "docs/operations.md"] {
        let named = metrics_in(&std::fs::read_to_string(file).unwrap());
        assert!(named.len() > 5, "{file} names metrics");
        // Roles of the database are named alike.
        let roles = ["ict_index_app", "ict_index_read", "ict_index_service"];
        for name in named.into_iter().filter(|name| !roles.contains(&name.as_str())) {
            assert!(shown.contains(&name), "{file}: {name} is not among the metrics");
        }
    }
}
