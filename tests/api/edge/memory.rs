//! One budget of bytes for the bodies that are in memory.

use futures::future::join;
use futures::{StreamExt, poll, stream};
use ict_index::app::Memory;
use serde_json::json;

use crate::support::{Call, PASSWORD, TestService, until};

const MIB: usize = 1 << 20;

/// A JSON batch of so many MiB that never ends.
fn endless(call: Call<'_>, mib: usize) -> impl Future<Output = crate::support::Answer> {
    let pieces = stream::iter((0..mib).map(|_| vec![b' '; MIB])).chain(stream::pending());
    // As a connection has it: of a request without a body nobody is charged.
    call.header("Content-Type", "application/json").header("Transfer-Encoding", "chunked").send_stream(pieces)
}

#[actix_web::test]
async fn bodies_beyond_the_budget_are_rejected_and_ordinary_requests_go_on() {
    let service = TestService::start().await;
    let service =
        service.beside_with_memory(Memory { bodies_mib: 176, ..Memory::default() }).await.owning(service);
    let (coordinator, vnpt) = (service.token("coordinator").await, service.client_token("vnpt").await);
    let officer = service.token("officer.so-yt").await;
    let batch = |token: &str| service.call("PUT", "dossier-batches/vnpt/2018-02").as_(token);

    let mut held = Box::pin(join(endless(batch(&coordinator), 63), endless(batch(&officer), 63)));
    until("the largest bodies of two callers are held", async || {
        assert!(poll!(&mut held).is_pending(), "they wait for the rest of their bodies");
        service.state.bodies().counts().0 >= 126 << 20
    })
    .await;
    let refused = endless(batch(&vnpt), 40).await.expect_problem(503, "UNAVAILABLE");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(service.state.bodies().counts(), (126 << 20, 1), "what was refused holds nothing");

    let login = json!({"username": "monitor", "password": PASSWORD});
    service.post("auth/login", login).send().await.expect(200);
    let agency = json!({"code": "SO-MOI", "name": "Sở Mới", "kind": "department"});
    service.post("agencies", agency).as_(&coordinator).send().await.expect(201);
    let metrics = service.get("/metrics").send().await.expect(200).text();
    assert!(metrics.contains(&format!("ict_index_bodies_bytes {}\n", 126 << 20)), "{metrics}");
    assert!(metrics.contains("ict_index_refused_bodies_total 1\n"), "{metrics}");

    drop(held);
    assert_eq!(service.state.bodies().counts().0, 0, "a client that departs gives its bytes back");
    let whole = stream::iter((0..40).map(|_| vec![b' '; MIB]));
    let call = batch(&vnpt).header("Content-Type", "application/json");
    call.send_stream(whole).await.expect_problem(400, "MALFORMED_BODY");
    assert_eq!((service.state.bodies().counts().0, service.state.bodies().callers()), (0, 0));
}

#[actix_web::test]
async fn bodies_without_a_login_are_charged_to_the_address_they_come_from() {
    let service = TestService::start().await;
    let service =
        service.beside_with_memory(Memory { bodies_mib: 176, ..Memory::default() }).await.owning(service);
    let segment = || stream::once(async { vec![b' '; 64 * 1024] }).chain(stream::pending());
    let login = |address: &str| service.call("POST", "auth/login").sent_from(address);
    let stalled = || {
        let call = login("10.0.0.1").header("Content-Type", "application/json");
        Box::pin(call.header("Transfer-Encoding", "chunked").send_stream(segment()))
    };
    // Half of a quarter of the budget, in first segments of 64 KiB.
    let mut held: Vec<_> = (0..352).map(|_| stalled()).collect();
    until("the share is used up", async || {
        for body in &mut held {
            assert!(poll!(body).is_pending(), "it waits for the rest of its body");
        }
        service.state.bodies().counts().0 >= 22 << 20
    })
    .await;
    let refused = stalled().await.expect_problem(503, "UNAVAILABLE");
    assert!(refused.text().contains("địa chỉ"), "{}", refused.text());
    let credentials = json!({"username": "monitor", "password": PASSWORD});
    login("10.0.0.1").json(&credentials).header("Content-Length", "60").send().await.expect(503);
    login("10.0.0.2").json(&credentials).header("Content-Length", "60").send().await.expect(200);
    let metrics = service.get("/metrics").send().await.expect(200).text();
    assert!(metrics.contains("ict_index_refused_shares_total 2\n"), "{metrics}");
}

#[actix_web::test]
async fn one_caller_alone_cannot_hold_the_budget() {
    let service = TestService::start().await;
    let service =
        service.beside_with_memory(Memory { bodies_mib: 176, ..Memory::default() }).await.owning(service);
    let coordinator = service.token("coordinator").await;
    let batch = |token: &str| service.call("PUT", "dossier-batches/vnpt/2018-02").as_(token);
    let mut held = Box::pin(endless(batch(&coordinator), 63));
    until("the bytes are held", async || {
        assert!(poll!(&mut held).is_pending());
        service.state.bodies().counts().0 >= 63 << 20
    })
    .await;
    endless(batch(&coordinator), 10).await.expect_problem(503, "UNAVAILABLE");
}
