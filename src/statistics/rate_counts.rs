//! Counting dossiers by group and level: from the sums that batches keep up where they tell it, else from the facts.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};

use super::coverage;
use super::fact_counts;
use super::metrics::{Cell, Tally};
use super::rates::RateGroupBy;
use super::wire::{Group, GroupType};
use crate::db::{QueryResult, Reader, Sql, sql};
use crate::values::{Month, Period, vietnamese};

/// What is counted.
#[derive(Clone, Debug)]
pub struct RateQuery {
    pub period: Period,
    pub group_by: Option<RateGroupBy>,
    pub agencies: Option<Vec<String>>,
    pub fields: Option<Vec<String>>,
    /// The counts as they stood then.
    pub as_of: Option<DateTime<Utc>>,
    /// Only months up to this one, with the levels of its last day.
    pub until: Option<Month>,
}

/// Where the counts are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Sums by agency and level: they know no procedure and so no field.
    AgencyRollups,
    /// Sums by procedure: they know no agency.
    ServiceRollups,
    /// Every row: for what is grouped or filtered by agency and by procedure at once, and for the past.
    Facts,
}

impl RateQuery {
    fn source(&self) -> Source {
        use RateGroupBy::{Agency, Field, Month, Service};
        match (self.group_by, &self.agencies, &self.fields) {
            _ if self.as_of.is_some() || self.until.is_some() => Source::Facts,
            (None | Some(Month | Agency), _, None) => Source::AgencyRollups,
            (None | Some(Month | Field | Service), None, _) => Source::ServiceRollups,
            _ => Source::Facts,
        }
    }

    /// Last day of what is counted.
    pub fn last_day(&self) -> NaiveDate {
        self.until.map_or(self.period.last_day(), Month::last_day)
    }

    /// Whether it takes the facts to answer, which takes its time.
    pub fn reads_facts(&self) -> bool {
        self.source() == Source::Facts
    }

    /// Length in months of the sums that make the answer.
    fn grain(&self) -> i16 {
        match self.period {
            _ if self.group_by == Some(RateGroupBy::Month) => 1,
            Period::Month(_) => 1,
            Period::Quarter(..) => 3,
            Period::Year(_) => 12,
        }
    }
}

/// Who should have counts of the period, and who has.
pub fn expected(query: &RateQuery) -> Sql {
    if let (Period::Month(month), Some([agency]), None) =
        (query.period, query.agencies.as_deref(), query.as_of)
    {
        return coverage::of_one_month(agency.clone(), month.first_day());
    }
    reporters(query)
}

fn reporters(query: &RateQuery) -> Sql {
    const EXPECTED: &str = "r.months > 0 or daterange(a.valid_from, a.valid_to) && daterange($2, $3, '[]') \
        and (a.kind in ('department', 'district', 'commune') or exists (select 1 from service_agencies sa where sa.agency_id = a.id))";
    const ASKED: &str = "$2::date is not null and $3::date is not null and a.code = any($4)";
    const KEPT: &str = "(select agency_id, period as month from dossier_agency_rollups where grain = 1)";
    let which = if query.agencies.is_some() { ASKED } else { EXPECTED };
    let statement = match query.as_of {
        None => coverage::statement("", KEPT, which),
        Some(_) => {
            let then = fact_counts::as_of("$2", "$3", if query.agencies.is_some() { "$5" } else { "$4" });
            let with =
                format!("{then}, reports as materialized (select distinct agency_id, month from facts),");
            coverage::statement(&with, "reports", which)
        }
    };
    let months: Vec<NaiveDate> = query.period.months().into_iter().map(Month::first_day).collect();
    let mut statement = statement.bind(months).bind(query.period.first_day()).bind(query.period.last_day());
    if let Some(codes) = &query.agencies {
        statement = statement.bind(codes.clone());
    }
    match query.as_of {
        None => statement,
        Some(instant) => statement.bind(instant),
    }
}

row! {
    /// Sums of a group's dossiers of one level.
    pub struct TallyRow {
        pub code: String,
        pub name: String,
        pub level: i16,
        pub received: i64,
        pub resolved: i64,
        pub in_time: i64,
        pub online_received: i64,
        pub online_resolved: i64,
    }
}

impl TallyRow {
    fn tally(&self) -> Tally {
        let all = Cell { received: self.received, resolved: self.resolved, in_time: self.in_time };
        let online = Cell { received: self.online_received, resolved: self.online_resolved, in_time: 0 };
        Tally::of(self.level, all, online)
    }
}

