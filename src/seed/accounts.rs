//! Demo accounts: one per role, an officer per agency, and the two machines.

use crate::accounts::client_model;
use crate::accounts::model::{self, UserWrite};
use crate::agencies::model::{self as agencies, AgencyQuery};
use crate::audit::{self, Event};
use crate::auth::{Actor, ClientScope, Role};
use crate::db::Conn;
use crate::db::list::{Order, Window};
use crate::http::Problem;

const CLIENTS: [(&str, &str, &[ClientScope]); 2] = [
    (
        "portal",
        "Cổng thông tin điện tử tỉnh (demo)",
        &[ClientScope::StatisticsRead, ClientScope::CatalogueRead],
    ),
    ("vnpt", "Hệ thống một cửa VNPT (demo)", &ClientScope::ALL),
];

/// Answers how many were added.
pub async fn people(conn: &mut Conn, hash: &str, actor: &Actor) -> Result<usize, Problem> {
    let mut users = Vec::new();
    for (role, name) in [
        (Role::Admin, "Quản trị (demo)"),
        (Role::Coordinator, "Sở Thông tin và Truyền thông (demo)"),
        (Role::Monitor, "Văn phòng UBND tỉnh (demo)"),
    ] {
        users.push(UserWrite {
            username: role.as_str().into(),
            display_name: name.into(),
            role: role.as_str(),
            agency: None,
        });
    }
    let by_code = [Order { key: agencies::CODE, descending: false }];
    let all = Window { limit: 1000, after: None, count: false };
    for agency in agencies::list(conn, AgencyQuery::default(), &by_code, all).await?.rows {
        users.push(UserWrite {
            username: format!("officer.{}", agency.code.to_lowercase()),
            display_name: format!("Cán bộ {} (demo)", agency.name),
            role: Role::Officer.as_str(),
            agency: Some(agency.id),
        });
    }
    let mut added = 0;
    for user in users {
        let username = user.username.clone();
        if model::insert_user(conn, user, hash.to_owned(), actor.now).await? {
            let row = model::find_user(conn, &username).await?;
            audit::record(conn, actor, Event::create("user", username, &row)).await?;
            added += 1;
        }
    }
    Ok(added)
}

/// Answers how many were added.
pub async fn machines(conn: &mut Conn, secret_hash: &[u8], actor: &Actor) -> Result<usize, Problem> {
    let mut added = 0;
    for (id, name, scopes) in CLIENTS {
        let scopes = scopes.iter().map(|s| s.as_str().to_owned()).collect();
        if client_model::insert_client(conn, id, name, scopes, actor.now).await? {
            client_model::add_secret(conn, id, secret_hash.to_vec(), actor.now).await?;
            let row = client_model::find_client(conn, id).await?;
            audit::record(conn, actor, Event::create("client", id, &row)).await?;
            added += 1;
        }
    }
    Ok(added)
}
