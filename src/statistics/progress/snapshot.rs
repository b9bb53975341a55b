//! Asking for all of it, and putting targets and figures together.
//!
//! Four statements: the frame first, which knows the year, then dossiers, procedures and tasks at once.

use chrono::{Days, NaiveDate};
use futures_util::try_join;

use super::figures::{Figures, Found};
use super::model::{self, AgencyRow, BaselineRow, Frame, FrameQuery, TargetRow};
use super::rules::{Assessment, Course};
use crate::db::Reader;
use crate::http::Problem;
use crate::statistics::level_counts::{self, LevelQuery, LevelRow};
use crate::statistics::levels;
use crate::statistics::metrics::Tally;
use crate::statistics::rate_counts::{self, RateQuery};
use crate::statistics::rates::RateGroupBy;
use crate::tasks::model::progress::{self, TaskLeadRow};
use crate::values::{Bound, Month, Period};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Query {
    /// Without it: the last year, up to that of the day, that has targets.
    pub year: Option<i32>,
    /// The day that is looked at …
    pub on: NaiveDate,
    /// … from this one.
    pub today: NaiveDate,
    /// The month that was to be reported; without it the one that was over last on the day.
    pub month: Option<Month>,
    /// Also figures of indicators without a target.
    pub all_figures: bool,
}

impl Query {
    pub fn reporting_month(&self) -> Month {
        if let Some(month) = self.month {
            return month;
        }
        let next = self.on.checked_add_days(Days::new(1)).unwrap_or(self.on);
        Month::of(next).previous()
    }

    /// Months after the one looked at may have counts: dossiers are then counted row by row, which takes its time.
    pub fn looks_back(&self) -> bool {
        Month::of(self.on) < Month::of(self.today)
    }
}

/// All that is known on the day.
#[derive(Debug)]
pub struct Snapshot {
    pub on: NaiveDate,
    pub reporting_month: Month,
    pub frame: Frame,
    /// First and last month that are counted.
    pub months: (Month, Month),
    /// Dossiers of each agency.
    tallies: Vec<(String, Tally)>,
    /// Procedures of the province …
    pub level: Option<LevelRow>,
    /// … and of each agency, where a target asks for them.
    levels: Vec<LevelRow>,
    pub tasks: Vec<TaskLeadRow>,
}

/// A target of the province or of one agency, and how it stands.
#[derive(Debug)]
pub struct Standing<'p> {
    pub target: &'p TargetRow,
    pub agency: Option<&'p AgencyRow>,
    pub baseline: Option<&'p BaselineRow>,
    pub found: Found,
    pub assessment: Assessment,
    pub dossiers_needed: Option<i64>,
}

/// Reads all of it.
pub async fn load(conn: &mut Reader<'_>, query: &Query) -> Result<Snapshot, Problem> {
    let reporting_month = query.reporting_month();
    let Query { year, on, all_figures, .. } = *query;
    let frame = model::frame(conn, FrameQuery { year, on, reporting_month, all_figures }).await?;
    let period = Period::Year(frame.year);
    let (first, december) = (Month::of(period.first_day()), Month::of(period.last_day()));
    let last = Month::of(on).min(december);
    let until = (last < december).then_some(last);
    let dossiers = RateQuery {
        period,
        group_by: Some(RateGroupBy::Agency),
        agencies: None,
        fields: None,
        as_of: None,
        // This year's sums have all there is of a year that goes on, by the levels of its last day: those of the month, unless
        // some begin after it.
        until: until.filter(|_| query.looks_back() || frame.levels_to_come),
    };
    let services = LevelQuery { period, group_by: None, agencies: None, fields: None, until };
    let by_agency = frame.targets.iter().any(|target| target.scope == "agency" && is_of_services(target));
    let (mut one, mut other, mut third) = (*conn, *conn, *conn);
    let (tallies, (level, levels), tasks) = try_join!(
        rate_counts::count(&mut one, &dossiers),
        level_counts::count_whole(&mut other, services, by_agency),
        progress::of_year(&mut third, frame.year),
    )?;
    let tallies = tallies.into_iter().map(|(group, tally)| (group.code, tally)).collect();
    let months = (first.min(last), last);
    Ok(Snapshot { on, reporting_month, frame, months, tallies, level, levels, tasks })
}

fn is_of_services(target: &TargetRow) -> bool {
    target.code.starts_with("services_") || levels::metric_of(&target.code).is_some()
}

impl Snapshot {
    pub fn figures(&self) -> Figures<'_> {
        Figures::new(&self.frame, &self.tallies, (self.level.as_ref(), &self.levels), self.months)
    }

    /// Every target of the province; every target of agencies, once for each agency it is for.
    pub fn standings(&self) -> Vec<Standing<'_>> {
        let figures = self.figures();
        let mut all = Vec::new();
        for target in &self.frame.targets {
            if target.scope == "province" {
                all.push(self.standing(&figures, target, None));
            } else {
                all.extend(
                    self.meant(target)
                        .into_iter()
                        .map(|agency| self.standing(&figures, target, Some(agency))),
                );
            }
        }
        all
    }

    /// The agency it names, else each that has no target of its own for the same.
    fn meant(&self, target: &TargetRow) -> Vec<&AgencyRow> {
        let agencies = self.frame.agencies.iter();
        let Some(code) = &target.agency else {
            let own: Vec<&String> = self
                .frame
                .targets
                .iter()
                .filter(|other| other.subject == target.subject && other.code == target.code)
                .filter_map(|other| other.agency.as_ref())
                .collect();
            return agencies.filter(|agency| agency.expected && !own.contains(&&agency.code)).collect();
        };
        agencies.filter(|agency| agency.code == *code).collect()
    }

    fn standing<'p>(
        &'p self,
        figures: &Figures<'_>,
        target: &'p TargetRow,
        agency: Option<&'p AgencyRow>,
    ) -> Standing<'p> {
        let unit = target.unit.as_ref().or(target.indicator_unit.as_ref());
        // The plan's baselines are the province's.
        let baseline = target.baseline.as_ref().filter(|b| agency.is_none() && Some(&b.unit) == unit);
        let bound = Bound {
            comparator: target.comparator,
            value: target.value.0.clone(),
            value_to: target.value_to.as_ref().map(|to| to.0.clone()),
        };
        let found = figures.find(target, agency.map(|agency| agency.code.as_str()));
        let dossiers_needed = found.dossiers.and_then(|rate| rate.needed(&bound));
        let course = Course {
            bound,
            begins: Period::Year(self.frame.year).first_day(),
            due: target.due,
            on: self.on,
            baseline: baseline.map(|baseline| baseline.value.0.clone()),
        };
        let assessment = course.assess(found.figure.as_ref().map_err(|reason| *reason));
        Standing { target, agency, baseline, found, assessment, dossiers_needed }
    }
}
