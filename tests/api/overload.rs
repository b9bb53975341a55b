//! More than is carried: excess requests are rejected at once (load shedding), and what needs no permit goes on.

use futures::future::{Either, select};
use futures::{StreamExt, stream};
use ict_index::db::{Caller, Permit};
use serde_json::json;

use crate::dossiers::{add_service, batch, row};
use crate::support::{PASSWORD, TestService, until};

/// Takes all permits but so many, in the names of as many callers as it needs: none may hold all of them.
fn all_but(service: &TestService, left: usize) -> Vec<Permit> {
    let names = (0..20).map(|n| Caller::named(format!("user:hog-{n}")));
    let of = |caller: Caller| std::iter::from_fn(move || service.state.db().admit(&caller).ok());
    let mut taken: Vec<Permit> = names.flat_map(of).collect();
    assert!(taken.len() > 90, "{} permits", taken.len());
    taken.truncate(taken.len() - left);
    taken
}

#[actix_web::test]
async fn every_way_to_the_pool_is_refused_at_once_when_its_permits_are_taken() {
    let service = TestService::start().await;
    add_service(&service, "L3", "Đất đai", &[(3, "2017-06-01")], &["SO-YT"]).await;
    let token = service.token("coordinator").await;
    let tag = service.get("agencies/SO-YT").as_(&token).send().await.expect(200).etag();
    let taken = all_but(&service, 0);
    let agency = json!({"code": "SO-MOI", "name": "Sở Mới", "kind": "department"});
    let rows = batch(&[row("SO-YT", "L3", "online", 5, 0)]);
    let ways = || {
        [
            ("a read", service.get("audit-events")),
            ("a change", service.patch("agencies/SO-YT", json!({"name_en": "Health"})).if_match(&tag)),
            ("a creation", service.post("agencies", agency.clone()).header("Idempotency-Key", "k")),
            ("a dry run", service.put("dossier-batches/SO-YT/2018-02?dry_run=true", rows.clone())),
        ]
    };
    for (what, call) in ways() {
        let answer = call.as_(&token).send().await;
        assert_eq!(answer.status, 503, "{what}");
        assert_eq!(answer.expect_problem(503, "UNAVAILABLE").header("retry-after"), "1", "{what}");
    }
    // Reads over shared connections, logins and health have bounds of their own.
    service.get("statistics/service-levels?period=2018-03").as_(&token).send().await.expect(200);
    service.get("/readyz").send().await.expect(200);
    let login = json!({"username": "monitor", "password": PASSWORD});
    service.post("auth/login", login).send().await.expect(200);

    drop(taken);
    for (what, call) in ways() {
        assert!(call.as_(&token).send().await.status.is_success(), "{what}");
    }
}

#[actix_web::test]
async fn a_delivery_that_stalls_holds_no_permit_of_the_pool() {
    let service = TestService::start().await;
    add_service(&service, "L3", "Đất đai", &[(3, "2017-06-01")], &["SO-YT"]).await;
    let token = service.token("coordinator").await;
    let _taken = all_but(&service, 1);
    let first = format!("{}\n", row("SO-YT", "L3", "online", 1, 0)).into_bytes();
    let upload = service.call("PUT", "dossier-batches/vnpt/2018-02?rows=1&received=1").as_(&token);
    let body = stream::once(async { first }).chain(stream::pending());
    let before = service.state.db().statements();
    let stalled = Box::pin(upload.header("Content-Type", "application/x-ndjson").send_stream(body));
    let others = Box::pin(async {
        // Who asks, and the lookup.
        until("the delivery has begun", async || service.state.db().statements() >= before + 2).await;
        let next = Caller::named("user:next");
        until("the permit is given back", async || service.state.db().admit(&next).is_ok()).await;
        service.get("audit-events?limit=1").as_(&token).send().await.expect(200);
    });
    match select(stalled, others).await {
        Either::Left((answer, _)) => panic!("it ended: {}", answer.text()),
        Either::Right(((), _)) => {}
    }
}
