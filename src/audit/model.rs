//! The events as stored.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::auth::Actor;
use crate::db::copy::literal;
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::{Conn, QueryResult, Sql, sql};
use crate::http::csv::FORMULA;

/// One change of one record.
#[derive(Debug)]
pub struct Event {
    /// `create`, `update`, `delete`, or the name of a transition.
    pub action: &'static str,
    /// Kind of thing, singular: `agency`.
    pub entity: &'static str,
    /// Its code or id.
    pub key: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl Event {
    pub fn create(entity: &'static str, key: impl Into<String>, after: &impl Serialize) -> Self {
        Self { action: "create", entity, key: key.into(), before: None, after: json(after) }
    }

    pub fn update(
        entity: &'static str,
        key: impl Into<String>,
        before: &impl Serialize,
        after: &impl Serialize,
    ) -> Self {
        Self { action: "update", entity, key: key.into(), before: json(before), after: json(after) }
    }

    pub fn delete(entity: &'static str, key: impl Into<String>, before: &impl Serialize) -> Self {
        Self { action: "delete", entity, key: key.into(), before: json(before), after: None }
    }

    /// A named transition instead of a plain update.
    pub fn named(mut self, action: &'static str) -> Self {
        self.action = action;
        self
    }
}

fn json(value: &impl Serialize) -> Option<Value> {
    serde_json::to_value(value).ok()
}

/// Writes the event; belongs into the transaction of the change.
pub async fn record(conn: &mut Conn, actor: &Actor, event: Event) -> QueryResult<()> {
    bound(sql(insert_text(1)), actor, event).run(conn).await.map(|_| ())
}

/// What writes an event, for a statement that makes the change as well. Its values are bound by [`bound`] and stand at `first` and
/// after.
pub fn insert_text(first: usize) -> String {
    let places = (first..first + 9).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
    format!(
        "insert into audit_events (id, at, actor, request_id, action, entity, entity_key, before, after) values ({places})"
    )
}

/// Binds the values of an event.
pub fn bound(statement: Sql, actor: &Actor, event: Event) -> Sql {
    statement
        .bind(Uuid::now_v7())
        .bind(actor.now)
        .bind(actor.name.clone())
        .bind(actor.request_id.clone())
        .bind(event.action)
        .bind(event.entity)
        .bind(event.key)
        .bind(event.before)
        .bind(event.after)
}

/// As [`record`], for many events with one statement.
pub async fn record_all(conn: &mut Conn, actor: &Actor, events: Vec<Event>) -> QueryResult<()> {
    if events.is_empty() {
        return Ok(());
    }
    let text = |value: Option<Value>| value.map(|value| value.to_string());
    let mut columns = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for event in events {
        columns.0.push(Uuid::now_v7());
        columns.1.push(event.action.to_owned());
        columns.2.push(event.entity.to_owned());
        columns.3.push(event.key);
        columns.4.push(text(event.before));
        columns.5.push(text(event.after));
    }
    sql("insert into audit_events (id, at, actor, request_id, action, entity, entity_key, before, after) \
         select e.id, $1, $2, $3, e.action, e.entity, e.entity_key, e.before::jsonb, e.after::jsonb \
         from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[]) \
         as e(id, action, entity, entity_key, before, after)")
    .bind(actor.now)
    .bind(actor.name.clone())
    .bind(actor.request_id.clone())
    .bind(columns.0)
    .bind(columns.1)
    .bind(columns.2)
    .bind(columns.3)
    .bind(columns.4)
    .bind(columns.5)
    .run(conn)
    .await?;
    Ok(())
}

row! {
    #[derive(Debug)]
    pub struct EventRow {
        pub id: Uuid,
        pub at: DateTime<Utc>,
        pub actor: String,
        pub request_id: String,
        pub action: String,
        pub entity: String,
        pub entity_key: String,
        pub before: Option<Value>,
        pub after: Option<Value>,
    }
}

/// What a reader looks for.
#[derive(Debug, Default)]
pub struct EventQuery {
    pub entity: Option<Vec<String>>,
    pub key: Option<String>,
    pub actor: Option<String>,
    pub action: Option<Vec<String>>,
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

pub const ID: SortKey = SortKey { name: "at", expr: "id", pg_type: "uuid" };

pub async fn list(
    conn: &mut Conn,
    query: EventQuery,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<EventRow>> {
    let mut list =
        List::new("id, at, actor, request_id, action, entity, entity_key, before, after", "audit_events");
    list.filter_some("entity = any({})", query.entity);
    list.filter_some("entity_key = {}", query.key);
    list.filter_some("actor = {}", query.actor);
    list.filter_some("action = any({})", query.action);
    list.filter_some("at >= {}", query.from);
    list.filter_some("at < {}", query.until);
    list.page(conn, order, window).await
}

/// A cell that no spreadsheet runs as a formula, as [`crate::http::csv::defused`] writes it.
fn cell(column: &str) -> String {
    let begun = format!("case when {column} ~ '^[\t\r]' then '''' || {column} else {column} end");
    format!("regexp_replace({begun}, '{FORMULA}', e'\\\\1''\\\\2', 'g')")
}

/// The statement that writes all events of a query, as CSV or one JSON object a line. COPY takes no parameters, so the values stand in
/// its text as quoted literals.
pub fn export_statement(query: &EventQuery, ndjson: bool) -> String {
    let mut conditions = vec!["true".to_owned()];
    let mut filter = |condition: Option<String>| conditions.extend(condition);
    let any = |texts: &[String]| texts.iter().map(|text| literal(text)).collect::<Vec<_>>().join(", ");
    filter(query.entity.as_deref().map(|of| format!("entity in ({})", any(of))));
    filter(query.key.as_deref().map(|key| format!("entity_key = {}", literal(key))));
    filter(query.actor.as_deref().map(|actor| format!("actor = {}", literal(actor))));
    filter(query.action.as_deref().map(|of| format!("action in ({})", any(of))));
    filter(query.from.map(|from| format!("at >= '{}'::timestamptz", from.to_rfc3339())));
    filter(query.until.map(|until| format!("at < '{}'::timestamptz", until.to_rfc3339())));
    let conditions = conditions.join(" and ");
    let at = "to_char(at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') as at";
    if ndjson {
        // JSON escapes control characters, so nothing of it is quoted or escaped by COPY again.
        return format!(
            "copy (select row_to_json(e) from (select id, {at}, actor, request_id, action, entity, entity_key as key, before, after \
             from audit_events where {conditions} order by id) e) to stdout (format csv, quote e'\\x01', delimiter e'\\x02')"
        );
    }
    let [actor, request_id, action, entity, key, before, after] =
        ["actor", "request_id", "action", "entity", "entity_key", "before::text", "after::text"].map(cell);
    format!(
        "copy (select id, {at}, {actor} as actor, {request_id} as request_id, {action} as action, {entity} as entity, {key} as key, \
         {before} as before, {after} as after from audit_events where {conditions} order by audit_events.id) \
         to stdout (format csv, header true)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_holds_its_filters_as_literals() {
        let query = EventQuery {
            entity: Some(vec!["user".into(), "x') or ('1'='1".into()]),
            key: Some("\\'; drop table users; --".into()),
            from: Some("2018-01-01T00:00:00Z".parse().unwrap()),
            ..EventQuery::default()
        };
        for ndjson in [false, true] {
            let text = export_statement(&query, ndjson);
            assert!(
                text.contains(
                    "entity in ('user', 'x'') or (''1''=''1') and entity_key = E'\\\\''; drop table users; --'"
                ),
                "{text}"
            );
            assert!(text.contains("at >= '2018-01-01T00:00:00+00:00'::timestamptz"), "{text}");
        }
    }
}
