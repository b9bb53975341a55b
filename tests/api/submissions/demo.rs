use ict_index::auth::{PasswordCost, Passwords};
use ict_index::seed;
use serde_json::{Value, json};

use super::{Desk, figures};

async fn load(desk: &Desk) {
    let passwords = Passwords::new(PasswordCost { memory_kib: 64, iterations: 1 }).unwrap();
    let (db, now) = (desk.service.state.db(), desk.service.clock.now());
    seed::demo(db, &passwords, Some(crate::support::PASSWORD.into()), now).await.expect("the demo loads");
}

#[actix_web::test]
async fn a_labelled_year_is_there_once() {
    let desk = Desk::open().await;
    load(&desk).await;
    load(&desk).await;
    let total = async |path: &str| {
        desk.get(&format!("{path}count=exact&limit=200"), &desk.monitor).await.expect(200).json()["page"]["total"].clone()
    };
    assert_eq!(total("submissions?").await, 180);
    assert_eq!(total("submissions?state=accepted&").await, 159);
    for state in ["draft", "submitted", "returned"] {
        assert_ne!(total(&format!("submissions?state={state}&")).await, 0, "{state}");
    }
    let values = desk.get("indicator-values?limit=200", &desk.monitor).await.expect(200);
    assert!(values.column("note").iter().all(|note| note == "[demo] số liệu minh họa"));
    // An agency's words are for the department, not for machines.
    let portal = desk.service.client_token("portal").await;
    let values = desk.get("indicator-values?limit=200", &portal).await.expect(200);
    assert!(values.column("note").iter().all(|note| note.is_null()) && !values.column("note").is_empty());
    let list = desk.get("submissions?agency=SO-NV&period=2018-06", &desk.monitor).await.expect(200);
    let path = format!("submissions/{}", list.column("id")[0].as_str().unwrap());
    let steps = desk.get(&format!("{path}/transitions"), &desk.monitor).await.expect(200);
    assert_eq!(steps.column("action"), ["submit", "return", "submit", "accept"].map(Value::from));
    let revisions = desk.get(&format!("{path}/revisions"), &desk.monitor).await.expect(200);
    assert_eq!(revisions.column("submitted_by"), ["system:demo", "system:demo"].map(Value::from));
    assert_eq!(revisions.column("in_force"), [json!(false), json!(true)]);
}

#[actix_web::test]
async fn its_figures_pass_the_checks_and_raise_no_warning() {
    let desk = Desk::open().await;
    load(&desk).await;
    let drafts = desk.get("submissions?state=draft", &desk.coordinator).await.expect(200);
    for id in drafts.column("id") {
        let path = format!("submissions/{}", id.as_str().unwrap());
        let values = desk.get(&format!("{path}/values"), &desk.coordinator).await.expect(200).json();
        assert_eq!(values["warnings"], json!([]), "{values}");
        let same: Vec<Value> = values["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| json!({"indicator": v["indicator"], "numerator": v["numerator"], "denominator": v["denominator"]}))
            .collect();
        desk.put(&path, &desk.coordinator, json!(same)).await.expect(200);
    }
}

#[actix_web::test]
async fn real_submissions_are_not_mixed_with_it() {
    let desk = Desk::open().await;
    desk.accepted("2018-02", figures(100, 60)).await;
    load(&desk).await;
    assert_eq!(desk.get("submissions", &desk.monitor).await.expect(200).column("id").len(), 1);
}
