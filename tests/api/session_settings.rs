//! What a server, database or role sets changes nothing of what the service means by a statement or answers.

use ict_index::db::{Caller, Conn, PINNED, REQUIRED, Reader, RlsContext, sql};
use ict_index::http::Problem;
use uuid::Uuid;

use crate::matrix::world::World;
use crate::operations::refused;
use crate::support::{TestService, admin, url_as};

/// Each pinned setting with a value that would change something. Timeouts leave a loaded machine the time to set a connection up.
const ADVERSE: [(&str, &str); 40] = [
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "on"),
    ("escape_string_warning", "off"),
    ("search_path", "hostile, public"),
    ("client_encoding", "LATIN1"),
    ("quote_all_identifiers", "on"),
    ("transform_null_equals", "on"),
    ("array_nulls", "off"),
    ("default_text_search_config", "pg_catalog.english"),
    ("DateStyle", "SQL, DMY"),
    ("IntervalStyle", "sql_standard"),
    ("TimeZone", "Pacific/Auckland"),
    ("timezone_abbreviations", "Australia"),
    ("bytea_output", "escape"),
    ("extra_float_digits", "-15"),
    ("xmlbinary", "hex"),
    ("xmloption", "document"),
    ("lc_monetary", "POSIX"),
    ("lc_numeric", "POSIX"),
    ("lc_time", "POSIX"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_deferrable", "on"),
    ("idle_in_transaction_session_timeout", "30s"),
    ("idle_session_timeout", "30s"),
    ("transaction_timeout", "30s"),
    ("exit_on_error", "on"),
    ("row_security", "off"),
    ("ict_index.scope", "all"),
    ("ict_index.caller", "system"),
    ("client_min_messages", "error"),
    ("check_function_bodies", "off"),
    ("plpgsql.extra_errors", "all"),
    ("gin_fuzzy_search_limit", "1"),
    ("restrict_nonsystem_relation_kind", "view"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "on"),
    ("application_name", "other"),
    ("session_replication_role", "replica"),
    ("lc_messages", "C.UTF-8"),
];

/// Settings that only newer servers know.
const NEWER: [&str; 2] = ["transaction_timeout", "restrict_nonsystem_relation_kind"];

fn database_of(service: &TestService) -> String {
    service.url().rsplit('/').next().unwrap().to_owned()
}

async fn knows(name: &str) -> bool {
    use diesel_async::{AsyncConnection, AsyncPgConnection};
    let mut conn = AsyncPgConnection::establish(&crate::support::admin_url()).await.unwrap();
    let known = sql("select exists (select 1 from pg_settings where name = $1) as value");
    !NEWER.contains(&name) || known.bind(name.to_owned()).value(&mut conn).await.unwrap()
}

/// What hides the service's tables from a session that looks in the wrong schema first.
const HOSTILE: &str = "create schema hostile; grant usage on schema hostile to public; \
    create view hostile.agencies as select * from public.agencies where false; \
    create view hostile.users as select * from public.users where false; \
    grant select on all tables in schema hostile to public";

/// Answers of many kinds: texts of dates in cursors and files, exact numbers, filters with backslashes, rows of one agency.
async fn answers(service: &TestService, coordinator: &str, officer: &str) -> Vec<String> {
    let mut answers = Vec::new();
    for path in [
        "agencies?sort=-name&limit=7",
        "tasks?limit=5&q=cong",
        "audit-events?sort=at&limit=4",
        "submissions?sort=-updated_at&limit=2",
        "submissions?sort=agency,-updated_at&limit=1",
    ] {
        let first = service.get(path).as_(coordinator).send().await.expect(200);
        let next =
            first.json()["page"]["next_cursor"].as_str().map(|cursor| format!("{path}&cursor={cursor}"));
        answers.push(first.text());
        if let Some(next) = next {
            let answer = service.get(&next).as_(coordinator).send().await;
            assert_eq!(answer.status.as_u16(), 200, "{next}: {}", answer.text());
            answers.push(answer.text());
        }
    }
    for path in [
        "audit-events/export?from=2018-01-01",
        "audit-events/export?format=ndjson&to=2018-12-31",
        "audit-events/export?key=%5C'%20or%20true%20--",
        "audit-events/export?format=ndjson&actor=%5C'%20union%20select%20password_hash%20from%20users%20--",
        "dossier-counts/export",
        "dossier-counts/export?agency=SO-YT",
        "audit-events?key=%5C'%20or%20true%20--",
    ] {
        answers.push(service.get(path).as_(coordinator).send().await.expect(200).text());
    }
    for (path, token) in [
        ("submissions", officer),
        ("me", officer),
        ("statistics/service-levels?period=2018", coordinator),
        ("statistics/dossier-rates?period=2018-02&group_by=agency", coordinator),
        ("statistics/progress", coordinator),
    ] {
        let mut body = service.get(path).as_(token).send().await.expect(200).json();
        body.as_object_mut().unwrap().remove("as_of");
        answers.push(body.to_string());
    }
    answers
}

