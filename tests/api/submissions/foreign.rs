use serde_json::{Value, json};
use uuid::Uuid;

use super::{Desk, figures};

#[actix_web::test]
async fn another_agencys_submission_is_as_if_it_were_not() {
    let desk = Desk::open().await;
    let path = desk.accepted("2018-02", figures(100, 60)).await;
    let missing = format!("submissions/{}", Uuid::now_v7());
    let values = json!({"values": figures(1, 1)});
    for (method, below, body) in [
        ("GET", "", None),
        ("DELETE", "", None),
        ("GET", "/values", None),
        ("PUT", "/values", Some(values)),
        ("GET", "/transitions", None),
        ("POST", "/transitions", Some(json!({"action": "submit"}))),
        ("POST", "/transitions", Some(json!({"action": "accept"}))),
        ("GET", "/revisions", None),
        ("GET", "/revisions/1", None),
        ("GET", "/diff?from=1", None),
    ] {
        let mut answers = Vec::new();
        for of in [&path, &missing] {
            let call =
                desk.service.call(method, &format!("{of}{below}")).as_(&desk.stranger).if_match("\"2\"");
            let call = if let Some(body) = &body { call.json(body) } else { call };
            let mut answer = call.send().await.expect_problem(404, "NOT_FOUND").json();
            for own in ["instance", "request_id"] {
                answer[own] = Value::Null;
            }
            answers.push(answer);
        }
        assert_eq!(answers[0], answers[1], "{method} {below} tells a foreign one from a missing one");
    }
    for list in
        ["submissions", "submissions?agency=SO-YT", "indicator-values", "indicator-values?agency=SO-YT"]
    {
        let path = format!("{list}{}count=exact", if list.contains('?') { '&' } else { '?' });
        let page = desk.get(&path, &desk.stranger).await.expect(200).json();
        assert_eq!((&page["items"], &page["page"]["total"]), (&json!([]), &json!(0)), "{list}");
    }
    for agency in ["SO-YT", "KHONG-CO"] {
        for month in ["2018-02", "2018-12"] {
            let body = json!({"agency": agency, "period": month});
            let create = desk.service.post("submissions", body).as_(&desk.stranger);
            create.send().await.expect_problem(404, "NOT_FOUND");
        }
    }
    let unchanged = desk.get(&path, &desk.officer).await.expect(200).json();
    assert_eq!(unchanged["state"], "accepted");
}

#[actix_web::test]
async fn everyone_sees_what_is_theirs_to_see() {
    let desk = Desk::open().await;
    let path = desk.accepted("2018-02", figures(100, 60)).await;
    let body = json!({"agency": "SO-NV", "period": "2018-02"});
    desk.service.post("submissions", body.clone()).as_(&desk.stranger).send().await.expect(201);
    desk.service
        .post("submissions", json!({"agency": "SO-NV", "period": "2018-01"}))
        .as_(&desk.stranger)
        .send()
        .await
        .expect(201);
    let list = async |query: &str, token: &str| {
        desk.get(&format!("submissions?{query}"), token).await.expect(200).column("agency")
    };
    assert_eq!(list("", &desk.officer).await, [json!("SO-YT")]);
    assert_eq!(list("", &desk.stranger).await, [json!("SO-NV"), json!("SO-NV")]);
    assert_eq!(list("period=2018-02", &desk.monitor).await, [json!("SO-NV"), json!("SO-YT")]);
    assert_eq!(list("period=2018-Q1&state=accepted", &desk.monitor).await, [json!("SO-YT")]);
    assert_eq!(list("period=2018&state=draft,accepted&agency=SO-YT", &desk.monitor).await, [json!("SO-YT")]);
    assert_eq!(list("period=2017", &desk.monitor).await, [] as [Value; 0]);
    desk.get("submissions?state=lost", &desk.monitor).await.expect_problem(400, "INVALID_PARAMETER");
    desk.get("submissions?period=2018-3", &desk.monitor).await.expect_problem(400, "MALFORMED_PERIOD");

    let seen = desk.get(&path, &desk.monitor).await.expect(200).json();
    assert_eq!(seen["allowed_actions"], json!([]));
    desk.service.post("submissions", body).as_(&desk.monitor).send().await.expect_problem(403, "FORBIDDEN");
    let portal = desk.service.client_token("portal").await;
    let values = desk.get("indicator-values", &portal).await.expect(200);
    assert_eq!(values.column("indicator").len(), 2);
    desk.get(&path, &portal).await.expect_problem(403, "FORBIDDEN");
    let admin = desk.service.token("admin").await;
    desk.get("submissions", &admin).await.expect_problem(403, "FORBIDDEN");
}

#[actix_web::test]
async fn the_tag_follows_the_caller_and_the_state() {
    let desk = Desk::open().await;
    let path = desk.accepted("2018-02", figures(100, 60)).await;
    let tag = desk.get(&path, &desk.officer).await.expect(200).etag();
    let held = |token: &str| desk.service.get(&path).as_(token).header("If-None-Match", &tag);
    held(&desk.officer).send().await.expect(304);
    held(&desk.coordinator).send().await.expect(200);
    desk.close("2018-02").await;
    let locked = held(&desk.officer).send().await.expect(200).json();
    assert_eq!(locked["state"], "locked");
}
