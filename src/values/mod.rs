//! Values of the field: periods, exact decimals, folded text.

mod decimal;
mod fold;
mod period;

pub use decimal::{Decimal, NumberFault, integer_of, number_of};
pub use fold::{fold, nfc};
pub use period::{Month, Period};
