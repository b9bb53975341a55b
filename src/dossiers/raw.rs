//! Rows as they were sent: nothing is refused here, so that every bad figure of a batch can be told at once.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::ToSchema;

use super::rules::COUNTS;
use crate::http::Problem;
use crate::http::upload::flat_row::FlatRow;
use crate::values::{NumberFault, integer_of};

/// A figure as it was sent: readable, at fault, or not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figure(pub Option<Result<i64, NumberFault>>);

impl Figure {
    /// A figure as the text of a cell: there, a whole number is its digits alone.
    pub fn of_text(text: &str) -> Self {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        Self(Some(if whole {
            text.parse().map_err(|_| NumberFault::OutOfRange)
        } else {
            integer_of(&Value::String(text.to_owned()))
        }))
    }

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

/// Control totals of what the sender sent.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DossierControl)]
pub struct Control {
    /// Number of rows.
    #[serde(default)]
    #[schema(value_type = i64, required = true, minimum = 0, maximum = 500000, example = 1)]
    pub rows: Figure,
    /// Sum of `received` over all rows.
    #[serde(default)]
    #[schema(value_type = i64, required = true, minimum = 0, example = 100)]
    pub received: Figure,
}

/// Counts of one agency, procedure and channel. `received`, `resolved_…` and `withdrawn` count dossiers of the month; `carried_in`
/// those in progress at its start; `in_progress_…` those in progress at its end. Resolved + withdrawn + in progress must equal
/// received + carried in.
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
    /// Dossiers resolved before the due date.
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

/// A row without anything unusual: every key once, codes without escapes, counts as plain integers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainRow<'r> {
    agency: &'r str,
    service: &'r str,
    channel: &'r str,
    received: i64,
    resolved_early: i64,
    resolved_on_time: i64,
    resolved_late: i64,
    withdrawn: i64,
    carried_in: i64,
    in_progress_on_time: i64,
    in_progress_overdue: i64,
}

impl From<PlainRow<'_>> for RawRow {
    fn from(row: PlainRow<'_>) -> Self {
        let figure = |number| Figure(Some(Ok(number)));
        Self {
            agency: Some(row.agency.to_owned()),
            service: Some(row.service.to_owned()),
            channel: Some(row.channel.to_owned()),
            received: figure(row.received),
            resolved_early: figure(row.resolved_early),
            resolved_on_time: figure(row.resolved_on_time),
            resolved_late: figure(row.resolved_late),
            withdrawn: figure(row.withdrawn),
            carried_in: figure(row.carried_in),
            in_progress_on_time: figure(row.in_progress_on_time),
            in_progress_overdue: figure(row.in_progress_overdue),
        }
    }
}

impl FlatRow for RawRow {
    const COLUMNS: &'static [&'static str] = &COLUMNS;
    const REQUIRED: usize = COLUMNS.len();

    fn of_plain(object: &[u8]) -> Option<Self> {
        serde_json::from_slice::<PlainRow<'_>>(object).ok().map(Self::from)
    }

    fn of_cells(cells: &[Option<&str>]) -> Result<Self, Problem> {
        let text = |at: usize| cells.get(at).copied().flatten();
        let code = |at: usize| text(at).map(str::to_owned);
        let figure = |at: usize| text(at).map_or(Figure(None), Figure::of_text);
        Ok(Self {
            agency: code(0),
            service: code(1),
            channel: code(2),
            received: figure(3),
            resolved_early: figure(4),
            resolved_on_time: figure(5),
            resolved_late: figure(6),
            withdrawn: figure(7),
            carried_in: figure(8),
            in_progress_on_time: figure(9),
            in_progress_overdue: figure(10),
        })
    }
}

/// Columns of a CSV batch: keys, then [`COUNTS`].
const COLUMNS: [&str; 11] = {
    let [a, b, c, d, e, f, g, h] = COUNTS;
    ["agency", "service", "channel", a, b, c, d, e, f, g, h]
};

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

    #[test]
    fn a_plain_row_is_the_same_row_by_the_short_way() {
        let figures = r#""received":3,"resolved_early":0,"resolved_on_time":3,"resolved_late":0,"withdrawn":0,"carried_in":0"#;
        let row = |last: &str| {
            format!(
                r#"{{"agency":"A","service":"S","channel":"online",{figures},"in_progress_on_time":0,"in_progress_overdue":{last}}}"#
            )
        };
        let both = |text: &str| {
            let long = serde_json::from_str::<RawRow>(text).ok().map(|row| format!("{row:?}"));
            (RawRow::of_plain(text.as_bytes()).map(|row| format!("{row:?}")), long)
        };
        for plain in ["0", "7", "-12", "9007199254740993", "-9223372036854775808"] {
            let (short, long) = both(&row(plain));
            assert!(short.is_some() && short == long, "{plain}: {short:?} {long:?}");
        }
        for unusual in [
            "-0",
            "1.0",
            "1e2",
            "\"1\"",
            "null",
            "01",
            "99999999999999999999",
            "[1]",
            "1,\"x\":1",
            "1,\"received\":1",
        ] {
            assert_eq!(both(&row(unusual)).0, None, "{unusual} goes the long way");
        }
        assert!(RawRow::of_plain(br#"{"agency":"A"}"#).is_none(), "what is missing is told the long way");
    }

    #[test]
    fn cells_are_read_by_their_digits() {
        let read = |text: &str| Figure::of_text(text).0.unwrap();
        assert_eq!(read("12"), Ok(12));
        assert_eq!(read("-1"), Ok(-1));
        assert_eq!(read("84,1"), Err(NumberFault::DecimalComma));
        assert_eq!(read("1.155"), Err(NumberFault::Ambiguous));
        assert_eq!(read("99999999999999999999"), Err(NumberFault::OutOfRange));
        for text in ["1e3", "-", "+1", "nhiều", "0x1", "1 000", "NaN"] {
            assert_eq!(read(text), Err(NumberFault::NotANumber), "{text}");
        }
    }
}
