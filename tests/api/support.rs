//! A service per test.
//!
//! `scripts/test.sh` starts a private PostgreSQL and sets `TEST_DATABASE_URL`. A template database is migrated and seeded
//! once per build of the migrations and data; each test gets a copy of it, and drops it.

use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use actix_http::error::PayloadError;
use actix_http::{BoxedPayloadStream, Payload, Request};
use actix_web::body::{BoxBody, to_bytes};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, init_service};
use actix_web::web::Bytes;
use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures::future::LocalBoxFuture;
use futures::{FutureExt, Stream, StreamExt};
use ict_index::app;
use ict_index::auth::{KeyRing, PasswordCost, Passwords, SecondFactor, SecondFactorPolicy, TokenKeys};
use ict_index::clock::Clock;
use ict_index::db::generations::Kind;
use ict_index::db::{Conn, Db, DbSettings, Sql, migrations, sql};
use ict_index::dossiers::rollups::Difference;
use ict_index::dossiers::verify::verify;
use ict_index::http::Problem;
use ict_index::seed;
use ict_index::state::{Authentication, State};
use serde_json::{Value, json};
use uuid::Uuid;

/// Password of every account in a test.
pub const PASSWORD: &str = "ruong bac thang 332";
/// Where a test's clock stands unless it moves it: inside the plan's year.
pub const NOW: &str = "2018-03-15T02:00:00Z";

/// Cheap enough for hundreds of logins; the real cost is tested in `auth::password`.
const CHEAP: PasswordCost = PasswordCost { memory_kib: 64, iterations: 1 };

pub fn admin_url() -> String {
    std::env::var("TEST_DATABASE_URL").expect("TEST_DATABASE_URL is not set: run the tests with `make test`")
}

pub fn url_of(database: &str) -> String {
    let url = admin_url();
    let (server, _) = url.rsplit_once('/').expect("TEST_DATABASE_URL ends in /postgres");
    format!("{server}/{database}")
}

pub async fn admin(statement: &str) {
    let mut conn = AsyncPgConnection::establish(&admin_url()).await.expect("the test server answers");
    conn.batch_execute(statement).await.expect(statement);
}

/// Name of the migrated and seeded template; made by whichever test comes first.
async fn template() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    static MAKING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = MAKING.lock().await;
    if NAME.get().is_none() {
        let name = format!("template_{}", Uuid::now_v7().simple());
        admin(&format!("create database {name}")).await;
        migrations::migrate(&url_of(&name)).await.expect("migrations apply");
        let db = Db::new(&DbSettings::new(url_of(&name))).unwrap();
        let now = "2018-01-01T00:00:00Z".parse().unwrap();
        seed::plan(&db, now).await.map_err(describe).expect("the plan loads");
        let passwords = Passwords::new(CHEAP).unwrap();
        seed::demo_accounts(&db, &passwords, PASSWORD, now).await.map_err(describe).expect("accounts load");
        drop(db);
        // Connections of a dropped pool close in their own time; a template must have none.
        let end = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
        admin(&end).await;
        NAME.set(name).unwrap();
    }
    NAME.get().unwrap()
}

/// Copying the files is three times as fast as copying through the log; servers before 15 always do so.
async fn copy_database(database: &str, template: &str) {
    let mut conn = AsyncPgConnection::establish(&admin_url()).await.expect("the test server answers");
    let version: i32 =
        sql("select current_setting('server_version_num')::int as value").value(&mut conn).await.unwrap();
    let strategy = if version >= 150_000 { "strategy file_copy" } else { "" };
    let statement = format!("create database {database} template {template} {strategy}");
    conn.batch_execute(&statement).await.expect("a copy of the template");
}

/// The URL with another user.
pub fn url_as(url: &str, user: &str, password: &str) -> String {
    let (_, place) = url.rsplit_once('@').expect("the URL has a user");
    format!("postgres://{user}:{password}@{place}")
}

/// Looks again and again until it is so; a loaded machine gets its time, a broken one does not get forever.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..2_000 {
        if so().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it did not come about that {what}");
}

/// An address for a process to listen on. A free port of 127.0.0.1 may be some connection's by the time the process takes it; no other test
/// connects from an address of this test's own.
pub fn own_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (process, next) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let [.., high, low] = process.to_be_bytes();
    format!("127.{}.{high}.{low}:{}", 1 + (process >> 16) % 254, 20_000 + next)
}

fn describe(problem: Problem) -> String {
    format!("{problem:?}")
}

/// The application, whatever its type: a request in, an answer out.
type App = Box<dyn Fn(Request) -> LocalBoxFuture<'static, ServiceResponse<BoxBody>>>;

