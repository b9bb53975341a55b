//! The monthly report: what is in it, who reads it, and that the workbook has the same figures.

use std::io::Cursor;

use calamine::{Data, Range, Reader, Xlsx, open_workbook_from_rs};
use ict_index::db::sql;
use ict_index::seed;
use serde_json::{Value, json};

use crate::dossiers::{add_service, batch, row};
use crate::progress::{accept, item};
use crate::support::{Answer, PASSWORD, TestService};

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

async fn report(service: &TestService, month: &str) -> Value {
    let token = service.token("monitor").await;
    service.get(&format!("reports/{month}")).as_(&token).send().await.expect(200).json()
}

async fn workbook(service: &TestService, month: &str) -> Xlsx<Cursor<Vec<u8>>> {
    let token = service.token("coordinator").await;
    let answer: Answer =
        service.get(&format!("reports/{month}")).header("Accept", XLSX).as_(&token).send().await.expect(200);
    assert_eq!(answer.header("content-type"), XLSX);
    assert_eq!(
        answer.header("content-disposition"),
        format!("attachment; filename=\"ict-index-{month}.xlsx\"")
    );
    open_workbook_from_rs(Cursor::new(answer.body)).expect("a workbook that can be read")
}

fn sheet(book: &mut Xlsx<Cursor<Vec<u8>>>, name: &str) -> Range<Data> {
    book.worksheet_range(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What a cell shows; nothing when it is empty.
fn shown(cell: &Data) -> String {
    cell.to_string()
}

/// The row whose first cells are these.
fn row_of(sheet: &Range<Data>, first: &[&str]) -> Vec<Data> {
    let is = |row: &&[Data]| first.iter().zip(*row).all(|(text, cell)| shown(cell) == *text);
    sheet.rows().find(is).unwrap_or_else(|| panic!("no row {first:?}")).to_vec()
}

fn number(cell: &Data) -> f64 {
    match cell {
        Data::Float(n) => *n,
        Data::Int(n) => *n as f64,
        other => panic!("{other:?} is no number"),
    }
}

/// Agencies, procedures and dossiers of 2018, seen from the middle of August.
async fn busy() -> TestService {
    let service = TestService::start().await;
    add_service(&service, "L3", "Đất đai", &[(3, "2017-06-01")], &["SO-YT", "SO-TC"]).await;
    add_service(&service, "L4", "Y tế", &[(4, "2018-05-01")], &["SO-YT"]).await;
    service.at("2018-08-15T02:00:00Z");
    let token = service.token("coordinator").await;
    for (month, online) in [("2018-03", 40), ("2018-06", 30), ("2018-07", 1)] {
        let rows = [
            row("SO-YT", "L3", "online", online, 0),
            row("SO-TC", "L3", "in_person", 50, 0),
            row("SO-YT", "L4", "online", 9, 2),
        ];
        service
            .put(&format!("dossier-batches/vnpt/{month}"), batch(&rows))
            .as_(&token)
            .send()
            .await
            .expect(200);
    }
    accept(
        &service,
        &[
            ("SO-YT", "2018-05", "HT.CQ.01", Some(90), Some(100), None),
            ("SO-TC", "2018-06", "HT.CQ.01", Some(60), Some(50), None),
            ("SO-TC", "2018-07", "HT.CQ.01", Some(1), Some(50), None),
            ("SO-CT", "2018-06", "HT.XH.08", Some(80), Some(100), None),
        ],
    )
    .await;
    // SO-CT's came in on 11 July, as Vietnam counts days; SO-NV's is a draft.
    service
        .sql(sql("update submissions s set state = 'submitted', submitted_at = r.submitted_at from submission_revisions r, agencies a \
                  where r.submission_id = s.id and a.id = s.agency_id and a.code = 'SO-CT'"))
        .await;
    service
        .sql(sql("insert into submissions (id, agency_id, month, state, created_by, created_at, updated_at) \
                  select gen_random_uuid(), id, '2018-06-01', 'draft', 'user:a', '2018-07-01', '2018-07-01' from agencies where code = 'SO-NV'"))
        .await;
    service
}

#[actix_web::test]
async fn a_month_is_told_as_it_stood_on_its_last_day() {
    let service = busy().await;
    let june = report(&service, "2018-06").await;
    assert_eq!(
        (&june["month"], &june["on"], &june["year"]),
        (&json!("2018-06"), &json!("2018-06-30"), &json!(2018))
    );
    assert_eq!(june["recipient"], "Ủy ban nhân dân tỉnh Lào Cai");

    let submissions = &june["submissions"];
    assert_eq!((&submissions["due_on"], &submissions["expected"]), (&json!("2018-07-10"), &json!(29)));
    let counts =
        ["in_time", "late", "awaited", "missing", "accepted"].map(|name| submissions[name].as_i64().unwrap());
    assert_eq!(counts, [2, 0, 0, 27, 2]);
    let of = |agency: &str| {
        submissions["items"].as_array().unwrap().iter().find(|i| i["agency"] == agency).unwrap().clone()
    };
    assert_eq!(
        (&of("SO-TC")["standing"], &of("SO-TC")["submitted_on"]),
        (&json!("in_time"), &json!("2018-07-05"))
    );
    assert_eq!((&of("SO-NV")["standing"], &of("SO-NV")["state"]), (&json!("missing"), &json!("draft")));

    let indicators = june["indicators"].as_array().unwrap();
    assert_eq!(indicators.len(), 30, "all of them, target or not");
    let indicator = |code: &str| indicators.iter().find(|i| i["code"] == code).unwrap().clone();
    let computers = indicator("HT.CQ.01");
    assert_eq!(
        (&computers["numerator"], &computers["denominator"], &computers["actual"]),
        (&json!(150), &json!(150), &json!(1))
    );
    assert_eq!(
        (&computers["period_from"], &computers["coverage"]["reported"]),
        (&json!("2018-05"), &json!(2))
    );
    assert_eq!(
        (&indicator("HT.XH.01")["actual"], &indicator("HT.XH.01")["reason"]),
        (&Value::Null, &json!("no_figure"))
    );
    assert_eq!(indicator("UD.DV.04")["actual"], 50);

    assert_eq!(
        (&june["service_levels"]["exact"]["3"], &june["service_levels"]["at_least"]["1"]),
        (&json!(1), &json!(2))
    );
    let dossiers = june["dossiers"].as_array().unwrap();
    let rate = |period: &str, metric: &str| {
        let rate = dossiers.iter().find(|r| r["period"] == period && r["metric"] == metric).unwrap().clone();
        (
            rate["numerator"].as_i64().unwrap(),
            rate["denominator"].as_i64().unwrap(),
            rate["dossiers_needed"].clone(),
        )
    };
    assert_eq!(rate("2018-06", "dossiers_level_3_resolved"), (30, 80, json!(45)));
    // L4 has been of level 4 since May, as June ends: its dossiers of March count as such.
    assert_eq!(rate("2018", "dossiers_level_4_resolved"), (14, 14, json!(0)));
    assert_eq!(rate("2018", "dossiers_level_3_resolved"), (70, 170, json!(80)), "July is not in it");

    let token = service.token("monitor").await;
    let progress = service.get("statistics/progress?year=2018&on=2018-06-30").as_(&token).send().await;
    let progress = progress.expect(200).json();
    let level_3 = |of: &Value| item(of, "dossiers_level_3_resolved", None);
    assert_eq!(level_3(&june["progress"]), level_3(&progress));
    assert_eq!(june["tasks"], progress["tasks"]);
    let (province, agencies) = (&june["progress"]["province"], &june["progress"]["agencies"]);
    let sum = |name: &str| province[name].as_i64().unwrap() + agencies[name].as_i64().unwrap();
    for name in ["achieved", "on_track", "at_risk", "off_track", "not_assessable", "total"] {
        assert_eq!(sum(name), progress["counts"][name], "{name}");
    }
    let computers = june["progress"]["agency_targets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["code"] == "HT.CQ.01")
        .unwrap();
    assert_eq!((&computers["counts"]["achieved"], &computers["behind"]), (&json!(1), &json!(["SO-YT"])));

    let results = june["national_results"].as_array().unwrap();
    assert_eq!(
        (&results[0]["node"], &results[0]["index_year"], &results[0]["rank_change"]),
        (&json!("ICT"), &json!(2018), &json!(-1))
    );
    assert!(
        june["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains("2/29 cơ quan"))
    );
}

#[actix_web::test]
async fn what_comes_after_the_tenth_is_late() {
    let service = busy().await;
    let set = async |at: &'static str| {
        let statement = sql("update submissions s set updated_at = s.updated_at from agencies a where a.id = s.agency_id and a.code = $1").bind("SO-TC");
        service.sql(statement).await;
        service
            .sql(sql("alter table submission_revisions disable trigger submission_revisions_frozen"))
            .await;
        let moved = sql(
            "update submission_revisions r set submitted_at = $1::text::timestamptz from submissions s, agencies a \
                         where s.id = r.submission_id and a.id = s.agency_id and a.code = 'SO-TC' and s.month = '2018-06-01'",
        );
        service.sql(moved.bind(at.to_owned())).await;
        let june = report(&service, "2018-06").await;
        let items = june["submissions"]["items"].as_array().unwrap().clone();
        items.into_iter().find(|i| i["agency"] == "SO-TC").unwrap()["standing"].clone()
    };
    assert_eq!(set("2018-07-10T16:59:59Z").await, "in_time");
    assert_eq!(set("2018-07-10T17:00:00Z").await, "late");
    let july = report(&service, "2018-07").await;
    assert_eq!(july["submissions"]["awaited"], 0, "the 10th of August is over");
    service.at("2018-08-10T02:00:00Z");
    let july = report(&service, "2018-07").await;
    assert_eq!((&july["submissions"]["missing"], &july["submissions"]["in_time"]), (&json!(0), &json!(1)));
}

#[actix_web::test]
async fn the_workbook_has_the_figures_of_the_answer() {
    let service = busy().await;
    let (june, mut book) = (report(&service, "2018-06").await, workbook(&service, "2018-06").await);
    assert_eq!(
        book.sheet_names(),
        [
            "Tổng hợp",
            "Mục tiêu của tỉnh",
            "Mục tiêu của cơ quan",
            "Nhiệm vụ quá hạn",
            "Báo cáo của cơ quan",
            "Số liệu thành phần",
            "DVCTT và xếp hạng",
            "Ghi chú"
        ]
    );
    let summary = sheet(&mut book, "Tổng hợp");
    let counts = row_of(&summary, &["Của tỉnh"]);
    let province = &june["progress"]["province"];
    for (place, name) in
        ["achieved", "on_track", "at_risk", "off_track", "not_assessable", "total"].iter().enumerate()
    {
        assert_eq!(number(&counts[place + 1]), province[name].as_f64().unwrap(), "{name}");
    }
    let text: String = summary.rows().flatten().map(|cell| format!("{cell}\n")).collect();
    for part in [
        "ỦY BAN NHÂN DÂN TỈNH LÀO CAI",
        "SỞ THÔNG TIN VÀ TRUYỀN THÔNG",
        "Lào Cai, ngày",
        "Tình hình thực hiện Kế hoạch duy trì, cải thiện ICT-Index tháng 6/2018",
        "thời hạn gửi tạm tính: 10/7/2018",
        "GIÁM ĐỐC",
        "Nơi nhận:",
        "Lũy kế đến hết tháng 6/2018",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let targets = sheet(&mut book, "Mục tiêu của tỉnh");
    for target in june["progress"]["items"].as_array().unwrap() {
        let name = match (target["code"].as_str().unwrap(), target["name"].as_str()) {
            ("dossiers_level_3_resolved", _) => "Hồ sơ mức độ 3 được xử lý trực tuyến".to_owned(),
            ("dossiers_level_4_resolved", _) => "Hồ sơ mức độ 4 được xử lý trực tuyến".to_owned(),
            ("services_level_3_4", _) => "TTHC cung cấp DVCTT mức độ 3 và mức độ 4".to_owned(),
            ("NL.XH.03:primary", Some(name)) => format!("{name} (tiểu học)"),
            ("NL.XH.03:lower_and_upper_secondary", Some(name)) => format!("{name} (THCS, THPT)"),
            (_, name) => name.unwrap().to_owned(),
        };
        let code = target["code"].as_str().filter(|_| target["subject"] == "indicator").unwrap_or_default();
        let row = row_of(&targets, &[code.split(':').next().unwrap(), &name]);
        for (place, name) in [
            (4, "actual"),
            (5, "numerator"),
            (6, "denominator"),
            (7, "expected_by_now"),
            (8, "gap"),
            (9, "required_pace"),
        ] {
            match target[name].as_f64() {
                Some(value) => assert_eq!(number(&row[place]), value, "{name} of {row:?}"),
                None => assert_eq!(row[place], Data::Empty, "{name} of {row:?}"),
            }
        }
    }
    let tasks = sheet(&mut book, "Nhiệm vụ quá hạn");
    for task in june["tasks"]["overdue"].as_array().unwrap() {
        let row = row_of(&tasks, &[task["code"].as_str().unwrap()]);
        assert_eq!(number(&row[4]), task["days_overdue"].as_f64().unwrap());
    }
    let services = sheet(&mut book, "DVCTT và xếp hạng");
    let rate = row_of(&services, &["Tháng 6/2018", "Hồ sơ mức độ 3 được xử lý trực tuyến"]);
    assert_eq!(
        (number(&rate[2]), number(&rate[3]), number(&rate[4]), number(&rate[7])),
        (30.0, 80.0, 37.5, 45.0)
    );
    assert_eq!(number(&row_of(&services, &["ICT"])[3]), 8.0);
    let agencies = sheet(&mut book, "Báo cáo của cơ quan");
    assert_eq!(agencies.rows().filter(|row| shown(&row[5]) == "Quá thời hạn chưa gửi").count(), 27);
    let figures = sheet(&mut book, "Số liệu thành phần");
    assert_eq!(number(&row_of(&figures, &["HT.CQ.01"])[3]), 150.0);
    assert_eq!(row_of(&figures, &["HT.XH.01"])[7].to_string(), "chưa có số liệu");
}

#[actix_web::test]
async fn a_province_of_250_communes_fits_into_rows() {
    let service = busy().await;
    service
        .sql(sql("insert into agencies (code, name, name_search, kind, created_at, updated_at) \
                  select 'XA-' || n, 'Ủy ban nhân dân xã số ' || n, 'xa', 'commune', now(), now() from generate_series(101, 350) n"))
        .await;
    let june = report(&service, "2018-06").await;
    let behind = june["progress"]["agency_targets"].as_array().unwrap().iter();
    let most = behind.map(|target| target["behind"].as_array().unwrap().len()).max();
    let mut book = workbook(&service, "2018-06").await;
    let summary = sheet(&mut book, "Tổng hợp");
    let named = summary.rows().filter(|row| shown(&row[0]).contains("xã số")).count();
    assert!(named > 1, "more than one row takes");
    let text: String = summary.rows().map(|row| shown(&row[0])).collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("Cơ quan chưa gửi báo cáo: ")
            && (101..=350).all(|n| text.contains(&format!("xã số {n}")))
    );
    for name in book.sheet_names() {
        for cell in sheet(&mut book, &name).rows().flatten().map(shown) {
            assert!(!cell.contains("; XA-"), "agencies are listed by name: {cell}");
            assert!(cell.matches("UBND xã").count() <= 12, "{most:?}: {cell}");
        }
    }
}

#[actix_web::test]
async fn no_text_becomes_a_formula() {
    let service = busy().await;
    let nasty = "=HYPERLINK(\"http://x\",\"y\")";
    for statement in [
        "update agencies set name = $1 where code in ('SO-NV', 'UBND-TINH')",
        "update tasks set title = $1 where code = 'T04'",
        "update indicators set name = $1",
    ] {
        service.sql(sql(statement).bind(nasty)).await;
    }
    let mut book = workbook(&service, "2018-06").await;
    let mut seen = 0;
    for name in book.sheet_names() {
        let formulas = book.worksheet_formula(&name).unwrap();
        assert!(formulas.is_empty() || formulas.rows().flatten().all(String::is_empty), "{name}");
        seen += sheet(&mut book, &name).rows().flatten().filter(|cell| shown(cell) == nasty).count();
    }
    assert!(seen >= 3, "it is there, as text");
}

#[actix_web::test]
async fn an_empty_database_and_any_month_are_reported() {
    let service = TestService::start().await;
    for month in ["2018-03", "2018-02", "2017-12", "1990-01"] {
        let report = report(&service, month).await;
        assert_eq!(report["month"], month);
        let actuals =
            report["progress"]["items"].as_array().unwrap().iter().filter(|i| !i["actual"].is_null()).count();
        assert_eq!(actuals, 0);
        assert_eq!(report["dossiers"].as_array().unwrap().len(), 6);
        workbook(&service, month).await;
    }
    service.sql(sql("delete from targets")).await;
    service.sql(sql("delete from national_results")).await;
    assert_eq!(
        report(&service, "2018-03").await["on"],
        "2018-03-15",
        "a month that goes on is shown as of today"
    );
    workbook(&service, "2018-03").await;
}

#[actix_web::test]
async fn the_demo_year_is_reported() {
    let service = TestService::start().await;
    service.at("2019-01-15T02:00:00Z");
    let (db, now) = (service.state.db(), "2019-01-15T02:00:00Z".parse().unwrap());
    seed::demo(db, service.state.passwords(), Some(PASSWORD.into()), now).await.expect("the demo loads");
    let june = report(&service, "2018-06").await;
    assert!(june["progress"]["agencies"]["achieved"].as_i64().unwrap() > 0, "{}", june["progress"]);
    let rate = &june["dossiers"][0];
    assert!(rate["numerator"].as_i64().unwrap() > 0 && rate["rate"].is_number());
    workbook(&service, "2018-06").await;
}

#[actix_web::test]
async fn formats_and_readers() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let get = |path: &str, accept: &str| service.get(path).header("Accept", accept).as_(&token).send();
    let json = get("reports/2018-02", "*/*").await.expect(200);
    assert_eq!(json.header("content-type"), "application/json");
    let book = get("reports/2018-02?format=xlsx", "*/*").await.expect(200);
    assert_eq!(book.header("content-type"), XLSX);
    assert_ne!(json.etag(), book.etag());
    for (path, held) in [("reports/2018-02", &json), ("reports/2018-02?format=xlsx", &book)] {
        let again =
            service.get(path).as_(&token).header("If-None-Match", &held.etag()).send().await.expect(304);
        assert!(again.body.is_empty());
    }
    assert_eq!(
        get("reports/2018-02?format=json", XLSX).await.expect(200).header("content-type"),
        "application/json"
    );
    get("reports/2018-02", "text/csv").await.expect_problem(406, "NOT_ACCEPTABLE");
    get("agencies", XLSX).await.expect_problem(406, "NOT_ACCEPTABLE");
    get("reports/2018-02?format=csv", "*/*").await.expect_problem(400, "INVALID_PARAMETER");
    get("reports/2018-02?year=2018", "*/*").await.expect_problem(400, "UNKNOWN_PARAMETER");
    get("reports/2018-2", "*/*").await.expect_problem(400, "MALFORMED_MONTH");
    get("reports/2018-04", "*/*").await.expect_problem(404, "NOT_FOUND");
    let held = service.put(
        "targets",
        json!({"subject": "metric", "code": "on_time", "scope": "province", "year": 2018,
        "comparator": "gte", "value": 95, "due": "2018-12-31", "source": "t"}),
    );
    held.as_(&token).send().await.expect(200);
    let changed = get("reports/2018-02?format=xlsx", "*/*").await.expect(200);
    assert_ne!(changed.etag(), book.etag(), "other figures, another tag");
    for reader in ["officer.so-yt", "admin"] {
        let token = service.token(reader).await;
        service.get("reports/2018-02").as_(&token).send().await.expect_problem(403, "FORBIDDEN");
    }
    let portal = service.client_token("portal").await;
    service.get("reports/2018-02").as_(&portal).send().await.expect_problem(403, "FORBIDDEN");
    let monitor = service.token("monitor").await;
    let (statements, answer) =
        service.statements_of(service.get("reports/2018-02").as_(&monitor).send()).await;
    answer.expect(200);
    assert!(statements <= 8, "{statements}: one of them finds out who asks");
}
