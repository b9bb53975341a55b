//! Counting procedures by level: one statement for all groups.

use chrono::NaiveDate;
use diesel::deserialize::QueryableByName;
use diesel::pg::Pg;
use diesel::row::NamedRow;
use diesel::sql_types::Bool;

use super::coverage::Expected;
use super::wire::LevelGroupBy;
use crate::db::{QueryResult, Reader, Sql, sql};
use crate::values::{Month, Period};

/// What is counted.
#[derive(Clone, Debug)]
pub struct LevelQuery {
    pub period: Period,
    pub group_by: Option<LevelGroupBy>,
    pub agencies: Option<Vec<String>>,
    pub fields: Option<Vec<String>>,
    /// Not grouped by month: only up to this month, as on its last day.
    pub until: Option<Month>,
}

impl LevelQuery {
    fn last_day(&self) -> NaiveDate {
        self.until.map_or(self.period.last_day(), Month::last_day)
    }
}

/// The agencies asked for; else those that should have procedures on the last day of the period, and those that have.
pub async fn agencies(conn: &mut Reader<'_>, query: &LevelQuery) -> QueryResult<Vec<Expected>> {
    sql(
        "with days(day) as (select $1::date), \
         active as (select distinct sa.agency_id from days d cross join services s \
                    join lateral (select t.status from service_statuses t where t.service_id = s.id and t.effective_from <= d.day \
                                  order by t.effective_from desc limit 1) t on t.status = 'in_force' \
                    join service_agencies sa on sa.service_id = s.id) \
         select a.code, active.agency_id is not null as reported, false as in_part \
         from days d cross join agencies a left join active on active.agency_id = a.id \
         where case when $2::text[] is not null then a.code = any($2) \
               else active.agency_id is not null or (a.kind in ('department', 'district', 'commune') \
                    and daterange(a.valid_from, a.valid_to) @> d.day) end",
    )
    .bind(query.period.last_day())
    .bind(query.agencies.clone())
    .rows(conn)
    .await
}

row! {
    /// Counts of one group; `code` and `name` are those of the agency, the field or the month.
    #[derive(Debug, Default)]
    pub struct LevelRow {
        pub code: String,
        pub name: String,
        pub total: i64,
        pub exact_1: i64,
        pub exact_2: i64,
        pub exact_3: i64,
        pub exact_4: i64,
        pub active_3: i64,
        pub active_4: i64,
    }
}

/// Histories become intervals once (a row of `statuses` or `levels` holds until the next begins); a day then finds the one it lies in.
/// `$1`, `$2` are the first and last days of the spans counted, `$3` agencies, `$4` fields, `$5`, `$6` the bounds of all spans,
/// which let PostgreSQL leave out the years of `dossier_counts` that are not asked for.
const STATE: &str = "days as (select * from unnest($1::date[], $2::date[]) as d(first, day)), \
    chosen as materialized (select id from agencies where code = any($3)), \
    statuses as (select service_id, status, effective_from, \
                 lead(effective_from, 1, 'infinity') over (partition by service_id order by effective_from) as until from service_statuses), \
    levels as (select service_id, level, effective_from, \
               lead(effective_from, 1, 'infinity') over (partition by service_id order by effective_from) as until from service_levels), \
    state as (select d.first, d.day, s.id, s.field, l.level from days d \
              join statuses t on t.status = 'in_force' and d.day >= t.effective_from and d.day < t.until \
              join services s on s.id = t.service_id \
              left join levels l on l.service_id = s.id and d.day >= l.effective_from and d.day < l.until \
              where ($4::text[] is null or s.field = any($4)) \
              and ($3::text[] is null or exists (select 1 from service_agencies sa \
                   where sa.service_id = s.id and sa.agency_id in (select id from chosen))))";

const COUNTS: &str = "count(st.id) as total, \
    count(*) filter (where st.level = 1) as exact_1, count(*) filter (where st.level = 2) as exact_2, \
    count(*) filter (where st.level = 3) as exact_3, count(*) filter (where st.level = 4) as exact_4, \
    count(*) filter (where st.level = 3 and st.active) as active_3, count(*) filter (where st.level = 4 and st.active) as active_4";

const MONTH: &str = "to_char(d.day, 'YYYY-MM') as code, \
    to_char(d.day, case when extract(month from d.day) < 3 then '\"Tháng\" MM/YYYY' else '\"Tháng\" FMMM/YYYY' end) as name";

