//! The way to PostgreSQL: one pool on a runtime of its own, statements that stay prepared, errors told apart by SQLSTATE.
//!
//! Others use [`Db`], [`sql`], `row!`, [`list`] and [`Fault`].

pub mod copy;
mod fault;
mod gate;
pub mod list;
pub mod migrations;
mod statement;

pub use diesel::QueryResult;
pub use fault::{Fault, Violated};
pub use gate::{Conn, Db, DbSettings, Work};
pub use statement::{Bindable, Sql, sql};
