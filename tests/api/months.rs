//! Reporting months: closing locks what is in them; what was accepted can still be corrected, by a decision with a reason.

use serde_json::{Value, json};

use crate::submissions::{Desk, figures};
use crate::support::Answer;

impl Desk {
    async fn month(&self, month: &str, token: &str, action: &str, reason: Option<&str>) -> Answer {
        let body = json!({"action": action, "reason": reason});
        self.service.post(&format!("reporting-months/{month}/transitions"), body).as_(token).send().await
    }
}

#[actix_web::test]
async fn a_month_is_closed_and_opened_again() {
    let desk = Desk::open().await;
    let untouched = desk.get("reporting-months/2018-02", &desk.officer).await.expect(200).json();
    assert_eq!((&untouched["state"], &untouched["version"]), (&json!("open"), &json!(1)));
    assert_eq!(untouched["last_transition"], Value::Null);
    desk.month("2018-02", &desk.officer, "close", None).await.expect_problem(403, "FORBIDDEN");
    desk.month("2018-02", &desk.monitor, "close", None).await.expect_problem(403, "FORBIDDEN");
    desk.month("2018-02", &desk.coordinator, "reopen", Some("x"))
        .await
        .expect_problem(409, "TRANSITION_NOT_ALLOWED");
    desk.month("2018-04", &desk.coordinator, "close", None).await.expect_problem(422, "DATE_IN_FUTURE");

    let closed = desk.month("2018-02", &desk.coordinator, "close", None).await.expect(200);
    assert_eq!((&closed.json()["state"], &closed.json()["version"]), (&json!("closed"), &json!(2)));
    assert_eq!(closed.json()["closed_by"], "user:coordinator");
    desk.month("2018-02", &desk.coordinator, "close", None)
        .await
        .expect_problem(409, "TRANSITION_NOT_ALLOWED");
    for blank in [None, Some(" ")] {
        desk.month("2018-02", &desk.coordinator, "reopen", blank)
            .await
            .expect_problem(422, "REASON_REQUIRED");
    }
    let stale = desk
        .service
        .post("reporting-months/2018-02/transitions", json!({"action": "reopen", "reason": "x"}))
        .as_(&desk.coordinator)
        .if_match("\"1\"");
    stale.send().await.expect_problem(412, "PRECONDITION_FAILED");
    let open = desk.month("2018-02", &desk.coordinator, "reopen", Some("Bổ sung")).await.expect(200).json();
    assert_eq!((&open["state"], &open["version"]), (&json!("open"), &json!(3)));
    assert_eq!(open["last_transition"]["reason"], "Bổ sung");

    for path in ["reporting-months/2018-2", "reporting-months/2018", "reporting-months/x"] {
        desk.get(path, &desk.monitor).await.expect_problem(400, "MALFORMED_MONTH");
    }
    let events = desk
        .get("audit-events?entity=reporting_month&key=2018-02&sort=at", &desk.coordinator)
        .await
        .expect(200);
    assert_eq!(events.column("action"), ["close", "reopen"].map(Value::from));
}

#[actix_web::test]
async fn months_are_listed_with_what_the_caller_may_see() {
    let desk = Desk::open().await;
    desk.accepted("2018-01", figures(100, 60)).await;
    desk.draft("2018-03").await;
    desk.close("2018-02").await;
    let list = async |path: &str, token: &str| desk.get(path, token).await.expect(200);
    let all = list("reporting-months", &desk.monitor).await;
    assert_eq!(all.column("month"), ["2018-03", "2018-02", "2018-01"].map(Value::from));
    assert_eq!(all.column("state"), ["open", "closed", "open"].map(Value::from));
    let january = json!({"draft": 0, "submitted": 0, "returned": 0, "accepted": 1});
    assert_eq!(all.json()["items"][2]["submissions"], january);
    let foreign = list("reporting-months", &desk.stranger).await;
    assert_eq!(foreign.column("month"), [json!("2018-02")], "another agency's reporting cannot be inferred");
    let none = list("reporting-months/2018-01", &desk.stranger).await.json();
    assert_eq!(none["submissions"]["accepted"], 0);
    assert_eq!(
        list("reporting-months?state=closed", &desk.monitor).await.column("month"),
        [json!("2018-02")]
    );
    assert_eq!(list("reporting-months?period=2017", &desk.monitor).await.column("month"), [] as [Value; 0]);
    let portal = desk.service.client_token("portal").await;
    assert_eq!(list("reporting-months", &portal).await.column("month").len(), 3);
    let csv = list("reporting-months?format=csv", &desk.monitor).await.text();
    assert!(csv.contains("2018-01,open,,,,,,,0,0,0,1,1"), "{csv}");
}

