//! The answer of a `copy … to stdout` on its way to a reader that has to keep up.

use actix_web::web::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::Instant;
use tokio_postgres::CopyOutStream;

use super::DbError;
use super::minimum_rate::{IDLE_TIMEOUT, MinimumRate};

/// Bytes of a piece, and pieces that wait to be taken.
const PIECE_BYTES: usize = 32 * 1024;
const PIECES: usize = 4;

/// Rows on their way out.
#[derive(Debug)]
pub struct CopiedOut {
    pieces: Receiver<Outgoing>,
}

/// What a reader of an export gets. One that ends without [`Outgoing::End`] was cut off.
#[derive(Debug)]
pub(super) enum Outgoing {
    Piece(Bytes),
    Failed(DbError),
    End,
}

impl CopiedOut {
    pub(super) fn channel() -> (Sender<Outgoing>, Self) {
        let (sender, pieces) = mpsc::channel(PIECES);
        (sender, Self { pieces })
    }

    /// The next piece; `None` once all are taken. A reader that was too slow finds the export cut off.
    pub async fn next(&mut self) -> Option<Result<Bytes, DbError>> {
        match self.pieces.recv().await {
            Some(Outgoing::Piece(piece)) => Some(Ok(piece)),
            Some(Outgoing::Failed(fault)) => Some(Err(fault)),
            Some(Outgoing::End) => None,
            None => Some(Err(DbError::Unavailable("the reader of an export was too slow".into()))),
        }
    }
}

/// Gathers rows into pieces; whether all were handed over. The caller sends [`Outgoing::End`].
pub(super) async fn hand_on(rows: CopyOutStream, pieces: &Sender<Outgoing>) -> bool {
    let mut rows = std::pin::pin!(rows);
    let mut rate = MinimumRate::default();
    let mut piece = BytesMut::with_capacity(PIECE_BYTES + 1024);
    loop {
        let row = tokio::select! {
            biased;
            row = rows.next() => row,
            // A reader that departs is noticed while the database still works on the next row.
            () = pieces.closed() => return false,
        };
        let Some(row) = row else { break };
        match row {
            Ok(row) => piece.extend_from_slice(&row),
            Err(error) => {
                let _ = pieces.send_timeout(Outgoing::Failed(error.into()), IDLE_TIMEOUT).await;
                return false;
            }
        }
        if piece.len() >= PIECE_BYTES && !hand_over(piece.split().freeze(), pieces, &mut rate).await {
            return false;
        }
    }
    piece.is_empty() || hand_over(piece.freeze(), pieces, &mut rate).await
}

/// Whether the reader took the piece, and fast enough: PostgreSQL holds a snapshot, and the export its permit, meanwhile.
async fn hand_over(piece: Bytes, pieces: &Sender<Outgoing>, rate: &mut MinimumRate) -> bool {
    let (began, length) = (Instant::now(), piece.len());
    let taken = pieces.send_timeout(Outgoing::Piece(piece), IDLE_TIMEOUT).await.is_ok();
    taken && rate.keeps_up(began.elapsed(), length)
}