/// What makes a procedure active in a span (which its first day stands for): an online dossier received, of any agency for the
/// province, of its own for an agency. A span is a month or all of the period, so the counts need no join to find theirs.
/// `in` over distinct rows becomes a hash lookup, whatever the planner thinks of the numbers of rows.
fn marked(query: &LevelQuery) -> String {
    let by_agency = query.group_by == Some(LevelGroupBy::Agency);
    let by_month = query.group_by == Some(LevelGroupBy::Month);
    let first = if by_month { "c.month" } else { "$5::date" };
    let (agency, of_agency, links) = if by_agency {
        let links = "join service_agencies sa on sa.service_id = state.id and ($3 is null or sa.agency_id in (select id from chosen))";
        (", c.agency_id", ", sa.agency_id", links)
    } else {
        ("", "", "")
    };
    // Over all agencies the sums tell it: those by procedure, of the months.
    let online = if by_agency || query.agencies.is_some() {
        format!(
            "select distinct {first} as first, c.service_id{agency} from reported_dossiers c \
             where c.month between $5 and $6 and c.channel = 1 and c.received > 0 \
             and ($3 is null or c.agency_id in (select id from chosen))"
        )
    } else {
        format!(
            "select distinct {first} as first, c.service_id from (select period as month, service_id, online_received \
               from dossier_service_rollups where grain = 1) c \
             where c.month between $5 and $6 and c.online_received > 0"
        )
    };
    format!(
        "online as materialized ({online}), \
         marked as materialized (select state.*{of_agency}, (state.first, state.id{of_agency}) in (select * from online) as active \
           from state {links})"
    )
}

/// The rows of each grouping.
fn text(query: &LevelQuery) -> String {
    let rows = match query.group_by {
        None | Some(LevelGroupBy::Month) => format!(
            "select {MONTH}, {COUNTS} from days d left join marked st on st.day = d.day group by d.day order by d.day"
        ),
        Some(LevelGroupBy::Field) => format!(
            "select st.field as code, st.field as name, {COUNTS} from marked st \
             group by st.field order by st.field collate \"vi-x-icu\", st.field"
        ),
        Some(LevelGroupBy::Agency) => format!(
            "select a.code, a.name, {COUNTS} from marked st join agencies a on a.id = st.agency_id \
             group by a.id order by a.name collate \"vi-x-icu\", a.code"
        ),
    };
    let marked = marked(query);
    format!("with {STATE}, {marked} {rows}")
}

/// Counts the procedures in force on the last day of each span by the level in force on that day.
pub async fn count(conn: &mut Reader<'_>, query: &LevelQuery) -> QueryResult<Vec<LevelRow>> {
    let spans: Vec<(NaiveDate, NaiveDate)> = match query.group_by {
        Some(LevelGroupBy::Month) => {
            query.period.months().into_iter().map(|month| (month.first_day(), month.last_day())).collect()
        }
        _ => vec![(query.period.first_day(), query.last_day())],
    };
    bound(text(query), query, spans).rows(conn).await
}

fn bound(text: String, query: &LevelQuery, spans: Vec<(NaiveDate, NaiveDate)>) -> Sql {
    let (first, last): (Vec<_>, Vec<_>) = spans.into_iter().unzip();
    sql(text)
        .custom_plan()
        .bind(first)
        .bind(last)
        .bind(query.agencies.clone())
        .bind(query.fields.clone())
        .bind(query.period.first_day())
        .bind(query.last_day())
}

/// A row of the whole province, or of an agency.
struct Placed {
    whole: bool,
    row: LevelRow,
}

impl QueryableByName<Pg> for Placed {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> diesel::deserialize::Result<Self> {
        Ok(Self { whole: NamedRow::get::<Bool, bool>(row, "whole")?, row: LevelRow::build(row)? })
    }
}

/// The province's counts and, if asked for, those of each agency, by one statement.
pub async fn count_whole(
    conn: &mut Reader<'_>,
    mut query: LevelQuery,
    by_agency: bool,
) -> QueryResult<(Option<LevelRow>, Vec<LevelRow>)> {
    query.group_by = None;
    let mut statement = format!("select true as whole, w.* from ({}) w", text(&query));
    if by_agency {
        query.group_by = Some(LevelGroupBy::Agency);
        statement.push_str(&format!(" union all select false, o.* from ({}) o", text(&query)));
    }
    let spans = vec![(query.period.first_day(), query.last_day())];
    let rows: Vec<Placed> = bound(statement, &query, spans).rows(conn).await?;
    let (whole, agencies): (Vec<Placed>, Vec<Placed>) = rows.into_iter().partition(|placed| placed.whole);
    Ok((
        whole.into_iter().next().map(|placed| placed.row),
        agencies.into_iter().map(|placed| placed.row).collect(),
    ))
}
