//! Which figure a target is compared with, and where it comes from. Counted by the rules of the rooms that own the counts.

use std::collections::{HashMap, HashSet};

use bigdecimal::BigDecimal;
use serde::Serialize;
use utoipa::ToSchema;

use super::model::{AgencyRow, FigureRow, Frame, TargetRow};
use super::rules::{Exact, Reason};
use crate::statistics::level_counts::LevelRow;
use crate::statistics::levels;
use crate::statistics::metrics::{Metric, Tally};
use crate::statistics::wire::Coverage;
use crate::submissions::figures::per_of;
use crate::targets::rules::indicator_of;
use crate::values::{Decimal, Month, Rate};

/// Ending of the units of targets that count heads for each agency, such as `officers_per_agency`: their figure is the
/// indicator's numerator, for the province by the number of agencies that reported.
const PER_AGENCY: &str = "_per_agency";

/// Where a figure comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProgressSource)]
pub enum Source {
    /// Accepted submissions: of each agency the latest month of the year that has one.
    Submissions,
    /// Procedures by level, as `/statistics/service-levels` counts them.
    ServiceLevels,
    /// Dossiers, as `/statistics/dossier-rates` counts them.
    DossierCounts,
}

/// A figure as it was found: what it was made of, and what came of it.
#[derive(Clone, Debug)]
pub struct Found {
    pub source: Option<Source>,
    pub numerator: Option<Decimal>,
    pub denominator: Option<Decimal>,
    pub from: Option<Month>,
    pub to: Option<Month>,
    /// Of a figure of the province that agencies report.
    pub coverage: Option<Coverage>,
    /// Agencies whose submissions a figure of the province is made of.
    pub reporters: Vec<String>,
    /// Dossiers, which more of can be needed.
    pub dossiers: Option<Rate>,
    pub figure: Result<Exact, Reason>,
}

impl Found {
    fn nothing(reason: Reason) -> Self {
        Self {
            source: None,
            numerator: None,
            denominator: None,
            from: None,
            to: None,
            coverage: None,
            reporters: Vec::new(),
            dossiers: None,
            figure: Err(reason),
        }
    }

    fn with(self, source: Source) -> Self {
        Self { source: Some(source), ..self }
    }

    fn of_rate(rate: Rate, months: (Month, Month)) -> Self {
        let (numerator, denominator) = (BigDecimal::from(rate.numerator), BigDecimal::from(rate.denominator));
        Self {
            numerator: Some(Decimal(numerator.clone())),
            denominator: Some(Decimal(denominator.clone())),
            from: Some(months.0),
            to: Some(months.1),
            figure: Exact::quotient(numerator * 100, denominator).ok_or(Reason::ZeroDenominator),
            ..Self::nothing(Reason::ZeroDenominator)
        }
    }
}

/// All figures of a year up to a day.
#[derive(Debug)]
pub struct Figures<'f> {
    by_indicator: HashMap<&'f str, Vec<&'f FigureRow>>,
    agencies: &'f [AgencyRow],
    tallies: &'f [(String, Tally)],
    whole: Tally,
    level: Option<&'f LevelRow>,
    levels: &'f [LevelRow],
    months: (Month, Month),
}

impl<'f> Figures<'f> {
    /// `tallies` are the dossiers of each agency, `level` and `levels` the procedures of the province and of each agency, of
    /// the months from the first to the last.
    pub fn new(
        frame: &'f Frame,
        tallies: &'f [(String, Tally)],
        (level, levels): (Option<&'f LevelRow>, &'f [LevelRow]),
        months: (Month, Month),
    ) -> Self {
        let mut by_indicator: HashMap<&str, Vec<&FigureRow>> = HashMap::new();
        for row in &frame.figures {
            by_indicator.entry(&row.indicator).or_default().push(row);
        }
        let whole = tallies.iter().fold(Tally::default(), |sum, (_, tally)| sum + *tally);
        Self { by_indicator, agencies: &frame.agencies, tallies, whole, level, levels, months }
    }

