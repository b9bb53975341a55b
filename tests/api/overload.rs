//! More than is carried: who comes on top is told so at once, and what needs no place goes on.

use futures::future::{Either, select};
use futures::{StreamExt, stream};
use ict_index::db::Place;
use serde_json::json;

use crate::dossiers::{add_service, batch, row};
use crate::support::{PASSWORD, TestService, until};

/// Takes all places but so many.
fn all_but(service: &TestService, left: usize) -> Vec<Place> {
    let mut taken: Vec<Place> = std::iter::from_fn(|| service.state.db().place().ok()).collect();
    assert!(taken.len() > 90, "{} places", taken.len());
    taken.truncate(taken.len() - left);
    taken
}

#[actix_web::test]
async fn every_way_to_the_pool_is_refused_at_once_when_its_places_are_taken() {
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
async fn a_delivery_that_stalls_holds_no_place() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let _taken = all_but(&service, 1);
    let header = b"agency,service,channel,received".to_vec();
    let upload = service.call("PUT", "dossier-batches/vnpt/2018-02?rows=1&received=1").as_(&token);
    let body = stream::once(async { header }).chain(stream::pending());
    let before = service.state.db().statements();
    let stalled = Box::pin(upload.header("Content-Type", "text/csv").send_stream(body));
    let others = Box::pin(async {
        // Who asks, and the lookup.
        until("the delivery has begun", async || service.state.db().statements() >= before + 2).await;
        until("the place is given back", async || service.state.db().place().is_ok()).await;
        service.get("audit-events?limit=1").as_(&token).send().await.expect(200);
    });
    match select(stalled, others).await {
        Either::Left((answer, _)) => panic!("it ended: {}", answer.text()),
        Either::Right(((), _)) => {}
    }
}
