//! What may be right but wants a word of explanation, and what differs between two sets of figures.

use bigdecimal::{BigDecimal, Zero};
use serde::Serialize;
use utoipa::ToSchema;

use super::figures::Figure;
use crate::http::Msg;
use crate::values::{Month, vietnamese};

/// The kind of warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = ValueWarningCode)]
pub enum WarningCode {
    /// 0 of 0: there is no rate.
    ZeroDenominator,
    /// The rate or value changed by more than 50% of the last accepted one of an earlier month.
    LargeChange,
    /// The denominator changed by more than 20% of the last accepted one of an earlier month.
    DenominatorChanged,
}

impl WarningCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ZeroDenominator => "ZERO_DENOMINATOR",
            Self::LargeChange => "LARGE_CHANGE",
            Self::DenominatorChanged => "DENOMINATOR_CHANGED",
        }
    }
}

/// The last accepted figure of an earlier month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    pub month: Month,
    pub numerator: Option<BigDecimal>,
    pub denominator: Option<BigDecimal>,
    pub value: Option<BigDecimal>,
}

/// Something that a note must explain before the figures are submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub code: WarningCode,
    /// Place in the set, from 0.
    pub index: usize,
    pub indicator: String,
    pub detail: Msg,
    /// There is a note.
    pub explained: bool,
}

/// All warnings of a set, each figure beside the earlier one of its indicator.
pub fn warnings<'f>(set: impl Iterator<Item = (&'f Figure, Option<&'f Earlier>)>) -> Vec<Warning> {
    let mut all = Vec::new();
    for (index, (figure, earlier)) in set.enumerate() {
        for (code, detail) in of_figure(figure, earlier) {
            let explained = figure.note.is_some();
            all.push(Warning { code, index, indicator: figure.indicator.clone(), detail, explained });
        }
    }
    all
}

fn of_figure(figure: &Figure, earlier: Option<&Earlier>) -> Vec<(WarningCode, Msg)> {
    let mut found = Vec::new();
    if figure.rate_reason().is_some() {
        let detail = Msg::fixed(
            "Mẫu số bằng 0 nên không tính được tỷ lệ; nếu đúng, đề nghị giải trình ở ô ghi chú (note).",
            "The denominator is 0, so there is no rate. If that is correct, explain it in `note`.",
        );
        found.push((WarningCode::ZeroDenominator, detail));
    }
    let Some(earlier) = earlier else { return found };
    let (month, month_vi) = (earlier.month, vietnamese::month(earlier.month));
    if is_large_change(figure, earlier) {
        let detail = msg!(
            "Số liệu thay đổi trên 50% so với tháng {month_vi}; đề nghị kiểm tra lại, nếu đúng thì giải trình ở ô ghi chú (note) trước khi gửi.",
            "Changed by more than 50% since {month}. Check it; if it is correct, explain it in `note`."
        );
        found.push((WarningCode::LargeChange, detail));
    }
    if let (Some(new), Some(old)) = (&figure.denominator, &earlier.denominator)
        && changed_by_more_than(old, new, 20)
    {
        let (old, new) = (old.normalized().to_plain_string(), new.normalized().to_plain_string());
        let detail = msg!(
            "Mẫu số thay đổi từ {old} thành {new}, trên 20% so với tháng {month_vi}; đề nghị kiểm tra lại, nếu đúng thì giải trình ở ô ghi chú (note) trước khi gửi.",
            "The denominator changed from {old} to {new}, by more than 20% since {month}. Check it; if it is correct, explain it in `note`."
        );
        found.push((WarningCode::DenominatorChanged, detail));
    }
    found
}

/// Rates are compared over the common denominator: exact, without dividing.
fn is_large_change(figure: &Figure, earlier: &Earlier) -> bool {
    if let (Some(new), Some(old)) = (&figure.value, &earlier.value) {
        return changed_by_more_than(old, new, 50);
    }
    match (figure.parts(), earlier.numerator.as_ref().zip(earlier.denominator.as_ref())) {
        (Some((n, d)), Some((n0, d0))) if !d.is_zero() && !d0.is_zero() => {
            changed_by_more_than(&(n0 * d), &(n * d0), 50)
        }
        _ => false,
    }
}

/// From 0 to anything is more than any percentage.
fn changed_by_more_than(old: &BigDecimal, new: &BigDecimal, percent: u32) -> bool {
    (new - old).abs() * BigDecimal::from(100) > old * BigDecimal::from(percent)
}

