//! Figures that the service itself holds become observations: against a recount from what was accepted and delivered.

use std::collections::BTreeMap;

use ict_index::db::sql;
use serde_json::{Value, json};

use crate::dossiers::{add_service, batch, row};
use crate::submissions::Desk;

/// An accepted submission of any agency.
pub async fn accepted(desk: &Desk, agency: &str, month: &str, values: Value) -> String {
    let officer = desk.service.token(&format!("officer.{}", agency.to_lowercase())).await;
    let body = json!({"agency": agency, "period": month});
    let created = desk.service.post("submissions", body).as_(&officer).send().await.expect(201).json();
    let path = format!("submissions/{}", created["id"].as_str().unwrap());
    desk.put(&path, &officer, values).await.expect(200);
    desk.step(&path, &officer, "submit", None).await.expect(200);
    desk.step(&path, &desk.coordinator, "accept", None).await.expect(200);
    created["id"].as_str().unwrap().to_owned()
}

pub fn computers(numerator: i64, denominator: i64) -> Value {
    json!([{"indicator": "HT.CQ.01", "numerator": numerator, "denominator": denominator, "note": "ghi chú"}])
}

pub async fn collect(desk: &Desk, path: &str, body: Value) -> Value {
    desk.service.post(path, body).as_(&desk.coordinator).send().await.expect(200).json()
}

pub fn rows(set: &Value) -> BTreeMap<(String, String), Value> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    set["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| ((text(row, "unit"), text(row, "indicator")), row.clone()))
        .collect()
}

pub const AGENCIES: &str = "frameworks/ICT-INDEX-AGENCIES/observations/2018";
pub const PROVINCES: &str = "frameworks/ICT-INDEX-2016/observations/2018";

#[actix_web::test]
async fn agencies_take_their_own_figures_and_imported_ones_stay() {
    let desk = Desk::open().await;
    accepted(&desk, "SO-YT", "2018-01", computers(10, 100)).await;
    let latest = accepted(&desk, "SO-YT", "2018-02", computers(11, 100)).await;
    accepted(&desk, "SO-NV", "2018-01", computers(5, 50)).await;
    accepted(&desk, "SO-NV", "2017-12", computers(1, 50)).await;
    let imported = json!({"unit": "SO-NV", "indicator": "CQ.HT.01", "numerator": 49, "denominator": 50});
    desk.service.put(AGENCIES, json!({"rows": [imported]})).as_(&desk.coordinator).send().await.expect(200);

    let path = format!("{AGENCIES}/collections");
    let body = json!({"submissions": [{"indicator": "CQ.HT.01", "from": "HT.CQ.01"}], "reason": "cuối năm"});
    let dry = collect(&desk, &format!("{path}?dry_run=true"), body.clone()).await;
    let done = collect(&desk, &path, body.clone()).await;
    for part in ["counts", "collected", "kept", "missing", "skipped", "revision"] {
        assert_eq!(dry[part], done[part], "{part}");
    }
    assert_eq!(done["revision"], 2);
    assert_eq!(done["counts"], json!({"created": 1, "updated": 0, "unchanged": 1, "deleted": 0}));
    assert_eq!(done["collected"], json!([{"indicator": "CQ.HT.01", "units": ["SO-YT"]}]));
    assert_eq!(done["kept"], json!([{"indicator": "CQ.HT.01", "units": ["SO-NV"]}]));
    let missing = done["missing"][0]["units"].as_array().unwrap();
    assert!(missing.contains(&json!("SO-TTTT")) && !missing.contains(&json!("SO-NV")));
    let skipped: Vec<&Value> = done["skipped"].as_array().unwrap().iter().map(|s| &s["reason"]).collect();
    assert_eq!(skipped, vec![&json!("no_origin"); 13], "every other code of the framework");

    let set = desk.get(AGENCIES, &desk.monitor).await.expect(200).json();
    let all = rows(&set);
    let own = &all[&("SO-YT".to_owned(), "CQ.HT.01".to_owned())];
    assert_eq!(
        (&own["numerator"], &own["denominator"], &own["note"]),
        (&json!(11), &json!(100), &json!("ghi chú"))
    );
    let source = json!({"type": "submissions", "indicator": "HT.CQ.01", "revisions": [{"agency": "SO-YT", "period": "2018-02", "submission": latest, "revision": 1}]});
    assert_eq!(own["source"], source);
    assert_eq!(all[&("SO-NV".to_owned(), "CQ.HT.01".to_owned())]["numerator"], 49);

    let again = collect(&desk, &path, body.clone()).await;
    assert_eq!((&again["revision"], &again["counts"]["unchanged"]), (&json!(2), &json!(2)));
    let mut harsh = body;
    harsh["replace_imported"] = json!(true);
    let harsh = collect(&desk, &path, harsh).await;
    assert_eq!(
        (&harsh["revision"], &harsh["kept"], &harsh["counts"]["updated"]),
        (&json!(3), &json!([]), &json!(1))
    );
    let set = desk.get(AGENCIES, &desk.monitor).await.expect(200).json();
    assert_eq!(rows(&set)[&("SO-NV".to_owned(), "CQ.HT.01".to_owned())]["denominator"], 50);
    let foreign = desk.get(AGENCIES, &desk.stranger).await.expect(200).text();
    assert!(foreign.contains("SO-NV") && !foreign.contains("SO-YT"));
}

