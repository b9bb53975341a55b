//! `Idempotency-Key`: the answer is kept with the effect, in one transaction, and given again to a repeated request.

use actix_web::HttpRequest;
use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};

use super::{Code, Msg, Problem, Reply};
use crate::db::{Conn, QueryResult, sql};

/// How long an answer is kept.
const KEPT_HOURS: i64 = 72;
/// Answers kept of one caller: each is a row, and not every one of them belongs to something that changed.
const MOST_KEYS: i64 = 20_000;

/// A request that may be repeated: who sends it, under which key, and what it asks.
#[derive(Clone, Debug)]
pub struct Repeatable {
    caller: String,
    key: String,
    fingerprint: Vec<u8>,
    now: DateTime<Utc>,
}

/// Reads the header: 1-255 printable ASCII characters.
pub fn key_of(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let mut values = request.headers().get_all("idempotency-key");
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let valid = (1..=255).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7f).contains(&b));
    if valid && values.next().is_none() {
        return Ok(Some(text.to_owned()));
    }
    Err(Problem::with(
        Code::InvalidHeader,
        Msg::fixed(
            "Idempotency-Key: 1-255 ký tự ASCII in được.",
            "Idempotency-Key: 1-255 printable ASCII characters.",
        ),
    ))
}

row! {
    struct Stored {
        fingerprint: Vec<u8>,
        status: i32,
        content_type: Option<String>,
        etag: Option<String>,
        location: Option<String>,
        body: Vec<u8>,
    }
}

impl Repeatable {
    /// `body_digest` and the target make the fingerprint of what is asked.
    pub fn new(
        caller: String,
        key: String,
        method: &str,
        target: &str,
        body_digest: &[u8],
        now: DateTime<Utc>,
    ) -> Self {
        let mut hash = Sha256::new();
        hash.update(method);
        hash.update([0]);
        hash.update(target);
        hash.update([0]);
        hash.update(body_digest);
        Self { caller, key, fingerprint: hash.finalize().to_vec(), now }
    }

    /// The stored answer, if this was asked before. A transaction that holds the key is 409, another request under it 422.
    pub async fn replay(&self, conn: &mut Conn) -> Result<Option<Reply>, Problem> {
        let free: bool = sql("select pg_try_advisory_xact_lock(hashtextextended($1, 332)) as value")
            .bind(format!("{}\n{}", self.caller, self.key))
            .value(conn)
            .await?;
        if !free {
            return Err(Problem::new(Code::IdempotencyInProgress).retry_after(1));
        }
        let stored: Option<Stored> =
            sql("select fingerprint, status, content_type, etag, location, body from idempotency_keys \
             where caller = $1 and key = $2 and created_at > $3")
            .bind(self.caller.clone())
            .bind(self.key.clone())
            .bind(self.now - Duration::hours(KEPT_HOURS))
            .maybe(conn)
            .await?;
        match stored {
            None => Ok(None),
            Some(stored) if stored.fingerprint != self.fingerprint => {
                Err(Problem::new(Code::IdempotencyKeyReused))
            }
            Some(stored) => Ok(Some(Reply {
                status: u16::try_from(stored.status).unwrap_or(200),
                content_type: stored.content_type,
                etag: stored.etag,
                location: stored.location,
                file_name: None,
                body: stored.body,
                replayed: true,
                replay_body: None,
            })),
        }
    }

    /// Keeps the answer for a repetition; 429 for a caller who has too many kept.
    pub async fn store(&self, conn: &mut Conn, reply: &Reply) -> Result<(), Problem> {
        let body = reply.replay_body.clone().unwrap_or_else(|| reply.body.clone());
        let stored = sql(
            "insert into idempotency_keys (caller, key, fingerprint, status, content_type, etag, location, body, created_at) \
             select $1, $2, $3, $4, $5, $6, $7, $8, $9 \
             where (select count(*) from (select from idempotency_keys where caller = $1 limit $10) as held) < $10 \
             on conflict (caller, key) do update set fingerprint = excluded.fingerprint, status = excluded.status, \
             content_type = excluded.content_type, etag = excluded.etag, location = excluded.location, \
             body = excluded.body, created_at = excluded.created_at",
        )
        .bind(self.caller.clone())
        .bind(self.key.clone())
        .bind(self.fingerprint.clone())
        .bind(i32::from(reply.status))
        .bind(reply.content_type.clone())
        .bind(reply.etag.clone())
        .bind(reply.location.clone())
        .bind(body)
        .bind(self.now)
        .bind(MOST_KEYS)
        .run(conn)
        .await?;
        if stored > 0 { Ok(()) } else { Err(too_many()) }
    }
}

fn too_many() -> Problem {
    let detail = msg!(
        "Tối đa {MOST_KEYS} khóa Idempotency-Key trong {KEPT_HOURS} giờ.",
        "At most {MOST_KEYS} keys in {KEPT_HOURS} hours."
    );
    Problem::with(Code::TooManyRequests, detail).retry_after(3600)
}

/// Forgets answers older than they are kept for.
pub async fn forget_old(conn: &mut Conn, now: DateTime<Utc>) -> QueryResult<usize> {
    sql("delete from idempotency_keys where created_at <= $1")
        .bind(now - Duration::hours(KEPT_HOURS))
        .run(conn)
        .await
}
