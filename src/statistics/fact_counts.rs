//! Counting dossiers row by row: what the sums do not tell, and what was known at an earlier time.

use super::rate_counts::RateQuery;
use super::rates::RateGroupBy;
use crate::db::{Sql, sql};

/// `facts`: the counts of the months from `first` to `last` as they stood at `instant`. A source's month then had the newest
/// revision made until then; a row belongs to it that was written by then and replaced later, if ever.
pub fn as_of(first: &str, last: &str, instant: &str) -> String {
    const COLUMNS: &str = "c.month, c.agency_id, c.service_id, c.channel, c.received, c.resolved_early, c.resolved_on_time, c.resolved_late";
    format!(
        "past as (select source, month, max(revision) as revision from dossier_batches \
           where month between {first} and {last} and at <= {instant} group by source, month), \
         facts as (select {COLUMNS} from reported_dossiers c join past t on t.source = c.source and t.month = c.month \
           where c.month between {first} and {last} and c.revision <= t.revision \
           union all select {COLUMNS} from reported_dossier_history c join past t on t.source = c.source and t.month = c.month \
           where c.month between {first} and {last} and c.revision <= t.revision and c.replaced_by > t.revision)"
    )
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
fn text(group_by: Option<RateGroupBy>, facts: &str, then: &str) -> String {
    const RESOLVED: &str = "c.resolved_early::bigint + c.resolved_on_time + c.resolved_late";
    let Grouping { key, code, name, join, order } = Grouping::of(group_by);
    let day = match group_by {
        Some(RateGroupBy::Month) => "coalesce($1, (c.month + interval '1 month')::date - 1)",
        _ => "$1",
    };
    format!(
        "with {then} summed as (select {key} coalesce(l.level, 0::smallint) as level, sum(c.received) as received, \
             sum({RESOLVED})::bigint as resolved, sum(c.resolved_early::bigint + c.resolved_on_time)::bigint as in_time, \
             coalesce(sum(c.received) filter (where c.channel = 1), 0) as online_received, \
             coalesce(sum({RESOLVED}) filter (where c.channel = 1), 0)::bigint as online_resolved \
           from {facts} c join services s on s.id = c.service_id \
           left join (select service_id, level, effective_from, \
               lead(effective_from, 1, 'infinity') over (partition by service_id order by effective_from) as until from service_levels) l \
             on l.service_id = c.service_id and l.effective_from <= {day} and l.until > {day} \
           where c.month between $2 and $3 and ($5::text[] is null or s.field = any($5)) \
           and ($4::text[] is null or c.agency_id = any(array(select id from agencies where code = any($4)))) \
           group by {key} l.level) \
         select {code} as code, {name} as name, n.level, n.received, n.resolved, n.in_time, n.online_received, n.online_resolved \
         from summed n {join} order by {order}"
    )
}

pub fn statement(query: &RateQuery) -> Sql {
    let by_month = query.group_by == Some(RateGroupBy::Month);
    let text = match query.as_of {
        None => text(query.group_by, "reported_dossiers", ""),
        Some(_) => text(query.group_by, "facts", &format!("{},", as_of("$2", "$3", "$6"))),
    };
    let statement = sql(text)
        .custom_plan()
        .bind((!by_month).then(|| query.last_day()))
        .bind(query.period.first_day())
        .bind(query.last_day())
        .bind(query.agencies.clone())
        .bind(query.fields.clone());
    match query.as_of {
        None => statement,
        Some(instant) => statement.bind(instant),
    }
}
