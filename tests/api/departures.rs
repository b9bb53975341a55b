//! Callers that depart: what they began goes on, and is theirs until it has ended.

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures::FutureExt;
use futures::future::{Either, join_all, select};
use ict_index::db::{Caller, Permit, Reader, sql};
use ict_index::http::{Problem, ProblemCode};
use serde_json::json;

use crate::support::{Answer, PASSWORD, TestService, until};

/// A connection of its own to the test's database, on which this was said.
async fn saying(service: &TestService, statements: &str) -> AsyncPgConnection {
    let mut conn = AsyncPgConnection::establish(&service.url()).await.unwrap();
    conn.batch_execute(statements).await.unwrap();
    conn
}

/// Lets requests go on until it is so, and departs.
async fn abandon_once(
    what: &str,
    requests: impl IntoIterator<Item = impl Future<Output = Answer>>,
    so: impl AsyncFnMut() -> bool,
) {
    match select(Box::pin(join_all(requests)), Box::pin(until(what, so))).await {
        Either::Left((answers, _)) => panic!("they ended: {}", answers[0].text()),
        Either::Right(((), _)) => {}
    }
}

/// Permits that are left to a caller.
fn left(admit: impl Fn() -> Option<Permit>) -> usize {
    std::iter::from_fn(admit).collect::<Vec<_>>().len()
}

#[actix_web::test]
async fn an_abandoned_request_holds_its_permit_until_its_work_has_ended() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let tag = service.get("agencies/SO-YT").as_(&token).send().await.expect(200).etag();
    let mut holder = saying(&service, "begin; select 1 from agencies where code = 'SO-YT' for update").await;
    let caller = Caller::named("user:coordinator");
    let left = || left(|| service.state.db().admit(&caller).ok());
    let change = |_| {
        let change = service.patch("agencies/SO-YT", json!({"name_en": "Health"}));
        change.as_(&token).if_match(&tag).send()
    };
    let all_wait = async || service.state.db().pool_status() == (6, 0, 34);
    abandon_once("forty wait for the row, or for a connection", (0..40).map(change), all_wait).await;
    assert_eq!(left(), 24, "two thirds of 96, less what goes on");
    holder.batch_execute("rollback").await.unwrap();
    until("their work has ended", async || left() == 64).await;
}

#[actix_web::test]
async fn an_abandoned_login_holds_its_permit_until_its_work_has_ended() {
    let service = TestService::start().await;
    // The first transaction of a login does not touch it; the one that opens the session does.
    let mut holder = saying(&service, "begin; lock table sessions in access exclusive mode").await;
    let address = Caller::named("address:unknown");
    let left = || left(|| service.state.db().admit_anonymous(&address).ok());
    let login = |_| service.post("auth/login", json!({"username": "monitor", "password": PASSWORD})).send();
    let mut conn = saying(&service, "").await;
    let waiting = "select count(*) as value from pg_locks l join pg_database d on d.oid = l.database \
        where d.datname = current_database() and not l.granted and l.relation = 'sessions'::regclass";
    let all_wait = async || sql(waiting).value::<i64>(&mut conn).await.unwrap() == 5;
    abandon_once("their passwords are verified", (0..5).map(login), all_wait).await;
    assert_eq!(left(), 27, "two thirds of 48, less what goes on");
    holder.batch_execute("rollback").await.unwrap();
    until("their work has ended", async || left() == 32).await;
}

#[actix_web::test]
async fn an_abandoned_read_over_a_shared_connection_is_its_callers_until_the_server_has_answered_it() {
    let service = TestService::start().await;
    let mut holder = saying(&service, "select pg_advisory_lock(42)").await;
    let (db, caller) = (service.state.db(), Caller::named("user:hog"));
    let read = || {
        db.read_shared(&caller, async |conn: &mut Reader<'_>| {
            let waits = "select pg_advisory_xact_lock_shared(42) is null as value";
            Ok::<bool, Problem>(sql(waits).value(conn).await?)
        })
    };
    let mut reads: Vec<_> = (0..171).map(|_| Box::pin(read())).collect();
    let before = db.statements();
    assert!(reads.iter_mut().all(|read| read.now_or_never().is_none()), "two thirds of 256 are admitted");
    let sent = until("they are sent", async || db.statements() >= before + 171);
    match select(Box::pin(join_all(reads)), Box::pin(sent)).await {
        Either::Left(_) => panic!("they wait for a lock"),
        Either::Right(((), reads)) => drop(reads),
    }
    let refused = read().now_or_never().expect("refused at once").unwrap_err();
    assert_eq!(
        (refused.code, refused.detail.is_some()),
        (ProblemCode::Unavailable, true),
        "its share is used up"
    );
    holder.batch_execute("select pg_advisory_unlock(42)").await.unwrap();
    until("the server has answered them", async || read().await.is_ok()).await;
}

#[actix_web::test]
async fn an_abandoned_export_is_cancelled_and_its_callers_until_the_server_has_ended_it() {
    let service = TestService::start().await;
    let staging = service.state.db().staging();
    // The first row is there at once, the second does not come while the test lasts.
    let text = "copy (select repeat('x', 200000) union all select pg_sleep(600)::text) to stdout";
    let exports =
        [staging.copy_out(text.to_owned()).await.unwrap(), staging.copy_out(text.to_owned()).await.unwrap()];
    assert_eq!(staging.in_use(), (2, 0));
    drop(exports);
    until("their permits are given back", async || staging.in_use() == (0, 0)).await;
    let mut conn = saying(&service, "").await;
    let running = "select count(*) as value from pg_stat_activity where datname = current_database() \
        and state = 'active' and query like 'copy (select repeat%'";
    assert_eq!(sql(running).value::<i64>(&mut conn).await.unwrap(), 0, "nothing runs that nobody reads");
}
