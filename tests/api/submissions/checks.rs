use serde_json::{Value, json};

use super::{Desk, errors, figures};

#[actix_web::test]
async fn each_fault_has_its_code_and_place() {
    let desk = Desk::open().await;
    let path = desk.draft("2018-02").await;
    let ratio = |n: Value, d: Value| json!({"indicator": "UD.CQ.01", "numerator": n, "denominator": d});
    for (value, code, field) in [
        (
            json!({"indicator": "KHONG.CO", "numerator": 1, "denominator": 2}),
            "UNKNOWN_REFERENCE",
            "indicator",
        ),
        (ratio(json!("84,1"), json!(100)), "DECIMAL_COMMA", "numerator"),
        (ratio(json!(1), json!("1.155")), "AMBIGUOUS_NUMBER", "denominator"),
        (ratio(json!("abc"), json!(100)), "NOT_A_NUMBER", "numerator"),
        (ratio(json!([1]), json!(100)), "NOT_A_NUMBER", "numerator"),
        (ratio(json!(-1), json!(100)), "NEGATIVE", "numerator"),
        (ratio(json!(1), json!(1.155)), "NOT_AN_INTEGER", "denominator"),
        (ratio(json!(121), json!(120)), "NUMERATOR_EXCEEDS_DENOMINATOR", "numerator"),
        (ratio(json!(1), json!(0)), "ZERO_DENOMINATOR", "denominator"),
        (ratio(json!(1), Value::Null), "REQUIRED", "denominator"),
        (json!({"indicator": "UD.CQ.01", "value": 84.1}), "NUMERATOR_REQUIRED", "value"),
        (json!({"indicator": "UD.CQ.02", "numerator": 1, "denominator": 2}), "VALUE_REQUIRED", "numerator"),
        (json!({"indicator": "UD.CQ.02"}), "VALUE_REQUIRED", "value"),
        (json!({"indicator": "UD.CQ.02", "value": 1, "note": "x".repeat(2001)}), "INVALID_LENGTH", "note"),
    ] {
        let answer = desk.put(&path, &desk.officer, json!([value])).await.expect(422);
        assert_eq!(errors(&answer), [(code.to_owned(), format!("/values/0/{field}"))]);
    }
    let huge = r#"{"values":[{"indicator":"UD.CQ.02","value":1e400}]}"#;
    let tag = desk.get(&format!("{path}/values"), &desk.officer).await.etag();
    let put = desk.service.call("PUT", &format!("{path}/values")).as_(&desk.officer).if_match(&tag);
    put.raw("application/json", huge).send().await.expect_problem(422, "NUMBER_OUT_OF_RANGE");
}

#[actix_web::test]
async fn all_faults_are_said_at_once_and_nothing_is_stored() {
    let desk = Desk::open().await;
    let path = desk.draft("2018-02").await;
    let wrong = json!([
        {"indicator": "HT.CQ.01", "numerator": 100, "denominator": 120},
        {"indicator": "HT.CQ.01", "numerator": -1, "denominator": 1.5},
        {"indicator": "UD.CQ.01", "numerator": 130, "denominator": 120},
        {"indicator": "UD.CQ.02"}
    ]);
    let answer = desk.put(&path, &desk.officer, wrong).await.expect(422);
    let expected = [
        ("DUPLICATE_ENTRY", "/values/1/indicator"),
        ("NEGATIVE", "/values/1/numerator"),
        ("NOT_AN_INTEGER", "/values/1/denominator"),
        ("NUMERATOR_EXCEEDS_DENOMINATOR", "/values/2/numerator"),
        ("VALUE_REQUIRED", "/values/3/value"),
    ];
    assert_eq!(errors(&answer), expected.map(|(code, place)| (code.to_owned(), place.to_owned())));
    let stored = desk.get(&format!("{path}/values"), &desk.officer).await.expect(200).json();
    assert_eq!((&stored["values"], &stored["version"]), (&json!([]), &json!(1)));

    let many: Vec<Value> = (0..501).map(|n| json!({"indicator": format!("X{n}"), "value": 1})).collect();
    let answer = desk.put(&path, &desk.officer, json!(many)).await.expect_problem(422, "INVALID_LENGTH");
    assert_eq!(errors(&answer)[0].1, "/values");
    desk.put(&path, &desk.officer, json!([{"indicator": "UD.CQ.02", "value": 1, "rate": 2}]))
        .await
        .expect_problem(400, "UNKNOWN_FIELD");
}

