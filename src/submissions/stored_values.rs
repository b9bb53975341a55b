//! Figures as stored: the working copy, frozen revisions, and those that count.

use std::collections::HashMap;

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::figures::{Definition, Figure};
use super::warnings::Earlier;
use crate::auth::AgencyScope;
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::{Conn, QueryResult, sql};
use crate::ids::AgencyId;
use crate::values::{Month, Period};

row! {
    struct FigureRow {
        indicator: String,
        unit: String,
        numerator: Option<BigDecimal>,
        denominator: Option<BigDecimal>,
        value: Option<BigDecimal>,
        note: Option<String>,
    }
}

impl From<FigureRow> for Figure {
    fn from(row: FigureRow) -> Self {
        Self {
            indicator: row.indicator,
            unit: row.unit,
            numerator: row.numerator,
            denominator: row.denominator,
            value: row.value,
            note: row.note,
        }
    }
}

pub(super) const EARLIER: &str = "e.month as earlier_month, e.numerator as earlier_numerator, e.denominator as earlier_denominator, e.value as earlier_value";

/// What is known of those of the indicators that exist.
pub async fn definitions(conn: &mut Conn, codes: Vec<String>) -> QueryResult<HashMap<String, Definition>> {
    row! { struct Found { code: String, unit: String, is_ratio: bool } }
    let found: Vec<Found> =
        sql("select code, unit, numerator_name is not null as is_ratio from indicators where code = any($1)")
            .bind(codes)
            .rows(conn)
            .await?;
    let known = found.into_iter().map(|f| (f.code, Definition { unit: f.unit, is_ratio: f.is_ratio }));
    Ok(known.collect())
}

/// The last accepted figure of the indicator that `code` names, of agency `$2` before month `$3`.
pub(super) fn earlier_of(code: &str) -> String {
    format!(
        "select s.month, r.numerator, r.denominator, r.value from submissions s \
         join submission_revision_values r on r.submission_id = s.id and r.revision = s.accepted_revision and r.indicator_code = {code} \
         where s.agency_id = $2 and s.month < $3 order by s.month desc limit 1"
    )
}

const FIGURE: &str = "v.indicator_code as indicator, i.unit, v.numerator, v.denominator, v.value, v.note";

/// The working copy, or a frozen revision, in the order it was sent.
pub async fn figures(conn: &mut Conn, submission: Uuid, revision: Option<i32>) -> QueryResult<Vec<Figure>> {
    let statement = match revision {
        None => sql(format!(
            "select {FIGURE} from submission_values v join indicators i on i.code = v.indicator_code \
             where v.submission_id = $1 order by v.position"
        ))
        .bind(submission),
        Some(revision) => sql(format!(
            "select {FIGURE} from submission_revision_values v join indicators i on i.code = v.indicator_code \
             where v.submission_id = $1 and v.revision = $2 order by v.position"
        ))
        .bind(submission)
        .bind(revision),
    };
    let rows: Vec<FigureRow> = statement.rows(conn).await?;
    Ok(rows.into_iter().map(Figure::from).collect())
}

/// The working copy, each figure with the agency's last accepted one of an earlier month.
pub async fn compared(
    conn: &mut Conn,
    submission: Uuid,
    agency: AgencyId,
    month: Month,
) -> QueryResult<Vec<(Figure, Option<Earlier>)>> {
    row! {
        struct Compared {
            indicator: String,
            unit: String,
            numerator: Option<BigDecimal>,
            denominator: Option<BigDecimal>,
            value: Option<BigDecimal>,
            note: Option<String>,
            earlier_month: Option<NaiveDate>,
            earlier_numerator: Option<BigDecimal>,
            earlier_denominator: Option<BigDecimal>,
            earlier_value: Option<BigDecimal>,
        }
    }
    let rows: Vec<Compared> = sql(format!(
        "select {FIGURE}, {EARLIER} from submission_values v join indicators i on i.code = v.indicator_code \
         left join lateral ({}) e on true where v.submission_id = $1 order by v.position",
        earlier_of("v.indicator_code")
    ))
    .bind(submission)
    .bind(agency)
    .bind(month.first_day())
    .rows(conn)
    .await?;
    let pair = |row: Compared| {
        let earlier = row.earlier_month.map(|month| Earlier {
            month: Month::of(month),
            numerator: row.earlier_numerator,
            denominator: row.earlier_denominator,
            value: row.earlier_value,
        });
        let figure = Figure {
            indicator: row.indicator,
            unit: row.unit,
            numerator: row.numerator,
            denominator: row.denominator,
            value: row.value,
            note: row.note,
        };
        (figure, earlier)
    };
    Ok(rows.into_iter().map(pair).collect())
}

row! {
    #[derive(Clone, Debug)]
    pub struct RevisionRow {
        pub revision: i32,
        pub submitted_by: String,
        pub submitted_at: DateTime<Utc>,
        pub outcome: Option<String>,
        pub decided_by: Option<String>,
        pub decided_at: Option<DateTime<Utc>>,
        pub reason: Option<String>,
        pub in_force: bool,
    }
}

