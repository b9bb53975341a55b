//! Where figures come from: what keeps its source, what is gone, and who reads of whom.

use serde_json::{Value, json};

use super::collections::{AGENCIES, PROVINCES, accepted, collect, computers, rows};
use crate::submissions::Desk;

fn put<'d>(desk: &'d Desk, set: &Value) -> crate::support::Call<'d> {
    desk.service.put(AGENCIES, set.clone()).as_(&desk.coordinator)
}

/// A set as it was read, as one sends it.
fn sent(set: &Value) -> Value {
    let mut rows = set["rows"].as_array().unwrap().clone();
    rows.iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("source")));
    json!({"rows": rows, "units": set["units"]})
}

#[actix_web::test]
async fn a_set_that_is_read_corrected_and_sent_keeps_the_other_sources() {
    let desk = Desk::open().await;
    accepted(&desk, "SO-YT", "2018-02", computers(11, 100)).await;
    accepted(&desk, "SO-NV", "2018-01", computers(5, 50)).await;
    let body = json!({"submissions": [{"indicator": "CQ.HT.01", "from": "HT.CQ.01"}]});
    collect(&desk, &format!("{AGENCIES}/collections"), body).await;
    let before = desk.get(AGENCIES, &desk.monitor).await.expect(200).json();
    let mut set = sent(&before);
    let same = put(&desk, &set).send().await.expect(200).json();
    assert_eq!(same["revision"], 1, "nothing changed");
    assert_eq!(set["rows"][0]["unit"], "SO-NV");
    set["rows"][0]["numerator"] = json!(6);
    let changed = put(&desk, &set).send().await.expect(200).json();
    assert_eq!(changed["counts"], json!({"created": 0, "updated": 1, "unchanged": 1, "deleted": 0}));
    let after = rows(&desk.get(AGENCIES, &desk.monitor).await.expect(200).json());
    let source = |unit: &str| after[&(unit.to_owned(), "CQ.HT.01".to_owned())]["source"].clone();
    assert_eq!(source("SO-NV"), json!({"type": "imported"}));
    assert_eq!(source("SO-YT"), before["rows"][1]["source"]);
}

#[actix_web::test]
async fn a_collected_figure_that_is_not_found_again_is_gone() {
    let desk = Desk::open().await;
    accepted(&desk, "SO-YT", "2018-02", computers(11, 100)).await;
    let path = format!("{AGENCIES}/collections");
    let from = |code: &str| json!({"submissions": [{"indicator": "CQ.HT.01", "from": code}]});
    let first = collect(&desk, &path, from("HT.CQ.01")).await;
    assert_eq!(first["gone"], json!([]));
    let other = collect(&desk, &path, json!({})).await;
    assert_eq!((&other["gone"], &other["revision"]), (&json!([]), &json!(1)), "it is not collected now");
    let second = collect(&desk, &path, from("HT.CQ.02")).await;
    assert_eq!(second["gone"], json!([{"indicator": "CQ.HT.01", "units": ["SO-YT"]}]));
    assert_eq!((&second["counts"]["deleted"], &second["rows"]), (&json!(1), &json!(0)));
}

#[actix_web::test]
async fn collections_describe_units() {
    let desk = Desk::open().await;
    accepted(&desk, "SO-YT", "2018-02", computers(11, 100)).await;
    let units = json!([{"code": "SO-NV", "peer_group": "sở", "attributes": ["a"]}, {"code": "SO-YT", "attributes": ["cũ"]}]);
    put(&desk, &json!({"rows": [], "units": units})).send().await.expect(200);
    let path = format!("{AGENCIES}/collections");
    let body = |unit: &str| {
        json!({"submissions": [{"indicator": "CQ.HT.01", "from": "HT.CQ.01"}],
        "units": [{"code": unit, "attributes": ["một cửa"]}]})
    };
    collect(&desk, &path, body("SO-YT")).await;
    let set = desk.get(AGENCIES, &desk.monitor).await.expect(200).json();
    assert_eq!(
        set["units"],
        json!([{"code": "SO-NV", "peer_group": "sở", "attributes": ["a"]}, {"code": "SO-YT", "attributes": ["một cửa"]}])
    );
    let refused = desk.service.post(&path, body("Sở lạ")).as_(&desk.coordinator).send().await;
    let problem = refused.expect_problem(422, "UNKNOWN_REFERENCE").json();
    assert_eq!(problem["errors"][0]["pointer"], "/units/0/code");
}

#[actix_web::test]
async fn an_officer_reads_of_no_others_submission_in_a_figure_of_the_province() {
    let desk = Desk::open().await;
    accepted(&desk, "SO-YT", "2018-02", computers(11, 100)).await;
    accepted(&desk, "SO-NV", "2018-01", computers(5, 50)).await;
    let body = json!({"as_unit": "Lào Cai", "reason": "SO-YT nộp muộn"});
    collect(&desk, &format!("{PROVINCES}/collections"), body).await;
    let read = async |token: &str| desk.get(PROVINCES, token).await.expect(200);
    let (officer, stranger, all) =
        (read(&desk.officer).await, read(&desk.stranger).await, read(&desk.monitor).await);
    let agencies = |set: Value| -> Vec<String> {
        let row = rows(&set)[&("Lào Cai".to_owned(), "HT.CQ.01".to_owned())].clone();
        assert_eq!(row["numerator"], 16, "the sum is everyone's");
        let revisions = row["source"]["revisions"].as_array().unwrap().clone();
        revisions.iter().map(|one| one["agency"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(agencies(all.json()), ["SO-NV", "SO-YT"]);
    assert_eq!(
        (agencies(officer.json()), agencies(stranger.json())),
        (vec!["SO-YT".into()], vec!["SO-NV".into()])
    );
    assert!(officer.etag() != stranger.etag() && officer.etag() != all.etag());
    for query in ["", "/revisions"] {
        let text = desk.get(&format!("{PROVINCES}{query}"), &desk.stranger).await.expect(200).text();
        assert!(!text.contains("SO-YT"), "{text}");
    }
}

#[actix_web::test]
async fn a_leaf_has_the_tasks_of_the_indicator_it_was_collected_from() {
    let desk = Desk::open().await;
    let trained = json!([{"indicator": "NL.CQ.05", "numerator": 30, "denominator": 45, "note": "x"}]);
    accepted(&desk, "SO-YT", "2018-02", trained).await;
    let body = json!({"submissions": [{"indicator": "CQ.NL.03", "from": "NL.CQ.05"}]});
    collect(&desk, &format!("{AGENCIES}/collections"), body).await;
    let id = crate::index_runs::run(&desk.service, "ICT-INDEX-AGENCIES", 2018, "provisional").await;
    let path = format!("index-runs/{id}/units/SO-YT/levers");
    let items = desk.get(&path, &desk.officer).await.expect(200).json()["items"].as_array().unwrap().clone();
    let codes = |leaf: &str| -> Vec<Value> {
        let item = items.iter().find(|item| item["indicator"] == leaf).unwrap();
        item["tasks"].as_array().unwrap().iter().map(|task| task["code"].clone()).collect()
    };
    assert_eq!(codes("CQ.NL.03"), [json!("T11"), json!("T12")]);
    assert_eq!(codes("CQ.NL.02"), Vec::<Value>::new());
}
