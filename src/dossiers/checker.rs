//! What makes the rows of a batch valid, whichever format they came in: one row after the other, so that a batch of any length
//! needs no more memory than its keys.

use std::collections::HashMap;

use serde_json::{Map, json};

use super::raw::{Control, Figure, RawRow};
use super::rules::{COUNTS, Channel, CountRow, Known, Procedure, Spot, UnknownServices, outside_scope};
use crate::http::{Msg, ProblemCode, Violation, Violations};
use crate::ids::{AgencyId, is_code};
use crate::values::NumberFault;

/// Where a batch says its control totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlPlace {
    pub rows: &'static str,
    pub received: &'static str,
}

impl ControlPlace {
    /// In the body.
    pub const BODY: Self = Self { rows: "/control/rows", received: "/control/received" };
    /// In the query.
    pub const QUERY: Self = Self { rows: "?rows", received: "?received" };
}

/// Keeps what the rows seen so far mean for the next ones.
#[derive(Debug)]
pub struct Checker {
    known: Known,
    unknown: UnknownServices,
    faults: Violations,
    /// Key of each row and its index. A procedure that is not known has a negative number of this batch alone.
    seen: HashMap<(AgencyId, i32, Channel), u32>,
    unknown_codes: HashMap<String, i32>,
    agencies: HashMap<AgencyId, Spot>,
    rows: usize,
    parked: i32,
    /// `None` once a row's `received` could not be read.
    received: Option<i64>,
}

/// What the rows make together.
#[derive(Debug)]
pub struct Checked {
    /// Those of the control totals first.
    pub faults: Violations,
    pub rows: usize,
    pub parked: i32,
    pub received: i64,
    /// The agencies named, each with its first row.
    pub agencies: HashMap<AgencyId, Spot>,
}

impl Checker {
    pub fn new(known: Known, unknown: UnknownServices) -> Self {
        Self {
            known,
            unknown,
            faults: Violations::default(),
            seen: HashMap::new(),
            unknown_codes: HashMap::new(),
            agencies: HashMap::new(),
            rows: 0,
            parked: 0,
            received: Some(0),
        }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Nothing is wrong so far.
    pub fn is_clean(&self) -> bool {
        self.faults.is_empty()
    }

    /// A line that is no row counts as one.
    pub fn unreadable(&mut self, faults: Vec<Violation>) {
        self.rows += 1;
        self.received = None;
        self.faults.extend(faults);
    }

    /// The row as it is stored, unless something is wrong with it.
    pub fn row(&mut self, row: &RawRow, line: Option<u64>) -> Option<CountRow> {
        let spot = Spot { index: self.rows, line };
        self.rows += 1;
        self.received =
            self.received.zip(row.received.number()).and_then(|(sum, received)| sum.checked_add(received));
        let agency = self.agency(row, spot);
        let procedure = self.procedure(row, spot);
        let channel = self.channel(row, spot);
        let counts = self.counts(row, spot);
        let (agency, procedure, channel) = (agency?, procedure?, channel?);
        self.note(agency, &procedure, channel, spot);
        let place = i32::try_from(spot.index).ok()?;
        Some(CountRow { place, agency, procedure, channel, counts: counts? })
    }

    /// Control totals show a file that was cut or sent twice, which no row by itself does.
    pub fn finish(self, control: &Control, place: ControlPlace) -> Checked {
        let mut faults = Violations::default();
        let found = [i64::try_from(self.rows).ok(), self.received];
        for ((pointer, figure), found) in
            [(place.rows, control.rows), (place.received, control.received)].into_iter().zip(found)
        {
            check_total(pointer, figure, found, &mut faults);
        }
        faults.append(self.faults);
        let (rows, parked, received) = (self.rows, self.parked, self.received.unwrap_or_default());
        Checked { faults, rows, parked, received, agencies: self.agencies }
    }

    fn note(&mut self, agency: AgencyId, procedure: &Procedure, channel: Channel, spot: Spot) {
        self.agencies.entry(agency).or_insert(spot);
        let number = match procedure {
            Procedure::Known(id) => id.0,
            Procedure::Parked(code) => {
                self.parked += 1;
                let next = -1 - i32::try_from(self.unknown_codes.len()).unwrap_or(i32::MAX - 1);
                match self.unknown_codes.get(code) {
                    Some(number) => *number,
                    None => *self.unknown_codes.entry(code.clone()).or_insert(next),
                }
            }
        };
        let index = u32::try_from(spot.index).unwrap_or(u32::MAX);
        if let Some(first) = self.seen.insert((agency, number, channel), index) {
            let number = u64::from(first) + 1;
            let detail = msg!(
                "Trùng với dòng thứ {number} (/rows/{first}).",
                "Same key as row {number} (/rows/{first})."
            );
            self.add(spot, ProblemCode::DuplicateEntry, "", detail);
        }
    }

    fn add(&mut self, spot: Spot, code: ProblemCode, field: &str, detail: Msg) {
        self.faults.add_with(code, spot.pointer(field), detail, spot.extra());
    }

    fn agency(&mut self, row: &RawRow, spot: Spot) -> Option<AgencyId> {
        const FIELD: &str = "/agency";
        let code = self.code(row.agency.as_deref(), spot, FIELD)?;
        match self.known.agencies.get(code).copied() {
            None => {
                let detail = crate::agencies::unknown(&code);
                self.add(spot, ProblemCode::UnknownReference, FIELD, detail);
                None
            }
            Some(agency) if !agency.in_scope => {
                self.add(spot, ProblemCode::OutsideScope, FIELD, outside_scope(code));
                None
            }
            Some(agency) => Some(agency.id),
        }
    }

    fn procedure(&mut self, row: &RawRow, spot: Spot) -> Option<Procedure> {
        const FIELD: &str = "/service";
        let code = self.code(row.service.as_deref(), spot, FIELD)?;
        match (self.known.services.get(code), self.unknown) {
            (Some(id), _) => Some(Procedure::Known(*id)),
            (None, UnknownServices::Park) => Some(Procedure::Parked(code.to_owned())),
            (None, UnknownServices::Refuse) => {
                let detail = msg!(
                    "Không tìm thấy thủ tục hành chính có mã `{code}` trong danh mục.",
                    "Procedure `{code}` does not exist."
                );
                self.add(spot, ProblemCode::UnknownReference, FIELD, detail);
                None
            }
        }
    }

    fn code<'r>(&mut self, code: Option<&'r str>, spot: Spot, field: &str) -> Option<&'r str> {
        match code {
            None => self.add(spot, ProblemCode::Required, field, ProblemCode::Required.title()),
            Some(code) if !is_code(code) => {
                self.add(spot, ProblemCode::InvalidCode, field, ProblemCode::InvalidCode.title())
            }
            Some(code) => return Some(code),
        }
        None
    }

    fn channel(&mut self, row: &RawRow, spot: Spot) -> Option<Channel> {
        const FIELD: &str = "/channel";
        let Some(text) = row.channel.as_deref() else {
            self.add(spot, ProblemCode::Required, FIELD, ProblemCode::Required.title());
            return None;
        };
        let channel = Channel::parse(text);
        if channel.is_none() {
            let detail = Msg::fixed(
                "Hình thức tiếp nhận phải là online (trực tuyến), in_person (trực tiếp) hoặc postal (bưu chính công ích).",
                "`channel` must be `online`, `in_person` or `postal`.",
            );
            self.add(spot, ProblemCode::InvalidValue, FIELD, detail);
        }
        channel
    }

    fn counts(&mut self, row: &RawRow, spot: Spot) -> Option<[i32; 8]> {
        let mut counts = [0; 8];
        let mut whole = true;
        for ((name, figure), count) in COUNTS.iter().zip(row.figures()).zip(&mut counts) {
            match read(figure, i64::from(i32::MAX)) {
                Ok(number) => *count = i32::try_from(number).unwrap_or_default(),
                Err((code, detail)) => {
                    self.add(spot, code, &format!("/{name}"), detail);
                    whole = false;
                }
            }
        }
        whole.then_some(counts).inspect(|counts| self.balance(counts, spot))
    }

    /// The arithmetic of form 06: what came to be dealt with is resolved, withdrawn or still there.
    fn balance(&mut self, counts: &[i32; 8], spot: Spot) {
        let (dealt_with, to_deal_with) = sides(counts);
        if dealt_with != to_deal_with {
            let detail = msg!(
                "Số liệu không khớp: đã giải quyết + xin rút + đang giải quyết = {dealt_with}, trong khi tiếp nhận trong kỳ + kỳ trước chuyển sang = {to_deal_with}; hai tổng phải bằng nhau.",
                "Resolved + withdrawn + in progress ({dealt_with}) must equal received + carried in ({to_deal_with})."
            );
            let mut extra = spot.extra();
            extra.insert("resolved_withdrawn_in_progress".to_owned(), json!(dealt_with));
            extra.insert("received_carried_in".to_owned(), json!(to_deal_with));
            self.faults.add_with(ProblemCode::ArithmeticMismatch, spot.pointer(""), detail, extra);
        }
    }
}

