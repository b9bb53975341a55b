//! Spellings that people cannot distinguish: of codes, names and units, and of what a spreadsheet or the JSON library would act on.

use ict_index::db::sql;
use ict_index::http::csv::{FORMULA, defused};
use serde_json::{Value, json};

use crate::index_runs::{add_framework, small};
use crate::support::TestService;

/// An operation that takes a code and names: who may send it, where, which fields are the code and names, and a body that is right.
type KeyLike = (&'static str, &'static str, &'static str, &'static [&'static str], Value);

fn key_like() -> [KeyLike; 8] {
    const DEEP: &[&str] =
        &["/name", "/root/name", "/root/children/0/name", "/root/children/0/children/0/name"];
    let agency = json!({"code": "MOI", "name": "Cơ quan", "name_en": "Agency", "kind": "department"});
    let indicator = json!({"code": "MOI", "group": "UD", "subgroup": "UD.CQ", "name": "Chỉ tiêu", "unit": "score", "direction": "up",
        "definition_status": "assumed"});
    let plan = json!({"code": "MOI", "number": "1/KH", "title": "Kế hoạch", "year": 2019, "issued_on": "2018-03-01", "issuer": "UBND-TINH"});
    let task = json!({"code": "MOI", "plan": "KH-332-2017", "section": "I.1", "title": "Nhiệm vụ", "due_date": "2018-12-31",
        "leads": [{"type": "agency", "code": "SO-YT"}]});
    let service =
        json!({"code": "T-LCA-999001-TT", "name": "Thủ tục", "field": "Đất đai", "tier": "province"});
    let client = json!({"client_id": "moi", "name": "Ứng dụng", "scopes": ["statistics:read"]});
    let user = json!({"username": "moi", "display_name": "Tên", "role": "monitor", "password": "mot mat khau du dai 1"});
    [
        ("coordinator", "agencies", "/code", &["/name", "/name_en"] as &[&str], agency),
        ("coordinator", "indicators", "/code", &["/name", "/unit"] as &[&str], indicator),
        ("coordinator", "plans", "/code", &["/number", "/title"] as &[&str], plan),
        ("coordinator", "tasks", "/code", &["/section", "/title"] as &[&str], task),
        ("coordinator", "services", "/code", &["/name", "/field"] as &[&str], service),
        ("coordinator", "frameworks", "/code", DEEP, small("MOI", "agency")),
        ("admin", "clients", "/client_id", &["/name"] as &[&str], client),
        ("admin", "users", "/username", &["/display_name"] as &[&str], user),
    ]
}

/// A text with something in it that is invisible, or that looks like something else.
const INVISIBLE: [&str; 10] = [
    "\u{200b}", "\u{200d}", "\u{ad}", "\u{202e}", "\u{2066}", "\u{200f}", "\u{feff}", "\u{7f}", "\u{3164}",
    "\u{43e}",
];
/// The same letters of a code, written otherwise.
const OTHER_LETTERS: [&str; 6] =
    ["\u{ff2d}OI", "M\u{41e}I", "MO\u{406}", "MOI\u{2011}1", "MOI ", "MO\u{131}"];

fn with(body: &Value, pointer: &str, text: String) -> Value {
    let mut changed = body.clone();
    *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} in {body}")) = json!(text);
    changed
}

#[actix_web::test]
async fn codes_and_names_with_invisible_characters_are_refused_everywhere() {
    let service = TestService::start().await;
    for (who, path, code, names, body) in key_like() {
        let token = service.token(who).await;
        let refused = async |body: Value, pointer: &str, wanted: &str| {
            let answer = service.post(path, body.clone()).as_(&token).send().await.expect(422).json();
            let named = answer["errors"].as_array().unwrap().iter();
            let found = named.clone().any(|e| e["pointer"] == pointer && e["code"] == wanted);
            assert!(found, "{path} {pointer}: {body}\n{answer}");
        };
        for invisible in INVISIBLE {
            let before = body.pointer(code).and_then(Value::as_str).unwrap();
            refused(with(&body, code, format!("{before}{invisible}")), code, "INVALID_CODE").await;
            for name in names {
                let before = body.pointer(name).and_then(Value::as_str).unwrap();
                refused(with(&body, name, format!("{before}{invisible}{before}")), name, "INVALID_TEXT")
                    .await;
            }
        }
        for other in OTHER_LETTERS {
            refused(with(&body, code, other.to_owned()), code, "INVALID_CODE").await;
        }
        service.post(path, body.clone()).as_(&token).send().await.expect(201);
        // Another case is the same code, or none.
        let taken = body.pointer(code).and_then(Value::as_str).unwrap();
        let cased = if taken == "moi" { "MoI".to_owned() } else { taken.to_lowercase() };
        let answer = service.post(path, with(&body, code, cased)).as_(&token).send().await;
        let refusal = answer.json();
        let refused_as =
            (answer.status.as_u16(), refusal["errors"][0]["code"].as_str().or(refusal["code"].as_str()));
        assert!(
            matches!(refused_as, (409, Some("ALREADY_EXISTS")) | (422, Some("INVALID_CODE"))),
            "{path}: {refusal}"
        );
    }
    let admin = service.token("admin").await;
    let second = json!({"username": "Admin", "display_name": "Tên", "role": "admin", "password": "mot mat khau du dai 1"});
    service.post("users", second).as_(&admin).send().await.expect(422);
}

#[actix_web::test]
async fn units_of_observations_are_one_under_one_spelling() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    add_framework(&service, &small("TINH", "province")).await;
    let put = |units: &[&str]| {
        let rows: Vec<Value> =
            units.iter().map(|unit| json!({"unit": unit, "indicator": "X3", "value": 1})).collect();
        service.put("frameworks/TINH/observations/2017", json!({"rows": rows})).as_(&token).send()
    };
    for invisible in INVISIBLE {
        let problem = put(&[&format!("Lào{invisible}Cai")]).await.expect_problem(422, "INVALID_CODE").json();
        assert_eq!(problem["errors"][0]["pointer"], "/rows/0/unit", "{invisible:?}");
    }
    for (one, other) in [
        ("Thanh Hóa", "Thanh Hoá"),
        ("Lào Cai", "lào cai"),
        ("Lào Cai", "LÀO  CAI"),
        ("Lào Cai", "Lào\u{a0}Cai"),
        ("Bà Rịa - Vũng Tàu", "Bà Rịa – Vũng Tàu"),
        ("Lào Cai", "\u{ff2c}ào Cai"),
    ] {
        let problem = put(&[one, other]).await.expect_problem(422, "DUPLICATE_ENTRY").json();
        assert_eq!(problem["errors"][0]["pointer"], "/rows/1/unit", "{one} {other}");
    }
    put(&["Thanh Hóa", "Lào Cai", "Hà Nam", "Hạ Nam"]).await.expect(200);
    // A filter is composed as the names are.
    let decomposed = "frameworks/TINH/observations/2017?unit=La%CC%80o%20Cai";
    let found = service.get(decomposed).as_(&token).send().await.expect(200).json();
    assert_eq!(found["rows"].as_array().unwrap().len(), 1);
    service.get("agencies?q=so%E2%80%8Byt").as_(&token).send().await.expect_problem(400, "INVALID_PARAMETER");
}