#[actix_web::test]
async fn the_province_is_the_sum_over_agencies_that_still_exist() {
    let desk = Desk::open().await;
    accepted(&desk, "SO-YT", "2018-02", computers(11, 100)).await;
    accepted(&desk, "SO-NV", "2018-01", computers(5, 50)).await;
    accepted(
        &desk,
        "SO-TC",
        "2018-01",
        json!([
        {"indicator": "HT.CQ.01", "numerator": 7, "denominator": 7, "note": "x"},
        {"indicator": "UD.CQ.02", "value": 3}]),
    )
    .await;
    desk.service.sql(sql("update agencies set valid_to = '2018-12-31' where code = 'SO-TC'")).await;
    add_service(&desk.service, "L3", "Đất đai", &[(3, "2017-06-01")], &["SO-YT", "SO-NV"]).await;
    add_service(&desk.service, "L4", "Y tế", &[(2, "2017-06-01"), (4, "2018-12-31")], &["SO-YT"]).await;
    add_service(&desk.service, "L1", "Y tế", &[(1, "2017-06-01"), (4, "2019-01-01")], &["SO-YT"]).await;
    for (month, received) in [("2018-01", 10), ("2018-02", 20)] {
        let delivered = [row("SO-YT", "L3", "online", received, 1), row("SO-NV", "L3", "in_person", 30, 0)];
        desk.service
            .put(&format!("dossier-batches/vnpt/{month}"), batch(&delivered))
            .as_(&desk.coordinator)
            .send()
            .await
            .expect(200);
    }
    let path = format!("{PROVINCES}/collections");
    let body = json!({"as_unit": " Lào Cai ", "statistics": [
        {"indicator": "HT.XH.01", "metric": "dossiers_level_3_resolved"},
        {"indicator": "HT.XH.02", "metric": "services_level_3", "counting": "exact"}]});
    let done = collect(&desk, &path, body).await;
    let skipped = done["skipped"].as_array().unwrap();
    assert!(
        skipped.contains(&json!({"indicator": "HT.CQ.01", "reason": "agency_ended", "agencies": ["SO-TC"]}))
    );
    let set = desk.get(PROVINCES, &desk.monitor).await.expect(200).json();
    let all = rows(&set);
    let figure = |indicator: &str| {
        let row = &all[&("Lào Cai".to_owned(), indicator.to_owned())];
        (row["numerator"].as_i64().unwrap(), row["denominator"].as_i64().unwrap())
    };
    assert_eq!(figure("HT.CQ.01"), (16, 150));
    assert_eq!(
        all[&("Lào Cai".to_owned(), "HT.CQ.01".to_owned())]["source"]["revisions"].as_array().unwrap().len(),
        2
    );
    assert_eq!(
        [1, 2, 3, 4].map(|level| figure(&format!("UD.DV.0{level}"))),
        [(3, 3), (2, 3), (2, 3), (1, 3)]
    );
    assert_eq!(figure("HT.XH.02"), (1, 3));
    assert_eq!(figure("HT.XH.01"), (28, 88));
    assert_eq!(
        all[&("Lào Cai".to_owned(), "HT.XH.01".to_owned())]["source"],
        json!({"type": "statistic",
        "metric": "dossiers_level_3_resolved", "period": "2018", "batches": [
            {"source": "vnpt", "month": "2018-01", "revision": 1}, {"source": "vnpt", "month": "2018-02", "revision": 1}]})
    );
    // The endpoints count the same.
    let rate = desk
        .get("statistics/dossier-rates?period=2018&metric=dossiers_level_3_resolved", &desk.monitor)
        .await
        .expect(200)
        .json();
    assert_eq!((&rate["items"][0]["numerator"], &rate["items"][0]["denominator"]), (&json!(28), &json!(88)));
}

