//! The schema's history can be walked both ways, and the schema keeps the house rules.

use diesel_async::{AsyncConnection, AsyncPgConnection};
use ict_index::db::{Sql, migrations, sql};

use crate::support::{TestService, admin, url_of};

/// Everything a schema consists of, as sorted lines.
const FINGERPRINT: &str = "select line as value from ( \
    select 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '-') \
      || ' ' || is_identity || ' ' || coalesce(numeric_precision::text, '-') || ' ' || coalesce(numeric_scale::text, '-') as line \
      from information_schema.columns where table_schema = 'public' \
    union all select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint \
      where connamespace = 'public'::regnamespace \
    union all select 'index ' || indexdef from pg_indexes where schemaname = 'public' \
    union all select 'view ' || viewname || ' ' || definition from pg_views where schemaname = 'public' \
    union all select 'function ' || p.proname || ' ' || md5(p.prosrc) from pg_proc p \
      left join pg_depend d on d.objid = p.oid and d.deptype = 'e' where p.pronamespace = 'public'::regnamespace and d.objid is null \
    union all select 'trigger ' || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal \
    union all select 'policy ' || tablename || ' ' || policyname || ' ' || cmd || ' ' || coalesce(qual, '-') || ' ' || coalesce(with_check, '-') \
      from pg_policies where schemaname = 'public' \
    union all select 'walled ' || relname from pg_class where relnamespace = 'public'::regnamespace and relrowsecurity \
    union all select 'privileges ' || relname || ' ' || relacl::text from pg_class where relnamespace = 'public'::regnamespace and relacl is not null \
    union all select 'privileges of later ' || defaclobjtype::text || ' ' || defaclacl::text from pg_default_acl where defaclnamespace = 'public'::regnamespace \
    union all select 'comment ' || objoid::regclass || ' ' || objsubid || ' ' || description from pg_description \
      where classoid = 'pg_class'::regclass and objoid::regclass::text not like 'pg_%' and objoid::regclass::text not like 'information_schema%' \
    ) lines order by line";

async fn lines(url: &str, statement: Sql) -> Vec<String> {
    let mut conn = AsyncPgConnection::establish(url).await.unwrap();
    statement.values(&mut conn).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_up_down_and_up_to_the_same_schema() {
    let database = format!("schema_{}", uuid::Uuid::now_v7().simple());
    admin(&format!("create database {database}")).await;
    let url = url_of(&database);
    migrations::migrate(&url).await.unwrap();
    let first = lines(&url, sql(FINGERPRINT)).await;
    migrations::revert_all(&url).await.unwrap();
    let left: Vec<String> = lines(&url, sql(FINGERPRINT))
        .await
        .into_iter()
        .filter(|line| !line.contains("__diesel_schema_migrations"))
        .collect();
    assert_eq!(left, [] as [String; 0], "taking every migration back must leave nothing");
    migrations::migrate(&url).await.unwrap();
    let second = lines(&url, sql(FINGERPRINT)).await;
    admin(&format!("drop database {database} with (force)")).await;
    assert!(first.len() > 100, "the fingerprint must see the schema");
    assert_eq!(first, second);
}

#[actix_web::test]
async fn every_foreign_key_has_an_index() {
    let service = TestService::start().await;
    let missing = lines(
        &service.url(),
        sql(
            "select c.conrelid::regclass || '.' || c.conname as value from pg_constraint c where c.contype = 'f' \
             and c.connamespace = 'public'::regnamespace and not exists ( \
               select 1 from pg_index i where i.indrelid = c.conrelid and i.indpred is null \
               and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)",
        ),
    )
    .await;
    assert_eq!(missing, [] as [String; 0], "add an index whose first columns are the foreign key's");
}

#[actix_web::test]
async fn constraints_are_named_after_their_table() {
    let service = TestService::start().await;
    let unnamed = lines(
        &service.url(),
        sql(
            "select conrelid::regclass || '.' || conname as value from pg_constraint where connamespace = 'public'::regnamespace \
             and contype in ('p', 'u', 'f', 'c', 'x') and conrelid <> 0 and conrelid::regclass::text <> '__diesel_schema_migrations' \
             and not starts_with(conname, conrelid::regclass::text) \
             and not exists (select 1 from pg_inherits where inhrelid = conrelid)",
        ),
    )
    .await;
    assert_eq!(unnamed, [] as [String; 0], "name the constraint <table>_<columns>_<kind>");
}
