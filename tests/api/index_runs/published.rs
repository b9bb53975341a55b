//! Figures that others published come out over HTTP.

use bigdecimal::BigDecimal;
use ict_index::scoring::engine::catalogue::frameworks;
use serde_json::{Value, json};

use super::{add_framework, all, framework, get, item, number, observe, run};
use crate::support::TestService;

const TOLERANCE: &str = "0.00006";

fn table(text: &str) -> Vec<std::collections::HashMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(format!("tests/fixtures/{name}")).unwrap()
}

/// Scores a fixture with a shipped framework and holds the result against what was published.
async fn holds(service: &TestService, code: &str, file: &str, columns: &[(&str, &str)], published: &str) {
    let rows = table(&fixture(file));
    let figures: Vec<(&str, &str, &str)> = rows
        .iter()
        .flat_map(|row| {
            columns.iter().map(|(code, column)| (row["province"].as_str(), *code, row[*column].as_str()))
        })
        .collect();
    observe(service, code, 2020, &figures, &[]).await;
    let id = run(service, code, 2020, "official").await;
    let token = service.client_token("portal").await;
    let ranks = all(service, &token, &format!("index-runs/{id}/ranks")).await;
    assert_eq!(ranks.len(), rows.len());
    for row in &rows {
        let found = ranks.iter().find(|item| item["unit"] == row["province"]).unwrap();
        let off = (number(&found["score"]) - row[published].parse::<BigDecimal>().unwrap()).abs();
        assert!(off <= TOLERANCE.parse::<BigDecimal>().unwrap(), "{found} against {}", row[published]);
        assert_eq!(found["rank"].to_string(), row["rank"], "{found}");
    }
}

fn shipped(file_columns: &str) -> String {
    let all = frameworks().unwrap();
    all.iter().find(|framework| framework.code.contains(file_columns)).unwrap().code.clone()
}

#[actix_web::test]
async fn dti_of_2020_and_2022() {
    let service = TestService::start().await;
    let of_2020 = [("CQS", "cqs"), ("KTS", "kts"), ("XHS", "xhs")];
    holds(&service, &shipped("2020"), "dti2020_top9_pillars.csv", &of_2020, "dti").await;
    let of_2022 = [
        ("NTS", "nhan_thuc_so"),
        ("TCS", "the_che_so"),
        ("HTS", "ha_tang_so"),
        ("NLS", "nhan_luc_so"),
        ("ATTTM", "attt_mang"),
        ("HDCQS", "hd_chinh_quyen_so"),
        ("HDKTS", "hd_kinh_te_so"),
        ("HDXHS", "hd_xa_hoi_so"),
    ];
    holds(&service, &shipped("2022"), "dti2022_top5_components.csv", &of_2022, "pdti").await;
}

#[actix_web::test]
async fn the_index_is_the_mean_of_its_groups() {
    let service = TestService::start().await;
    let leaf = |code: &str| json!({"code": code, "name": code, "normalise": {"method": "none"}});
    let root = json!({"code": "ICT", "name": "ICT", "aggregate": "arithmetic", "children": [leaf("HT"), leaf("NL"), leaf("UD")]});
    add_framework(&service, &framework("BA-NHOM", "province", 4, root)).await;
    let figures = [
        ("Đà Nẵng 2019", ["0.7925", "0.9538", "0.8500"], "0.8654"),
        ("Đà Nẵng 2023", ["0.7908", "0.7892", "0.9655"], "0.8485"),
        ("Bộ TNMT 2022", ["0.7469", "0.6018", "0.9730"], "0.7739"),
    ];
    let rows: Vec<(&str, &str, &str)> = figures
        .iter()
        .flat_map(|(unit, groups, _)| ["HT", "NL", "UD"].into_iter().zip(groups).map(|(g, v)| (*unit, g, *v)))
        .collect();
    observe(&service, "BA-NHOM", 2019, &rows, &[]).await;
    let id = run(&service, "BA-NHOM", 2019, "provisional").await;
    let token = service.token("monitor").await;
    let scores = get(&service, &token, format!("index-runs/{id}/scores?node=ICT")).await.expect(200).json();
    for (unit, _, overall) in figures {
        assert_eq!(item(&scores, unit)["rounded"].to_string(), overall);
    }
}

