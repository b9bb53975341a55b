use serde_json::{Value, json};

use super::{Desk, figures};

#[actix_web::test]
async fn of_two_editors_the_second_is_told_and_nothing_is_lost() {
    let desk = Desk::open().await;
    let path = desk.draft("2018-02").await;
    let values = format!("{path}/values");
    let tag = desk.get(&values, &desk.officer).await.expect(200).etag();
    let put = |token: &str, computers: i64| {
        desk.service.put(&values, json!({"values": figures(computers, 60)})).as_(token)
    };
    put(&desk.officer, 100).send().await.expect_problem(428, "PRECONDITION_REQUIRED");
    put(&desk.officer, 100).if_match(&tag).send().await.expect(200);
    put(&desk.coordinator, 1).if_match(&tag).send().await.expect_problem(412, "PRECONDITION_FAILED");
    let kept = desk.get(&values, &desk.officer).await.expect(200);
    assert_eq!(kept.json()["values"][0]["numerator"], 100);
    put(&desk.coordinator, 101).if_match(&kept.etag()).send().await.expect(200);
}

#[actix_web::test]
async fn of_many_writers_with_one_tag_exactly_one_wins() {
    let desk = Desk::open().await;
    let path = desk.draft("2018-02").await;
    let values = format!("{path}/values");
    let tag = desk.get(&values, &desk.officer).await.expect(200).etag();
    let puts = (0..8).map(|n| {
        let body = json!({"values": figures(50 + n, 60)});
        desk.service.put(&values, body).as_(&desk.officer).if_match(&tag).send()
    });
    let answers = futures::future::join_all(puts).await;
    let mut statuses: Vec<u16> = answers.iter().map(|a| a.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    let winner = answers.iter().find(|a| a.status == 200).unwrap().json();
    let stored = desk.get(&values, &desk.officer).await.expect(200).json();
    assert_eq!(stored["values"], winner["values"]);
    assert_eq!(stored["version"], 2);
}

#[actix_web::test]
async fn of_many_submits_exactly_one_makes_a_revision() {
    let desk = Desk::open().await;
    let path = desk.draft("2018-02").await;
    desk.put(&path, &desk.officer, figures(100, 60)).await.expect(200);
    let submits = (0..6).map(|_| desk.step(&path, &desk.officer, "submit", None));
    let mut statuses: Vec<u16> =
        futures::future::join_all(submits).await.iter().map(|a| a.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409]);
    let revisions = desk.get(&format!("{path}/revisions"), &desk.officer).await.expect(200);
    assert_eq!(revisions.column("revision"), [json!(1)]);
}

#[actix_web::test]
async fn of_many_creations_exactly_one_stays() {
    let desk = Desk::open().await;
    let creations = (0..6).map(|_| {
        let body = json!({"agency": "SO-YT", "period": "2018-02"});
        desk.service.post("submissions", body).as_(&desk.officer).send()
    });
    let mut statuses: Vec<u16> =
        futures::future::join_all(creations).await.iter().map(|a| a.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
}

#[actix_web::test]
async fn a_repeated_request_has_one_effect() {
    let desk = Desk::open().await;
    let create = |month: &str| {
        let body = json!({"agency": "SO-YT", "period": month});
        desk.service.post("submissions", body).as_(&desk.officer).header("Idempotency-Key", "thang-2")
    };
    let first = create("2018-02").send().await.expect(201);
    let again = create("2018-02").send().await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.body, again.body);
    create("2018-01").send().await.expect_problem(422, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(desk.get("submissions", &desk.officer).await.expect(200).column("id").len(), 1);

    let path = format!("submissions/{}", first.json()["id"].as_str().unwrap());
    desk.put(&path, &desk.officer, figures(100, 60)).await.expect(200);
    let submit = |reason: Value| {
        let body = json!({"action": "submit", "reason": reason});
        let call = desk.service.post(&format!("{path}/transitions"), body).as_(&desk.officer);
        call.header("Idempotency-Key", "gui-thang-2")
    };
    let first = submit(Value::Null).send().await.expect(200);
    let again = submit(Value::Null).send().await.expect(200);
    assert_eq!((first.body, again.header("idempotency-replayed")), (again.body.clone(), "true"));
    submit(json!("x")).send().await.expect_problem(422, "IDEMPOTENCY_KEY_REUSED");
}

#[actix_web::test]
async fn no_request_asks_row_by_row() {
    let desk = Desk::open().await;
    for month in ["2018-01", "2018-02"] {
        desk.accepted(month, figures(100, 60)).await;
    }
    let path = desk.draft("2018-03").await;
    // Twelve statements of a write at the most, and its BEGIN and COMMIT.
    let most = 14;
    let tag = desk.get(&path, &desk.officer).await.expect(200).etag();
    let put = desk.service.put(&format!("{path}/values"), json!({"values": figures(100, 60)}));
    let put = put.as_(&desk.officer).if_match(&tag).send();
    let mut all = vec![("put", most, desk.service.statements_of(put).await)];
    let submit = desk.service.post(&format!("{path}/transitions"), json!({"action": "submit"}));
    let submit = submit.as_(&desk.officer).header("Idempotency-Key", "k").send();
    all.push(("submit", most, desk.service.statements_of(submit).await));
    all.push((
        "accept",
        most,
        desk.service.statements_of(desk.step(&path, &desk.coordinator, "accept", None)).await,
    ));
    for below in ["", "/values", "/transitions", "/revisions", "/revisions/1", "/diff?from=1"] {
        all.push((
            below,
            4,
            desk.service.statements_of(desk.get(&format!("{path}{below}"), &desk.monitor)).await,
        ));
    }
    for list in [
        "submissions?count=exact",
        "indicator-values?count=exact",
        "reporting-months?count=exact",
        "reporting-months/2018-02",
    ] {
        all.push((list, 4, desk.service.statements_of(desk.get(list, &desk.monitor)).await));
    }
    for (what, most, (statements, answer)) in all {
        answer.expect(200);
        assert!(statements <= most, "{statements} statements for {what}");
    }
}

#[actix_web::test]
async fn pages_hold_every_figure_once_in_any_order() {
    let desk = Desk::open().await;
    for month in ["2018-01", "2018-02", "2018-03"] {
        desk.accepted(month, figures(100, 60)).await;
    }
    for (list, key) in [("indicator-values", "indicator"), ("submissions", "id")] {
        for sort in ["period", "-period", "-period,agency", "agency"] {
            let base = format!("{list}?sort={sort}");
            let whole = desk.get(&base, &desk.monitor).await.expect(200);
            let (mut seen, mut path) = (Vec::new(), format!("{base}&limit=2"));
            loop {
                let page = desk.get(&path, &desk.monitor).await.expect(200);
                seen.extend(page.column("period").into_iter().zip(page.column(key)));
                match page.json()["page"]["next_cursor"].as_str() {
                    Some(cursor) => path = format!("{base}&limit=2&cursor={cursor}"),
                    None => break,
                }
            }
            let whole: Vec<_> = whole.column("period").into_iter().zip(whole.column(key)).collect();
            assert_eq!(seen, whole, "{base}");
        }
    }
}
