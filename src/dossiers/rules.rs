//! What a batch of dossier counts is about, and what forbids a month or an agency in it. Rows are checked by `checker`.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::agencies::rules::Validity;
use crate::http::{Msg, ProblemCode, Violations};
use crate::ids::{AgencyId, ServiceId};
use crate::values::{Month, vietnamese};

/// Rows of one batch at the most.
pub const MOST_ROWS: usize = 500_000;

/// Names of a row's counts.
pub const COUNTS: [&str; 8] = [
    "received",
    "resolved_early",
    "resolved_on_time",
    "resolved_late",
    "withdrawn",
    "carried_in",
    "in_progress_on_time",
    "in_progress_overdue",
];

/// How a dossier was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DossierChannel)]
pub enum Channel {
    Online,
    InPerson,
    Postal,
}

impl Channel {
    pub const ALL: [Self; 3] = [Self::Online, Self::InPerson, Self::Postal];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::InPerson => "in_person",
            Self::Postal => "postal",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == text)
    }

    /// As stored.
    pub fn number(self) -> i16 {
        match self {
            Self::Online => 1,
            Self::InPerson => 2,
            Self::Postal => 3,
        }
    }
}

/// What to do with rows whose procedure is not in the catalogue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownServices {
    /// The batch is refused.
    #[default]
    Refuse,
    /// The rows wait until the procedure is known; no figure counts them before.
    Park,
}

/// The procedure of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Procedure {
    Known(ServiceId),
    /// Its code; the catalogue has none.
    Parked(String),
}

/// A row that can be stored; counts in the order of [`COUNTS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountRow {
    /// Index in the batch.
    pub place: i32,
    pub agency: AgencyId,
    pub procedure: Procedure,
    pub channel: Channel,
    pub counts: [i32; 8],
}

/// An agency as the rows name it.
#[derive(Clone, Copy, Debug)]
pub struct NamedAgency {
    pub id: AgencyId,
    /// Within the caller's scope and what the source reports.
    pub in_scope: bool,
}

/// All that the rows can refer to.
#[derive(Debug, Default)]
pub struct Known {
    pub agencies: HashMap<String, NamedAgency>,
    pub services: HashMap<String, ServiceId>,
}

/// Who reports an agency's month, as it stands when the batch is stored.
#[derive(Clone, Debug)]
pub struct Reporter {
    pub id: AgencyId,
    pub code: String,
    pub validity: Validity,
    /// The source decided for it, and the other source that has reported its month already.
    pub decided_source: Option<String>,
    pub other_source: Option<String>,
    pub in_scope: bool,
}

/// Whose month a batch is, and the day it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub source: &'a str,
    pub month: Month,
    pub today: NaiveDate,
}

/// What forbids the month, or an agency in it: each is told once, at the first row that names it.
pub fn check_frame(frame: Frame<'_>, agencies: &[(Spot, Reporter)]) -> Violations {
    let mut faults = Violations::default();
    let (month, source) = (frame.month, frame.source);
    let month_vi = vietnamese::month(month);
    if month.first_day() > frame.today {
        let detail =
            msg!("Chưa đến tháng {month_vi}, chưa thực hiện được.", "Month {month} has not started yet.");
        faults.add(ProblemCode::DateInFuture, "", detail);
    }
    for (spot, agency) in agencies {
        let code = &agency.code;
        let mut add = |fault, detail| faults.add_with(fault, spot.pointer("/agency"), detail, spot.extra());
        if !agency.in_scope {
            add(ProblemCode::OutsideScope, outside_scope(code));
        }
        if !agency.validity.overlaps(month.first_day(), month.last_day()) {
            let detail = msg!(
                "Cơ quan `{code}` chưa thành lập hoặc đã chấm dứt hoạt động trong tháng {month_vi}.",
                "Agency `{code}` is not active in {month}."
            );
            add(ProblemCode::AgencyNotActive, detail);
        }
        let decided = agency.decided_source.as_deref().filter(|decided| *decided != source);
        if let Some(other) = decided.or(agency.other_source.as_deref()) {
            let detail = msg!(
                "Số liệu hồ sơ tháng {month_vi} của cơ quan `{code}` do nguồn `{other}` cung cấp; không nhận từ nguồn này.",
                "The counts of agency `{code}` for {month} come from source `{other}`."
            );
            add(ProblemCode::ForeignSource, detail);
        }
    }
    faults
}

pub fn outside_scope(code: &str) -> Msg {
    msg!(
        "Cơ quan `{code}` không thuộc phạm vi quản lý của tài khoản hoặc của nguồn số liệu.",
        "Agency `{code}` is outside the scope of your account or of this source."
    )
}

/// Where a row stands: its index, and the line of the file it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub index: usize,
    pub line: Option<u64>,
}

impl Spot {
    pub fn pointer(self, field: &str) -> String {
        format!("/rows/{}{field}", self.index)
    }

    pub fn extra(self) -> Map<String, Value> {
        self.line.map(|line| ("line".to_owned(), json!(line))).into_iter().collect()
    }
}

/// Months without a batch, from the first reported one to the last one that is over. `reported` is in order.
pub fn missing_months(reported: &[Month], today: NaiveDate) -> Vec<Month> {
    let Some(first) = reported.first() else { return Vec::new() };
    let running = Month::of(today);
    std::iter::successors(Some(*first), |month| Some(month.next()))
        .take_while(|month| *month < running)
        .filter(|month| reported.binary_search(month).is_err())
        .collect()
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
