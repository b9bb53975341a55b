//! What cannot be decided is refused: a login without row-level security, a relation without a policy, a word that is none of the list.

use ict_index::db::{Caller, Conn, Reader, sql};
use ict_index::http::Problem;
use serde_json::json;
use uuid::Uuid;

use crate::caches::foreign_write;
use crate::matrix::world::World;
use crate::operations::{Logged, refused};
use crate::support::{PASSWORD, TestService, admin, until, url_as, url_of};

async fn readyz(serving: &Logged) -> u16 {
    serving.curl("/readyz", &[]).await
}

#[actix_web::test]
async fn nothing_is_served_before_the_preflight_has_found_the_database_fit() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let other = service.beside_before_preflight().await;
    let login = json!({"username": "monitor", "password": PASSWORD});
    for _ in 0..2 {
        other.get("/healthz").send().await.expect(200);
        other.get("/openapi.json").send().await.expect(200);
        other.get("/readyz").send().await.expect_problem(503, "UNAVAILABLE");
        other.get("agencies").as_(&token).send().await.expect_problem(503, "UNAVAILABLE");
        other.get("agencies").send().await.expect_problem(503, "UNAVAILABLE");
        other.post("auth/login", login.clone()).send().await.expect_problem(503, "UNAVAILABLE");
    }
    other.state.admit_requests();
    other.get("/readyz").send().await.expect(200);
    other.get("agencies").as_(&token).send().await.expect(200);
}

/// Starts before its database, with a login that row-level security does not hold for.
#[actix_web::test]
async fn a_database_that_comes_after_the_service_is_examined_and_ends_it_when_it_is_unfit() {
    let service = TestService::start_on_system_time().await;
    let (login, database) =
        (format!("late_{}", Uuid::now_v7().simple()), format!("late_db_{}", Uuid::now_v7().simple()));
    admin(&format!("create role {login} login password 'x' bypassrls")).await;
    let mut serving =
        Logged::start_at(&url_as(&url_of(&database), &login, "x"), service.key_file(), "info", &[]);
    until("the service listens without its database", async || readyz(&serving).await == 503).await;
    // It comes by another name first: all at once, as a database that was only unreachable does.
    admin(&format!("create database {database}_made")).await;
    ict_index::db::migrations::migrate(&url_of(&format!("{database}_made"))).await.unwrap();
    admin(&format!("alter database {database}_made rename to {database}")).await;
    let mut code = None;
    until("the service ends", async || {
        assert_ne!(readyz(&serving).await, 200, "it serves past row-level security");
        code = serving.child.try_wait().unwrap().map(|status| status.code());
        code.is_some()
    })
    .await;
    let said = serving.text();
    assert_eq!(code, Some(Some(2)), "{said}");
    assert!(said.contains("connect as a member of ict_index_app"), "{said}");
    admin(&format!("drop database {database} with (force)")).await;
    admin(&format!("drop role {login}")).await;
}

#[actix_web::test]
async fn migrations_that_come_after_the_service_are_waited_for() {
    let service = TestService::start_on_system_time().await;
    let database = format!("late_db_{}", Uuid::now_v7().simple());
    admin(&format!("create database {database}")).await;
    // An empty database refuses a start, so the service begins before it: with no login allowed yet.
    admin(&format!("alter database {database} allow_connections false")).await;
    let mut serving = Logged::start_at(&url_of(&database), service.key_file(), "info", &[]);
    until("the service listens", async || readyz(&serving).await == 503).await;
    admin(&format!("alter database {database} allow_connections true")).await;
    until("it says what it waits for", async || serving.text().contains("the database is empty")).await;
    ict_index::db::migrations::migrate(&url_of(&database)).await.unwrap();
    until("it serves", async || {
        assert!(serving.child.try_wait().unwrap().is_none(), "{}", serving.text());
        readyz(&serving).await == 200
    })
    .await;
    let said = serving.text();
    assert!(said.contains("database ready"), "ready before its preflight: {said}");
    drop(serving);
    admin(&format!("drop database {database} with (force)")).await;
}

