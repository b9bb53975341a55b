//! How batches come in: three formats that mean the same, streams that end badly, procedures that are not known yet.

use std::cell::Cell;
use std::rc::Rc;

use futures::{StreamExt, stream};
use ict_index::db::{Conn, RlsContext, sql};
use ict_index::http::Problem;
use serde_json::{Value, json};

use crate::dossiers::{add_service, batch, row};
use crate::support::{Answer, TestService, until};

const COLUMNS: [&str; 11] = [
    "agency",
    "service",
    "channel",
    "received",
    "resolved_early",
    "resolved_on_time",
    "resolved_late",
    "withdrawn",
    "carried_in",
    "in_progress_on_time",
    "in_progress_overdue",
];
const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv; charset=utf-8";

async fn start() -> (TestService, String) {
    let service = TestService::start().await;
    for code in ["S1", "S2", "S3"] {
        add_service(&service, code, "Đất đai", &[(3, "2018-01-01")], &["SO-YT", "SO-TC"]).await;
    }
    let token = service.token("coordinator").await;
    (service, token)
}

fn ndjson(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

/// Columns in another order than JSON has them, as spreadsheets write lines.
fn csv(rows: &[Value]) -> String {
    let columns: Vec<&str> = COLUMNS.iter().rev().copied().collect();
    let line = |row: &Value| {
        let cell = |name: &&str| row[*name].as_str().map_or_else(|| row[*name].to_string(), str::to_owned);
        columns.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n"
    };
    let header = columns.join(",");
    format!("\u{feff}{header}\r\n{}", rows.iter().map(line).collect::<String>())
}

/// Sends rows in a format with right control totals; `query` is what else stands in it.
async fn put(
    service: &TestService,
    token: &str,
    format: &str,
    path: &str,
    query: &str,
    rows: &[Value],
) -> Answer {
    let received: i64 = rows.iter().filter_map(|row| row["received"].as_i64()).sum();
    let totals = format!("rows={}&received={received}", rows.len());
    let (totals, body) = match format {
        NDJSON => (totals, ndjson(rows)),
        CSV => (totals, csv(rows)),
        _ => (String::new(), batch(rows).to_string()),
    };
    let uri = format!("dossier-batches/{path}?{totals}&{query}").replace("?&", "?");
    service.call("PUT", uri.trim_end_matches(['?', '&'])).as_(token).raw(format, body).send().await
}

/// Sends a text as it is.
async fn send(
    service: &TestService,
    token: &str,
    format: &str,
    query: &str,
    body: impl Into<Vec<u8>>,
) -> Answer {
    let uri = format!("dossier-batches/vnpt/2018-02?{query}");
    service.call("PUT", &uri).as_(token).raw(format, body.into()).send().await
}

async fn number(service: &TestService, statement: &'static str) -> i64 {
    let work = async move |conn: &mut Conn| Ok::<_, Problem>(sql(statement).value(conn).await?);
    service
        .state
        .db()
        .read_as(RlsContext::all(), work)
        .await
        .map_err(|problem| format!("{problem:?}"))
        .unwrap()
}

/// Waits until no delivery holds a stage, and answers how many rows there are in all tables that a batch could have touched.
async fn rest(service: &TestService) -> i64 {
    const HELD: &str = "select count(*) as value from pg_locks where locktype = 'advisory' and classid = 3323 \
        and database = (select oid from pg_database where datname = current_database())";
    until("no delivery holds a stage", async || number(service, HELD).await == 0).await;
    number(
        service,
        "select sum(n)::bigint as value from (select count(*) as n from dossier_stage_1 \
                union all select count(*) from dossier_stage_2 union all select count(*) from dossier_stage_3 \
                union all select count(*) from dossier_stage_4 union all select count(*) from dossier_parked_counts \
                union all select count(*) from dossier_counts union all select count(*) from dossier_batches \
                union all select count(*) from dossier_count_history union all select count(*) from dossier_agency_rollups) as t",
    )
    .await
}

fn errors(answer: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = answer.json()["errors"].as_array().cloned().unwrap_or_default();
    all.iter().map(|error| (text(&error["code"]), text(&error["pointer"]))).collect()
}

fn error(code: &str, pointer: &str) -> (String, String) {
    (code.to_owned(), pointer.to_owned())
}

async fn stored(service: &TestService, token: &str, month: &str) -> Vec<Value> {
    let list =
        service.get(&format!("dossier-counts?limit=200&period={month}")).as_(token).send().await.expect(200);
    let mut items = list.json()["items"].as_array().unwrap().clone();
    for item in &mut items {
        item.as_object_mut().unwrap().remove("month");
    }
    items
}

#[actix_web::test]
async fn a_batch_means_the_same_in_every_format() {
    let (service, token) = start().await;
    let mut rows: Vec<Value> = Vec::new();
    for (i, code) in ["S1", "S2", "S3"].iter().enumerate() {
        for channel in ["online", "in_person", "postal"] {
            rows.push(row("SO-YT", code, channel, 10 + i as i64, i as i64));
        }
    }
    let months = ["2017-10", "2017-11", "2017-12"];
    for (format, month) in ["application/json", NDJSON, CSV].iter().zip(months) {
        let path = format!("vnpt/{month}");
        let dry = put(&service, &token, format, &path, "dry_run=true", &rows).await.expect(200);
        assert_eq!((dry.etag(), &dry.json()["dry_run"]), (String::new(), &json!(true)));
        let mut dry = dry.json();
        dry["dry_run"] = json!(false);
        let done = put(&service, &token, format, &path, "", &rows).await.expect(200);
        assert_eq!(done.json(), dry, "{format}");
        assert_eq!(done.json()["counts"]["created"], 9);
        assert_eq!(done.etag(), "\"1\"");
        for again in ["application/json", NDJSON, CSV] {
            let again = put(&service, &token, again, &path, "", &rows).await.expect(200).json();
            assert_eq!((&again["counts"]["unchanged"], &again["revision"]), (&json!(9), &json!(1)));
        }
    }
    let first = stored(&service, &token, months[0]).await;
    assert_eq!(first.len(), 9);
    assert_eq!(stored(&service, &token, months[1]).await, first);
    assert_eq!(stored(&service, &token, months[2]).await, first);
    let events = service.get("audit-events?entity=dossier_batch").as_(&token).send().await.expect(200);
    assert_eq!(events.column("key").len(), 3, "a batch that changes nothing leaves no trace");
    assert!(service.verify(false).await.is_empty());
}

#[actix_web::test]
async fn control_totals_stand_where_the_format_has_room_for_them() {
    let (service, token) = start().await;
    let rows = [row("SO-YT", "S1", "online", 1, 0)];
    let text = ndjson(&rows);
    send(&service, &token, NDJSON, "rows=1", text.clone()).await.expect_problem(400, "INVALID_PARAMETER");
    send(&service, &token, NDJSON, "received=1", text.clone()).await.expect_problem(400, "INVALID_PARAMETER");
    send(&service, &token, NDJSON, "rows=-1&received=1", text.clone())
        .await
        .expect_problem(400, "INVALID_PARAMETER");
    send(&service, &token, NDJSON, "rows=x&received=1", text.clone())
        .await
        .expect_problem(400, "INVALID_PARAMETER");
    send(&service, &token, "application/json", "rows=1", batch(&rows).to_string())
        .await
        .expect_problem(400, "INVALID_PARAMETER");
    send(&service, &token, NDJSON, "rows=1&received=1&reason=%20", text.clone())
        .await
        .expect_problem(422, "INVALID_LENGTH");
    send(&service, &token, NDJSON, "rows=1&received=1&unknown_services=maybe", text.clone())
        .await
        .expect_problem(400, "INVALID_PARAMETER");
    let wrong = send(&service, &token, NDJSON, "rows=2&received=3", text.clone()).await.expect(422);
    assert_eq!(errors(&wrong), [error("CONTROL_MISMATCH", "?rows"), error("CONTROL_MISMATCH", "?received")]);
    // Cut in the middle of the last line, and at its end.
    let two = ndjson(&[rows[0].clone(), row("SO-YT", "S2", "online", 1, 0)]);
    let cut = send(&service, &token, NDJSON, "rows=2&received=2", &two[..two.len() - 20]).await.expect(422);
    assert_eq!(errors(&cut), [error("MALFORMED_BODY", "/rows/1")]);
    assert_eq!(cut.json()["errors"][0]["line"], 2);
    let cut = send(&service, &token, NDJSON, "rows=2&received=2", text).await.expect(422);
    assert_eq!(errors(&cut)[0], error("CONTROL_MISMATCH", "?rows"));
    assert_eq!(rest(&service).await, 0);
}

#[actix_web::test]
async fn hostile_lines_are_all_told_with_their_place() {
    let (service, token) = start().await;
    let header = COLUMNS.join(",");
    let lines = [
        header.as_str(),
        "SO-YT,S1,online,\"84,1\",1.155,nhiều,1.5,-1,2147483648,,99999999999999999999",
        "SO-KHONG-CO,332/QĐ,fax,1,0,1,0,0,0,0,0",
        "SO-YT,S1,online,1,0,7,0,0,0,0,0",
        "SO-YT,S1,online,1,0,1,0,0,0,0,0",
        "SO-YT,S9,online,1,0,1,0,0,0,0,0",
        "too,few",
        ",,,1,0,1,0,0,0,0,0",
    ];
    let answer = send(&service, &token, CSV, "rows=7&received=9", lines.join("\n")).await.expect(422);
    assert_eq!(
        errors(&answer),
        [
            error("DECIMAL_COMMA", "/rows/0/received"),
            error("AMBIGUOUS_NUMBER", "/rows/0/resolved_early"),
            error("NOT_A_NUMBER", "/rows/0/resolved_on_time"),
            error("AMBIGUOUS_NUMBER", "/rows/0/resolved_late"),
            error("NEGATIVE", "/rows/0/withdrawn"),
            error("NUMBER_OUT_OF_RANGE", "/rows/0/carried_in"),
            error("REQUIRED", "/rows/0/in_progress_on_time"),
            error("NUMBER_OUT_OF_RANGE", "/rows/0/in_progress_overdue"),
            error("UNKNOWN_REFERENCE", "/rows/1/agency"),
            error("INVALID_CODE", "/rows/1/service"),
            error("INVALID_VALUE", "/rows/1/channel"),
            error("ARITHMETIC_MISMATCH", "/rows/2"),
            error("DUPLICATE_ENTRY", "/rows/2"),
            error("DUPLICATE_ENTRY", "/rows/3"),
            error("UNKNOWN_REFERENCE", "/rows/4/service"),
            error("INVALID_LENGTH", "/rows/5"),
            error("REQUIRED", "/rows/6/agency"),
            error("REQUIRED", "/rows/6/service"),
            error("REQUIRED", "/rows/6/channel"),
        ]
    );
    let found = answer.json();
    assert_eq!((&found["errors"][0]["line"], &found["errors"][15]["line"]), (&json!(2), &json!(7)));
    let good = row("SO-YT", "S1", "online", 1, 0).to_string();
    let lines = [
        b"[1,2]".as_slice(),
        b"{\"agency\":1}",
        b"{\"colour\":\"red\"}",
        b"{\"agency\":\"\xff\"}",
        b"{",
        good.as_bytes(),
    ];
    let answer = send(&service, &token, NDJSON, "rows=6&received=1", lines.join(&b'\n')).await.expect(422);
    assert_eq!(
        errors(&answer),
        [
            error("WRONG_TYPE", "/rows/0"),
            error("WRONG_TYPE", "/rows/1/agency"),
            error("UNKNOWN_FIELD", "/rows/2/colour"),
            error("MALFORMED_BODY", "/rows/3"),
            error("MALFORMED_BODY", "/rows/4"),
        ]
    );
    let many = "x\n".repeat(150);
    let answer = send(&service, &token, NDJSON, "rows=150&received=0", many).await.expect(422).json();
    assert_eq!((answer["errors"].as_array().unwrap().len(), &answer["error_count"]), (100, &json!(150)));
    assert_eq!(rest(&service).await, 0);
}

#[actix_web::test]
async fn what_is_no_such_file_is_refused_at_once() {
    let (service, token) = start().await;
    let query = "rows=1&received=1";
    let rows = [row("SO-YT", "S1", "online", 1, 0)];
    let wrong = csv(&rows).replace("received", "recieved");
    let answer = send(&service, &token, CSV, query, wrong).await.expect_problem(400, "UNKNOWN_FIELD");
    assert_eq!(errors(&answer), [error("UNKNOWN_FIELD", "/header/7"), error("MISSING_FIELD", "/header")]);
    let twice = csv(&rows).replace("agency", "received");
    send(&service, &token, CSV, query, twice).await.expect_problem(400, "DUPLICATE_FIELD");
    let semicolons = csv(&rows).replace(',', ";");
    send(&service, &token, CSV, query, semicolons).await.expect_problem(400, "UNKNOWN_FIELD");
    let utf16: Vec<u8> = csv(&rows).encode_utf16().flat_map(u16::to_le_bytes).collect();
    send(&service, &token, CSV, query, utf16).await.expect_problem(400, "MALFORMED_BODY");
    send(&service, &token, CSV, query, "").await.expect_problem(400, "MISSING_FIELD");
    send(&service, &token, "text/csv; charset=windows-1258", query, csv(&rows))
        .await
        .expect_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    send(&service, &token, "text/plain", query, csv(&rows))
        .await
        .expect_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    let zipped = service.call("PUT", &format!("dossier-batches/vnpt/2018-02?{query}")).as_(&token);
    let zipped = zipped.raw(NDJSON, ndjson(&rows)).header("Content-Encoding", "gzip").send().await;
    zipped.expect_problem(415, "UNSUPPORTED_MEDIA_TYPE");
    let path = "dossier-batches/khong-co/2018-02?rows=1&received=1";
    let nobodys = service.call("PUT", path).as_(&token).raw(NDJSON, ndjson(&rows)).send().await;
    nobodys.expect_problem(404, "NOT_FOUND");
    assert_eq!(rest(&service).await, 0);
}

#[actix_web::test]
async fn anothers_rows_are_told_at_their_first_row() {
    let (service, token) = start().await;
    let own = [row("SO-TC", "S1", "online", 1, 0)];
    put(&service, &token, "application/json", "SO-TC/2018-02", "", &own).await.expect(200);
    let before = rest(&service).await;
    let rows = [
        row("SO-YT", "S1", "online", 1, 0),
        row("SO-TC", "S2", "online", 1, 0),
        row("SO-TC", "S3", "online", 1, 0),
    ];
    let answer = put(&service, &token, CSV, "vnpt/2018-02", "", &rows).await.expect(422);
    assert_eq!(errors(&answer), [error("FOREIGN_SOURCE", "/rows/1/agency")]);
    assert_eq!(answer.json()["errors"][0]["line"], 3);
    let officer = service.token("officer.so-tc").await;
    let answer = put(&service, &officer, NDJSON, "SO-TC/2018-02", "", &rows).await.expect(422);
    assert_eq!(errors(&answer), [error("OUTSIDE_SCOPE", "/rows/0/agency")]);
    assert_eq!(rest(&service).await, before);
}

#[actix_web::test]
async fn a_stream_without_end_is_stopped() {
    let (service, token) = start().await;
    let taken = Rc::new(Cell::new(0));
    let count = taken.clone();
    let header = stream::iter([format!("{}\n", COLUMNS.join(",")).into_bytes()]);
    // 16,384 lines a piece; two million in all.
    let lines = stream::iter((0..128).map(move |_| {
        count.set(count.get() + 1);
        b"1\n".repeat(16_384)
    }));
    let call = service.call("PUT", "dossier-batches/vnpt/2018-02?rows=1&received=1").as_(&token);
    let answer = call.header("Content-Type", CSV).send_stream(header.chain(lines)).await;
    assert_eq!(errors(&answer.expect(422)), [error("INVALID_LENGTH", "/rows")]);
    assert!(taken.get() < 64, "{} pieces were read", taken.get());
    assert_eq!(rest(&service).await, 0);
}

#[actix_web::test]
async fn a_client_that_departs_leaves_nothing() {
    let (service, token) = start().await;
    let rows: Vec<Value> = ["S1", "S2", "S3"].map(|code| row("SO-YT", code, "online", 1, 0)).into();
    let call = service.call("PUT", "dossier-batches/vnpt/2018-02?rows=3&received=3").as_(&token);
    let sent = stream::iter([ndjson(&rows).into_bytes()]).chain(stream::pending());
    let mut departing = Box::pin(call.header("Content-Type", NDJSON).send_stream(sent));
    // Until it holds a stage.
    loop {
        let held = number(
            &service,
            "select count(*) as value from pg_locks where locktype = 'advisory' and classid = 3323 \
            and database = (select oid from pg_database where datname = current_database())",
        );
        let (held, gone) = futures::join!(held, async { futures::poll!(&mut departing).is_ready() });
        assert!(!gone);
        if held == 1 {
            break;
        }
    }
    drop(departing);
    assert_eq!(rest(&service).await, 0);
    put(&service, &token, NDJSON, "vnpt/2018-02", "", &rows).await.expect(200);
}

#[actix_web::test]
async fn deliveries_of_different_sources_come_in_side_by_side() {
    let (service, token) = start().await;
    let of = |agency: &str| -> Vec<Value> {
        ["S1", "S2", "S3"].map(|code| row(agency, code, "online", 5, 1)).into()
    };
    let (one, other) = (of("SO-YT"), of("SO-TC"));
    let (a, b) = futures::join!(
        put(&service, &token, NDJSON, "SO-YT/2018-02", "", &one),
        put(&service, &token, CSV, "SO-TC/2018-02", "", &other)
    );
    a.expect(200);
    b.expect(200);
    assert_eq!(stored(&service, &token, "2018-02").await.len(), 6);
    assert!(service.verify(false).await.is_empty());
}

#[actix_web::test]
async fn when_every_stage_is_taken_the_client_is_told_to_come_again() {
    let (service, token) = start().await;
    let rows = [row("SO-YT", "S1", "online", 1, 0)];
    let (ready, held) = tokio::sync::oneshot::channel();
    let (done, over) = tokio::sync::oneshot::channel::<()>();
    let db = service.state.db().clone();
    let holder = async move {
        db.transaction(async move |conn: &mut Conn| {
            sql("select pg_advisory_xact_lock(3323, slot) from generate_series(1, 4) as slot")
                .run(conn)
                .await?;
            let _ = ready.send(());
            let _ = over.await;
            Ok::<_, Problem>(())
        })
        .await
    };
    let refused = async {
        held.await.unwrap();
        let answer = put(&service, &token, NDJSON, "vnpt/2018-02", "", &rows).await;
        drop(done);
        answer
    };
    let (held, refused) = futures::join!(holder, refused);
    held.unwrap();
    let refused = refused.expect_problem(503, "UNAVAILABLE");
    assert!(!refused.header("retry-after").is_empty());
    put(&service, &token, NDJSON, "vnpt/2018-02", "", &rows).await.expect(200);
}

#[actix_web::test]
async fn a_batch_of_thousands_takes_as_few_statements_as_a_small_one() {
    let (service, token) = start().await;
    service
        .sql(sql("insert into services (code, name, name_search, field, tier, status, postal, information_complete, forms_complete, \
             created_at, updated_at) select 'N' || n, 'x', 'x', 'f', 'province', 'in_force', true, true, true, '2018-01-01', '2018-01-01' \
             from generate_series(1, 700) as n"))
        .await;
    let rows: Vec<Value> = (0..2000)
        .map(|n| row("SO-YT", &format!("N{}", n / 3 + 1), ["online", "in_person", "postal"][n % 3], 4, 1))
        .collect();
    for format in ["application/json", NDJSON, CSV] {
        let path = if format == CSV { "vnpt/2018-01" } else { "vnpt/2018-02" };
        let (statements, done) = service.statements_of(put(&service, &token, format, path, "", &rows)).await;
        done.expect(200);
        assert!(statements <= 14, "{statements} statements for {format}");
    }
}

async fn feed(service: &TestService, token: &str) -> Value {
    service.get("dossier-feeds/vnpt").as_(token).send().await.expect(200).json()["parked"].clone()
}

fn new_service(code: &str) -> Value {
    json!({"code": code, "name": "Thủ tục mới", "field": "Đất đai", "tier": "province", "agencies": ["SO-YT"]})
}

#[actix_web::test]
async fn rows_of_unknown_procedures_wait_until_they_are_known() {
    let (service, token) = start().await;
    let rows = [
        row("SO-YT", "S1", "online", 10, 2),
        row("SO-YT", "1.000009", "online", 5, 1),
        row("SO-YT", "1.000008", "postal", 7, 0),
    ];
    put(&service, &token, NDJSON, "vnpt/2018-02", "", &rows).await.expect_problem(422, "UNKNOWN_REFERENCE");
    let mut dry = put(&service, &token, CSV, "vnpt/2018-02", "unknown_services=park&dry_run=true", &rows)
        .await
        .expect(200)
        .json();
    assert_eq!(feed(&service, &token).await["rows"], 0);
    let done =
        put(&service, &token, CSV, "vnpt/2018-02", "unknown_services=park", &rows).await.expect(200).json();
    dry["dry_run"] = json!(false);
    assert_eq!(dry, done);
    assert_eq!(
        done["counts"],
        json!({"created": 1, "updated": 0, "unchanged": 0, "deleted": 0, "parked": 2})
    );
    assert_eq!(
        feed(&service, &token).await,
        json!({"rows": 2, "services": ["1.000008", "1.000009"], "months": ["2018-02"]})
    );
    assert_eq!(stored(&service, &token, "2018-02").await.len(), 1, "no figure counts what is parked");
    let again = put(&service, &token, "application/json", "vnpt/2018-02", "unknown_services=park", &rows)
        .await
        .expect(200)
        .json();
    assert_eq!((&again["revision"], &again["counts"]["parked"]), (&json!(1), &json!(2)));
    let other = [row("SO-YT", "S2", "online", 1, 0)];
    put(&service, &token, NDJSON, "SO-YT/2018-02", "", &other).await.expect_problem(422, "FOREIGN_SOURCE");

    service.post("services", new_service("1.000009")).as_(&token).send().await.expect(201);
    assert_eq!(
        feed(&service, &token).await,
        json!({"rows": 1, "services": ["1.000008"], "months": ["2018-02"]})
    );
    let state = service.get("dossier-batches/vnpt/2018-02").as_(&token).send().await.expect(200).json();
    assert_eq!((&state["revision"], &state["received"]), (&json!(2), &json!(22)));
    assert_eq!(
        state["counts"],
        json!({"created": 1, "updated": 0, "unchanged": 1, "deleted": 0, "parked": 1})
    );
    assert!(state["reason"].as_str().unwrap().contains("1.000009"));
    let now = stored(&service, &token, "2018-02").await;
    assert_eq!(now.iter().map(|r| r["received"].as_i64().unwrap()).sum::<i64>(), 15);
    let events = service.get("audit-events?entity=dossier_batch").as_(&token).send().await.expect(200);
    assert_eq!(events.column("key").len(), 2);

    // What a later batch does not name is parked no more, and that is a revision.
    let gone = put(&service, &token, NDJSON, "vnpt/2018-02", "unknown_services=park", &rows[..2])
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&gone["revision"], &gone["counts"]["parked"], &gone["counts"]["unchanged"]),
        (&json!(3), &json!(0), &json!(2))
    );
    assert_eq!(feed(&service, &token).await["rows"], 0);
    assert!(service.verify(false).await.is_empty());
    rest(&service).await;
}

