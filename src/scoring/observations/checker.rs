//! What makes a set of observations valid for a framework. Everything wrong is named, with its place in the body.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use super::rules::{Row, Set, Source, fixed_of};
use super::wire::{MOST_NOTE, NewRow, NewUnit};
use crate::http::target::is_dot_segment;
use crate::http::violations::not_visible;
use crate::http::{Msg, ProblemCode, Violations};
use crate::scoring::engine::fixed::Fixed;
use crate::scoring::engine::input::{Unit, observed_codes};
use crate::scoring::engine::tree::Tree;
use crate::scoring::frameworks::checks::check_label;
use crate::values::{NumberFault, name_key};

/// Characters of a unit's code.
const MOST_UNIT: usize = 100;
/// Attributes of a unit.
const MOST_ATTRIBUTES: usize = 50;

/// What rows and units may name.
pub struct Checker<'a> {
    observed: BTreeSet<&'a str>,
    leaves: HashSet<&'a str>,
    /// Codes of agencies, where agencies are scored: no other unit is taken.
    agencies: Option<&'a HashSet<String>>,
    pub faults: Violations,
}

/// A unit's code as it is kept: without space around it.
pub fn unit_code(text: &str) -> &str {
    text.trim()
}

impl<'a> Checker<'a> {
    pub fn new(tree: &'a Tree, agencies: Option<&'a HashSet<String>>) -> Self {
        let leaves = tree.leaves().map(|(_, item, _)| item.code.as_str()).collect();
        Self { observed: observed_codes(tree), leaves, agencies, faults: Violations::default() }
    }

    /// The set, ordered; meaningless when there are faults.
    pub fn set(&mut self, rows: Vec<NewRow>, units: Vec<NewUnit>) -> Set {
        self.alike(&rows, &units);
        let units = self.units(units);
        Set { rows: self.rows(rows), units }.ordered()
    }

    /// One unit under two spellings would be two.
    fn alike(&mut self, rows: &[NewRow], units: &[NewUnit]) {
        let of_rows = rows.iter().enumerate().map(|(at, row)| (unit_code(&row.unit), "rows", at, "unit"));
        let of_units =
            units.iter().enumerate().map(|(at, unit)| (unit_code(&unit.code), "units", at, "code"));
        let mut seen: HashSet<&str> = HashSet::new();
        let mut spellings: HashMap<String, (&str, String)> = HashMap::new();
        for (code, list, at, field) in of_rows.chain(of_units) {
            let key = name_key(code);
            if key.is_empty() || !seen.insert(code) {
                continue;
            }
            let pointer = format!("/{list}/{at}/{field}");
            if let Some((other, there)) = spellings.get(&key) {
                let detail = msg!(
                    "Trùng với đơn vị `{other}` tại {there}, chỉ khác cách viết; đề nghị thống nhất một cách viết.",
                    "Same unit as `{other}` at {there}, spelled differently."
                );
                self.faults.add(ProblemCode::DuplicateEntry, pointer, detail);
            } else {
                spellings.insert(key, (code, pointer));
            }
        }
    }

    fn rows(&mut self, rows: Vec<NewRow>) -> Vec<Row> {
        let mut seen: HashMap<(String, String), usize> = HashMap::with_capacity(rows.len());
        let mut valid = Vec::with_capacity(rows.len());
        for (index, row) in rows.into_iter().enumerate() {
            let pointer = format!("/rows/{index}");
            let Some(row) = self.row(row, &pointer) else { continue };
            if let Some(first) = seen.insert((row.unit.clone(), row.indicator.clone()), index) {
                let number = first + 1;
                let detail = msg!(
                    "Trùng với dòng thứ {number} (/rows/{first}).",
                    "Same unit and indicator as row {number} (/rows/{first})."
                );
                self.faults.add(ProblemCode::DuplicateEntry, pointer, detail);
            }
            valid.push(row);
        }
        valid
    }

    fn row(&mut self, new: NewRow, pointer: &str) -> Option<Row> {
        self.unit(&new.unit, &format!("{pointer}/unit"));
        let code = &new.indicator;
        if !self.observed.contains(code.as_str()) {
            let detail = msg!(
                "Bộ chỉ số không có chỉ tiêu mang mã `{code}`.",
                "The framework has no indicator `{code}`."
            );
            self.faults.add(ProblemCode::UnknownReference, format!("{pointer}/indicator"), detail);
        }
        let note = new.note.as_deref().map(str::trim).filter(|note| !note.is_empty()).map(str::to_owned);
        if let Some(note) = &note {
            self.faults.length(&format!("{pointer}/note"), note, 0, MOST_NOTE);
        }
        let (value, numerator, denominator) = self.figure(&new, pointer)?;
        let unit = unit_code(&new.unit).to_owned();
        Some(Row {
            unit,
            indicator: new.indicator,
            value,
            numerator,
            denominator,
            note,
            source: Source::Imported,
        })
    }

