//! Those who ask.

use std::collections::HashMap;

use ict_index::auth::ClientScope;
use ict_index::db::sql;
use serde_json::json;

use crate::support::{NOW, PASSWORD, TestService};

/// Columns of the matrix. `officer` is of SO-YT, whose things are `own`; `stranger` of SO-TTTT, whose are `foreign`; `first_password` is of
/// SO-YT too and has not changed the password that was given out; `must_enrol` is a coordinator without a second factor.
pub const CALLERS: [&str; 15] = [
    "anonymous",
    "expired",
    "revoked",
    "disabled",
    "officer",
    "stranger",
    "first_password",
    "must_enrol",
    "coordinator",
    "monitor",
    "admin",
    "statistics:read",
    "catalogue:read",
    "catalogue:write",
    "dossiers:write",
];

/// Those who may do nothing but see to their own account.
pub fn is_restricted(caller: &str) -> bool {
    ["first_password", "must_enrol"].contains(&caller)
}

/// Those who may change something of submissions, tasks and counts.
pub fn is_person(caller: &str) -> bool {
    ["officer", "stranger", "coordinator", "monitor", "admin"].contains(&caller)
}

pub fn username(caller: &str) -> &str {
    match caller {
        "officer" => "officer.so-yt",
        "stranger" => "officer.so-tttt",
        "first_password" => "officer.first",
        "must_enrol" => "coordinator.new",
        other => other,
    }
}

/// Access tokens by caller; the anonymous one has none.
pub async fn tokens(service: &TestService) -> HashMap<&'static str, String> {
    let mut tokens = HashMap::new();
    service.at("2018-03-15T01:00:00Z");
    tokens.insert("expired", service.token("coordinator").await);
    service.at(NOW);
    let revoked = service.token("coordinator").await;
    service.post("auth/logout", json!({})).as_(&revoked).send().await.expect(204);
    tokens.insert("revoked", revoked);
    tokens.insert("disabled", service.token("officer.so-tc").await);
    let disable = sql("update users set disabled_at = created_at where username = 'officer.so-tc'");
    service.sql(disable).await;
    let first = "insert into users (id, username, display_name, role, agency_id, password_hash, must_change_password, created_at, updated_at) \
                 select gen_random_uuid(), 'officer.first', display_name, role, agency_id, password_hash, true, created_at, updated_at \
                 from users where username = 'officer.so-yt'";
    service.sql(sql(first)).await;
    let new = "insert into users (id, username, display_name, role, password_hash, created_at, updated_at) \
               select gen_random_uuid(), 'coordinator.new', display_name, role, password_hash, created_at, updated_at \
               from users where username = 'coordinator'";
    service.sql(sql(new)).await;
    for caller in CALLERS.into_iter().filter(|caller| is_person(caller) || is_restricted(caller)) {
        tokens.insert(caller, service.token(username(caller)).await);
    }
    // The others have proved a second factor.
    let proved = "update sessions s set second_factor_at = s.created_at from users u where u.id = s.user_id and u.username <> 'coordinator.new'";
    service.sql(sql(proved)).await;
    for scope in ClientScope::ALL {
        let form = format!(
            "grant_type=client_credentials&client_id=vnpt&client_secret={}&scope={}",
            PASSWORD.replace(' ', "+"),
            scope.as_str()
        );
        let answer = service.call("POST", "oauth/token").form(&form).send().await.expect(200).json();
        tokens.insert(scope.as_str(), answer["access_token"].as_str().unwrap().to_owned());
    }
    tokens
}