async fn world() -> World {
    let world = World::of(TestService::start().await).await;
    for agency in ["SO-YT", "SO-TTTT"] {
        for state in ["draft", "submitted", "accepted"] {
            world.submission(agency, state).await;
        }
    }
    world
}

/// `name=value` of pinned settings that this connection has otherwise.
const OTHERWISE: &str = "select concat_ws('=', p.name, found.value) as value from unnest($1::text[], $2::text[]) as p(name, value) \
    cross join lateral (select coalesce((select setting from pg_settings s where lower(s.name) = lower(p.name)), current_setting(p.name, true)) as value) found \
    where found.value <> p.value";

fn pinned() -> (Vec<String>, Vec<String>) {
    let required = REQUIRED.iter().map(|(name, value, _)| (*name, *value));
    PINNED.iter().copied().chain(required).map(|(name, value)| (name.to_owned(), value.to_owned())).unzip()
}

async fn otherwise(service: &TestService) -> Vec<String> {
    let db = service.state.db();
    let shared: Result<Vec<String>, Problem> = db
        .read_shared(&Caller::system(), async |conn: &mut Reader<'_>| {
            let (names, values) = pinned();
            Ok(sql(OTHERWISE).bind(names).bind(values).values(conn).await?)
        })
        .await;
    let pooled = db
        .read(async move |conn: &mut Conn| {
            let (names, values) = pinned();
            Ok::<Vec<String>, Problem>(sql(OTHERWISE).bind(names).bind(values).values(conn).await?)
        })
        .await;
    let mut all = shared.map_err(|problem| format!("{problem:?}")).unwrap();
    // Shared connections only read.
    all.retain(|setting| setting != "default_transaction_read_only=on");
    all.extend(pooled.map_err(|problem| format!("{problem:?}")).unwrap());
    // Any English will do.
    all.retain(|setting| !setting.starts_with("lc_messages=en") && !setting.starts_with("lc_messages=C"));
    all
}

/// The settings of the connections that copy.
async fn copying(service: &TestService) -> String {
    let statement = "copy (select name || '=' || setting from pg_settings where name in \
        ('standard_conforming_strings', 'row_security', 'search_path', 'DateStyle', 'session_replication_role') order by name) to stdout";
    let staging = service.state.db().staging().seeing(RlsContext::default());
    let mut pieces = staging.copy_out(statement.to_owned()).await.unwrap();
    let mut text = Vec::new();
    while let Some(piece) = pieces.next().await {
        text.extend_from_slice(&piece.unwrap());
    }
    String::from_utf8(text).unwrap()
}

