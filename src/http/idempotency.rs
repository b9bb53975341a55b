//! `Idempotency-Key`: the answer is kept with the effect, in one transaction, and given again to a repeated request.

use actix_web::HttpRequest;
use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};

use super::{Msg, Problem, ProblemCode, Reply};
use crate::db::locks;
use crate::db::{Conn, QueryResult, sql};

/// How long an answer is kept.
const KEPT_HOURS: i64 = 72;
/// Answers stored for one caller: far more than an integration needs, and what one caller may take of the disk.
const MOST_KEYS: i64 = 5_000;
const MOST_BYTES: i64 = 64 * 1024 * 1024;

/// A request that may be repeated: who sends it, under which key, and what it asks.
#[derive(Clone, Debug)]
pub struct IdempotentRequest {
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
        ProblemCode::InvalidHeader,
        Msg::fixed(
            "Idempotency-Key phải gồm 1–255 ký tự ASCII in được.",
            "`Idempotency-Key` must be 1–255 printable ASCII characters.",
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

row! {
    /// What is stored for a caller.
    struct Usage {
        keys: i64,
        bytes: i64,
        oldest: Option<DateTime<Utc>>,
    }
}

impl IdempotentRequest {
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

    /// As [`IdempotentRequest::stored`], holding the key until the transaction ends; while another one holds it: 409.
    pub async fn replay(&self, conn: &mut Conn) -> Result<Option<Reply>, Problem> {
        let name = format!("{}\n{}", self.caller, self.key);
        if !locks::IDEMPOTENCY.try_lock_name(conn, name).await? {
            return Err(Problem::new(ProblemCode::IdempotencyInProgress).retry_after(1));
        }
        let stored = self.stored(conn).await?;
        if stored.is_none() {
            self.require_room(conn).await?;
        }
        Ok(stored)
    }

    /// The stored answer, if this was asked before; another request under the key is 422.
    pub async fn stored(&self, conn: &mut Conn) -> Result<Option<Reply>, Problem> {
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
                Err(Problem::new(ProblemCode::IdempotencyKeyReused))
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

    /// 429 while as much is stored for the caller as may be. Requests at the same moment may each find room for one more: the bound is
    /// one of storage, and exceeded by no more than the transactions under way.
    async fn require_room(&self, conn: &mut Conn) -> Result<(), Problem> {
        let usage: Usage = sql(
            "select count(*) as keys, coalesce(sum(body_bytes), 0)::bigint as bytes, min(created_at) as oldest \
             from idempotency_keys where caller = $1 and created_at > $2",
        )
        .bind(self.caller.clone())
        .bind(self.now - Duration::hours(KEPT_HOURS))
        .row(conn)
        .await?;
        if usage.keys < MOST_KEYS && usage.bytes < MOST_BYTES {
            return Ok(());
        }
        let free_at = usage.oldest.unwrap_or(self.now) + Duration::hours(KEPT_HOURS);
        let seconds = u64::try_from((free_at - self.now).num_seconds()).unwrap_or_default().max(1);
        let detail = msg!(
            "Tài khoản này đã dùng hết số Idempotency-Key được lưu ({MOST_KEYS} kết quả hoặc 64 MiB); đề nghị gửi không kèm Idempotency-Key hoặc thử lại sau.",
            "This account has reached its limit of stored responses ({MOST_KEYS}, or 64 MiB). Send the request without `Idempotency-Key`, or try again later."
        );
        Err(Problem::with(ProblemCode::TooManyRequests, detail).retry_after(seconds))
    }

    /// Keeps the answer for a repetition.
    pub async fn store(&self, conn: &mut Conn, reply: &Reply) -> QueryResult<()> {
        let body = reply.replay_body.clone().unwrap_or_else(|| reply.body.clone());
        sql(
            "insert into idempotency_keys (caller, key, fingerprint, status, content_type, etag, location, body, created_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
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
        .run(conn)
        .await
        .map(drop)
    }
}

/// Forgets answers older than they are kept for.
pub async fn purge_expired(conn: &mut Conn, now: DateTime<Utc>) -> QueryResult<usize> {
    sql("delete from idempotency_keys where (caller, key) in \
         (select caller, key from idempotency_keys where created_at <= $1 for update skip locked)")
    .bind(now - Duration::hours(KEPT_HOURS))
    .run(conn)
    .await
}
