//! What travels with a request in its extensions.

/// Id of the request, in the answer's `X-Request-Id` and in the log.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Name of the caller for the log, put there by authentication.
#[derive(Clone, Debug)]
pub struct Caller(pub String);
