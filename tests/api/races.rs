//! Nothing is decided by a look at what another request is about to change.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, TestService};

/// Statuses of requests that are sent at the same time to two instances, and how often each came.
fn counted(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status.as_u16() == status).count()
}

/// Actions of the events about a thing, the oldest first.
async fn events(service: &TestService, entity: &str, key: &str) -> Vec<Value> {
    let admin = service.token("admin").await;
    let path = format!("audit-events?entity={entity}&key={key}&limit=200");
    let mut events =
        service.get(&path).as_(&admin).send().await.expect(200).json()["items"].as_array().unwrap().clone();
    events.sort_by_key(|event| event["after"]["version"].as_i64());
    events
}

/// One was created and every other was a change of the one before.
#[track_caller]
fn is_a_chain(events: &[Value], changes: usize) {
    assert_eq!(events.len(), changes);
    for (n, event) in events.iter().enumerate() {
        assert_eq!(event["action"], if n == 0 { "create" } else { "update" }, "{event}");
        if n > 0 {
            assert_eq!(event["before"], events[n - 1]["after"], "what it replaced is recorded");
        }
    }
}

#[actix_web::test]
async fn creators_of_one_target_and_of_one_result_come_one_after_the_other() {
    let (one, other) = {
        let one = TestService::start().await;
        let other = one.beside().await;
        (one, other)
    };
    let token = one.token("coordinator").await;
    let service = |n: usize| if n.is_multiple_of(2) { &one } else { &other };
    let target = |n: usize| {
        json!({"subject": "metric", "code": "dossiers_level_4_resolved", "scope": "province", "year": 2031,
            "comparator": "gte", "value": n + 1, "due": "2031-12-31", "source": "KH"})
    };
    let answers = join_all((0..40).map(|n| service(n).put("targets", target(n)).as_(&token).send())).await;
    assert_eq!(counted(&answers, 200), 40, "{answers:?}");
    is_a_chain(&events(&one, "target", "dossiers_level_4_resolved/province/-/2031").await, 40);

    let result = |n: usize| json!({"index_year": 2031, "node": "ICT", "rank": n + 1, "source": "Bộ TTTT"});
    let answers =
        join_all((0..40).map(|n| service(n).put("national-results", result(n)).as_(&token).send())).await;
    assert_eq!(counted(&answers, 200), 40, "{answers:?}");
    is_a_chain(&events(&one, "national_result", "2031/ICT").await, 40);
}

#[actix_web::test]
async fn of_many_creators_of_one_thing_one_succeeds() {
    let one = TestService::start().await;
    let other = one.beside().await;
    let (coordinator, admin) = (one.token("coordinator").await, one.token("admin").await);
    let things = [
        ("agencies", &coordinator, json!({"code": "SO-MOI", "name": "Sở Mới", "kind": "department"})),
        ("clients", &admin, json!({"client_id": "lgsp", "name": "LGSP", "scopes": ["statistics:read"]})),
        ("submissions", &coordinator, json!({"agency": "SO-YT", "period": "2018-02"})),
        (
            "users",
            &admin,
            json!({"username": "an.nguyen", "display_name": "An", "role": "monitor", "password": "ba đường bảy nẻo"}),
        ),
    ];
    for (path, token, body) in things {
        let calls = (0..40).map(|n: u32| {
            let service = if n.is_multiple_of(2) { &one } else { &other };
            service.post(path, body.clone()).as_(token).send()
        });
        let answers = join_all(calls).await;
        assert_eq!((counted(&answers, 201), counted(&answers, 409)), (1, 39), "{path}");
    }
}

#[actix_web::test]
async fn administrators_who_disable_each_other_leave_one() {
    let one = TestService::start().await;
    let other = one.beside().await;
    let admin = one.token("admin").await;
    for name in ["admin2", "admin3"] {
        let user =
            json!({"username": name, "display_name": name, "role": "admin", "password": "ba đường bảy nẻo"});
        one.post("users", user).as_(&admin).send().await.expect(201);
    }
    let disable = json!({"disabled": true});
    let calls = ["admin", "admin2", "admin3"].map(|name| {
        let service = if name == "admin" { &one } else { &other };
        service.patch(&format!("users/{name}"), disable.clone()).as_(&admin).if_match("\"1\"").send()
    });
    let answers = join_all(calls).await;
    assert!(counted(&answers, 500) == 0 && counted(&answers, 200) >= 1, "{answers:?}");
    let left = ict_index::db::sql(
        "select count(*) as value from users where role = 'admin' and disabled_at is null",
    );
    let read = async move |conn: &mut ict_index::db::Conn| {
        Ok::<i64, ict_index::http::Problem>(left.value(conn).await?)
    };
    let left = one.state.db().read(read).await.map_err(|problem| format!("{problem:?}")).unwrap();
    assert!(left >= 1);
    assert_eq!(left, 3 - i64::try_from(counted(&answers, 200)).unwrap());
}
