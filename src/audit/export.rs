//! The whole trail in one file, however long: PostgreSQL writes it, and it is handed on as it comes.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::ACCEPT;
use actix_web::{FromRequest, HttpRequest, HttpResponse, get};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::filter::AuditFilter;
use super::model;
use crate::auth::Access;
use crate::auth::permission::ReadAudit;
use crate::http::csv::best_quality;
use crate::http::file::{BOM, streamed};
use crate::http::query::{from_pairs, pairs};
use crate::http::{Problem, ProblemCode};

const NDJSON: &str = "application/x-ndjson";

/// What the file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrailFormat {
    Csv,
    Ndjson,
}

/// Parameters of the file itself.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TrailParams {
    /// `ndjson` for one event per line (same as its media type in `Accept`), or `csv` (default).
    #[param(inline)]
    format: Option<TrailFormat>,
}

/// An export that is asked for.
#[derive(Debug)]
struct Trail {
    filter: AuditFilter,
    format: TrailFormat,
}

impl FromRequest for Trail {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request))
    }
}

impl Trail {
    fn read(request: &HttpRequest) -> Result<Self, Problem> {
        let (own, filters): (Vec<_>, Vec<_>) =
            pairs(request.query_string())?.into_iter().partition(|(name, _)| name == "format");
        let params: TrailParams = from_pairs(&own)?;
        Ok(Self { filter: from_pairs(&filters)?, format: negotiate(request, params.format)? })
    }
}

/// `format=` decides, else `Accept`; 406 when neither is acceptable.
fn negotiate(request: &HttpRequest, asked: Option<TrailFormat>) -> Result<TrailFormat, Problem> {
    if let Some(format) = asked {
        return Ok(format);
    }
    let Some(accept) = request.headers().get(ACCEPT).and_then(|v| v.to_str().ok()) else {
        return Ok(TrailFormat::Csv);
    };
    let csv = best_quality(accept, &["text/csv", "text/*", "*/*"]);
    if best_quality(accept, &[NDJSON]) > csv {
        return Ok(TrailFormat::Ndjson);
    }
    if csv > 0.0 { Ok(TrailFormat::Csv) } else { Err(Problem::new(ProblemCode::NotAcceptable)) }
}

/// Export the audit trail
///
/// Streams all matching events in one file, oldest first: CSV with the columns of the list, or NDJSON with one event per line.
/// The response has no `Content-Length` and no `ETag`. If it is interrupted, the terminating chunk is missing.
#[utoipa::path(
    tag = "audit",
    params(AuditFilter, TrailParams),
    responses((status = 200, description = "The exported file", content((String = "text/csv"), (String = "application/x-ndjson")))),
    extensions(("x-streamed" = json!(true))),
    security(("bearer" = ["audit:read"]))
)]
#[get("/audit-events/export")]
pub(super) async fn export_audit_events(
    access: Access<ReadAudit>,
    trail: Trail,
) -> Result<HttpResponse, Problem> {
    let ndjson = trail.format == TrailFormat::Ndjson;
    let statement = model::export_statement(&trail.filter.query(), ndjson);
    let pieces = access.staging().copy_out(statement).await?;
    Ok(if ndjson {
        streamed(NDJSON, "audit-events.ndjson", b"", pieces)
    } else {
        streamed("text/csv; charset=utf-8; header=present", "audit-events.csv", BOM, pieces)
    })
}