    /// The figure of the province, or of the agency with this code, that the target is about.
    pub fn find(&self, target: &TargetRow, agency: Option<&str>) -> Found {
        match (target.subject.as_str(), levels::metric_of(&target.code)) {
            ("indicator", Some(metric)) => self.services(&metric, agency),
            ("indicator", None) => self.reported(target, agency),
            _ => match Metric::parse(&target.code) {
                Some(metric) => self.dossiers(metric, agency),
                None => self.services(&target.code, agency),
            },
        }
    }

    /// Dossiers of the province, or of an agency.
    pub fn tally(&self, agency: Option<&str>) -> Option<Tally> {
        match agency {
            None => Some(self.whole).filter(|_| !self.tallies.is_empty()),
            Some(code) => self.tallies.iter().find(|(agency, _)| agency == code).map(|(_, tally)| *tally),
        }
    }

    fn dossiers(&self, metric: Metric, agency: Option<&str>) -> Found {
        let Some(tally) = self.tally(agency) else {
            let coverage = agency.is_none().then(|| self.coverage(&HashSet::new(), Vec::new()));
            return Found { coverage, ..Found::nothing(Reason::NoFigure) };
        };
        let rate = metric.rate(&tally);
        let coverage = agency.is_none().then(|| {
            let reported = self.tallies.iter().map(|(code, _)| code.as_str()).collect();
            self.coverage(&reported, Vec::new())
        });
        Found { dossiers: Some(rate), coverage, ..Found::of_rate(rate, self.months) }
            .with(Source::DossierCounts)
    }

    fn services(&self, metric: &str, agency: Option<&str>) -> Found {
        let row = match agency {
            None => self.level,
            Some(code) => self.levels.iter().find(|row| row.code == code),
        };
        match row.map(|row| levels::aimed(metric, row)) {
            None => Found::nothing(Reason::NoFigure),
            Some(None) => Found::nothing(Reason::UnknownSubject),
            Some(Some(rate)) => {
                let (first, last) = self.months;
                // A level is one of the last day; only what happened on the way is of all months.
                let months =
                    if metric.starts_with("services_active_") { (first, last) } else { (last, last) };
                Found::of_rate(rate, months).with(Source::ServiceLevels)
            }
        }
    }

    fn reported(&self, target: &TargetRow, agency: Option<&str>) -> Found {
        let indicator = indicator_of(&target.code);
        let Some(unit) = target.indicator_unit.as_deref() else {
            return Found::nothing(Reason::UnknownSubject);
        };
        if indicator != target.code {
            return Found::nothing(Reason::BreakdownNotReported);
        }
        let wanted = target.unit.as_deref().unwrap_or(unit);
        if wanted != unit && !wanted.ends_with(PER_AGENCY) {
            return Found::nothing(Reason::UnitDiffers);
        }
        self.submitted(indicator, wanted, agency)
    }

    /// The figure of an indicator in its own unit, target or not.
    pub fn of_indicator(&self, indicator: &str, unit: &str, agency: Option<&str>) -> Found {
        match levels::metric_of(indicator) {
            Some(metric) => self.services(&metric, agency),
            None => self.submitted(indicator, unit, agency),
        }
    }

    /// What agencies reported of an indicator, in this unit: of the province, or of one agency.
    fn submitted(&self, indicator: &str, unit: &str, agency: Option<&str>) -> Found {
        let all = self.by_indicator.get(indicator).map_or(&[] as &[_], Vec::as_slice);
        let rows: Vec<&FigureRow> =
            all.iter().copied().filter(|row| agency.is_none_or(|code| row.agency == code)).collect();
        let coverage = agency.is_none().then(|| {
            let latest = rows.iter().map(|row| row.month).max();
            let older = rows.iter().filter(|row| Some(row.month) < latest).map(|row| row.agency.clone());
            self.coverage(&rows.iter().map(|row| row.agency.as_str()).collect(), older.collect())
        });
        let months = rows.iter().map(|row| Month::of(row.month));
        let found = added(&rows, unit);
        let reporters = rows.iter().filter(|_| agency.is_none()).map(|row| row.agency.clone()).collect();
        Found { coverage, reporters, from: months.clone().min(), to: months.max(), ..found }.with_rows(&rows)
    }

