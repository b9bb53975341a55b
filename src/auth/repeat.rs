//! Requests with an `Idempotency-Key`: what a repetition is known by.

use actix_web::HttpRequest;
use chrono::{DateTime, Utc};

use super::{AgencyScope, Principal};
use crate::http::Problem;
use crate::http::idempotency::{self, IdempotentRequest};

/// The key and the operation; the caller and the body come with [`Repeat::with_body`].
pub(super) struct Repeat {
    key: String,
    method: String,
    target: String,
}

impl Repeat {
    /// `None` without the header.
    pub fn of(request: &HttpRequest) -> Result<Option<Self>, Problem> {
        let key = idempotency::key_of(request)?;
        let (method, target) = (request.method().to_string(), request.uri().to_string());
        Ok(key.map(|key| Self { key, method, target }))
    }

    pub fn with_body(
        &self,
        principal: &Principal,
        body_digest: &[u8],
        now: DateTime<Utc>,
    ) -> IdempotentRequest {
        let digest = digest_for(&principal.scope, body_digest);
        IdempotentRequest::new(principal.name(), self.key.clone(), &self.method, &self.target, &digest, now)
    }
}

/// What was answered to a caller of one scope is not given again to the same caller of another.
fn digest_for(scope: &AgencyScope, body_digest: &[u8]) -> Vec<u8> {
    let mut digest = body_digest.to_vec();
    if let Some(mut ids) = scope.ids() {
        ids.sort_unstable();
        digest.extend(ids.iter().flat_map(|id| id.to_be_bytes()));
    }
    digest
}
