//! Reading a month and putting the report together.
//!
//! Seven statements, all but one of them at once: the four of progress, the catalogue of indicators, the dossiers of the month and
//! published results. It is asked for a few times a month, by people, and folding unlike tables into one statement to have
//! fewer would make them harder to read and no faster.

use chrono::NaiveDate;
use futures_util::try_join;

use super::labels;
use super::model::{self, IndicatorRow};
use super::rules::{self, Standing};
use super::wire::{
    AgencyTarget, IndicatorFigure, MonthlyReport, ReportedProgress, ReportedRate, ReportedResult,
    ReportedSubmission, Submissions,
};
use crate::auth::AgencyScope;
use crate::db::{QueryResult, Reader};
use crate::http::Problem;
use crate::indicators::national::{self, NamedResultRow, ResultRow};
use crate::indicators::national_routes::NationalResult;
use crate::statistics::levels::LevelItem;
use crate::statistics::metrics::{Metric, Tally};
use crate::statistics::progress::model::AgencyRow;
use crate::statistics::progress::rules::{Exact, Status};
use crate::statistics::progress::target_wire::TargetProgress;
use crate::statistics::progress::wire::{Counts, Progress, Wanted};
use crate::statistics::progress::{Query, Snapshot, load};
use crate::statistics::rate_counts::{self, RateQuery};
use crate::statistics::rules::Bound;
use crate::statistics::targets::{Aim, Aims};
use crate::statistics::wire::{Group, RateItem};
use crate::values::{Month, Period};

/// Rates that the committee is told of.
const RATES: [&str; 3] = ["dossiers_level_3_resolved", "dossiers_level_4_resolved", "on_time"];

/// What was read.
pub struct Read {
    snapshot: Snapshot,
    indicators: Vec<IndicatorRow>,
    month: Tally,
    results: Vec<NamedResultRow>,
}

/// What a report of the month is about, seen today.
pub fn query(month: Month, today: NaiveDate) -> Query {
    let on = month.last_day().min(today);
    Query { year: Some(Period::Month(month).year()), on, today, month: Some(month), all_figures: true }
}

pub async fn read(conn: &mut Reader<'_>, month: Month, query: &Query) -> Result<Read, Problem> {
    let (mut first, mut second, mut third, mut fourth) = (*conn, *conn, *conn, *conn);
    let year = Period::Month(month).year();
    let (snapshot, indicators, month, results) = try_join!(
        load(&mut first, query),
        async { Ok(model::indicators(&mut second).await?) },
        async { Ok(tally(&mut third, month).await?) },
        async { Ok(national::latest(&mut fourth, year).await?) },
    )?;
    Ok(Read { snapshot, indicators, month, results })
}

async fn tally(conn: &mut Reader<'_>, month: Month) -> QueryResult<Tally> {
    let query = RateQuery {
        period: Period::Month(month),
        group_by: None,
        agencies: None,
        fields: None,
        as_of: None,
        until: None,
    };
    let groups = rate_counts::count(conn, &query).await?;
    Ok(groups.into_iter().fold(Tally::default(), |sum, (_, tally)| sum + tally))
}

/// The report, as everyone who may read it sees it.
pub fn compose(read: Read, month: Month, today: NaiveDate) -> MonthlyReport {
    let Read { snapshot, indicators, month: tally, results } = read;
    let aims = aims(&snapshot);
    let progress = Progress::of(&snapshot, &AgencyScope::All, &Wanted::default());
    let mut report = MonthlyReport {
        month,
        on: snapshot.on,
        year: snapshot.frame.year,
        recipient: snapshot.frame.agencies.iter().find(|a| a.province).map(|a| a.name.clone()),
        submissions: submissions(&snapshot.frame.agencies, month, today),
        indicators: figures(&snapshot, indicators),
        service_levels: snapshot.level.as_ref().map(|row| LevelItem::of(Group::province(), row, &aims)),
        dossiers: dossiers(&snapshot, &tally, month, &aims),
        progress: reported(&progress),
        tasks: progress.tasks,
        national_results: results.into_iter().map(result).collect(),
        notes: Vec::new(),
        issuer: issuer(&snapshot.frame.agencies),
        names: snapshot.frame.agencies.iter().map(|a| (a.code.clone(), a.name.clone())).collect(),
    };
    report.notes = labels::notes(&report);
    report
}

/// The name of the coordinating department, while it exists.
fn issuer(agencies: &[AgencyRow]) -> Option<String> {
    let department =
        agencies.iter().find(|agency| agency.expected && agency.code == rules::COORDINATING_DEPARTMENT);
    department.map(|agency| agency.name.clone())
}

