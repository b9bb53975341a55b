//! The first parameter of handlers that anyone may call.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::access::state_of;
use super::request_checks::known_parameters;
use crate::http::Problem;

/// Says, by name, that an endpoint is for everyone.
#[derive(Debug)]
pub struct Public {
    pub locale: crate::http::Locale,
}

impl FromRequest for Public {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let header = request.headers().get("accept-language").and_then(|v| v.to_str().ok());
        let locale = crate::http::Locale::negotiate(header);
        ready(state_of(request).and_then(|state| known_parameters(request, &state)).map(|()| Self { locale }))
    }
}
