//! The plan's framework, indicators and published results.

use serde_json::{Value, json};

use crate::support::TestService;

#[actix_web::test]
async fn the_index_has_3_groups_6_subgroups_and_30_indicators() {
    let service = TestService::start().await;
    let token = service.token("officer.so-yt").await;
    let framework = service.get("frameworks/ICT-INDEX-2016").as_(&token).send().await.expect(200).json();
    assert_eq!(framework["status"], "assumed");
    assert_eq!(framework["rank"], json!({"decimals": 4, "ties": "competition"}));
    let root = &framework["root"];
    assert_eq!((&root["code"], &root["aggregate"]), (&json!("ICT"), &json!("arithmetic")));
    let groups = root["children"].as_array().unwrap();
    let codes =
        |nodes: &[Value]| nodes.iter().map(|n| n["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(codes(groups), ["HT", "NL", "UD"]);
    let subgroups: Vec<Value> =
        groups.iter().flat_map(|g| g["children"].as_array().unwrap().clone()).collect();
    assert_eq!(codes(&subgroups), ["HT.XH", "HT.CQ", "NL.XH", "NL.CQ", "UD.CQ", "UD.DV"]);
    let sizes: Vec<usize> = subgroups.iter().map(|s| s["children"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [8, 4, 4, 5, 5, 4]);
    let leaf = &subgroups[0]["children"][0];
    assert_eq!(leaf["normalise"], json!({"method": "min_max"}));
    assert_eq!(leaf["direction"], 1);
    assert!(leaf.get("children").is_none());

    let list =
        service.get("indicators?limit=200&count=exact&framework=ICT-INDEX-2016").as_(&token).send().await;
    assert_eq!(list.expect(200).json()["page"]["total"], 30);
    for (group, size) in [("HT", 12), ("NL.CQ", 5), ("UD.DV,UD.CQ", 9), ("XX", 0)] {
        let list =
            service.get(&format!("indicators?group={group}&limit=200")).as_(&token).send().await.expect(200);
        assert_eq!(list.column("code").len(), size, "{group}");
    }
    let found = service.get("indicators?q=nguon+mo").as_(&token).send().await.expect(200);
    assert_eq!(found.column("code"), [json!("NL.CQ.04"), json!("UD.CQ.05")]);
}

#[actix_web::test]
async fn figures_of_earlier_years_stand_with_their_indicator() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let indicator = service.get("indicators/HT.XH.01").as_(&token).send().await.expect(200);
    let baselines = &indicator.json()["baselines"];
    assert_eq!(baselines[0]["value"].to_string(), "5.63");
    assert_eq!(baselines[1]["year"], 2017);
    assert_eq!(baselines[1]["value"].to_string(), "5.52");
}

#[actix_web::test]
async fn rank_changes_of_2017_come_out() {
    let service = TestService::start().await;
    let token = service.client_token("portal").await;
    let results =
        service.get("national-results?index_year=2017&limit=200").as_(&token).send().await.expect(200).json();
    let change = |node: &str| {
        let items = results["items"].as_array().unwrap();
        items.iter().find(|r| r["node"] == node).unwrap()["rank_change"].as_i64().unwrap()
    };
    assert_eq!([change("HT"), change("NL"), change("UD")], [5, -2, 4]);
    let subgroups = ["HT.XH", "HT.CQ", "NL.XH", "NL.CQ", "UD.CQ", "UD.DV"].map(change);
    assert_eq!(subgroups, [2, 6, -14, 9, -7, 16]);
    assert_eq!(change("ICT"), 0);
    let first = service.get("national-results?index_year=2016&node=HT").as_(&token).send().await.expect(200);
    assert_eq!(first.column("rank_change"), [Value::Null]);
}

#[actix_web::test]
async fn an_indicator_is_created_and_changed() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let body = json!({"code": "UD.CQ.06", "group": "UD", "subgroup": "UD.CQ", "name": "Chữ ký số", "numerator_name": "văn bản ký số",
        "denominator_name": "tổng số văn bản", "unit": "percent", "direction": "up", "definition_status": "assumed"});
    let created = service.post("indicators", body.clone()).as_(&token).send().await.expect(201);
    service.post("indicators", body).as_(&token).send().await.expect_problem(409, "ALREADY_EXISTS");
    let tag = created.etag();
    let half = json!({"denominator_name": null});
    service
        .patch("indicators/UD.CQ.06", half)
        .as_(&token)
        .if_match(&tag)
        .send()
        .await
        .expect_problem(422, "INVALID_VALUE");
    let rename = json!({"name": "Tỷ lệ văn bản ký số"});
    let changed = service
        .patch("indicators/UD.CQ.06", rename.clone())
        .as_(&token)
        .if_match(&tag)
        .send()
        .await
        .expect(200);
    assert_eq!(changed.json()["unit"], "percent");
    service.patch("indicators/UD.CQ.06", rename.clone()).as_(&token).if_match(&tag).send().await.expect(412);
    service.patch("indicators/UD.CQ.06", rename).as_(&token).send().await.expect(428);
    let lost = json!({"code": "X", "group": "UD", "subgroup": "HT.XH", "name": "x", "unit": "score", "direction": "up", "definition_status": "assumed"});
    service.post("indicators", lost).as_(&token).send().await.expect_problem(422, "UNKNOWN_REFERENCE");
}

#[actix_web::test]
async fn published_results_are_stored_by_year_and_node() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let new = json!({"index_year": 2019, "node": "ICT", "score": 0.5968, "rank": 6, "units": 63, "source": "công bố"});
    let stored = service.put("national-results", new.clone()).as_(&token).send().await.expect(200);
    assert_eq!(stored.json()["items"][0]["version"], 1);
    assert_eq!(stored.json()["items"][0]["rank_change"], 2, "8th in 2018");
    let again = service.put("national-results", new).as_(&token).send().await.expect(200);
    assert_eq!(again.json()["items"][0]["version"], 1, "the same figures change nothing");
    let events =
        service.get("audit-events?entity=national_result&key=2019/ICT").as_(&token).send().await.expect(200);
    assert_eq!(events.column("action").len(), 1);
    let many = json!({"items": [
        {"index_year": 2019, "node": "HT", "rank": 9, "units": 63, "source": "s"},
        {"index_year": 2019, "node": "NL", "rank": 64, "units": 63, "source": "s"},
    ]});
    let problem = service
        .put("national-results", many)
        .as_(&token)
        .send()
        .await
        .expect_problem(422, "INVALID_RANGE")
        .json();
    assert_eq!(problem["errors"][0]["pointer"], "/items/1/rank");
    let list = service.get("national-results?index_year=2019").as_(&token).send().await.expect(200);
    assert_eq!(list.column("node"), [json!("ICT")], "nothing of a refused body is stored");
}
