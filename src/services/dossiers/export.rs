//! All counts in one file, however many: PostgreSQL writes the table, and it is handed on as it comes.

use std::io;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, get};
use futures_util::{Stream, StreamExt, stream};

use super::counts_wire::CountFilter;
use super::model;
use super::routes::reach;
use crate::auth::Access;
use crate::auth::permission::ReadDossiers;
use crate::db::Fault;
use crate::http::{Listing, Problem};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Export dossier counts
///
/// Every count that the filters leave, as one CSV file with the columns of the list: for a spreadsheet or a copy, where the list
/// comes in pages. In no promised order. Without a period: all years. The file is written as it is read, so it has no length and no
/// `ETag`; one that was cut off ends without the closing chunk of HTTP.
#[utoipa::path(
    tag = "dossiers",
    params(CountFilter),
    responses((status = 200, description = "The file", body = String, content_type = "text/csv")),
    security(("bearer" = ["dossiers:read"]), ("oauth2" = ["dossiers:write"]))
)]
#[get("/dossier-counts/export")]
pub(super) async fn export_counts(
    access: Access<ReadDossiers>,
    list: Listing<CountFilter>,
) -> Result<HttpResponse, Problem> {
    let statement = model::export_statement(&list.filter.query(), &reach(&access));
    let pieces = access.staging().copy_out(statement).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8; header=present"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"dossier-counts.csv\""))
        .streaming(file(pieces)))
}

fn file(pieces: tokio::sync::mpsc::Receiver<Result<Bytes, Fault>>) -> impl Stream<Item = io::Result<Bytes>> {
    let pieces = stream::unfold(pieces, async |mut pieces| {
        let piece = pieces.recv().await?;
        // The status is sent already: all that is left is to end the answer before its time.
        let piece = piece.map_err(|fault| {
            log::error!(target: "failure", cause:? = fault; "an export was cut off");
            io::Error::other("cut off")
        });
        Some((piece, pieces))
    });
    stream::iter([Ok(Bytes::from_static(BOM))]).chain(pieces)
}
