//! Bodies of many rows: a JSON object whole, or NDJSON and CSV as they come in.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::{Stream, StreamExt, stream};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use super::flat_row::FlatRow;
use super::rows::{MOST_LINE, Row, RowFormat, RowReader};
use crate::db::minimum_rate::{IDLE_TIMEOUT, MinimumRate};
use crate::http::bodies::{Body, Claim};
use crate::http::json::{limits_of, no_encoding, read_body};
use crate::http::offload::Offload;
use crate::http::{Check, Msg, Problem, ProblemCode, ValidJson, Violations};

/// The first row is not waited for longer than this: until then a client holds nothing but its connection.
const FIRST_ROW_TIMEOUT: Duration = Duration::from_secs(13);
/// A stream that moves may take this long in all.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(600);
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
    /// Read while the first row was waited for.
    read: Vec<Bytes>,
    ended: bool,
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
                let (payload, limits) = (payload.take(), limits_of(request));
                Box::pin(async move {
                    let (claim, offload) = limits?;
                    let stream = RowStream::new(format, payload, claim, offload);
                    Ok(Self::Rows(stream.begun().await?))
                })
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
                ProblemCode::UnsupportedMediaType,
                Msg::fixed(
                    "Header Content-Type phải là application/json, application/x-ndjson hoặc text/csv.",
                    "`Content-Type` must be `application/json`, `application/x-ndjson` or `text/csv`.",
                ),
            ));
        }
    };
    let charset =
        parts.find_map(|part| part.strip_prefix("charset=").map(|set| set.trim_matches('"').to_owned()));
    if charset.is_some_and(|set| set != "utf-8") {
        let detail = Msg::fixed("Chỉ hỗ trợ bảng mã UTF-8.", "Only UTF-8 is supported.");
        return Err(Problem::with(ProblemCode::UnsupportedMediaType, detail));
    }
    Ok(Some(format))
}

impl RowStream {
    fn new(format: RowFormat, payload: Payload, claim: Claim, offload: Offload) -> Self {
        Self { format, payload, claim, offload, read: Vec::new(), ended: false }
    }

    /// Reads on until the first row is there whole, as far as line breaks show it. Permits are requested only then; what is read
    /// until then comes out of the budget for bodies.
    async fn begun(mut self) -> Result<Self, Problem> {
        let end = Instant::now() + FIRST_ROW_TIMEOUT;
        let lines = match self.format {
            RowFormat::Ndjson => 1,
            RowFormat::Csv => 2,
        };
        let (mut breaks, mut length) = (0, 0);
        while breaks < lines && length <= MOST_LINE {
            let Some(bytes) = next(&mut self.payload, end, FIRST_ROW_TIMEOUT).await? else {
                self.ended = true;
                break;
            };
            breaks += bytes.iter().filter(|byte| **byte == b'\n').count();
            length += bytes.len();
            self.claim.grow_to(length)?;
            self.read.push(bytes);
        }
        Ok(self)
    }

    /// Hands the bytes on as they come, as fast as they are taken. A taker that has seen enough stops it.
    pub async fn send_to(mut self, taker: Sender<Piece>) -> Result<(), Problem> {
        for bytes in std::mem::take(&mut self.read) {
            if !send(bytes, &taker).await {
                return Ok(());
            }
        }
        // From here on no more is in memory than the taker lets in.
        drop(self.claim);
        let (end, mut rate) = (Instant::now() + TOTAL_TIMEOUT, MinimumRate::default());
        while !self.ended {
            let began = Instant::now();
            let bytes = tokio::select! {
                // Told at once, not at the next byte, which may not come.
                () = taker.closed() => return Ok(()),
                bytes = next(&mut self.payload, end, IDLE_TIMEOUT) => bytes?,
            };
            let Some(bytes) = bytes else { break };
            if !rate.keeps_up(began.elapsed(), bytes.len()) {
                return Err(too_slow());
            }
            if !send(bytes, &taker).await {
                return Ok(());
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
        let Self { format, payload, claim, offload, read, ended } = self;
        let rest: Pin<Box<dyn Stream<Item = _>>> = match ended {
            true => Box::pin(stream::empty()),
            false => Box::pin(payload),
        };
        let all: Pin<Box<dyn Stream<Item = _>>> =
            Box::pin(stream::iter(read.into_iter().map(Ok)).chain(rest));
        let body: Body = read_body(Payload::from(all), most, claim).await?;
        body.parse(&offload, move |bytes| parse(format, bytes)).await
    }
}

/// Whether they were all taken.
async fn send(mut bytes: Bytes, taker: &Sender<Piece>) -> bool {
    while !bytes.is_empty() {
        let piece = bytes.split_to(bytes.len().min(PIECE));
        if taker.send(Piece::Bytes(piece)).await.is_err() {
            return false;
        }
    }
    true
}

fn too_slow() -> Problem {
    let detail = Msg::fixed(
        "Việc gửi nội dung quá chậm, bị gián đoạn hoặc kéo dài quá 10 phút; đề nghị kiểm tra đường truyền và gửi lại.",
        "The request body arrived too slowly, was interrupted, or took longer than 10 minutes.",
    );
    Problem::with(ProblemCode::RequestTimeout, detail)
}

#[allow(clippy::disallowed_methods, reason = "no database work is inside")]
async fn next(payload: &mut Payload, end: Instant, idle: Duration) -> Result<Option<Bytes>, Problem> {
    let limit = end.min(Instant::now() + idle);
    match tokio::time::timeout_at(limit, payload.next()).await {
        Ok(None) => Ok(None),
        Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
        Ok(Some(Err(_))) => Err(Problem::new(ProblemCode::MalformedBody)),
        Err(_) => Err(too_slow()),
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
        let detail = msg!("Mỗi lần chỉ được gửi tối đa {most} dòng.", "At most {most} rows are allowed.");
        return Err(Problem::at(ProblemCode::InvalidLength, "/rows", detail));
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
#[path = "stream_tests.rs"]
mod tests;
