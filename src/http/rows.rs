//! Bodies of many rows: a JSON object whole, or NDJSON and CSV as they come in.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use super::bodies::{Body, Claim};
use super::json::{claim_of, no_encoding, offload_of, read_body};
use super::offload::Offload;
use super::row_reader::{FlatRow, Row, RowFormat, RowReader};
use super::{Check, Code, Msg, Problem, ValidJson, Violations};

/// A stream that stands still is not waited for longer than this.
const STALL: Duration = Duration::from_secs(13);
/// A stream that moves may take this long in all.
const WHOLE: Duration = Duration::from_secs(600);
/// After this long a stream must have brought so many bytes a second on average: whoever trickles holds a place that others need.
const TRICKLE: Duration = Duration::from_secs(30);
const LEAST_RATE: u64 = 4 * 1024;
/// Largest piece handed on.
const PIECE: usize = 64 * 1024;

/// A body in one of the three media types.
#[derive(Debug)]
pub enum Upload<T> {
    Whole(ValidJson<T>),
    Rows(RowStream),
}

/// Rows that are still on their way.
pub struct RowStream {
    pub format: RowFormat,
    payload: Payload,
    claim: Claim,
    offload: Offload,
}

impl std::fmt::Debug for RowStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RowStream").field(&self.format).finish()
    }
}

/// What a reader of a stream gets. One that ends without [`Piece::End`] was broken off.
#[derive(Debug)]
pub enum Piece {
    Bytes(Bytes),
    End,
}

impl<T: DeserializeOwned + Check + Send + 'static> FromRequest for Upload<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let format = row_format(request).and_then(|format| no_encoding(request).map(|()| format));
        match format {
            Err(problem) => Box::pin(async { Err(problem) }),
            Ok(Some(format)) => {
                let (payload, claim, offload) = (payload.take(), claim_of(request), offload_of(request));
                Box::pin(async move { Ok(Self::Rows(RowStream { format, payload, claim, offload })) })
            }
            Ok(None) => {
                let whole = ValidJson::from_request(request, payload);
                Box::pin(async { whole.await.map(Self::Whole) })
            }
        }
    }
}

/// `None`: JSON.
fn row_format(request: &HttpRequest) -> Result<Option<RowFormat>, Problem> {
    let header = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let mut parts = header.split(';').map(|part| part.trim().to_ascii_lowercase());
    let format = match parts.next().as_deref() {
        Some("application/json") => return Ok(None),
        Some("application/x-ndjson") => RowFormat::Ndjson,
        Some("text/csv") => RowFormat::Csv,
        _ => {
            return Err(Problem::with(
                Code::UnsupportedMediaType,
                Msg::fixed(
                    "Cần Content-Type: application/json, application/x-ndjson hoặc text/csv.",
                    "Send Content-Type: application/json, application/x-ndjson or text/csv.",
                ),
            ));
        }
    };
    let charset =
        parts.find_map(|part| part.strip_prefix("charset=").map(|set| set.trim_matches('"').to_owned()));
    if charset.is_some_and(|set| set != "utf-8") {
        let detail = Msg::fixed("Chỉ nhận UTF-8.", "Only UTF-8 is accepted.");
        return Err(Problem::with(Code::UnsupportedMediaType, detail));
    }
    Ok(Some(format))
}

impl RowStream {
    /// Hands the bytes on as they come, as fast as they are taken. A taker that has seen enough stops it.
    pub async fn send_to(mut self, taker: Sender<Piece>) -> Result<(), Problem> {
        let (begin, mut arrived) = (Instant::now(), 0);
        loop {
            let piece = tokio::select! {
                // Told at once, not at the next byte, which may not come.
                () = taker.closed() => return Ok(()),
                piece = next(&mut self.payload, begin + WHOLE) => piece?,
            };
            let Some(mut bytes) = piece else { break };
            arrived += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if trickles(arrived, begin.elapsed()) {
                let detail = Msg::fixed("Nội dung đến quá chậm.", "The body arrives too slowly.");
                return Err(Problem::with(Code::MalformedBody, detail));
            }
            while !bytes.is_empty() {
                let piece = bytes.split_to(bytes.len().min(PIECE));
                if taker.send(Piece::Bytes(piece)).await.is_err() {
                    return Ok(());
                }
            }
        }
        let _ = taker.send(Piece::End).await;
        Ok(())
    }

    /// What `parse` makes of all bytes, at most `most` of them, and their claim.
    pub async fn whole<T: Send + 'static>(
        self,
        most: usize,
        parse: impl FnOnce(RowFormat, &[u8]) -> Result<T, Problem> + Send + 'static,
    ) -> Result<(T, Claim), Problem> {
        let format = self.format;
        let body: Body = read_body(self.payload, most, self.claim).await?;
        body.parse(&self.offload, move |bytes| parse(format, bytes)).await
    }
}

fn trickles(arrived: u64, elapsed: Duration) -> bool {
    elapsed > TRICKLE && arrived < LEAST_RATE.saturating_mul(elapsed.as_secs())
}

#[allow(clippy::disallowed_methods, reason = "no database work is inside")]
async fn next(payload: &mut Payload, end: Instant) -> Result<Option<Bytes>, Problem> {
    let limit = end.min(Instant::now() + STALL);
    match tokio::time::timeout_at(limit, payload.next()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
        Ok(Some(Err(_))) => Err(Problem::new(Code::MalformedBody)),
        Err(_) => Err(Problem::with(
            Code::MalformedBody,
            Msg::fixed(
                "Nội dung ngừng đến quá 13 giây, hoặc kéo dài quá 10 phút.",
                "Nothing of the body arrived for 13 seconds, or it took longer than 10 minutes.",
            ),
        )),
    }
}

/// All rows of a body that is in memory, or everything that cannot be read.
pub fn read_all<T: FlatRow>(format: RowFormat, bytes: &[u8], most: usize) -> Result<Vec<T>, Problem> {
    let (mut reader, mut rows) = (RowReader::new(format), Vec::new());
    // In pieces, so that too many rows are seen before they fill the memory.
    for piece in bytes.chunks(PIECE) {
        reader.read(piece, &mut rows)?;
        if rows.len() > most {
            break;
        }
    }
    if rows.len() <= most {
        reader.end(&mut rows)?;
    }
    if rows.len() > most {
        let detail = msg!("Tối đa {most} dòng.", "At most {most} rows.");
        return Err(Problem::at(Code::InvalidLength, "/rows", detail));
    }
    let n = rows.len();
    let mut faults = Violations::default();
    let mut valid = Vec::with_capacity(n);
    for Row { value, .. } in rows {
        match value {
            Ok(row) => valid.push(row),
            Err(all) => faults.extend(all),
        }
    }
    faults.into_result().map(|()| valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_must_come_in_some_haste() {
        let seconds = Duration::from_secs;
        assert!(!trickles(1, seconds(30)), "a pause at the beginning is nobody's fault");
        assert!(trickles(100, seconds(31)));
        assert!(!trickles(4096 * 31, seconds(31)));
        assert!(trickles(4096 * 300, seconds(301)));
    }
}
