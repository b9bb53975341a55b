//! What travels with a request in its extensions.

use std::sync::Arc;

use crate::db::Caller;

/// Id of the request, in the answer's `X-Request-Id` and in the log.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// Who is charged for a request's body, left with requests that have one: the account or client, or the address.
#[derive(Clone, Debug)]
pub struct ChargedCaller(pub Caller);

impl Default for RequestId {
    fn default() -> Self {
        Self("".into())
    }
}
