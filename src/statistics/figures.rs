//! Rates of a whole year for other rooms, counted just as the endpoints count them.

use super::level_counts::{self, LevelQuery, LevelRow};
use super::levels;
use super::metrics::{Metric, Tally};
use super::rate_counts::{self, RateQuery};
use super::rates::RateGroupBy;
use super::rules::Rate;
use super::wire::LevelGroupBy;
use super::wire::{Counting, Group, RateItem};
use crate::db::{QueryResult, Reader};
use crate::values::Period;

/// A rate of procedures or of dossiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    Procedures { metric: String, counting: Counting },
    Dossiers(Metric),
}

impl Counted {
    /// The rate of this id. Procedures are counted at a level or above it unless `counting` says otherwise; dossiers know no counting.
    pub fn parse(metric: &str, counting: Option<Counting>) -> Option<Self> {
        if let Some(metric) = Metric::parse(metric) {
            return counting.is_none().then_some(Self::Dossiers(metric));
        }
        let none = levels::rates(&Group::province(), &LevelRow::default());
        let known = |wanted| none.iter().any(|rate| rate.metric == metric && rate.counting == Some(wanted));
        let counting = match counting {
            Some(counting) => Some(counting).filter(|counting| known(*counting)),
            None => [Counting::AtLeast, Counting::Exact].into_iter().find(|counting| known(*counting)),
        };
        counting.map(|counting| Self::Procedures { metric: metric.to_owned(), counting })
    }

    /// Its id; `:exact` where procedures of exactly a level are meant although those above it could be counted too.
    pub fn id(&self) -> String {
        match self {
            Self::Dossiers(metric) => metric.id.to_owned(),
            Self::Procedures { metric, counting: Counting::AtLeast } => metric.clone(),
            Self::Procedures { metric, counting: Counting::Exact } => format!("{metric}:exact"),
        }
    }

    pub fn is_of_dossiers(&self) -> bool {
        matches!(self, Self::Dossiers(_))
    }
}

/// What a year's rates follow from, of the province or of each agency.
#[derive(Debug, Default)]
pub struct YearFigures {
    procedures: Vec<RateItem>,
    dossiers: Vec<(Group, Tally)>,
}

impl YearFigures {
    /// Counts what is needed for the rates asked for; levels are those at the year's end.
    pub async fn count(
        conn: &mut Reader<'_>,
        year: i32,
        by_agency: bool,
        asked: &[&Counted],
    ) -> QueryResult<Self> {
        let period = Period::Year(year);
        let mut figures = Self::default();
        if asked.iter().any(|counted| !counted.is_of_dossiers()) {
            let group_by = by_agency.then_some(LevelGroupBy::Agency);
            let query = LevelQuery { period, group_by, agencies: None, fields: None, until: None };
            let rows = level_counts::count(conn, &query).await?;
            figures.procedures =
                rows.iter().flat_map(|row| levels::rates(&levels::group_of(group_by, row), row)).collect();
        }
        if asked.iter().any(|counted| counted.is_of_dossiers()) {
            let group_by = by_agency.then_some(RateGroupBy::Agency);
            let query =
                RateQuery { period, group_by, agencies: None, fields: None, as_of: None, until: None };
            figures.dossiers = rate_counts::count(conn, &query).await?;
        }
        Ok(figures)
    }

    /// The rate of each group that has something to divide by.
    pub fn rates(&self, counted: &Counted) -> Vec<(&Group, Rate)> {
        let all: Vec<(&Group, Rate)> = match counted {
            Counted::Dossiers(metric) => {
                self.dossiers.iter().map(|(group, tally)| (group, metric.rate(tally))).collect()
            }
            Counted::Procedures { metric, counting } => self
                .procedures
                .iter()
                .filter(|rate| rate.metric == *metric && rate.counting == Some(*counting))
                .map(|rate| (&rate.group, Rate::new(rate.numerator, rate.denominator)))
                .collect(),
        };
        all.into_iter().filter(|(_, rate)| rate.denominator > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_known_by_their_ids_and_countings() {
        let id = |metric, counting| Counted::parse(metric, counting).map(|counted| counted.id());
        assert_eq!(id("services_level_3", None).unwrap(), "services_level_3");
        assert_eq!(id("services_level_3", Some(Counting::Exact)).unwrap(), "services_level_3:exact");
        assert_eq!(id("services_active_level_4", None).unwrap(), "services_active_level_4:exact");
        assert_eq!(id("services_active_level_4", Some(Counting::AtLeast)), None);
        assert_eq!(id("on_time", None).unwrap(), "on_time");
        assert_eq!(id("on_time", Some(Counting::Exact)), None);
        assert_eq!(id("services_level_5", None), None);
    }
}
