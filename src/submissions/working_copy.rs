//! Writing the working copy: what decides on it is found by one statement, and it is replaced by one.

use std::collections::HashMap;

use bigdecimal::BigDecimal;
use chrono::NaiveDate;
use uuid::Uuid;

use super::figures::{Definition, Figure};
use super::stored_values::{EARLIER, earlier_of};
use super::warnings::Earlier;
use crate::audit::{self, Event};
use crate::auth::Actor;
use crate::db::{Conn, QueryResult, sql};
use crate::ids::AgencyId;
use crate::values::Month;

/// All that decides on a new working copy, found by one statement.
#[derive(Debug, Default)]
pub struct Context {
    /// Version of the closing in force of the month.
    pub closing: Option<i32>,
    /// What is known of those of the indicators sent that exist.
    pub definitions: HashMap<String, Definition>,
    /// The working copy as it is, in its order.
    pub present: Vec<Figure>,
    /// The agency's last accepted figures of earlier months, by indicator.
    pub earlier: HashMap<String, Earlier>,
}

/// Behind the lock of the submission and its month ([`super::model::lock_unclosed`]). `codes`: the indicators sent.
pub async fn context(
    conn: &mut Conn,
    submission: Uuid,
    agency: AgencyId,
    month: Month,
    codes: Vec<String>,
) -> QueryResult<Context> {
    row! {
        struct Found {
            closing: Option<i32>,
            indicator: Option<String>,
            unit: Option<String>,
            is_ratio: Option<bool>,
            position: Option<i32>,
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
    let found: Vec<Found> = sql(format!(
        "select c.version as closing, i.code as indicator, i.unit, i.numerator_name is not null as is_ratio, \
           v.position, v.numerator, v.denominator, v.value, v.note, {EARLIER} \
         from (select (select version from closed_months where month = $3) as version) c \
         left join (select unnest($4::text[]) as code union select indicator_code from submission_values where submission_id = $1) named on true \
         left join indicators i on i.code = named.code \
         left join submission_values v on v.submission_id = $1 and v.indicator_code = i.code \
         left join lateral ({}) e on true order by v.position",
        earlier_of("i.code")
    ))
    .bind(submission)
    .bind(agency)
    .bind(month.first_day())
    .bind(codes)
    .rows(conn)
    .await?;
    let mut context = Context::default();
    for row in found {
        context.closing = row.closing;
        let (Some(indicator), Some(unit), Some(is_ratio)) = (row.indicator, row.unit, row.is_ratio) else {
            continue;
        };
        if let Some(month) = row.earlier_month {
            let earlier = Earlier {
                month: Month::of(month),
                numerator: row.earlier_numerator,
                denominator: row.earlier_denominator,
                value: row.earlier_value,
            };
            context.earlier.insert(indicator.clone(), earlier);
        }
        context.definitions.insert(indicator.clone(), Definition { unit: unit.clone(), is_ratio });
        if row.position.is_some() {
            let (numerator, denominator, value) = (row.numerator, row.denominator, row.value);
            context.present.push(Figure { indicator, unit, numerator, denominator, value, note: row.note });
        }
    }
    Ok(context)
}

/// Replaces the working copy of a locked submission as a whole, counts its version up, and records the change: one statement.
pub async fn replace(
    conn: &mut Conn,
    submission: Uuid,
    figures: &[Figure],
    actor: &Actor,
    event: Event,
) -> QueryResult<()> {
    let positions: Vec<i32> = (0..).take(figures.len()).collect();
    let column = |of: fn(&Figure) -> Option<BigDecimal>| figures.iter().map(of).collect::<Vec<_>>();
    let recorded = audit::insert_text(9);
    let statement = sql(format!(
        "with gone as (delete from submission_values where submission_id = $1 and indicator_code <> all($2)), \
         touched as (update submissions set version = version + 1, updated_at = $8 where id = $1), \
         recorded as ({recorded}) \
         insert into submission_values (submission_id, indicator_code, position, numerator, denominator, value, note) \
         select $1, u.* from unnest($2, $3, $4, $5, $6, $7) u \
         on conflict (submission_id, indicator_code) do update set position = excluded.position, numerator = excluded.numerator, \
           denominator = excluded.denominator, value = excluded.value, note = excluded.note"
    ))
    .bind(submission)
    .bind(figures.iter().map(|f| f.indicator.clone()).collect::<Vec<_>>())
    .bind(positions)
    .bind(column(|f| f.numerator.clone()))
    .bind(column(|f| f.denominator.clone()))
    .bind(column(|f| f.value.clone()))
    .bind(figures.iter().map(|f| f.note.clone()).collect::<Vec<_>>())
    .bind(actor.now);
    audit::bound(statement, actor, event).run(conn).await.map(|_| ())
}
