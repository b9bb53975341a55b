//! What makes a batch of dossier counts valid, whichever format it came in.

use std::collections::HashMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use utoipa::ToSchema;

use super::raw::{Control, Figure, RawRow};
use crate::agencies::rules::Validity;
use crate::http::{Code, Msg, Violations};
use crate::ids::{AgencyId, ServiceId, is_code};
use crate::values::{Month, NumberFault};

/// Rows of one batch at the most.
pub const MOST_ROWS: usize = 200_000;

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

/// How a dossier was handed in.
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

/// A row that can be stored; counts in the order of [`COUNTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountRow {
    pub agency: AgencyId,
    pub service: ServiceId,
    pub channel: Channel,
    pub counts: [i32; 8],
}

/// What a batch must know of an agency.
#[derive(Clone, Debug)]
pub struct KnownAgency {
    pub id: AgencyId,
    pub validity: Validity,
    /// The source decided for it, and the other source that has reported its month already.
    pub decided_source: Option<String>,
    pub other_source: Option<String>,
    pub in_scope: bool,
}

/// What is known of all that the rows refer to.
#[derive(Debug, Default)]
pub struct Known {
    pub agencies: HashMap<String, KnownAgency>,
    pub services: HashMap<String, ServiceId>,
}

/// Whose month a batch is, and the day it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub source: &'a str,
    pub month: Month,
    pub today: NaiveDate,
}

/// The rows to store, or everything that is wrong with them.
pub fn check(
    control: &Control,
    rows: &[RawRow],
    known: &Known,
    frame: Frame<'_>,
) -> Result<Vec<CountRow>, Violations> {
    let mut faults = Violations::default();
    if frame.month.first_day() > frame.today {
        let month = frame.month;
        let detail = msg!("Tháng {month} chưa bắt đầu.", "The month {month} has not begun.");
        faults.add(Code::DateInFuture, "", detail);
    }
    check_control(control, rows, &mut faults);
    let mut seen = HashMap::with_capacity(rows.len());
    let mut valid = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let mut place = Place { index, faults: &mut faults };
        let agency = place.agency(row, known, frame);
        let service = place.service(row, known);
        let channel = place.channel(row);
        let counts = place.counts(row);
        let (Some(agency), Some(service), Some(channel)) = (agency, service, channel) else { continue };
        if let Some(first) = seen.insert((agency, service, channel), index) {
            let detail = msg!("Trùng với dòng /rows/{first}.", "The same key as /rows/{first}.");
            place.add(Code::DuplicateEntry, "", detail);
        }
        if let Some(counts) = counts {
            valid.push(CountRow { agency, service, channel, counts });
        }
    }
    if faults.is_empty() { Ok(valid) } else { Err(faults) }
}

/// Control totals show a file that was cut or sent twice, which no row by itself does.
fn check_control(control: &Control, rows: &[RawRow], faults: &mut Violations) {
    let count = i64::try_from(rows.len()).ok();
    let received: Option<i64> =
        rows.iter().map(|row| row.received.number()).try_fold(0_i64, |sum, n| sum.checked_add(n?));
    for (pointer, figure, found) in
        [("/control/rows", control.rows, count), ("/control/received", control.received, received)]
    {
        match (read(figure, i64::MAX), found) {
            (Err((code, detail)), _) => faults.add(code, pointer, detail),
            (Ok(said), Some(found)) if said != found => {
                let detail = msg!(
                    "Số kiểm tra là {said}, các dòng cho {found}.",
                    "The control total says {said}, the rows make {found}."
                );
                let extra =
                    Map::from_iter([("control".to_owned(), json!(said)), ("found".to_owned(), json!(found))]);
                faults.add_with(Code::ControlMismatch, pointer, detail, extra);
            }
            _ => {}
        }
    }
}

fn read(figure: Figure, most: i64) -> Result<i64, (Code, Msg)> {
    let code = match figure.0 {
        None => Code::Required,
        Some(Ok(number)) if number < 0 => Code::Negative,
        Some(Ok(number)) if number > most => Code::NumberOutOfRange,
        Some(Ok(number)) => return Ok(number),
        Some(Err(NumberFault::NotANumber)) => Code::NotANumber,
        Some(Err(NumberFault::DecimalComma)) => Code::DecimalComma,
        Some(Err(NumberFault::Ambiguous)) => Code::AmbiguousNumber,
        Some(Err(NumberFault::NotAnInteger)) => Code::NotAnInteger,
        Some(Err(NumberFault::OutOfRange)) => Code::NumberOutOfRange,
    };
    Err((code, code.title()))
}

/// One row under examination.
struct Place<'f> {
    index: usize,
    faults: &'f mut Violations,
}

