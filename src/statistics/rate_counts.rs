//! Counting dossiers by group, level and channel: one statement whatever is asked, from which all rates follow.

use std::collections::HashMap;

use bigdecimal::BigDecimal;
use chrono::NaiveDate;

use super::metrics::{Cell, Tally};
use super::rates::RateGroupBy;
use super::rules::{Bound, Comparator};
use super::targets::Aim;
use super::wire::{Group, GroupType};
use crate::db::{QueryResult, Reader, sql};
use crate::values::Period;

/// What is counted.
#[derive(Clone, Debug)]
pub struct RateQuery {
    pub period: Period,
    pub group_by: Option<RateGroupBy>,
    pub agencies: Option<Vec<String>>,
    pub fields: Option<Vec<String>>,
}

row! {
    #[derive(Debug)]
    pub struct AgencyRow {
        pub code: String,
        pub reported: bool,
    }
}

/// The agencies asked for; else those that exist in the period and should report, and those that do.
pub async fn agencies(conn: &mut Reader<'_>, query: &RateQuery) -> QueryResult<Vec<AgencyRow>> {
    // A probe per agency and month: whoever reported nothing costs no scan of all the others' rows.
    sql(
        "select a.code, r.reported from agencies a cross join lateral (select exists (select 1 from unnest($1::date[]) as m(month) \
           cross join lateral (select 1 from dossier_counts c where c.month = m.month and c.agency_id = a.id limit 1) as c) as reported) as r \
         where case when $4::text[] is not null then a.code = any($4) \
           else r.reported or daterange(a.valid_from, a.valid_to) && daterange($2, $3, '[]') \
             and (a.kind in ('department', 'district', 'commune') or exists (select 1 from service_agencies sa where sa.agency_id = a.id)) end",
    )
    .bind(query.period.months().into_iter().map(|month| month.first_day()).collect::<Vec<_>>())
    .bind(query.period.first_day())
    .bind(query.period.last_day())
    .bind(query.agencies.clone())
    .rows(conn)
    .await
}

row! {
    struct TallyRow {
        code: String,
        name: String,
        level: Option<i16>,
        online: bool,
        received: i64,
        resolved: i64,
        in_time: i64,
    }
}

/// How a grouping is written: what to sum by, with a comma; the group's code and name; what they join; their order.
struct Grouping {
    key: &'static str,
    code: &'static str,
    name: &'static str,
    join: &'static str,
    order: &'static str,
}

impl Grouping {
    fn of(group_by: Option<RateGroupBy>) -> Self {
        let (key, code, name, join, order) = match group_by {
            None => ("", "''", "''", "", "1"),
            Some(RateGroupBy::Agency) => (
                "c.agency_id,",
                "a.code",
                "a.name",
                "join agencies a on a.id = n.agency_id",
                "a.name collate \"vi-x-icu\", a.code",
            ),
            Some(RateGroupBy::Field) => {
                ("s.field,", "n.field", "n.field", "", "n.field collate \"vi-x-icu\", n.field")
            }
            Some(RateGroupBy::Service) => {
                ("c.service_id,", "s.code", "s.name", "join services s on s.id = n.service_id", "s.code")
            }
            Some(RateGroupBy::Month) => ("c.month,", "to_char(n.month, 'YYYY-MM')", "''", "", "1"),
        };
        Self { key, code, name, join, order }
    }
}

/// Counts by group. Levels are those in force on `$1`, or on the last day of each month when that is null.
fn count_text(group_by: Option<RateGroupBy>) -> String {
    let Grouping { key, code, name, join, order } = Grouping::of(group_by);
    let day = match group_by {
        Some(RateGroupBy::Month) => "coalesce($1, (c.month + interval '1 month')::date - 1)",
        _ => "$1",
    };
    format!(
        "with summed as (select {key} l.level, c.channel = 1 as online, sum(c.received) as received, \
             sum(c.resolved_early) as early, sum(c.resolved_on_time) as on_time, sum(c.resolved_late) as late \
           from dossier_counts c join services s on s.id = c.service_id \
           left join (select service_id, level, effective_from, \
               lead(effective_from, 1, 'infinity') over (partition by service_id order by effective_from) as until from service_levels) l \
             on l.service_id = c.service_id and l.effective_from <= {day} and l.until > {day} \
           where c.month between $2 and $3 and ($5::text[] is null or s.field = any($5)) \
           and ($4::text[] is null or c.agency_id = any(array(select id from agencies where code = any($4)))) \
           group by {key} l.level, c.channel = 1) \
         select {code} as code, {name} as name, n.level, n.online, n.received, n.early + n.on_time + n.late as resolved, \
           n.early + n.on_time as in_time from summed n {join} order by {order}"
    )
}

