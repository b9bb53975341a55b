//! The rows of the report's tables.

use std::collections::HashMap;

use super::book::Cell;
use super::labels;
use super::wire::{AgencyTarget, IndicatorFigure, MonthlyReport, ReportedRate, ReportedResult};
use crate::statistics::progress::rules::Status;
use crate::statistics::progress::target_wire::TargetProgress;
use crate::statistics::progress::tasks::OverdueTask;
use crate::targets::rules::indicator_of;
use crate::values::{Comparator, Decimal, vietnamese};

/// Agencies by name.
fn named(codes: &[String], names: &HashMap<String, String>) -> String {
    labels::some_agencies(codes.iter().map(|code| names.get(code).unwrap_or(code).as_str()))
}

/// Who leads a task.
pub fn leads_of(task: &OverdueTask) -> String {
    labels::some_agencies(task.lead_names.iter().map(String::as_str))
}

/// The indicator's code; rates have none that anyone prints.
fn code_of(subject: &str, code: &str) -> Cell {
    if subject == "indicator" { Cell::text(indicator_of(code)) } else { Cell::Blank }
}

/// What a target is about: the indicator and which part of it, or the rate.
pub fn name_of(code: &str, name: Option<&String>) -> String {
    match (name, code.split_once(':')) {
        (Some(name), Some((_, part))) => format!("{name} ({})", labels::part(part)),
        (Some(name), None) => name.clone(),
        (None, _) => labels::rate(code),
    }
}

pub fn goal_of_target(item: &TargetProgress) -> String {
    goal_of(&item.code, item.comparator, &item.value, item.value_to.as_ref(), item.unit.as_deref())
}

fn goal_of(
    code: &str,
    comparator: Comparator,
    value: &Decimal,
    to: Option<&Decimal>,
    unit: Option<&str>,
) -> String {
    format!("{} {}", labels::bound(comparator, value, to), labels::unit(code, unit)).trim_end().to_owned()
}

pub fn target_row(item: &TargetProgress) -> Vec<Cell> {
    vec![
        code_of(&item.subject, &item.code),
        Cell::text(name_of(&item.code, item.name.as_ref())),
        Cell::centred(goal_of_target(item)),
        Cell::Day(item.due),
        Cell::figure(item.actual.as_ref()),
        Cell::amount(item.numerator.as_ref()),
        Cell::amount(item.denominator.as_ref()),
        Cell::figure(Some(&item.expected_by_now)),
        Cell::figure(item.gap.as_ref()),
        Cell::figure(item.required_pace.as_ref()),
        Cell::text(format!("{}: {}", labels::status(item.status), labels::reason(item.reason))),
    ]
}

pub fn agency_target_row(item: &AgencyTarget, names: &HashMap<String, String>) -> Vec<Cell> {
    let mut cells = vec![
        code_of(&item.subject, &item.code),
        Cell::text(name_of(&item.code, item.name.as_ref())),
        Cell::centred(goal_of(
            &item.code,
            item.comparator,
            &item.value,
            item.value_to.as_ref(),
            item.unit.as_deref(),
        )),
        Cell::Day(item.due),
    ];
    cells.extend(Status::ALL.map(|status| Cell::Count(item.counts.get(status).into())));
    cells.push(Cell::text(named(&item.behind, names)));
    cells
}

pub fn task_row(task: &OverdueTask, names: &HashMap<String, String>) -> Vec<Cell> {
    vec![
        Cell::text(&task.code),
        Cell::text(&task.title),
        Cell::text(leads_of(task)),
        Cell::Day(task.deadline),
        Cell::Count(task.days_overdue.unwrap_or_default()),
        Cell::figure(task.percent.as_ref()),
        Cell::text(named(&task.overdue_leads, names)),
    ]
}

pub fn indicator_row(figure: &IndicatorFigure) -> Vec<Cell> {
    let months = match (figure.period_from, figure.period_to) {
        (Some(from), Some(to)) if from != to => {
            format!("{} – {}", vietnamese::month(from), vietnamese::month(to))
        }
        (_, Some(to)) => vietnamese::month(to),
        _ => String::new(),
    };
    let coverage = match (&figure.coverage, figure.reason) {
        (_, Some(reason)) => labels::reason(reason).to_owned(),
        (Some(coverage), None) => format!("{}/{}", coverage.reported, coverage.expected),
        (None, None) => "Danh mục TTHC".into(),
    };
    vec![
        Cell::text(&figure.code),
        Cell::text(&figure.name),
        Cell::centred(labels::unit(&figure.code, Some(&figure.unit))),
        Cell::amount(figure.numerator.as_ref()),
        Cell::amount(figure.denominator.as_ref()),
        Cell::figure(figure.actual.as_ref()),
        Cell::centred(months),
        Cell::centred(coverage),
    ]
}

pub fn goal(item: &ReportedRate) -> Cell {
    item.rate.target.as_ref().map_or(Cell::Blank, |target| {
        Cell::centred(labels::bound(target.comparator, &target.value, target.value_to.as_ref()))
    })
}

pub fn rate_row(item: &ReportedRate, report: &MonthlyReport) -> Vec<Cell> {
    let rate = &item.rate;
    vec![
        Cell::centred(labels::period(item.period, report.month)),
        Cell::text(labels::rate(&rate.metric)),
        Cell::Count(rate.numerator),
        Cell::Count(rate.denominator),
        Cell::figure(rate.rate.as_ref()),
        goal(item),
        Cell::figure(rate.gap.as_ref()),
        // Of nothing, one dossier would make 100%: true, and no advice.
        rate.dossiers_needed.filter(|_| rate.denominator > 0).map_or(Cell::Blank, Cell::Count),
    ]
}

pub fn result_row(result: &ReportedResult) -> Vec<Cell> {
    let plain = &result.result;
    let count = |n: Option<i32>| n.map_or(Cell::Blank, |n| Cell::Count(n.into()));
    vec![
        Cell::text(&plain.node),
        Cell::text(result.name.clone().unwrap_or_default()),
        plain.score.as_ref().map_or(Cell::Blank, |score| Cell::centred(labels::number(score))),
        count(plain.rank),
        count(plain.units),
        count(plain.previous_rank),
        plain.rank_change.map_or(Cell::Blank, |change| Cell::centred(format!("{change:+}"))),
    ]
}
