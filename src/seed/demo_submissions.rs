//! A year of invented submissions, each figure labelled as such: something to look at, never something to believe.

use chrono::NaiveDate;
use serde_json::json;
use uuid::Uuid;

use crate::audit::{self, Event};
use crate::auth::Actor;
use crate::db::{Conn, sql};
use crate::http::Problem;
use crate::submissions::rules::State;
use crate::values::Month;

const NOTE: &str = "[demo] số liệu minh họa";
const REASON: &str = "[demo] số liệu cần đối chiếu lại";
const SUBMITTER: &str = "system:demo";
const REVIEWER: &str = "system:demo-review";
const YEAR: i32 = 2018;

pub const AGENCIES: [&str; 15] = [
    "VP-UBND", "SO-TTTT", "SO-GDDT", "SO-NV", "SO-TC", "SO-KHDT", "SO-YT", "SO-TNMT", "SO-TP", "UBND-080",
    "UBND-082", "UBND-083", "UBND-085", "UBND-086", "UBND-088",
];

/// Indicator, numerator, denominator.
type Figure = (&'static str, i64, i64);

/// One agency's month.
struct Sheet {
    id: Uuid,
    agency: &'static str,
    /// Place of the agency in the list: all figures follow from it and the month.
    rank: i64,
    month: Month,
    /// Of the year, 1 to 12.
    number: i64,
    state: State,
    /// Revisions submitted; the last of them has come to what the state says, those before it were returned.
    revisions: i32,
}

impl Sheet {
    fn new(rank: i64, agency: &'static str, month: Month, number: i64) -> Self {
        let state = match (number, rank % 5) {
            (12, 0 | 1) => State::Draft,
            (12, _) | (11, 0) => State::Submitted,
            (11, 1) => State::Returned,
            _ => State::Accepted,
        };
        let revisions = match state {
            State::Draft => 0,
            State::Accepted if rank % 7 == 3 && number == 6 => 2,
            _ => 1,
        };
        Self { id: Uuid::now_v7(), agency, rank, month, number, state, revisions }
    }

    /// Grows slowly enough from month to month to raise no warning.
    fn figures(&self) -> Vec<Figure> {
        let (rank, number) = (self.rank, self.number);
        let staff = 40 + (rank * 37) % 160 + (number + rank) % 4;
        let experts = 1 + rank % 3;
        let mut figures = vec![
            ("HT.CQ.01", staff * (80 + rank % 10 + number) / 100, staff),
            ("HT.CQ.02", staff * (300 + 10 * number), staff),
            ("NL.CQ.01", experts, staff),
            ("NL.CQ.02", (experts - rank % 2).max(1), experts),
            ("NL.CQ.03", (rank + 1) % 2, staff),
            ("NL.CQ.04", staff * (10 + 2 * number) / 100, staff),
            ("NL.CQ.05", staff * (12 + 3 * number) / 100, staff),
            ("UD.CQ.01", staff * (60 + 3 * number) / 100, staff),
        ];
        if self.agency.starts_with("UBND") {
            let households = 9_000 + (rank * 731) % 8_000;
            figures.push(("HT.XH.06", households * (20 + number) / 100, households));
            figures.push(("HT.XH.07", households * (25 + 2 * number) / 100, households));
        }
        figures
    }
}

/// Adds labelled, invented data where there is none.
pub async fn load(conn: &mut Conn, actor: &Actor) -> Result<(), Problem> {
    if sql("select exists (select 1 from submissions) as value").value(conn).await? {
        return Ok(());
    }
    let sheets = sheets();
    add_submissions(conn, &sheets).await?;
    add_values(conn, &sheets).await?;
    add_revisions(conn, &sheets).await?;
    sql("update submissions set accepted_revision = revision where state = 'accepted' and id = any($1)")
        .bind(ids(&sheets))
        .run(conn)
        .await?;
    let summary = json!({"submissions": sheets.len(), "note": NOTE});
    audit::record(conn, actor, Event::create("submission", "demo", &summary)).await?;
    Ok(())
}

/// Twelve months of every agency.
fn sheets() -> Vec<Sheet> {
    let months =
        (1..=12).filter_map(|number| Month::new(YEAR, number).map(|month| (month, i64::from(number))));
    months
        .flat_map(|(month, number)| {
            (0..).zip(AGENCIES).map(move |(rank, agency)| Sheet::new(rank, agency, month, number))
        })
        .collect()
}

async fn add_submissions(conn: &mut Conn, sheets: &[Sheet]) -> Result<(), Problem> {
    sql("insert into submissions (id, agency_id, month, state, revision, submitted_by, submitted_at, decision, decided_by, decided_at, \
           decision_reason, created_by, created_at, updated_at) \
         select u.id, a.id, u.month, u.state, t.revision, case when t.revision is not null then $6 end, \
           case when t.revision is not null then t.at end, t.decision, case when t.decision is not null then $7 end, \
           case when t.decision is not null then t.at + interval '1 day' end, case when t.decision = 'return' then $8 end, \
           $6, t.at - interval '3 days', t.at + interval '1 day' \
         from unnest($1, $2, $3, $4, $5) u(id, code, month, state, revisions) join agencies a on a.code = u.code \
         cross join lateral (select nullif(u.revisions, 0) as revision, (u.month + interval '1 month 5 days 2 hours') at time zone 'UTC' as at, \
           case u.state when 'accepted' then 'accept' when 'returned' then 'return' end as decision) t")
    .bind(ids(sheets))
    .bind(sheets.iter().map(|s| s.agency.to_owned()).collect::<Vec<_>>())
    .bind(sheets.iter().map(|s| s.month.first_day()).collect::<Vec<NaiveDate>>())
    .bind(sheets.iter().map(|s| s.state.as_str().to_owned()).collect::<Vec<_>>())
    .bind(sheets.iter().map(|s| s.revisions).collect::<Vec<_>>())
    .bind(SUBMITTER)
    .bind(REVIEWER)
    .bind(REASON)
    .run(conn)
    .await?;
    Ok(())
}

/// Figures of indicators that are not there (a catalogue of one's own) are left out.
async fn add_values(conn: &mut Conn, sheets: &[Sheet]) -> Result<(), Problem> {
    let figures: Vec<(Uuid, i32, Figure)> = sheets
        .iter()
        .flat_map(|sheet| (0..).zip(sheet.figures()).map(|(position, figure)| (sheet.id, position, figure)))
        .collect();
    sql("insert into submission_values (submission_id, indicator_code, position, numerator, denominator, note) \
         select u.id, i.code, u.position, u.numerator, u.denominator, $6 \
         from unnest($1, $2, $3, $4, $5) u(id, code, position, numerator, denominator) join indicators i on i.code = u.code")
    .bind(figures.iter().map(|(id, _, _)| *id).collect::<Vec<_>>())
    .bind(figures.iter().map(|(_, _, figure)| figure.0.to_owned()).collect::<Vec<_>>())
    .bind(figures.iter().map(|(_, position, _)| *position).collect::<Vec<_>>())
    .bind(figures.iter().map(|(_, _, figure)| figure.1).collect::<Vec<_>>())
    .bind(figures.iter().map(|(_, _, figure)| figure.2).collect::<Vec<_>>())
    .bind(NOTE)
    .run(conn)
    .await?;
    Ok(())
}

/// Freezes the values as all revisions at once, with their outcomes and the steps that led to them.
async fn add_revisions(conn: &mut Conn, sheets: &[Sheet]) -> Result<(), Problem> {
    sql("insert into submission_revisions (submission_id, revision, submitted_by, submitted_at, outcome, decided_by, decided_at, reason) \
         select s.id, n, s.submitted_by, t.at, t.outcome, case when t.outcome is not null then $2 end, \
           case when t.outcome is not null then t.at + interval '1 day' end, case when t.outcome = 'returned' then $3 end \
         from submissions s, generate_series(1, s.revision) n \
         cross join lateral (select s.submitted_at - (s.revision - n) * interval '2 days' as at, \
           case when n < s.revision or s.state = 'returned' then 'returned' when s.state = 'accepted' then 'accepted' end as outcome) t \
         where s.id = any($1)")
    .bind(ids(sheets))
    .bind(REVIEWER)
    .bind(REASON)
    .run(conn)
    .await?;
    sql("insert into submission_revision_values (submission_id, revision, indicator_code, position, numerator, denominator, note) \
         select v.submission_id, r.revision, v.indicator_code, v.position, v.numerator, v.denominator, v.note \
         from submission_revisions r join submission_values v on v.submission_id = r.submission_id where r.submission_id = any($1)")
    .bind(ids(sheets))
    .run(conn)
    .await?;
    add_transitions(conn, sheets).await
}

async fn add_transitions(conn: &mut Conn, sheets: &[Sheet]) -> Result<(), Problem> {
    let steps: Vec<(Uuid, i32)> = sheets.iter().flat_map(|s| (1..=s.revisions).map(|n| (s.id, n))).collect();
    // Steps sort by their ids, which sort by when they were made: one pair after the other.
    let (submitted, decided): (Vec<Uuid>, Vec<Uuid>) =
        steps.iter().map(|_| (Uuid::now_v7(), Uuid::now_v7())).unzip();
    sql("insert into submission_transitions (id, submission_id, action, from_state, to_state, revision, reason, actor, at) \
         select u.submit_id, r.submission_id, 'submit', case when r.revision = 1 then 'draft' else 'returned' end, 'submitted', \
           r.revision, null, r.submitted_by, r.submitted_at \
         from unnest($1, $2, $3, $4) u(id, revision, submit_id, decide_id) join submission_revisions r on r.submission_id = u.id and r.revision = u.revision \
         union all \
         select u.decide_id, r.submission_id, case r.outcome when 'accepted' then 'accept' else 'return' end, 'submitted', r.outcome, \
           r.revision, r.reason, r.decided_by, r.decided_at \
         from unnest($1, $2, $3, $4) u(id, revision, submit_id, decide_id) join submission_revisions r on r.submission_id = u.id and r.revision = u.revision \
         where r.outcome is not null")
    .bind(steps.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(steps.iter().map(|(_, n)| *n).collect::<Vec<_>>())
    .bind(submitted)
    .bind(decided)
    .run(conn)
    .await?;
    Ok(())
}

fn ids(sheets: &[Sheet]) -> Vec<Uuid> {
    sheets.iter().map(|sheet| sheet.id).collect()
}
