//! What every endpoint shares on the wire: problems, bodies, lists, entity tags, repeated requests, the description of the API.
//!
//! Domains use [`Problem`], [`ProblemCode`], [`Violations`], [`ValidJson`], [`ListQuery`], [`Reply`] and [`PathOf`].

pub mod bodies;
pub mod chunked_body;
pub mod client_address;
pub mod compute_cache;
pub mod connection;
pub mod csv;
pub mod dates;
pub mod encoding;
pub mod etag;
mod fields;
pub mod file;
pub mod idempotency;
pub mod json;
mod json_text;
pub mod list_query;
pub mod locale;
pub mod methods;
pub mod metrics;
pub mod offload;
pub mod one_or_many;
pub mod openapi;
mod operation_defaults;
pub mod optional_json;
pub mod patch;
pub mod path;
mod path_parameters;
pub mod problem;
pub mod problem_code;
pub mod query;
pub mod reply;
pub mod request;
pub mod response_cache;
mod serde_text;
pub mod target;
pub mod upload;
mod vendor_extensions;
pub mod violations;
pub mod xlsx;

pub use etag::{EntityTag, Preconditions};
pub use json::{Check, ValidJson};
pub use list_query::{ListParams, ListQuery, NoFilter, Page, PageInfo};
pub use locale::{Locale, Msg};
pub use patch::Patch;
pub use path::PathOf;
pub use problem::{Problem, Violation};
pub use problem_code::ProblemCode;
pub use reply::Reply;
pub use violations::Violations;
