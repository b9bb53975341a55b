use serde_json::{Value, json};

use super::{Desk, figures};

#[actix_web::test]
async fn from_draft_through_a_return_to_accepted() {
    let desk = Desk::open().await;
    let path = desk.draft("2018-02").await;
    let draft = desk.get(&path, &desk.officer).await.expect(200).json();
    assert_eq!(draft["state"], "draft");
    assert_eq!(draft["period"], "2018-02");
    assert_eq!(draft["revision"], Value::Null);
    assert_eq!(draft["allowed_actions"], json!(["submit"]));
    desk.step(&path, &desk.officer, "submit", None).await.expect_problem(422, "EMPTY_SUBMISSION");

    let put = desk.put(&path, &desk.officer, figures(100, 60)).await.expect(200);
    assert_eq!(put.json()["values"][0]["rate"].to_string(), "0.83");
    assert_eq!(put.json()["values"][1]["rate"].to_string(), "50");
    assert_eq!(desk.get(&format!("{path}/values"), &desk.officer).await.etag(), put.etag());

    let submitted = desk.step(&path, &desk.officer, "submit", None).await.expect(200).json();
    assert_eq!((&submitted["state"], &submitted["revision"]), (&json!("submitted"), &json!(1)));
    assert_eq!(submitted["submitted_by"], "user:officer.so-yt");
    assert_eq!(submitted["allowed_actions"], json!(["withdraw"]));
    desk.put(&path, &desk.officer, figures(101, 60)).await.expect_problem(409, "NOT_EDITABLE");

    for blank in [None, Some("  ")] {
        desk.step(&path, &desk.coordinator, "return", blank).await.expect_problem(422, "REASON_REQUIRED");
    }
    let returned = desk.step(&path, &desk.coordinator, "return", Some("Thiếu máy tính")).await.expect(200);
    assert_eq!(returned.json()["state"], "returned");
    let seen = desk.get(&path, &desk.officer).await.expect(200).json();
    assert_eq!(seen["decision"]["reason"], "Thiếu máy tính");
    assert_eq!(seen["decision"]["by"], "user:coordinator");
    assert_eq!(seen["allowed_actions"], json!(["submit"]));

    desk.put(&path, &desk.officer, figures(110, 60)).await.expect(200);
    desk.step(&path, &desk.officer, "submit", None).await.expect(200);
    let none = desk.get("indicator-values", &desk.monitor).await.expect(200);
    assert_eq!(none.column("indicator"), [] as [Value; 0], "what is only submitted does not count");
    let accepted = desk.step(&path, &desk.coordinator, "accept", None).await.expect(200).json();
    assert_eq!(accepted["accepted_revision"], 2);

    let values = desk.get("indicator-values?period=2018&indicator=HT.CQ.01", &desk.monitor).await.expect(200);
    let value = &values.json()["items"][0];
    assert_eq!((&value["numerator"], &value["denominator"]), (&json!(110), &json!(120)));
    assert_eq!((&value["agency"], &value["period"]), (&json!("SO-YT"), &json!("2018-02")));
    assert_eq!(value["rate"].to_string(), "0.92");
    assert_eq!((&value["revision"], &value["submission"]), (&json!(2), &accepted["id"]));
    for (filter, found) in [("2018-Q1", 2), ("2018-02", 2), ("2017,2018-Q2", 0), ("2018-Q1&agency=SO-NV", 0)]
    {
        let list = desk.get(&format!("indicator-values?period={filter}"), &desk.monitor).await.expect(200);
        assert_eq!(list.column("indicator").len(), found, "{filter}");
    }

    let steps = desk.get(&format!("{path}/transitions"), &desk.officer).await.expect(200);
    assert_eq!(steps.column("action"), ["submit", "return", "submit", "accept"].map(Value::from));
    assert_eq!(steps.column("revision"), [1, 1, 2, 2].map(Value::from));
    let id = path.trim_start_matches("submissions/");
    let events = desk
        .get(&format!("audit-events?entity=submission&key={id}&sort=at"), &desk.coordinator)
        .await
        .expect(200);
    assert_eq!(
        events.column("action"),
        ["create", "values", "submit", "return", "values", "submit", "accept"].map(Value::from)
    );
}

