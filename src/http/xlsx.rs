//! JSON or a workbook: the formats of what people print.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::ACCEPT;
use actix_web::{FromRequest, HttpRequest};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::csv::best_quality;
use super::query::{from_pairs, pairs};
use super::{Problem, ProblemCode};

/// Media type of a workbook.
pub const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// What an answer is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BookFormat {
    Json,
    Xlsx,
}

/// Parameters of what comes as a workbook too.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BookParams {
    /// `xlsx` for a workbook (same as its media type in `Accept`).
    #[param(inline)]
    format: Option<BookFormat>,
}

impl BookFormat {
    /// `format=` decides, else `Accept`; 406 when neither is acceptable.
    fn negotiate(request: &HttpRequest, asked: Option<Self>) -> Result<Self, Problem> {
        if let Some(format) = asked {
            return Ok(format);
        }
        let Some(accept) = request.headers().get(ACCEPT).and_then(|v| v.to_str().ok()) else {
            return Ok(Self::Json);
        };
        let json = best_quality(accept, &["application/json", "application/*", "*/*"]);
        if best_quality(accept, &[XLSX]) > json {
            return Ok(Self::Xlsx);
        }
        if json > 0.0 { Ok(Self::Json) } else { Err(Problem::new(ProblemCode::NotAcceptable)) }
    }
}

impl FromRequest for BookFormat {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let format = pairs(request.query_string())
            .and_then(|pairs| from_pairs::<BookParams>(&pairs))
            .and_then(|params| Self::negotiate(request, params.format));
        ready(format)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_workbook_comes_when_it_is_asked_for() {
        let asked = |uri: &str, accept: &str| {
            let request = TestRequest::with_uri(uri).insert_header((ACCEPT, accept)).to_http_request();
            BookFormat::from_request(&request, &mut Payload::None)
                .into_inner()
                .map_err(|problem| problem.code)
        };
        assert_eq!(asked("/", "*/*"), Ok(BookFormat::Json));
        assert_eq!(asked("/", XLSX), Ok(BookFormat::Xlsx));
        assert_eq!(asked("/", &format!("{XLSX}, */*;q=0.5")), Ok(BookFormat::Xlsx));
        assert_eq!(asked("/", &format!("{XLSX};q=0.1, application/json")), Ok(BookFormat::Json));
        assert_eq!(asked("/?format=xlsx", "application/json"), Ok(BookFormat::Xlsx));
        assert_eq!(asked("/", "text/csv"), Err(ProblemCode::NotAcceptable));
        assert_eq!(asked("/?format=csv", "*/*"), Err(ProblemCode::InvalidParameter));
    }
}
