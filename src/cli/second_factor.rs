//! Second factors from the command line: the last administrator's reset, and the keys that encrypt secrets.

use super::{Outcome, block_on, one, open_db, plain};
use crate::accounts::second_factor::reset;
use crate::auth::{Actor, TokenKeys};
use crate::clock::Clock;
use crate::config::Environment;
use crate::db::Conn;

pub(super) fn reset(env: &Environment, username: &str) -> Outcome {
    let db = open_db(env)?;
    let (actor, username) = (Actor::system(Clock::System.now()), username.to_owned());
    block_on(async move {
        let work = async move |conn: &mut Conn| reset::reset(conn, &username, &actor).await;
        db.transaction(work).await.map_err(plain)
    })?;
    println!("reset: the next login requires the password only");
    Ok(())
}

pub(super) fn rotate_keys(env: &Environment) -> Outcome {
    let path = env.get("SECOND_FACTOR_KEY_FILE").ok_or_else(|| one("SECOND_FACTOR_KEY_FILE: missing"))?;
    let kid = TokenKeys::rotate_encryption(path.as_ref(), Clock::System.now()).map_err(one)?;
    println!("added key {kid} to {path}; protect and back up the file like the database");
    Ok(())
}
