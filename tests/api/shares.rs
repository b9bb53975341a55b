//! Every bound on concurrent work: one caller takes as much as it can get, and another is still served.

use std::pin::Pin;

use futures::future::{Either, join_all, pending, select};
use futures::{FutureExt, StreamExt, stream};
use ict_index::db::copy::{CopiedOut, Staging};
use ict_index::db::locks;
use ict_index::db::stage::{CellType, Layout, Stage};
use ict_index::db::{Caller, Permit, Reader};
use ict_index::http::Problem;
use serde_json::{Value, json};

use crate::dossiers::{add_service, batch, row};
use crate::index_runs::{add_framework, framework, observe, run, small_run};
use crate::support::{Answer, Call, PASSWORD, TestService};

/// Its share is used up, and the answer says when to try again.
#[track_caller]
fn share_used_up(answer: Answer) {
    let answer = answer.expect_problem(503, "UNAVAILABLE");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(answer.text().contains("cùng lúc"), "{}", answer.text());
}

fn user(name: &str) -> Caller {
    Caller::named(format!("user:{name}"))
}

/// What the caller of `first` waits for does not keep the caller of `second` from being answered.
async fn answered_meanwhile(first: impl Future, second: impl Future<Output = Answer>) -> Answer {
    match select(Box::pin(first), Box::pin(second)).await {
        Either::Left(_) => panic!("it waits for something that does not come"),
        Either::Right((answer, _)) => answer,
    }
}

#[actix_web::test]
async fn requests_of_one_caller_leave_permits_of_the_pool_to_others() {
    let service = TestService::start().await;
    let (hog, other) = (service.token("coordinator").await, service.token("officer.so-yt").await);
    let get = |token: &str| service.get("submissions").as_(token).send();
    let admit = || service.state.db().admit(&user("coordinator")).ok();
    let held: Vec<Permit> = std::iter::from_fn(admit).collect();
    assert_eq!(held.len(), 64, "two thirds of 96");
    share_used_up(get(&hog).await);
    get(&other).await.expect(200);
    drop(held);
    get(&hog).await.expect(200);
    let shares = service.get("/metrics").send().await.text();
    assert!(shares.contains("ict_index_refused_shares_total 2\n"), "{shares}");
}

#[actix_web::test]
async fn shared_reads_of_one_caller_leave_room_to_others() {
    let service = TestService::start().await;
    let (hog, other) = (service.token("coordinator").await, service.token("officer.so-yt").await);
    let get = |token: &str| service.get("statistics/service-levels?period=2018-03").as_(token).send();
    let caller = user("coordinator");
    let mut reads: Vec<_> = (0..256)
        .map(|_| {
            let never = async |_: &mut Reader<'_>| pending::<Result<(), Problem>>().await;
            Box::pin(service.state.db().read_shared(&caller, never))
        })
        .collect();
    reads.retain_mut(|read| read.now_or_never().is_none());
    assert_eq!(reads.len(), 171, "two thirds of 256");
    // They go on meanwhile: one of them may be opening the connection that all share.
    share_used_up(answered_meanwhile(join_all(reads.iter_mut()), get(&hog)).await);
    answered_meanwhile(join_all(reads.iter_mut()), get(&other)).await.expect(200);
    drop(reads);
    crate::support::until("the server has done with them", async || get(&hog).await.status == 200).await;
}

#[actix_web::test]
async fn logins_from_one_address_leave_room_to_others() {
    let service = TestService::start().await;
    let login = || {
        let body = json!({"username": "monitor", "password": PASSWORD});
        service.post("auth/login", body).send()
    };
    let hoard = |address: &Caller| -> Vec<Permit> {
        std::iter::from_fn(|| service.state.db().admit_anonymous(address).ok()).collect()
    };
    let held = hoard(&Caller::named("address:10.0.0.1"));
    assert_eq!(held.len(), 32, "two thirds of 48");
    login().await.expect(200);
    // Requests of these tests come from nowhere.
    let own = hoard(&Caller::named("address:unknown"));
    assert!(!own.is_empty());
    share_used_up(login().await);
    share_used_up(service.post("auth/refresh", json!({"refresh_token": "x"})).send().await);
    let form = "grant_type=client_credentials&client_id=vnpt&client_secret=x";
    share_used_up(service.call("POST", "oauth/token").form(form).send().await);
    drop(own);
    login().await.expect(200);
}

// --- deliveries ---

const NDJSON: &str = "application/x-ndjson";

/// A delivery whose body brings this and nothing more, and does not end.
fn stalled(call: Call<'_>, sent: &str) -> Pin<Box<impl Future<Output = Answer>>> {
    let sent = sent.as_bytes().to_vec();
    let body = stream::once(async { sent }).chain(stream::pending());
    Box::pin(call.header("Content-Type", NDJSON).send_stream(body))
}

fn upload<'s>(service: &'s TestService, token: &str, path: &str) -> Call<'s> {
    service.call("PUT", &format!("dossier-batches/{path}?rows=1&received=1")).as_(token)
}

