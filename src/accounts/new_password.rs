//! A password that a user or an administrator chose, on its way into the database.

use super::rules::guessable_password;
use crate::auth::Passwords;
use crate::db::Caller;
use crate::http::{Problem, ProblemCode};

/// Its hash, unless it is guessable; `pointer` says where in the body it stands.
pub(super) async fn hash_new(
    passwords: &Passwords,
    caller: &Caller,
    pointer: &'static str,
    password: &str,
    (username, name): (&str, &str),
) -> Result<String, Problem> {
    let hashed = passwords.hash_unless_guessable(caller, password, username, name).await?;
    hashed.ok_or_else(|| Problem::at(ProblemCode::WeakPassword, pointer, guessable_password()))
}
