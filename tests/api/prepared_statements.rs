//! However many statements callers compose, a connection keeps few of them prepared; those that are used often stay so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use ict_index::db::{Caller, Conn, Db, DbSettings, MOST_PREPARED, Reader, sql};
use ict_index::http::{Problem, ProblemCode};
use tokio::sync::Barrier;

use crate::support::{TestService, admin, until};

/// What each pooled connection holds: its process, statements that it keeps prepared, and bytes of its memory.
async fn backends(db: &Db, connections: usize) -> BTreeMap<i32, (i64, i64)> {
    let all_have_one = Arc::new(Barrier::new(connections));
    let looks = (0..connections).map(|_| {
        let all_have_one = all_have_one.clone();
        db.transaction(async move |conn: &mut Conn| {
            all_have_one.wait().await;
            sql("set local role none").run(conn).await?;
            let pid: i32 = sql("select pg_backend_pid() as value").value(conn).await?;
            let prepared: i64 =
                sql("select count(*) as value from pg_prepared_statements").value(conn).await?;
            let bytes = "select sum(total_bytes)::bigint as value from pg_backend_memory_contexts";
            Ok::<_, Problem>((pid, (prepared, sql(bytes).value::<i64>(conn).await?)))
        })
    });
    let found: Result<_, _> = join_all(looks).await.into_iter().collect();
    found.map_err(|problem: Problem| format!("{problem:?}")).unwrap()
}

/// Filters of the list of procedures, and everything it can be sorted by.
fn combinations() -> impl Iterator<Item = String> {
    const FILTERS: [&str; 6] =
        ["q=a", "level=3", "field=x", "agency=SO-YT", "status=in_force", "channel=online"];
    let mut sorts = vec![String::new()];
    let mut longest = vec![Vec::new()];
    for _ in 0..3 {
        longest = longest
            .iter()
            .flat_map(|keys: &Vec<String>| {
                ["field", "name", "code"].iter().flat_map(move |key| {
                    let longer = move |sign: &str| [&keys[..], &[format!("{sign}{key}")]].concat();
                    let is_new = !keys.iter().any(|other| other.trim_start_matches('-') == *key);
                    is_new.then(|| [longer(""), longer("-")]).into_iter().flatten()
                })
            })
            .collect();
        sorts.extend(longest.iter().map(|keys| format!("sort={}", keys.join(","))));
    }
    (0..2 * (1 << FILTERS.len())).flat_map(move |bits: usize| {
        let mut parts: Vec<&str> =
            FILTERS.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 1).map(|(_, text)| *text).collect();
        if bits >> FILTERS.len() & 1 == 1 {
            parts.push("count=exact");
        }
        let filters: Vec<String> = parts.into_iter().map(str::to_owned).collect();
        sorts.clone().into_iter().map(move |sort| {
            let sort = Some(sort).filter(|sort| !sort.is_empty());
            let parameters: Vec<String> = filters.iter().cloned().chain(sort).collect();
            format!("services?limit=1{}", parameters.iter().map(|one| format!("&{one}")).collect::<String>())
        })
    })
}

#[actix_web::test]
async fn ten_thousand_combinations_of_filters_and_orders_leave_few_statements_prepared() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let paths: Vec<String> = combinations().collect();
    assert!(paths.len() >= 10_000, "{}", paths.len());
    service.get(paths.last().unwrap()).as_(&token).send().await.expect(200);
    let before = backends(service.state.db(), 6).await;
    // As many at a time as there are connections: each gets its share.
    for some in paths.chunks(6) {
        for answer in join_all(some.iter().map(|path| service.get(path).as_(&token).send())).await {
            answer.expect(200);
        }
    }
    let after = backends(service.state.db(), 6).await;
    for (pid, (prepared, bytes)) in after {
        let grown = bytes - before.get(&pid).map_or(0, |(_, bytes)| *bytes);
        assert!(prepared <= i64::from(MOST_PREPARED), "{prepared} statements stay prepared by {pid}");
        assert!(grown < 24 << 20, "{pid} has grown by {grown} bytes with {prepared} statements");
    }
}