#[actix_web::test]
async fn parked_rows_of_a_closed_month_wait_for_it_to_open() {
    let (service, token) = start().await;
    let rows = [row("SO-YT", "1.000009", "online", 5, 1)];
    put(&service, &token, NDJSON, "vnpt/2018-01", "unknown_services=park", &rows).await.expect(200);
    put(&service, &token, NDJSON, "vnpt/2018-02", "unknown_services=park", &rows).await.expect(200);
    let step = async |action: &str| {
        let body = json!({"action": action, "reason": "Bổ sung thủ tục"});
        service.post("reporting-months/2018-01/transitions", body).as_(&token).send().await.expect(200)
    };
    step("close").await;
    let text = csv_services(&[new_service("1.000009")]);
    let dry =
        service.call("POST", "service-batches?dry_run=true").as_(&token).raw(CSV, text.clone()).send().await;
    assert_eq!(dry.expect(200).json()["counts"]["created"], 1);
    assert_eq!(feed(&service, &token).await["rows"], 2, "a dry run moves nothing");
    service.call("POST", "service-batches").as_(&token).raw(CSV, text).send().await.expect(200);
    assert_eq!(
        feed(&service, &token).await,
        json!({"rows": 1, "services": ["1.000009"], "months": ["2018-01"]})
    );
    assert_eq!(stored(&service, &token, "2018-02").await.len(), 1);
    assert_eq!(stored(&service, &token, "2018-01").await.len(), 0);
    step("reopen").await;
    assert_eq!(feed(&service, &token).await, json!({"rows": 0, "services": [], "months": []}));
    assert_eq!(stored(&service, &token, "2018-01").await.len(), 1);
    assert!(service.verify(false).await.is_empty());
    rest(&service).await;
}

