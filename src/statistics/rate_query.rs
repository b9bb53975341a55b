//! Rates of dossiers by one statement: who reported, what was counted and what it is measured against. One snapshot, so that they
//! belong together whatever is committed meanwhile; and one round trip, whose three parts cost two thirds of three statements.

use bigdecimal::BigDecimal;
use chrono::NaiveDate;

use super::coverage::Expected;
use super::metrics::Tally;
use super::rate_counts::{self, RateQuery, TallyRow};
use super::targets::{self, AimRow, Aims};
use super::wire::Group;
use crate::db::{QueryResult, Reader, Sql};
use crate::values::Comparator;

/// Rows of three kinds; each part's stay in its own order.
const FRAME: &str = "select 1::smallint as part, row_number() over () as place, p.code, null::text as name, p.reported as first, p.in_part as second, \
      null::smallint as level, null::bigint as received, null::bigint as resolved, null::bigint as in_time, null::bigint as online_received, \
      null::bigint as online_resolved, null::text as comparator, null::numeric as value, null::numeric as value_to, null::date as due from ({}) p \
    union all select 2::smallint, row_number() over (), p.code, p.agency, p.of_agency, null, null, null, null, null, null, null, \
      p.comparator, p.value, p.value_to, p.due from ({}) p \
    union all select 3::smallint, row_number() over (), p.code, p.name, null, null, p.level, p.received, p.resolved, p.in_time, p.online_received, \
      p.online_resolved, null, null, null, null from ({}) p \
    order by part, place";

row! {
    struct RateRow {
        part: i16,
        code: String,
        name: Option<String>,
        first: Option<bool>,
        second: Option<bool>,
        level: Option<i16>,
        received: Option<i64>,
        resolved: Option<i64>,
        in_time: Option<i64>,
        online_received: Option<i64>,
        online_resolved: Option<i64>,
        comparator: Option<Comparator>,
        value: Option<BigDecimal>,
        value_to: Option<BigDecimal>,
        due: Option<NaiveDate>,
    }
}

/// What the three parts tell.
#[derive(Default)]
pub struct Found {
    pub expected: Vec<Expected>,
    pub groups: Vec<(Group, Tally)>,
    pub aims: Aims,
}

/// `ids`: the rates whose targets are wanted.
pub async fn load(conn: &mut Reader<'_>, query: &RateQuery, ids: Vec<String>) -> QueryResult<Found> {
    let aims = targets::statement(query.period.year(), ids);
    let parts = [rate_counts::expected(query), aims, rate_counts::counted(query)];
    let rows: Vec<RateRow> = Sql::compose(FRAME, parts).rows(conn).await?;
    let (mut expected, mut aims, mut tallies) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        match row.part {
            1 => expected.push(row.expected()),
            2 => aims.extend(row.aim()),
            _ => tallies.push(row.tally()),
        }
    }
    Ok(Found { expected, groups: rate_counts::groups(query, tallies), aims: aims.into_iter().collect() })
}

impl RateRow {
    fn expected(self) -> Expected {
        Expected {
            code: self.code,
            reported: self.first.unwrap_or_default(),
            in_part: self.second.unwrap_or_default(),
        }
    }

    fn aim(self) -> Option<AimRow> {
        Some(AimRow {
            code: self.code,
            of_agency: self.first?,
            agency: self.name,
            comparator: self.comparator?,
            value: self.value?,
            value_to: self.value_to,
            due: self.due?,
        })
    }

    fn tally(self) -> TallyRow {
        TallyRow {
            code: self.code,
            name: self.name.unwrap_or_default(),
            level: self.level.unwrap_or_default(),
            received: self.received.unwrap_or_default(),
            resolved: self.resolved.unwrap_or_default(),
            in_time: self.in_time.unwrap_or_default(),
            online_received: self.online_received.unwrap_or_default(),
            online_resolved: self.online_resolved.unwrap_or_default(),
        }
    }
}