/// A running service with its own database.
pub struct TestService {
    pub state: State,
    pub clock: Clock,
    database: String,
    /// It made the database and drops it.
    owns: bool,
    app: App,
    key_file: Option<std::path::PathBuf>,
    as_owner: bool,
}

/// A file with new token keys.
fn key_file() -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("token-{}.keys", Uuid::now_v7()));
    TokenKeys::rotate(&path, Utc::now()).expect("a key file");
    path
}

fn settings_of(database: &str) -> DbSettings {
    let mut settings = DbSettings::new(url_of(database));
    settings.max_connections = 6;
    // A loaded machine is not a failing one.
    settings.checkout_timeout_ms = 20_000;
    settings.lock_timeout_ms = 20_000;
    settings.statement_timeout_ms = 120_000;
    settings.changes_trusted_ms = 20_000;
    settings
}

async fn application(state: State) -> App {
    let service = Rc::new(init_service(app::build(state)).await);
    Box::new(move |request| {
        let answer = service.call(request);
        async move { answer.await.unwrap().map_into_boxed_body() }.boxed_local()
    })
}

impl Drop for TestService {
    fn drop(&mut self) {
        if let Some(file) = &self.key_file {
            let _ = std::fs::remove_file(file);
        }
        if !self.owns {
            return;
        }
        let database = self.database.clone();
        // Off this runtime: a test's own is ending.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(admin(&format!("drop database {database} with (force)")));
        })
        .join()
        .ok();
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: actix_web::http::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null when there is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    pub fn etag(&self) -> String {
        self.header("etag").to_owned()
    }

    /// The status is this one; the whole answer is shown when not.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// It is a problem of this status and code; the first error's code counts too.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let body = answer.json();
        let inner = body["errors"].as_array().is_some_and(|all| all.iter().any(|e| e["code"] == code));
        assert!(body["code"] == code || inner, "no {code} in {body}");
        answer
    }

    /// Values of one member of all items.
    pub fn column(&self, name: &str) -> Vec<Value> {
        self.json()["items"].as_array().expect("items").iter().map(|item| item[name].clone()).collect()
    }
}

/// A request in the making.
pub struct Call<'s> {
    service: &'s TestService,
    request: TestRequest,
    body: Option<Vec<u8>>,
}

impl TestService {
    /// A service on a copy of the seeded template, with its clock at [`NOW`].
    pub async fn start() -> Self {
        Self::start_with(Clock::fixed(NOW.parse().unwrap()), None).await
    }

    /// As [`TestService::start`], with the rights of the tables' owner, for whom row-level security does not hold.
    pub async fn start_without_wall() -> Self {
        let service = Self::start().await;
        service.beside_as(true, None).await.owning(service)
    }

    /// Takes over the database of another.
    pub fn owning(mut self, mut other: Self) -> Self {
        self.owns = std::mem::take(&mut other.owns);
        self
    }

    async fn start_with(clock: Clock, key_file: Option<std::path::PathBuf>) -> Self {
        let _ = env_logger::builder().is_test(true).filter_level(log::LevelFilter::Error).try_init();
        let template = template().await;
        let database = format!("test_{}", Uuid::now_v7().simple());
        copy_database(&database, template).await;
        let keys = match &key_file {
            Some(file) => TokenKeys::load(file).unwrap(),
            None => TokenKeys::generate(clock.now()),
        };
        let settings = settings_of(&database);
        let mut service = Self::on(database, true, clock, KeyRing::new(keys, None), settings).await;
        service.key_file = key_file;
        service
    }

    /// Another service on the same database, with the same keys and clock: a second instance behind the same proxy.
    pub async fn beside(&self) -> Self {
        self.beside_with_replica(None).await
    }

    /// As [`TestService::beside`], with a standby.
    pub async fn beside_with_replica(&self, replica_url: Option<String>) -> Self {
        self.beside_as(false, replica_url).await
    }

    /// As [`TestService::beside`], connected as this user with this password.
    pub async fn beside_of(&self, user: &str, password: &str) -> Self {
        self.beside_at(url_as(&self.url(), user, password)).await
    }

    /// As [`TestService::beside`], connected by another URL.
    pub async fn beside_at(&self, url: String) -> Self {
        let settings = DbSettings { url, ..settings_of(&self.database) };
        Self::on(self.database.clone(), false, self.clock.clone(), self.state.keys().clone(), settings).await
    }

    async fn beside_as(&self, as_owner: bool, replica_url: Option<String>) -> Self {
        let mut settings = settings_of(&self.database);
        (settings.as_owner, settings.replica_url) = (as_owner, replica_url);
        Self::on(self.database.clone(), false, self.clock.clone(), self.state.keys().clone(), settings).await
    }

