//! Tasks as lines of a table.

use serde::Serialize;

use super::wire::{Party, Task};
use crate::http::csv::CsvRow;

/// A task as a line of a table: without the progress of each lead.
#[derive(Debug, Serialize)]
pub struct TaskLine {
    #[serde(flatten)]
    task: Task,
    lead_codes: Vec<String>,
    coordinator_codes: Vec<String>,
}

impl From<Task> for TaskLine {
    fn from(task: Task) -> Self {
        let codes = |parties: &[Party]| parties.iter().map(|party| party.code.clone()).collect();
        Self { lead_codes: codes(&task.leads), coordinator_codes: codes(&task.coordinators), task }
    }
}

impl CsvRow for TaskLine {
    const COLUMNS: &'static [&'static str] = &[
        "code",
        "plan",
        "section",
        "title",
        "lead_codes",
        "coordinator_codes",
        "indicators",
        "from_quarter",
        "to_quarter",
        "due_date",
        "starts_on",
        "deadline",
        "status",
        "percent",
        "days_late",
        "source",
        "version",
        "withheld",
    ];
}
