//! A JSON body that may be left out.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::json::{limits_of, media_type, no_encoding, read_body, valid};
use super::{Check, Problem, ValidJson};

/// As [`ValidJson`]; without a body, whatever its type is said to be, and for `null` the default.
#[derive(Debug)]
pub struct OptionalJson<T>(pub ValidJson<T>);

impl<T: DeserializeOwned + Check + Default + Send + 'static> FromRequest for OptionalJson<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let headers = media_type(request).and_then(|()| no_encoding(request));
        let (payload, limits) = (payload.take(), limits_of(request));
        Box::pin(async move {
            let (claim, offload) = limits?;
            let body = read_body(payload, T::MOST_BYTES, claim).await?;
            let parse = move |bytes: &[u8]| match bytes.trim_ascii() {
                [] => Ok((T::default(), Vec::new())),
                b"null" => headers.map(|()| (T::default(), Sha256::digest(bytes).to_vec())),
                _ => headers.and_then(|()| valid(bytes)),
            };
            let ((value, digest), claim) = body.parse(&offload, parse).await?;
            Ok(Self(ValidJson { value, digest, claim }))
        })
    }
}
