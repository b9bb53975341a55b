//! Answers: a status, a body in JSON or CSV, and the headers the contract promises.

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::Serialize;

use super::csv::{CsvRow, Format, table};
use super::{EntityTag, Page, Preconditions, Problem};

const JSON: &str = "application/json";
const CSV: &str = "text/csv; charset=utf-8; header=present";

/// A successful answer, whole in memory: it can be stored for `Idempotency-Key` and replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub content_type: Option<String>,
    pub etag: Option<String>,
    pub location: Option<String>,
    /// Name under which a browser saves it.
    pub file_name: Option<String>,
    pub body: Vec<u8>,
    /// The answer was stored by an earlier request with the same key.
    pub replayed: bool,
    /// What is stored for a replay instead of `body`, where the body holds a secret shown once.
    pub replay_body: Option<Vec<u8>>,
}

impl Reply {
    fn of(status: StatusCode, content_type: Option<&str>, body: Vec<u8>) -> Self {
        Self {
            status: status.as_u16(),
            content_type: content_type.map(str::to_owned),
            etag: None,
            location: None,
            file_name: None,
            body,
            replayed: false,
            replay_body: None,
        }
    }

    /// 200 with a JSON body.
    pub fn ok<T: Serialize>(body: &T) -> Result<Self, Problem> {
        Ok(Self::of(StatusCode::OK, Some(JSON), json(body)?))
    }

    /// 201 with where the new resource is.
    pub fn created<T: Serialize>(location: String, body: &T) -> Result<Self, Problem> {
        let mut reply = Self::of(StatusCode::CREATED, Some(JSON), json(body)?);
        reply.location = Some(location);
        Ok(reply)
    }

    /// 200 with a file to save; `name` is plain ASCII.
    pub fn file(content_type: &str, name: String, body: Vec<u8>) -> Self {
        Self { file_name: Some(name), ..Self::of(StatusCode::OK, Some(content_type), body) }
    }

    pub fn no_content() -> Self {
        Self::of(StatusCode::NO_CONTENT, None, Vec::new())
    }

    pub fn not_modified(tag: &EntityTag) -> Self {
        Self::of(StatusCode::NOT_MODIFIED, None, Vec::new()).tagged(tag)
    }

    pub fn tagged(mut self, tag: &EntityTag) -> Self {
        self.etag = tag.header_value().to_str().ok().map(str::to_owned);
        self
    }

    /// 200 with the resource, or 304 without building it when the caller holds this very representation.
    pub fn resource<T: Serialize>(
        conditions: &Preconditions,
        tag: &EntityTag,
        build: impl FnOnce() -> T,
    ) -> Result<Self, Problem> {
        if conditions.is_fresh(tag) {
            return Ok(Self::not_modified(tag));
        }
        Ok(Self::ok(&build())?.tagged(tag))
    }

    /// 200 with a body that has no version of its own, tagged by its bytes, or 304.
    pub fn unversioned<T: Serialize>(conditions: &Preconditions, body: &T) -> Result<Self, Problem> {
        let whole = Self::ok(body)?;
        let tag = EntityTag::of_bytes(&whole.body);
        if conditions.is_fresh(&tag) {
            return Ok(Self::not_modified(&tag));
        }
        Ok(whole.tagged(&tag))
    }

    /// A page of a list as JSON or CSV, tagged by its bytes.
    pub fn page<T: CsvRow>(
        conditions: &Preconditions,
        format: Format,
        page: &Page<T>,
    ) -> Result<Self, Problem> {
        let mut reply = Self::collection(conditions, format, page, &page.items)?;
        // A CSV body has no room for the cursor: it goes where HTTP has one for it.
        if format == Format::Csv {
            reply.location = page.page.next_cursor.clone();
        }
        Ok(reply)
    }

    /// Anything that is a whole as JSON and a table of `rows` as CSV, tagged by its bytes.
    pub fn collection<B: Serialize, T: CsvRow>(
        conditions: &Preconditions,
        format: Format,
        whole: &B,
        rows: &[T],
    ) -> Result<Self, Problem> {
        let (content_type, body) = match format {
            Format::Json => (JSON, json(whole)?),
            Format::Csv => (CSV, table(rows)?),
        };
        let tag = EntityTag::of_bytes(&body);
        if conditions.is_fresh(&tag) {
            return Ok(Self::not_modified(&tag));
        }
        Ok(Self::of(StatusCode::OK, Some(content_type), body).tagged(&tag))
    }
}

fn json<T: Serialize>(body: &T) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(|error| Problem::internal(format!("cannot write JSON: {error}")))
}

impl Responder for Reply {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut builder = HttpResponse::build(status);
        let is_csv = self.content_type.as_deref() == Some(CSV);
        let headers = [
            (header::CONTENT_TYPE, self.content_type),
            (header::ETAG, self.etag),
            (
                header::CONTENT_DISPOSITION,
                self.file_name.map(|name| format!("attachment; filename=\"{name}\"")),
            ),
            if is_csv {
                (header::LINK, self.location.map(|cursor| next_link(request.query_string(), cursor)))
            } else {
                (header::LOCATION, self.location)
            },
            (HeaderName::from_static("idempotency-replayed"), self.replayed.then(|| "true".to_owned())),
        ];
        for (name, value) in headers {
            if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
                builder.insert_header((name, value));
            }
        }
        if self.body.is_empty() { builder.finish() } else { builder.body(self.body) }
    }
}

/// The same request with another cursor.
fn next_link(query: &str, cursor: String) -> String {
    let mut pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    pairs.retain(|(name, _)| name != "cursor");
    pairs.push(("cursor".into(), cursor));
    format!("<?{}>; rel=\"next\"", serde_urlencoded::to_string(pairs).unwrap_or_default())
}