#[actix_web::test]
async fn values_of_agencies_are_not_added_and_statistics_go_to_each() {
    let desk = Desk::open().await;
    accepted(&desk, "SO-YT", "2018-01", json!([{"indicator": "UD.CQ.02", "value": 3}])).await;
    add_service(&desk.service, "L3", "Đất đai", &[(3, "2017-06-01")], &["SO-YT", "SO-NV"]).await;
    let delivered = [row("SO-YT", "L3", "online", 10, 0), row("SO-NV", "L3", "in_person", 30, 0)];
    desk.service
        .put("dossier-batches/vnpt/2018-01", batch(&delivered))
        .as_(&desk.coordinator)
        .send()
        .await
        .expect(200);
    let province =
        collect(&desk, &format!("{PROVINCES}/collections?dry_run=true"), json!({"as_unit": "Lào Cai"})).await;
    assert!(
        province["skipped"]
            .as_array()
            .unwrap()
            .contains(&json!({"indicator": "UD.CQ.02", "reason": "cannot_be_added"}))
    );
    let body = json!({"submissions": [{"indicator": "CQ.UD.03", "from": "UD.CQ.02"}],
        "statistics": [{"indicator": "CQ.DV.01", "metric": "dossiers_level_3_resolved"}, {"indicator": "CQ.DV.02", "metric": "services_level_3_4"}]});
    let done = collect(&desk, &format!("{AGENCIES}/collections"), body).await;
    assert_eq!(
        done["collected"],
        json!([{"indicator": "CQ.DV.01", "units": ["SO-NV", "SO-YT"]},
        {"indicator": "CQ.DV.02", "units": ["SO-NV", "SO-YT"]}, {"indicator": "CQ.UD.03", "units": ["SO-YT"]}])
    );
    let all = rows(&desk.get(AGENCIES, &desk.monitor).await.expect(200).json());
    let of = |unit: &str, indicator: &str| all[&(unit.to_owned(), indicator.to_owned())].clone();
    assert_eq!(
        (&of("SO-NV", "CQ.DV.01")["numerator"], &of("SO-NV", "CQ.DV.01")["denominator"]),
        (&json!(0), &json!(30))
    );
    assert_eq!(
        of("SO-YT", "CQ.DV.01")["source"]["batches"],
        json!([{"source": "vnpt", "month": "2018-01", "revision": 1}])
    );
    assert_eq!(of("SO-YT", "CQ.UD.03")["value"], 3);
}

#[actix_web::test]
async fn mappings_are_checked_all_at_once() {
    let desk = Desk::open().await;
    let post = |path: &'static str, body: Value| desk.service.post(path, body).as_(&desk.coordinator).send();
    let path = "frameworks/ICT-INDEX-AGENCIES/observations/2018/collections";
    let body = json!({"submissions": [{"indicator": "CQ", "from": "XX"}, {"indicator": "CQ.HT.01", "from": "HT.CQ.01"}],
        "statistics": [{"indicator": "CQ.HT.01", "metric": "on_time"}, {"indicator": "CQ.DV.01", "metric": "on_time", "counting": "exact"}]});
    let problem = post(path, body).await.expect_problem(422, "VALIDATION_FAILED");
    let expected = [
        ("UNKNOWN_REFERENCE", "/submissions/0/from"),
        ("UNKNOWN_REFERENCE", "/submissions/0/indicator"),
        ("DUPLICATE_ENTRY", "/statistics/0/indicator"),
        ("UNKNOWN_REFERENCE", "/statistics/1/metric"),
    ];
    assert_eq!(
        crate::submissions::errors(&problem),
        expected.map(|(code, pointer)| (code.to_owned(), pointer.to_owned()))
    );
    post(path, json!({"as_unit": "Lào Cai"})).await.expect_problem(422, "INVALID_VALUE");
    post("frameworks/DTI-2020/observations/2020/collections", json!({}))
        .await
        .expect_problem(422, "REQUIRED");
    post("frameworks/NO/observations/2020/collections", json!({})).await.expect_problem(404, "NOT_FOUND");
    let (statements, _) = desk.service.statements_of(async {
        post(path, json!({"statistics": [{"indicator": "CQ.DV.01", "metric": "on_time"}, {"indicator": "CQ.DV.02", "metric": "services_level_4"}],
            "submissions": [{"indicator": "CQ.HT.01", "from": "HT.CQ.01"}]})).await.expect(200)
    }).await;
    assert!(statements <= 14, "{statements} statements, two of them begin and commit");
    let officer = desk.service.post(path, json!({})).as_(&desk.officer).send().await;
    officer.expect_problem(403, "FORBIDDEN");
}
