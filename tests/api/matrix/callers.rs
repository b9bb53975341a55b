//! Those who ask.

use std::collections::HashMap;

use ict_index::auth::ClientScope;
use ict_index::db::sql;
use serde_json::json;

use crate::support::{NOW, PASSWORD, TestService};

/// Columns of the matrix. `officer` is of SO-YT, whose things are `own`; `stranger` of SO-TTTT, whose are `foreign`.
pub const CALLERS: [&str; 13] = [
    "anonymous",
    "expired",
    "revoked",
    "disabled",
    "officer",
    "stranger",
    "coordinator",
    "monitor",
    "admin",
    "statistics:read",
    "catalogue:read",
    "catalogue:write",
    "dossiers:write",
];

/// Those who may change something of submissions, tasks and counts.
pub fn is_person(caller: &str) -> bool {
    ["officer", "stranger", "coordinator", "monitor", "admin"].contains(&caller)
}

pub fn username(caller: &str) -> &str {
    match caller {
        "officer" => "officer.so-yt",
        "stranger" => "officer.so-tttt",
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
    for caller in CALLERS.into_iter().filter(|caller| is_person(caller)) {
        tokens.insert(caller, service.token(username(caller)).await);
    }
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
