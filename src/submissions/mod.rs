//! Monthly figures of an agency: a working copy that becomes frozen revisions on its way from draft to accepted.
//! What is accepted stays what counts until the next revision is accepted.
//!
//! Others read the tables `submissions` and `submission_revision_values` (joined over `accepted_revision`).

pub mod accepted_values;
pub mod creation;
pub mod figures;
pub mod model;
pub mod revisions;
pub mod routes;
pub mod rules;
pub mod stored_values;
pub mod texts;
pub mod transitions;
pub mod values;
pub mod warnings;
pub mod working_copy;
