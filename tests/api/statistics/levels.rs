//! Procedures by online level, as they stood on the last day of a period.

use ict_index::db::sql;
use serde_json::{Value, json};

use crate::support::TestService;

/// A procedure with its level.
fn row(n: usize, field: &str, agencies: &[&str], level: u8, from: &str) -> Value {
    json!({
        "code": format!("1.{n:06}"), "name": format!("Thủ tục {n}"), "field": field, "tier": "province",
        "agencies": agencies, "level": level, "effective_from": from, "decision": "QĐ 1/QĐ-UBND"
    })
}

async fn store(service: &TestService, token: &str, rows: Vec<Value>) {
    service.post("service-batches", json!({"rows": rows})).as_(token).send().await.expect(200);
}

/// The answer to a query on the level statistic.
async fn levels(service: &TestService, token: &str, query: &str) -> Value {
    service.get(&format!("statistics/service-levels?{query}")).as_(token).send().await.expect(200).json()
}

fn rate<'v>(item: &'v Value, metric: &str, counting: &str) -> &'v Value {
    let rates = item["rates"].as_array().unwrap();
    rates.iter().find(|r| r["metric"] == metric && r["counting"] == counting).expect("a rate of this metric")
}

/// (group code, exact counts, total) of all items.
fn table(answer: &Value) -> Vec<(String, [i64; 4], i64)> {
    let items = answer["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| {
            let exact = ["1", "2", "3", "4"].map(|level| item["exact"][level].as_i64().unwrap());
            (item["group"]["code"].as_str().unwrap().to_owned(), exact, item["total"].as_i64().unwrap())
        })
        .collect()
}

#[actix_web::test]
async fn the_published_figures_of_2020_come_out() {
    let service = TestService::start().await;
    service.at("2020-12-31T02:00:00Z");
    let token = service.client_token("vnpt").await;
    let level = |n: usize| match n {
        1..=404 => 3,
        405..=1155 => 4,
        _ => 2,
    };
    let rows = (1..=2020).map(|n| row(n, "Đất đai", &["SO-TNMT"], level(n), "2020-06-01")).collect();
    store(&service, &token, rows).await;
    let portal = service.client_token("portal").await;
    let answer = levels(&service, &portal, "period=2020").await;
    assert_eq!(
        (&answer["period"], &answer["level_at"], &answer["as_of"]),
        (&json!("2020"), &json!("period_end"), &json!("2020-12-31T02:00:00Z"))
    );
    let item = &answer["items"][0];
    assert_eq!(item["group"], json!({"type": "province", "code": "ALL", "name": "Toàn tỉnh"}));
    assert_eq!(item["exact"], json!({"1": 0, "2": 865, "3": 404, "4": 751}));
    assert_eq!(item["at_least"], json!({"1": 2020, "2": 2020, "3": 1155, "4": 751}));
    assert_eq!(item["total"], 2020);
    for (metric, counting, numerator, percent) in [
        ("services_level_2", "exact", 865, 42.82),
        ("services_level_3", "exact", 404, 20.0),
        ("services_level_3", "at_least", 1155, 57.18),
        ("services_level_4", "exact", 751, 37.18),
        ("services_level_4", "at_least", 751, 37.18),
        ("services_level_3_4", "at_least", 1155, 57.18),
    ] {
        let rate = rate(item, metric, counting);
        assert_eq!((&rate["numerator"], &rate["denominator"]), (&json!(numerator), &json!(2020)), "{metric}");
        assert_eq!(rate["rate"].as_f64(), Some(percent), "{metric} {counting}");
        assert_eq!((&rate["rate_reason"], &rate["dossiers_needed"]), (&Value::Null, &Value::Null));
    }
}

