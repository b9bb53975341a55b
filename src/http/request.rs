//! What travels with a request in its extensions.

use std::sync::Arc;

/// Id of the request, in the answer's `X-Request-Id` and in the log.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// Name of an authenticated caller, left with requests that have a body.
#[derive(Clone, Debug)]
pub struct CallerName(pub Arc<str>);

impl Default for RequestId {
    fn default() -> Self {
        Self("".into())
    }
}