#[actix_web::test]
async fn no_setting_of_the_database_changes_an_answer() {
    let mut covered: Vec<&str> = ADVERSE.iter().map(|(name, _)| *name).collect();
    let mut names: Vec<String> = pinned().0;
    covered.sort_unstable();
    names.sort_unstable();
    assert_eq!(covered, names, "each pinned setting is tried");
    let world = world().await;
    let (coordinator, officer) = (world.tokens["coordinator"].clone(), world.tokens["officer"].clone());
    let service = world.service;
    crate::caches::foreign_write(&service, HOSTILE).await;
    let database = database_of(&service);
    for (name, value) in ADVERSE {
        if !knows(name).await {
            continue;
        }
        let expected = answers(&service, &coordinator, &officer).await;
        let list = if name == "search_path" { value.to_owned() } else { format!("'{value}'") };
        admin(&format!("alter database {database} set {name} = {list}")).await;
        let other = service.beside().await;
        assert_eq!(otherwise(&other).await, [] as [String; 0], "{name}={value}");
        let found = answers(&other, &coordinator, &officer).await;
        for (n, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found, expected, "answer {n} with {name}={value}");
        }
        // A session is written, and so is the event that says so.
        other.token("monitor").await;
        admin(&format!("alter database {database} reset {name}")).await;
    }
}

#[actix_web::test]
async fn settings_of_the_login_reach_no_connection_and_show_nothing_foreign() {
    let service = world().await.service;
    let login = format!("login_{}", Uuid::now_v7().simple());
    admin(&format!("create role {login} login password 'x' in role ict_index_app")).await;
    let database = database_of(&service);
    for (name, value) in ADVERSE {
        // The login may not change these back: `a_setting_that_only_a_superuser_may_change…`.
        let only_superusers = REQUIRED.iter().any(|(required, ..)| *required == name);
        if name != "search_path" && knows(name).await && !only_superusers {
            admin(&format!("alter role {login} in database {database} set {name} = '{value}'")).await;
        }
    }
    let other = service.beside_of(&login, "x").await;
    assert_eq!(otherwise(&other).await, [] as [String; 0]);
    let copying = copying(&other).await;
    for setting in [
        "DateStyle=ISO, MDY",
        "row_security=on",
        "standard_conforming_strings=on",
        "session_replication_role=origin",
    ] {
        assert!(copying.contains(setting), "{copying}");
    }
    // Work without a caller sees no agency's rows, whatever `ict_index.scope` the login begins with.
    let count = "select count(*) as value from submissions";
    let shared: Result<i64, Problem> = other
        .state
        .db()
        .read_shared(&Caller::system(), async |conn: &mut Reader<'_>| Ok(sql(count).value(conn).await?))
        .await;
    let pooled =
        other.state.db().read(async move |conn: &mut Conn| Ok::<i64, Problem>(sql(count).value(conn).await?));
    assert_eq!((shared.ok(), pooled.await.ok()), (Some(0), Some(0)));
    // Changes are heard of: notices reach the connection that made them.
    let other = other.listening().await;
    let token = other.token("coordinator").await;
    other.get("submissions").as_(&token).send().await.expect(200);
    drop(other);
    admin(&format!("drop owned by {login}; drop role {login}")).await;
}

#[actix_web::test]
async fn a_setting_that_only_a_superuser_may_change_fails_the_connection_and_the_start() {
    let service = TestService::start_on_system_time().await;
    let login = format!("login_{}", Uuid::now_v7().simple());
    admin(&format!("create role {login} login password 'x' in role ict_index_app")).await;
    let database = database_of(&service);
    let keys = service.key_file().to_str().unwrap().to_owned();
    let url = url_as(&service.url(), &login, "x");
    for (name, value, role, said_of_it) in [
        ("session_replication_role", "replica", login.as_str(), "session_replication_role=replica"),
        ("standard_conforming_strings", "off", "postgres", "standard_conforming_strings=off"),
    ] {
        let of = if role == "postgres" {
            format!("database {database}")
        } else {
            format!("role {role} in database {database}")
        };
        admin(&format!("alter {of} set {name} = '{value}'")).await;
        let (code, said) =
            refused(&[("DATABASE_URL", &url), ("TOKEN_KEY_FILE", &keys), ("DATABASE_UNSAFE", "allow")]);
        assert!(code == Some(2) && said.contains(said_of_it), "{said}");
        if role != "postgres" {
            let other = service.beside_of(&login, "x").await;
            other.get("agencies").as_(&service.token("monitor").await).send().await.expect(503);
        }
        admin(&format!("alter {of} reset {name}")).await;
    }
    admin(&format!("drop owned by {login}; drop role {login}")).await;
}