async fn deliver(service: &TestService, token: &str, path: &str) -> Answer {
    let one = row("SO-YT", "S1", "online", 1, 0);
    upload(service, token, path).raw(NDJSON, format!("{one}\n")).send().await
}

async fn with_procedure() -> TestService {
    let service = TestService::start().await;
    add_service(&service, "S1", "Đất đai", &[(3, "2018-01-01")], &["SO-YT"]).await;
    service
}

#[actix_web::test]
async fn idle_uploads_hold_neither_tables_nor_permits() {
    let service = with_procedure().await;
    let token = service.token("coordinator").await;
    let first = row("SO-YT", "S1", "online", 1, 0).to_string();
    for sent in ["", "{", &first] {
        let mut idle: Vec<_> =
            (0..100).map(|_| stalled(upload(&service, &token, "vnpt/2018-02"), sent)).collect();
        let before = service.state.db().statements();
        for _ in 0..100 {
            assert!(idle.iter_mut().all(|upload| upload.now_or_never().is_none()));
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        assert_eq!(service.state.db().staging().in_use(), (0, 0), "{sent:?}");
        assert!(service.state.db().statements() <= before + 100, "nothing is looked up but the caller");
        answered_meanwhile(join_all(idle), deliver(&service, &token, "SO-YT/2018-02")).await.expect(200);
    }
}

/// Tables of the deliveries of dossier counts, as the service claims them.
static STAGES: Layout = Layout {
    lock: locks::STAGES,
    relations: &["dossier_stage_1", "dossier_stage_2", "dossier_stage_3", "dossier_stage_4"],
    columns: &[("place", CellType::INT4)],
};

async fn claim(staging: &Staging, n: usize) -> Vec<Stage> {
    let mut all = Vec::new();
    for _ in 0..n {
        all.push(staging.claim(&STAGES).await.unwrap());
    }
    all
}

#[actix_web::test]
async fn slow_deliveries_of_one_caller_leave_tables_to_others() {
    let service = with_procedure().await;
    let (vnpt, other) = (service.client_token("vnpt").await, service.token("coordinator").await);
    let staging = service.state.db().staging().charged_to(Caller::named("client:vnpt"));
    let held = claim(&staging.delivering_for("vnpt"), 2).await;
    assert_eq!(service.state.db().staging().in_use(), (0, 2));
    deliver(&service, &other, "SO-YT/2018-02").await.expect(200);
    share_used_up(deliver(&service, &vnpt, "vnpt/2018-02").await);
    drop(held);
    deliver(&service, &vnpt, "vnpt/2018-01").await.expect(200);
}

#[actix_web::test]
async fn slow_deliveries_for_one_source_leave_tables_to_others() {
    let service = with_procedure().await;
    let token = service.token("coordinator").await;
    let of = |name: &str| service.state.db().staging().charged_to(user(name)).delivering_for("vnpt");
    let _held = (claim(&of("a"), 1).await, claim(&of("b"), 1).await);
    deliver(&service, &token, "SO-YT/2018-02").await.expect(200);
    let rows = batch(&[row("SO-YT", "S1", "online", 1, 0)]);
    share_used_up(service.put("dossier-batches/vnpt/2018-02", rows).as_(&token).send().await);
}

// --- exports ---

/// As many exports as the caller gets, none of them read.
async fn exports(service: &TestService, caller: Caller) -> Vec<CopiedOut> {
    let staging = service.state.db().staging().charged_to(caller);
    let mut all = Vec::new();
    // The first row is there at once, the second does not come while the test lasts.
    let text = "copy (select repeat('x', 20000) union all select pg_sleep(600)::text) to stdout";
    while let Ok(export) = staging.copy_out(text.to_owned()).await {
        all.push(export);
    }
    all
}

#[actix_web::test]
async fn exports_that_are_not_read_leave_room_to_others() {
    let service = with_procedure().await;
    let (hog, other) = (service.token("coordinator").await, service.token("officer.so-yt").await);
    let held = exports(&service, user("coordinator")).await;
    assert_eq!(held.len(), 2);
    for path in ["dossier-counts/export", "audit-events/export"] {
        share_used_up(service.get(path).as_(&hog).send().await);
    }
    service.get("dossier-counts/export").as_(&other).send().await.expect(200);
    drop(held);
    crate::support::until("departed readers give their permits back", async || {
        service.state.db().staging().in_use() == (0, 0)
    })
    .await;
    service.get("dossier-counts/export").as_(&hog).send().await.expect(200);
}

#[actix_web::test]
async fn an_export_that_is_read_to_its_end_is_whole() {
    let service = TestService::start().await;
    let text = "copy (select n from generate_series(1, 50000) as n) to stdout".to_owned();
    let mut export = service.state.db().staging().copy_out(text).await.unwrap();
    let mut all = Vec::new();
    while let Some(piece) = export.next().await {
        all.extend_from_slice(&piece.unwrap());
    }
    let lines: Vec<&str> = std::str::from_utf8(&all).unwrap().lines().collect();
    assert_eq!((lines.len(), lines.last().copied()), (50_000, Some("50000")));
}

/// Who has read an export to its end may ask for the next at once.
#[actix_web::test]
async fn an_export_that_is_read_to_its_end_holds_no_permit() {
    let service = TestService::start().await;
    let staging = service.state.db().staging();
    for _ in 0..200 {
        let mut export = staging.copy_out("copy (select 1) to stdout".to_owned()).await.unwrap();
        while let Some(piece) = export.next().await {
            piece.unwrap();
        }
        assert_eq!(staging.in_use(), (0, 0));
    }
}

#[actix_web::test]
async fn an_export_that_fails_on_its_way_does_not_look_whole() {
    let service = TestService::start().await;
    let text = "copy (select 1 / (40000 - n) from generate_series(1, 50000) as n) to stdout".to_owned();
    let mut export = service.state.db().staging().copy_out(text).await.unwrap();
    let mut failed = false;
    while let Some(piece) = export.next().await {
        failed = piece.is_err();
        if failed {
            break;
        }
    }
    assert!(failed);
}

// --- computations ---

#[actix_web::test]
async fn long_computations_of_one_caller_leave_a_permit_to_others() {
    let service = TestService::start().await;
    let id = small_run(&service).await;
    let (hog, other) = (service.token("monitor").await, service.token("coordinator").await);
    let permits = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    let caller = user("monitor");
    let endless = || {
        let wait = |token: &tokio_util::sync::CancellationToken| {
            while !token.is_cancelled() {
                std::thread::yield_now();
            }
        };
        Box::pin(service.state.computed().work(&caller, wait))
    };
    let mut long: Vec<_> = (0..permits).map(|_| endless()).collect();
    assert!(long.iter_mut().all(|work| work.now_or_never().is_none()));
    let levers = format!("index-runs/{id}/units/SO-YT/levers");
    let waits = service.get(&levers).as_(&hog).send();
    let waiting = Box::pin(futures::future::join(join_all(long), waits));
    let others = async {
        service.get(&levers).as_(&other).send().await.expect(200);
        let goal = json!({"goal": {"unit": "SO-GDDT", "indicators": ["X3"], "place": 1}});
        service.post(&format!("index-runs/{id}/simulations"), goal).as_(&other).send().await.expect(200);
        service.get(&format!("index-runs/{id}/robustness?draws=10")).as_(&other).send().await.expect(200)
    };
    answered_meanwhile(waiting, others).await;
    crate::support::until("what its caller has left has ended", async || {
        service.state.computed().in_use() == (0, 0, 0)
    })
    .await;
    service.get(&levers).as_(&hog).send().await.expect(200);
}

/// A run of so many units and indicators with hardly a figure.
async fn large_run(service: &TestService, units: usize, indicators: usize) -> String {
    let leaf = |n: usize| json!({"code": format!("X{n}"), "name": "x", "normalise": {"method": "min_max"}});
    let children: Vec<Value> = (0..indicators).map(leaf).collect();
    let root = json!({"code": "ALL", "name": "Tất cả", "aggregate": "arithmetic", "children": children});
    add_framework(service, &framework("LON", "agency", 3, root)).await;
    let names: Vec<String> = (0..units).map(|n| format!("U{n}")).collect();
    let figures: Vec<(&str, &str, &str)> = names.iter().map(|name| (name.as_str(), "X0", "1")).collect();
    observe(service, "LON", 2017, &figures, &[]).await;
    run(service, "LON", 2017, "provisional").await
}

#[actix_web::test]
async fn a_computation_beyond_the_budget_is_refused_before_it_begins() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    // 301 nodes × 70 units × 300 indicators to leave out.
    let id = large_run(&service, 70, 300).await;
    let refused = service.get(&format!("index-runs/{id}/robustness")).as_(&token).send().await;
    let refused = refused.expect_problem(422, "WORK_TOO_LARGE").text();
    assert!(refused.contains("6321000") && refused.contains("6000000"), "{refused}");
    let simulation = service.post(&format!("index-runs/{id}/simulations"), json!({}));
    simulation.as_(&token).send().await.expect(200);
}

/// A caller that departs while its run is computed for it takes nothing with it: the next one finds the permits free.
#[actix_web::test]
async fn requests_that_are_dropped_give_back_what_they_hold() {
    let service = TestService::start().await;
    let id = small_run(&service).await;
    let token = service.token("coordinator").await;
    for n in 0..50 {
        let path = format!("index-runs/{id}/robustness?draws=1000&seed={n}");
        let mut request = Box::pin(service.get(&path).as_(&token).send());
        for _ in 0..n {
            if (&mut request).now_or_never().is_some() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    crate::support::until("every permit is given back", async || {
        service.state.computed().in_use() == (0, 0, 0)
    })
    .await;
    crate::support::until("no caller holds one of the pool's", async || {
        let admit = || service.state.db().admit(&user("coordinator")).ok();
        std::iter::from_fn(admit).collect::<Vec<_>>().len() == 64
    })
    .await;
}
