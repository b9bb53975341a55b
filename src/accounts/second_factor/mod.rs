//! The second factor of people: TOTP codes (RFC 6238) and recovery codes, enrolled by their users, required at every login.
//!
//! Others use [`at_login`], and [`model`] for resets.

pub mod enrolment;
mod guard;
pub mod model;
mod proof;
pub mod reset;
pub mod routes;
pub mod rules;
pub mod wire;

pub use guard::{Claim, LoginFactor, at_login};
