//! The caller's own account: password and sessions.

pub mod password;
pub mod sessions;