    fn coverage(&self, reported: &HashSet<&str>, mut partial: Vec<String>) -> Coverage {
        let missing: Vec<String> = self
            .agencies
            .iter()
            .filter(|agency| agency.expected && !reported.contains(agency.code.as_str()))
            .map(|agency| agency.code.clone())
            .collect();
        let mut missing = missing;
        missing.sort_unstable();
        partial.sort_unstable();
        Coverage { expected: missing.len() + reported.len(), reported: reported.len(), missing, partial }
    }
}

impl Found {
    fn with_rows(self, rows: &[&FigureRow]) -> Self {
        if rows.is_empty() { self } else { self.with(Source::Submissions) }
    }
}

/// The figure of several agencies together: the sum of the numerators by the sum of the denominators.
fn added(rows: &[&FigureRow], unit: &str) -> Found {
    let parts: Vec<_> = rows.iter().filter_map(|row| row.parts()).collect();
    // A sum of those that have parts would pass for that of all.
    if parts.is_empty() || parts.len() < rows.len() {
        return match rows {
            [] => Found::nothing(Reason::NoFigure),
            [one] => {
                let value = one.value.clone().map(|value| Exact::whole(value.0)).ok_or(Reason::NoFigure);
                Found { figure: value, ..Found::nothing(Reason::NoFigure) }
            }
            _ => Found::nothing(Reason::NotASum),
        };
    }
    let numerator: BigDecimal = parts.iter().map(|(numerator, _)| *numerator).sum();
    let denominator: BigDecimal = if unit.ends_with(PER_AGENCY) {
        BigDecimal::from(u32::try_from(parts.len()).unwrap_or(u32::MAX))
    } else {
        parts.iter().map(|(_, denominator)| *denominator).sum()
    };
    Found {
        numerator: Some(Decimal(numerator.clone())),
        denominator: Some(Decimal(denominator.clone())),
        figure: Exact::quotient(numerator * per_of(unit), denominator).ok_or(Reason::ZeroDenominator),
        ..Found::nothing(Reason::ZeroDenominator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(agency: &str, month: &str, parts: Option<(i64, i64)>, value: Option<i64>) -> FigureRow {
        let decimal = |n: i64| Decimal(n.into());
        FigureRow {
            agency: agency.into(),
            indicator: "X".into(),
            month: month.parse().unwrap(),
            numerator: parts.map(|p| decimal(p.0)),
            denominator: parts.map(|p| decimal(p.1)),
            value: value.map(decimal),
        }
    }

    fn shown(found: &Found) -> Result<String, Reason> {
        found.figure.clone().map(|exact| exact.shown().0.normalized().to_plain_string())
    }

    #[test]
    fn the_province_is_the_sum_and_not_the_mean_of_its_agencies() {
        let (a, b) =
            (row("A", "2018-01-01", Some((1, 2)), None), row("B", "2018-02-01", Some((9, 10)), None));
        assert_eq!(shown(&added(&[&a, &b], "percent")), Ok("83.33".into()));
        assert_eq!(shown(&added(&[&a, &b], "ratio")), Ok("0.83".into()));
        assert_eq!(shown(&added(&[&a, &b], "officers_per_agency")), Ok("5".into()));
        let empty = row("C", "2018-01-01", Some((0, 0)), None);
        assert_eq!(shown(&added(&[&empty], "percent")), Err(Reason::ZeroDenominator));
        assert_eq!(shown(&added(&[], "percent")), Err(Reason::NoFigure));
    }

    #[test]
    fn values_without_numerators_do_not_add_up() {
        let (a, b) = (row("A", "2018-01-01", None, Some(3)), row("B", "2018-01-01", None, Some(5)));
        assert_eq!(shown(&added(&[&a], "score")), Ok("3".into()));
        assert_eq!(shown(&added(&[&a, &b], "score")), Err(Reason::NotASum));
        let parts = row("C", "2018-01-01", Some((1, 2)), None);
        for some in [[&a, &parts], [&parts, &a]] {
            let found = added(&some, "percent");
            assert_eq!((shown(&found), found.numerator.is_some()), (Err(Reason::NotASum), false));
        }
    }
}