impl Place<'_> {
    fn add(&mut self, code: Code, field: &str, detail: Msg) {
        let index = self.index;
        self.faults.add(code, format!("/rows/{index}{field}"), detail);
    }

    fn agency(&mut self, row: &RawRow, known: &Known, frame: Frame<'_>) -> Option<AgencyId> {
        const FIELD: &str = "/agency";
        let code = self.code(row.agency.as_deref(), FIELD)?;
        let Some(agency) = known.agencies.get(code) else {
            let detail = msg!("Không có cơ quan `{code}`.", "There is no agency `{code}`.");
            self.add(Code::UnknownReference, FIELD, detail);
            return None;
        };
        if !agency.in_scope {
            let detail = msg!(
                "Cơ quan `{code}` nằm ngoài phạm vi của tài khoản hoặc của nguồn số liệu.",
                "The agency `{code}` is outside the scope of the caller or of the source."
            );
            self.add(Code::OutsideScope, FIELD, detail);
            return None;
        }
        let month = frame.month;
        if !agency.validity.overlaps(month.first_day(), month.last_day()) {
            let detail = msg!(
                "Cơ quan `{code}` không tồn tại trong tháng {month}.",
                "The agency `{code}` does not exist in {month}."
            );
            self.add(Code::AgencyNotActive, FIELD, detail);
        }
        let decided = agency.decided_source.as_deref().filter(|source| *source != frame.source);
        if let Some(other) = decided.or(agency.other_source.as_deref()) {
            let detail = msg!(
                "Số liệu tháng {month} của `{code}` thuộc nguồn `{other}`.",
                "The counts of `{code}` for {month} come from the source `{other}`."
            );
            self.add(Code::ForeignSource, FIELD, detail);
        }
        Some(agency.id)
    }

    fn service(&mut self, row: &RawRow, known: &Known) -> Option<ServiceId> {
        const FIELD: &str = "/service";
        let code = self.code(row.service.as_deref(), FIELD)?;
        let found = known.services.get(code).copied();
        if found.is_none() {
            let detail = msg!("Không có thủ tục `{code}`.", "There is no procedure `{code}`.");
            self.add(Code::UnknownReference, FIELD, detail);
        }
        found
    }

    fn code<'r>(&mut self, code: Option<&'r str>, field: &str) -> Option<&'r str> {
        match code {
            None => self.add(Code::Required, field, Code::Required.title()),
            Some(code) if !is_code(code) => self.add(Code::InvalidCode, field, Code::InvalidCode.title()),
            Some(code) => return Some(code),
        }
        None
    }

    fn channel(&mut self, row: &RawRow) -> Option<Channel> {
        const FIELD: &str = "/channel";
        let Some(text) = row.channel.as_deref() else {
            self.add(Code::Required, FIELD, Code::Required.title());
            return None;
        };
        let channel = Channel::parse(text);
        if channel.is_none() {
            let detail = Msg::fixed(
                "Hình thức là online, in_person hoặc postal.",
                "A channel is online, in_person or postal.",
            );
            self.add(Code::InvalidValue, FIELD, detail);
        }
        channel
    }

    fn counts(&mut self, row: &RawRow) -> Option<[i32; 8]> {
        let mut counts = [0; 8];
        let mut whole = true;
        for ((name, figure), count) in COUNTS.iter().zip(row.figures()).zip(&mut counts) {
            match read(figure, i64::from(i32::MAX)) {
                Ok(number) => *count = i32::try_from(number).unwrap_or_default(),
                Err((code, detail)) => {
                    self.add(code, &format!("/{name}"), detail);
                    whole = false;
                }
            }
        }
        whole.then_some(counts).inspect(|counts| self.balance(counts))
    }

    /// The arithmetic of form 06: what came to be dealt with is resolved, withdrawn or still there.
    fn balance(&mut self, counts: &[i32; 8]) {
        let (dealt_with, to_deal_with) = sides(counts);
        if dealt_with != to_deal_with {
            let detail = msg!(
                "Đã giải quyết + rút + đang giải quyết = {dealt_with}, nhưng tiếp nhận + kỳ trước chuyển sang = {to_deal_with}.",
                "Resolved + withdrawn + in progress = {dealt_with}, but received + carried in = {to_deal_with}."
            );
            let extra = Map::from_iter([
                ("resolved_withdrawn_in_progress".to_owned(), json!(dealt_with)),
                ("received_carried_in".to_owned(), json!(to_deal_with)),
            ]);
            let pointer = format!("/rows/{}", self.index);
            self.faults.add_with(Code::ArithmeticMismatch, pointer, detail, extra);
        }
    }
}

/// Resolved + withdrawn + in progress, and received + carried in.
fn sides(counts: &[i32; 8]) -> (i64, i64) {
    let [received, early, on_time, late, withdrawn, carried_in, going, overdue] = counts.map(i64::from);
    (early + on_time + late + withdrawn + going + overdue, received + carried_in)
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
