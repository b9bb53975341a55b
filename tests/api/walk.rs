//! Every operation of the description × every kind of caller: what is documented is what is enforced.

use ict_index::auth::Permission;
use ict_index::auth::{ClientScope, Role};

use crate::description::{Operation, document, operations};
use crate::support::{Answer, PASSWORD, TestService};

/// A path whose names exist nowhere.
pub fn concrete(path: &str) -> String {
    let mut out = String::new();
    for part in path.split('/').skip(1) {
        out.push('/');
        match part {
            "{id}" => out.push_str("01890000-0000-7000-8000-000000000000"),
            "{month}" => out.push_str("2018-02"),
            "{n}" => out.push('1'),
            part if part.starts_with('{') => out.push_str("NO-SUCH-THING"),
            part => out.push_str(part),
        }
    }
    out
}

async fn call(service: &TestService, operation: &Operation, token: Option<&str>) -> Answer {
    let call = service.call(&operation.method, &concrete(&operation.path));
    match token {
        Some(token) => call.as_(token).send().await,
        None => call.send().await,
    }
}

fn protected() -> Vec<(Operation, Permission)> {
    operations(&document())
        .into_iter()
        .filter_map(|o| o.permission().unwrap().map(|permission| (o, permission)))
        .collect()
}

#[actix_web::test]
async fn strangers_get_401_before_anything_is_parsed() {
    let service = TestService::start().await;
    for (operation, _) in protected() {
        let name = format!("{} {}", operation.method, operation.path);
        let anonymous = call(&service, &operation, None).await;
        assert_eq!(anonymous.status, 401, "{name}");
        assert!(anonymous.header("www-authenticate").starts_with("Bearer"), "{name}");
        let forged = call(&service, &operation, Some("eyJhbGciOiJub25lIn0.e30.")).await;
        assert_eq!(forged.status, 401, "{name} with a forged token");
        let garbage = service.call(&operation.method, &concrete(&operation.path)).raw("text/plain", "{\"");
        assert_eq!(garbage.send().await.status, 401, "{name} parses before it authenticates");
    }
}

#[actix_web::test]
async fn each_role_is_let_in_where_its_permissions_say_and_nowhere_else() {
    let service = TestService::start().await;
    for role in Role::ALL {
        let username = match role {
            Role::Officer => "officer.so-yt",
            other => other.as_str(),
        };
        let mut token = service.token(username).await;
        for (operation, permission) in protected() {
            let answer = call(&service, &operation, Some(&token)).await;
            check(&answer, permission.roles().contains(&role), &operation, username);
            if operation.path.ends_with("/logout") {
                token = service.token(username).await;
            }
        }
    }
}

#[actix_web::test]
async fn each_client_scope_opens_what_it_is_documented_to_and_nothing_else() {
    let service = TestService::start().await;
    let secret = PASSWORD.replace(' ', "+");
    for scope in ClientScope::ALL {
        let form = format!(
            "grant_type=client_credentials&client_id=vnpt&client_secret={secret}&scope={}",
            scope.as_str()
        );
        let token = service.call("POST", "oauth/token").form(&form).send().await.expect(200).json();
        let token = token["access_token"].as_str().unwrap();
        for (operation, _) in protected() {
            let answer = call(&service, &operation, Some(token)).await;
            check(&answer, operation.scopes().contains(&scope.as_str()), &operation, scope.as_str());
        }
    }
}

fn check(answer: &Answer, allowed: bool, operation: &Operation, caller: &str) {
    let (name, status) = (format!("{} {}", operation.method, operation.path), answer.status.as_u16());
    if allowed {
        assert!(
            status != 401 && status != 403,
            "{caller} is documented to be let in: {name} answered {status}"
        );
        assert!(status < 500, "{name} answered {status}");
        if operation.has_path_parameters() && operation.method == "GET" && !operation.path.contains("{month}")
        {
            assert_eq!(status, 404, "{name} of a thing that does not exist, as {caller}");
        }
    } else {
        assert_eq!(status, 403, "{caller} must not be let in: {name}");
        assert_eq!(answer.json()["code"], "FORBIDDEN");
    }
}

#[actix_web::test]
async fn every_operation_refuses_unknown_parameters_by_name() {
    let service = TestService::start().await;
    let coordinator = service.token("coordinator").await;
    let admin = service.token("admin").await;
    for (operation, permission) in protected() {
        let token = if permission.roles().contains(&Role::Coordinator) { &coordinator } else { &admin };
        let path = format!("{}?khong_co=1", concrete(&operation.path));
        let answer = service.call(&operation.method, &path).as_(token).send().await;
        let name = format!("{} {}", operation.method, operation.path);
        assert_eq!(answer.status, 400, "{name}");
        assert!(answer.text().contains("?khong_co"), "{name} does not name the parameter");
    }
}