#[actix_web::test]
async fn the_level_is_that_of_the_periods_last_day() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    store(&service, &token, vec![row(1, "Y tế", &["SO-YT"], 2, "2017-01-01")]).await;
    store(&service, &token, vec![row(1, "Y tế", &["SO-YT"], 3, "2018-03-31")]).await;
    store(&service, &token, vec![row(1, "Y tế", &["SO-YT"], 4, "2018-04-01")]).await;
    for (period, exact) in [
        ("2016", [0, 0, 0, 0]),
        ("2017", [0, 1, 0, 0]),
        ("2018-02", [0, 1, 0, 0]),
        ("2018-03", [0, 0, 1, 0]),
        ("2018-Q1", [0, 0, 1, 0]),
        ("2018-04", [0, 0, 0, 1]),
        ("2018", [0, 0, 0, 1]),
    ] {
        let answer = levels(&service, &token, &format!("period={period}")).await;
        assert_eq!(
            table(&answer),
            [("ALL".to_owned(), exact, 1)],
            "{period}: no level counts in the total alone"
        );
    }
    let months = levels(&service, &token, "period=2018-Q2&group_by=month").await;
    assert_eq!(
        table(&months).iter().map(|m| m.0.as_str()).collect::<Vec<_>>(),
        ["2018-04", "2018-05", "2018-06"]
    );
    let months = levels(&service, &token, "period=2018&group_by=month").await;
    let steps: Vec<_> = table(&months).into_iter().map(|(_, exact, _)| exact).collect();
    assert_eq!(steps[..4], [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]);
    assert_eq!(
        months["items"][2]["group"],
        json!({"type": "month", "code": "2018-03", "name": "Tháng 3/2018"})
    );
}

#[actix_web::test]
async fn abolishing_today_leaves_last_year_alone() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let rows = (1..=3).map(|n| row(n, "Y tế", &["SO-YT"], 3, "2017-01-01")).collect();
    store(&service, &token, rows).await;
    let before = levels(&service, &token, "period=2017").await;
    let tag = service.get("services/1.000001").as_(&token).send().await.expect(200).etag();
    let abolish = json!({"status": "abolished"});
    service.patch("services/1.000001", abolish).as_(&token).if_match(&tag).send().await.expect(200);
    let mut by_batch = row(2, "Y tế", &["SO-YT"], 3, "2017-01-01");
    by_batch["status"] = json!("abolished");
    store(&service, &token, vec![by_batch]).await;
    assert_eq!(levels(&service, &token, "period=2017").await["items"], before["items"]);
    assert_eq!(before["items"][0]["total"], 3);
    assert_eq!(levels(&service, &token, "period=2018-02").await["items"][0]["total"], 3);
    assert_eq!(levels(&service, &token, "period=2018-03").await["items"][0]["total"], 1);
    service.at("2020-01-10T02:00:00Z");
    let token = service.token("coordinator").await;
    assert_eq!(levels(&service, &token, "period=2017").await["items"], before["items"]);
}

#[actix_web::test]
async fn nothing_to_divide_by_is_no_rate() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let answer = levels(&service, &token, "period=2018-02").await;
    assert_eq!(table(&answer), [("ALL".to_owned(), [0; 4], 0)]);
    for rate in answer["items"][0]["rates"].as_array().unwrap() {
        assert_eq!((&rate["rate"], &rate["rate_reason"]), (&Value::Null, &json!("no_services")));
    }
    assert_eq!(answer["coverage"]["reported"], 0);
    let coordinator = service.token("coordinator").await;
    store(&service, &coordinator, vec![row(1, "Y tế", &["SO-YT"], 1, "2017-01-01")]).await;
    let answer = levels(&service, &token, "period=2018-02").await;
    let item = &answer["items"][0];
    let none = rate(item, "services_level_3_4", "at_least");
    assert_eq!((&none["rate"], &none["rate_reason"]), (&json!(0), &Value::Null), "0 of 1 is 0");
    let none = rate(item, "services_active_level_3", "exact");
    assert_eq!((&none["rate"], &none["rate_reason"]), (&Value::Null, &json!("no_services")));
    assert!(levels(&service, &token, "period=2018-02&group_by=month").await["items"][0]["total"] == 1);
    assert_eq!(levels(&service, &token, "period=2018-02&group_by=field&field=X").await["items"], json!([]));
}