fn check_total(pointer: &str, figure: Figure, found: Option<i64>, faults: &mut Violations) {
    match (read(figure, i64::MAX), found) {
        (Err((code, detail)), _) => faults.add(code, pointer, detail),
        (Ok(said), Some(found)) if said != found => {
            let detail = msg!(
                "Tổng đối chiếu khai báo là {said}, nhưng tổng cộng từ các dòng là {found}.",
                "The control total is {said}, but the rows add up to {found}."
            );
            let extra =
                Map::from_iter([("control".to_owned(), json!(said)), ("found".to_owned(), json!(found))]);
            faults.add_with(ProblemCode::ControlMismatch, pointer, detail, extra);
        }
        _ => {}
    }
}

fn read(figure: Figure, most: i64) -> Result<i64, (ProblemCode, Msg)> {
    let code = match figure.0 {
        None => ProblemCode::Required,
        Some(Ok(number)) if number < 0 => ProblemCode::Negative,
        Some(Ok(number)) if number > most => ProblemCode::NumberOutOfRange,
        Some(Ok(number)) => return Ok(number),
        Some(Err(NumberFault::NotANumber)) => ProblemCode::NotANumber,
        Some(Err(NumberFault::DecimalComma)) => ProblemCode::DecimalComma,
        Some(Err(NumberFault::Ambiguous)) => ProblemCode::AmbiguousNumber,
        Some(Err(NumberFault::NotAnInteger)) => ProblemCode::NotAnInteger,
        Some(Err(NumberFault::OutOfRange)) => ProblemCode::NumberOutOfRange,
    };
    Err((code, code.of_whole_number()))
}

/// Resolved + withdrawn + in progress, and received + carried in.
fn sides(counts: &[i32; 8]) -> (i64, i64) {
    let [received, early, on_time, late, withdrawn, carried_in, going, overdue] = counts.map(i64::from);
    (early + on_time + late + withdrawn + going + overdue, received + carried_in)
}

#[cfg(test)]
#[path = "checker_tests.rs"]
mod tests;
