//! The working copy over HTTP, with its warnings.

use actix_web::{get, put};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::figures::{self, Entry, Figure, MOST_NOTE, MOST_VALUES, RateReason};
use super::model::{self, SubmissionRow};
use super::routes::not_editable;
use super::stored_values;
use super::warnings::{self, Earlier, WarningCode};
use super::working_copy;
use crate::audit::Event;
use crate::auth::permission::{ReadSubmissions, WriteSubmissions};
use crate::auth::{Access, Actor};
use crate::db::Conn;
use crate::http::{Check, EntityTag, PathOf, Problem, ProblemCode, Reply, ValidJson, Violations};
use crate::values::{Decimal, Month};

/// A stored figure: numerator and denominator, or a value.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmittedValue {
    /// Code of the indicator.
    #[schema(example = "HT.CQ.01")]
    pub indicator: String,
    pub numerator: Option<Decimal>,
    pub denominator: Option<Decimal>,
    /// Value in the unit of the indicator; null for an indicator with numerator and denominator.
    pub value: Option<Decimal>,
    /// Numerator ÷ denominator in the unit of the indicator (times 100 for `percent` and `per_100`), rounded half up to two decimals.
    pub rate: Option<Decimal>,
    /// Why `rate` is null although numerator and denominator are set.
    pub rate_reason: Option<RateReason>,
    /// Explanation of unusual figures.
    pub note: Option<String>,
}

impl From<Figure> for SubmittedValue {
    fn from(figure: Figure) -> Self {
        Self {
            rate: figure.rate(),
            rate_reason: figure.rate_reason(),
            indicator: figure.indicator,
            numerator: figure.numerator.map(Decimal),
            denominator: figure.denominator.map(Decimal),
            value: figure.value.map(Decimal),
            note: figure.note,
        }
    }
}

/// An unusual value. It does not block storing, but requires a note before the submission is submitted.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValueWarning {
    pub code: WarningCode,
    /// JSON pointer into the body.
    #[schema(example = "/values/3")]
    pub pointer: String,
    pub indicator: String,
    /// Text in Vietnamese.
    pub detail: String,
    pub detail_en: String,
    /// True if the value has a note.
    pub explained: bool,
}

impl From<warnings::Warning> for ValueWarning {
    fn from(warning: warnings::Warning) -> Self {
        Self {
            code: warning.code,
            pointer: format!("/values/{}", warning.index),
            indicator: warning.indicator,
            detail: warning.detail.vi.into_owned(),
            detail_en: warning.detail.en.into_owned(),
            explained: warning.explained,
        }
    }
}

/// The working copy.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmissionValues {
    pub submission: Uuid,
    #[schema(example = "SO-YT")]
    pub agency: String,
    pub period: Month,
    /// Version of the submission; increases with every change of values or state.
    pub version: i32,
    /// Values, in the order in which they were sent.
    pub values: Vec<SubmittedValue>,
    pub warnings: Vec<ValueWarning>,
}

impl SubmissionValues {
    fn of(row: SubmissionRow, version: i32, set: Vec<(Figure, Option<Earlier>)>) -> Self {
        let found = warnings::warnings(set.iter().map(|(figure, earlier)| (figure, earlier.as_ref())));
        Self {
            submission: row.id,
            period: row.month(),
            agency: row.agency,
            version,
            values: set.into_iter().map(|(figure, _)| figure.into()).collect(),
            warnings: found.into_iter().map(ValueWarning::from).collect(),
        }
    }

    /// Warnings also depend on what was accepted of earlier months; `If-Match` looks at the version alone.
    fn tag(&self) -> EntityTag {
        let parts: Vec<&str> =
            self.warnings.iter().flat_map(|w| [w.pointer.as_str(), &w.detail_en]).collect();
        if parts.is_empty() {
            return EntityTag::of_version(self.version);
        }
        EntityTag::of_variant(self.version, &parts)
    }
}

/// Read the working copy
///
/// Returns the figures as last stored, with warnings. After `accept` they are those of the accepted revision.
#[utoipa::path(
    tag = "submissions",
    operation_id = "get_submission_values",
    params(("id" = Uuid, Path)),
    responses((status = 200, description = "The figures", body = SubmissionValues)),
    security(("bearer" = ["submissions:read"]))
)]
#[get("/submissions/{id}/values")]
pub async fn get_values(access: Access<ReadSubmissions>, id: PathOf<Uuid>) -> Result<Reply, Problem> {
    let scope = access.scope();
    let values = access
        .read(async move |conn| {
            let row = model::find(conn, &scope, id.0).await?.ok_or_else(Problem::not_found)?;
            let set = stored_values::compared(conn, row.id, row.agency_id, row.month()).await?;
            let version = row.version;
            Ok(SubmissionValues::of(row, version, set))
        })
        .await?;
    Reply::resource(&access.conditions, &values.tag(), || values)
}

