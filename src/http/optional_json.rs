//! A JSON body that may be left out.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::json::{media_type, no_encoding, parse, read_body};
use super::{Check, Problem, ValidJson, Violations};

/// As [`ValidJson`]; without a body, whatever its type is said to be, and for `null` the default.
#[derive(Debug)]
pub struct OptionalJson<T>(pub ValidJson<T>);

impl<T: DeserializeOwned + Check + Default + 'static> FromRequest for OptionalJson<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let headers = media_type(request).and_then(|()| no_encoding(request));
        let payload = payload.take();
        Box::pin(async move {
            let bytes = read_body(payload, T::MOST_BYTES).await?;
            if bytes.is_empty() {
                return Ok(Self(ValidJson { value: T::default(), digest: Vec::new() }));
            }
            headers?;
            let digest = Sha256::digest(&bytes).to_vec();
            if bytes.trim_ascii() == b"null" {
                return Ok(Self(ValidJson { value: T::default(), digest }));
            }
            let value: T = parse(&bytes)?;
            let mut faults = Violations::default();
            value.check(&mut faults);
            faults.into_result()?;
            Ok(Self(ValidJson { value, digest }))
        })
    }
}