const REVISION: &str = "r.revision, r.submitted_by, r.submitted_at, r.outcome, r.decided_by, r.decided_at, r.reason, \
    coalesce(r.revision = s.accepted_revision, false) as in_force";
const REVISIONS: &str = "submission_revisions r join submissions s on s.id = r.submission_id";

pub const REVISION_KEY: SortKey = SortKey { name: "revision", expr: "r.revision", pg_type: "int" };

/// Revisions of a submission that the caller was found to see.
pub async fn revisions(
    conn: &mut Conn,
    submission: Uuid,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<RevisionRow>> {
    let mut list = List::new(REVISION, REVISIONS);
    list.filter("r.submission_id = {}", submission);
    list.page(conn, order, window).await
}

pub async fn revision(
    conn: &mut Conn,
    scope: &AgencyScope,
    submission: Uuid,
    revision: i32,
) -> QueryResult<Option<RevisionRow>> {
    sql(format!(
        "select {REVISION} from {REVISIONS} where r.submission_id = $1 and r.revision = $2 \
         and ($3::int[] is null or s.agency_id = any($3))"
    ))
    .bind(submission)
    .bind(revision)
    .bind(scope.ids())
    .maybe(conn)
    .await
}

row! {
    /// A figure that counts, and where it comes from.
    #[derive(Debug)]
    pub struct AcceptedRow {
        pub indicator: String,
        pub agency: String,
        pub month: NaiveDate,
        pub unit: String,
        pub numerator: Option<BigDecimal>,
        pub denominator: Option<BigDecimal>,
        pub value: Option<BigDecimal>,
        pub note: Option<String>,
        pub submission: Uuid,
        pub revision: i32,
    }
}

/// What a reader looks for.
#[derive(Debug, Default)]
pub struct AcceptedQuery {
    pub indicators: Option<Vec<String>>,
    pub agencies: Option<Vec<String>>,
    /// First days.
    pub months: Option<Vec<NaiveDate>>,
}

pub const PERIOD: SortKey = SortKey { name: "period", expr: "s.month", pg_type: "date" };
pub const AGENCY: SortKey = SortKey { name: "agency", expr: "a.code", pg_type: "text" };
pub const INDICATOR: SortKey = SortKey { name: "indicator", expr: "v.indicator_code", pg_type: "text" };
/// Unique: a revision has an indicator once.
pub const KEY: SortKey = SortKey { name: "key", expr: "(s.id::text || v.indicator_code)", pg_type: "text" };

pub async fn accepted(
    conn: &mut Conn,
    scope: &AgencyScope,
    query: AcceptedQuery,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<AcceptedRow>> {
    let mut list = List::new(
        "v.indicator_code as indicator, a.code as agency, s.month, i.unit, v.numerator, v.denominator, v.value, v.note, s.id as submission, v.revision",
        "submissions s join agencies a on a.id = s.agency_id \
         join submission_revision_values v on v.submission_id = s.id and v.revision = s.accepted_revision \
         join indicators i on i.code = v.indicator_code",
    );
    list.filter_some("s.agency_id = any({})", scope.ids());
    list.filter_some("v.indicator_code = any({})", query.indicators);
    list.filter_some("a.code = any({})", query.agencies);
    list.filter_some("s.month = any({})", query.months);
    list.page(conn, order, window).await
}

row! {
    /// The accepted figure of an agency's latest month in a period.
    #[derive(Clone, Debug)]
    pub struct LatestRow {
        pub indicator: String,
        pub agency: String,
        pub month: NaiveDate,
        pub numerator: Option<BigDecimal>,
        pub denominator: Option<BigDecimal>,
        pub value: Option<BigDecimal>,
        pub note: Option<String>,
        pub submission: Uuid,
        pub revision: i32,
        /// The agency does not exist on the period's last day.
        pub ended: bool,
    }
}

/// Of each agency and indicator the accepted figure of the latest month in the period that has one, by agency.
pub async fn latest_accepted(
    conn: &mut Conn,
    indicators: Vec<String>,
    period: Period,
) -> QueryResult<Vec<LatestRow>> {
    sql("select distinct on (a.code, v.indicator_code) v.indicator_code as indicator, a.code as agency, s.month, v.numerator, \
           v.denominator, v.value, v.note, s.id as submission, v.revision, not daterange(a.valid_from, a.valid_to) @> $3 as ended \
         from submissions s join agencies a on a.id = s.agency_id \
         join submission_revision_values v on v.submission_id = s.id and v.revision = s.accepted_revision \
         where v.indicator_code = any($1) and s.month between $2 and $3 order by a.code, v.indicator_code, s.month desc")
    .bind(indicators)
    .bind(period.first_day())
    .bind(period.last_day())
    .rows(conn)
    .await
}
