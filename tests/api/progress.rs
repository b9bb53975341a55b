//! Targets and where they stand: which figure is compared, what is expected, who sees what, and that nothing old is answered.

use ict_index::db::sql;
use serde_json::{Value, json};

use crate::dossiers::{add_service, batch, row};
use crate::submissions::Desk;
use crate::support::{Answer, TestService};

const PROGRESS: &str = "statistics/progress";

/// A target of 2018 for the province, due at the end of the year.
fn target(subject: &str, code: &str, comparator: &str, value: Value) -> Value {
    json!({"subject": subject, "code": code, "scope": "province", "year": 2018, "comparator": comparator, "value": value,
        "due": "2018-12-31", "source": "test"})
}

fn with(mut target: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        target[name] = value.clone();
    }
    target
}

async fn set(service: &TestService, target: Value) {
    let token = service.token("coordinator").await;
    service.put("targets", target).as_(&token).send().await.expect(200);
}

/// The progress asked for, as the monitor sees it.
async fn ask(service: &TestService, query: &str) -> Value {
    let token = service.token("monitor").await;
    service.get(&format!("{PROGRESS}{query}")).as_(&token).send().await.expect(200).json()
}

/// The item of a code, of the province or of an agency.
pub fn item(progress: &Value, code: &str, agency: Option<&str>) -> Value {
    let items = progress["items"].as_array().unwrap();
    let found: Vec<&Value> =
        items.iter().filter(|i| i["code"] == code && i["agency"] == json!(agency)).collect();
    assert_eq!(found.len(), 1, "{code} of {agency:?}");
    found[0].clone()
}

/// Puts figures as accepted, past the road that other tests walk: agency, month, indicator, numerator, denominator, value.
pub type Accepted<'a> = (&'a str, &'a str, &'a str, Option<i64>, Option<i64>, Option<i64>);

