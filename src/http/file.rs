//! Files that are written as they are read: no length, no tag, and no more of them in memory than is on its way.

use std::io;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Bytes;
use futures_util::{StreamExt, stream};

use crate::db::copy::CopiedOut;

/// What a file begins with by which a spreadsheet knows UTF-8.
pub const BOM: &[u8] = b"\xef\xbb\xbf";

/// The answer that hands `pieces` on, behind `first`. `name` is plain ASCII.
pub fn streamed(content_type: &str, name: &str, first: &'static [u8], pieces: CopiedOut) -> HttpResponse {
    let pieces = stream::unfold(pieces, async |mut pieces| {
        let piece = pieces.next().await?;
        // The status is sent already: all that is left is to end the answer before its time.
        let piece = piece.map_err(|fault| {
            log::error!(target: "failure", cause:? = fault; "export interrupted");
            io::Error::other("cut off")
        });
        Some((piece, pieces))
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .streaming(stream::iter([Ok(Bytes::from_static(first))]).chain(pieces))
}
