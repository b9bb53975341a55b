//! What targets ask for, what agencies reported, and who should have: one statement, so all of it is of one moment.

use bigdecimal::BigDecimal;
use chrono::NaiveDate;
use serde::Deserialize;

use crate::db::json::from_json;
use crate::db::{QueryResult, Reader, sql};
use crate::ids::AgencyId;
use crate::values::{Comparator, Decimal, Month};

/// A target with what is known of its indicator.
#[derive(Clone, Debug, Deserialize)]
pub struct TargetRow {
    pub subject: String,
    pub code: String,
    /// Name of the indicator; null for a rate, and for an indicator that is no more.
    pub name: Option<String>,
    pub scope: String,
    pub agency: Option<String>,
    pub comparator: Comparator,
    pub value: Decimal,
    pub value_to: Option<Decimal>,
    pub unit: Option<String>,
    pub due: NaiveDate,
    pub source: String,
    pub indicator_unit: Option<String>,
    pub baseline: Option<BaselineRow>,
}

/// A figure of a year before the target's.
#[derive(Clone, Debug, Deserialize)]
pub struct BaselineRow {
    pub year: i32,
    pub value: Decimal,
    pub unit: String,
}

/// An agency, and whether and how it reported the month that was due last.
#[derive(Clone, Debug, Deserialize)]
pub struct AgencyRow {
    pub id: i32,
    pub code: String,
    pub name: String,
    /// It is the committee itself, on the day.
    pub province: bool,
    /// It reports as a rule, and exists on the day.
    pub expected: bool,
    /// It should have reported the month.
    pub reports: bool,
    /// State of its submission of the month; null when there is none.
    pub state: Option<String>,
    pub accepted: bool,
    /// Business day on which it was first submitted and not withdrawn.
    pub submitted_on: Option<NaiveDate>,
}

impl AgencyRow {
    pub fn id(&self) -> AgencyId {
        AgencyId(self.id)
    }

    /// It was handed in: waiting for review, or accepted once.
    pub fn has_reported(&self) -> bool {
        self.accepted || self.state.as_deref() == Some("submitted")
    }
}

/// The latest accepted figure of an agency in the year.
#[derive(Clone, Debug, Deserialize)]
pub struct FigureRow {
    pub agency: String,
    pub indicator: String,
    pub month: NaiveDate,
    pub numerator: Option<Decimal>,
    pub denominator: Option<Decimal>,
    pub value: Option<Decimal>,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The year of the targets.
    pub year: i32,
    pub targets: Vec<TargetRow>,
    /// By name.
    pub agencies: Vec<AgencyRow>,
    pub figures: Vec<FigureRow>,
    /// Levels of procedures begin later in the year, after the month of the day.
    pub levels_to_come: bool,
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct FrameQuery {
    /// Without it: the last year, up to that of the day, that has targets.
    pub year: Option<i32>,
    pub on: NaiveDate,
    /// The month that was to be reported last.
    pub reporting_month: Month,
    /// Figures of all indicators, not only of those with a target.
    pub all_figures: bool,
}

const FRAME: &str = "with asked as (select coalesce($1, (select max(year) from targets where year <= extract(year from $2::date)), \
      extract(year from $2::date)::int) as year), \
    span as materialized (select year, make_date(year, 1, 1) as first, least(make_date(year, 12, 31), $2) as last from asked), \
    goals as materialized (select t.*, a.code as agency, i.name, i.unit as indicator_unit, \
        case when b.year is not null then jsonb_build_object('year', b.year, 'value', b.value, 'unit', b.unit) end as baseline \
      from span p join targets t on t.year = p.year left join agencies a on a.id = t.agency_id \
      left join indicators i on t.subject = 'indicator' and i.code = split_part(t.code, ':', 1) \
      left join lateral (select * from indicator_baselines l where t.subject = 'indicator' and l.indicator_code = t.code and l.year < t.year \
        order by l.year desc limit 1) b on true), \
    latest as materialized (select distinct on (v.agency_id, v.indicator_code) v.agency_id, v.indicator_code, v.month, v.numerator, v.denominator, v.value \
      from span p join reported_figures v on v.month between p.first and p.last \
      where $5 or v.indicator_code in (select split_part(code, ':', 1) from goals where subject = 'indicator') \
      order by v.agency_id, v.indicator_code, v.month desc), \
    counted as (select a.code as agency, n.* from latest n join agencies a on a.id = n.agency_id, span p \
      where a.valid_to is null or a.valid_to > p.last or not exists (select 1 from agency_successors l join latest o on o.agency_id = l.successor_id \
        where l.agency_id = a.id and o.indicator_code = n.indicator_code)), \
    reporters as (select a.id, a.code, a.name, a.kind = 'province' and daterange(a.valid_from, a.valid_to) @> p.last as province, \
        a.kind in ('department', 'district', 'commune') and daterange(a.valid_from, a.valid_to) @> p.last as expected, \
        a.kind in ('department', 'district', 'commune') and daterange(a.valid_from, a.valid_to) && daterange($3, $4) as reports, \
        s.state, coalesce(s.accepted, false) as accepted, s.submitted_on \
      from span p cross join agencies a left join reported_submissions s on s.agency_id = a.id and s.month = $3) \
    select p.year, \
      (select coalesce(jsonb_agg(to_jsonb(g) order by g.scope = 'agency', g.due, g.code, g.agency), '[]') from goals g) as targets, \
      (select coalesce(jsonb_agg(to_jsonb(r) order by r.name collate \"vi-x-icu\", r.code), '[]') from reporters r) as agencies, \
      (select coalesce(jsonb_agg(jsonb_build_object('agency', c.agency, 'indicator', c.indicator_code, 'month', c.month, \
         'numerator', c.numerator, 'denominator', c.denominator, 'value', c.value)), '[]') from counted c) as figures, \
      exists (select 1 from service_levels l where p.last >= p.first and l.effective_from <= make_date(p.year, 12, 31) \
        and l.effective_from >= date_trunc('month', p.last) + interval '1 month') as levels_to_come \
    from span p";

/// Reads it.
pub async fn frame(conn: &mut Reader<'_>, query: FrameQuery) -> QueryResult<Frame> {
    row! {
        struct Row { year: i32, targets: serde_json::Value, agencies: serde_json::Value, figures: serde_json::Value, levels_to_come: bool }
    }
    let row: Row = sql(FRAME)
        .bind(query.year)
        .bind(query.on)
        .bind(query.reporting_month.first_day())
        .bind(query.reporting_month.next().first_day())
        .bind(query.all_figures)
        .row(conn)
        .await?;
    Ok(Frame {
        year: row.year,
        targets: from_json(row.targets)?,
        agencies: from_json(row.agencies)?,
        figures: from_json(row.figures)?,
        levels_to_come: row.levels_to_come,
    })
}

impl FigureRow {
    /// Numerator and denominator, where it has them.
    pub fn parts(&self) -> Option<(&BigDecimal, &BigDecimal)> {
        Some((&self.numerator.as_ref()?.0, &self.denominator.as_ref()?.0))
    }
}
