//! The roles of the database: what each may do, and as whom the service works.

use diesel_async::{AsyncConnection, AsyncPgConnection};
use ict_index::db::{Conn, Db, DbSettings, RlsContext, durability, migrations, sql};
use ict_index::http::Problem;
use serde_json::json;
use uuid::Uuid;

use super::read;
use crate::operations::refused;
use crate::support::{TestService, admin, url_as, url_of};

const PRIVILEGES: &str = "tests/fixtures/table_privileges.csv";

/// As docs/operations.md has it: a login that is a member of the role and nothing else serves; one that bypasses row-level security does not.
#[actix_web::test]
async fn a_login_of_its_own_is_enough_to_serve_and_one_past_the_wall_is_refused() {
    let service = TestService::start_on_system_time().await;
    let name = |kind: &str| format!("{kind}_{}", Uuid::now_v7().simple());
    let (own, past, reader) = (name("own"), name("past"), name("reader"));
    admin(&format!(
        "create role {own} login password 'x' in role ict_index_app; create role {past} login password 'x' bypassrls; \
         create role {reader} login password 'x' in role ict_index_read; alter role {reader} set ict_index.scope = 'all'"
    ))
    .await;
    service.sql(sql(format!("grant select on __diesel_schema_migrations to {past}"))).await;
    let other = service.beside_of(&own, "x").await;
    let token = other.token("officer.so-yt").await;
    let new = json!({"agency": "SO-YT", "period": "2018-01"});
    other.post("submissions", new).as_(&token).header("Idempotency-Key", "k").send().await.expect(201);
    assert_eq!(other.get("submissions").as_(&token).send().await.expect(200).column("agency"), ["SO-YT"]);
    other.get("statistics/progress").as_(&token).send().await.expect(200);

    let url = url_as(&service.url(), &past, "x");
    let keys = service.key_file().to_str().unwrap().to_owned();
    let (code, said) =
        refused(&[("DATABASE_URL", &url), ("TOKEN_KEY_FILE", &keys), ("DATABASE_UNSAFE", "allow")]);
    assert!(code == Some(2) && said.contains("connect as a member of ict_index_app"), "{said}");

    let url = url_as(&service.url(), &reader, "x");
    let (code, said) =
        refused(&[("DATABASE_URL", &url), ("TOKEN_KEY_FILE", &keys), ("DATABASE_UNSAFE", "allow")]);
    assert!(code == Some(2) && said.contains("connect as a member of ict_index_app"), "{said}");

    let mut conn = AsyncPgConnection::establish(&url_as(&service.url(), &reader, "x")).await.unwrap();
    let seen = "select count(*) as value from submissions";
    assert_eq!(sql(seen).value::<i64>(&mut conn).await.unwrap(), 1);
    for secret in [
        "select password_hash from users",
        "select * from refresh_tokens",
        "select * from client_secrets",
        "select body from idempotency_keys",
        "update agencies set name = ''",
    ] {
        let refused = sql(secret).run(&mut conn).await.expect_err(secret).to_string();
        assert!(refused.contains("permission denied"), "{secret}: {refused}");
    }
    drop((conn, other));
    service.sql(sql(format!("revoke all on __diesel_schema_migrations from {past}"))).await;
    admin(&format!("drop role {own}; drop role {past}; drop role {reader}")).await;
}

/// `tests/fixtures/table_privileges.csv` is read by people: a new table is a line they see.
#[actix_web::test]
async fn every_table_was_thought_of() {
    let service = TestService::start().await;
    let lines: Vec<String> = read(&service, RlsContext::default(), async |conn: &mut Conn| {
        let text = "select concat_ws(',', c.relname, case when c.relrowsecurity then 'walled' else '-' end, \
             array_to_string(array(select p from unnest(array['select', 'insert', 'update', 'delete', 'truncate']) p \
               where has_table_privilege('ict_index_app', c.oid, p)), '|'), \
             case when has_table_privilege('ict_index_read', c.oid, 'select') then 'select' \
               when has_any_column_privilege('ict_index_read', c.oid, 'select') then 'some columns' else '-' end) as value \
             from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition \
             order by c.relname";
        Ok::<_, Problem>(sql(text).values(conn).await?)
    })
    .await;
    let now = format!("table,wall,ict_index_app,ict_index_read\n{}\n", lines.join("\n"));
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(PRIVILEGES, &now).unwrap();
        return;
    }
    let reviewed = std::fs::read_to_string(PRIVILEGES).unwrap_or_default();
    assert!(
        reviewed == now,
        "{PRIVILEGES} differs: review the change, then UPDATE_FIXTURES=1 make test\n{now}"
    );
}

/// An owner without any other right: told what an administrator has to do, and served when it is done.
#[actix_web::test]
async fn an_ordinary_owner_needs_an_administrator_once() {
    let owner = format!("owner_{}", Uuid::now_v7().simple());
    // The roles are there once any database was migrated.
    drop(TestService::start().await);
    admin(&format!("create role {owner} login password 'x'")).await;
    admin(&format!("create database {owner} owner {owner}")).await;
    let url = url_as(&url_of(&owner), &owner, "x");
    let refused = migrations::migrate(&url).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("{owner} may not make them")), "{refused}");
    admin(&format!("grant ict_index_app to {owner}")).await;
    migrations::migrate(&url).await.unwrap();
    let db = Db::new(&DbSettings::new(url.clone())).unwrap();
    let seen = async |conn: &mut Conn| {
        let statistics = "select (select count(*) from reported_submissions) = 0 as value";
        Ok::<_, Problem>((durability::is_walled(conn).await?, sql(statistics).value::<bool>(conn).await?))
    };
    assert_eq!(db.read(seen).await.map_err(|problem| format!("{problem:?}")), Ok((true, true)));
    drop(db);
    admin(&format!("drop database {owner} with (force)")).await;
    admin(&format!("drop role {owner}")).await;
}