pub async fn accept(service: &TestService, figures: &[Accepted<'_>]) {
    for (agency, month, indicator, numerator, denominator, value) in figures {
        let statement = sql(
            "with s as (insert into submissions (id, agency_id, month, state, revision, accepted_revision, submitted_by, submitted_at, \
               created_by, created_at, updated_at) \
             select gen_random_uuid(), id, $2::text::date, 'accepted', 1, null, 'user:a', $2::text::date + interval '1 month 4 days', 'user:a', '2018-01-01', '2018-01-01' \
             from agencies where code = $1 on conflict (agency_id, month) do update set updated_at = excluded.updated_at returning id), \
             r as (insert into submission_revisions (submission_id, revision, submitted_by, submitted_at, outcome, decided_by, decided_at) \
               select id, 1, 'user:a', $2::text::date + interval '1 month 4 days', 'accepted', 'user:b', '2018-01-01' from s on conflict do nothing) \
             insert into submission_revision_values (submission_id, revision, indicator_code, position, numerator, denominator, value) \
             select id, 1, $3, 0, $4::bigint, $5::bigint, $6::bigint from s",
        );
        let bound = statement
            .bind((*agency).to_owned())
            .bind(format!("{month}-01"))
            .bind((*indicator).to_owned())
            .bind(*numerator)
            .bind(*denominator)
            .bind(*value);
        service.sql(bound).await;
    }
    service.sql(sql("update submissions set accepted_revision = revision where state = 'accepted'")).await;
}

#[actix_web::test]
async fn without_data_every_target_of_the_plan_is_not_assessable_and_says_why() {
    let service = TestService::start().await;
    let progress = ask(&service, "").await;
    assert_eq!((&progress["year"], &progress["on"]), (&json!(2018), &json!("2018-03-15")));
    let items = progress["items"].as_array().unwrap();
    let of_province = items.iter().filter(|item| item["scope"] == "province").count();
    assert_eq!(of_province, 10, "as many as data/targets_2018.csv has");
    let agencies = 29;
    assert_eq!(items.len(), 10 + 6 * agencies, "a target for each agency is an item for each");
    for item in items {
        assert_eq!(item["status"], "not_assessable", "{item}");
        assert_eq!(
            (&item["actual"], &item["gap"], &item["required_pace"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        assert!(item["expected_by_now"].is_number());
    }
    let reason = |code: &str| item(&progress, code, None)["reason"].clone();
    assert_eq!(reason("UD.DV.01"), "zero_denominator", "no procedures");
    assert_eq!(reason("dossiers_level_3_resolved"), "no_figure");
    assert_eq!(reason("HT.XH.08"), "no_figure");
    assert_eq!(reason("NL.XH.03:primary"), "breakdown_not_reported");
    assert_eq!(item(&progress, "UD.CQ.04", Some("SO-YT"))["reason"], "unit_differs");
    let counts = &progress["counts"];
    assert_eq!((&counts["not_assessable"], &counts["total"]), (&json!(items.len()), &json!(items.len())));
    // 93 % of adults in 2017, 73 of 364 days later.
    let literate = item(&progress, "NL.XH.01", None);
    assert_eq!(
        (&literate["baseline"], &literate["expected_from"]),
        (&json!({"year": 2017, "value": 93}), &json!("baseline"))
    );
    assert_eq!(literate["expected_by_now"].to_string(), "94.4");
    assert_eq!(progress["reporting_month"], "2018-02");
    assert_eq!(progress["not_reported"].as_array().unwrap().len(), 29);
    assert_eq!(progress["tasks"]["counts"]["total"], 30);
}

#[actix_web::test]
async fn a_year_without_targets_and_a_database_without_anything_are_answered() {
    let service = TestService::start().await;
    let progress = ask(&service, "?year=2030").await;
    assert_eq!((&progress["items"], &progress["counts"]["total"]), (&json!([]), &json!(0)));
    assert_eq!(progress["tasks"]["counts"]["total"], 0);
    service.sql(sql("delete from targets")).await;
    assert_eq!(ask(&service, "").await["year"], 2018, "of the day, when no year has targets");
    // A year to come is looked at from its first day.
    set(
        &service,
        with(target("indicator", "HT.XH.06", "gte", json!(50)), json!({"year": 2019, "due": "2019-12-31"})),
    )
    .await;
    let next = ask(&service, "?year=2019").await;
    let item = item(&next, "HT.XH.06", None);
    assert_eq!((&item["status"], &item["expected_by_now"]), (&json!("not_assessable"), &json!(0)));
}

#[actix_web::test]
async fn the_provinces_figure_is_the_sum_of_its_agencies_latest_months() {
    let service = TestService::start().await;
    let data: [Accepted; 5] = [
        ("UBND-080", "2018-01", "HT.XH.06", Some(10), Some(1000), None),
        ("UBND-080", "2018-02", "HT.XH.06", Some(300), Some(1000), None),
        ("UBND-082", "2018-01", "HT.XH.06", Some(15), Some(100), None),
        ("UBND-083", "2017-12", "HT.XH.06", Some(99), Some(100), None),
        ("SO-TTTT", "2018-02", "HT.CQ.04", None, None, Some(7)),
    ];
    accept(&service, &data).await;
    set(&service, target("indicator", "HT.XH.06", "gte", json!(40))).await;
    set(&service, target("indicator", "HT.CQ.04", "lte", json!(7))).await;
    let progress = ask(&service, "?scope=province").await;
    let households = item(&progress, "HT.XH.06", None);
    assert_eq!(
        (&households["numerator"], &households["denominator"]),
        (&json!(315), &json!(1100)),
        "of the year, the latest each"
    );
    assert_eq!(households["actual"].to_string(), "28.64");
    assert_eq!(
        (&households["period_from"], &households["period_to"]),
        (&json!("2018-01"), &json!("2018-02"))
    );
    assert_eq!(households["actual_source"], "submissions");
    let coverage = &households["coverage"];
    assert_eq!(
        (&coverage["reported"], &coverage["expected"], &coverage["partial"]),
        (&json!(2), &json!(29), &json!(["UBND-082"]))
    );
    assert!(coverage["missing"].as_array().unwrap().contains(&json!("UBND-083")));
    // 73 of 364 days of the way from 0 to 40.
    assert_eq!(
        (&households["expected_by_now"].to_string()[..], &households["status"]),
        ("8.02", &json!("on_track"))
    );
    assert_eq!(households["gap"].to_string(), "11.36");
    // 291 days are 9.567 months.
    assert_eq!(households["required_pace"].to_string(), "1.19");
    let security = item(&progress, "HT.CQ.04", None);
    assert_eq!(
        (&security["actual"], &security["status"], &security["expected_from"]),
        (&json!(7), &json!("achieved"), &json!("limit"))
    );
    accept(&service, &[("SO-NV", "2018-02", "HT.CQ.04", None, None, Some(9))]).await;
    let security = item(&ask(&service, "").await, "HT.CQ.04", None);
    assert_eq!((&security["reason"], &security["actual"]), (&json!("not_a_sum"), &Value::Null));
    // An earlier day knows earlier months alone.
    let january = item(&ask(&service, "?on=2018-01-31").await, "HT.XH.06", None);
    assert_eq!((&january["numerator"], &january["denominator"]), (&json!(25), &json!(1100)));
    assert_eq!(
        item(&ask(&service, "?year=2018&on=2017-12-31").await, "HT.XH.06", None)["reason"],
        "no_figure"
    );
}

#[actix_web::test]
async fn agencies_have_their_own_figures_and_targets() {
    let service = TestService::start().await;
    let data: [Accepted; 4] = [
        ("SO-YT", "2018-01", "HT.CQ.01", Some(90), Some(100), None),
        ("SO-TC", "2018-01", "HT.CQ.01", Some(120), Some(100), None),
        ("SO-YT", "2018-01", "NL.CQ.01", Some(2), Some(100), None),
        ("SO-TC", "2018-01", "NL.CQ.01", Some(0), Some(100), None),
    ];
    accept(&service, &data).await;
    let own = json!({"scope": "agency", "agency": "SO-YT", "unit": "ratio"});
    set(&service, with(target("indicator", "HT.CQ.01", "gte", json!(0.9)), own)).await;
    let progress = ask(&service, "?agency=SO-YT,SO-TC").await;
    assert!(progress["items"].as_array().unwrap().iter().all(|i| i["scope"] == "agency"));
    let yt = item(&progress, "HT.CQ.01", Some("SO-YT"));
    assert_eq!(
        (&yt["value"], &yt["actual"], &yt["status"], &yt["coverage"]),
        (&json!(0.9), &json!(0.9), &json!("achieved"), &Value::Null)
    );
    assert_eq!(yt["agency_name"], "Sở Y tế");
    let tc = item(&progress, "HT.CQ.01", Some("SO-TC"));
    assert_eq!((&tc["value"], &tc["actual"], &tc["gap"]), (&json!(1), &json!(1.2), &json!(-0.2)));
    // One officer in each agency: heads, not percent of the staff.
    let officers = |agency| item(&progress, "NL.CQ.01", Some(agency));
    assert_eq!((&officers("SO-YT")["actual"], &officers("SO-YT")["status"]), (&json!(2), &json!("achieved")));
    assert_eq!(
        (&officers("SO-TC")["actual"], &officers("SO-TC")["status"]),
        (&json!(0), &json!("off_track"))
    );
    let filtered = ask(&service, "?agency=SO-YT,SO-TC&status=achieved").await;
    assert_eq!(filtered["items"].as_array().unwrap().len(), 3);
    assert_eq!(filtered["counts"], progress["counts"], "counts are of all statuses");
}

#[actix_web::test]
async fn an_agency_that_ended_is_counted_until_its_successor_reports() {
    let service = TestService::start().await;
    accept(&service, &[("SO-GTVT", "2018-06", "HT.XH.06", Some(10), Some(100), None)]).await;
    accept(&service, &[("SO-XD", "2018-06", "HT.XH.06", Some(20), Some(100), None)]).await;
    set(&service, target("indicator", "HT.XH.06", "gte", json!(40))).await;
    service.at("2018-08-15T02:00:00Z");
    let before = item(&ask(&service, "").await, "HT.XH.06", None);
    assert_eq!((&before["numerator"], &before["denominator"]), (&json!(30), &json!(200)));
    accept(&service, &[("SO-GTVTXD", "2018-07", "HT.XH.06", Some(50), Some(190), None)]).await;
    let after = item(&ask(&service, "").await, "HT.XH.06", None);
    assert_eq!(
        (&after["numerator"], &after["denominator"]),
        (&json!(50), &json!(190)),
        "nobody is counted twice"
    );
    let june = item(&ask(&service, "?on=2018-06-30").await, "HT.XH.06", None);
    assert_eq!((&june["numerator"], &june["denominator"]), (&json!(30), &json!(200)));
}

/// Two procedures and some dossiers of 2018.
async fn with_dossiers() -> TestService {
    let service = TestService::start().await;
    add_service(&service, "L3", "Đất đai", &[(3, "2017-06-01")], &["SO-YT", "SO-TC"]).await;
    add_service(&service, "L4", "Y tế", &[(3, "2017-06-01"), (4, "2018-03-01")], &["SO-YT"]).await;
    let token = service.token("coordinator").await;
    for (month, online) in [("2018-01", 40), ("2018-03", 15)] {
        let rows = [
            row("SO-YT", "L3", "online", online, 0),
            row("SO-TC", "L3", "in_person", 45 - online + 15, 0),
            row("SO-YT", "L4", "online", 3, 1),
        ];
        service
            .put(&format!("dossier-batches/vnpt/{month}"), batch(&rows))
            .as_(&token)
            .send()
            .await
            .expect(200);
    }
    service
}

#[actix_web::test]
async fn rates_of_services_and_dossiers_are_those_of_the_other_statistics() {
    let service = with_dossiers().await;
    for (code, scope) in [
        ("on_time", "province"),
        ("dossiers_level_3_resolved", "agency"),
        ("services_level_4", "agency"),
        ("services_active_level_3", "province"),
        ("dossiers_level_3_4_received", "province"),
        ("UD.DV.04", "agency"),
    ] {
        let subject = if code.starts_with("UD") { "indicator" } else { "metric" };
        set(&service, with(target(subject, code, "gte", json!(60)), json!({"scope": scope}))).await;
    }
    let progress = ask(&service, "").await;
    let token = service.token("monitor").await;
    let mut compared = 0;
    for group in ["", "&group_by=agency"] {
        let metrics =
            "on_time,dossiers_level_3_resolved,dossiers_level_4_resolved,dossiers_level_3_4_received";
        let rates = service
            .get(&format!("statistics/dossier-rates?period=2018&metric={metrics}{group}"))
            .as_(&token)
            .send()
            .await;
        let levels =
            service.get(&format!("statistics/service-levels?period=2018{group}")).as_(&token).send().await;
        let mut all = rates.expect(200).json()["items"].as_array().unwrap().clone();
        for level in levels.expect(200).json()["items"].as_array().unwrap() {
            all.extend(level["rates"].as_array().unwrap().clone());
        }
        let aimed = |rate: &&Value| !rate["target"].is_null();
        for rate in all.iter().filter(aimed) {
            let agency = rate["group"]["type"] == "agency";
            let agency = agency.then(|| rate["group"]["code"].as_str().unwrap());
            let mine = |i: &&Value| i["code"] == rate["metric"] && i["agency"] == json!(agency);
            let Some(item) = progress["items"].as_array().unwrap().iter().find(mine) else { continue };
            for (here, there) in [
                ("numerator", "numerator"),
                ("denominator", "denominator"),
                ("actual", "rate"),
                ("gap", "gap"),
                ("dossiers_needed", "dossiers_needed"),
            ] {
                assert_eq!(item[here], rate[there], "{here} of {} {agency:?}", rate["metric"]);
            }
            compared += 1;
        }
    }
    assert!(compared >= 10, "{compared}");
    let first = item(&progress, "UD.DV.01", None);
    assert_eq!(
        (&first["numerator"], &first["denominator"], &first["status"]),
        (&json!(2), &json!(2), &json!("achieved"))
    );
    assert_eq!(item(&progress, "UD.DV.04", Some("SO-YT"))["actual"], 50);
    let needed = item(&progress, "dossiers_level_3_resolved", None);
    assert_eq!(
        (&needed["numerator"], &needed["denominator"], &needed["dossiers_needed"]),
        (&json!(55), &json!(120), &json!(43))
    );
    assert_eq!(needed["coverage"]["reported"], 2);
}

#[actix_web::test]
async fn an_earlier_day_has_the_months_and_levels_of_then() {
    let service = with_dossiers().await;
    service.at("2018-06-15T02:00:00Z");
    let level_3 = |progress: &Value| {
        let rate = item(progress, "dossiers_level_3_resolved", None);
        (
            rate["numerator"].as_i64().unwrap(),
            rate["denominator"].as_i64().unwrap(),
            rate["period_to"].clone(),
        )
    };
    assert_eq!(level_3(&ask(&service, "").await), (55, 120, json!("2018-06")));
    // L4 was of level 3 until March, with 2 of its 3 dossiers resolved.
    assert_eq!(level_3(&ask(&service, "?on=2018-02-10").await), (42, 62, json!("2018-02")));
    let services = item(&ask(&service, "?on=2018-02-10").await, "services_level_3_4", None);
    assert_eq!((&services["numerator"], &services["period_to"]), (&json!(2), &json!("2018-02")));
}

#[actix_web::test]
async fn a_level_that_is_yet_to_begin_moves_no_figure_of_today() {
    let service = with_dossiers().await;
    let level_3 = async || {
        let rate = item(&ask(&service, "").await, "dossiers_level_3_resolved", None);
        (
            rate["numerator"].as_i64().unwrap(),
            rate["denominator"].as_i64().unwrap(),
            rate["period_to"].clone(),
        )
    };
    let before = level_3().await;
    assert_eq!(before, (55, 120, json!("2018-03")));
    let token = service.token("coordinator").await;
    let later = json!({"level": 4, "effective_from": "2018-09-01", "decision": "QĐ 2"});
    service.post("services/L3/levels", later).as_(&token).send().await.expect(201);
    assert_eq!(level_3().await, before);
    service.at("2018-09-15T02:00:00Z");
    assert_eq!(level_3().await.1, 0, "from its month on it counts");
}

#[actix_web::test]
async fn due_days_pass_at_midnight_in_vietnam() {
    let service = TestService::start().await;
    accept(&service, &[("SO-CT", "2018-02", "HT.XH.08", Some(99), Some(100), None)]).await;
    let state = async |instant: &str| {
        service.at(instant);
        let progress = ask(&service, "").await;
        let item = item(&progress, "HT.XH.08", None);
        let overdue: Vec<Value> =
            progress["tasks"]["overdue"].as_array().unwrap().iter().map(|t| t["code"].clone()).collect();
        (
            item["status"].clone(),
            item["reason"].clone(),
            overdue.contains(&json!("T04")),
            item["required_pace"].is_null(),
        )
    };
    assert_eq!(state("2018-03-31T16:59:59Z").await, (json!("at_risk"), json!("behind"), false, true));
    assert_eq!(state("2018-03-31T17:00:00Z").await, (json!("off_track"), json!("due_passed"), true, true));
    let progress = ask(&service, "").await;
    let task =
        progress["tasks"]["overdue"].as_array().unwrap().iter().find(|t| t["code"] == "T04").unwrap().clone();
    assert_eq!(
        task,
        json!({"code": "T04", "title": "Duy trì tỷ lệ doanh nghiệp có kết nối Internet băng rộng đạt 100%", "leads": ["SO-CT"],
            "overdue_leads": ["SO-CT"], "deadline": "2018-03-31", "days_overdue": 1, "percent": 0})
    );
    let listed = service
        .get("tasks?overdue=true&count=exact&limit=1")
        .as_(&service.token("monitor").await)
        .send()
        .await;
    assert_eq!(progress["tasks"]["counts"]["overdue"], listed.expect(200).json()["page"]["total"]);
}

/// Of a sum over two agencies each knows the other's share.
#[actix_web::test]
async fn a_figure_of_the_province_is_disclosed_to_an_officer_when_five_others_stand_behind_it() {
    const OTHERS: [&str; 5] = ["SO-TC", "SO-CT", "SO-TP", "SO-XD", "SO-GDDT"];
    let service = TestService::start().await;
    accept(&service, &[("SO-YT", "2018-01", "HT.XH.08", Some(1), Some(2), None)]).await;
    service.at("2018-04-02T02:00:00Z");
    let token = service.token("officer.so-yt").await;
    let read = async || service.get(PROGRESS).as_(&token).send().await.expect(200).json();
    for (at, other) in OTHERS.into_iter().enumerate() {
        accept(&service, &[(other, "2018-01", "HT.XH.08", Some(1), Some(4), None)]).await;
        let internet = item(&read().await, "HT.XH.08", None);
        let is_disclosed = at + 1 == OTHERS.len();
        for member in ["actual", "numerator", "denominator"] {
            assert_eq!(
                !internet[member].is_null(),
                is_disclosed,
                "{member} with {} others: {internet}",
                at + 1
            );
        }
        assert_eq!(internet["reason"] == "withheld", !is_disclosed);
        assert_eq!(internet["status"] == "not_assessable", !is_disclosed);
        assert!(!item(&ask(&service, "").await, "HT.XH.08", None)["actual"].is_null());
    }
}

#[actix_web::test]
async fn an_officer_sees_the_province_and_their_own_agency() {
    let service = TestService::start().await;
    accept(&service, &[("SO-TC", "2018-02", "HT.CQ.01", Some(1), Some(2), None)]).await;
    accept(&service, &[("SO-YT", "2018-01", "HT.XH.08", Some(1), Some(2), None)]).await;
    service.at("2018-04-02T02:00:00Z");
    let token = service.token("officer.so-yt").await;
    let get = async |query: &str| {
        service.get(&format!("{PROGRESS}{query}")).as_(&token).send().await.expect(200).json()
    };
    let seen = get("").await;
    let agencies: std::collections::BTreeSet<String> = seen["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|i| i["agency"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(agencies, ["SO-YT".to_owned()].into());
    let internet = item(&seen, "HT.XH.08", None);
    assert_eq!((&internet["actual"], &internet["coverage"]["expected"]), (&json!(50), &json!(29)));
    assert_eq!(
        (&internet["coverage"]["missing"], &internet["coverage"]["partial"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(get("?agency=SO-TC").await["items"], json!([]));
    assert!(!get("?agency=SO-TC").await.to_string().contains("SO-TC"));
    assert_eq!(seen["not_reported"], json!([{"agency": "SO-YT", "name": "Sở Y tế", "state": null}]));
    let all = ask(&service, "").await;
    let overdue = |progress: &Value| -> Vec<(Value, Vec<Value>)> {
        let tasks = progress["tasks"]["overdue"].as_array().unwrap().iter();
        tasks.map(|t| (t["code"].clone(), t["overdue_leads"].as_array().unwrap().clone())).collect()
    };
    assert_eq!(seen["tasks"]["counts"], all["tasks"]["counts"], "how a task stands is no secret");
    assert!(overdue(&seen).iter().all(|(_, leads)| leads.iter().all(|lead| lead == "SO-YT")));
    assert!(overdue(&all).iter().any(|(_, leads)| leads.len() > 20), "a task of every agency");
    // A machine that reads statistics sees every agency, as it does in /indicator-values.
    let portal = service.client_token("portal").await;
    let portal = service.get(PROGRESS).as_(&portal).send().await.expect(200).json();
    assert_eq!(portal["items"].as_array().unwrap().len(), all["items"].as_array().unwrap().len());
}

#[actix_web::test]
async fn wrong_questions_are_told() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    for (query, code, pointer) in [
        ("?year=18", "INVALID_PARAMETER", "?year"),
        ("?year=abc", "INVALID_PARAMETER", "?year"),
        ("?scope=district", "INVALID_PARAMETER", "?scope"),
        ("?status=done", "INVALID_PARAMETER", "?status"),
        ("?on=2018-13-01", "INVALID_PARAMETER", "?on"),
        ("?on=2018-03-16", "INVALID_PARAMETER", "?on"),
        ("?on=0001-01-01", "INVALID_PARAMETER", "?on"),
        ("?agency=XX", "INVALID_PARAMETER", "?agency"),
        ("?agency=", "INVALID_PARAMETER", "?agency"),
        ("?format=xlsx", "INVALID_PARAMETER", "?format"),
        ("?period=2018", "UNKNOWN_PARAMETER", "?period"),
    ] {
        let problem =
            service.get(&format!("{PROGRESS}{query}")).as_(&token).send().await.expect_problem(400, code);
        assert_eq!(problem.json()["errors"][0]["pointer"], pointer, "{query}");
    }
    let html = service.get(PROGRESS).as_(&token).header("Accept", "text/html").send().await;
    html.expect_problem(406, "NOT_ACCEPTABLE");
}

#[actix_web::test]
async fn it_is_a_table_too_and_unchanged_it_is_not_sent_again() {
    let service = with_dossiers().await;
    let token = service.token("monitor").await;
    let csv =
        service.get(&format!("{PROGRESS}?scope=province&format=csv")).as_(&token).send().await.expect(200);
    assert!(csv.header("content-type").starts_with("text/csv"));
    let text = csv.text();
    assert!(text.starts_with("\u{feff}year,on,subject,code,"), "{text}");
    assert_eq!(text.lines().count(), 11);
    assert!(text.contains("2018,2018-03-15,metric,dossiers_level_3_resolved,"), "{text}");
    for path in [PROGRESS, "statistics/progress?format=csv"] {
        let answer = service.get(path).as_(&token).send().await.expect(200);
        let held =
            service.get(path).as_(&token).header("If-None-Match", &answer.etag()).send().await.expect(304);
        assert!(held.body.is_empty());
        let zipped = service.get(path).as_(&token).header("Accept-Encoding", "gzip").send().await.expect(200);
        assert_eq!(zipped.header("content-encoding"), "gzip");
        service.get(path).as_(&token).header("If-None-Match", &zipped.etag()).send().await.expect(304);
    }
}

#[actix_web::test]
async fn nothing_of_it_is_answered_from_memory() {
    let service = with_dossiers().await.listening().await;
    let token = service.token("coordinator").await;
    let get = async || -> Answer { service.get(PROGRESS).as_(&token).send().await.expect(200) };
    let mut seen = vec![get().await.body];
    let mut next = async |what: &str| {
        let body = get().await.body;
        assert!(!seen.contains(&body), "{what} is not in the answer");
        seen.push(body);
    };
    set(&service, target("metric", "on_time", "gte", json!(95))).await;
    next("the target").await;
    let rows = [row("SO-YT", "L3", "online", 77, 0)];
    service.put("dossier-batches/vnpt/2018-02", batch(&rows)).as_(&token).send().await.expect(200);
    next("the dossiers").await;
    let level = json!({"level": 4, "effective_from": "2018-03-02", "decision": "QĐ 9"});
    service.post("services/L3/levels", level).as_(&token).send().await.expect(201);
    next("the level").await;
    let submission = json!({"agency": "SO-KHCN", "period": "2018-02"});
    service.post("submissions", submission).as_(&token).send().await.expect(201);
    next("the draft").await;
    accept(&service, &[("SO-YT", "2018-02", "HT.CQ.01", Some(1), Some(2), None)]).await;
    next("the accepted figure").await;
    let report = json!({"agency": "SO-CT", "percent": 40, "narrative": "đang làm", "evidence": []});
    service.post("tasks/T04/updates", report).as_(&token).send().await.expect(201);
    next("the report on a task").await;
    let (statements, _) = service.further_statements_of(service.get(PROGRESS).as_(&token).send()).await;
    assert_ne!(statements, 0);
    service.at("2018-03-15T17:00:01Z");
    let token = service.token("coordinator").await;
    let tomorrow = service.get(PROGRESS).as_(&token).send().await.expect(200);
    assert!(!seen.contains(&tomorrow.body), "the next day expects more");
}

#[actix_web::test]
async fn four_statements_whatever_the_size() {
    let service = with_dossiers().await;
    set(&service, with(target("metric", "services_level_3_4", "gte", json!(60)), json!({"scope": "agency"})))
        .await;
    for username in ["monitor", "officer.so-yt"] {
        let token = service.token(username).await;
        service.settled().await;
        service.get(PROGRESS).as_(&token).send().await.expect(200);
        for path in [PROGRESS, "statistics/progress?on=2018-01-31"] {
            let (statements, answer) =
                service.further_statements_of(service.get(path).as_(&token).send()).await;
            answer.expect(200);
            assert!(statements <= 5, "{statements} for {path}: one of them finds out who asks");
        }
    }
}

#[actix_web::test]
async fn what_was_accepted_by_the_usual_road_is_compared() {
    let desk = Desk::open().await;
    desk.accepted("2018-02", json!([{"indicator": "HT.CQ.01", "numerator": 40, "denominator": 50}])).await;
    let item = item(&ask(&desk.service, "?scope=agency&agency=SO-YT").await, "HT.CQ.01", Some("SO-YT"));
    assert_eq!((&item["actual"], &item["period_to"]), (&json!(0.8), &json!("2018-02")));
    let not_reported = ask(&desk.service, "").await["not_reported"].to_string();
    assert!(!not_reported.contains("\"SO-YT\"") && not_reported.contains("\"SO-NV\""));
}
