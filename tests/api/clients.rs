//! The clients in `examples/`, run as their users would, against a service that listens.

use std::process::{Command, Output};

use serde_json::json;

use crate::dossiers::{add_service, batch, row};
use crate::support::{PASSWORD, TestService};

/// A service with two procedures, and where it listens.
async fn start() -> (TestService, String) {
    let service = TestService::start().await;
    add_service(&service, "L3", "Đất đai", &[(3, "2018-01-01")], &["SO-YT"]).await;
    add_service(&service, "L4", "Đất đai", &[(4, "2018-01-01")], &["SO-YT"]).await;
    let url = service.listen();
    (service, url)
}

/// Runs a script of `examples/` while the service goes on answering.
async fn run(url: &str, client: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new("python3");
    command
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"))
        .args(["-B"])
        .args(arguments)
        .env("ICT_INDEX_URL", url)
        .env("CLIENT_ID", client)
        .env("CLIENT_SECRET", PASSWORD);
    tokio::task::spawn_blocking(move || command.output().expect("python3 runs")).await.unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

const HEADER: &str = "agency,service,channel,received,resolved_early,resolved_on_time,resolved_late,withdrawn,carried_in,\
    in_progress_on_time,in_progress_overdue\n";

#[actix_web::test]
async fn an_integration_pushes_a_month_and_pulls_its_rates() {
    let (service, url) = start().await;
    let file = std::env::temp_dir().join(format!("counts-{}.csv", uuid::Uuid::now_v7()));
    let path = file.to_str().unwrap();
    let rows = "SO-YT,L3,online,60,10,50,0,0,0,0,0\nSO-YT,L3,in_person,40,0,40,0,0,0,0,0\n";
    std::fs::write(&file, format!("{HEADER}{rows}")).unwrap();

    let first = run(&url, "vnpt", &["vnpt.py", "2018-02", path, "--watch", "0", "--times", "2"]).await;
    let said = text(&first);
    assert!(first.status.success(), "{said}");
    assert!(said.contains("2018-02: revision 1, 2 created, 0 updated"), "{said}");
    assert!(said.contains("dossiers_level_3_resolved: 60 of 100, 60 %"), "{said}");
    assert!(said.contains("dossiers_level_4_resolved: 0 of 0, no dossiers"), "{said}");
    assert_eq!(said.matches("unchanged\n").count(), 2, "the tag it holds is still good: {said}");

    let again = text(&run(&url, "vnpt", &["vnpt.py", "2018-02", path]).await);
    assert!(again.contains("revision 1, 0 created, 0 updated, 2 unchanged"), "{again}");

    std::fs::write(&file, format!("{HEADER}SO-YT,L9,online,\"84,1\",0,0,0,0,0,0,0\n").replace("84,1", "84"))
        .unwrap();
    let refused = run(&url, "vnpt", &["vnpt.py", "2018-02", path]).await;
    assert!(!refused.status.success());
    assert!(text(&refused).contains("/rows/0/service"), "{}", text(&refused));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(service.verify(false).await, []);
}

#[actix_web::test]
async fn a_portal_asks_often_and_shows_what_is_new() {
    let (service, url) = start().await;
    let token = service.client_token("vnpt").await;
    let rows = [row("SO-YT", "L3", "online", 70, 0), row("SO-YT", "L3", "postal", 30, 0)];
    service.put("dossier-batches/vnpt/2018-02", batch(&rows)).as_(&token).send().await.expect(200);
    let target = json!({"subject": "metric", "code": "dossiers_level_3_resolved", "scope": "province", "year": 2018,
        "comparator": "gte", "value": 60, "due": "2018-12-31", "source": "KH 332"});
    let coordinator = service.token("coordinator").await;
    let stored = service.put("targets", target).as_(&coordinator).send().await;
    assert!(stored.status.is_success() || stored.status.as_u16() == 428, "{}", stored.text());
    let shown = run(&url, "portal", &["portal.py", "2018-02", "--every", "0", "--times", "2"]).await;
    let said = text(&shown);
    assert!(shown.status.success(), "{said}");
    assert!(said.contains("| Sở Y tế | 70 | 100 | 70 | met |"), "{said}");
    assert!(said.contains("Procedures at level 3 or 4: 2 of 2; at level 4: 1 of 2."), "{said}");
    assert!(said.ends_with("unchanged\n"), "{said}");
}
