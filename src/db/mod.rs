//! The way to PostgreSQL: one pool on a runtime of its own for work in transactions, shared connections for reads,
//! statements that stay prepared, errors told apart by SQLSTATE, and what is known of others' changes.
//!
//! Others use [`Db`], [`RlsContext`], [`sql`], `row!`, [`keyset`] and [`DbError`].

mod admission;
mod bindable;
mod checkout;
mod claim;
mod connect;
mod copied_out;
pub mod copy;
pub mod durability;
mod error;
pub mod generations;
pub mod json;
pub mod keyset;
mod leader;
mod lifetime;
pub mod locks;
pub mod migrations;
pub mod minimum_rate;
mod pool;
mod prepared;
mod reads;
mod replica;
mod rls;
mod session;
mod settings;
mod shared;
pub mod stage;
mod statement;
mod url;
mod work;

pub use admission::{AdmissionControl, Caller, Charged, Limits, Permit, Refused};
pub use bindable::Bindable;
pub use diesel::QueryResult;
pub use error::{ConstraintViolation, DbError};
pub use lifetime::MOST_PREPARED;
pub use pool::{Conn, Db};
pub use replica::Replica;
pub use rls::RlsContext;
pub use settings::{APPLICATION, DbSettings, PINNED, REQUIRED};
pub use shared::Reader;
pub use statement::{Columns, Connected, Sql, sql};
pub use url::{check as check_url, names_several, split_query};
pub use work::Work;