/// How a figure changed between two sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ValueChangeKind)]
pub enum Change {
    Added,
    Removed,
    Changed,
}

/// The figures that differ, by indicator code: what was, what is.
pub fn diff(from: Vec<Figure>, to: Vec<Figure>) -> Vec<(Change, Option<Figure>, Option<Figure>)> {
    use std::collections::BTreeMap;
    let by_code = |set: Vec<Figure>| -> BTreeMap<String, Figure> {
        set.into_iter().map(|figure| (figure.indicator.clone(), figure)).collect()
    };
    let (mut from, to) = (by_code(from), by_code(to));
    let mut found: BTreeMap<String, (Change, Option<Figure>, Option<Figure>)> = BTreeMap::new();
    for (code, new) in to {
        match from.remove(&code) {
            Some(old) if old == new => {}
            Some(old) => drop(found.insert(code, (Change::Changed, Some(old), Some(new)))),
            None => drop(found.insert(code, (Change::Added, None, Some(new)))),
        }
    }
    for (code, old) in from {
        found.insert(code, (Change::Removed, Some(old), None));
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn figure(n: i64, d: i64) -> Figure {
        Figure {
            indicator: "X".into(),
            unit: "percent".into(),
            numerator: Some(n.into()),
            denominator: Some(d.into()),
            value: None,
            note: None,
        }
    }

    fn earlier(n: i64, d: i64) -> Earlier {
        let month = "2018-01".parse().unwrap();
        Earlier { month, numerator: Some(n.into()), denominator: Some(d.into()), value: None }
    }

    fn codes(now: (i64, i64), before: (i64, i64)) -> Vec<&'static str> {
        let (figure, earlier) = (figure(now.0, now.1), earlier(before.0, before.1));
        warnings([(&figure, Some(&earlier))].into_iter()).iter().map(|w| w.code.as_str()).collect()
    }

    #[test]
    fn the_bounds_themselves_are_no_warning() {
        assert_eq!(codes((60, 100), (40, 100)), [] as [&str; 0], "exactly half more");
        assert_eq!(codes((61, 100), (40, 100)), ["LARGE_CHANGE"]);
        assert_eq!(codes((20, 100), (40, 100)), [] as [&str; 0], "exactly half less");
        assert_eq!(codes((19, 100), (40, 100)), ["LARGE_CHANGE"]);
        assert_eq!(codes((48, 120), (40, 100)), [] as [&str; 0], "the same rate, a fifth more heads");
        assert_eq!(codes((48, 121), (40, 100)), ["DENOMINATOR_CHANGED"]);
        assert_eq!(codes((0, 0), (40, 100)), ["ZERO_DENOMINATOR", "DENOMINATOR_CHANGED"]);
        assert_eq!(codes((1, 100), (0, 100)), ["LARGE_CHANGE"]);
        assert_eq!(codes((0, 100), (0, 100)), [] as [&str; 0]);
        let alone = figure(1, 2);
        assert!(warnings([(&alone, None)].into_iter()).is_empty(), "nothing to compare with");
    }

    #[test]
    fn differences_are_by_indicator() {
        let named = |code: &str, n| Figure { indicator: code.into(), ..figure(n, 10) };
        let found = diff(
            vec![named("A", 1), named("B", 1), named("C", 1)],
            vec![named("C", 2), named("B", 1), named("D", 1)],
        );
        let found: Vec<_> = found
            .iter()
            .map(|(change, old, new)| (*change, old.as_ref().or(new.as_ref()).unwrap().indicator.as_str()))
            .collect();
        assert_eq!(found, [(Change::Removed, "A"), (Change::Changed, "C"), (Change::Added, "D")]);
    }

    proptest! {
        #[test]
        fn what_stays_is_no_warning(n in 0i64..1000, more in 1i64..1000) {
            prop_assert!(codes((n, n + more), (n, n + more)).is_empty());
        }

        #[test]
        fn scale_of_a_decimal_makes_no_difference(n in 0i64..1000) {
            let plain = figure(n, n + 1);
            let padded = Figure { numerator: Some(BigDecimal::from(n).with_scale(6)), ..plain.clone() };
            prop_assert!(diff(vec![plain], vec![padded]).is_empty());
        }
    }
}
