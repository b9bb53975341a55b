//! Rows as they were sent: nothing is refused here, so that every bad figure of a batch can be told at once.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;

use crate::values::{NumberFault, integer_of};

/// A figure as it was sent: readable, at fault, or not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figure(pub Option<Result<i64, NumberFault>>);

impl Figure {
    /// The number, if it can be read.
    pub fn number(self) -> Option<i64> {
        self.0.and_then(Result::ok)
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        // Nearly every figure is a plain integer: no need of exact decimals to see that.
        Ok(Self(Some(value.as_i64().map_or_else(|| integer_of(&value), Ok))))
    }
}

/// Control totals: what the sender believes to have sent.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DossierControl)]
pub struct Control {
    /// Number of rows.
    #[serde(default)]
    #[schema(value_type = i64, required = true, minimum = 0, maximum = 200000, example = 1)]
    pub rows: Figure,
    /// Sum of `received` over all rows.
    #[serde(default)]
    #[schema(value_type = i64, required = true, minimum = 0, example = 100)]
    pub received: Figure,
}

/// Counts of one agency, procedure and channel. `received`, the three `resolved_…` and `withdrawn` count dossiers of the month,
/// `carried_in` those taken over from the month before, `in_progress_…` those left at its end. They balance: resolved + withdrawn
/// + in progress = received + carried in.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DossierRow)]
pub struct RawRow {
    /// Code of the agency.
    #[serde(default)]
    #[schema(value_type = String, required = true, example = "SO-YT")]
    pub agency: Option<String>,
    /// Code of the procedure.
    #[serde(default)]
    #[schema(value_type = String, required = true, example = "1.011443")]
    pub service: Option<String>,
    #[serde(default)]
    #[schema(value_type = super::rules::Channel, required = true)]
    pub channel: Option<String>,
    #[serde(default)]
    #[schema(value_type = i32, required = true, minimum = 0, example = 100)]
    pub received: Figure,
    /// Resolved before the day it was due.
    #[serde(default)]
    #[schema(value_type = i32, required = true, minimum = 0, example = 20)]
    pub resolved_early: Figure,
    #[serde(default)]
    #[schema(value_type = i32, required = true, minimum = 0, example = 60)]
    pub resolved_on_time: Figure,
    #[serde(default)]
    #[schema(value_type = i32, required = true, minimum = 0, example = 5)]
    pub resolved_late: Figure,
    #[serde(default)]
    #[schema(value_type = i32, required = true, minimum = 0, example = 1)]
    pub withdrawn: Figure,
    #[serde(default)]
    #[schema(value_type = i32, required = true, minimum = 0, example = 10)]
    pub carried_in: Figure,
    #[serde(default)]
    #[schema(value_type = i32, required = true, minimum = 0, example = 22)]
    pub in_progress_on_time: Figure,
    #[serde(default)]
    #[schema(value_type = i32, required = true, minimum = 0, example = 2)]
    pub in_progress_overdue: Figure,
}

impl RawRow {
    /// The counts, in the order of [`super::rules::COUNTS`].
    pub fn figures(&self) -> [Figure; 8] {
        [
            self.received,
            self.resolved_early,
            self.resolved_on_time,
            self.resolved_late,
            self.withdrawn,
            self.carried_in,
            self.in_progress_on_time,
            self.in_progress_overdue,
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_keep_their_fault_until_they_are_checked() {
        let read = |value: Value| serde_json::from_value::<Figure>(value).unwrap().0.unwrap();
        assert_eq!(read(json!(12)), Ok(12));
        assert_eq!(read(serde_json::from_str("12.0").unwrap()), Ok(12));
        assert_eq!(read(json!(-1)), Ok(-1));
        assert_eq!(read(json!("12,5")), Err(NumberFault::DecimalComma));
        assert_eq!(read(json!("1.155")), Err(NumberFault::Ambiguous));
        assert_eq!(read(json!(null)), Err(NumberFault::NotANumber));
        assert_eq!(read(json!([1])), Err(NumberFault::NotANumber));
        assert_eq!(read(serde_json::from_str("1e400").unwrap()), Err(NumberFault::OutOfRange));
        let row: RawRow = serde_json::from_value(json!({"agency": "A"})).unwrap();
        assert_eq!(row.received, Figure(None));
    }
}
