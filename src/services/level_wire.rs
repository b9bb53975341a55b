//! Levels of procedures on the wire.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::LevelRow;
use super::rules;
use crate::http::csv::CsvRow;
use crate::http::{Check, ProblemCode, Violations};

/// A level of a procedure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServiceLevel {
    /// Level of decree 43/2011, 1 to 4.
    #[schema(minimum = 1, maximum = 4, example = 3)]
    pub level: i16,
    /// First day of the level. It applies until the next one starts.
    pub effective_from: NaiveDate,
    /// Number of the decision that set it.
    #[schema(example = "1234/QĐ-UBND")]
    pub decision: String,
}

impl From<LevelRow> for ServiceLevel {
    fn from(row: LevelRow) -> Self {
        Self { level: row.level, effective_from: row.effective_from, decision: row.decision }
    }
}

impl CsvRow for ServiceLevel {
    const COLUMNS: &'static [&'static str] = &["level", "effective_from", "decision"];
}

/// A level that takes effect on a day, in the past or future.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLevel {
    #[schema(minimum = 1, maximum = 4, example = 3)]
    pub level: i64,
    pub effective_from: NaiveDate,
    #[schema(min_length = 1, max_length = 200, example = "1234/QĐ-UBND")]
    pub decision: String,
}

impl NewLevel {
    /// Adds what is wrong, each pointer below `at`.
    pub fn check_at(&self, at: &str, faults: &mut Violations) {
        if !rules::is_level(self.level) {
            let level = self.level;
            let detail = msg!(
                "Mức độ phải từ 1 đến 4; hiện là {level}.",
                "`level` must be between 1 and 4, got {level}."
            );
            faults.add(ProblemCode::NumberOutOfRange, format!("{at}/level"), detail);
        }
        faults.day(&format!("{at}/effective_from"), self.effective_from);
        faults.name(&format!("{at}/decision"), self.decision.trim(), 1, 200);
    }

    pub fn row(self) -> LevelRow {
        LevelRow {
            level: i16::try_from(self.level).unwrap_or_default(),
            effective_from: self.effective_from,
            decision: self.decision.trim().to_owned(),
        }
    }
}

impl Check for NewLevel {
    fn check(&self, faults: &mut Violations) {
        self.check_at("", faults);
    }
}