#[actix_web::test]
async fn ties_of_the_ministrys_table() {
    let service = TestService::start().await;
    let root = json!({"code": "S", "name": "S", "normalise": {"method": "none"}});
    add_framework(&service, &framework("BANG-2017", "province", 3, root)).await;
    let rows = table(&fixture("mic_it_application_2017_provinces.csv"));
    let figures: Vec<(&str, &str, &str)> =
        rows.iter().map(|row| (row["province"].as_str(), "S", row["score"].as_str())).collect();
    observe(&service, "BANG-2017", 2017, &figures, &[]).await;
    let id = run(&service, "BANG-2017", 2017, "official").await;
    let token = service.token("officer.so-yt").await;
    let ranks = all(&service, &token, &format!("index-runs/{id}/ranks")).await;
    let published: Vec<String> = rows.iter().map(|row| row["rank"].clone()).collect();
    let computed: Vec<String> = ranks.iter().map(|item| item["rank"].to_string()).collect();
    assert_eq!(computed, published);
    for ties in [["17", "17", "19"], ["32", "32", "34"], ["40", "40", "42"]] {
        assert!(computed.windows(3).any(|three| three == ties), "{ties:?} in {computed:?}");
    }
    let tied = ranks.iter().find(|item| item["unit"] == "Thanh Hóa").unwrap();
    assert_eq!(tied["tied_with"], json!(["Bà Rịa - Vũng Tàu"]));
    let csv = get(&service, &token, format!("index-runs/{id}/ranks?format=csv&limit=3")).await.expect(200);
    assert!(
        csv.text().starts_with("\u{feff}unit,node,score,rounded,rank,tied_with,missing,band,withheld\r\n")
    );
    assert!(csv.header("link").contains("rel=\"next\""));
}

/// The movements of Lào Cai, as published, beside what a run computes.
#[actix_web::test]
async fn national_results_stand_beside_computed_ones() {
    let service = TestService::start().await;
    let leaf = |code: &str| json!({"code": code, "name": code, "normalise": {"method": "none"}});
    let group = |code: &str, children: Vec<Value>| json!({"code": code, "name": code, "aggregate": "arithmetic", "children": children});
    let root = group(
        "ICT",
        vec![
            group("HT", vec![leaf("HT.XH"), leaf("HT.CQ")]),
            group("NL", vec![leaf("NL.XH"), leaf("NL.CQ")]),
            group("UD", vec![leaf("UD.CQ"), leaf("UD.DV")]),
        ],
    );
    add_framework(&service, &framework("SAU", "province", 3, root)).await;
    let six = ["HT.XH", "HT.CQ", "NL.XH", "NL.CQ", "UD.CQ", "UD.DV"];
    let year = |ours: &'static str| -> Vec<(&str, &str, &str)> {
        six.iter().flat_map(|code| [("Lào Cai", *code, ours), ("Lai Châu", *code, "0.5")]).collect()
    };
    observe(&service, "SAU", 2015, &year("0.4"), &[]).await;
    observe(&service, "SAU", 2016, &year("0.6"), &[]).await;
    let earlier = run(&service, "SAU", 2015, "official").await;
    let id = run(&service, "SAU", 2016, "official").await;
    let token = service.client_token("portal").await;
    let path = format!("index-runs/{id}/national-results?unit=L%C3%A0o%20Cai");
    let (statements, answer) = service.statements_of(service.get(&path).as_(&token).send()).await;
    let body = answer.expect(200).json();
    assert!(statements <= 4, "{statements} statements");
    assert_eq!(body["run_before"], earlier);
    let moved = |node: &str, which: &str| {
        let item = body["items"].as_array().unwrap().iter().find(|item| item["node"] == node).unwrap();
        item[which]["movement"].clone()
    };
    let nodes = ["HT", "NL", "UD", "HT.XH", "HT.CQ", "NL.XH", "NL.CQ", "UD.CQ", "UD.DV"];
    let published: Vec<Value> = nodes.iter().map(|node| moved(node, "published")).collect();
    assert_eq!(published, [5, -2, 4, 2, 6, -14, 9, -7, 16]);
    for node in nodes {
        assert_eq!(moved(node, "computed"), 1, "{node}");
    }
    let whole = body["items"].as_array().unwrap().iter().find(|item| item["node"] == "ICT").unwrap();
    assert_eq!((whole["computed"]["rank"].as_i64(), whole["computed"]["units"].as_i64()), (Some(1), Some(2)));
    if !whole["published"]["score"].is_null() {
        let off = number(&whole["computed"]["score"]) - number(&whole["published"]["score"]);
        assert_eq!(number(&whole["score_difference"]), off);
    }
    get(&service, &token, format!("index-runs/{id}/national-results"))
        .await
        .expect_problem(400, "INVALID_PARAMETER");
    get(&service, &token, format!("index-runs/{id}/national-results?unit=Hue"))
        .await
        .expect_problem(400, "INVALID_PARAMETER");
    let csv = get(&service, &token, format!("{path}&format=csv")).await.expect(200);
    assert!(csv.text().contains("published.movement"));
}