#[actix_web::test]
async fn groups_and_filters_by_agency_and_field() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let rows = vec![
        row(1, "Đất đai", &["SO-TNMT"], 3, "2017-01-01"),
        row(2, "Đất đai", &["SO-TNMT", "UBND-080"], 4, "2017-01-01"),
        row(3, "Dược", &["SO-YT"], 2, "2017-01-01"),
        row(4, "Văn hóa, Thể thao", &["UBND-080"], 1, "2017-01-01"),
    ];
    store(&service, &token, rows).await;
    let owned = |rows: &[(&str, [i64; 4], i64)]| -> Vec<(String, [i64; 4], i64)> {
        rows.iter().map(|(code, exact, total)| ((*code).to_owned(), *exact, *total)).collect()
    };
    let by_agency = levels(&service, &token, "period=2017&group_by=agency").await;
    let tnmt = ("SO-TNMT", [0, 0, 1, 1], 2);
    let (yt, lao_cai) = (("SO-YT", [0, 1, 0, 0], 1), ("UBND-080", [1, 0, 0, 1], 2));
    assert_eq!(
        table(&by_agency),
        owned(&[tnmt, yt, lao_cai]),
        "shared procedures count once for each agency"
    );
    assert_eq!(
        by_agency["items"][0]["group"],
        json!({"type": "agency", "code": "SO-TNMT", "name": "Sở Tài nguyên và Môi trường"})
    );
    assert_eq!(by_agency["items"][0]["rates"][0]["group"], by_agency["items"][0]["group"]);
    let all = levels(&service, &token, "period=2017").await;
    assert_eq!(table(&all), owned(&[("ALL", [1, 1, 1, 1], 4)]), "and once for the province");
    let by_field = levels(&service, &token, "period=2017&group_by=field").await;
    let fields =
        [("Dược", [0, 1, 0, 0], 1), ("Đất đai", [0, 0, 1, 1], 2), ("Văn hóa, Thể thao", [1, 0, 0, 0], 1)];
    assert_eq!(table(&by_field), owned(&fields), "in Vietnamese order");
    assert_eq!(by_field["items"][0]["group"], json!({"type": "field", "code": "Dược", "name": "Dược"}));

    for (query, expected) in [
        ("agency=UBND-080", vec![("ALL", [1, 0, 0, 1], 2)]),
        ("agency=UBND-080,SO-TNMT", vec![("ALL", [1, 0, 1, 1], 3)]),
        ("agency=UBND-080,SO-TNMT&group_by=agency", vec![tnmt, lao_cai]),
        ("agency=UBND-080&group_by=agency", vec![lao_cai]),
        ("agency=UBND-080&group_by=field", vec![("Đất đai", [0, 0, 0, 1], 1), fields[2]]),
        ("field=D%C6%B0%E1%BB%A3c", vec![("ALL", [0, 1, 0, 0], 1)]),
        ("field=V%C4%83n+h%C3%B3a,+Th%E1%BB%83+thao", vec![("ALL", [1, 0, 0, 0], 1)]),
        ("agency=SO-YT&field=%C4%90%E1%BA%A5t+%C4%91ai", vec![("ALL", [0; 4], 0)]),
    ] {
        let answer = levels(&service, &token, &format!("period=2017&{query}")).await;
        assert_eq!(table(&answer), owned(&expected), "{query}");
    }
}

#[actix_web::test]
async fn coverage_names_the_agencies_without_procedures() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let rows = vec![
        row(1, "Y tế", &["SO-YT", "UBND-080"], 3, "2017-01-01"),
        row(2, "An ninh", &["CA-TINH"], 3, "2017-01-01"),
    ];
    store(&service, &token, rows).await;
    let coverage = levels(&service, &token, "period=2018-06").await["coverage"].clone();
    let missing: Vec<&str> =
        coverage["missing"].as_array().unwrap().iter().map(|m| m.as_str().unwrap()).collect();
    assert_eq!(coverage["reported"], 3, "the branch of a ministry counts when it has procedures");
    assert_eq!(coverage["expected"].as_u64().unwrap(), 3 + missing.len() as u64);
    assert!(missing.is_sorted() && missing.contains(&"SO-XD") && missing.contains(&"UBND-089"));
    for not_missing in ["SO-YT", "UBND-080", "CA-TINH", "SO-GTVTXD", "BAO-LC", "UBND-TINH"] {
        assert!(!missing.contains(&not_missing), "{not_missing}");
    }
    let after_the_merger =
        levels(&service, &token, "period=2018-07").await["coverage"]["missing"].to_string();
    assert!(after_the_merger.contains("SO-GTVTXD") && !after_the_merger.contains("\"SO-XD\""));
    let filtered = levels(&service, &token, "period=2018-06&agency=SO-YT,SO-TC&group_by=agency").await;
    assert_eq!(
        filtered["coverage"],
        json!({"expected": 2, "reported": 1, "missing": ["SO-TC"], "partial": []})
    );
    assert_eq!(table(&filtered).len(), 1, "nothing is imputed");
}

