//! What a figure must be: checks that block, and the rate that follows of it exactly.

use std::collections::{HashMap, HashSet};

use bigdecimal::{BigDecimal, Zero};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::{Msg, ProblemCode, Violations};
use crate::values::{Decimal, NumberFault, number_of};

/// Values that one submission may hold.
pub const MOST_VALUES: usize = 500;
/// Characters of a note.
pub const MOST_NOTE: usize = 2000;

/// What is known of an indicator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    pub unit: String,
    /// Reported as numerator and denominator; otherwise as a value.
    pub is_ratio: bool,
}

impl Definition {
    /// Heads, computers, households: nobody has half of one.
    fn counts(&self) -> bool {
        matches!(self.unit.as_str(), "percent" | "per_100" | "ratio")
    }

    /// The numerator is a part of the denominator.
    fn is_share(&self) -> bool {
        self.unit == "percent"
    }
}

/// A figure as it was sent.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub indicator: String,
    pub numerator: Option<Value>,
    pub denominator: Option<Value>,
    pub value: Option<Value>,
    pub note: Option<String>,
}

/// A figure that passed the checks: a numerator with its denominator, or a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    pub indicator: String,
    pub unit: String,
    pub numerator: Option<BigDecimal>,
    pub denominator: Option<BigDecimal>,
    pub value: Option<BigDecimal>,
    pub note: Option<String>,
}

/// What a quotient is multiplied by in this unit.
pub fn per_of(unit: &str) -> BigDecimal {
    BigDecimal::from(if matches!(unit, "percent" | "per_100") { 100 } else { 1 })
}

/// Why there is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ValueRateReason)]
pub enum RateReason {
    ZeroDenominator,
}

impl Figure {
    /// Numerator and denominator, when it is of that kind.
    pub fn parts(&self) -> Option<(&BigDecimal, &BigDecimal)> {
        self.numerator.as_ref().zip(self.denominator.as_ref())
    }

    /// The rate in the indicator's unit, half up to two decimals.
    pub fn rate(&self) -> Option<Decimal> {
        let (numerator, denominator) = self.parts()?;
        if denominator.is_zero() {
            return None;
        }
        Some(Decimal::rounded(&(numerator * per_of(&self.unit) / denominator), 2))
    }

    pub fn rate_reason(&self) -> Option<RateReason> {
        let (_, denominator) = self.parts()?;
        denominator.is_zero().then_some(RateReason::ZeroDenominator)
    }
}

/// Checks a whole set and reads it. Faults are named by pointers into the body (`/values/3/numerator`).
pub fn check(
    entries: Vec<Entry>,
    definitions: &HashMap<String, Definition>,
    faults: &mut Violations,
) -> Vec<Figure> {
    let mut seen = HashSet::new();
    let mut figures = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let mut place = Place { index, indicator: entry.indicator.clone(), faults };
        let code = &entry.indicator;
        if !seen.insert(entry.indicator.clone()) {
            let detail = msg!("Chỉ tiêu `{code}` được khai báo nhiều lần.", "Duplicate indicator `{code}`.");
            place.fault(ProblemCode::DuplicateEntry, "indicator", detail);
        }
        place.length_of_note(entry.note.as_deref());
        match definitions.get(code) {
            Some(definition) => figures.extend(place.figure(entry, definition)),
            None => {
                let detail =
                    msg!("Không tìm thấy chỉ tiêu có mã `{code}`.", "Indicator `{code}` does not exist.");
                place.fault(ProblemCode::UnknownReference, "indicator", detail);
            }
        }
    }
    figures
}

/// One entry's place in the body, where its faults are put.
struct Place<'f> {
    index: usize,
    indicator: String,
    faults: &'f mut Violations,
}

