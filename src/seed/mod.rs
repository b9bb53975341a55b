//! The plan's content, loaded from the tables in `data/`: idempotent, and nothing that people changed is overwritten.

mod accounts;
mod agencies;
mod demo_dossiers;
mod demo_services;
mod demo_submissions;
mod demo_tasks;
mod indicators;
mod table;
mod targets;
mod tasks;

use chrono::{DateTime, Utc};

use crate::accounts::rules::Opaque;
use crate::auth::{Actor, Passwords};
use crate::db::{Conn, Db};
use crate::http::Problem;

/// Loads what is missing of plan 332/KH-UBND; answers what there is in one line.
pub async fn plan(db: &Db, now: DateTime<Utc>) -> Result<String, Problem> {
    let actor = Actor::system(now);
    db.transaction(async move |conn: &mut Conn| {
        let agencies = agencies::load(conn, &actor).await?;
        let indicators = indicators::load(conn, &actor).await?;
        let targets = targets::load(conn, &actor).await?;
        let tasks = tasks::load(conn, &actor).await?;
        Ok::<_, Problem>(format!(
            "{agencies} agencies, {indicators} indicators, {targets} targets, {tasks} tasks"
        ))
    })
    .await
}

/// Adds demo accounts, clients and labelled data; answers how to log in.
pub async fn demo(
    db: &Db,
    passwords: &Passwords,
    password: Option<String>,
    now: DateTime<Utc>,
) -> Result<String, Problem> {
    let (password, made) = match password {
        Some(password) => (password, false),
        None => (Opaque::random().text, true),
    };
    let added = demo_accounts(db, passwords, &password, now).await?;
    let actor = Actor::system(now);
    db.transaction(async move |conn: &mut Conn| {
        demo_services::load(conn, &actor).await?;
        demo_submissions::load(conn, &actor).await?;
        demo_tasks::load(conn, &actor).await
    })
    .await?;
    Ok(match (added, made) {
        (0, _) => "demo accounts are there already".to_owned(),
        (n, true) => format!("{n} demo accounts; password and client secret of all: {password}"),
        (n, false) => format!("{n} demo accounts with the password of DEMO_PASSWORD"),
    })
}

/// Adds the demo accounts and clients that are missing; answers how many.
pub async fn demo_accounts(
    db: &Db,
    passwords: &Passwords,
    password: &str,
    now: DateTime<Utc>,
) -> Result<usize, Problem> {
    let actor = Actor::system(now);
    // One hash for all: they share the password, and a hash takes its time by design.
    let hash = passwords.hash(password).await.map_err(|_| Problem::internal("cannot hash"))?;
    let secret = crate::accounts::rules::hash_of(password);
    db.transaction(async move |conn: &mut Conn| {
        let people = accounts::people(conn, &hash, &actor).await?;
        Ok::<_, Problem>(people + accounts::machines(conn, &secret, &actor).await?)
    })
    .await
}