/// A figure: numerator and denominator, or a value where the indicator has neither.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSubmittedValue)]
pub struct NewValue {
    #[schema(example = "HT.CQ.01", min_length = 1, max_length = 64)]
    indicator: String,
    /// A JSON number, 0 or greater; a whole number for counts of people, computers or households.
    #[schema(value_type = Option<Decimal>, example = 117)]
    numerator: Option<Value>,
    #[schema(value_type = Option<Decimal>, example = 120)]
    denominator: Option<Value>,
    /// Value of an indicator without numerator and denominator.
    #[schema(value_type = Option<Decimal>)]
    value: Option<Value>,
    /// Explanation of unusual figures.
    #[schema(max_length = 2000)]
    note: Option<String>,
}

/// All figures of the submission.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewSubmissionValues)]
pub struct NewValues {
    #[schema(max_items = 500)]
    values: Vec<NewValue>,
}

impl Check for NewValues {
    /// As many values as allowed, each with the longest note in the widest characters.
    const MOST_BYTES: usize = MOST_VALUES * MOST_NOTE * 4;

    /// What each figure must be depends on its indicator: checked all at once when the indicators are known.
    fn check(&self, faults: &mut Violations) {
        let n = self.values.len();
        if n > MOST_VALUES {
            let detail = msg!(
                "Mỗi báo cáo chỉ được có tối đa {MOST_VALUES} chỉ tiêu; hiện có {n}.",
                "At most {MOST_VALUES} values are allowed, got {n}."
            );
            faults.add(ProblemCode::InvalidLength, "/values", detail);
        }
    }
}

impl NewValues {
    fn entries(self) -> Vec<Entry> {
        let entry = |new: NewValue| Entry {
            indicator: new.indicator,
            numerator: new.numerator,
            denominator: new.denominator,
            value: new.value,
            note: new.note,
        };
        self.values.into_iter().map(entry).collect()
    }
}

/// Replace the working copy
///
/// Replaces all values. Allowed in states `draft` and `returned`. If any value is invalid, nothing is stored and all errors are
/// returned. Warnings do not block.
#[utoipa::path(
    tag = "submissions",
    operation_id = "put_submission_values",
    params(("id" = Uuid, Path)),
    request_body = NewValues,
    responses((status = 200, description = "The stored figures", body = SubmissionValues)),
    extensions(("x-if-match" = json!("required"))),
    security(("bearer" = ["submissions:write"]))
)]
#[put("/submissions/{id}/values")]
pub async fn put_values(
    access: Access<WriteSubmissions>,
    id: PathOf<Uuid>,
    body: ValidJson<NewValues>,
) -> Result<Reply, Problem> {
    let (actor, scope, conditions, id) = (access.actor(), access.scope(), access.conditions.clone(), id.0);
    access
        .transaction(async move |conn| {
            let row = model::lock_unclosed(conn, &scope, id).await?.ok_or_else(Problem::not_found)?;
            conditions.require_match(row.version)?;
            let after = replace(conn, row, body.value, &actor).await?;
            Ok(Reply::ok(&after)?.tagged(&after.tag()))
        })
        .await
}

/// Checks and stores the whole set; the submission is locked.
async fn replace(
    conn: &mut Conn,
    mut row: SubmissionRow,
    new: NewValues,
    actor: &Actor,
) -> Result<SubmissionValues, Problem> {
    let (id, entries) = (row.id, new.entries());
    let codes = entries.iter().map(|entry| entry.indicator.clone()).collect();
    let mut found = working_copy::context(conn, id, row.agency_id, row.month(), codes).await?;
    row.closing = found.closing;
    let standing = row.standing();
    standing.editable().map_err(|refusal| not_editable(refusal, &standing))?;
    let mut faults = Violations::default();
    let new = figures::check(entries, &found.definitions, &mut faults);
    faults.into_result()?;
    let beside = |figure: &Figure| (figure.clone(), found.earlier.remove(&figure.indicator));
    let set = new.iter().map(beside).collect();
    let version = row.version + 1;
    let after = SubmissionValues::of(row, version, set);
    let (before, now) = (plain(found.present), json!({"values": after.values}));
    let event = Event::update("submission", id.to_string(), &before, &now).named("values");
    working_copy::replace(conn, id, &new, actor, event).await?;
    Ok(after)
}

fn plain(set: Vec<Figure>) -> Value {
    json!({"values": set.into_iter().map(SubmittedValue::from).collect::<Vec<_>>()})
}
