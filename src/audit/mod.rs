//! Who did what, when, with what was before and after. Written with the change, in one transaction, and never again.
//!
//! Others use [`Event`] with [`record`] or [`record_all`], or with [`insert_text`] and [`bound`] inside a statement of their own. [`sealing`] makes
//! tampering show.

mod export;
mod filter;
pub mod model;
pub mod routes;
mod seal_model;
pub mod sealing;
pub mod seals;

pub use model::{Event, bound, insert_text, record, record_all};