#[actix_web::test]
async fn a_closed_month_is_locked() {
    let desk = Desk::open().await;
    let accepted = desk.accepted("2018-01", figures(100, 60)).await;
    let draft = desk.draft("2018-02").await;
    desk.put(&draft, &desk.officer, figures(100, 60)).await.expect(200);
    desk.close("2018-01").await;
    desk.close("2018-02").await;

    let locked = desk.get(&accepted, &desk.officer).await.expect(200).json();
    assert_eq!((&locked["state"], &locked["allowed_actions"]), (&json!("locked"), &json!([])));
    let list = desk.get("submissions?state=locked", &desk.officer).await.expect(200);
    assert_eq!(list.column("period"), [json!("2018-01")]);
    assert_eq!(desk.get("submissions?state=accepted", &desk.officer).await.column("id"), [] as [Value; 0]);
    for token in [&desk.officer, &desk.coordinator] {
        desk.put(&draft, token, figures(1, 1)).await.expect_problem(409, "PERIOD_LOCKED");
        desk.step(&draft, token, "submit", None).await.expect_problem(409, "PERIOD_LOCKED");
        let delete = desk.service.delete(&draft).as_(token).if_match("\"2\"");
        delete.send().await.expect_problem(409, "PERIOD_LOCKED");
    }
    desk.put(&accepted, &desk.officer, figures(1, 1)).await.expect_problem(409, "PERIOD_LOCKED");
    desk.step(&accepted, &desk.officer, "reopen", Some("x")).await.expect_problem(403, "FORBIDDEN");
    let late = json!({"agency": "SO-NV", "period": "2018-01"});
    desk.service
        .post("submissions", late)
        .as_(&desk.stranger)
        .send()
        .await
        .expect_problem(409, "PERIOD_LOCKED");
    assert_eq!(
        desk.get("indicator-values", &desk.officer).await.column("numerator"),
        [json!(100), json!(60)]
    );

    desk.month("2018-02", &desk.coordinator, "reopen", Some("x")).await.expect(200);
    desk.step(&draft, &desk.officer, "submit", None).await.expect(200);
}

#[actix_web::test]
async fn one_submission_of_a_closed_month_can_be_corrected() {
    let desk = Desk::open().await;
    let path = desk.accepted("2018-01", figures(100, 60)).await;
    desk.close("2018-01").await;
    desk.step(&path, &desk.coordinator, "reopen", None).await.expect_problem(422, "REASON_REQUIRED");
    let open = desk.step(&path, &desk.coordinator, "reopen", Some("Sai số liệu")).await.expect(200).json();
    assert_eq!(open["state"], "draft");
    desk.put(&path, &desk.officer, figures(90, 60)).await.expect(200);
    desk.step(&path, &desk.officer, "submit", None).await.expect(200);
    desk.step(&path, &desk.coordinator, "return", Some("x")).await.expect(200);
    desk.step(&path, &desk.officer, "submit", None).await.expect(200);
    let accepted = desk.step(&path, &desk.coordinator, "accept", None).await.expect(200).json();
    assert_eq!((&accepted["state"], &accepted["accepted_revision"]), (&json!("locked"), &json!(3)));
    desk.put(&path, &desk.officer, figures(80, 60)).await.expect_problem(409, "PERIOD_LOCKED");

    // What one closing let through, the next one locks.
    desk.step(&path, &desk.coordinator, "reopen", Some("x")).await.expect(200);
    desk.month("2018-01", &desk.coordinator, "reopen", Some("x")).await.expect(200);
    desk.close("2018-01").await;
    desk.put(&path, &desk.officer, figures(80, 60)).await.expect_problem(409, "PERIOD_LOCKED");
}