#[actix_web::test]
async fn rates_are_compared_with_the_targets_of_the_year() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let rows = (1..=5).map(|n| row(n, "Y tế", &["SO-YT"], if n < 4 { 3 } else { 1 }, "2017-01-01")).collect();
    store(&service, &token, rows).await;
    service
        .sql(sql(
            "insert into targets (id, subject, code, scope, year, comparator, value, due, source, created_at, updated_at) values \
             (gen_random_uuid(), 'metric', 'services_level_3_4', 'province', 2019, 'gt', 60, '2019-12-31', 'x', now(), now()), \
             (gen_random_uuid(), 'indicator', 'UD.DV.01', 'province', 2019, 'gte', 100, '2019-03-31', 'x', now(), now()), \
             (gen_random_uuid(), 'indicator', 'UD.DV.02', 'province', 2019, 'gte', 100, '2019-03-31', 'x', now(), now())",
        ))
        .await;
    let answer = levels(&service, &token, "period=2019-Q1").await;
    let item = &answer["items"][0];
    let reached = rate(item, "services_level_3_4", "at_least");
    let target = |comparator: &str, value: i32, due: &str, met: bool| json!({"comparator": comparator, "value": value, "value_to": null, "due": due, "met": met});
    assert_eq!(reached["target"], target("gt", 60, "2019-12-31", false), "60 is not above 60");
    assert_eq!(reached["gap"], 0);
    assert_eq!((&reached["dossiers_needed"], &reached["dossiers_to_shift"]), (&Value::Null, &Value::Null));
    assert_eq!(rate(item, "services_level_1", "at_least")["target"], target("gte", 100, "2019-03-31", true));
    let second = rate(item, "services_level_2", "at_least");
    assert_eq!(second["target"], target("gte", 100, "2019-03-31", false));
    assert_eq!(second["gap"], 40);
    assert_eq!(rate(item, "services_level_1", "exact")["target"], Value::Null, "the plan means at least");
    let other_year = levels(&service, &token, "period=2016").await;
    assert_eq!(rate(&other_year["items"][0], "services_level_3_4", "at_least")["target"], Value::Null);
}

#[actix_web::test]
async fn a_procedure_is_active_when_a_dossier_came_online_in_the_period() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let both = &["SO-YT", "UBND-080"];
    let rows = vec![
        row(1, "Y tế", both, 3, "2017-01-01"),
        row(2, "Y tế", both, 3, "2017-01-01"),
        row(3, "Y tế", both, 4, "2017-01-01"),
        row(4, "Y tế", both, 2, "2017-01-01"),
    ];
    store(&service, &token, rows).await;
    let count = |month: &'static str,
                 code: &'static str,
                 agency: &'static str,
                 channel: i16,
                 received: i32| {
        sql("insert into dossier_counts select $1::date, a.id, s.id, $4, 'vnpt', $5, 0, 0, 0, 0, 0, 0, 0, 1 \
             from services s, agencies a where s.code = $2 and a.code = $3")
        .bind(month.parse::<chrono::NaiveDate>().unwrap())
        .bind(code)
        .bind(agency)
        .bind(channel)
        .bind(received)
    };
    for counted in [
        count("2018-01-01", "1.000001", "SO-YT", 1, 5),
        count("2018-02-01", "1.000001", "SO-YT", 1, 5),
        count("2018-02-01", "1.000001", "UBND-080", 1, 5),
        count("2018-02-01", "1.000002", "SO-YT", 2, 5),
        count("2018-02-01", "1.000003", "SO-YT", 1, 0),
        count("2018-02-01", "1.000004", "SO-YT", 1, 7),
        count("2017-12-01", "1.000002", "SO-YT", 1, 5),
    ] {
        assert_eq!(service.sql(counted).await, 1);
    }
    service.verify(true).await;
    let active = |item: &Value| {
        [3, 4].map(|level| {
            let rate = rate(item, &format!("services_active_level_{level}"), "exact").clone();
            (rate["numerator"].as_i64().unwrap(), rate["denominator"].as_i64().unwrap())
        })
    };
    let items =
        async |query: &str| levels(&service, &token, query).await["items"].as_array().unwrap().clone();
    let quarter = items("period=2018-Q1").await;
    assert_eq!(active(&quarter[0]), [(1, 2), (0, 1)]);
    assert_eq!(quarter[0]["total"], 4, "two agencies with dossiers do not count a procedure twice");
    assert_eq!(active(&items("period=2017").await[0]), [(1, 2), (0, 1)]);
    assert_eq!(active(&items("period=2016").await[0]), [(0, 0), (0, 0)]);
    let months = items("period=2018-Q1&group_by=month").await;
    assert_eq!([0, 1, 2].map(|n| active(&months[n])[0].0), [1, 1, 0]);
    let agencies = items("period=2018-01&group_by=agency").await;
    assert_eq!(
        [0, 1].map(|n| active(&agencies[n])[0]),
        [(1, 2), (0, 2)],
        "SO-YT received one, UBND-080 none"
    );
    assert_eq!(active(&items("period=2018-01&agency=UBND-080").await[0]), [(0, 2), (0, 1)]);
    assert_eq!(active(&items("period=2018-02&group_by=field").await[0]), [(1, 2), (0, 1)]);
}

