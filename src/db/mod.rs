//! The way to PostgreSQL: one pool on a runtime of its own for work in transactions, shared connections for reads,
//! statements that stay prepared, errors told apart by SQLSTATE, and what is known of others' changes.
//!
//! Others use [`Db`], [`RlsContext`], [`sql`], `row!`, [`list`] and [`Fault`].

mod url;
mod admission;
pub mod generations;
mod claim;
mod connect;
mod copied_out;
pub mod copy;
mod error;
mod pool;
pub mod json;
mod leader;
mod lifetime;
pub mod keyset;
pub mod migrations;
pub mod minimum_rate;
mod natural_key;
mod prepared;
mod reads;
mod replica;
pub mod durability;
mod session;
mod settings;
mod shared;
mod rls;
mod statement;
mod checkout;
mod work;

pub use url::{check as check_url, names_several, split_query};
pub use admission::{AdmissionControl, Caller, Charged, Limits, Permit, Refused};
pub use diesel::QueryResult;
pub use error::{Fault, ConstraintViolation};
pub use pool::{Conn, Db, LONG_LOCK_TIMEOUT};
pub use lifetime::MOST_PREPARED;
pub use natural_key::reserve_key;
pub use replica::Replica;
pub use settings::{APPLICATION, DbSettings, PINNED, REQUIRED};
pub use shared::Reader;
pub use rls::RlsContext;
pub use statement::{Bindable, Columns, Connected, Sql, sql};
pub use work::Work;
