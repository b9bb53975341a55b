//! Who calls, what they may do, and on whose data.
//!
//! Every handler's first parameter is [`Access`] (with the permission it needs) or [`Public`]. Others also use [`AgencyScope`],
//! [`Actor`] and [`permission`].

mod access;
mod access_token;
mod authenticate;
mod keys;
mod model;
pub mod oidc;
mod password;
mod password_policy;
pub mod permission;
mod principal;
mod public;
mod repeat;
mod request_checks;
mod request_context;
mod sealing;
mod second_factor;
mod token_cache;

pub use access::Access;
pub use access_token::{ACCESS_TOKEN_SECONDS, Claims, Subject};
pub use authenticate::{authenticate, leave};
pub use keys::{KeyRing, TokenKeys};
pub use password::{PasswordCost, Passwords};
pub use password_policy::{Weakness, is_same_password, weakness};
pub use permission::{ClientScope, Permission, Role};
pub use principal::{Actor, AgencyScope, Identity, Principal};
pub use public::Public;
pub use request_context::ReplicaLag;
pub use second_factor::{SecondFactor, SecondFactorPolicy};
pub use token_cache::TokenCache;
