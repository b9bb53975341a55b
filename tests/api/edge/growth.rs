//! Ten thousand of everything that a caller invents: no map, cache, label, buffer or table grows with it.

use std::net::TcpStream;
use std::time::Duration;

use crate::operations::Logged;
use crate::support::{TestService, until};

const MANY: usize = 10_000;
/// Requests that are sent before their answers are read.
const PIPELINED: usize = 100;

/// A kind of request, made from a number.
type Kind = (&'static str, fn(usize) -> String);

fn head(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n")
}

/// Everything of a request without a login that can be another each time.
const ANONYMOUS: [Kind; 9] = [
    ("methods", |n| head(&format!("BREW{n}"), "/api/v1/agencies", "")),
    ("paths", |n| head("GET", &format!("/p{n}/q{n}"), "")),
    ("names in paths", |n| head("GET", &format!("/api/v1/agencies/A{n}"), "")),
    ("encoded paths", |n| head("GET", &format!("/%6detrics{n}"), "")),
    ("parameters", |n| head("GET", &format!("/healthz?p{n}=1"), "")),
    ("tokens", |n| head("GET", "/api/v1/agencies", &format!("Authorization: Bearer a{n}.b{n}.c{n}\r\n"))),
    ("request ids", |n| head("GET", "/healthz", &format!("X-Request-Id: id-{n}\r\n"))),
    ("languages and formats", |n| {
        head(
            "GET",
            "/openapi.jso",
            &format!("Accept: a/b{n}\r\nAccept-Language: x{n}\r\nAccept-Encoding: z{n}\r\n"),
        )
    }),
    ("header names", |n| head("GET", "/healthz", &format!("X-Invented-{n}: {n}\r\n"))),
];

/// The nth of what a caller can invent.
type Invention = Box<dyn Fn(usize) -> String>;

/// The same of a caller who may read.
fn of_caller(token: &str) -> Vec<(&'static str, Invention)> {
    let as_caller = format!("Authorization: Bearer {token}\r\n");
    let kind = |name, path: fn(usize) -> String, more: fn(usize) -> String| {
        let as_caller = as_caller.clone();
        let request = move |n| head("GET", &path(n), &format!("{as_caller}{}", more(n)));
        (name, Box::new(request) as Box<dyn Fn(usize) -> String>)
    };
    vec![
        kind(
            "cached statistics",
            |n| format!("/api/v1/statistics/service-levels?period=2018-02&field=f{n}"),
            |_| String::new(),
        ),
        kind(
            "tags",
            |_| "/api/v1/statistics/service-levels?period=2018-02".into(),
            |n| format!("If-None-Match: \"{n}\"\r\n"),
        ),
        kind("cursors", |n| format!("/api/v1/agencies?cursor=c{n}"), |_| String::new()),
        kind("keys", |_| "/api/v1/agencies?limit=0".into(), |n| format!("Idempotency-Key: k{n}\r\n")),
    ]
}

/// Sends the requests over one connection after the other, and reads as many answers.
fn send_all(address: &str, requests: &mut dyn Iterator<Item = String>) {
    use std::io::{Read, Write};
    loop {
        let batch: Vec<String> = requests.take(PIPELINED).collect();
        if batch.is_empty() {
            return;
        }
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let last = batch.len() - 1;
        let text: Vec<String> =
            batch
                .into_iter()
                .enumerate()
                .map(|(n, one)| {
                    if n == last {
                        one.replace("Host: a\r\n", "Host: a\r\nConnection: close\r\n")
                    } else {
                        one
                    }
                })
                .collect();
        let mut writer = stream.try_clone().unwrap();
        let sender = std::thread::spawn(move || writer.write_all(text.concat().as_bytes()));
        let mut answers = Vec::new();
        stream.read_to_end(&mut answers).unwrap();
        sender.join().unwrap().unwrap();
        let count = String::from_utf8_lossy(&answers).matches("HTTP/1.1 ").count();
        assert_eq!(count, last + 1, "{}", String::from_utf8_lossy(&answers));
    }
}

/// Resident memory of the service in bytes.
fn resident(logged: &Logged) -> usize {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", logged.child.id())).unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Length and number of series of the metrics.
async fn metrics(logged: &Logged) -> (usize, usize) {
    let address = logged.url.strip_prefix("http://").unwrap().to_owned();
    let text = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    let text = text.await.unwrap();
    (text.len(), text.lines().filter(|line| line.starts_with("ict_index_")).count())
}

#[actix_web::test]
async fn nothing_grows_with_what_callers_invent() {
    let service = TestService::start_on_system_time().await;
    // Lines of the log are the operator's to rotate: here they would only take time.
    let logged = Logged::start(&service, "error");
    until("the service listens", async || logged.curl("/readyz", &[]).await == 200).await;
    let token = service.token("coordinator").await;
    let flood = async |from: usize, to: usize| {
        let address = logged.url.strip_prefix("http://").unwrap().to_owned();
        let token = token.clone();
        let sent = tokio::task::spawn_blocking(move || {
            for (_, request) in ANONYMOUS {
                send_all(&address, &mut (from..to).map(request));
            }
            for (_, request) in of_caller(&token) {
                // These query the database.
                send_all(&address, &mut (from..from + (to - from) / 10).map(&*request));
            }
        });
        sent.await.unwrap();
    };
    // Once for what is made when it is first needed.
    flood(0, MANY / 10).await;
    metrics(&logged).await;
    let (before, (length, series)) = (resident(&logged), metrics(&logged).await);
    flood(MANY, 2 * MANY).await;
    let (after, (length_after, series_after)) = (resident(&logged), metrics(&logged).await);
    assert_eq!(series_after, series, "series of metrics");
    assert!(length_after < length + 4096, "{length} bytes of metrics became {length_after}");
    assert!(after < before + (48 << 20), "{} MiB became {} MiB", before >> 20, after >> 20);
}

#[actix_web::test]
async fn structures_of_the_edge_keep_their_size() {
    let service = TestService::start().await.listening().await;
    let token = service.token("coordinator").await;
    let series = async || service.get("/metrics").send().await.text().lines().count();
    service.call("BREW", "agencies").send().await.expect(405);
    service.get("agencies/NOWHERE").as_(&token).send().await.expect(404);
    service.get("agencies").as_("a.b.c").send().await.expect(401);
    // Its own series are there from the first time on.
    series().await;
    let before = series().await;
    for n in 0..MANY / 10 {
        service.call(&format!("BREW{n}"), "agencies").send().await.expect(405);
        service.get(&format!("agencies/N{n}")).as_(&token).send().await.expect(404);
        service.get("agencies").as_(&format!("a.b{n}.c")).send().await.expect(401);
    }
    assert_eq!(series().await, before);
    assert_eq!((service.state.bodies().counts().0, service.state.bodies().callers()), (0, 0));
    assert_eq!(service.state.tokens().len(), 1, "only tokens that were verified are cached");
}
