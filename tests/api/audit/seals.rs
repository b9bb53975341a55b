//! Whoever owns the tables can change the trail; the seals tell.

use std::process::{Command, Output};

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use serde_json::json;

use crate::caches::foreign_write;
use crate::support::TestService;

const TABLES: [&str; 3] = ["audit_events", "audit_seals", "audit_sealed_events"];

/// A service with some events of its own, on the system's time: the binary knows no other.
async fn start() -> TestService {
    let service = TestService::start_on_system_time().await;
    events(&service, &["A1", "A2", "A3"]).await;
    service
}

async fn events(service: &TestService, codes: &[&str]) {
    let token = service.token("coordinator").await;
    for code in codes {
        let body = json!({"code": code, "name": "Cơ quan thử", "kind": "department"});
        service.post("agencies", body).as_(&token).send().await.expect(201);
    }
}

async fn audit(service: &TestService, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ict-index"));
    command.env_clear().env("DATABASE_URL", service.url()).arg("audit").args(arguments);
    tokio::task::spawn_blocking(move || command.output().expect("the binary runs")).await.unwrap()
}

async fn seal(service: &TestService, arguments: &[&str]) -> String {
    let output = audit(service, &[&["seal"], arguments].concat()).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What `verify` prints when nothing was done.
async fn in_order(service: &TestService) -> String {
    let output = audit(service, &["verify"]).await;
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

/// What `verify` complains of first, and all it prints.
async fn found(service: &TestService, arguments: &[&str]) -> (String, String) {
    let output = audit(service, &[&["verify"], arguments].concat()).await;
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let complaint = String::from_utf8(output.stderr).unwrap();
    (complaint.trim().rsplit_once("first found: ").unwrap_or_default().1.to_owned(), said)
}

/// As the owner of the tables, with the triggers off.
async fn tamper(service: &TestService, statements: &str) {
    let off = TABLES.map(|table| format!("alter table {table} disable trigger user;")).concat();
    let on = TABLES.map(|table| format!("alter table {table} enable trigger user;")).concat();
    foreign_write(service, &format!("{off} {statements}; {on}")).await;
}

/// The id of the event that made an agency.
async fn event_of(service: &TestService, code: &str) -> String {
    let token = service.token("coordinator").await;
    let path = format!("audit-events?entity=agency&key={code}");
    let answer = service.get(&path).as_(&token).send().await.expect(200);
    answer.column("id")[0].as_str().unwrap().to_owned()
}

/// Lines kept elsewhere, deleted with the test.
struct KeptFile(std::path::PathBuf);

impl KeptFile {
    fn of(text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("seals-{}.txt", uuid::Uuid::now_v7()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn against(&self) -> [&str; 2] {
        ["--against", self.0.to_str().unwrap()]
    }
}

impl Drop for KeptFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[actix_web::test]
async fn the_tables_are_append_only_even_for_their_owner() {
    let service = start().await;
    seal(&service, &[]).await;
    for table in TABLES {
        let column = if table == "audit_events" { "actor = 'x'" } else { "hash = '\\x00'" };
        let truncate = format!("truncate {table} cascade");
        for statement in [format!("update {table} set {column}"), format!("delete from {table}"), truncate] {
            let mut conn = AsyncPgConnection::establish(&service.url()).await.unwrap();
            let refused = conn.batch_execute(&statement).await.unwrap_err();
            assert!(refused.to_string().contains("append-only"), "{statement}: {refused}");
        }
    }
}

#[actix_web::test]
async fn what_is_sealed_is_found_in_order_and_sealed_once() {
    let service = start().await;
    assert!(in_order(&service).await.contains("0 events under 0 seals"));
    let line = seal(&service, &[]).await;
    assert!(line.starts_with("seal 1 ") && line.lines().count() == 1, "{line}");
    assert_eq!(seal(&service, &[]).await, "", "nothing is left to seal");
    events(&service, &["A4"]).await;
    assert!(in_order(&service).await.contains("1 events are under no seal yet"));
    let next = seal(&service, &["--events"]).await;
    assert!(next.starts_with("seal 2 ") && next.contains("\nevent 2 "), "{next}");
    let kept = KeptFile::of(&format!("{line}{next}"));
    let output = audit(&service, &[&["verify"][..], &kept.against()].concat()).await;
    assert!(output.status.success());
    assert!(
        String::from_utf8(output.stdout).unwrap().ends_with("0 findings; 0 events are under no seal yet\n")
    );
}

#[actix_web::test]
async fn a_changed_event_is_named() {
    let service = start().await;
    seal(&service, &[]).await;
    let id = event_of(&service, "A2").await;
    for change in [
        "actor = 'user:admin'",
        "at = at + interval '1 microsecond'",
        "request_id = 'other'",
        "action = 'delete'",
        "entity = 'task'",
        "entity_key = 'A3'",
        "before = 'null'",
        "after = jsonb_set(after, '{name}', '\"Khác\"')",
    ] {
        tamper(&service, &format!("create table kept as select * from audit_events where id = '{id}'; update audit_events set {change} where id = '{id}'")).await;
        let (first, said) = found(&service, &[]).await;
        assert!(first.starts_with(&format!("changed: event {id} under seal 1, now: ")), "{change}: {first}");
        assert!(said.contains(" 1 findings"), "{change}: nothing else is accused: {said}");
        tamper(&service, "delete from audit_events where id in (select id from kept); insert into audit_events select * from kept; drop table kept").await;
        in_order(&service).await;
    }
}

#[actix_web::test]
async fn a_removed_event_is_named() {
    let service = start().await;
    seal(&service, &[]).await;
    let id = event_of(&service, "A2").await;
    tamper(&service, &format!("delete from audit_events where id = '{id}'")).await;
    let (first, said) = found(&service, &[]).await;
    assert_eq!(first, format!("removed: event {id} under seal 1"));
    assert!(said.contains(" 1 findings"), "{said}");
}

#[actix_web::test]
async fn an_inserted_event_is_named_and_never_sealed() {
    let service = start().await;
    seal(&service, &[]).await;
    let id = uuid::Uuid::now_v7();
    let copy = format!(
        "insert into audit_events select '{id}', now() - interval '1 hour', actor, request_id, action, entity, 'FORGED', before, after \
            from audit_events where entity_key = 'A2'"
    );
    foreign_write(&service, &copy).await;
    let (first, _) = found(&service, &[]).await;
    assert!(
        first.starts_with(&format!("inserted: event {id} dated ")) && first.ends_with("FORGED"),
        "{first}"
    );
    events(&service, &["A4"]).await;
    let output = audit(&service, &["seal"]).await;
    let (lines, complaint) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(
        output.status.code() == Some(1) && lines.starts_with("seal 2 "),
        "what can be sealed is: {lines}"
    );
    assert!(complaint.contains("cannot be sealed: inserted: event"), "{complaint}");
    let (first, _) = found(&service, &[]).await;
    assert!(first.contains(&id.to_string()), "the next seal does not make it genuine: {first}");
}

#[actix_web::test]
async fn an_event_that_was_under_way_when_the_seal_was_made_is_no_finding() {
    let service = start().await;
    let mut slow = AsyncPgConnection::establish(&service.url()).await.unwrap();
    slow.batch_execute(
        "begin; insert into audit_events select gen_random_uuid(), now(), actor, request_id, action, entity, 'SLOW', before, after \
         from audit_events where entity_key = 'A2'",
    )
    .await
    .unwrap();
    seal(&service, &[]).await;
    slow.batch_execute("commit").await.unwrap();
    let said = in_order(&service).await;
    assert!(
        said.contains("late event (recorded after its time range was sealed)") && said.contains("SLOW"),
        "{said}"
    );
    assert!(seal(&service, &[]).await.starts_with("seal 2 "), "the next seal has it");
    let said = in_order(&service).await;
    assert!(
        said.contains("SLOW") && said.ends_with("0 events are under no seal yet\n"),
        "it is told still: {said}"
    );
}

#[actix_web::test]
async fn seals_and_their_lists_cannot_be_changed_unnoticed() {
    let service = start().await;
    seal(&service, &[]).await;
    events(&service, &["A4"]).await;
    seal(&service, &[]).await;
    let cases = [
        ("update audit_seals set hash = sha256('x') where number = 1", "seal 1 is not that of its events"),
        (
            "update audit_seals set sealed_at = sealed_at - interval '1 day' where number = 2",
            "seal 2 is not that of its events",
        ),
        (
            "update audit_seals set covers_until = covers_until + interval '1 day' where number = 2",
            "seal 2 is not that of its events",
        ),
        (
            "update audit_sealed_events set place = 9 where seal = 2; delete from audit_sealed_events where seal = 1 and place = 2",
            "seal 1 is not that of its events",
        ),
        (
            "delete from audit_sealed_events where seal = 1; delete from audit_seals where number = 1",
            "seal 1 is missing",
        ),
    ];
    let keep =
        "create table s as select * from audit_seals; create table e as select * from audit_sealed_events";
    let restore = "delete from audit_sealed_events; delete from audit_seals; insert into audit_seals select * from s; \
        insert into audit_sealed_events select * from e";
    tamper(&service, keep).await;
    for (change, complaint) in cases {
        tamper(&service, change).await;
        let (first, _) = found(&service, &[]).await;
        assert!(first.starts_with(complaint), "{change}: {first}");
        tamper(&service, restore).await;
        in_order(&service).await;
    }
}

#[actix_web::test]
async fn seals_made_anew_differ_from_those_kept_elsewhere() {
    let service = start().await;
    let with_events = seal(&service, &["--events"]).await;
    let id = event_of(&service, "A2").await;
    let forget = "delete from audit_sealed_events; delete from audit_seals";
    tamper(&service, &format!("{forget}; update audit_events set actor = 'user:admin' where id = '{id}'"))
        .await;
    let gone = KeptFile::of(&with_events);
    let (first, said) = found(&service, &gone.against()).await;
    assert!(
        first.starts_with(&format!("changed: event {id} under seal 1")) && said.contains("seal 1 is missing"),
        "{said}"
    );
    seal(&service, &[]).await;
    in_order(&service).await;
    let seal_alone = KeptFile::of(with_events.lines().next().unwrap());
    let (first, _) = found(&service, &seal_alone.against()).await;
    assert!(first.starts_with("seal 1 was kept as "), "{first}");
    let (first, _) = found(&service, &gone.against()).await;
    assert!(
        first.starts_with(&format!("changed: event {id} under seal 1")),
        "the event's line names it: {first}"
    );
    tamper(&service, &format!("{forget}; delete from audit_events where id = '{id}'")).await;
    seal(&service, &[]).await;
    let (first, _) = found(&service, &gone.against()).await;
    assert_eq!(first, format!("removed: event {id} under seal 1"));
    let empty = KeptFile::of("# nothing\n");
    let output = audit(&service, &[&["verify"][..], &empty.against()].concat()).await;
    assert!(String::from_utf8(output.stderr).unwrap().contains("holds no seal"));
}

#[actix_web::test]
async fn seals_that_are_made_at_the_same_time_share_nothing() {
    let service = start().await;
    let made = futures::future::join_all((0..4).map(|_| seal(&service, &[]))).await;
    let lines: Vec<&str> = made.iter().flat_map(|text| text.lines()).collect();
    assert_eq!(lines.len(), 1, "one of them had something to seal: {lines:?}");
    in_order(&service).await;
}

#[actix_web::test]
async fn kept_events_name_what_was_changed_however_the_seals_were_made_anew() {
    let service = start().await;
    seal(&service, &[]).await;
    events(&service, &["A4", "A5"]).await;
    // Of the first seal no events were kept.
    let kept = KeptFile::of(&seal(&service, &["--events"]).await);
    let (changed, removed) = (event_of(&service, "A4").await, event_of(&service, "A5").await);
    tamper(
        &service,
        &format!(
            "update audit_events set actor = 'user:other' where id = '{changed}'; delete from audit_sealed_events; \
             delete from audit_events where id = '{removed}'; delete from audit_seals"
        ),
    )
    .await;
    // One seal over all of them: other portions, other numbers.
    seal(&service, &[]).await;
    in_order(&service).await;
    let (_, said) = found(&service, &kept.against()).await;
    assert!(said.contains(&format!("changed: event {changed}")), "{said}");
    assert!(said.contains(&format!("removed: event {removed}")), "{said}");
    assert!(said.contains("seal 2 is missing") && !said.contains("inserted"), "{said}");
}

/// Adds an event of another time, as only a clock that is wrong or the owner of the tables can; answers its id.
async fn event_dated(service: &TestService, at: &str, key: &str) -> String {
    let id = uuid::Uuid::now_v7();
    let copy = format!(
        "insert into audit_events select '{id}', {at}, actor, request_id, action, entity, '{key}', before, after \
            from audit_events where entity_key = 'A2'"
    );
    foreign_write(service, &copy).await;
    id.to_string()
}

#[actix_web::test]
async fn an_event_of_the_future_is_a_finding_of_its_own_and_later_events_are_sealed_all_the_same() {
    let service = start().await;
    let future = event_dated(&service, "'2099-01-01'", "FUTURE").await;
    for (number, code) in [(1, "A4"), (2, "A5")] {
        events(&service, &[code]).await;
        let output = audit(&service, &["seal", "--events"]).await;
        let lines = String::from_utf8(output.stdout).unwrap();
        assert!(lines.starts_with(&format!("seal {number} ")), "genuine events are sealed: {lines}");
        assert!(lines.contains(&event_of(&service, code).await) && !lines.contains(&future), "{lines}");
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "an event was left open: {complaint}");
        assert!(complaint.contains(&format!("dated in the future: event {future}")), "{complaint}");
    }
    let (first, said) = found(&service, &[]).await;
    assert!(first.starts_with(&format!("dated in the future: event {future} dated 2099-")), "{first}");
    assert!(
        said.contains(" 1 findings; 1 events are under no seal yet"),
        "genuine events are no findings: {said}"
    );
}

/// As releases before made it: everything after it was older than what was sealed.
#[actix_web::test]
async fn a_seal_that_reaches_into_the_future_does_not_make_genuine_events_tampering() {
    let service = start().await;
    event_dated(&service, "'2099-01-01'", "FUTURE").await;
    let far = "insert into audit_seals select 1, '2017-12-31', '2099-01-01', 1, sha256('x')";
    foreign_write(&service, far).await;
    events(&service, &["A4"]).await;
    let lines = String::from_utf8(audit(&service, &["seal"]).await.stdout).unwrap();
    assert!(lines.starts_with("seal 2 "), "{lines}");
    let (_, said) = found(&service, &[]).await;
    assert!(!said.contains("inserted"), "{said}");
}

#[actix_web::test]
async fn a_seal_made_by_a_clock_that_was_wrong_is_named_and_hides_nothing() {
    let service = start().await;
    seal(&service, &[]).await;
    foreign_write(&service, "insert into audit_seals select 2, '2099-01-01', '2099-01-01', 1, sha256('x')")
        .await;
    events(&service, &["A4"]).await;
    assert!(seal(&service, &[]).await.starts_with("seal 3 "));
    let (_, said) = found(&service, &[]).await;
    assert!(said.contains("dated in the future: seal 2, made at 2099-"), "{said}");
    assert!(!said.contains("inserted"), "{said}");
}

#[actix_web::test]
async fn an_event_of_a_clock_that_is_a_little_ahead_waits_for_the_next_seal() {
    let service = start().await;
    event_dated(&service, "now() + interval '2 minutes'", "AHEAD").await;
    assert!(seal(&service, &[]).await.starts_with("seal 1 "));
    assert!(in_order(&service).await.ends_with("0 findings; 1 events are under no seal yet\n"));
}