    /// As [`TestService::beside`], with so much memory.
    pub async fn beside_with_memory(&self, memory: app::Memory) -> Self {
        let (keys, settings) = (self.state.keys().clone(), settings_of(&self.database));
        Self::with_memory(self.database.clone(), false, self.clock.clone(), keys, settings, memory).await
    }

    /// As [`TestService::beside`], before its preflight has found the database fit.
    pub async fn beside_before_preflight(&self) -> Self {
        let authentication = Authentication {
            keys: self.state.keys().clone(),
            passwords: self.state.passwords().clone(),
            second_factor: SecondFactor::new(SecondFactorPolicy::Optional, None),
        };
        let db = Db::new(&settings_of(&self.database)).unwrap();
        let state = app::state(db, self.clock.clone(), authentication).unwrap();
        Self::not_admitting(state, self.clock.clone(), self.database.clone(), false, false).await
    }

    async fn on(database: String, owns: bool, clock: Clock, keys: KeyRing, settings: DbSettings) -> Self {
        Self::with_memory(database, owns, clock, keys, settings, app::Memory::default()).await
    }

    async fn with_memory(
        database: String,
        owns: bool,
        clock: Clock,
        keys: KeyRing,
        settings: DbSettings,
        memory: app::Memory,
    ) -> Self {
        let db = Db::new(&settings).unwrap();
        let passwords = Passwords::new(CHEAP).unwrap();
        let second_factor = SecondFactor::new(SecondFactorPolicy::Optional, None);
        let authentication = Authentication { keys, passwords, second_factor };
        let state = app::state_with(db, clock.clone(), authentication, memory).unwrap();
        Self::of(state, clock, database, owns, settings.as_owner).await
    }

    async fn of(state: State, clock: Clock, database: String, owns: bool, as_owner: bool) -> Self {
        state.admit_requests();
        Self::not_admitting(state, clock, database, owns, as_owner).await
    }

    async fn not_admitting(state: State, clock: Clock, database: String, owns: bool, as_owner: bool) -> Self {
        let app = application(state.clone()).await;
        Self { state, clock, database, owns, app, key_file: None, as_owner }
    }

    /// The same service with keys for second factors, in which administrators and coordinators need one.
    pub async fn requiring_second_factor(self) -> Self {
        self.with_second_factor(SecondFactorPolicy::Required).await
    }

    pub async fn with_second_factor(self, policy: SecondFactorPolicy) -> Self {
        let mut settings = settings_of(&self.database);
        settings.as_owner = self.as_owner;
        let (db, clock) = (Db::new(&settings).unwrap(), self.clock.clone());
        let ring = KeyRing::new(TokenKeys::generate(clock.now()), None);
        let authentication = Authentication {
            keys: self.state.keys().clone(),
            passwords: Passwords::new(CHEAP).unwrap(),
            second_factor: SecondFactor::new(policy, Some(ring)),
        };
        let state = app::state(db, clock.clone(), authentication).unwrap();
        let other = Self::of(state, clock, self.database.clone(), false, self.as_owner).await;
        other.owning(self)
    }

    /// As [`TestService::start`], with the system's time and token keys in a file, for tests that also run the binary.
    pub async fn start_on_system_time() -> Self {
        Self::start_with(Clock::System, Some(key_file())).await
    }

    /// The file that the service has its token keys from.
    pub fn key_file(&self) -> &std::path::Path {
        self.key_file.as_deref().expect("this service was started with a key file")
    }

