//! Which figures of the service go where, and what becomes of those that are there: nothing imported is overwritten unasked.

use std::collections::{BTreeMap, BTreeSet};

use bigdecimal::BigDecimal;
use serde::Serialize;
use utoipa::ToSchema;

use super::rules::{Row, Set, Source, SubmissionRevision};
use crate::scoring::engine::fixed::Fixed;
use crate::statistics::figures::Counted;
use crate::submissions::stored_values::LatestRow;
use crate::values::Month;

/// Where figures of a leaf are taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Accepted figures of this indicator.
    Submissions(String),
    Statistic(Counted),
}

/// Why a leaf, or an agency's part of it, was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// It is no indicator of the service, and nothing says which figure it is.
    NoOrigin,
    /// Reported as a value: values of agencies do not add up to the province's.
    CannotBeAdded,
    /// The agency did not exist any more at the year's end; its successor reports what was its.
    AgencyEnded,
}

/// A skipped leaf.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[schema(as = SkippedObservation)]
pub struct Skipped {
    pub indicator: String,
    pub reason: SkipReason,
    /// Codes of the agencies concerned; empty if all.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub agencies: BTreeSet<String>,
}

/// Figures found, and what was passed over.
#[derive(Debug, Default)]
pub struct Found {
    pub rows: Vec<Row>,
    pub skipped: Vec<Skipped>,
}

impl Found {
    fn skip(&mut self, indicator: &str, reason: SkipReason, agencies: BTreeSet<String>) {
        self.skipped.push(Skipped { indicator: indicator.to_owned(), reason, agencies });
    }

    /// Each agency's own figure.
    pub fn of_agencies<'r>(&mut self, indicator: &str, latest: impl Iterator<Item = &'r LatestRow>) {
        self.rows.extend(latest.filter_map(|figure| {
            let source = submitted(indicator, figure, vec![revision_of(figure)]);
            Some(Row {
                unit: figure.agency.clone(),
                indicator: indicator.to_owned(),
                value: fixed(figure.value.as_ref())?,
                numerator: fixed(figure.numerator.as_ref())?,
                denominator: fixed(figure.denominator.as_ref())?,
                note: figure.note.clone(),
                source,
            })
        }));
    }

    /// The sum of the numerators by the sum of the denominators, over the agencies that exist at the year's end.
    pub fn of_province<'r>(
        &mut self,
        (indicator, unit): (&str, &str),
        latest: impl Iterator<Item = &'r LatestRow>,
    ) {
        let (ended, latest): (Vec<_>, Vec<_>) = latest.partition(|figure| figure.ended);
        if !ended.is_empty() {
            let agencies = ended.iter().map(|figure| figure.agency.clone()).collect();
            self.skip(indicator, SkipReason::AgencyEnded, agencies);
        }
        if latest.iter().any(|figure| figure.value.is_some()) {
            return self.skip(indicator, SkipReason::CannotBeAdded, BTreeSet::new());
        }
        let sum = |of: fn(&LatestRow) -> Option<&BigDecimal>| {
            latest.iter().filter_map(|figure| of(figure)).sum::<BigDecimal>()
        };
        let (numerator, denominator) =
            (sum(|figure| figure.numerator.as_ref()), sum(|figure| figure.denominator.as_ref()));
        let (Some(numerator), Some(denominator)) = (fixed(Some(&numerator)), fixed(Some(&denominator)))
        else {
            return;
        };
        let Some(first) = latest.first() else { return };
        let revisions = latest.iter().map(|figure| revision_of(figure)).collect::<BTreeSet<_>>();
        self.rows.push(Row {
            unit: unit.to_owned(),
            indicator: indicator.to_owned(),
            value: None,
            numerator,
            denominator,
            note: None,
            source: submitted(indicator, first, revisions.into_iter().collect()),
        });
    }

    pub fn without_origin(&mut self, indicator: &str) {
        self.skip(indicator, SkipReason::NoOrigin, BTreeSet::new());
    }
}

/// The source of a leaf's figure; which indicator it is of is told where that is not the leaf's code.
fn submitted(leaf: &str, figure: &LatestRow, revisions: Vec<SubmissionRevision>) -> Source {
    let indicator = (figure.indicator != leaf).then(|| figure.indicator.clone());
    Source::Submissions { indicator, revisions }
}

fn revision_of(figure: &LatestRow) -> SubmissionRevision {
    SubmissionRevision {
        agency: figure.agency.clone(),
        period: Month::of(figure.month).to_string(),
        submission: figure.submission,
        revision: figure.revision,
    }
}

/// `None` for a number that no observation can hold.
#[allow(clippy::option_option, reason = "no figure, and a figure that cannot be held, differ")]
fn fixed(number: Option<&BigDecimal>) -> Option<Option<Fixed>> {
    number.map_or(Some(None), |number| Fixed::try_from(number).ok().map(Some))
}

/// What became of the figures found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Merged {
    pub set: Set,
    /// Units by indicator.
    pub collected: BTreeMap<String, BTreeSet<String>>,
    /// Imported figures that stayed, by indicator.
    pub kept: BTreeMap<String, BTreeSet<String>>,
    /// Figures collected before that are not found any more, by indicator.
    pub gone: BTreeMap<String, BTreeSet<String>>,
}

