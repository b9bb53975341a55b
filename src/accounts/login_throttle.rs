//! Throttling of authentication: an attempt is counted before it is decided, in the database, for all instances (docs/adr/0022).
//!
//! [`attempt`] takes from the budgets in one upsert, so that however many come at once, no more than the budget are decided. A
//! success gives its own count back; what is never settled (a client that departs) stays counted as a failure.

use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::rules::is_username;
use crate::db::{Conn, Db, DbError, QueryResult, sql};
use crate::http::client_address::ClientAddress;
use crate::http::{Problem, ProblemCode};
use crate::ids::is_code;
use crate::values::hex;

/// Failures of one account from one origin.
const ACCOUNT_AND_ORIGIN_BUDGET: i32 = 10;
/// Failures of one address whatever the account, against guessing names.
const ADDRESS_BUDGET: i32 = 600;
const WINDOW_MINUTES: i64 = 10;
/// Failures of one account over all addresses (NIST SP 800-63B-4, 3.2.2); an origin it is known from has a budget of its own in addition.
const ACCOUNT_BUDGET: i32 = 100;
const ACCOUNT_WINDOW_HOURS: i64 = 24;
/// How long an address stays known after a login.
const KNOWN_ADDRESS_DAYS: i64 = 30;
const MOST_KNOWN_ADDRESSES: i32 = 20;

/// What is guessed. Each has counters of its own.
#[derive(Clone, Copy, Debug)]
pub enum Credential {
    Password,
    ClientSecret,
    SecondFactor,
    SingleSignOn,
}

impl Credential {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::ClientSecret => "client_secret",
            Self::SecondFactor => "second_factor",
            Self::SingleSignOn => "single_sign_on",
        }
    }

    fn is_account(self, text: &str) -> bool {
        match self {
            Self::Password | Self::SecondFactor => is_username(text),
            Self::ClientSecret | Self::SingleSignOn => is_code(text),
        }
    }
}

/// Where an attempt comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    Address(ClientAddress),
    /// Of a user who is logged in: known, whatever other callers do elsewhere.
    Session(Uuid),
}

impl Origin {
    fn key(&self) -> String {
        match self {
            Self::Address(address) => address.as_str().to_owned(),
            Self::Session(id) => format!("session:{id}"),
        }
    }
}

/// An attempt that was counted and is to be decided.
#[derive(Clone, Debug)]
#[must_use = "an attempt that succeeds has to be given back"]
pub struct Attempt {
    account_and_origin: String,
    /// The other counters it is in.
    others: Vec<String>,
}

row! {
    struct Counted {
        known: bool,
        /// Until when a budget is used up; null: the attempt may be decided.
        closed_until: Option<DateTime<Utc>>,
    }
}