/// Counts by group. Levels are those in force on the last day of the period, or of each month when grouped by month.
pub async fn count(conn: &mut Reader<'_>, query: RateQuery) -> QueryResult<Vec<(Group, Tally)>> {
    let by_month = query.group_by == Some(RateGroupBy::Month);
    let rows: Vec<TallyRow> = sql(count_text(query.group_by))
        .planned_each_time()
        .bind((!by_month).then(|| query.period.last_day()))
        .bind(query.period.first_day())
        .bind(query.period.last_day())
        .bind(query.agencies.clone())
        .bind(query.fields.clone())
        .rows(conn)
        .await?;
    Ok(groups(&query, rows))
}

/// The rows of each group added up. The province and the months of the period are there even when nothing was counted.
fn groups(query: &RateQuery, rows: Vec<TallyRow>) -> Vec<(Group, Tally)> {
    let mut groups: Vec<(Group, Tally)> = match query.group_by {
        None => vec![(Group::province(), Tally::default())],
        Some(RateGroupBy::Month) => {
            query.period.months().into_iter().map(|month| (month_group(month), Tally::default())).collect()
        }
        Some(_) => Vec::new(),
    };
    let mut places: HashMap<String, usize> =
        groups.iter().enumerate().map(|(place, (group, _))| (group.code.clone(), place)).collect();
    for row in rows {
        let cell = Cell { received: row.received, resolved: row.resolved, in_time: row.in_time };
        let tally = Tally::of(row.level, row.online, cell);
        let group = group_of(query.group_by, row);
        let place = *places.entry(group.code.clone()).or_insert_with(|| {
            groups.push((group, Tally::default()));
            groups.len() - 1
        });
        if let Some((_, sum)) = groups.get_mut(place) {
            *sum = *sum + tally;
        }
    }
    groups
}

fn month_group(month: crate::values::Month) -> Group {
    use chrono::Datelike;
    let first = month.first_day();
    Group::new(GroupType::Month, month.to_string(), format!("Tháng {}/{}", first.month(), first.year()))
}

fn group_of(group_by: Option<RateGroupBy>, row: TallyRow) -> Group {
    let r#type = match group_by {
        None => return Group::province(),
        Some(RateGroupBy::Agency) => GroupType::Agency,
        Some(RateGroupBy::Field) => GroupType::Field,
        Some(RateGroupBy::Service) => GroupType::Service,
        Some(RateGroupBy::Month) => GroupType::Month,
    };
    Group::new(r#type, row.code, row.name)
}

/// Targets of rates in a year: the province's, and those of agencies where there are any.
#[derive(Debug, Default)]
pub struct RateAims {
    province: HashMap<String, Aim>,
    every_agency: HashMap<String, Aim>,
    one_agency: HashMap<(String, String), Aim>,
}

impl RateAims {
    /// An agency is measured against its own target, else that of every agency, else the province's.
    pub fn find(&self, metric: &str, group: &Group) -> Option<&Aim> {
        let of_agency = || {
            self.one_agency
                .get(&(group.code.clone(), metric.to_owned()))
                .or_else(|| self.every_agency.get(metric))
        };
        let own = if group.r#type == GroupType::Agency { of_agency() } else { None };
        own.or_else(|| self.province.get(metric))
    }
}

row! {
    struct AimRow {
        code: String,
        of_agency: bool,
        agency: Option<String>,
        comparator: String,
        value: BigDecimal,
        value_to: Option<BigDecimal>,
        due: NaiveDate,
    }
}

/// Targets of these rates in a year.
pub async fn aims(conn: &mut Reader<'_>, year: i32, metrics: Vec<String>) -> QueryResult<RateAims> {
    let rows: Vec<AimRow> = sql(
        "select t.code, t.scope = 'agency' as of_agency, a.code as agency, t.comparator, t.value, t.value_to, t.due \
         from targets t left join agencies a on a.id = t.agency_id \
         where t.subject = 'metric' and t.year = $1 and t.code = any($2)",
    )
    .bind(year)
    .bind(metrics)
    .rows(conn)
    .await?;
    let mut aims = RateAims::default();
    for row in rows {
        let Some(comparator) = Comparator::parse(&row.comparator) else { continue };
        let aim = Aim { bound: Bound { comparator, value: row.value, value_to: row.value_to }, due: row.due };
        match (row.of_agency, row.agency) {
            (true, Some(agency)) => drop(aims.one_agency.insert((agency, row.code), aim)),
            (true, None) => drop(aims.every_agency.insert(row.code, aim)),
            (false, _) => drop(aims.province.insert(row.code, aim)),
        }
    }
    Ok(aims)
}