/// Puts the figures found of some leaves into a set. What was collected of them before is replaced, or gone; what was imported gives way
/// only when that is asked for, its note with it.
pub fn merge<T>(
    before: &Set,
    leaves: &BTreeMap<String, T>,
    found: Vec<Row>,
    replace_imported: bool,
) -> Merged {
    let keys: BTreeSet<(&str, &str)> = found.iter().map(Row::key).collect();
    let is_gone = |row: &Row| {
        row.source != Source::Imported && leaves.contains_key(&row.indicator) && !keys.contains(&row.key())
    };
    let (gone, stay): (Vec<&Row>, Vec<&Row>) = before.rows.iter().partition(|row| is_gone(row));
    let mut rows: BTreeMap<(String, String), Row> =
        stay.into_iter().map(|row| ((row.unit.clone(), row.indicator.clone()), row.clone())).collect();
    let mut merged = Merged::default();
    for row in gone {
        merged.gone.entry(row.indicator.clone()).or_default().insert(row.unit.clone());
    }
    for row in found {
        let key = (row.unit.clone(), row.indicator.clone());
        let imported = rows.get(&key).is_some_and(|earlier| earlier.source == Source::Imported);
        let list = if imported && !replace_imported { &mut merged.kept } else { &mut merged.collected };
        list.entry(row.indicator.clone()).or_default().insert(row.unit.clone());
        if !imported || replace_imported {
            rows.insert(key, row);
        }
    }
    merged.set = Set { rows: rows.into_values().collect(), units: before.units.clone() }.ordered();
    merged
}

/// The units that no figure was found of, by indicator.
pub fn missing<'a>(
    indicators: impl Iterator<Item = &'a str>,
    units: &BTreeSet<String>,
    found: &[Row],
) -> BTreeMap<String, BTreeSet<String>> {
    let mut missing: BTreeMap<String, BTreeSet<String>> =
        indicators.map(|indicator| (indicator.to_owned(), units.clone())).collect();
    for row in found {
        if let Some(units) = missing.get_mut(&row.indicator) {
            units.remove(&row.unit);
        }
    }
    missing.retain(|_, units| !units.is_empty());
    missing
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn latest(agency: &str, parts: Option<(i64, i64)>, value: Option<i64>, ended: bool) -> LatestRow {
        LatestRow {
            indicator: "X".into(),
            agency: agency.into(),
            month: "2018-03-01".parse().unwrap(),
            numerator: parts.map(|(numerator, _)| numerator.into()),
            denominator: parts.map(|(_, denominator)| denominator.into()),
            value: value.map(BigDecimal::from),
            note: None,
            submission: Uuid::nil(),
            revision: 2,
            ended,
        }
    }

    #[test]
    fn the_province_is_the_sum_over_agencies_that_exist() {
        let figures = [
            latest("A", Some((1, 4)), None, false),
            latest("B", Some((2, 3)), None, false),
            latest("C", Some((9, 9)), None, true),
        ];
        let mut found = Found::default();
        found.of_province(("X", "Lào Cai"), figures.iter());
        let row = &found.rows[0];
        assert_eq!(
            (row.numerator.clone().unwrap(), row.denominator.clone().unwrap()),
            (Fixed::whole(3), Fixed::whole(7))
        );
        let Source::Submissions { revisions, .. } = &row.source else { panic!("{row:?}") };
        assert_eq!(revisions.iter().map(|r| r.agency.as_str()).collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(found.skipped[0].reason, SkipReason::AgencyEnded);
    }

    #[test]
    fn values_are_not_added() {
        let mut found = Found::default();
        found.of_province(("X", "Lào Cai"), [latest("A", None, Some(5), false)].iter());
        assert_eq!((found.rows.len(), found.skipped[0].reason), (0, SkipReason::CannotBeAdded));
        found.of_agencies("Y", [latest("A", None, Some(5), false)].iter());
        assert_eq!(
            (found.rows[0].indicator.as_str(), found.rows[0].value.clone()),
            ("Y", Some(Fixed::whole(5)))
        );
    }

    #[test]
    fn imported_figures_stay_unless_told_otherwise() {
        let row = |unit: &str, value, source| Row {
            unit: unit.into(),
            indicator: "X".into(),
            value: Some(Fixed::whole(value)),
            numerator: None,
            denominator: None,
            note: None,
            source,
        };
        let collected = || Source::Submissions { indicator: None, revisions: Vec::new() };
        let leaves = BTreeMap::from([("X".to_owned(), ())]);
        let before = Set {
            rows: vec![
                Row { note: Some("sổ tay".into()), ..row("A", 1, Source::Imported) },
                row("B", 2, collected()),
                row("C", 3, Source::Imported),
            ],
            units: Vec::new(),
        };
        let found = || vec![row("A", 7, collected()), row("B", 8, collected()), row("D", 9, collected())];
        let values = |merged: &Merged| {
            merged.set.rows.iter().map(|row| row.value.clone().unwrap().to_string()).collect::<Vec<_>>()
        };
        let gentle = merge(&before, &leaves, found(), false);
        assert_eq!(values(&gentle), ["1", "8", "3", "9"]);
        assert_eq!((gentle.kept["X"].len(), gentle.collected["X"].len()), (1, 2));
        let harsh = merge(&before, &leaves, found(), true);
        assert_eq!(values(&harsh), ["7", "8", "3", "9"]);
        assert_eq!(
            (gentle.set.rows[0].note.as_deref(), harsh.set.rows[0].note.as_deref()),
            (Some("sổ tay"), None)
        );
        assert!(harsh.kept.is_empty());
        let none = merge(&before, &leaves, Vec::new(), true);
        assert_eq!(
            (values(&none), none.gone["X"].clone()),
            (vec!["1".into(), "3".into()], ["B".to_owned()].into())
        );
        let other = merge(&before, &BTreeMap::from([("Y".to_owned(), ())]), Vec::new(), true);
        assert_eq!((values(&other).len(), other.gone.len()), (3, 0), "what is not collected now stays");
        let units = ["A", "B", "E"].map(str::to_owned).into();
        assert_eq!(missing(["X"].into_iter(), &units, &found())["X"], ["E".to_owned()].into());
    }
}
