//! Accounts of people and machines: logging in and out, tokens, users, clients.
//!
//! Others use [`model`] to make accounts when the service is set up.

pub mod client_model;
pub mod client_wire;
pub mod clients;
mod last_admin;
pub mod login_throttle;
pub mod me;
pub mod model;
mod new_password;
pub mod oauth;
pub mod refresh;
pub mod routes;
pub mod rules;
pub mod second_factor;
pub mod session_model;
pub mod sessions;
pub mod sso;
mod sso_model;
mod user_change;
pub mod user_wire;
pub mod users;
