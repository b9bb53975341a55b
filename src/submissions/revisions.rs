//! Frozen revisions over HTTP, and what differs between two of them.

use actix_web::{HttpRequest, get};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::figures::Figure;
use super::model;
use super::rules::Outcome;
use super::stored_values::{self, RevisionRow};
use super::transitions::NoFilter;
use super::values::SubmittedValue;
use super::warnings::{self, Change};
use crate::auth::Access;
use crate::auth::permission::ReadSubmissions;
use crate::db::keyset::Order;
use crate::http::csv::CsvRow;
use crate::http::query::{from_pairs, pairs};
use crate::http::{EntityTag, ListParams, ListQuery, Page, PathOf, Problem, Reply};

/// What was submitted once, and what came of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SubmissionRevision)]
pub struct Revision {
    pub revision: i32,
    #[schema(example = "user:officer.so-yt")]
    pub submitted_by: String,
    pub submitted_at: DateTime<Utc>,
    /// Null while it waits.
    #[schema(value_type = Option<Outcome>)]
    pub outcome: Option<String>,
    pub decided_by: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
    /// Its figures are those that count.
    pub in_force: bool,
}

impl From<RevisionRow> for Revision {
    fn from(row: RevisionRow) -> Self {
        Self {
            revision: row.revision,
            submitted_by: row.submitted_by,
            submitted_at: row.submitted_at,
            outcome: row.outcome,
            decided_by: row.decided_by,
            decided_at: row.decided_at,
            reason: row.reason,
            in_force: row.in_force,
        }
    }
}

impl CsvRow for Revision {
    const COLUMNS: &'static [&'static str] = &[
        "revision",
        "submitted_by",
        "submitted_at",
        "outcome",
        "decided_by",
        "decided_at",
        "reason",
        "in_force",
    ];
}

/// A revision with its figures.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevisionValues {
    #[serde(flatten)]
    pub revision: Revision,
    /// Values, in the order in which they were sent.
    pub values: Vec<SubmittedValue>,
}

/// List revisions of a submission
///
/// Oldest first; `sort=-revision` lists the latest first.
#[utoipa::path(
    tag = "submissions",
    operation_id = "list_submission_revisions",
    params(("id" = Uuid, Path), ListParams),
    responses((status = 200, description = "A page of revisions", content((Page<Revision> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["submissions:read"]))
)]
#[get("/submissions/{id}/revisions")]
pub async fn list_revisions(
    access: Access<ReadSubmissions>,
    id: PathOf<Uuid>,
    list: ListQuery<NoFilter>,
) -> Result<Reply, Problem> {
    let first = Order { key: stored_values::REVISION_KEY, descending: false };
    let order = list.order(&[stored_values::REVISION_KEY], &[first], first)?;
    let (scope, window) = (access.scope(), list.window(&order)?);
    let slice = access
        .read(async move |conn| {
            model::find(conn, &scope, id.0).await?.ok_or_else(Problem::not_found)?;
            Ok(stored_values::revisions(conn, id.0, &order, window).await?)
        })
        .await?;
    Reply::page(&access.conditions, list.format, &list.page(slice, Revision::from))
}

/// Read a revision
#[utoipa::path(
    tag = "submissions",
    operation_id = "get_submission_revision",
    params(("id" = Uuid, Path), ("n" = i32, Path, minimum = 1)),
    responses((status = 200, description = "The revision and its figures", body = RevisionValues)),
    security(("bearer" = ["submissions:read"]))
)]
#[get("/submissions/{id}/revisions/{n}")]
pub async fn get_revision(
    access: Access<ReadSubmissions>,
    path: PathOf<(Uuid, i32)>,
) -> Result<Reply, Problem> {
    let (scope, (id, n)) = (access.scope(), path.0);
    let (row, set) = access
        .read(async move |conn| {
            let row = stored_values::revision(conn, &scope, id, n).await?.ok_or_else(Problem::not_found)?;
            Ok((row, stored_values::figures(conn, id, Some(n)).await?))
        })
        .await?;
    let in_force = if row.in_force { "in force" } else { "" };
    let tag = EntityTag::of_variant(n, &[row.outcome.as_deref().unwrap_or_default(), in_force]);
    Reply::resource(&access.conditions, &tag, || RevisionValues {
        revision: row.into(),
        values: set.into_iter().map(SubmittedValue::from).collect(),
    })
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DiffParams {
    /// Number of the earlier revision. Default: the one before `to`.
    #[param(minimum = 1, example = 1)]
    from: Option<i32>,
    /// Number of the later revision. Default: the working copy.
    #[param(minimum = 1, example = 2)]
    to: Option<i32>,
}

impl DiffParams {
    /// What is compared, of a submission whose latest revision is `last`; none when a number is no revision.
    fn ends(&self, last: i32) -> Option<(Option<i32>, Option<i32>)> {
        let before_to = Some(self.to.unwrap_or(last.saturating_add(1)).saturating_sub(1)).filter(|n| *n >= 1);
        let known = [self.from, self.to].into_iter().flatten().all(|n| (1..=last).contains(&n));
        known.then_some((self.from.or(before_to), self.to))
    }
}

/// A changed figure.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValueChange {
    pub indicator: String,
    pub change: Change,
    /// Figure before the change; null if it was added.
    pub before: Option<SubmittedValue>,
    /// Figure after the change; null if it was removed.
    pub after: Option<SubmittedValue>,
}

/// The differences between two revisions.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubmissionDiff {
    /// Number of the earlier revision; null before the first revision.
    pub from: Option<i32>,
    /// Number of the later revision; null for the working copy.
    pub to: Option<i32>,
    /// Changed figures, by indicator code.
    pub changes: Vec<ValueChange>,
}

/// Compare two revisions
///
/// Compares two revisions, or a revision with the working copy. Without parameters it returns the changes since the last submit.
/// An unknown revision returns 404.
#[utoipa::path(
    tag = "submissions",
    operation_id = "get_submission_diff",
    params(("id" = Uuid, Path), DiffParams),
    responses((status = 200, description = "The differences", body = SubmissionDiff)),
    security(("bearer" = ["submissions:read"]))
)]
#[get("/submissions/{id}/diff")]
pub async fn get_diff(
    access: Access<ReadSubmissions>,
    id: PathOf<Uuid>,
    request: HttpRequest,
) -> Result<Reply, Problem> {
    let params: DiffParams = from_pairs(&pairs(request.query_string())?)?;
    let scope = access.scope();
    let (from, to, old, new) = access
        .read(async move |conn| {
            let row = model::find(conn, &scope, id.0).await?.ok_or_else(Problem::not_found)?;
            let (from, to) = params.ends(row.revision.unwrap_or(0)).ok_or_else(Problem::not_found)?;
            let old = match from {
                Some(_) => stored_values::figures(conn, row.id, from).await?,
                None => Vec::new(),
            };
            Ok((from, to, old, stored_values::figures(conn, row.id, to).await?))
        })
        .await?;
    let changes = warnings::diff(old, new).into_iter().map(ValueChange::from).collect();
    let diff = SubmissionDiff { from, to, changes };
    Reply::unversioned(&access.conditions, &diff)
}

impl From<(Change, Option<Figure>, Option<Figure>)> for ValueChange {
    fn from((change, before, after): (Change, Option<Figure>, Option<Figure>)) -> Self {
        let indicator = before.as_ref().or(after.as_ref()).map(|f| f.indicator.clone()).unwrap_or_default();
        Self { indicator, change, before: before.map(Into::into), after: after.map(Into::into) }
    }
}