#[actix_web::test]
async fn members_named_as_the_json_library_names_its_own_are_refused() {
    let service = TestService::start().await;
    let token = service.token("coordinator").await;
    let names = [
        "$serde_json::private::Number",
        "$serde_json::private::RawValue",
        "\\u0024serde_json::private::Number",
        "$serde_json\\u003a:private::Number",
        "$\\u0073erde_json::private::Number",
    ];
    for name in names {
        let number = format!(r#"{{"{name}": "2"}}"#);
        let document =
            small("SO", "agency").to_string().replacen(r#""weight":2"#, &format!(r#""weight":{number}"#), 1);
        assert!(document.contains("private"), "{document}");
        let sent =
            service.call("POST", "frameworks").as_(&token).raw("application/json", document).send().await;
        sent.expect_problem(400, "UNKNOWN_FIELD");
        let rows =
            format!(r#"{{"rows": [{{"unit": "SO-YT", "indicator": "CQ.HT.02", "value": {number}}}]}}"#);
        let path = "frameworks/ICT-INDEX-AGENCIES/observations/2018";
        let sent = service.call("PUT", path).as_(&token).raw("application/json", rows).send().await;
        sent.expect_problem(400, "UNKNOWN_FIELD");
        let line = format!(
            r#"{{"agency": "SO-YT", "service": "1.000001", "channel": "online", "received": {number}}}"#
        );
        let path = "dossier-batches/SO-YT/2018-02?rows=1&received=2";
        let sent = service.call("PUT", path).as_(&token).raw("application/x-ndjson", line).send().await;
        let answer = sent.expect(422).json();
        assert_eq!(answer["errors"][0]["code"], "UNKNOWN_FIELD", "{answer}");
    }
}

const CELLS: [&str; 16] = [
    "=1+1",
    "\u{ff1d}1+1",
    "\u{200b}=1",
    "\u{a0}=1",
    " =1",
    "\t=1",
    "\r=1",
    "\u{ff0b}1",
    "\u{ff20}SUM(1)",
    "\u{202e}=1",
    "x;=1+1",
    "x\n=1",
    "x;\u{ad}\u{ff1d}1",
    "\tx",
    "plain; text - with = signs",
    "Sở Y tế",
];

#[actix_web::test]
async fn the_database_defuses_cells_as_the_service_does() {
    let service = TestService::start().await;
    for cell in CELLS {
        let same = sql("select 1 as value where regexp_replace(case when $1 ~ e'^[\\t\\r]' then '''' || $1 else $1 end, $2, e'\\\\1''\\\\2', 'g') = $3")
            .bind(cell.to_owned())
            .bind(FORMULA.to_owned())
            .bind(defused(cell));
        assert_eq!(service.sql(same).await, 1, "{cell:?}: {:?}", defused(cell));
    }
}

/// What was answered to a caller of other rights is not given to this one again.
#[actix_web::test]
async fn an_answer_is_not_replayed_after_its_caller_lost_the_right() {
    let service = TestService::start().await;
    let new = json!({"agency": "SO-GDDT", "period": "2018-02"});
    let post = async |token: &str| {
        service.post("submissions", new.clone()).as_(token).header("Idempotency-Key", "k").send().await
    };
    let token = service.token("coordinator").await;
    post(&token).await.expect(201);
    assert_eq!(post(&token).await.expect(201).header("idempotency-replayed"), "true");
    let page = service.get("submissions?limit=1").as_(&token).send().await.expect(200).json();
    let cursor =
        page["page"]["next_cursor"].as_str().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    let admin = service.token("admin").await;
    let tag = service.get("users/coordinator").as_(&admin).send().await.expect(200).etag();
    let demoted = json!({"role": "officer", "agency": "SO-YT"});
    service.patch("users/coordinator", demoted).as_(&admin).if_match(&tag).send().await.expect(200);
    let token = service.token("coordinator").await;
    let again = post(&token).await;
    assert!(!again.text().contains("SO-GDDT"), "{}", again.text());
    again.expect_problem(422, "IDEMPOTENCY_KEY_REUSED");
    let rest = service.get(&format!("submissions?limit=1{cursor}")).as_(&token).send().await;
    assert!(!rest.text().contains("SO-GDDT"), "a cursor opens nothing");
}