/// Counts an attempt against its budgets, all or none, or answers 429. Belongs into a transaction of its own: the refusal rolls
/// back what was counted. Does the same work for accounts that exist and for others.
pub async fn attempt(
    conn: &mut Conn,
    credential: Credential,
    account: &str,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<Attempt, Problem> {
    // What cannot be an account is counted under one key: the table does not grow by nonsense.
    let account = if credential.is_account(account) { account } else { "-" };
    let keys = Keys::of(credential, account, origin);
    let counted = count(conn, &keys, account, origin, now).await?;
    if let Some(until) = counted.closed_until {
        let left = (until - now).num_seconds().max(1);
        let minutes = (left + 59) / 60;
        let detail = msg!(
            "Nhập sai mật khẩu, mã bí mật hoặc mã xác thực quá nhiều lần; đề nghị thử lại sau {minutes} phút.",
            "Too many failed attempts. Try again in {minutes} min."
        );
        let problem = Problem::with(ProblemCode::TooManyRequests, detail);
        return Err(problem.retry_after(u64::try_from(left).unwrap_or(1)));
    }
    let others = if counted.known { vec![keys.known] } else { vec![keys.address, keys.account] };
    Ok(Attempt { account_and_origin: keys.account_and_origin, others })
}

/// Subjects of the counters.
struct Keys {
    account_and_origin: String,
    address: String,
    known: String,
    account: String,
}

impl Keys {
    fn of(credential: Credential, account: &str, origin: &Origin) -> Self {
        let (kind, origin) = (credential.as_str(), origin.key());
        Self {
            account_and_origin: format!("{kind}:{account}@{origin}"),
            address: format!("address:{origin}"),
            known: format!("{kind}:{account}@{origin} known"),
            account: account_key(credential, account),
        }
    }
}

/// One of 65,536 for each kind, by a hash: invented names, counted for a day, do not make the table grow. Two accounts under one key
/// share a budget, which is no more than an attacker of both could use up.
fn account_key(credential: Credential, account: &str) -> String {
    let digest = Sha256::digest(account.as_bytes());
    format!("account:{}:{}", credential.as_str(), hex(digest.get(..2).unwrap_or_default()))
}

async fn count(
    conn: &mut Conn,
    keys: &Keys,
    account: &str,
    origin: &Origin,
    now: DateTime<Utc>,
) -> QueryResult<Counted> {
    // Rows are locked in the order of their subjects, here and in `settle`: no deadlock. Nobody waits for the disk: a server that
    // crashes within the next second forgets an attempt, and nobody who guesses can make it crash.
    sql("with origin as materialized (\
           select $1 or exists (select 1 from login_addresses a join users u on u.id = a.user_id \
                where u.username = $2 and a.address = $3 and a.last_login_at > $4) as known), \
         wanted as materialized (\
           select c.subject, c.budget, c.expires_at from origin cross join lateral (values \
             ($5, $6, $7, true), ($8, $9, $7, not known), ($10, $11, $12, known), ($13, $11, $12, not known)) \
             as c (subject, budget, expires_at, applies) where c.applies), \
         counted as (\
           insert into login_attempts as a (subject, attempts, budget, expires_at) \
           select subject, 1, budget, expires_at from wanted order by subject \
           on conflict (subject) do update set budget = excluded.budget, \
             attempts = case when a.expires_at > $14 then a.attempts + 1 else 1 end, \
             expires_at = case when a.expires_at > $14 then a.expires_at else excluded.expires_at end \
           where a.expires_at <= $14 or a.attempts < excluded.budget returning subject) \
         select (select known from origin) as known, set_config('synchronous_commit', 'off', true) as committed, \
           (select max(case when a.expires_at > $14 then a.expires_at else w.expires_at end) \
            from wanted w left join login_attempts a on a.subject = w.subject \
            where w.subject not in (select subject from counted)) as closed_until")
    .bind(matches!(origin, Origin::Session(_)))
    .bind(account.to_owned())
    .bind(origin.key())
    .bind(now - Duration::days(KNOWN_ADDRESS_DAYS))
    .bind(keys.account_and_origin.clone())
    .bind(ACCOUNT_AND_ORIGIN_BUDGET)
    .bind(now + Duration::minutes(WINDOW_MINUTES))
    .bind(keys.address.clone())
    .bind(ADDRESS_BUDGET)
    .bind(keys.known.clone())
    .bind(ACCOUNT_BUDGET)
    .bind(now + Duration::hours(ACCOUNT_WINDOW_HOURS))
    .bind(keys.account.clone())
    .bind(now)
    .row(conn)
    .await
}

impl Attempt {
    /// Gives the attempt back, and forgets failures of the account from the same origin.
    pub async fn succeeded(&self, conn: &mut Conn) -> QueryResult<()> {
        self.settle(conn, true).await
    }

    /// It could not be decided: it counts no more.
    pub async fn give_back(&self, conn: &mut Conn) -> QueryResult<()> {
        self.settle(conn, false).await
    }

    /// What the decision came to; an attempt that could not be decided is given back.
    pub async fn decided<T>(&self, db: &Db, outcome: Result<T, DbError>) -> Result<T, Problem> {
        if outcome.is_err() {
            let attempt = self.clone();
            db.read(async move |conn: &mut Conn| Ok::<_, Problem>(attempt.give_back(conn).await?)).await?;
        }
        Ok(outcome?)
    }

    async fn settle(&self, conn: &mut Conn, forget_failures: bool) -> QueryResult<()> {
        let mut subjects = self.others.clone();
        subjects.push(self.account_and_origin.clone());
        sql("with held as materialized (select subject from login_attempts where subject = any($1) order by subject for update) \
             update login_attempts set attempts = case when $3 and starts_with(subject, $2) then 0 else greatest(attempts - 1, 0) end \
             where subject = any($1) and (select count(*) from held) > 0")
        .bind(subjects)
        .bind(self.account_and_origin.clone())
        .bind(forget_failures)
        .run(conn)
        .await?;
        Ok(())
    }
}

/// Remembers where a user has logged in from; belongs into the transaction that opens the session.
pub async fn remember_address(
    conn: &mut Conn,
    user: Uuid,
    address: &ClientAddress,
    now: DateTime<Utc>,
) -> QueryResult<()> {
    let is_new: bool = sql("insert into login_addresses (user_id, address, last_login_at) values ($1, $2, $3) \
         on conflict (user_id, address) do update set last_login_at = excluded.last_login_at returning xmax = 0 as value")
    .bind(user)
    .bind(address.as_str().to_owned())
    .bind(now)
    .value(conn)
    .await?;
    if !is_new {
        return Ok(());
    }
    sql(
        "delete from login_addresses where user_id = $1 and address in (select address from login_addresses \
         where user_id = $1 order by last_login_at desc, address offset $2)",
    )
    .bind(user)
    .bind(MOST_KNOWN_ADDRESSES)
    .run(conn)
    .await?;
    Ok(())
}

/// Opens an account again that failures have closed, from wherever they came: an administrator has replaced what was guessed.
pub async fn reopen(conn: &mut Conn, credential: Credential, username: &str) -> QueryResult<()> {
    sql("with held as materialized (select subject from login_attempts where subject = $1 or starts_with(subject, $2) \
           order by subject for update) \
         delete from login_attempts where subject in (select subject from held)")
    .bind(account_key(credential, username))
    // No username holds an `@`.
    .bind(format!("{}:{username}@", credential.as_str()))
    .run(conn)
    .await?;
    Ok(())
}

/// Deletes counters whose time is over and addresses that are not known any more. What a login holds is in use again, and passed over:
/// waiting for it while holding others would be a deadlock.
pub async fn purge_expired(conn: &mut Conn, now: DateTime<Utc>) -> QueryResult<usize> {
    sql("delete from login_addresses where (user_id, address) in \
         (select user_id, address from login_addresses where last_login_at <= $1 for update skip locked)")
    .bind(now - Duration::days(KNOWN_ADDRESS_DAYS))
    .run(conn)
    .await?;
    sql("delete from login_attempts where subject in \
         (select subject from login_attempts where expires_at <= $1 for update skip locked)")
    .bind(now)
    .run(conn)
    .await
}