#[actix_web::test]
async fn parameters_are_checked() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    for (query, code) in [
        ("", "INVALID_PARAMETER"),
        ("?period=2018-3", "MALFORMED_PERIOD"),
        ("?period=03/2018", "MALFORMED_PERIOD"),
        ("?period=2018&group_by=tier", "INVALID_PARAMETER"),
        ("?period=2018&agency=SO-YT,KHONG-CO", "INVALID_PARAMETER"),
        ("?period=2018&limit=5", "UNKNOWN_PARAMETER"),
        ("?period=2018&colour=red", "UNKNOWN_PARAMETER"),
    ] {
        let answer = service.get(&format!("statistics/service-levels{query}")).as_(&token).send().await;
        answer.expect_problem(400, code);
    }
}

#[actix_web::test]
async fn figures_that_did_not_change_keep_their_tag_and_cost_few_statements() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let rows =
        (1..=200).map(|n| row(n, &format!("Lĩnh vực {}", n % 9), &["SO-YT"], 3, "2017-01-01")).collect();
    store(&service, &token, rows).await;
    let portal = service.client_token("portal").await;
    let path = "statistics/service-levels?period=2018&group_by=month&agency=SO-YT";
    let (statements, first) = service.statements_of(service.get(path).as_(&portal).send()).await;
    assert!(statements <= 4, "{statements} statements for a statistic");
    let first = first.expect(200);
    service.at("2018-03-15T02:05:00Z");
    let held = async || service.get(path).as_(&portal).header("If-None-Match", &first.etag()).send().await;
    held().await.expect(304);
    let level = json!({"level": 4, "effective_from": "2018-12-01", "decision": "QĐ 2"});
    service.post("services/1.000001/levels", level).as_(&token).send().await.expect(201);
    let changed = held().await.expect(200);
    assert_eq!(changed.json()["as_of"], "2018-03-15T02:05:00Z");
    assert_ne!(changed.etag(), first.etag());
}

#[actix_web::test]
async fn levels_come_as_a_table_for_spreadsheets() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let rows = vec![
        row(1, "=1+1", &["SO-YT"], 3, "2017-01-01"),
        row(2, "=1+1", &["SO-YT"], 4, "2017-01-01"),
        row(3, "=1+1", &["SO-YT"], 1, "2017-01-01"),
    ];
    store(&service, &token, rows).await;
    let path = "statistics/service-levels?period=2018-02&group_by=field&format=csv";
    let csv = service.get(path).as_(&token).send().await.expect(200);
    assert!(csv.header("content-type").starts_with("text/csv"));
    assert_eq!(
        csv.text(),
        "\u{feff}period,group.type,group.code,group.name,total,exact.1,exact.2,exact.3,exact.4,\
         at_least.1,at_least.2,at_least.3,at_least.4,services_level_3_4,services_level_4\r\n\
         2018-02,field,'=1+1,'=1+1,3,1,0,1,1,3,2,2,1,66.67,33.33\r\n"
    );
    let path = "statistics/service-levels?period=2018-02";
    let accepted = service.get(path).as_(&token).header("Accept", "text/csv").send().await.expect(200);
    assert!(accepted.text().contains("2018-02,province,ALL,Toàn tỉnh,3,"));
}