    /// A value, or numerator and denominator.
    #[allow(clippy::type_complexity, reason = "three numbers of one figure")]
    fn figure(
        &mut self,
        new: &NewRow,
        pointer: &str,
    ) -> Option<(Option<Fixed>, Option<Fixed>, Option<Fixed>)> {
        let parts = new.numerator.is_some() || new.denominator.is_some();
        match &new.value {
            None if !parts => {
                let detail = Msg::fixed(
                    "Phải có giá trị (value), hoặc tử số (numerator) và mẫu số (denominator); chỉ tiêu chưa có số liệu thì không gửi dòng đó.",
                    "Provide `value`, or `numerator` and `denominator`. Omit the row if there is no figure.",
                );
                self.faults.add(ProblemCode::Required, format!("{pointer}/value"), detail);
                None
            }
            Some(_) if parts => {
                let detail = Msg::fixed(
                    "Chỉ khai báo một trong hai: giá trị (value), hoặc tử số và mẫu số.",
                    "Provide `value` or `numerator` and `denominator`, not both.",
                );
                self.faults.add(ProblemCode::InvalidValue, format!("{pointer}/value"), detail);
                None
            }
            Some(value) => Some((Some(self.number(Some(value), pointer, "value")?), None, None)),
            None => {
                let numerator = self.number(new.numerator.as_ref(), pointer, "numerator");
                let denominator = self.number(new.denominator.as_ref(), pointer, "denominator");
                let (numerator, denominator) = (numerator?, denominator?);
                if denominator.is_negative() {
                    let code = ProblemCode::Negative;
                    self.faults.add(code, format!("{pointer}/denominator"), code.title());
                }
                Some((None, Some(numerator), Some(denominator)))
            }
        }
    }

    fn number(&mut self, sent: Option<&Value>, pointer: &str, field: &str) -> Option<Fixed> {
        let (code, detail) = match sent.map(fixed_of) {
            Some(Ok(number)) => return Some(number),
            Some(Err(NumberFault::OutOfRange)) => (
                ProblemCode::NumberOutOfRange,
                Msg::fixed(
                    "Số chỉ được có tối đa 24 chữ số phần nguyên và 18 chữ số phần thập phân.",
                    "At most 24 digits before and 18 after the decimal point.",
                ),
            ),
            Some(Err(fault)) => {
                let code = ProblemCode::parse(fault.code()).unwrap_or(ProblemCode::NotANumber);
                (code, code.title())
            }
            None => (ProblemCode::Required, ProblemCode::Required.title()),
        };
        self.faults.add(code, format!("{pointer}/{field}"), detail);
        None
    }

    fn unit(&mut self, sent: &str, pointer: &str) {
        let code = unit_code(sent);
        let n = code.chars().count();
        if n == 0 || n > MOST_UNIT {
            self.faults.length(pointer, code, 1, MOST_UNIT);
        } else if let Some(detail) = not_visible(code) {
            self.faults.add(ProblemCode::InvalidCode, pointer, detail);
        } else if is_dot_segment(code) {
            let detail = Msg::fixed(
                "Tên không được là . hoặc .. vì được dùng trong đường dẫn.",
                "Names are used in paths and must not be `.` or `..`.",
            );
            self.faults.add(ProblemCode::InvalidCode, pointer, detail);
        } else if self.agencies.is_some_and(|known| !known.contains(code)) {
            let detail = crate::agencies::unknown(&code);
            self.faults.add(ProblemCode::UnknownReference, pointer, detail);
        }
    }

    fn units(&mut self, units: Vec<NewUnit>) -> Vec<Unit> {
        let mut seen = HashSet::with_capacity(units.len());
        let mut valid = Vec::with_capacity(units.len());
        for (index, new) in units.into_iter().enumerate() {
            let pointer = format!("/units/{index}");
            self.unit(&new.code, &format!("{pointer}/code"));
            let code = unit_code(&new.code).to_owned();
            if !seen.insert(code.clone()) {
                let detail = msg!("Đơn vị `{code}` được khai báo nhiều lần.", "Duplicate unit `{code}`.");
                self.faults.add(ProblemCode::DuplicateEntry, format!("{pointer}/code"), detail);
            }
            self.labels(&new, &pointer);
            valid.push(Unit {
                code,
                peer_group: new.peer_group,
                attributes: new.attributes.into_iter().collect(),
                not_applicable: new.not_applicable.into_iter().collect(),
            });
        }
        valid
    }

    fn labels(&mut self, new: &NewUnit, pointer: &str) {
        if let Some(group) = &new.peer_group {
            check_label(&format!("{pointer}/peer_group"), group, &mut self.faults);
        }
        let n = new.attributes.len();
        if n > MOST_ATTRIBUTES {
            let detail = msg!(
                "Chỉ được khai báo tối đa {MOST_ATTRIBUTES} mục; hiện có {n} mục.",
                "At most {MOST_ATTRIBUTES} attributes are allowed, got {n}."
            );
            self.faults.add(ProblemCode::InvalidLength, format!("{pointer}/attributes"), detail);
        }
        for (index, label) in new.attributes.iter().enumerate() {
            check_label(&format!("{pointer}/attributes/{index}"), label, &mut self.faults);
        }
        for (index, code) in new.not_applicable.iter().enumerate() {
            if !self.leaves.contains(code.as_str()) {
                let detail = msg!(
                    "Bộ chỉ số không có chỉ tiêu mang mã `{code}`.",
                    "The framework has no indicator `{code}`."
                );
                self.faults.add(
                    ProblemCode::UnknownReference,
                    format!("{pointer}/not_applicable/{index}"),
                    detail,
                );
            }
        }
    }
}