/// `sum(received)::bigint as received` and so on, of sums that the rows of `r` hold.
const ADDED: &str = "sum(r.received)::bigint as received, sum(r.resolved)::bigint as resolved, sum(r.in_time)::bigint as in_time, \
    sum(r.online_received)::bigint as online_received, sum(r.online_resolved)::bigint as online_resolved";

const MONTH: &str = "to_char(r.period, 'YYYY-MM')";

/// Sums by agency and level. They have the level of each period's last day in their key.
fn of_agencies(query: &RateQuery) -> Sql {
    let chosen = match query.agencies.as_deref() {
        // One is found by its key; of several the planner would have to guess how many.
        Some([_]) => "and r.agency_id = (select id from agencies where code = ($4::text[])[1])",
        Some(_) => "and r.agency_id = any(array(select id from agencies where code = any($4)))",
        None => "",
    };
    let (code, name, join, key, order) = match query.group_by {
        Some(RateGroupBy::Agency) => (
            "a.code",
            "a.name",
            "join agencies a on a.id = r.agency_id",
            "a.id, r.level",
            "a.name collate \"vi-x-icu\", a.code",
        ),
        Some(RateGroupBy::Month) => (MONTH, "''", "", "r.period, r.level", "1"),
        _ => ("''", "''", "", "r.level", "1"),
    };
    let statement = sql(format!(
        "select {code} as code, {name} as name, r.level, {ADDED} from dossier_agency_rollups r {join} \
         where r.grain = $1 and r.period between $2 and $3 {chosen} group by {key} order by {order}"
    ));
    let statement =
        statement.bind(query.grain()).bind(query.period.first_day()).bind(query.period.last_day());
    match &query.agencies {
        Some(codes) => statement.bind(codes.clone()),
        None => statement,
    }
}

/// Sums by procedure, whose level is looked up.
fn of_services(query: &RateQuery) -> Sql {
    let (chosen, fields) = match &query.fields {
        Some(fields) => ("and s.field = any($4)", Some(fields.clone())),
        None => ("", None),
    };
    let (code, name, key, order) = match query.group_by {
        Some(RateGroupBy::Field) => {
            ("s.field", "s.field", "s.field, l.level", "s.field collate \"vi-x-icu\", s.field")
        }
        Some(RateGroupBy::Service) => ("s.code", "s.name", "s.id, l.level", "s.code"),
        Some(RateGroupBy::Month) => (MONTH, "''", "r.period, l.level", "1"),
        _ => ("''", "''", "l.level", "1"),
    };
    let statement = sql(format!(
        "select {code} as code, {name} as name, coalesce(l.level, 0::smallint) as level, {ADDED} \
         from dossier_service_rollups r join services s on s.id = r.service_id left join (select service_id, level, effective_from, \
           lead(effective_from, 1, 'infinity') over (partition by service_id order by effective_from) as until from service_levels) l \
           on l.service_id = r.service_id and l.effective_from <= (r.period + make_interval(months => r.grain))::date - 1 \
           and l.until > (r.period + make_interval(months => r.grain))::date - 1 \
         where r.grain = $1 and r.period between $2 and $3 {chosen} \
         group by {key} order by {order}"
    ));
    let statement =
        statement.bind(query.grain()).bind(query.period.first_day()).bind(query.period.last_day());
    match fields {
        Some(fields) => statement.bind(fields),
        None => statement,
    }
}

/// Counts by group, as rows of [`TallyRow`]. Levels are those in force on the last day of the period, or of each month when grouped
/// by month.
pub fn counted(query: &RateQuery) -> Sql {
    match query.source() {
        Source::AgencyRollups => of_agencies(query),
        Source::ServiceRollups => of_services(query),
        Source::Facts => fact_counts::statement(query),
    }
}

/// Counts by group.
pub async fn count(conn: &mut Reader<'_>, query: &RateQuery) -> QueryResult<Vec<(Group, Tally)>> {
    Ok(groups(query, counted(query).rows(conn).await?))
}

/// The rows of each group added up. The province and the months of the period are there even when nothing was counted.
pub fn groups(query: &RateQuery, rows: Vec<TallyRow>) -> Vec<(Group, Tally)> {
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
        let tally = row.tally();
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

fn month_group(month: Month) -> Group {
    Group::new(GroupType::Month, month.to_string(), vietnamese::period(Period::Month(month)))
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