impl Place<'_> {
    fn fault(&mut self, code: ProblemCode, field: &str, detail: Msg) {
        self.faults.add(code, format!("/values/{}/{field}", self.index), detail);
    }

    /// The indicator by its code, and the kind of fault.
    fn plain(&mut self, code: ProblemCode, field: &str) {
        self.of_indicator(code, field, &code.title());
    }

    fn of_indicator(&mut self, code: ProblemCode, field: &str, fault: &Msg) {
        let (indicator, vi, en) = (&self.indicator, &fault.vi, &fault.en);
        let detail = msg!("{indicator}: {vi}", "{indicator}: {en}");
        self.fault(code, field, detail);
    }

    fn whole_number(&mut self, code: ProblemCode, field: &str) {
        self.of_indicator(code, field, &code.of_whole_number());
    }

    fn length_of_note(&mut self, note: Option<&str>) {
        if let Some(note) = note {
            self.faults.length(&format!("/values/{}/note", self.index), note, 0, MOST_NOTE);
        }
    }

    fn figure(&mut self, entry: Entry, definition: &Definition) -> Option<Figure> {
        let note = entry.note.as_deref().map(str::trim).filter(|note| !note.is_empty()).map(str::to_owned);
        let mut figure = Figure {
            indicator: entry.indicator.clone(),
            unit: definition.unit.clone(),
            numerator: None,
            denominator: None,
            value: None,
            note,
        };
        if definition.is_ratio {
            (figure.numerator, figure.denominator) = self.ratio(&entry, definition)?;
        } else {
            figure.value = Some(self.single(&entry)?);
        }
        Some(figure)
    }

    fn ratio(
        &mut self,
        entry: &Entry,
        definition: &Definition,
    ) -> Option<(Option<BigDecimal>, Option<BigDecimal>)> {
        if entry.value.is_some() {
            self.plain(ProblemCode::NumeratorRequired, "value");
            if entry.numerator.is_none() && entry.denominator.is_none() {
                return None;
            }
        }
        let numerator = self.number(entry.numerator.as_ref(), "numerator", definition.counts());
        let denominator = self.number(entry.denominator.as_ref(), "denominator", definition.counts());
        let (numerator, denominator) = (numerator?, denominator?);
        if denominator.is_zero() && !numerator.is_zero() {
            self.plain(ProblemCode::ZeroDenominator, "denominator");
            return None;
        }
        if definition.is_share() && numerator > denominator {
            let (n, d) =
                (numerator.normalized().to_plain_string(), denominator.normalized().to_plain_string());
            let detail = msg!(
                "tử số {n} lớn hơn mẫu số {d}; đề nghị kiểm tra lại số liệu.",
                "the numerator {n} exceeds the denominator {d}."
            );
            self.of_indicator(ProblemCode::NumeratorExceedsDenominator, "numerator", &detail);
            return None;
        }
        Some((Some(numerator), Some(denominator)))
    }

    fn single(&mut self, entry: &Entry) -> Option<BigDecimal> {
        let parts = [("numerator", &entry.numerator), ("denominator", &entry.denominator)];
        if let Some((field, _)) = parts.into_iter().find(|(_, sent)| sent.is_some()) {
            self.plain(ProblemCode::ValueRequired, field);
            return None;
        }
        if entry.value.is_none() {
            self.plain(ProblemCode::ValueRequired, "value");
            return None;
        }
        self.number(entry.value.as_ref(), "value", false)
    }

    fn number(&mut self, sent: Option<&Value>, field: &str, whole: bool) -> Option<BigDecimal> {
        let Some(sent) = sent else {
            self.plain(ProblemCode::Required, field);
            return None;
        };
        match number_of(sent) {
            Err(fault) if whole => self.whole_number(code_of(fault), field),
            Err(fault) => self.plain(code_of(fault), field),
            Ok(Decimal(number)) if number < BigDecimal::zero() => self.plain(ProblemCode::Negative, field),
            Ok(Decimal(number)) if whole && !number.is_integer() => {
                self.whole_number(ProblemCode::NotAnInteger, field)
            }
            Ok(Decimal(number)) => return Some(number),
        }
        None
    }
}

fn code_of(fault: NumberFault) -> ProblemCode {
    ProblemCode::parse(fault.code()).unwrap_or(ProblemCode::NotANumber)
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;
