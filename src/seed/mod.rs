//! The plan's content, loaded from the tables in `data/`: idempotent, and nothing that people changed is overwritten.

mod accounts;
mod agencies;
mod demo_dossiers;
mod demo_observations;
mod demo_services;
mod demo_submissions;
mod demo_tasks;
mod indicators;
mod table;
mod targets;
mod tasks;

use chrono::{DateTime, Utc};

use crate::accounts::rules::{Opaque, hash_of};
use crate::auth::{Actor, Passwords};
use crate::db::{Caller, Conn, Db, RlsContext};
use crate::http::Problem;

/// Loads what is missing of plan 332/KH-UBND; answers what there is in one line.
pub async fn plan(db: &Db, now: DateTime<Utc>) -> Result<String, Problem> {
    let actor = Actor::system(now);
    db.transaction_as(RlsContext::all(), async move |conn: &mut Conn| {
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

/// Adds demo accounts, clients and labelled data; answers how to log in. A password that is given is from now on that of all
/// demo accounts; without one, new accounts get a random one.
pub async fn demo(
    db: &Db,
    passwords: &Passwords,
    password: Option<String>,
    now: DateTime<Utc>,
) -> Result<String, Problem> {
    let given = password.is_some();
    let password = password.unwrap_or_else(|| Opaque::random().text);
    let added = demo_accounts(db, passwords, &password, now).await?;
    let renewed = if given { renew_passwords(db, passwords, &password, now).await? } else { 0 };
    let actor = Actor::system(now);
    db.transaction_as(RlsContext::all(), async move |conn: &mut Conn| {
        demo_services::load(conn, &actor).await?;
        demo_submissions::load(conn, &actor).await?;
        demo_tasks::load(conn, &actor).await?;
        demo_observations::load(conn, &actor).await
    })
    .await?;
    Ok(match (given, added) {
        (true, _) => format!("demo accounts: {added} added, {renewed} given the password of DEMO_PASSWORD"),
        (false, 0) => "demo accounts already exist; their password is unchanged".to_owned(),
        (false, n) => format!("{n} demo accounts; password and client secret of all: {password}"),
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
    let hash =
        passwords.hash(&Caller::system(), password).await.map_err(|_| Problem::internal("cannot hash"))?;
    let secret = hash_of(password);
    db.transaction_as(RlsContext::all(), async move |conn: &mut Conn| {
        let people = accounts::people(conn, &hash, &actor).await?;
        Ok::<_, Problem>(people + accounts::machines(conn, &secret, &actor).await?)
    })
    .await
}

/// Gives demo accounts that have another password this one; only accounts labelled as demo. Answers how many.
async fn renew_passwords(
    db: &Db,
    passwords: &Passwords,
    password: &str,
    now: DateTime<Utc>,
) -> Result<usize, Problem> {
    let stored =
        db.read(async |conn: &mut Conn| Ok::<_, Problem>(accounts::a_demo_hash(conn).await?)).await?;
    if passwords.verify(&Caller::system(), password, stored).await? {
        return Ok(0);
    }
    let hash = passwords.hash(&Caller::system(), password).await?;
    let (secret, actor) = (hash_of(password), Actor::system(now));
    let renew = async move |conn: &mut Conn| accounts::renew(conn, hash, secret, &actor).await;
    db.transaction_as(RlsContext::all(), renew).await
}