/// Pooled, shared, copying and listening: none works with the rights of a login that may not take the role on.
#[actix_web::test]
async fn every_connection_takes_the_role_on_or_is_none() {
    let service = TestService::start().await;
    let login = format!("stranger_{}", Uuid::now_v7().simple());
    admin(&format!("create role {login} login password 'x' superuser")).await;
    admin(&format!("alter role {login} nosuperuser bypassrls")).await;
    let other = service.beside_of(&login, "x").await;
    let db = other.state.db();
    let one = "select 1 as value";
    let shared: Result<i32, Problem> = db
        .read_shared(&Caller::system(), async |conn: &mut Reader<'_>| Ok(sql(one).value(conn).await?))
        .await;
    let pooled = db.read(async move |conn: &mut Conn| Ok::<i32, Problem>(sql(one).value(conn).await?)).await;
    for cause in [shared.unwrap_err(), pooled.unwrap_err()] {
        let cause = cause.internal_cause().unwrap_or_default().to_owned();
        assert!(cause.contains("permission denied to set role"), "{cause}");
    }
    let copied = db.staging().copy_out("copy (select 1) to stdout".into()).await;
    assert!(format!("{copied:?}").contains("permission denied to set role"), "{copied:?}");
    // Only who listens tries again: more connections have come to an end than all others together began.
    let ended = async || {
        let ended = "select sessions as value from pg_stat_database where datname = current_database()";
        let work = async move |conn: &mut Conn| Ok::<i64, Problem>(sql(ended).value(conn).await?);
        service.state.db().read(work).await.unwrap()
    };
    let before = ended().await;
    db.listen();
    until("the listening connection is refused again and again", async || ended().await > before + 10).await;
    assert!(!db.generations().is_trusted(), "it listens without the role");
    other.get("/readyz").send().await.expect(503);
    drop(other);
    admin(&format!("drop role {login}")).await;
}

/// The role itself may have been raised since: each new connection looks.
#[actix_web::test]
async fn a_login_that_is_the_role_and_owns_tables_is_refused() {
    let service = TestService::start_on_system_time().await;
    let login = format!("owner_{}", Uuid::now_v7().simple());
    // What the application's role is a member of, it owns.
    foreign_write(&service, "alter table submissions owner to ict_index_app").await;
    admin(&format!("create role {login} login password 'x' in role ict_index_app")).await;
    let other = service.beside_of(&login, "x").await;
    other.get("/readyz").send().await.expect(503);
    let keys = service.key_file().to_str().unwrap().to_owned();
    let url = url_as(&service.url(), &login, "x");
    let (code, said) =
        refused(&[("DATABASE_URL", &url), ("TOKEN_KEY_FILE", &keys), ("DATABASE_UNSAFE", "allow")]);
    assert!(code == Some(2) && said.contains("row-level security does not hold"), "{said}");
    drop(other);
    admin(&format!("drop role {login}")).await;
}

#[actix_web::test]
async fn what_is_made_later_is_closed_until_it_is_granted_and_an_unguarded_grant_refuses_the_start() {
    let service = TestService::start_on_system_time().await;
    foreign_write(
        &service,
        "create table new_table (agency_id integer); create view new_view as select * from submissions; \
         create materialized view new_copy as select * from submissions; create sequence new_numbers; \
         create table new_partition partition of dossier_counts for values from ('2041-01-01') to ('2042-01-01')",
    )
    .await;
    let granted = "select count(*) as value from pg_class where relnamespace = 'public'::regnamespace \
        and (relname like 'new_%' or relispartition) and relkind in ('r', 'v', 'm') and has_table_privilege('ict_index_app', oid, 'select')";
    let count = |text: &'static str| {
        service.state.db().read(async move |conn: &mut Conn| Ok::<i64, Problem>(sql(text).value(conn).await?))
    };
    assert_eq!(count(granted).await.ok(), Some(0));
    // What is called after a migration gives partitions and unlisted views nothing either; a table is its migration's to decide on.
    foreign_write(&service, "select grant_service_roles()").await;
    assert_eq!(count(granted).await.ok(), Some(1), "the table");
    foreign_write(
        &service,
        "alter view new_view set (security_invoker = true); select grant_service_roles()",
    )
    .await;
    assert_eq!(count(granted).await.ok(), Some(2), "a view with the rights of its reader");
    let keys = service.key_file().to_str().unwrap().to_owned();
    for (grant, named) in [
        ("grant select on new_partition to ict_index_app", "new_partition"),
        ("grant select on new_copy to public", "new_copy"),
        ("alter view new_view reset (security_invoker)", "new_view"),
    ] {
        foreign_write(&service, grant).await;
        let (code, said) = refused(&[
            ("DATABASE_URL", &service.url()),
            ("TOKEN_KEY_FILE", &keys),
            ("DATABASE_UNSAFE", "allow"),
        ]);
        assert!(code == Some(2) && said.contains(named), "{said}");
    }
}

#[actix_web::test]
async fn a_word_in_a_row_that_is_none_of_its_list_is_a_fault_and_grants_nothing() {
    let world = World::of(TestService::start().await).await;
    let submission = world.submission("SO-YT", "accepted").await;
    let (coordinator, officer) = (world.tokens["coordinator"].clone(), world.tokens["officer"].clone());
    let service = world.service;
    let portal = service.client_token("portal").await;
    let unchecked = |table: &str| {
        format!(
            "do $$ declare c record; begin for c in select conname from pg_constraint where conrelid = '{table}'::regclass \
             and contype = 'c' loop execute format('alter table {table} drop constraint %I', c.conname); end loop; end $$"
        )
    };
    for table in ["users", "clients", "submissions", "targets"] {
        foreign_write(&service, &unchecked(table)).await;
    }
    let whole = service.get(&format!("submissions/{submission}")).as_(&coordinator).send().await.expect(200);
    foreign_write(&service, &format!("update submissions set state = 'sealed' where id = '{submission}'"))
        .await;
    for path in [format!("submissions/{submission}"), "submissions".into()] {
        service.get(&path).as_(&coordinator).send().await.expect_problem(500, "INTERNAL");
    }
    let values = service
        .put(&format!("submissions/{submission}/values"), json!({"values": []}))
        .if_match(&whole.etag())
        .as_(&officer)
        .send()
        .await;
    assert!(!values.status.is_success(), "what is not known to be a draft cannot be changed");
    // What is answered from memory is answered until the change is heard of.
    let fails = async |path: &str, token: &str| {
        let status = async || service.get(path).as_(token).send().await.status.as_u16();
        until(&format!("{path} fails"), async || status().await == 500).await;
    };
    foreign_write(&service, "update targets set comparator = 'about'").await;
    fails("statistics/dossier-rates?period=2018-02", &coordinator).await;
    foreign_write(
        &service,
        "update clients set scopes = array_append(scopes, 'everything') where client_id = 'portal'",
    )
    .await;
    fails("agencies", &portal).await;
    foreign_write(&service, "update users set role = 'director' where username = 'coordinator'").await;
    fails("agencies", &coordinator).await;
    service.get("agencies").as_(&officer).send().await.expect(200);
}
