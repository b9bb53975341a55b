//! Several database hosts, of which one leads: what stands before PostgreSQL here is gone, silent, read-only, or promoted.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use ict_index::db::sql;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::dossiers::{add_service, batch, row};
use crate::support::{TestService, until};

/// A host of the database's.
#[derive(Clone, Default)]
struct Host {
    port: u16,
    /// New connections are refused; those that are open stay, as behind a network that was cut.
    refuses: Arc<AtomicBool>,
    /// Its sessions take no writes, as a standby's; those that were open before say so when they are queried.
    read_only: Arc<AtomicBool>,
    /// It says that it is of timeline 2, as after a promotion.
    promoted: bool,
    taken: Arc<AtomicUsize>,
    open: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Host {
    async fn before(service: &TestService, shape: Self) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Self { port: listener.local_addr().unwrap().port(), ..shape };
        let (here, postgres) = (host.clone(), port_of(&service.url()));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !here.refuses.load(Ordering::SeqCst) {
                    here.taken.fetch_add(1, Ordering::SeqCst);
                    let forwarding = tokio::spawn(here.clone().forward(client, postgres));
                    here.open.lock().unwrap().push(forwarding);
                }
            }
        });
        host
    }

    async fn forward(self, mut client: TcpStream, postgres: u16) {
        let length = client.read_u32().await.unwrap();
        let mut start = vec![0; length as usize - 4];
        client.read_exact(&mut start).await.unwrap();
        if self.read_only.load(Ordering::SeqCst) {
            start.pop();
            start.extend_from_slice(b"options\0-c default_transaction_read_only=on\0\0");
        }
        let mut server = TcpStream::connect(("127.0.0.1", postgres)).await.unwrap();
        server.write_u32(u32::try_from(start.len() + 4).unwrap()).await.unwrap();
        server.write_all(&start).await.unwrap();
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.split(), server.split());
        let answers = async {
            let mut buffer = vec![0; 65_536];
            while let Ok(n @ 1..) = from_server.read(&mut buffer).await {
                if self.promoted {
                    promote(&mut buffer[..n]);
                }
                if self.read_only.load(Ordering::SeqCst) {
                    demote(&mut buffer[..n]);
                }
                if to_client.write_all(&buffer[..n]).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
            () = answers => {}
        }
    }

    fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Ends its connections.
    fn sever(&self) {
        self.open.lock().unwrap().drain(..).for_each(|one| one.abort());
    }

    fn is_spoken_to(&self) -> bool {
        self.open.lock().unwrap().iter().any(|one| !one.is_finished())
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

/// A log file's name begins with the timeline: 24 hexadecimal digits.
fn promote(bytes: &mut [u8]) {
    for at in 0..bytes.len().saturating_sub(23) {
        if bytes[at..].starts_with(b"00000001") && bytes[at..at + 24].iter().all(u8::is_ascii_hexdigit) {
            bytes[at + 7] = b'2';
        }
    }
}

/// A row with "false" as text, as simple queries get it, becomes one with "true".
fn demote(bytes: &mut [u8]) {
    const ROW: &[u8] = b"D\0\0\0\x0b\0\x01\0\0\0\x01f";
    for at in 0..bytes.len().saturating_sub(ROW.len() - 1) {
        if bytes[at..].starts_with(ROW) {
            bytes[at + ROW.len() - 1] = b't';
        }
    }
}

fn port_of(url: &str) -> u16 {
    url.rsplit_once('/').unwrap().0.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// The URL of these hosts.
fn url_of(service: &TestService, ports: &[u16]) -> String {
    let url = service.url();
    let (_, database) = url.rsplit_once('/').unwrap();
    let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    format!("postgres://postgres@{}/{database}?target_session_attrs=read-write", hosts.join(","))
}

/// A pooled read, a shared read, a write and a batch all come through.
async fn serves(service: &TestService, plain: &TestService) {
    let token = plain.token("coordinator").await;
    service.get("audit-events?limit=1").as_(&token).send().await.expect(200);
    service.get("statistics/service-levels?period=2018").as_(&token).send().await.expect(200);
    let agency = json!({"code": "HA-1", "name": "Sở Một", "kind": "department"});
    service.post("agencies", agency).as_(&token).send().await.expect(201);
    add_service(plain, "L3", "Đất đai", &[(3, "2017-06-01")], &["SO-YT"]).await;
    let rows = [row("SO-YT", "L3", "online", 5, 0)];
    service.put("dossier-batches/vnpt/2018-02", batch(&rows)).as_(&token).send().await.expect(200);
}

#[actix_web::test]
async fn a_first_host_that_refuses_connections_is_passed_over() {
    let plain = TestService::start().await;
    let url = url_of(&plain, &[1, port_of(&plain.url())]);
    serves(&plain.beside_at(url.clone()).await.listening().await, &plain).await;
    ict_index::db::migrations::migrate(&url).await.unwrap();
}

#[actix_web::test]
async fn a_first_host_that_says_nothing_does_not_use_up_the_time_for_connecting() {
    let plain = TestService::start().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = url_of(&plain, &[silent.local_addr().unwrap().port(), port_of(&plain.url())]);
    serves(&plain.beside_at(url).await.listening().await, &plain).await;
}

#[actix_web::test]
async fn a_host_that_takes_no_writes_is_passed_over_and_tried_last_from_then_on() {
    let plain = TestService::start().await;
    let standby =
        Host::before(&plain, Host { read_only: Arc::new(AtomicBool::new(true)), ..Host::default() }).await;
    let service = plain.beside_at(url_of(&plain, &[standby.port, port_of(&plain.url())])).await;
    serves(&service.listening().await, &plain).await;
    assert!(standby.taken() > 0, "it was tried");
    let alone = plain.beside_at(url_of(&plain, &[standby.port])).await;
    let token = plain.token("coordinator").await;
    alone.get("audit-events?limit=1").as_(&token).send().await.expect_problem(503, "UNAVAILABLE");
}

#[actix_web::test]
async fn a_server_that_takes_no_writes_any_longer_is_left_by_every_connection() {
    let plain = TestService::start().await;
    let first = Host::before(&plain, Host::default()).await;
    let second = Host::before(&plain, Host::default()).await;
    let service = plain.beside_at(url_of(&plain, &[first.port, second.port])).await.listening().await;
    serves(&service, &plain).await;
    assert!(first.is_spoken_to() && !second.is_spoken_to());
    first.read_only.store(true, Ordering::SeqCst);
    until("it is left", async || !first.is_spoken_to()).await;
    let token = plain.token("coordinator").await;
    until("the other is written to", async || {
        let agency = json!({"code": "HA-2", "name": "Sở Hai", "kind": "department"});
        let answer = service.post("agencies", agency).as_(&token).send().await;
        answer.status == 201
    })
    .await;
    service.get("statistics/service-levels?period=2018").as_(&token).send().await.expect(200);
    assert!(!first.is_spoken_to() && second.is_spoken_to());
}

#[actix_web::test]
async fn what_waits_on_the_old_leader_ends_when_another_leads_and_the_old_one_is_not_spoken_to_again() {
    let plain = TestService::start().await;
    let old = Host::before(&plain, Host::default()).await;
    let new = Host::before(&plain, Host { promoted: true, ..Host::default() }).await;
    new.refuse(true);
    let service = plain.beside_at(url_of(&plain, &[old.port, new.port])).await;
    let token = plain.token("coordinator").await;
    let tag = service.get("agencies/SO-YT").as_(&token).send().await.expect(200).etag();

    let mut other = AsyncPgConnection::establish(&plain.url()).await.unwrap();
    other.batch_execute("begin; select 1 from agencies where code = 'SO-YT' for update").await.unwrap();
    let name = json!({"name_en": "Health"});
    let waiting = service.patch("agencies/SO-YT", name).as_(&token).if_match(&tag).send();
    let failover = async {
        let blocked = "select count(*) as value from pg_stat_activity where wait_event_type = 'Lock' \
            and datname = current_database()";
        until("the write waits for its lock", async || {
            sql(blocked).value::<i64>(&mut plain_connection(&plain).await).await.unwrap() > 0
        })
        .await;
        old.refuse(true);
        new.refuse(false);
        // The pool's first connection is in use: this one opens another.
        service.get("audit-events?limit=1").as_(&token).send().await.expect(200);
    };
    let (answer, ()) = futures::join!(waiting, failover);
    answer.expect_problem(503, "UNAVAILABLE");
    other.batch_execute("rollback").await.unwrap();
    service.get("statistics/service-levels?period=2018").as_(&token).send().await.expect(200);

    // The new leader is gone, and the old one is back, as if nothing had happened.
    new.refuse(true);
    new.sever();
    old.refuse(false);
    let before = old.taken();
    until("a request is refused", async || {
        service.get("audit-events?limit=1").as_(&token).send().await.status == 503
    })
    .await;
    // The listener sees within a heartbeat that its connection is gone; what was cached until then is no answer of the old leader's.
    until("nothing is answered from memory", async || !service.state.db().generations().is_trusted()).await;
    until("the old leader was tried", async || {
        let refused = service.get("statistics/service-levels?period=2018").as_(&token).send().await;
        assert_eq!(refused.status, 503, "it was read from");
        old.taken() > before
    })
    .await;
    new.refuse(false);
    until("the new leader serves", async || {
        service.get("audit-events?limit=1").as_(&token).send().await.status == 200
    })
    .await;
}

async fn plain_connection(service: &TestService) -> AsyncPgConnection {
    AsyncPgConnection::establish(&service.url()).await.unwrap()
}

#[actix_web::test]
async fn a_batch_whose_copied_rows_are_gone_with_their_server_is_refused_and_stored_when_repeated() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    add_service(&service, "L3", "Đất đai", &[(3, "2017-06-01")], &["SO-YT"]).await;
    let mut conn = plain_connection(&service).await;
    let rows = [row("SO-YT", "L3", "online", 5, 0)];
    let deliver = || service.put("dossier-batches/vnpt/2018-02", batch(&rows)).as_(&token).send();
    // The delivery has copied its rows in and waits for this.
    conn.batch_execute("begin; select pg_advisory_xact_lock(3324, 0)").await.unwrap();
    let crash = async {
        let staged = "select pid as value from pg_locks where locktype = 'advisory' and classid = 3323 and granted \
            and database = (select oid from pg_database where datname = current_database())";
        let waits = "select count(*) as value from pg_locks where locktype = 'advisory' and not granted \
            and database = (select oid from pg_database where datname = current_database())";
        let mut other = plain_connection(&service).await;
        until("the delivery waits", async || sql(waits).value::<i64>(&mut other).await.unwrap() > 0).await;
        let pid: i32 = sql(staged).value(&mut other).await.unwrap();
        other.batch_execute(&format!("select pg_terminate_backend({pid}, 10000)")).await.unwrap();
        // What recovery does to unlogged tables, and a promotion.
        other
            .batch_execute("truncate dossier_stage_1, dossier_stage_2, dossier_stage_3, dossier_stage_4")
            .await
            .unwrap();
        conn.batch_execute("rollback").await.unwrap();
    };
    let (answer, ()) = futures::join!(deliver(), crash);
    answer.expect_problem(503, "UNAVAILABLE");
    let stored = "select count(*) as value from dossier_batches where source = 'vnpt'";
    assert_eq!(sql(stored).value::<i64>(&mut plain_connection(&service).await).await.unwrap(), 0);
    deliver().await.expect(200);
    let rates = "statistics/dossier-rates?period=2018-02&metric=dossiers_level_3_received";
    let answer = service.get(rates).as_(&token).send().await.expect(200).json();
    assert_eq!(answer["items"][0]["numerator"], json!(5));
}
