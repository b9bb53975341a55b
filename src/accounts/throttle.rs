//! Logins slowed down where they fail: counters in the database, so that every instance counts the same.

use chrono::{DateTime, Duration, Utc};

use crate::db::{Conn, QueryResult, sql};
use crate::http::{Code, Problem};

/// Failures of one account from one address before it must wait. Others' failures do not count: no one locks out another.
const MOST_PER_ACCOUNT: i32 = 10;
/// Failures of one address whatever the account, against guessing names.
const MOST_PER_ADDRESS: i32 = 600;
const WINDOW_MINUTES: i64 = 10;

/// Who tries to log in.
#[derive(Clone, Debug)]
pub struct Attempt {
    account: String,
    address: String,
}

impl Attempt {
    pub fn new(account: &str, address: &str) -> Self {
        // What is no account name is counted under one key: the table does not grow by nonsense.
        let account = if account.len() <= 64 { account } else { "-" };
        Self { account: format!("{account}@{address}"), address: address.to_owned() }
    }

    /// 429 while one of the counters is full.
    pub async fn admit(&self, conn: &mut Conn, now: DateTime<Utc>) -> Result<(), Problem> {
        let waiting: Vec<DateTime<Utc>> =
            sql("select window_start as value from login_failures where window_start > $1 \
             and ((subject = $2 and failures >= $3) or (subject = $4 and failures >= $5))")
            .bind(now - Duration::minutes(WINDOW_MINUTES))
            .bind(self.account.clone())
            .bind(MOST_PER_ACCOUNT)
            .bind(self.address.clone())
            .bind(MOST_PER_ADDRESS)
            .values(conn)
            .await?;
        let Some(start) = waiting.into_iter().max() else { return Ok(()) };
        let left = (start + Duration::minutes(WINDOW_MINUTES) - now).num_seconds().max(1);
        Err(Problem::new(Code::TooManyRequests).retry_after(u64::try_from(left).unwrap_or(1)))
    }

    pub async fn failed(&self, conn: &mut Conn, now: DateTime<Utc>) -> QueryResult<()> {
        sql(
            "insert into login_failures (subject, failures, window_start) values ($1, 1, $3), ($2, 1, $3) \
             on conflict (subject) do update set \
             failures = case when login_failures.window_start > $4 then login_failures.failures + 1 else 1 end, \
             window_start = case when login_failures.window_start > $4 then login_failures.window_start else excluded.window_start end",
        )
        .bind(self.account.clone())
        .bind(self.address.clone())
        .bind(now)
        .bind(now - Duration::minutes(WINDOW_MINUTES))
        .run(conn)
        .await?;
        Ok(())
    }

    pub async fn succeeded(&self, conn: &mut Conn) -> QueryResult<()> {
        sql("delete from login_failures where subject = $1").bind(self.account.clone()).run(conn).await?;
        Ok(())
    }
}

/// Forgets windows that are over.
pub async fn forget_old(conn: &mut Conn, now: DateTime<Utc>) -> QueryResult<usize> {
    sql("delete from login_failures where window_start <= $1")
        .bind(now - Duration::minutes(WINDOW_MINUTES))
        .run(conn)
        .await
}
