//! Long bodies go out in pieces.
//!
//! actix copies what a body hands over into a buffer of its connection, and that buffer keeps its size for as long as the connection
//! lives: a thousand connections that each carried one long answer would hold a thousand long answers. So a body hands over no more at
//! a time than is written at a time. A client that takes the next piece is not idle, however long the whole takes;
//! one that takes the pieces too slowly finds the answer cut off, as a slow reader of an export does.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::web::Bytes;

use super::connection::{ConnectionState, connection_of};
use crate::db::minimum_rate::MinimumRate;

/// Bytes of a piece: what actix gathers before it writes.
const PIECE: usize = 32 * 1024;
/// Pieces after which other connections of the worker get their turn. A fast reader takes a long answer as quickly as it is written:
/// hundreds of them at once would each be written whole before any other connection is served.
const TURN: usize = 4;

/// The same answer; its body in pieces if it is longer than one.
pub fn in_pieces(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let activity = connection_of(response.request()).cloned();
    response.map_body(|_, body| cut(body, activity))
}

fn cut(body: BoxBody, activity: Option<Arc<ConnectionState>>) -> BoxBody {
    match body.size() {
        BodySize::Sized(length) if length > PIECE as u64 => match body.try_into_bytes() {
            Ok(rest) => BoxBody::new(Pieces::of(rest, activity)),
            Err(body) => body,
        },
        BodySize::Stream => match activity {
            Some(activity) => BoxBody::new(Streamed { body, activity }),
            None => body,
        },
        _ => body,
    }
}

/// A body that is written as it is read. A reader that takes no piece for long is shut down by the reaper, and the body dropped with
/// whatever permit it holds.
struct Streamed {
    body: BoxBody,
    activity: Arc<ConnectionState>,
}

impl MessageBody for Streamed {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let next = Pin::new(&mut self.body).poll_next(cx);
        match next {
            Poll::Pending => self.activity.is_waited_for(),
            Poll::Ready(_) => self.activity.idle(),
        }
        next
    }
}

/// What is left of a body, and the connection it goes to.
struct Pieces {
    rest: Bytes,
    activity: Option<Arc<ConnectionState>>,
    /// Pieces handed over since others had their turn.
    in_turn: usize,
    /// When the last piece was handed over.
    since: Option<Instant>,
    rate: MinimumRate,
}

impl Pieces {
    fn of(rest: Bytes, activity: Option<Arc<ConnectionState>>) -> Self {
        Self { rest, activity, in_turn: 0, since: None, rate: MinimumRate::default() }
    }

    /// The next piece, which is asked for when the reader has made room for it.
    fn next(&mut self, now: Instant) -> io::Result<Bytes> {
        if let Some(since) = self.since.replace(now)
            && !self.rate.keeps_up(now.saturating_duration_since(since), PIECE)
        {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the reader is too slow"));
        }
        if let Some(activity) = &self.activity {
            activity.idle();
        }
        Ok(self.rest.split_to(PIECE.min(self.rest.len())))
    }
}

impl MessageBody for Pieces {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.rest.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if self.in_turn == TURN {
            self.in_turn = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.in_turn += 1;
        Poll::Ready(Some(self.next(Instant::now())))
    }

    // Without `try_into_bytes`: a `BoxBody` would make one piece of them again.
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    /// The pieces that a connection is given.
    async fn pieces_of(length: usize) -> (BodySize, Vec<Bytes>) {
        let whole: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        let body = cut(BoxBody::new(whole.clone()), None);
        let size = body.size();
        let mut body = std::pin::pin!(body);
        let mut pieces = Vec::new();
        while let Some(piece) = poll_fn(|context| body.as_mut().poll_next(context)).await {
            pieces.push(piece.unwrap());
        }
        assert_eq!(pieces.concat(), whole, "{length} bytes come whole and in order");
        (size, pieces)
    }

    #[actix_web::test]
    async fn a_long_body_is_handed_over_piece_by_piece() {
        for length in [1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 10 * PIECE + 7] {
            let (size, pieces) = pieces_of(length).await;
            assert_eq!(size, BodySize::Sized(length as u64), "its length is told beforehand");
            assert_eq!(pieces.len(), length.div_ceil(PIECE));
            assert!(pieces.iter().all(|piece| (1..=PIECE).contains(&piece.len())));
        }
    }

    #[actix_web::test]
    async fn others_get_their_turn_while_a_long_body_is_written() {
        let mut body = std::pin::pin!(cut(BoxBody::new(vec![0_u8; 10 * PIECE]), None));
        let (mut polls, mut turns) = (0, 0);
        poll_fn(|context| {
            polls += 1;
            for handed_over in 0.. {
                match body.as_mut().poll_next(context) {
                    Poll::Ready(None) => return Poll::Ready(()),
                    Poll::Ready(Some(_)) => assert!(handed_over < TURN),
                    Poll::Pending => {
                        turns += 1;
                        return Poll::Pending;
                    }
                }
            }
            Poll::Pending
        })
        .await;
        assert_eq!((polls, turns), (3, 2), "10 pieces, four in a turn");
    }

    /// Pieces that a reader gets who makes room for one in so many seconds; `true`: the answer is cut off.
    fn taken(pieces: usize, every: Duration) -> (usize, bool) {
        let mut body = Pieces::of(vec![0_u8; pieces * PIECE].into(), None);
        let began = Instant::now();
        let at = |n| began + every * u32::try_from(n).unwrap();
        match (0..pieces).find(|n| body.next(at(*n)).is_err()) {
            Some(n) => (n, true),
            None => (pieces, false),
        }
    }

    #[test]
    fn an_answer_of_known_length_is_cut_off_when_its_reader_is_too_slow() {
        assert_eq!(taken(100, Duration::from_secs(4)), (100, false), "8 KiB/s");
        let (pieces, cut_off) = taken(100, Duration::from_secs(5));
        assert!(cut_off && pieces < 5, "{pieces} pieces");
        assert_eq!(taken(100, Duration::from_millis(1)), (100, false));
    }

    #[actix_web::test]
    async fn no_body_stays_none() {
        assert_eq!(cut(BoxBody::new(actix_web::body::None::new()), None).size(), BodySize::None);
    }
}
