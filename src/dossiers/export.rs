//! All counts in one file, however many: PostgreSQL writes the table, and it is handed on as it comes.

use actix_web::{HttpResponse, get};

use super::counts_wire::CountFilter;
use super::feed_scope::FeedScope;
use super::model;
use crate::auth::Access;
use crate::auth::permission::ReadDossiers;
use crate::http::file::{BOM, streamed};
use crate::http::{ListQuery, Problem};

/// Export dossier counts
///
/// Streams all matching counts as one CSV file with the columns of the list. The order is not guaranteed. Without `period`, all
/// years are exported. The response has no `Content-Length` and no `ETag`. If it is interrupted, the terminating chunk is
/// missing.
#[utoipa::path(
    tag = "dossiers",
    params(CountFilter),
    responses((status = 200, description = "The exported file", body = String, content_type = "text/csv")),
    extensions(("x-streamed" = json!(true))),
    security(("bearer" = ["dossiers:read"]), ("oauth2" = ["dossiers:write"]))
)]
#[get("/dossier-counts/export")]
pub(super) async fn export_counts(
    access: Access<ReadDossiers>,
    list: ListQuery<CountFilter>,
) -> Result<HttpResponse, Problem> {
    let statement = model::export_statement(&list.filter.query(), &FeedScope::of(&access));
    let pieces = access.staging().copy_out(statement).await?;
    Ok(streamed("text/csv; charset=utf-8; header=present", "dossier-counts.csv", BOM, pieces))
}
