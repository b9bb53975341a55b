//! Counting everything again: what is kept beside the facts must be what they make.

use chrono::NaiveDate;

use super::rollups::{self, Difference};
use crate::db::locks::{self, Patience};
use crate::db::{Conn, QueryResult, sql};

/// What was found, place by place.
#[derive(Debug, Default)]
pub struct Findings {
    pub years: Vec<i32>,
    pub differences: Vec<Difference>,
}

/// Compares the sums of every year, and the totals of every source's month, with the facts, in one snapshot that nobody waits for;
/// `repair` makes the sums right again, and refuses batches meanwhile. The first thing in a transaction.
pub async fn verify(conn: &mut Conn, repair: bool) -> QueryResult<Findings> {
    if repair {
        locks::LEVELS.lock(conn, 0, Patience::Seconds(60)).await?;
    } else {
        sql("set transaction isolation level repeatable read").run(conn).await?;
    }
    let mut findings = Findings { years: years(conn).await?, ..Findings::default() };
    for year in &findings.years {
        let day = |month, day| NaiveDate::from_ymd_opt(*year, month, day).unwrap_or_default();
        let (first, last) = (day(1, 1), day(12, 31));
        let differences = rollups::differences(conn, first, last).await?;
        if repair && !differences.is_empty() {
            rollups::repair(conn, first, last).await?;
        }
        findings.differences.extend(differences);
    }
    findings.differences.extend(unlike_batches(conn).await?);
    Ok(findings)
}

async fn years(conn: &mut Conn) -> QueryResult<Vec<i32>> {
    sql("select distinct extract(year from month)::int as value from ( \
           select generate_series(min(month), max(month), interval '1 year')::date as month from dossier_counts \
           union all select max(month) from dossier_counts union all select period from dossier_agency_rollups \
           union all select period from dossier_service_rollups union all select month from dossier_batches) m \
         where month is not null order by value")
    .values(conn)
    .await
}

/// Months of a source whose newest revision says other totals than its rows make.
async fn unlike_batches(conn: &mut Conn) -> QueryResult<Vec<Difference>> {
    sql(
        "with latest as (select distinct on (source, month) source, month, rows, received, parked from dossier_batches \
           order by source, month, revision desc), \
         facts as (select source, month, count(*) as rows, sum(received) as received from dossier_counts group by source, month), \
         parked as (select source, month, count(*) as rows, sum(received) as received from dossier_parked_counts group by source, month), \
         joined as (select source, month, row(coalesce(l.rows, 0), coalesce(l.received, 0), coalesce(l.parked, 0))::text as kept, \
             row(coalesce(f.rows, 0) + coalesce(p.rows, 0), coalesce(f.received, 0) + coalesce(p.received, 0), coalesce(p.rows, 0))::text as counted \
           from latest l full join facts f using (source, month) full join parked p using (source, month)) \
         select 'dossier_batches ' || source || ' ' || month as place, kept, counted from joined where kept <> counted order by 1",
    )
    .rows(conn)
    .await
}