#[actix_web::test]
async fn revisions_are_frozen_and_differ_by_what_changed() {
    let desk = Desk::open().await;
    let path = desk.draft("2018-02").await;
    let first = json!([
        {"indicator": "HT.CQ.01", "numerator": 100, "denominator": 120},
        {"indicator": "UD.CQ.01", "numerator": 60, "denominator": 120},
        {"indicator": "UD.CQ.02", "value": 7.5}
    ]);
    desk.put(&path, &desk.officer, first).await.expect(200);
    desk.step(&path, &desk.officer, "submit", None).await.expect(200);
    desk.step(&path, &desk.officer, "withdraw", None).await.expect(200);
    let second = json!([
        {"indicator": "UD.CQ.01", "numerator": 60, "denominator": 120},
        {"indicator": "HT.CQ.01", "numerator": 105, "denominator": 120},
        {"indicator": "NL.CQ.01", "numerator": 2, "denominator": 120}
    ]);
    desk.put(&path, &desk.officer, second).await.expect(200);
    desk.step(&path, &desk.officer, "submit", None).await.expect(200);

    let revisions = desk.get(&format!("{path}/revisions"), &desk.monitor).await.expect(200);
    assert_eq!(revisions.column("revision"), [1, 2].map(Value::from));
    assert_eq!(revisions.column("outcome"), [json!("withdrawn"), Value::Null]);
    let old = desk.get(&format!("{path}/revisions/1"), &desk.monitor).await.expect(200).json();
    assert_eq!(old["values"][2]["value"].to_string(), "7.5");
    assert_eq!(old["submitted_by"], "user:officer.so-yt");
    desk.get(&format!("{path}/revisions/3"), &desk.monitor).await.expect_problem(404, "NOT_FOUND");

    let diff = desk.get(&format!("{path}/diff?from=1&to=2"), &desk.officer).await.expect(200).json();
    let changes: Vec<_> = diff["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["indicator"].clone(), c["change"].clone()))
        .collect();
    let expected = [("HT.CQ.01", "changed"), ("NL.CQ.01", "added"), ("UD.CQ.02", "removed")];
    assert_eq!(changes, expected.map(|(a, b)| (json!(a), json!(b))));
    assert_eq!(diff["changes"][0]["before"]["numerator"], 100);
    assert_eq!(diff["changes"][0]["after"]["numerator"], 105);
    assert_eq!(diff["changes"][2]["after"], Value::Null);
    let working = desk.get(&format!("{path}/diff?from=2"), &desk.officer).await.expect(200);
    assert_eq!(working.json()["changes"], json!([]));
    let fresh = desk
        .service
        .get(&format!("{path}/diff?from=2"))
        .as_(&desk.officer)
        .header("If-None-Match", &working.etag());
    fresh.send().await.expect(304);
    desk.get(&format!("{path}/diff?from=7"), &desk.officer).await.expect_problem(404, "NOT_FOUND");
    let since = desk.get(&format!("{path}/diff"), &desk.officer).await.expect(200).json();
    assert_eq!((&since["from"], &since["to"], &since["changes"]), (&json!(2), &Value::Null, &json!([])));
    let first = desk.get(&format!("{path}/diff?to=1"), &desk.officer).await.expect(200).json();
    assert_eq!((&first["from"], first["changes"].as_array().unwrap().len()), (&Value::Null, 3));
    assert_eq!(first["changes"][0]["change"], "added");
    desk.get(&format!("{path}/diff?from=x"), &desk.officer).await.expect_problem(400, "INVALID_PARAMETER");
}

#[actix_web::test]
async fn what_was_submitted_cannot_be_changed_even_by_a_statement() {
    let desk = Desk::open().await;
    desk.accepted("2018-02", figures(100, 60)).await;
    for statement in [
        "update submission_revision_values set numerator = 1",
        "delete from submission_revision_values",
        "update submission_revisions set outcome = 'returned'",
        "update submission_revisions set submitted_by = 'user:x'",
        "delete from submission_revisions",
    ] {
        let changed = desk.service.try_sql(ict_index::db::sql(statement)).await;
        assert!(changed.is_err(), "the trigger must refuse: {statement}");
    }
}

#[actix_web::test]
async fn a_correction_counts_only_when_it_is_accepted() {
    let desk = Desk::open().await;
    let path = desk.accepted("2018-02", figures(100, 60)).await;
    desk.step(&path, &desk.coordinator, "reopen", None).await.expect_problem(422, "REASON_REQUIRED");
    let open =
        desk.step(&path, &desk.coordinator, "reopen", Some("Sai số máy tính")).await.expect(200).json();
    assert_eq!((&open["state"], &open["accepted_revision"]), (&json!("draft"), &json!(1)));
    desk.put(&path, &desk.officer, figures(90, 60)).await.expect(200);
    desk.step(&path, &desk.officer, "submit", None).await.expect(200);
    let counts = async || {
        let list = desk.get("indicator-values?indicator=HT.CQ.01", &desk.monitor).await.expect(200);
        (list.column("numerator"), list.column("revision"))
    };
    assert_eq!(counts().await, (vec![json!(100)], vec![json!(1)]), "the old figures still count");
    desk.step(&path, &desk.coordinator, "accept", None).await.expect(200);
    assert_eq!(counts().await, (vec![json!(90)], vec![json!(2)]));
    let old = desk.get(&format!("{path}/revisions/1"), &desk.officer).await.expect(200).json();
    assert_eq!(old["values"][0]["numerator"], 100, "the old revision stays readable");
    assert_eq!((&old["outcome"], &old["in_force"]), (&json!("accepted"), &json!(false)));
}

#[actix_web::test]
async fn a_step_that_the_state_does_not_have_names_what_it_has() {
    let desk = Desk::open().await;
    let path = desk.draft("2018-02").await;
    let refused = desk
        .step(&path, &desk.coordinator, "accept", None)
        .await
        .expect_problem(409, "TRANSITION_NOT_ALLOWED");
    assert_eq!(refused.json()["errors"][0]["state"], "draft");
    assert_eq!(refused.json()["errors"][0]["allowed_actions"], json!(["submit"]));
    desk.step(&path, &desk.officer, "withdraw", None).await.expect_problem(409, "TRANSITION_NOT_ALLOWED");
    desk.step(&path, &desk.officer, "explode", None).await.expect_problem(400, "WRONG_TYPE");

    desk.put(&path, &desk.officer, figures(100, 60)).await.expect(200);
    desk.step(&path, &desk.officer, "submit", None).await.expect(200);
    for action in ["accept", "return", "reopen"] {
        desk.step(&path, &desk.officer, action, Some("x")).await.expect_problem(403, "FORBIDDEN");
        desk.step(&path, &desk.monitor, action, Some("x")).await.expect_problem(403, "FORBIDDEN");
    }
    desk.step(&path, &desk.coordinator, "withdraw", None).await.expect_problem(403, "FORBIDDEN");
    let body = json!({"action": "accept"});
    let stale =
        desk.service.post(&format!("{path}/transitions"), body).as_(&desk.coordinator).if_match("\"1\"");
    stale.send().await.expect_problem(412, "PRECONDITION_FAILED");
}

#[actix_web::test]
async fn nobody_reviews_what_they_submitted() {
    let desk = Desk::open().await;
    let path = desk.draft("2018-02").await;
    desk.put(&path, &desk.coordinator, figures(100, 60)).await.expect(200);
    let submitted = desk.step(&path, &desk.coordinator, "submit", None).await.expect(200).json();
    assert_eq!(submitted["allowed_actions"], json!(["withdraw"]));
    for action in ["accept", "return"] {
        desk.step(&path, &desk.coordinator, action, Some("x"))
            .await
            .expect_problem(403, "REVIEWER_IS_SUBMITTER");
    }
    desk.step(&path, &desk.coordinator, "withdraw", None).await.expect(200);
}

#[actix_web::test]
async fn only_a_draft_that_was_never_submitted_is_deleted() {
    let desk = Desk::open().await;
    let path = desk.draft("2018-02").await;
    let put = desk.put(&path, &desk.officer, figures(100, 60)).await.expect(200);
    desk.service.delete(&path).as_(&desk.officer).send().await.expect_problem(428, "PRECONDITION_REQUIRED");
    desk.service
        .delete(&path)
        .as_(&desk.officer)
        .if_match("\"1\"")
        .send()
        .await
        .expect_problem(412, "PRECONDITION_FAILED");
    desk.service.delete(&path).as_(&desk.officer).if_match(&put.etag()).send().await.expect(204);
    desk.get(&path, &desk.officer).await.expect_problem(404, "NOT_FOUND");

    let path = desk.draft("2018-02").await;
    desk.put(&path, &desk.officer, figures(100, 60)).await.expect(200);
    desk.step(&path, &desk.officer, "submit", None).await.expect(200);
    let draft = desk.step(&path, &desk.officer, "withdraw", None).await.expect(200);
    desk.service
        .delete(&path)
        .as_(&desk.officer)
        .if_match(&draft.etag())
        .send()
        .await
        .expect_problem(409, "NOT_EDITABLE");
}

#[actix_web::test]
async fn an_agency_has_one_submission_a_month_while_it_exists() {
    let desk = Desk::open().await;
    desk.draft("2018-02").await;
    let create = async |agency: &str, month: &str| {
        let body = json!({"agency": agency, "period": month});
        desk.service.post("submissions", body).as_(&desk.coordinator).send().await
    };
    create("SO-YT", "2018-02").await.expect_problem(409, "ALREADY_EXISTS");
    create("SO-YT", "2018-03").await.expect(201);
    create("SO-YT", "2018-04").await.expect_problem(422, "DATE_IN_FUTURE");
    create("SO-GTVTXD", "2018-02").await.expect_problem(422, "AGENCY_NOT_ACTIVE");
    create("KHONG-CO", "2018-02").await.expect_problem(422, "UNKNOWN_REFERENCE");
    create("SO-YT", "2018-Q1").await.expect_problem(400, "MALFORMED_MONTH");
    create("SO-YT", "03/2018").await.expect_problem(400, "MALFORMED_MONTH");
    create("Sở", "2018-02").await.expect_problem(422, "INVALID_CODE");
    desk.service.at("2018-07-31T18:00:00Z");
    let coordinator = desk.service.token("coordinator").await;
    for (agency, month, status) in [
        ("SO-GTVTXD", "2018-07", 201),
        ("SO-GTVT", "2018-07", 201),
        ("SO-XD", "2018-08", 422),
        ("SO-YT", "2018-08", 201),
    ] {
        let body = json!({"agency": agency, "period": month});
        desk.service.post("submissions", body).as_(&coordinator).send().await.expect(status);
    }
}
