//! Demo accounts: one per role, an officer per agency, and the two machines.

use crate::accounts::client_model;
use crate::accounts::model::{self, UserWrite};
use crate::accounts::rules::SECRET_OVERLAP_SECONDS;
use crate::agencies::model::{self as agencies, AgencyQuery};
use crate::audit::{self, Event};
use crate::auth::{Actor, ClientScope, Role};
use crate::db::keyset::{Order, PageRequest};
use crate::db::{Conn, QueryResult, sql};
use crate::http::Problem;
use uuid::Uuid;

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
        (Role::Admin, "Quản trị hệ thống (demo)"),
        (Role::Coordinator, "Sở Thông tin và Truyền thông (demo)"),
        (Role::Monitor, "Văn phòng UBND tỉnh (demo)"),
    ] {
        users.push(UserWrite {
            username: role.as_str().into(),
            display_name: name.into(),
            role: role.as_str(),
            agency: None,
            must_change_password: false,
        });
    }
    let by_code = [Order { key: agencies::CODE, descending: false }];
    let all = PageRequest { limit: 1000, after: None, count: false };
    for agency in agencies::list(conn, AgencyQuery::default(), &by_code, all).await?.rows {
        users.push(UserWrite {
            username: format!("officer.{}", agency.code.to_lowercase()),
            display_name: format!("Cán bộ báo cáo – {} (demo)", agency.name),
            role: Role::Officer.as_str(),
            agency: Some(agency.id),
            must_change_password: false,
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
            client_model::add_secret(conn, id, secret_hash.to_vec(), SECRET_OVERLAP_SECONDS, actor.now)
                .await?;
            let row = client_model::find_client(conn, id).await?;
            audit::record(conn, actor, Event::create("client", id, &row)).await?;
            added += 1;
        }
    }
    Ok(added)
}

/// What tells a demo account from a real one of the same name.
const LABEL: &str = "%(demo)";

/// The hash that demo accounts share, of one of them.
pub async fn a_demo_hash(conn: &mut Conn) -> QueryResult<Option<String>> {
    let hashes: Vec<String> =
        sql("select password_hash as value from users where display_name like $1 order by updated_at desc limit 1")
            .bind(LABEL)
            .values(conn)
            .await?;
    Ok(hashes.into_iter().next())
}

/// Gives every demo account that is in use this password, and every demo client this secret.
pub async fn renew(conn: &mut Conn, hash: String, secret: Vec<u8>, actor: &Actor) -> Result<usize, Problem> {
    row! { struct Demo { id: Uuid, username: String, epoch: i32 } }
    let users: Vec<Demo> = sql(
        "select id, username, epoch from users where display_name like $1 and disabled_at is null for update",
    )
    .bind(LABEL)
    .rows(conn)
    .await?;
    let clients: Vec<String> =
        sql("select client_id as value from clients where name like $1").bind(LABEL).values(conn).await?;
    let count = users.len() + clients.len();
    for user in users {
        model::set_password(conn, user.id, user.epoch, hash.clone(), actor.now).await?;
        record(conn, actor, "change_password", "user", user.username).await?;
    }
    for id in clients {
        client_model::add_secret(conn, &id, secret.clone(), SECRET_OVERLAP_SECONDS, actor.now).await?;
        record(conn, actor, "rotate_secret", "client", id).await?;
    }
    Ok(count)
}

async fn record(
    conn: &mut Conn,
    actor: &Actor,
    action: &'static str,
    entity: &'static str,
    key: String,
) -> QueryResult<()> {
    audit::record(conn, actor, Event { action, entity, key, before: None, after: None }).await
}