/// Each composed text often enough to be worth keeping: the connections are replaced before they hold too many.
#[actix_web::test]
async fn composed_texts_that_are_each_used_often_are_bounded_on_pooled_and_shared_connections() {
    let service = TestService::start().await;
    let db = service.state.db();
    let count = "select count(*) as value from pg_prepared_statements";
    for n in 0..3_000 {
        for _ in 0..4 {
            let text = format!("select {n} as value");
            let shared = text.clone();
            let read: Result<i32, Problem> = db
                .read_shared(&Caller::system(), async |conn: &mut Reader<'_>| {
                    Ok(sql(shared.clone()).value(conn).await?)
                })
                .await;
            assert_eq!(read.map_err(|problem| format!("{problem:?}")).unwrap(), n);
            let read = db.read(async move |conn: &mut Conn| Ok::<i32, Problem>(sql(text).value(conn).await?));
            assert_eq!(read.await.map_err(|problem| format!("{problem:?}")).unwrap(), n);
        }
        if n % 100 == 99 {
            let prepared: Result<i64, Problem> = db
                .read_shared(&Caller::system(), async |conn: &mut Reader<'_>| {
                    Ok(sql(count).value(conn).await?)
                })
                .await;
            let prepared = prepared.map_err(|problem| format!("{problem:?}")).unwrap();
            assert!(prepared <= i64::from(MOST_PREPARED), "{prepared} on a shared connection");
        }
    }
    for (pid, (prepared, _)) in backends(db, 6).await {
        assert!(prepared <= i64::from(MOST_PREPARED), "{prepared} statements stay prepared by {pid}");
    }
}

#[actix_web::test]
async fn what_is_used_often_is_prepared_and_what_is_written_in_the_source_at_once() {
    let service = TestService::start().await;
    let text = format!("select {} as value -- often", uuid::Uuid::now_v7().as_u128() % 1_000_000);
    let is_prepared = service.state.db().read(async move |conn: &mut Conn| {
        let of = "select count(*) as value from pg_prepared_statements where statement = $1";
        let fixed = "select 7 as value -- fixed";
        sql(fixed).value::<i32>(conn).await?;
        assert_eq!(sql(of).bind(fixed).value::<i64>(conn).await?, 1);
        for uses in 1..=1_000 {
            sql(text.clone()).value::<i32>(conn).await?;
            let prepared = sql(of).bind(text.clone()).value::<i64>(conn).await? == 1;
            assert!(uses > 1 || !prepared, "prepared for one use");
            if prepared {
                return Ok::<_, Problem>(true);
            }
        }
        Ok(false)
    });
    assert_eq!(is_prepared.await.map_err(|problem| format!("{problem:?}")), Ok(true));
}

#[actix_web::test]
async fn connections_are_replaced_when_they_are_old_and_work_goes_on() {
    let service = TestService::start().await;
    let mut settings = DbSettings::new(service.url());
    settings.max_connections = 1;
    settings.checkout_timeout_ms = 20_000;
    settings.max_connection_age = Duration::from_millis(200);
    let db = Db::new(&settings).unwrap();
    let pid = "select pg_backend_pid() as value";
    let pooled = async || {
        let read =
            db.read(async move |conn: &mut Conn| Ok::<i32, Problem>(sql(pid).value(conn).await?)).await;
        read.map_err(|problem| format!("{problem:?}")).unwrap()
    };
    let shared = async || {
        let read: Result<i32, Problem> = db
            .read_shared(&Caller::system(), async |conn: &mut Reader<'_>| Ok(sql(pid).value(conn).await?))
            .await;
        read.map_err(|problem| format!("{problem:?}")).unwrap()
    };
    let (first_pooled, first_shared) = (pooled().await, shared().await);
    until("a pooled connection is replaced", async || pooled().await != first_pooled).await;
    until("a shared connection is replaced", async || shared().await != first_shared).await;
    let gone = format!(
        "select count(*) = 0 as value from pg_stat_activity where pid in ({first_pooled}, {first_shared})"
    );
    until("the old ones have ended", async || {
        let gone = gone.clone();
        let read =
            db.read(async move |conn: &mut Conn| Ok::<bool, Problem>(sql(gone).value(conn).await?)).await;
        read.map_err(|problem| format!("{problem:?}")).unwrap()
    })
    .await;
}

#[actix_web::test]
async fn a_shared_connection_that_is_full_serves_no_longer_although_no_other_can_be_had() {
    let service = TestService::start().await;
    let database = service.url().rsplit_once('/').unwrap().1.to_owned();
    let read = async |n: i32| -> Result<i32, Problem> {
        let (caller, text) = (Caller::system(), format!("select {n} as value"));
        let work = async |conn: &mut Reader<'_>| Ok(sql(text.clone()).value(conn).await?);
        service.state.db().read_shared(&caller, work).await
    };
    read(0).await.unwrap();
    admin(&format!("alter database {database} allow_connections false")).await;
    let mut refused = None;
    for n in 0..2 * i32::try_from(MOST_PREPARED).unwrap() {
        for _ in 0..4 {
            refused = refused.or(read(n).await.err());
        }
    }
    assert_eq!(refused.expect("it goes on without a bound").code, ProblemCode::Unavailable);
    admin(&format!("alter database {database} allow_connections true")).await;
    until("another one is open", async || read(0).await.is_ok()).await;
}