fn submissions(agencies: &[AgencyRow], month: Month, today: NaiveDate) -> Submissions {
    let reporting: Vec<&AgencyRow> = agencies.iter().filter(|agency| agency.reports).collect();
    let items: Vec<ReportedSubmission> = reporting
        .iter()
        .map(|agency| {
            let handed_in = agency.submitted_on.filter(|_| agency.has_reported());
            ReportedSubmission {
                agency: agency.code.clone(),
                name: agency.name.clone(),
                state: agency.state.clone(),
                submitted_on: agency.submitted_on,
                standing: rules::standing(month, handed_in, today),
            }
        })
        .collect();
    let count = |standing| items.iter().filter(|item| item.standing == standing).count();
    Submissions {
        due_on: rules::due_on(month),
        expected: items.len(),
        accepted: reporting.iter().filter(|agency| agency.accepted).count(),
        in_time: count(Standing::InTime),
        late: count(Standing::Late),
        awaited: count(Standing::Awaited),
        missing: count(Standing::Missing),
        items,
    }
}

fn figures(snapshot: &Snapshot, indicators: Vec<IndicatorRow>) -> Vec<IndicatorFigure> {
    let figures = snapshot.figures();
    let of = |indicator: IndicatorRow| {
        let found = figures.of_indicator(&indicator.code, &indicator.unit, None);
        IndicatorFigure {
            code: indicator.code,
            name: indicator.name,
            unit: indicator.unit,
            numerator: found.numerator,
            denominator: found.denominator,
            actual: found.figure.as_ref().ok().map(Exact::shown),
            reason: found.figure.err(),
            period_from: found.from,
            period_to: found.to,
            coverage: found.coverage,
        }
    };
    indicators.into_iter().map(of).collect()
}

/// The province's targets of rates and of indicators of services.
fn aims(snapshot: &Snapshot) -> Aims {
    let province = snapshot.frame.targets.iter().filter(|target| target.scope == "province");
    Aims::of_province(province.map(|target| {
        let bound = Bound {
            comparator: target.comparator,
            value: target.value.0.clone(),
            value_to: target.value_to.as_ref().map(|to| to.0.clone()),
        };
        (target.code.clone(), Aim { bound, due: target.due })
    }))
}

fn dossiers(snapshot: &Snapshot, of_month: &Tally, month: Month, aims: &Aims) -> Vec<ReportedRate> {
    let of_year = snapshot.figures().tally(None).unwrap_or_default();
    let periods = [(Period::Month(month), of_month), (Period::Year(snapshot.frame.year), &of_year)];
    let group = Group::province();
    periods
        .into_iter()
        .flat_map(|(period, tally)| {
            RATES.into_iter().filter_map(Metric::parse).map(move |m| (period, tally, m))
        })
        .map(|(period, tally, metric)| {
            let aim = aims.find(metric.id, &group);
            let rate = RateItem::of(metric.id, None, &group, metric.rate(tally), aim, true);
            ReportedRate { period, rate }
        })
        .collect()
}

fn reported(progress: &Progress) -> ReportedProgress {
    let (province, agencies): (Vec<&TargetProgress>, Vec<&TargetProgress>) =
        progress.items.iter().partition(|item| item.agency.is_none());
    let counts = |items: &[&TargetProgress]| Counts::of(items.iter().map(|item| item.status));
    ReportedProgress {
        province: counts(&province),
        agencies: counts(&agencies),
        items: province.into_iter().cloned().collect(),
        agency_targets: agency_targets(&agencies),
    }
}

/// What the same is asked of several agencies: once.
fn agency_targets(items: &[&TargetProgress]) -> Vec<AgencyTarget> {
    let mut all: Vec<(AgencyTarget, Vec<Status>)> = Vec::new();
    for item in items {
        let same = |target: &AgencyTarget| {
            (&target.subject, &target.code, target.comparator, &target.value, &target.value_to, target.due)
                == (&item.subject, &item.code, item.comparator, &item.value, &item.value_to, item.due)
        };
        let place = all.iter().position(|(target, _)| same(target)).unwrap_or_else(|| {
            all.push((agency_target(item), Vec::new()));
            all.len() - 1
        });
        if let Some((target, statuses)) = all.get_mut(place) {
            statuses.push(item.status);
            if matches!(item.status, Status::AtRisk | Status::OffTrack) {
                target.behind.extend(item.agency.clone());
            }
        }
    }
    all.into_iter()
        .map(|(target, statuses)| AgencyTarget { counts: Counts::of(statuses), ..target })
        .collect()
}

fn agency_target(item: &TargetProgress) -> AgencyTarget {
    AgencyTarget {
        subject: item.subject.clone(),
        code: item.code.clone(),
        name: item.name.clone(),
        comparator: item.comparator,
        value: item.value.clone(),
        value_to: item.value_to.clone(),
        unit: item.unit.clone(),
        due: item.due,
        counts: Counts::default(),
        behind: Vec::new(),
    }
}

fn result(row: NamedResultRow) -> ReportedResult {
    let NamedResultRow { index_year, node, score, rank, units, source, version, previous_rank, name } = row;
    let plain = ResultRow { index_year, node, score, rank, units, source, version, previous_rank };
    ReportedResult { name, result: NationalResult::from(plain) }
}
