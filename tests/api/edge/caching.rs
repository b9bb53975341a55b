//! The response cache: operations opt in, and no caller is answered what another may see.

use ict_index::app::{self, Memory};

use crate::description::{document, operations};
use crate::input::path_of;
use crate::support::TestService;

#[test]
fn only_these_operations_opted_into_the_response_cache() {
    let description = app::description().unwrap();
    let cached: Vec<&str> = description.response_cached().iter().map(|one| one.path.as_str()).collect();
    assert_eq!(
        cached,
        ["/api/v1/statistics/dossier-rates", "/api/v1/statistics/service-levels"],
        "an operation whose answer depends on the caller, the day or anything without a generation must not opt in"
    );
}

#[actix_web::test]
async fn an_operation_that_did_not_opt_in_is_never_answered_from_memory() {
    let service = TestService::start().await.listening().await;
    let token = service.token("coordinator").await;
    let path = "statistics/progress?year=2018";
    service.get(path).as_(&token).send().await.expect(200);
    let (statements, _) = service.further_statements_of(service.get(path).as_(&token).send()).await;
    assert!(statements > 0, "progress was cached");
    let cached = "statistics/service-levels?period=2018-02";
    service.get(cached).as_(&token).send().await.expect(200);
    let (statements, _) = service.further_statements_of(service.get(cached).as_(&token).send()).await;
    assert_eq!(statements, 0);
}

/// Every `GET` as every kind of caller, one after the other, from a service that caches and from one that does not.
#[actix_web::test]
async fn each_caller_is_answered_what_an_uncached_service_answers() {
    let cached = TestService::start().await.listening().await;
    let plain = cached.beside_with_memory(Memory { answers_mib: 0, ..Memory::default() }).await;
    let mut tokens = Vec::new();
    for user in ["coordinator", "officer.so-yt", "monitor", "admin", "officer.so-tc"] {
        tokens.push((user, cached.token(user).await));
    }
    for client in ["portal", "vnpt"] {
        tokens.push((client, cached.client_token(client).await));
    }
    let mut answered = 0;
    for operation in operations(&document()).iter().filter(|o| o.method == "GET") {
        let mut path = path_of(operation);
        if operation.path.starts_with("/api/v1/statistics/") {
            path += if path.ends_with("progress") { "?year=2018" } else { "?period=2018-02&group_by=agency" };
        }
        if !path.starts_with("/api/") {
            continue;
        }
        // Twice: what the first caller left in memory must be for no other caller.
        for (caller, token) in tokens.iter().chain(&tokens) {
            let answer = cached.get(&path).as_(token).send().await;
            let wanted = plain.get(&path).as_(token).send().await;
            assert_eq!(answer.status, wanted.status, "{path} as {caller}");
            if answer.status == 200 {
                assert_eq!(answer.text(), wanted.text(), "{path} as {caller}");
                answered += 1;
            }
        }
    }
    assert!(answered > 150, "{answered} answers compared");
}
