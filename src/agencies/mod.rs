//! Agencies of the province: hierarchy, validity, successors, groups. A merged agency keeps its history; its successor begins its own.
//!
//! Others use [`model::find`], [`model::ids_of`], [`AgencyRow`] and [`rules::Validity`].

pub mod model;
pub mod routes;
pub mod rules;
pub mod wire;

pub use model::AgencyRow;

/// No agency has this code.
pub fn unknown(code: &impl std::fmt::Display) -> crate::http::Msg {
    msg!(
        "Không tìm thấy cơ quan có mã `{code}`; đề nghị kiểm tra lại mã cơ quan.",
        "Agency `{code}` does not exist."
    )
}
