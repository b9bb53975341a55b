//! What travels with a request in its extensions.

use std::sync::Arc;

/// Id of the request, in the answer's `X-Request-Id` and in the log.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

impl Default for RequestId {
    fn default() -> Self {
        Self("".into())
    }
}
