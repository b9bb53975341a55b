//! Plans and tasks: the annex as loaded, expansion across a merger, progress, deadlines, decisions, who sees what.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use ict_index::db::{Conn, sql};
use ict_index::http::Problem;
use ict_index::seed;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, TestService};

const TASKS: &str = include_str!("../../data/tasks.csv");
const AGENCIES: &str = include_str!("../../data/agencies.csv");
const GROUPS: &str = include_str!("../../data/agency_groups.csv");

type Line = BTreeMap<String, String>;

fn lines(table: &str) -> Vec<Line> {
    csv::Reader::from_reader(table.as_bytes()).deserialize().map(Result::unwrap).collect()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn last_day_of_quarter(quarter: &str) -> NaiveDate {
    day(match quarter {
        "1" => "2018-03-31",
        "2" => "2018-06-30",
        "3" => "2018-09-30",
        _ => "2018-12-31",
    })
}

fn first_day_of_quarter(quarter: &str) -> NaiveDate {
    day(match quarter {
        "1" => "2018-01-01",
        "2" => "2018-04-01",
        "3" => "2018-07-01",
        _ => "2018-10-01",
    })
}

/// Agencies that a column of a task means, read off the tables alone.
fn meant(task: &Line, column: &str) -> BTreeSet<String> {
    let (first, last) =
        (first_day_of_quarter(&task["from_quarter"]), last_day_of_quarter(&task["to_quarter"]));
    let (agencies, groups) = (lines(AGENCIES), lines(GROUPS));
    let exists = |a: &Line| {
        (a["valid_from"].is_empty() || day(&a["valid_from"]) <= last)
            && (a["valid_to"].is_empty() || day(&a["valid_to"]) > first)
    };
    let mut found = BTreeSet::new();
    for part in task[column].split('|').filter(|part| !part.is_empty()) {
        let (rule, members) = match part.strip_prefix("group:") {
            None => ("list", part.to_owned()),
            Some(code) => {
                let group = groups.iter().find(|g| g["code"] == code).unwrap();
                let (rule, members) = group["members"].split_once('=').unwrap();
                (if rule == "kind" { "kind" } else { "list" }, members.to_owned())
            }
        };
        let wanted: Vec<&str> = members.split('|').collect();
        let member = |a: &&Line| wanted.contains(&a[if rule == "kind" { "kind" } else { "code" }].as_str());
        for agency in agencies.iter().filter(member).filter(|a| exists(a)) {
            found.insert(agency["code"].clone());
            if !agency["successor"].is_empty() && day(&agency["valid_to"]) <= last {
                found.insert(agency["successor"].clone());
            }
        }
    }
    found
}

fn expected(columns: &[&str], agency: &str) -> Vec<Value> {
    let takes = |task: &&Line| columns.iter().any(|column| meant(task, column).contains(agency));
    lines(TASKS).iter().filter(takes).map(|task| json!(task["code"])).collect()
}

impl TestService {
    async fn task(&self, token: &str, code: &str) -> Value {
        self.get(&format!("tasks/{code}")).as_(token).send().await.expect(200).json()
    }

    async fn report(&self, token: &str, code: &str, body: Value) -> Answer {
        self.post(&format!("tasks/{code}/updates"), body).as_(token).send().await
    }

    async fn decide(&self, token: &str, code: &str, body: Value) -> Answer {
        self.post(&format!("tasks/{code}/transitions"), body).as_(token).send().await
    }

    async fn codes(&self, token: &str, query: &str) -> Vec<Value> {
        self.get(&format!("tasks?limit=200&{query}")).as_(token).send().await.expect(200).column("code")
    }
}

/// One lead's progress.
fn of(task: &Value, agency: &str) -> Value {
    let all = task["progress"].as_array().unwrap();
    all.iter().find(|p| p["agency"] == agency).unwrap_or_else(|| panic!("no {agency} in {task}")).clone()
}

fn agencies(task: &Value) -> BTreeSet<String> {
    task["progress"].as_array().unwrap().iter().map(|p| p["agency"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn the_annex_has_thirty_tasks() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let plan = service.get("plans/KH-332-2017").as_(&token).send().await.expect(200).json();
    assert_eq!(plan["number"], "332/KH-UBND");
    assert_eq!(plan["issuer"], "UBND-TINH");
    assert_eq!((&plan["year"], &plan["issued_on"]), (&json!(2018), &json!("2017-12-21")));
    assert_eq!(plan["framework"], "ICT-INDEX-2016");

    let tasks = service
        .get("tasks?plan=KH-332-2017&limit=200&count=exact")
        .as_(&token)
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(tasks["page"]["total"], 30);
    for (task, line) in tasks["items"].as_array().unwrap().iter().zip(lines(TASKS)) {
        assert_eq!(task["code"], line["code"]);
        assert_eq!(task["title"], line["title_vi"]);
        assert_eq!(task["section"], line["section"]);
        assert_eq!(task["from_quarter"], format!("2018-Q{}", line["from_quarter"]));
        assert_eq!(task["to_quarter"], format!("2018-Q{}", line["to_quarter"]));
        for (member, column) in [("leads", "leads"), ("coordinators", "coordinators")] {
            let named: Vec<String> = task[member]
                .as_array()
                .unwrap()
                .iter()
                .map(|p| match p["type"].as_str().unwrap() {
                    "group" => format!("group:{}", p["code"].as_str().unwrap()),
                    _ => p["code"].as_str().unwrap().to_owned(),
                })
                .collect();
            assert_eq!(named.join("|"), line[column], "{column} of {}", line["code"]);
        }
        assert_eq!(agencies(task), meant(&line, "leads"), "leads of {}", line["code"]);
    }
    let t24 = service.task(&token, "T24").await;
    assert_eq!((&t24["due_date"], &t24["deadline"]), (&json!("2018-03-30"), &json!("2018-03-30")));
    assert_eq!((&t24["starts_on"], &t24["to_quarter"]), (&json!("2018-01-01"), &json!("2018-Q4")));
    assert_eq!(service.task(&token, "T05").await["deadline"], "2018-06-30");
}

#[actix_web::test]
async fn filters_by_agency_see_through_groups_and_mergers() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    assert!(expected(&["leads"], "SO-TTTT").len() > 5, "the tables were read");
    for agency in ["SO-TTTT", "SO-YT", "SO-GTVT", "SO-GTVTXD", "VNPT-LC", "UBND-080", "CA-TINH", "BAO-LC"] {
        for (filter, columns) in [
            ("lead", vec!["leads"]),
            ("coordinator", vec!["coordinators"]),
            ("agency", vec!["leads", "coordinators"]),
        ] {
            let found = service.codes(&token, &format!("{filter}={agency}")).await;
            assert_eq!(found, expected(&columns, agency), "{filter}={agency}");
        }
    }
    let by_group: Vec<Value> = lines(TASKS)
        .iter()
        .filter(|t| t["leads"].split('|').any(|p| p == "group:SO-CSDL" || p == "group:CQNN"))
        .map(|t| json!(t["code"]))
        .collect();
    assert_eq!(service.codes(&token, "lead=SO-CSDL,CQNN").await, by_group);
    assert_eq!(service.codes(&token, "lead=SO-CSDL").await, ["T16"].map(Value::from));
    assert_eq!(service.codes(&token, "lead=KHONG-CO").await, [] as [Value; 0]);
}

#[actix_web::test]
async fn quarters_words_and_order() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let in_first = lines(TASKS).iter().filter(|t| t["from_quarter"] == "1").count();
    assert_eq!(service.codes(&token, "quarter=2018-Q1").await.len(), in_first);
    assert!(!service.codes(&token, "quarter=2018-Q3").await.contains(&json!("T05")));
    assert!(service.codes(&token, "quarter=2018-Q2").await.contains(&json!("T05")));
    assert_eq!(service.codes(&token, "quarter=2018-Q1,2018-Q4").await.len(), 28, "all but T11 and T12");
    assert_eq!(service.codes(&token, "quarter=2019-Q1").await.len(), 0);
    assert_eq!(service.codes(&token, "q=zalo").await, ["T26"].map(Value::from));
    assert_eq!(service.codes(&token, "q=dai+phat+thanh").await, ["T30"].map(Value::from));
    assert_eq!(service.codes(&token, "plan=KH-0").await.len(), 0);

    for sort in ["code", "-code", "deadline", "-deadline,code"] {
        let mut seen = Vec::new();
        let mut path = format!("tasks?limit=7&sort={sort}");
        loop {
            let page = service.get(&path).as_(&token).send().await.expect(200);
            seen.extend(page.column("code"));
            match page.json()["page"]["next_cursor"].as_str() {
                Some(cursor) => path = format!("tasks?limit=7&sort={sort}&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(seen, service.codes(&token, &format!("sort={sort}")).await, "sort={sort}");
        assert_eq!(seen.len(), 30);
    }
    assert_eq!(service.codes(&token, "sort=deadline").await[0], "T24");

    for bad in ["quarter=2018", "quarter=Q1", "quarter=2018-03"] {
        let path = format!("tasks?{bad}");
        service.get(&path).as_(&token).send().await.expect_problem(400, "MALFORMED_PERIOD");
    }
    for bad in ["status=late", "overdue=ja", "sort=title"] {
        let path = format!("tasks?{bad}");
        service.get(&path).as_(&token).send().await.expect_problem(400, "INVALID_PARAMETER");
    }
    service.get("tasks?agencies=X").as_(&token).send().await.expect_problem(400, "UNKNOWN_PARAMETER");
    service.get("tasks/T99").as_(&token).send().await.expect_problem(404, "NOT_FOUND");
}

#[actix_web::test]
async fn overdue_begins_at_midnight_in_vietnam() {
    let service = TestService::start().await;
    service.at("2018-03-30T16:59:59Z");
    let token = service.token("monitor").await;
    let overdue = async || service.codes(&token, "overdue=true").await;
    assert_eq!(overdue().await, [] as [Value; 0]);
    service.at("2018-03-30T17:00:00Z");
    assert_eq!(overdue().await, ["T24"].map(Value::from), "due on 30 March");
    service.at("2018-03-31T16:59:59Z");
    let token = service.token("monitor").await;
    assert_eq!(service.codes(&token, "overdue=true").await, ["T24"].map(Value::from));
    let before = service.get("tasks/T04").as_(&token).send().await.expect(200);
    assert_eq!(before.json()["status"], "not_started");

    service.at("2018-03-31T17:00:00Z");
    let late = ["T04", "T08", "T09", "T19", "T20", "T22", "T24"].map(Value::from);
    assert_eq!(service.codes(&token, "overdue=true").await, late);
    assert_eq!(service.codes(&token, "status=overdue").await, late);
    assert_eq!(service.codes(&token, "overdue=false").await.len(), 23);
    assert_eq!(service.codes(&token, "status=overdue,not_started").await.len(), 30);
    let after =
        service.get("tasks/T04").as_(&token).header("If-None-Match", &before.etag()).send().await.expect(200);
    assert_eq!((&after.json()["status"], &after.json()["days_late"]), (&json!("overdue"), &json!(1)));
    assert_eq!(after.json()["version"], before.json()["version"]);
    let again = service.get("tasks/T04").as_(&token).header("If-None-Match", &after.etag()).send().await;
    assert!(again.expect(304).body.is_empty());
}

#[actix_web::test]
async fn leads_follow_the_merger_of_15_july() {
    let service = TestService::start().await;
    service.at("2018-07-14T16:59:59Z");
    let token = service.token("coordinator").await;
    let t16 = service.task(&token, "T16").await;
    assert_eq!(agencies(&t16).len(), 12);
    for (agency, counts) in [("SO-GTVT", true), ("SO-XD", true), ("SO-GTVTXD", false), ("SO-YT", true)] {
        let progress = of(&t16, agency);
        assert_eq!(progress["counts"], counts, "{progress}");
        assert_eq!(progress["superseded_by"], json!([]));
    }
    let early = json!({"agency": "SO-GTVTXD", "percent": 10});
    service.report(&token, "T16", early.clone()).await.expect_problem(422, "AGENCY_NOT_ACTIVE");
    let done = json!({"agency": "SO-XD", "percent": 100});
    service.report(&token, "T16", done).await.expect(201);
    service.decide(&token, "T16", json!({"action": "confirm", "agency": "SO-XD"})).await.expect(201);
    service.report(&token, "T16", json!({"agency": "SO-GTVT", "percent": 90})).await.expect(201);
    let t16 = service.task(&token, "T16").await;
    assert_eq!(t16["percent"].to_string(), "17.27", "190 / 11 leads");

    service.at("2018-07-14T17:00:00Z");
    let t16 = service.task(&token, "T16").await;
    let old = of(&t16, "SO-GTVT");
    assert_eq!((&old["superseded_by"], &old["counts"]), (&json!(["SO-GTVTXD"]), &json!(false)));
    assert_eq!((&old["percent"], &old["status"]), (&json!(90), &json!("in_progress")), "history stays");
    assert_eq!(of(&t16, "SO-XD")["counts"], true, "what was done still counts");
    assert_eq!(of(&t16, "SO-GTVTXD")["counts"], true);
    assert_eq!(t16["percent"].to_string(), "9.09", "100 / 11 leads");
    service.report(&token, "T16", early).await.expect(201);

    let t05 = service.task(&token, "T05").await;
    assert!(agencies(&t05).contains("SO-GTVT") && !agencies(&t05).contains("SO-GTVTXD"));
    assert_eq!(of(&t05, "SO-GTVT")["superseded_by"], json!([]), "the task was over before the merger");
    assert_eq!(of(&t05, "SO-GTVT")["status"], "overdue");
    // With a deadline behind the merger it is the successor's task too.
    let extend = json!({"action": "extend", "due_date": "2018-09-30", "reason": "Gia hạn"});
    let t05 = service.decide(&token, "T05", extend).await.expect(201).json();
    assert!(agencies(&t05).contains("SO-GTVTXD"));
    assert_eq!(of(&t05, "SO-GTVT")["superseded_by"], json!(["SO-GTVTXD"]));
}

#[actix_web::test]
async fn done_is_what_the_coordinator_confirms() {
    let service = TestService::start().await;
    let officer = service.token("officer.so-ct").await;
    let coordinator = service.token("coordinator").await;
    assert_eq!(service.task(&officer, "T04").await["allowed_actions"], json!(["update"]));
    let early = json!({"action": "confirm", "agency": "SO-CT"});
    service.decide(&coordinator, "T04", early.clone()).await.expect_problem(409, "TRANSITION_NOT_ALLOWED");
    let first = json!({"agency": "SO-CT", "percent": 40, "narrative": "Đang làm", "evidence": ["https://laocai.gov.vn/1"]});
    let update = service.report(&officer, "T04", first).await.expect(201).json();
    assert_eq!((&update["percent"], &update["completed_on"]), (&json!(40), &Value::Null));
    assert_eq!((&update["task"], &update["actor"]), (&json!("T04"), &json!("user:officer.so-ct")));
    assert_eq!(service.task(&officer, "T04").await["status"], "in_progress");

    let complete = service.report(&officer, "T04", json!({"agency": "SO-CT", "percent": 100})).await;
    assert_eq!(complete.expect(201).json()["completed_on"], "2018-03-15", "today");
    service.at("2018-04-10T02:00:00Z");
    let (officer, coordinator) = (service.token("officer.so-ct").await, service.token("coordinator").await);
    let waiting = service.task(&coordinator, "T04").await;
    assert_eq!((&waiting["status"], &waiting["days_late"]), (&json!("in_progress"), &json!(0)));
    assert_eq!(of(&waiting, "SO-CT")["awaiting_confirmation"], true);
    assert_eq!(waiting["allowed_actions"], json!(["update", "confirm", "cancel", "extend"]));

    let confirmed =
        service.decide(&coordinator, "T04", json!({"action": "confirm"})).await.expect(201).json();
    assert_eq!((&confirmed["status"], &confirmed["percent"]), (&json!("done_on_time"), &json!(100)));
    assert!(confirmed["transition"].is_string());
    assert_eq!(confirmed["allowed_actions"], json!(["reopen"]));
    assert_eq!(of(&confirmed, "SO-CT")["awaiting_confirmation"], false);
    let more = json!({"agency": "SO-CT", "percent": 90});
    service.report(&officer, "T04", more.clone()).await.expect_problem(409, "TRANSITION_NOT_ALLOWED");
    service.decide(&coordinator, "T04", early).await.expect_problem(409, "TRANSITION_NOT_ALLOWED");
    service
        .decide(&coordinator, "T04", json!({"action": "reopen", "agency": "SO-CT"}))
        .await
        .expect_problem(422, "REASON_REQUIRED");
    service
        .decide(&coordinator, "T04", json!({"action": "reopen", "agency": "SO-CT", "reason": "Kiểm tra lại"}))
        .await
        .expect(201);
    service.report(&officer, "T04", more).await.expect(201);
    assert_eq!(service.task(&coordinator, "T04").await["status"], "overdue", "90 % after the deadline");

    let late = json!({"agency": "SO-CT", "percent": 100, "completed_on": "2018-04-05"});
    service.report(&officer, "T04", late).await.expect(201);
    let waiting = service.task(&coordinator, "T04").await;
    assert_eq!((&waiting["status"], &waiting["days_late"]), (&json!("overdue"), &json!(10)));
    let done = service.decide(&coordinator, "T04", json!({"action": "confirm"})).await.expect(201).json();
    assert_eq!((&done["status"], &done["days_late"]), (&json!("done_late"), &json!(5)));
    assert_eq!(service.codes(&officer, "status=done_late").await, ["T04"].map(Value::from));

    let history = service.get("tasks/T04/updates").as_(&officer).send().await.expect(200);
    assert_eq!(history.column("percent"), [100, 90, 100, 40].map(Value::from), "newest first");
    let decisions = service.get("tasks/T04/transitions?sort=at").as_(&officer).send().await.expect(200);
    assert_eq!(decisions.column("action"), ["confirm", "reopen", "confirm"].map(Value::from));
    let audit = service.get("audit-events?entity=task&key=T04&sort=at").as_(&coordinator).send().await;
    let audit = audit.expect(200);
    let actions = ["create", "report", "report", "confirm", "reopen", "report", "report", "confirm"];
    assert_eq!(audit.column("action"), actions.map(Value::from));
    assert_eq!(audit.json()["items"][1]["before"]["percent"], 0);
    assert_eq!(audit.json()["items"][1]["after"]["percent"], 40);
}

#[actix_web::test]
async fn confirming_all_takes_the_leads_that_reported_complete() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    service
        .decide(&token, "T29", json!({"action": "confirm"}))
        .await
        .expect_problem(409, "TRANSITION_NOT_ALLOWED");
    service.report(&token, "T29", json!({"agency": "SO-TC", "percent": 100})).await.expect(201);
    service.report(&token, "T29", json!({"agency": "SO-KHDT", "percent": 33})).await.expect(201);
    let task = service.decide(&token, "T29", json!({"action": "confirm"})).await.expect(201).json();
    assert_eq!(of(&task, "SO-TC")["status"], "done_on_time");
    assert_eq!(of(&task, "SO-KHDT")["status"], "in_progress");
    assert_eq!((&task["status"], &task["percent"].to_string()), (&json!("in_progress"), &"66.5".to_owned()));

    let cancel = json!({"action": "cancel", "agency": "SO-KHDT", "reason": "Không còn cần"});
    let task = service.decide(&token, "T29", cancel).await.expect(201).json();
    assert_eq!(of(&task, "SO-KHDT")["status"], "cancelled");
    assert_eq!(task["status"], "done_on_time", "what is cancelled is not waited for");
    let report = json!({"agency": "SO-KHDT", "percent": 50});
    service.report(&token, "T29", report).await.expect_problem(409, "TRANSITION_NOT_ALLOWED");

    let whole = json!({"action": "cancel", "reason": "Bỏ nhiệm vụ"});
    service
        .decide(&token, "T30", json!({"action": "cancel", "reason": "  "}))
        .await
        .expect_problem(422, "REASON_REQUIRED");
    let task = service.decide(&token, "T30", whole.clone()).await.expect(201).json();
    assert_eq!((&task["status"], &task["allowed_actions"]), (&json!("cancelled"), &json!(["reopen"])));
    service.decide(&token, "T30", whole).await.expect_problem(409, "TRANSITION_NOT_ALLOWED");
    let one = json!({"action": "reopen", "agency": "DAI-PTTH", "reason": "Làm lại"});
    service.decide(&token, "T30", one).await.expect_problem(409, "TRANSITION_NOT_ALLOWED");
    let again = json!({"action": "reopen", "reason": "Làm lại"});
    let task = service.decide(&token, "T30", again.clone()).await.expect(201).json();
    assert_eq!(task["status"], "not_started");
    service.decide(&token, "T30", again).await.expect_problem(409, "TRANSITION_NOT_ALLOWED");
    let other = json!({"action": "confirm", "agency": "SO-YT"});
    service.decide(&token, "T30", other).await.expect_problem(422, "NOT_A_LEAD");
}

#[actix_web::test]
async fn an_extension_does_not_hide_that_a_lead_was_overdue() {
    let service = TestService::start().await;
    service.at("2018-04-11T02:00:00Z");
    let token = service.token("coordinator").await;
    let reason = "Thiếu kinh phí";
    for (body, code) in [
        (json!({"action": "extend", "reason": reason}), "REQUIRED"),
        (json!({"action": "extend", "due_date": "2018-05-31"}), "REASON_REQUIRED"),
        (json!({"action": "extend", "due_date": "2018-03-31", "reason": reason}), "INVALID_RANGE"),
        (json!({"action": "confirm", "due_date": "2018-05-31"}), "INVALID_VALUE"),
    ] {
        service.decide(&token, "T08", body).await.expect_problem(422, code);
    }
    let one = json!({"action": "extend", "agency": "UBND-080", "due_date": "2018-05-31", "reason": reason});
    let task = service.decide(&token, "T22", one).await.expect(201).json();
    let (extended, other) = (of(&task, "UBND-080"), of(&task, "UBND-082"));
    assert_eq!(extended["status"], "not_started");
    assert_eq!((&extended["deadline"], &extended["was_overdue"]), (&json!("2018-05-31"), &json!(true)));
    assert_eq!((&other["deadline"], &other["was_overdue"]), (&json!("2018-03-31"), &json!(false)));
    assert_eq!((&task["status"], &task["deadline"]), (&json!("overdue"), &json!("2018-03-31")));

    // A lead that was done late stays so when the others get more time.
    let late = json!({"agency": "UBND-083", "percent": 100, "completed_on": "2018-04-02"});
    service.report(&token, "T22", late).await.expect(201);
    service.decide(&token, "T22", json!({"action": "confirm"})).await.expect(201);
    let all = json!({"action": "extend", "due_date": "2018-04-30", "reason": reason});
    let task = service.decide(&token, "T22", all).await.expect(201).json();
    assert_eq!((&task["deadline"], &task["status"]), (&json!("2018-04-30"), &json!("in_progress")));
    assert_eq!(of(&task, "UBND-080")["deadline"], "2018-05-31", "its own is later");
    let other = of(&task, "UBND-082");
    assert_eq!((&other["status"], &other["was_overdue"]), (&json!("not_started"), &json!(true)));
    let done = of(&task, "UBND-083");
    assert_eq!((&done["status"], &done["days_late"]), (&json!("done_late"), &json!(2)));
    assert_eq!(done["was_overdue"], false);

    // Neither does a changed due date.
    let tag = service.get("tasks/T09").as_(&token).send().await.expect(200).etag();
    let moved = json!({"due_date": "2018-12-01"});
    let task = service.patch("tasks/T09", moved).as_(&token).if_match(&tag).send().await.expect(200).json();
    assert_eq!(of(&task, "SO-GDDT")["was_overdue"], true);
    assert_eq!(task["status"], "not_started");
}

#[actix_web::test]
async fn the_progress_of_a_task_of_fewer_than_five_others_is_withheld() {
    let service = TestService::start().await;
    let (coordinator, officer) = (service.token("coordinator").await, service.token("officer.so-yt").await);
    let mut answers = Vec::new();
    for percent in [10, 55] {
        service.report(&coordinator, "T04", json!({"agency": "SO-CT", "percent": percent})).await.expect(201);
        let mut task = service.task(&officer, "T04").await;
        let list = service.get("tasks?q=T04").as_(&officer).send().await.expect(200).json();
        assert_eq!(list["items"][0], task);
        assert_eq!((&task["percent"], &task["days_late"]), (&Value::Null, &Value::Null));
        assert_eq!(task["withheld"], "FEW_FOREIGN_UNITS");
        let table = service.get("tasks?q=T04&format=csv").as_(&officer).send().await.expect(200).text();
        assert!(table.ends_with(",FEW_FOREIGN_UNITS\r\n"), "{table}");
        assert_eq!(service.task(&coordinator, "T04").await["percent"], percent);
        task.as_object_mut().unwrap().remove("version");
        answers.push(task);
    }
    assert_eq!(answers[0], answers[1], "another agency's progress moves nothing that is shown");
    let own = service.token("officer.so-ct").await;
    assert_eq!(service.task(&own, "T04").await["percent"], 55);
    service.at("2018-04-02T02:00:00Z");
    let officer = service.token("officer.so-yt").await;
    let progress = service.get("statistics/progress").as_(&officer).send().await.expect(200).json();
    let overdue = progress["tasks"]["overdue"].as_array().unwrap().clone();
    let task = overdue.iter().find(|task| task["code"] == "T04").unwrap();
    assert_eq!((&task["percent"], &task["days_overdue"]), (&Value::Null, &Value::Null));
}

#[actix_web::test]
async fn an_officer_sees_and_reports_their_own_progress_alone() {
    let service = TestService::start().await;
    let (health, justice) = (service.token("officer.so-yt").await, service.token("officer.so-tp").await);
    service.report(&health, "T05", json!({"agency": "SO-YT", "percent": 30})).await.expect(201);
    service.report(&justice, "T05", json!({"agency": "SO-TP", "percent": 60})).await.expect(201);
    let seen = service.task(&health, "T05").await;
    assert_eq!(agencies(&seen), BTreeSet::from(["SO-YT".to_owned()]));
    assert_eq!(seen["allowed_actions"], json!(["update"]));
    let coordinator = service.token("coordinator").await;
    let whole = service.task(&coordinator, "T05").await;
    assert_eq!((&seen["percent"], &seen["status"]), (&whole["percent"], &whole["status"]));
    assert!(agencies(&whole).len() > 20);
    let list = service.get("tasks?lead=SO-YT&q=T05").as_(&health).send().await.expect(200).json();
    assert_eq!(list["items"][0], seen, "a list shows no more than the task itself");
    let tags = [&health, &justice].map(|token| service.get("tasks/T05").as_(token).send());
    let [own, other] = tags;
    assert_ne!(own.await.etag(), other.await.etag(), "their representations differ");

    let foreign = json!({"agency": "SO-TP", "percent": 1});
    service.report(&health, "T05", foreign).await.expect_problem(404, "NOT_FOUND");
    service
        .report(&health, "T05", json!({"agency": "KHONG-CO", "percent": 1}))
        .await
        .expect_problem(404, "NOT_FOUND");
    service
        .report(&health, "T06", json!({"agency": "SO-YT", "percent": 1}))
        .await
        .expect_problem(422, "NOT_A_LEAD");
    service
        .report(&health, "T99", json!({"agency": "SO-YT", "percent": 1}))
        .await
        .expect_problem(404, "NOT_FOUND");
    service
        .report(&coordinator, "T06", json!({"agency": "KHONG-CO", "percent": 1}))
        .await
        .expect_problem(422, "UNKNOWN_REFERENCE");
    assert_eq!(service.task(&health, "T06").await["progress"], json!([]));
    assert_eq!(service.task(&health, "T06").await["allowed_actions"], json!([]));

    let updates = async |token: &str, query: &str| {
        let path = format!("tasks/T05/updates{query}");
        service.get(&path).as_(token).send().await.expect(200).column("agency")
    };
    assert_eq!(updates(&health, "").await, ["SO-YT"].map(Value::from));
    assert_eq!(updates(&health, "?agency=SO-TP").await, [] as [Value; 0]);
    assert_eq!(updates(&coordinator, "").await, ["SO-TP", "SO-YT"].map(Value::from));
    assert_eq!(updates(&coordinator, "?agency=SO-TP").await, ["SO-TP"].map(Value::from));
    service.get("tasks/T99/updates").as_(&health).send().await.expect_problem(404, "NOT_FOUND");
    service.get("tasks/T99/transitions").as_(&health).send().await.expect_problem(404, "NOT_FOUND");

    let reason = "Lý do";
    for agency in ["SO-YT", "SO-TP"] {
        let body = json!({"action": "extend", "agency": agency, "due_date": "2018-08-01", "reason": reason});
        service.decide(&coordinator, "T05", body).await.expect(201);
    }
    service.decide(&coordinator, "T05", json!({"action": "cancel", "reason": reason})).await.expect(201);
    let decisions = service.get("tasks/T05/transitions").as_(&health).send().await.expect(200);
    assert_eq!(decisions.column("agency"), [Value::Null, json!("SO-YT")]);

    let forbidden = json!({"action": "cancel", "reason": reason});
    service.decide(&health, "T06", forbidden).await.expect_problem(403, "FORBIDDEN");
    let monitor = service.token("monitor").await;
    service
        .report(&monitor, "T06", json!({"agency": "SO-TTTT", "percent": 1}))
        .await
        .expect_problem(403, "FORBIDDEN");
    let portal = service.client_token("portal").await;
    assert_eq!(service.codes(&portal, "lead=DAI-PTTH").await, ["T30"].map(Value::from));
    service.get("plans").as_(&portal).send().await.expect(200);
    service.get("tasks/T05/updates").as_(&portal).send().await.expect_problem(403, "FORBIDDEN");
}

#[actix_web::test]
async fn everything_wrong_with_a_report_is_said_at_once() {
    let service = TestService::start().await;
    let token = service.token("officer.so-ct").await;
    let body = json!({"agency": "SO-CT", "percent": 101, "narrative": "x".repeat(4001),
        "evidence": ["ftp://x", "https://", "https://a b", "https://laocai.gov.vn/Đề-án?x=1#y"], "completed_on": "2018-03-01"});
    let problem = service.report(&token, "T04", body).await.expect_problem(422, "VALIDATION_FAILED").json();
    let pointers: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    assert_eq!(
        pointers,
        ["/percent", "/narrative", "/evidence/0", "/evidence/1", "/evidence/2", "/completed_on"]
    );
    for (percent, code) in [
        (json!(-1), "NUMBER_OUT_OF_RANGE"),
        (json!(50.5), "NOT_AN_INTEGER"),
        (json!("50"), "NOT_A_NUMBER"),
        (json!("50,5"), "DECIMAL_COMMA"),
    ] {
        let body = json!({"agency": "SO-CT", "percent": percent});
        service.report(&token, "T04", body).await.expect_problem(422, code);
    }
    let future = json!({"agency": "SO-CT", "percent": 100, "completed_on": "2018-03-16"});
    service.report(&token, "T04", future).await.expect_problem(422, "DATE_IN_FUTURE");
    let many = json!({"agency": "SO-CT", "percent": 1, "evidence": vec!["https://a.vn"; 21]});
    service.report(&token, "T04", many).await.expect_problem(422, "INVALID_LENGTH");
    let unknown = json!({"agency": "SO-CT", "percent": 1, "status": "done"});
    service.report(&token, "T04", unknown).await.expect_problem(400, "UNKNOWN_FIELD");
    assert_eq!(service.task(&token, "T04").await["version"], 1, "nothing was stored");
}

#[actix_web::test]
async fn a_repeated_report_has_one_effect() {
    let service = TestService::start().await;
    let token = service.token("officer.so-ct").await;
    let body = json!({"agency": "SO-CT", "percent": 40});
    let send = async |body: &Value| {
        service
            .post("tasks/T04/updates", body.clone())
            .as_(&token)
            .header("Idempotency-Key", "k-1")
            .send()
            .await
    };
    let first = send(&body).await.expect(201);
    let second = send(&body).await.expect(201);
    assert_eq!(first.json(), second.json());
    assert_eq!(second.header("idempotency-replayed"), "true");
    let other = json!({"agency": "SO-CT", "percent": 41});
    send(&other).await.expect_problem(422, "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(service.get("tasks/T04/updates").as_(&token).send().await.expect(200).column("id").len(), 1);
    assert_eq!(service.task(&token, "T04").await["version"], 2);
}

#[actix_web::test]
async fn two_editors_do_not_overwrite_each_other() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let tag = service.get("tasks/T06").as_(&token).send().await.expect(200).etag();
    let body = json!({"title": "Tên mới"});
    service
        .patch("tasks/T06", body.clone())
        .as_(&token)
        .send()
        .await
        .expect_problem(428, "PRECONDITION_REQUIRED");
    let changed =
        service.patch("tasks/T06", body.clone()).as_(&token).if_match(&tag).send().await.expect(200);
    assert_eq!(changed.json()["title"], "Tên mới");
    assert_eq!(changed.json()["version"], 2);
    assert_eq!(service.get("tasks/T06").as_(&token).send().await.expect(200).etag(), changed.etag());
    service
        .patch("tasks/T06", body.clone())
        .as_(&token)
        .if_match(&tag)
        .send()
        .await
        .expect_problem(412, "PRECONDITION_FAILED");
    let cancel = json!({"action": "cancel", "reason": "x"});
    let stale = service.post("tasks/T06/transitions", cancel.clone()).as_(&token).if_match(&tag);
    stale.send().await.expect_problem(412, "PRECONDITION_FAILED");

    // A report in between is a change too, and so is a decision.
    service.report(&token, "T06", json!({"agency": "SO-TTTT", "percent": 5})).await.expect(201);
    service
        .patch("tasks/T06", body.clone())
        .as_(&token)
        .if_match(&changed.etag())
        .send()
        .await
        .expect_problem(412, "PRECONDITION_FAILED");
    let tag = service.get("tasks/T06").as_(&token).send().await.expect(200).etag();
    let fresh = service.post("tasks/T06/transitions", cancel).as_(&token).if_match(&tag);
    let cancelled = fresh.send().await.expect(201);
    assert_eq!(cancelled.json()["version"], 4);
    service.patch("tasks/T06", body).as_(&token).if_match(&cancelled.etag()).send().await.expect(200);

    let plan = service.get("plans/KH-332-2017").as_(&token).send().await.expect(200).etag();
    let body = json!({"framework": null});
    service
        .patch("plans/KH-332-2017", body.clone())
        .as_(&token)
        .send()
        .await
        .expect_problem(428, "PRECONDITION_REQUIRED");
    let changed = service.patch("plans/KH-332-2017", body.clone()).as_(&token).if_match(&plan).send().await;
    assert_eq!(changed.expect(200).json()["framework"], Value::Null);
    service
        .patch("plans/KH-332-2017", body)
        .as_(&token)
        .if_match(&plan)
        .send()
        .await
        .expect_problem(412, "PRECONDITION_FAILED");
}

#[actix_web::test]
async fn a_plan_and_its_tasks_are_made_and_changed() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let plan = json!({"code": "KH-1-2019", "number": "1/KH-UBND", "title": "Kế hoạch năm 2019", "year": 2019,
        "issued_on": "2018-12-20", "issuer": "UBND-TINH"});
    let made = service.post("plans", plan.clone()).as_(&token).send().await.expect(201);
    assert_eq!(made.header("location"), "/api/v1/plans/KH-1-2019");
    service.post("plans", plan).as_(&token).send().await.expect_problem(409, "ALREADY_EXISTS");
    let unknown = json!({"code": "KH-2", "number": "2", "title": "x", "year": 2019, "issued_on": "2018-12-20", "issuer": "X"});
    service.post("plans", unknown).as_(&token).send().await.expect_problem(422, "UNKNOWN_REFERENCE");
    let plans = service.get("plans?sort=-year&q=ke+hoach").as_(&token).send().await.expect(200);
    assert_eq!(plans.column("code"), ["KH-1-2019", "KH-332-2017"].map(Value::from));
    let plans = service.get("plans?year=2019,2020").as_(&token).send().await.expect(200);
    assert_eq!(plans.column("code"), ["KH-1-2019"].map(Value::from));
    service.get("plans?year=x").as_(&token).send().await.expect_problem(400, "INVALID_PARAMETER");

    let task = json!({"code": "N01", "plan": "KH-1-2019", "section": "I", "title": " Việc mới ", "due_date": "2019-02-15",
        "leads": [{"type": "agency", "code": "SO-GTVT"}, {"type": "group", "code": "UBND-HUYEN-TP"}],
        "coordinators": [{"type": "agency", "code": "SO-TTTT"}]});
    let made = service.post("tasks", task.clone()).as_(&token).send().await.expect(201);
    assert_eq!(made.header("location"), "/api/v1/tasks/N01");
    let made = made.json();
    assert_eq!((&made["title"], &made["from_quarter"]), (&json!("Việc mới"), &Value::Null));
    assert_eq!((&made["starts_on"], &made["deadline"]), (&json!("2019-01-01"), &json!("2019-02-15")));
    assert_eq!(
        made["leads"][1],
        json!({"type": "group", "code": "UBND-HUYEN-TP", "name": "UBND các huyện, thành phố"})
    );
    let leading = agencies(&made);
    assert_eq!(
        leading.len(),
        10,
        "nine districts, and the successor of an agency that ended before the task begins"
    );
    let has = |code: &str| leading.iter().any(|agency| *agency == code);
    assert!(has("SO-GTVTXD") && !has("SO-GTVT"));
    assert_eq!(service.codes(&token, "quarter=2019-Q1").await, ["N01"].map(Value::from));
    assert_eq!(
        service.codes(&token, "plan=KH-1-2019,KH-332-2017&lead=UBND-080&quarter=2019-Q2").await.len(),
        0
    );
    service.post("tasks", task).as_(&token).send().await.expect_problem(409, "ALREADY_EXISTS");

    service.report(&token, "N01", json!({"agency": "UBND-080", "percent": 80})).await.expect(201);
    let tag = service.get("tasks/N01").as_(&token).send().await.expect(200).etag();
    let leads = json!({"leads": [{"type": "agency", "code": "UBND-082"}], "from_quarter": "2019-Q1", "to_quarter": "2019-Q2",
        "due_date": null, "source": "Công văn 1"});
    let changed = service.patch("tasks/N01", leads).as_(&token).if_match(&tag).send().await.expect(200);
    assert_eq!(agencies(&changed.json()), BTreeSet::from(["UBND-082".to_owned()]));
    assert_eq!((&changed.json()["percent"], &changed.json()["deadline"]), (&json!(0), &json!("2019-06-30")));
    assert_eq!(changed.json()["coordinators"].as_array().unwrap().len(), 1, "what is absent stays");
    let history = service.get("tasks/N01/updates").as_(&token).send().await.expect(200);
    assert_eq!(history.column("agency"), ["UBND-080"].map(Value::from), "history stays");
    let back = json!({"leads": [{"type": "agency", "code": "UBND-080"}]});
    let back =
        service.patch("tasks/N01", back).as_(&token).if_match(&changed.etag()).send().await.expect(200);
    assert_eq!(of(&back.json(), "UBND-080")["percent"], 80);
}

#[actix_web::test]
async fn everything_wrong_with_a_task_is_said_at_once() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let faults = async |body: Value| -> Vec<(String, String)> {
        let problem = service
            .post("tasks", body)
            .as_(&token)
            .send()
            .await
            .expect_problem(422, "VALIDATION_FAILED")
            .json();
        let text = |e: &Value, name: &str| e[name].as_str().unwrap().to_owned();
        problem["errors"].as_array().unwrap().iter().map(|e| (text(e, "pointer"), text(e, "code"))).collect()
    };
    let pairs = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    let yt = json!({"type": "agency", "code": "SO-YT"});
    let body = json!({"code": "Đ/1", "plan": "KH-332-2017", "section": "", "title": "", "leads": [],
        "coordinators": [yt, yt], "from_quarter": "2018-Q3", "to_quarter": "2018-Q2"});
    let wrong = [
        ("/code", "INVALID_CODE"),
        ("/section", "INVALID_LENGTH"),
        ("/title", "INVALID_LENGTH"),
        ("/leads", "REQUIRED"),
        ("/coordinators/1", "DUPLICATE_ENTRY"),
        ("/to_quarter", "INVALID_RANGE"),
    ];
    assert_eq!(faults(body).await, pairs(&wrong));
    let base = json!({"code": "N1", "plan": "KH-332-2017", "section": "I", "title": "x", "leads": [yt]});
    let with = |more: Value| {
        let mut body = base.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    assert_eq!(faults(base.clone()).await, pairs(&[("/due_date", "REQUIRED")]));
    assert_eq!(faults(with(json!({"from_quarter": "2018-Q1"}))).await, pairs(&[("/to_quarter", "REQUIRED")]));
    let early = json!({"from_quarter": "2018-Q2", "to_quarter": "2018-Q2", "due_date": "2018-03-31"});
    assert_eq!(faults(with(early)).await, pairs(&[("/due_date", "INVALID_RANGE")]));
    let unknown = with(json!({"plan": "KH-0", "due_date": "2018-12-31", "indicators": ["XX.01"],
        "leads": [yt, {"type": "group", "code": "SO-YT"}], "coordinators": [{"type": "agency", "code": "CQNN"}]}));
    let wrong = ["/plan", "/leads/1/code", "/coordinators/0/code", "/indicators/0"];
    assert_eq!(faults(unknown).await, pairs(&wrong.map(|pointer| (pointer, "UNKNOWN_REFERENCE"))));
    let period = with(json!({"from_quarter": "2018", "to_quarter": "2018-Q2"}));
    service.post("tasks", period).as_(&token).send().await.expect_problem(400, "MALFORMED_PERIOD");
    let named = with(json!({"leads": [{"type": "agency", "code": "SO-YT", "name": "x"}]}));
    service.post("tasks", named).as_(&token).send().await.expect_problem(400, "UNKNOWN_FIELD");
    let officer = service.token("officer.so-yt").await;
    let complete = with(json!({"due_date": "2018-12-31"}));
    service.post("tasks", complete).as_(&officer).send().await.expect_problem(403, "FORBIDDEN");
}

#[actix_web::test]
async fn tasks_are_a_table_for_spreadsheets_too() {
    let service = TestService::start().await;
    let token = service.token("monitor").await;
    let csv = service.get("tasks?format=csv&lead=SO-CT&limit=1").as_(&token).send().await.expect(200);
    assert!(csv.text().starts_with("\u{feff}code,plan,section,title,lead_codes,coordinator_codes,"));
    assert!(csv.text().contains("\r\nT04,KH-332-2017,I.1,"));
    assert!(csv.text().contains(",SO-CT,DN-VT-CNTT,"));
    let first = service.get("tasks?format=csv&limit=1").as_(&token).send().await.expect(200);
    assert!(first.header("link").contains("rel=\"next\""));
    service.get("plans?format=csv").as_(&token).send().await.expect(200);
    for list in ["tasks/T04/updates", "tasks/T04/transitions"] {
        let csv = service.get(list).as_(&token).header("Accept", "text/csv").send().await.expect(200);
        assert!(csv.header("content-type").starts_with("text/csv"));
    }
}

#[actix_web::test]
async fn few_statements_whatever_the_size() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    for path in [
        "tasks?limit=200&count=exact&status=not_started&agency=SO-YT&quarter=2018-Q1",
        "tasks/T05",
        "tasks/T05/updates",
        "tasks/T05/transitions",
        "plans",
    ] {
        let (statements, _) = service.statements_of(service.get(path).as_(&token).send()).await;
        assert!(statements <= 4, "{statements} statements for {path}");
    }
    service.at("2018-07-02T02:00:00Z");
    let token = service.token("coordinator").await;
    let tag = service.get("tasks/T10").as_(&token).send().await.expect(200).etag();
    let new = json!({"code": "N1", "plan": "KH-332-2017", "section": "I", "title": "x", "due_date": "2018-12-31",
        "leads": [{"type": "group", "code": "CQNN"}]});
    let extend = json!({"action": "extend", "due_date": "2018-12-31", "reason": "x"});
    let writes = [
        service
            .post("tasks/T05/updates", json!({"agency": "SO-YT", "percent": 1}))
            .header("Idempotency-Key", "1"),
        service.post("tasks/T05/transitions", extend).header("Idempotency-Key", "2"),
        service.post("tasks", new).header("Idempotency-Key", "3"),
        service.patch("tasks/T10", json!({"due_date": "2018-12-31"})).if_match(&tag),
    ];
    for (place, write) in writes.into_iter().enumerate() {
        let (statements, answer) = service.statements_of(write.as_(&token).send()).await;
        assert!(answer.status.is_success(), "{}", answer.text());
        assert!(statements <= 12, "{statements} statements for write {place}");
    }
}

#[actix_web::test]
async fn the_history_cannot_be_changed() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    service.report(&token, "T04", json!({"agency": "SO-CT", "percent": 100})).await.expect(201);
    service.decide(&token, "T04", json!({"action": "confirm"})).await.expect(201);
    for statement in ["update task_updates set percent = 0", "delete from task_transitions"] {
        let changed = service
            .state
            .db()
            .transaction(async move |conn: &mut Conn| Ok::<_, Problem>(sql(statement).run(conn).await?))
            .await;
        assert!(changed.is_err(), "the trigger must refuse: {statement}");
    }
}

