//! Codes checked: counted before they are compared, spent with what they open.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::model::{self, FactorRow};
use super::rules::{self, SubmittedCode};
use crate::accounts::login_throttle::{self, Attempt, Credential, Origin};
use crate::accounts::model::Credentials;
use crate::audit::{self, Event};
use crate::auth::{Actor, SecondFactor};
use crate::db::{Conn, Db, QueryResult};
use crate::http::client_address::ClientAddress;
use crate::http::{self, Problem};

/// A code that is right unless it was used before; [`Proof::spend`] decides.
#[derive(Clone, Debug)]
pub enum Proof {
    Step { secret: String, step: i64 },
    Recovery(Vec<u8>),
}

impl Proof {
    /// `None`: the code is wrong. `internal` problems: the secret cannot be read.
    pub fn of(
        factor: &SecondFactor,
        row: &FactorRow,
        user: Uuid,
        code: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, Problem> {
        let Some(stored) = &row.secret else { return Ok(None) };
        match SubmittedCode::parse(code) {
            SubmittedCode::Recovery(hash) => Ok(Some(Self::Recovery(hash))),
            SubmittedCode::Totp(code) => {
                let secret = factor.decrypt(stored, user.as_bytes()).map_err(Problem::internal)?;
                let step = rules::matching_step(&secret, &code, now);
                Ok(step.map(|step| Self::Step { secret: stored.clone(), step }))
            }
        }
    }

    /// In the transaction of what it opens; `false` when the code is wrong or was used before.
    pub async fn spend(
        self,
        conn: &mut Conn,
        user: Uuid,
        username: &str,
        actor: &Actor,
    ) -> QueryResult<bool> {
        match self {
            Self::Step { secret, step } => model::accept_step(conn, user, secret, step).await,
            Self::Recovery(hash) => {
                let used = model::use_recovery_code(conn, user, hash, actor.now).await?;
                if used {
                    let left = model::find(conn, user).await?.recovery_codes_left;
                    let after = Some(serde_json::json!({"recovery_codes_left": left}));
                    let key = username.to_owned();
                    let event =
                        Event { action: "use_recovery_code", entity: "user", key, before: None, after };
                    audit::record(conn, actor, event).await?;
                }
                Ok(used)
            }
        }
    }
}

/// A login whose password was right.
pub struct Claim<'a> {
    pub user: &'a Credentials,
    /// The counted attempt at the password.
    pub password: Attempt,
    pub address: &'a ClientAddress,
}

/// What a login has shown in addition to the password.
#[derive(Debug)]
pub struct LoginFactor {
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    /// Nothing is needed; the attempt at the password is still counted.
    Nothing(Attempt),
    /// The identity provider has verified it, or nothing is needed.
    Asserted(Option<DateTime<Utc>>),
    Code {
        proof: Proof,
        attempt: Attempt,
        user: Uuid,
        epoch: i32,
        username: String,
        actor: Actor,
    },
}

/// After the password was right: `SECOND_FACTOR_REQUIRED` for a user with a factor who sends no code, `INVALID_SECOND_FACTOR` for a wrong one.
pub async fn at_login(
    db: &Db,
    second_factor: &SecondFactor,
    claim: Claim<'_>,
    code: Option<&str>,
    actor: Actor,
) -> Result<LoginFactor, Problem> {
    let Claim { user, password, address } = claim;
    let (id, now) = (user.id, actor.now);
    let row = db.read(async move |conn: &mut Conn| Ok::<_, Problem>(model::find(conn, id).await?)).await?;
    if row.secret.is_none() {
        return Ok(LoginFactor { shown: Shown::Nothing(password) });
    }
    db.transaction(async move |conn: &mut Conn| Ok::<_, Problem>(password.succeeded(conn).await?)).await?;
    let code = code.ok_or_else(|| Problem::unauthenticated(http::ProblemCode::SecondFactorRequired))?;
    let (name, origin) = (user.username.clone(), Origin::Address(address.clone()));
    let counted = async move |conn: &mut Conn| {
        login_throttle::attempt(conn, Credential::SecondFactor, &name, &origin, now).await
    };
    let attempt = db.transaction(counted).await?;
    let proof = Proof::of(second_factor, &row, id, code, now)?.ok_or_else(|| refused(&actor))?;
    let (epoch, username) = (user.epoch, user.username.clone());
    Ok(LoginFactor { shown: Shown::Code { proof, attempt, user: id, epoch, username, actor } })
}

impl LoginFactor {
    /// What the identity provider asserts; `None`: no second factor.
    pub fn asserted(at: Option<DateTime<Utc>>) -> Self {
        Self { shown: Shown::Asserted(at) }
    }

    /// In the login's transaction, before the session is opened: since when the session has proved a factor, and the attempt that is still to be
    /// given back.
    pub async fn spend(self, conn: &mut Conn) -> Result<(Option<DateTime<Utc>>, Option<Attempt>), Problem> {
        let (proof, attempt, user, epoch, username, actor) = match self.shown {
            Shown::Nothing(attempt) => return Ok((None, Some(attempt))),
            Shown::Asserted(at) => return Ok((at, None)),
            Shown::Code { proof, attempt, user, epoch, username, actor } => {
                (proof, attempt, user, epoch, username, actor)
            }
        };
        // The account before its factor, as a reset locks them.
        if !model::lock_account(conn, user, epoch).await? {
            return Err(Problem::unauthenticated(http::ProblemCode::InvalidCredentials));
        }
        if !proof.spend(conn, user, &username, &actor).await? {
            return Err(refused(&actor));
        }
        Ok((Some(actor.now), Some(attempt)))
    }
}

/// The caller knows the password and not the code: worth a line in the log.
fn refused(actor: &Actor) -> Problem {
    let (caller, request_id) = (actor.name.as_str(), actor.request_id.as_str());
    log::warn!(target: "security", caller, request_id; "correct password with an incorrect second factor");
    Problem::unauthenticated(http::ProblemCode::InvalidSecondFactor)
}