#[actix_web::test]
async fn figures_stay_exact_and_in_their_order() {
    let desk = Desk::open().await;
    let path = desk.draft("2018-02").await;
    let body = r#"{"values":[{"indicator":"UD.CQ.02","value":0.1},{"indicator":"HT.CQ.02","numerator":123456789012345678.123456,"denominator":1e2},
        {"indicator":"HT.CQ.01","numerator":1155.0,"denominator":1200,"note":" Hoà\u0301 "}]}"#;
    let tag = desk.get(&path, &desk.officer).await.etag();
    let put = desk.service.call("PUT", &format!("{path}/values")).as_(&desk.officer).if_match(&tag);
    let answer = put.raw("application/json", body).send().await.expect(200);
    let check = |text: String| {
        for part in [
            r#""value":0.1,"#,
            r#""numerator":123456789012345678.123456,"denominator":100,"#,
            r#""rate":1234567890123456.78"#,
            r#""numerator":1155,"#,
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    };
    check(answer.text());
    assert_eq!(answer.json()["values"][0]["indicator"], "UD.CQ.02", "in the order sent");
    desk.step(&path, &desk.officer, "submit", None).await.expect(200);
    check(desk.get(&format!("{path}/revisions/1"), &desk.officer).await.expect(200).text());
    desk.step(&path, &desk.coordinator, "accept", None).await.expect(200);
    check(desk.get("indicator-values?sort=-indicator", &desk.officer).await.expect(200).text());
    let csv =
        desk.get("indicator-values?format=csv&indicator=HT.CQ.02", &desk.officer).await.expect(200).text();
    assert!(csv.contains("HT.CQ.02,SO-YT,2018-02,kbps_per_head,123456789012345678.123456,100,,"), "{csv}");
}

#[actix_web::test]
async fn what_looks_unusual_needs_a_note_before_it_is_submitted() {
    let desk = Desk::open().await;
    desk.accepted("2018-01", figures(100, 60)).await;
    let path = desk.draft("2018-02").await;
    let with_notes = |note: Option<&str>| {
        json!([
            {"indicator": "HT.CQ.01", "numerator": 100, "denominator": 120},
            {"indicator": "UD.CQ.01", "numerator": 140, "denominator": 145, "note": note},
            {"indicator": "HT.XH.06", "numerator": 0, "denominator": 0, "note": note}
        ])
    };
    let put = desk.put(&path, &desk.officer, with_notes(Some("  "))).await.expect(200).json();
    let warnings: Vec<_> = put["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| (w["code"].clone(), w["pointer"].clone(), w["explained"].clone()))
        .collect();
    let expected = [
        ("LARGE_CHANGE", "/values/1"),
        ("DENOMINATOR_CHANGED", "/values/1"),
        ("ZERO_DENOMINATOR", "/values/2"),
    ];
    assert_eq!(warnings, expected.map(|(code, place)| (json!(code), json!(place), json!(false))));
    assert_eq!(put["values"][2]["rate"], Value::Null);
    assert_eq!(put["values"][2]["rate_reason"], "zero_denominator");

    let refused = desk.step(&path, &desk.officer, "submit", None).await.expect_problem(422, "NOTE_REQUIRED");
    let places: Vec<String> = errors(&refused).into_iter().map(|(_, pointer)| pointer).collect();
    assert_eq!(places, ["/values/1/note", "/values/1/note", "/values/2/note"]);
    assert_eq!(refused.json()["errors"][0]["indicator"], "UD.CQ.01");

    let explained =
        desk.put(&path, &desk.officer, with_notes(Some("Sáp nhập đơn vị"))).await.expect(200).json();
    assert_eq!(explained["warnings"][0]["explained"], true);
    desk.step(&path, &desk.officer, "submit", None).await.expect(200);
    desk.step(&path, &desk.coordinator, "accept", None).await.expect(200);
    let value = desk.get("indicator-values?indicator=HT.XH.06", &desk.officer).await.expect(200).json();
    assert_eq!(value["items"][0]["rate"], Value::Null, "never 0, never 100");
    assert_eq!(value["items"][0]["rate_reason"], "zero_denominator");
}

#[actix_web::test]
async fn a_change_is_measured_against_the_last_accepted_month_before() {
    let desk = Desk::open().await;
    let warnings = async |path: &str, computers: i64| {
        let put = desk.put(path, &desk.officer, figures(computers, 60)).await.expect(200).json();
        put["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|w| w["code"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let january = desk.accepted("2018-01", figures(40, 60)).await;
    let february = desk.draft("2018-02").await;
    let march = desk.draft("2018-03").await;
    assert_eq!(warnings(&february, 60).await, [] as [&str; 0], "exactly half more");
    assert_eq!(warnings(&february, 61).await, ["LARGE_CHANGE"]);
    assert_eq!(warnings(&march, 61).await, ["LARGE_CHANGE"], "february is no measure before it is accepted");
    warnings(&february, 60).await;
    desk.step(&february, &desk.officer, "submit", None).await.expect(200);
    desk.step(&february, &desk.coordinator, "accept", None).await.expect(200);
    assert_eq!(warnings(&march, 61).await, [] as [&str; 0]);
    // A later month is no measure for an earlier one.
    desk.step(&january, &desk.coordinator, "reopen", Some("x")).await.expect(200);
    assert_eq!(warnings(&january, 1).await, [] as [&str; 0]);
}
