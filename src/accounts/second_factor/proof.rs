//! What a change of one's own second factor requires: the password and, where a factor is in force, a code of it.

use serde_json::json;
use uuid::Uuid;

use super::guard::Proof;
use super::model::{self, FactorRow};
use super::wire::SecondFactorProof;
use crate::accounts::login_throttle::{self, Attempt, Credential, Origin};
use crate::accounts::me::password::require_current_password;
use crate::accounts::model as users;
use crate::audit::{self, Event};
use crate::auth::permission::OwnAccount;
use crate::auth::{Access, Actor, Identity};
use crate::db::Conn;
use crate::http::{Problem, ProblemCode};
use crate::state::State;

/// A user who has shown the password, and perhaps a code.
#[derive(Debug)]
pub struct Owner {
    pub id: Uuid,
    pub username: String,
    /// `None`: a token of the identity provider.
    pub session: Option<Uuid>,
    pub actor: Actor,
    epoch: i32,
    password_hash: String,
    pub factor: FactorRow,
    proof: Option<(Proof, Attempt)>,
}

impl Owner {
    /// Whose account it is; nothing is shown yet.
    pub async fn of(access: &Access<OwnAccount>) -> Result<Self, Problem> {
        let Identity::User { id, username, session, .. } = access.identity() else {
            return Err(Problem::new(ProblemCode::Forbidden));
        };
        let (id, username, session, name) = (*id, username.clone(), *session, username.clone());
        let (known, factor) = access
            .read(async move |conn| {
                Ok((users::credentials(conn, &name).await?, model::find(conn, id).await?))
            })
            .await?;
        let known = known.filter(|known| known.id == id).ok_or_else(stale)?;
        let (epoch, password_hash) = (known.epoch, known.password_hash);
        Ok(Self { id, username, session, actor: access.actor(), epoch, password_hash, factor, proof: None })
    }

    /// The owner, when password and code of the request are right.
    pub async fn proved(
        access: &Access<OwnAccount>,
        state: &State,
        proof: &SecondFactorProof,
    ) -> Result<Self, Problem> {
        let owner = Self::of(access).await?;
        owner.check_password(access, state, &proof.current_password).await?;
        owner.check_code(access, state, proof.code.as_deref()).await
    }

    /// Checks the password; `WRONG_PASSWORD` at `/current_password`.
    async fn check_password(
        &self,
        access: &Access<OwnAccount>,
        state: &State,
        password: &str,
    ) -> Result<(), Problem> {
        require_current_password(access, state, password, self.password_hash.clone()).await
    }

    /// Compares the code with the factor in force; without one there is nothing to show.
    async fn check_code(
        mut self,
        access: &Access<OwnAccount>,
        state: &State,
        code: Option<&str>,
    ) -> Result<Self, Problem> {
        if self.factor.secret.is_none() {
            return Ok(self);
        }
        let Some(code) = code else {
            return Err(Problem::at(
                ProblemCode::Required,
                "/code",
                ProblemCode::SecondFactorRequired.title(),
            ));
        };
        let attempt = self.attempt(access).await?;
        let proof = Proof::of(state.second_factor(), &self.factor, self.id, code, self.actor.now)?;
        self.proof = Some((proof.ok_or_else(wrong_code)?, attempt));
        Ok(self)
    }

    /// Counts an attempt at a code, by session: no other caller can lock the user out of this.
    pub async fn attempt(&self, access: &Access<OwnAccount>) -> Result<Attempt, Problem> {
        let (name, origin, now) =
            (self.username.clone(), Origin::Session(self.session.unwrap_or(self.id)), self.actor.now);
        access
            .transaction(async move |conn| {
                login_throttle::attempt(conn, Credential::SecondFactor, &name, &origin, now).await
            })
            .await
    }

    /// In the transaction of the change: locks the account, and spends the code.
    pub async fn lock(&mut self, conn: &mut Conn) -> Result<(), Problem> {
        if !model::lock_account(conn, self.id, self.epoch).await? {
            return Err(stale());
        }
        if let Some((proof, attempt)) = self.proof.take() {
            if !proof.spend(conn, self.id, &self.username, &self.actor).await? {
                return Err(wrong_code());
            }
            attempt.succeeded(conn).await?;
        }
        Ok(())
    }

    /// `enrolled`: how it stands afterwards, when that has changed.
    pub async fn record(
        &self,
        conn: &mut Conn,
        action: &'static str,
        enrolled: Option<bool>,
    ) -> Result<(), Problem> {
        let before = enrolled.map(|_| json!({"second_factor": self.factor.secret.is_some()}));
        let after = enrolled.map(|enrolled| json!({"second_factor": enrolled}));
        let event = Event { action, entity: "user", key: self.username.clone(), before, after };
        Ok(audit::record(conn, &self.actor, event).await?)
    }
}

pub fn wrong_code() -> Problem {
    Problem::at(ProblemCode::WrongSecondFactor, "/code", ProblemCode::WrongSecondFactor.title())
}

/// The account has changed since the request began.
fn stale() -> Problem {
    Problem::unauthenticated(ProblemCode::InvalidToken)
}
