//! Index runs over HTTP: computing them, reading them, and what follows from one.

mod disclosure;
mod doubts;
mod following;
mod keeping;
mod properties;
mod published;
mod seen;

use std::str::FromStr;

use bigdecimal::BigDecimal;
use ict_index::auth::Actor;
use ict_index::db::Conn;
use ict_index::http::Problem;
use ict_index::scoring::engine::framework::Framework;
use ict_index::scoring::engine::input::Unit;
use ict_index::scoring::frameworks::model as frameworks;
use ict_index::scoring::observations::model as observations;
use ict_index::scoring::observations::rules::{Changes, Row, Set, Source};
use serde_json::{Value, json};

use crate::support::{Answer, TestService};

/// A framework of one root with these children, and what else it needs.
pub fn framework(code: &str, unit_type: &str, decimals: u32, root: Value) -> Value {
    json!({
        "code": code, "name": code, "unit_type": unit_type, "status": "official",
        "rank": {"decimals": decimals, "ties": "competition"}, "missing": "exclude_and_reweight", "root": root,
    })
}

pub async fn add_framework(service: &TestService, document: &Value) {
    let framework: Framework = serde_json::from_value(document.clone()).unwrap();
    let actor = Actor::system(service.clock.now());
    let added = service.state.db().transaction(async move |conn: &mut Conn| {
        Ok::<_, Problem>(frameworks::insert(conn, &framework, &actor).await?)
    });
    assert!(added.await.map_err(|e| format!("{e:?}")).unwrap(), "the code is taken");
}

/// The next revision of a year's observations.
pub async fn observe(
    service: &TestService,
    framework: &str,
    year: i32,
    figures: &[(&str, &str, &str)],
    units: &[Unit],
) {
    let row = |(unit, indicator, value): &(&str, &str, &str)| Row {
        unit: (*unit).to_owned(),
        indicator: (*indicator).to_owned(),
        value: Some(value.parse().unwrap()),
        numerator: None,
        denominator: None,
        note: None,
        source: Source::Imported,
    };
    let set = Set { rows: figures.iter().map(row).collect(), units: units.to_vec() }.ordered();
    store(service, framework, year, set).await;
}

pub async fn store(service: &TestService, framework: &str, year: i32, set: Set) {
    let (framework, actor) = (framework.to_owned(), Actor::system(service.clock.now()));
    let stored = service.state.db().transaction(async move |conn: &mut Conn| {
        let changes = Changes::between(&[], &set.rows);
        let last = observations::lock(conn, &framework, year).await?;
        observations::append(conn, &framework, year, (last.as_ref(), &set, changes, None), &actor).await?;
        Ok::<_, Problem>(())
    });
    stored.await.map_err(|e| format!("{e:?}")).unwrap();
}

pub fn new_run(framework: &str, data_year: i32, kind: &str) -> Value {
    json!({"framework": framework, "data_year": data_year, "index_year": data_year + 1, "kind": kind, "label": "thử"})
}

/// Computes a run as the coordinator; answers its id.
pub async fn run(service: &TestService, framework: &str, year: i32, kind: &str) -> String {
    let token = service.token("coordinator").await;
    let answer =
        service.post("index-runs", new_run(framework, year, kind)).as_(&token).send().await.expect(201);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), format!("/api/v1/index-runs/{id}"));
    id
}

/// All items of a list, page by page.
pub async fn all(service: &TestService, token: &str, path: &str) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let sign = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{sign}limit=200{cursor}");
        let page = service.get(&path).as_(token).send().await.expect(200).json();
        items.extend(page["items"].as_array().unwrap().clone());
        match page["page"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// An exact number of an answer.
#[track_caller]
pub fn number(value: &Value) -> BigDecimal {
    BigDecimal::from_str(&value.to_string()).unwrap_or_else(|_| panic!("{value} is no number"))
}

pub fn zero() -> BigDecimal {
    BigDecimal::from(0)
}

pub fn item<'v>(answer: &'v Value, unit: &str) -> &'v Value {
    let found = answer["items"].as_array().unwrap().iter().find(|item| item["unit"] == unit);
    found.unwrap_or_else(|| panic!("no {unit} in {answer}"))
}

/// Two groups: the first relative to what is observed, the second to fixed bounds.
pub fn small(code: &str, unit_type: &str) -> Value {
    framework(
        code,
        unit_type,
        3,
        json!({"code": "ALL", "name": "Tất cả", "aggregate": "arithmetic", "children": [
            {"code": "G1", "name": "Nhóm 1", "aggregate": "arithmetic", "children": [
                {"code": "X1", "name": "Chỉ tiêu 1", "normalise": {"method": "min_max"}},
                {"code": "X2", "name": "Chỉ tiêu 2", "direction": -1, "normalise": {"method": "min_max"}}]},
            {"code": "G2", "name": "Nhóm 2", "weight": 2, "aggregate": "arithmetic", "children": [
                {"code": "X3", "name": "Chỉ tiêu 3", "normalise": {"method": "goalposts", "lo": 0, "hi": 100}}]}]}),
    )
}

/// Three agencies, of which the last lacks a figure.
pub const FIGURES: [(&str, &str, &str); 8] = [
    ("SO-YT", "X1", "10"),
    ("SO-YT", "X2", "3"),
    ("SO-YT", "X3", "80"),
    ("SO-TTTT", "X1", "20"),
    ("SO-TTTT", "X2", "5"),
    ("SO-TTTT", "X3", "60"),
    ("SO-GDDT", "X1", "15"),
    ("SO-GDDT", "X3", "50"),
];

/// A run of [`small`] on [`FIGURES`].
pub async fn small_run(service: &TestService) -> String {
    add_framework(service, &small("NHO", "agency")).await;
    observe(service, "NHO", 2017, &FIGURES, &[]).await;
    run(service, "NHO", 2017, "provisional").await
}

pub async fn get(service: &TestService, token: &str, path: impl AsRef<str>) -> Answer {
    service.get(path.as_ref()).as_(token).send().await
}
