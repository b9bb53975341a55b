//! What is sent to operations without a name in their path.

use serde_json::{Value, json};

use super::world::SERVICE;
use crate::description::Operation;
use crate::index_runs::small;
use crate::support::PASSWORD;

/// The room of an operation that creates something in it.
pub fn room_of(operation: &Operation) -> String {
    let creates = operation.method == "POST" && !operation.has_path_parameters();
    if creates { operation.path.trim_start_matches("/api/v1/").to_owned() } else { String::new() }
}

/// The body of an operation without a name in its path.
pub fn body_of(room: &str) -> Value {
    match room {
        "agencies" => json!({"code": "", "name": "Cơ quan", "kind": "department"}),
        "indicators" => {
            json!({"code": "", "group": "UD", "subgroup": "UD.CQ", "name": "Chỉ tiêu", "unit": "score", "direction": "up",
            "definition_status": "assumed"})
        }
        "plans" => {
            json!({"code": "", "number": "1/KH", "title": "Kế hoạch", "year": 2019, "issued_on": "2018-03-01", "issuer": "UBND-TINH"})
        }
        "tasks" => {
            json!({"code": "", "plan": "KH-332-2017", "section": "I.1", "title": "Nhiệm vụ", "due_date": "2018-12-31",
            "leads": [{"type": "agency", "code": "SO-YT"}]})
        }
        "services" => json!({"code": "", "name": "Thủ tục", "field": "Đất đai", "tier": "province"}),
        "service-batches" => {
            json!({"rows": [{"code": SERVICE, "name": "Thủ tục", "field": "Đất đai", "tier": "province", "agencies": ["SO-YT", "SO-TTTT"]}]})
        }
        "frameworks" => small("MOI", "agency"),
        "index-runs" => crate::index_runs::new_run("NHO", 2017, "provisional"),
        "clients" => json!({"client_id": "", "name": "Ứng dụng", "scopes": ["statistics:read"]}),
        "users" => {
            json!({"username": "", "display_name": "Tên", "role": "monitor", "password": "mot mat khau du dai 1"})
        }
        "targets" => {
            json!({"subject": "metric", "code": "on_time", "scope": "agency", "agency": "SO-YT", "year": 2018,
            "comparator": "gte", "value": 95.5, "due": "2018-12-31", "source": "quyết định"})
        }
        "national-results" => {
            json!({"index_year": 2019, "node": "ICT", "rank": 3, "units": 63, "source": "thử"})
        }
        "me/password" => json!({"current_password": "khong phai", "new_password": "mot mat khau du dai 1"}),
        "me/second-factor" | "me/second-factor/recovery-codes" => json!({"current_password": "khong phai"}),
        "me/second-factor/confirmation" => json!({"code": "000000"}),
        "auth/login" => json!({"username": "monitor", "password": PASSWORD}),
        "auth/oidc/callback" => json!({"code": "x", "state": "x", "verifier": "x"}),
        "auth/refresh" => json!({"refresh_token": "khong phai"}),
        "auth/logout" | "oauth/token" => Value::Null,
        other => panic!("decide what is sent to {other}"),
    }
}