#[actix_web::test]
async fn loading_again_changes_nothing_and_demo_data_is_labelled() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let tag = service.get("tasks/T01").as_(&token).send().await.expect(200).etag();
    let body = json!({"title": "Đã sửa"});
    service.patch("tasks/T01", body).as_(&token).if_match(&tag).send().await.expect(200);
    let (db, now) = (service.state.db(), service.clock.now());
    seed::plan(db, now).await.map_err(|p| format!("{p:?}")).unwrap();
    assert_eq!(service.task(&token, "T01").await["title"], "Đã sửa");
    assert_eq!(service.codes(&token, "").await.len(), 30);

    let count = async || {
        let updates = service.get("tasks/T05/updates?limit=200").as_(&token).send().await.expect(200);
        assert!(updates.column("narrative").iter().all(|n| n.as_str().unwrap().starts_with("[demo]")));
        updates.column("id").len()
    };
    for _ in 0..2 {
        let password = Some(PASSWORD.to_owned());
        seed::demo(db, service.state.passwords(), password, now).await.map_err(|p| format!("{p:?}")).unwrap();
        assert_eq!(count().await, 4);
    }
}

/// Needs the plan's indicators.
#[actix_web::test]
async fn tasks_link_indicators() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    for line in lines(TASKS) {
        let task = service.task(&token, &line["code"]).await;
        let wanted: Vec<&str> = line["indicators"].split('|').filter(|code| !code.is_empty()).collect();
        assert_eq!(task["indicators"], json!(wanted), "{}", line["code"]);
    }
    let levels = ["T23", "T24", "T25", "T26"].map(Value::from);
    assert_eq!(service.codes(&token, "indicator=UD.DV.03").await, levels);
    assert_eq!(
        service.codes(&token, "indicator=UD.DV.03,HT.XH.01&lead=SO-TTTT").await,
        ["T01", "T23", "T24", "T25", "T26"].map(Value::from)
    );
    let tag = service.get("tasks/T23").as_(&token).send().await.expect(200).etag();
    let body = json!({"indicators": ["UD.DV.04"]});
    service.patch("tasks/T23", body).as_(&token).if_match(&tag).send().await.expect(200);
    assert_eq!(service.codes(&token, "indicator=UD.DV.03").await, ["T24", "T25", "T26"].map(Value::from));
}
