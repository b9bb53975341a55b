//! Values of the field: periods, exact decimals, rates, folded text.

mod decimal;
mod disclosure;
mod fold;
mod hex;
mod period;
mod rate;
pub mod vietnamese;

pub use decimal::{Decimal, NumberFault, integer_of, number_of};
pub use disclosure::{LEAST_UNITS, WithheldReason, is_too_few};
pub use fold::{fold, has_mixed_scripts, identity_key, invisible_character, look_alike_key, name_key, nfc};
pub use hex::hex;
pub use period::{Month, Period, is_plausible_day};
pub use rate::{Bound, Comparator, Rate};
