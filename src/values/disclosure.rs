//! Statistical disclosure control by a threshold: what is drawn from figures of several agencies is disclosed to a caller who may not read
//! those figures only when enough agencies stand behind it.

use serde::Serialize;
use utoipa::ToSchema;

/// Others whose figures an aggregate needs before it may be disclosed.
pub const LEAST_UNITS: usize = 5;

/// Whether an aggregate over the figures of so many others gives some of them away. What is drawn from no other's gives nothing away.
pub fn is_too_few(others: usize) -> bool {
    (1..LEAST_UNITS).contains(&others)
}

/// Why a number is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WithheldReason {
    /// It depends on the figures of fewer than five units or agencies that the caller may not read.
    FewForeignUnits,
    /// It belongs to a unit that the caller may not read.
    ForeignUnit,
    /// It would say how a figure that the caller chose compares with a single one of another unit.
    ComparesWithForeignUnits,
}