    /// Listens on a free port until the test ends; answers the URL.
    pub fn listen(&self) -> String {
        let state = self.state.clone();
        let server = actix_web::HttpServer::new(move || app::build(state.clone()))
            .workers(1)
            .disable_signals()
            .bind("127.0.0.1:0")
            .expect("a free port");
        let url = format!("http://{}", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        url
    }

    /// Waits until changes are heard of: before, nothing is answered from memory.
    pub async fn listening(self) -> Self {
        self.await_listening().await;
        self
    }

    pub async fn await_listening(&self) {
        until("changes are heard of", async || self.state.db().generations().is_trusted()).await;
    }

    /// Waits until this instance has heard of everything that is committed by now: no notification that is still on its way drops
    /// what is cached in memory from now on.
    pub async fn settled(&self) {
        let now = Instant::now();
        until("everything committed is heard of", async || self.state.db().generations().has_observed(now))
            .await;
    }

    pub fn url(&self) -> String {
        url_of(&self.database)
    }

    /// Moves the clock to an instant such as `2018-04-01T00:00:00Z`.
    pub fn at(&self, instant: &str) {
        self.clock.set(instant.parse::<DateTime<Utc>>().unwrap());
    }

    pub fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str, body: Value) -> Call<'_> {
        self.call("POST", path).json(&body)
    }

    pub fn put(&self, path: &str, body: Value) -> Call<'_> {
        self.call("PUT", path).json(&body)
    }

    pub fn patch(&self, path: &str, body: Value) -> Call<'_> {
        self.call("PATCH", path).json(&body)
    }

    pub fn delete(&self, path: &str) -> Call<'_> {
        self.call("DELETE", path)
    }

    /// A path without a leading `/` is under `/api/v1/`.
    pub fn call(&self, method: &str, path: &str) -> Call<'_> {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/api/v1/{path}") };
        let request = TestRequest::with_uri(&path).method(method.parse().unwrap());
        Call { service: self, request, body: None }
    }

    /// Access token of a demo account.
    pub async fn token(&self, username: &str) -> String {
        let answer = self
            .post("auth/login", json!({"username": username, "password": PASSWORD}))
            .send()
            .await
            .expect(200);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Access token of a demo client.
    pub async fn client_token(&self, client: &str) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id={client}&client_secret={}",
            PASSWORD.replace(' ', "+")
        );
        let answer = self.call("POST", "oauth/token").form(&form).send().await.expect(200);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// Runs a statement in the test's database as the owner of its tables, for states that no request makes.
    pub async fn sql(&self, statement: Sql) -> usize {
        self.try_sql(statement).await.unwrap()
    }

    /// As [`TestService::sql`], for statements that may be refused.
    pub async fn try_sql(&self, statement: Sql) -> Result<usize, String> {
        let work = async move |conn: &mut Conn| {
            sql("set local role none").run(conn).await?;
            Ok::<_, Problem>(statement.run(conn).await?)
        };
        self.state.db().transaction(work).await.map_err(describe)
    }

    /// What a recount of all facts finds to be wrong; `repair` makes it right.
    pub async fn verify(&self, repair: bool) -> Vec<Difference> {
        self.state
            .db()
            .transaction(async move |conn: &mut Conn| {
                sql("set local role none").run(conn).await?;
                Ok::<_, Problem>(verify(conn, repair).await?.differences)
            })
            .await
            .map_err(describe)
            .unwrap()
    }

    /// Statements that `work` sends to the database when nothing is answered from memory and no other instance commits: a change heard of
    /// meanwhile has statistics queried again.
    pub async fn statements_of(&self, work: impl Future<Output = Answer>) -> (u64, Answer) {
        self.settled().await;
        [Kind::Callers, Kind::Figures].into_iter().for_each(|kind| self.state.db().generations().bump(kind));
        self.further_statements_of(work).await
    }

    /// Statements that `work` sends to the database. Where it is to be answered from memory, [`TestService::settled`] belongs before what
    /// fills the memory.
    pub async fn further_statements_of(&self, work: impl Future<Output = Answer>) -> (u64, Answer) {
        let before = self.state.db().statements();
        let answer = work.await;
        (self.state.db().statements() - before, answer)
    }
}

impl Call<'_> {
    pub fn as_(mut self, token: &str) -> Self {
        self.request = self.request.insert_header(("Authorization", format!("Bearer {token}")));
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.append_header((name.to_owned(), value.to_owned()));
        self
    }

    /// The peer's address.
    pub fn sent_from(mut self, address: &str) -> Self {
        self.request = self.request.peer_addr(std::net::SocketAddr::new(address.parse().unwrap(), 4711));
        self
    }

    pub fn if_match(self, etag: &str) -> Self {
        self.header("If-Match", etag)
    }

    pub fn json(self, body: &Value) -> Self {
        self.raw("application/json", serde_json::to_vec(body).unwrap())
    }

    pub fn form(self, body: &str) -> Self {
        self.raw("application/x-www-form-urlencoded", body.as_bytes().to_vec())
    }

    pub fn raw(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.request = self.request.insert_header(("Content-Type", content_type.to_owned()));
        self.body = Some(body.into());
        self
    }

    pub async fn send(self) -> Answer {
        let request = match self.body {
            Some(body) => self.request.set_payload(body),
            None => self.request,
        };
        answer(self.service, request.to_request()).await
    }

    /// Sends a body that comes in pieces. Dropped before its end, this is a client that departs.
    pub async fn send_stream(self, pieces: impl Stream<Item = Vec<u8>> + 'static) -> Answer {
        let pieces = pieces.map(|piece| Ok::<_, PayloadError>(Bytes::from(piece)));
        let payload: BoxedPayloadStream = Box::pin(pieces);
        let (request, _) = self.request.to_request().replace_payload(Payload::Stream { payload });
        answer(self.service, request).await
    }
}

async fn answer(service: &TestService, request: Request) -> Answer {
    let (_, response) = (service.app)(request).await.into_parts();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body()).await.map(|b| b.to_vec()).unwrap_or_default();
    Answer { status, headers, body }
}
