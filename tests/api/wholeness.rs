//! A month is there whole or not at all, whoever reads meanwhile and whatever is killed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::future::join;
use serde_json::Value;

use crate::dossiers::{add_service, batch, row};
use crate::support::{TestService, own_address};

const AGENCIES: [&str; 4] = ["SO-YT", "SO-TC", "SO-XD", "UBND-080"];

/// Every agency and procedure with the same number of dossiers.
fn month(procedures: usize, received: i64) -> Value {
    let rows: Vec<Value> = AGENCIES
        .iter()
        .flat_map(|agency| (0..procedures).map(move |n| row(agency, &format!("S{n}"), "online", received, 0)))
        .collect();
    batch(&rows)
}

async fn start(procedures: usize) -> TestService {
    let service = TestService::start().await;
    for n in 0..procedures {
        add_service(&service, &format!("S{n}"), "Đất đai", &[(3, "2018-01-01")], &AGENCIES).await;
    }
    service
}

#[actix_web::test]
async fn readers_see_the_old_month_or_the_new_one() {
    const PROCEDURES: usize = 25;
    let service = start(PROCEDURES).await;
    let token = service.token("coordinator").await;
    let put = async |received| {
        let answer =
            service.put("dossier-batches/vnpt/2018-02", month(PROCEDURES, received)).as_(&token).send().await;
        answer.expect(200);
    };
    put(1).await;
    let writer = async {
        for round in 2..8 {
            put(round).await;
        }
    };
    let reader = async {
        let mut seen = Vec::new();
        for turn in 0..40 {
            let query = [
                "",
                "&group_by=agency",
                "&group_by=service",
                "&field=%C4%90%E1%BA%A5t%20%C4%91ai&group_by=agency",
            ][turn % 4];
            let path =
                format!("statistics/dossier-rates?metric=dossiers_level_3_received&period=2018-02{query}");
            let answer = service.get(&path).as_(&token).send().await.expect(200).json();
            let counts: Vec<i64> = answer["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|i| i["denominator"].as_i64().unwrap())
                .collect();
            assert!(
                counts.iter().all(|n| n == &counts[0]),
                "groups of one batch are of one revision: {counts:?}"
            );
            let each = counts.iter().sum::<i64>() / i64::try_from(PROCEDURES * AGENCIES.len()).unwrap();
            assert_eq!(each * 100, counts.iter().sum::<i64>(), "a half-applied month: {counts:?}");
            seen.push(each);
        }
        assert!(seen.is_sorted(), "figures do not go back: {seen:?}");
    };
    join(writer, reader).await;
}

#[actix_web::test]
async fn batches_of_several_sources_at_once_leave_right_sums() {
    let service = start(10).await;
    let token = service.token("coordinator").await;
    let deliver = async |agency: &'static str| {
        for received in [3, 1, 2] {
            let rows: Vec<Value> =
                (0..10).map(|n| row(agency, &format!("S{n}"), "online", received, 0)).collect();
            for month in ["2018-01", "2018-02"] {
                let path = format!("dossier-batches/{agency}/{month}");
                service.put(&path, batch(&rows)).as_(&token).send().await.expect(200);
            }
        }
    };
    let level = async {
        for n in 0..10 {
            let body = serde_json::json!({"level": 4, "effective_from": "2018-02-15", "decision": "QĐ"});
            service.post(&format!("services/S{n}/levels"), body).as_(&token).send().await.expect(201);
        }
    };
    let [a, b, c, d] = AGENCIES;
    join(join(join(deliver(a), deliver(b)), join(deliver(c), deliver(d))), level).await;
    assert_eq!(service.verify(false).await, []);
    let path = "statistics/dossier-rates?metric=dossiers_level_3_4_received&period=2018-Q1";
    let answer = service.get(path).as_(&token).send().await.expect(200).json();
    assert_eq!(answer["items"][0]["denominator"], 4 * 10 * 2 * 2);
}

/// The binary itself on a test's database, killed when it goes out of scope.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(service: &TestService) -> Self {
        let address = own_address();
        let child = Command::new(env!("CARGO_BIN_EXE_ict-index"))
            .arg("serve")
            .env("DATABASE_URL", service.url())
            .env("BIND_ADDRESS", &address)
            .env("TOKEN_KEY_FILE", service.key_file())
            .env("RUST_LOG", "off")
            .env("DATABASE_UNSAFE", "allow")
            .env("SECOND_FACTOR", "optional")
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let process = Self { child, address };
        let give_up = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(&process.address).is_err() {
            assert!(Instant::now() < give_up, "the service does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        process
    }

    /// Sends a batch, kills the service `delay` after its last byte went out; answers the status, if one came.
    fn put_and_kill(&mut self, token: &str, body: &str, delay: Duration) -> Option<u16> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "PUT /api/v1/dossier-batches/vnpt/2018-02 HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        std::thread::sleep(delay);
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut answer = String::new();
        // A killed service resets the connection.
        let _ = stream.read_to_string(&mut answer);
        answer.split(' ').nth(1).and_then(|status| status.parse().ok())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[actix_web::test]
async fn a_service_killed_during_a_batch_leaves_the_old_month_or_the_new_one() {
    const PROCEDURES: usize = 150;
    // The tokens made here are good for the process: both take the system's time and one key file.
    let service = TestService::start_on_system_time().await;
    for n in 0..PROCEDURES {
        add_service(&service, &format!("S{n}"), "Đất đai", &[(3, "2018-01-01")], &AGENCIES).await;
    }
    let token = service.token("coordinator").await;
    let path = "dossier-batches/vnpt/2018-02";
    service.put(path, month(PROCEDURES, 1)).as_(&token).send().await.expect(200);
    let mut stored = 1;
    for round in 2..8 {
        let body = month(PROCEDURES, round).to_string();
        let status = Process::start(&service).put_and_kill(
            &token,
            &body,
            Duration::from_millis(20 * (round as u64 - 1)),
        );
        let path = "statistics/dossier-rates?metric=dossiers_level_3_received&period=2018-02";
        let answer = service.get(path).as_(&token).send().await.expect(200).json();
        let each = answer["items"][0]["denominator"].as_i64().unwrap()
            / i64::try_from(PROCEDURES * AGENCIES.len()).unwrap();
        assert!(
            each == stored || each == round,
            "{each} is neither the old month ({stored}) nor the new one ({round})"
        );
        assert!(status != Some(200) || each == round, "an acknowledged batch is lost");
        stored = each;
        assert_eq!(service.verify(false).await, []);
    }
}
