//! The way to PostgreSQL: one pool on a runtime of its own for work in transactions, shared connections for reads,
//! statements that stay prepared, errors told apart by SQLSTATE, and what is known of others' changes.
//!
//! Others use [`Db`], [`Sight`], [`sql`], `row!`, [`list`] and [`Fault`].

mod address;
mod admission;
pub mod changes;
mod claim;
mod connect;
mod copied_out;
pub mod copy;
mod fault;
mod gate;
pub mod json;
mod leader;
mod lifetime;
pub mod list;
pub mod migrations;
pub mod minimum_rate;
mod natural_key;
mod prepared;
mod reads;
mod replica;
pub mod safety;
mod session;
mod settings;
mod shared;
mod sight;
mod statement;
mod waiting;
mod work;

pub use address::{check as check_url, names_several, split_query};
pub use admission::{AdmissionControl, Caller, Charged, Limits, Permit, Refused};
pub use diesel::QueryResult;
pub use fault::{Fault, Violated};
pub use gate::{Conn, Db, PATIENTLY};
pub use lifetime::MOST_PREPARED;
pub use natural_key::reserve_key;
pub use replica::Replica;
pub use settings::{APPLICATION, DbSettings, PINNED, REQUIRED};
pub use shared::Reader;
pub use sight::Sight;
pub use statement::{Bindable, Columns, Connected, Sql, sql};
pub use work::Work;
