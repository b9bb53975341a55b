//! Who calls, what they may do, and on whose data.
//!
//! Every handler's first parameter is [`Access`] (with the permission it needs) or [`Public`]. Others also use [`Scope`],
//! [`Actor`] and [`permission`].

mod access;
mod asked;
mod authenticate;
mod keys;
mod model;
pub mod oidc;
mod password;
pub mod permission;
mod public;
mod repeat;
mod scope;
mod sealing;
mod second_factor;
mod token;
mod tokens;
mod weakness;

pub use access::{Access, ReplicaLag};
pub use authenticate::{authenticate, leave};
pub use keys::{KeyRing, TokenKeys};
pub use password::{PasswordCost, Passwords};
pub use permission::{ClientScope, Permission, Role};
pub use public::Public;
pub use scope::{Actor, Identity, Principal, Scope};
pub use second_factor::{SecondFactor, SecondFactorPolicy};
pub use token::{ACCESS_TOKEN_SECONDS, Claims, Subject};
pub use tokens::Tokens;
pub use weakness::{Weakness, is_same_password, weakness};
