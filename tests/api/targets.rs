//! Targets of 2018 and changing them.

use serde_json::{Value, json};

use crate::support::TestService;

#[actix_web::test]
async fn the_plan_sets_16_targets() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let list = service.get("targets?year=2018&limit=200").as_(&token).send().await.expect(200);
    assert_eq!(list.column("code").len(), 16);
    let metrics = service.get("targets?subject=metric").as_(&token).send().await.expect(200);
    assert_eq!(
        metrics.column("code"),
        ["dossiers_level_3_resolved", "dossiers_level_4_resolved", "services_level_3_4"].map(Value::from)
    );
    assert_eq!(metrics.json()["items"][0]["value"], 60);
    assert_eq!(metrics.json()["items"][2]["comparator"], "gt");
    let between = service.get("targets?code=NL.XH.03:primary").as_(&token).send().await.expect(200).json();
    assert_eq!((&between["items"][0]["value"], &between["items"][0]["value_to"]), (&json!(88), &json!(90)));
}

#[actix_web::test]
async fn a_target_is_replaced_by_its_key() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let target = json!({"subject": "metric", "code": "on_time", "scope": "agency", "agency": "SO-YT", "year": 2018,
        "comparator": "gte", "value": 95.5, "due": "2018-12-31", "source": "quyết định"});
    let stored = service.put("targets", target.clone()).as_(&token).send().await.expect(200);
    assert_eq!(stored.json()["items"][0]["value"].to_string(), "95.5");
    let tag = stored.etag();
    let mut changed = target.clone();
    changed["value"] = json!(96);
    let second = service.put("targets", changed.clone()).as_(&token).if_match(&tag).send().await.expect(200);
    assert_eq!(second.json()["items"][0]["version"], 2);
    service
        .put("targets", target)
        .as_(&token)
        .if_match(&tag)
        .send()
        .await
        .expect_problem(412, "PRECONDITION_FAILED");
    let again = service.put("targets", json!({"targets": [changed]})).as_(&token).send().await.expect(200);
    assert_eq!(again.json()["items"][0]["version"], 2, "the same target changes nothing");
}

#[actix_web::test]
async fn impossible_targets_are_refused() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let good = json!({"subject": "indicator", "code": "HT.XH.01", "scope": "province", "year": 2019, "comparator": "gte",
        "value": 5, "due": "2019-12-31", "source": "s"});
    let with = |changes: Value| {
        let mut target = good.clone();
        for (name, value) in changes.as_object().unwrap() {
            target[name] = value.clone();
        }
        target
    };
    for (changes, code, pointer) in [
        (json!({"code": "XX.01"}), "UNKNOWN_REFERENCE", "/code"),
        (json!({"subject": "metric", "code": "level_3"}), "UNKNOWN_REFERENCE", "/code"),
        (json!({"agency": "SO-YT"}), "INVALID_VALUE", "/agency"),
        (json!({"scope": "agency", "agency": "XX"}), "UNKNOWN_REFERENCE", "/agency"),
        (json!({"comparator": "between"}), "INVALID_RANGE", "/value_to"),
        (json!({"comparator": "between", "value_to": 4}), "INVALID_RANGE", "/value_to"),
        (json!({"value_to": 9}), "INVALID_RANGE", "/value_to"),
        (json!({"year": 18}), "INVALID_RANGE", "/year"),
        (json!({"source": ""}), "INVALID_LENGTH", "/source"),
    ] {
        let problem =
            service.put("targets", with(changes)).as_(&token).send().await.expect_problem(422, code).json();
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let comma = service.put("targets", with(json!({"value": "84,1"}))).as_(&token).send().await;
    assert_eq!(comma.expect_problem(422, "DECIMAL_COMMA").json()["errors"][0]["pointer"], "/value");
    let officer = service.token("officer.so-yt").await;
    service.put("targets", good).as_(&officer).send().await.expect_problem(403, "FORBIDDEN");
}