fn csv_services(rows: &[Value]) -> String {
    let line = |row: &Value| {
        let agencies: Vec<&str> =
            row["agencies"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        format!(
            "{},\"{}\",{},{},{},true,3,2018-01-01,QĐ 1\n",
            text("code"),
            text("name"),
            text("field"),
            text("tier"),
            agencies.join("|")
        )
    };
    let header = "code,name,field,tier,agencies,postal,level,effective_from,decision\n";
    format!("{header}{}", rows.iter().map(line).collect::<String>())
}

#[actix_web::test]
async fn the_catalogue_comes_in_every_format() {
    let (service, token) = start().await;
    let post = async |format: &str, body: String| {
        service.call("POST", "service-batches").as_(&token).raw(format, body).send().await
    };
    let mut full = new_service("1.000009");
    full["agencies"] = json!(["SO-TC", "SO-YT"]);
    let text = csv_services(&[full.clone()]);
    assert_eq!(post(CSV, text.clone()).await.expect(200).json()["counts"]["created"], 1);
    full["postal"] = json!(true);
    full["level"] = json!(3);
    full["effective_from"] = json!("2018-01-01");
    full["decision"] = json!("QĐ 1");
    assert_eq!(post(NDJSON, format!("{full}\n")).await.expect(200).json()["counts"]["unchanged"], 1);
    let read = service.get("services/1.000009").as_(&token).send().await.expect(200).json();
    assert_eq!((&read["agencies"], &read["postal"]), (&json!(["SO-TC", "SO-YT"]), &json!(true)));
    let bad = "code,name,field,tier,level\n1.000010,a,b,village,1\n1.000011,a,b,province,many\n1.000012,,b,province,1\n";
    let answer = post(CSV, bad.to_owned()).await.expect(422);
    assert_eq!(
        errors(&answer),
        [
            error("WRONG_TYPE", "/rows/0/tier"),
            error("WRONG_TYPE", "/rows/1/level"),
            error("MISSING_FIELD", "/rows/2/name")
        ]
    );
    let answer =
        post(NDJSON, "{\"code\":\"x\",\"name\":\"a\",\"field\":\"b\",\"tier\":\"province\"}\n".into())
            .await
            .expect(422);
    assert_eq!(errors(&answer), [error("INVALID_CODE", "/rows/0/code")]);
    post(CSV, "code,name\n".into()).await.expect_problem(400, "MISSING_FIELD");
    post(NDJSON, String::new()).await.expect_problem(422, "INVALID_LENGTH");
    let once = async || {
        let call = service.call("POST", "service-batches").as_(&token).raw(CSV, text.clone());
        call.header("Idempotency-Key", "k").send().await.expect(200)
    };
    once().await;
    assert_eq!(once().await.header("idempotency-replayed"), "true");
}

#[actix_web::test]
async fn every_fault_of_the_parameters_of_a_stream_is_told_at_once() {
    let (service, token) = start().await;
    let long = "x".repeat(1001);
    let path = format!("dossier-batches/vnpt/2018-02?received=-1&reason={long}");
    let answer = service.call("PUT", &path).raw("text/csv", "").as_(&token).send().await.expect(400).json();
    let pointers: Vec<_> =
        answer["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!(pointers, ["?rows", "?received", "?reason"]);
}

#[actix_web::test]
async fn values_that_cannot_be_read_are_told_without_names_of_the_program() {
    let (service, token) = start().await;
    let said = async |path: &str, body: serde_json::Value| {
        let call = service.put(path, body).as_(&token).header("Accept-Language", "en");
        call.send().await.expect(400).json()["errors"][0]["detail"].as_str().unwrap().to_owned()
    };
    let batch = serde_json::json!({"control": {"rows": 1, "received": 1}, "rows": [5]});
    assert_eq!(said("dossier-batches/vnpt/2018-02", batch).await, "Expected an object, got an integer.");
    let query = "statistics/dossier-rates?period=2018-02&as_of=2018-03-01";
    let answer = service.get(query).as_(&token).send().await.expect_problem(400, "INVALID_PARAMETER").json();
    assert!(answer["errors"][0]["detail"].as_str().unwrap().contains("RFC 3339"), "{answer}");
}
