//! What every endpoint shares on the wire: problems, bodies, lists, entity tags, repeated requests, the description of the API.
//!
//! Domains use [`Problem`], [`Code`], [`Violations`], [`ValidJson`], [`Listing`], [`Reply`] and [`PathOf`].

pub mod answers;
pub mod bodies;
pub mod book;
mod cells;
pub mod client_address;
pub mod code;
pub mod computed;
pub mod connection;
pub mod csv;
pub mod dates;
pub mod describe;
pub mod encoding;
pub mod etag;
mod extended;
mod fields;
pub mod file;
pub mod idempotency;
pub mod json;
mod json_text;
pub mod listing;
pub mod locale;
pub mod methods;
pub mod metrics;
pub mod offload;
pub mod one_or_many;
pub mod optional_json;
pub mod patch;
pub mod path;
mod path_parameters;
pub mod pieces;
pub mod problem;
pub mod reply;
pub mod request;
pub mod row_reader;
pub mod rows;
mod serde_text;
pub mod target;
pub mod violations;

pub use code::Code;
pub use etag::{EntityTag, Preconditions};
pub use json::{Check, ValidJson};
pub use listing::{ListParams, Listing, NoFilter, Page, PageInfo};
pub use locale::{Locale, Msg};
pub use patch::Patch;
pub use path::PathOf;
pub use problem::{Problem, Violation};
pub use reply::Reply;
pub use violations::Violations;
