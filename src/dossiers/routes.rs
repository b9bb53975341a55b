//! Dossier counts over HTTP.

use actix_web::{get, put};
use utoipa_actix_web::service_config::ServiceConfig;

use super::checker::{Checker, ControlPlace};
use super::counts_wire::{CountFilter, DossierCounts};
use super::feed_scope::FeedScope;
use super::feed_wire::DossierFeed;
use super::intake::{Delivery, Outcome};
use super::model;
use super::upload::{Totals, Uploaded};
use super::wire::{BatchParams, DossierBatch, DossierBatchResult, DossierBatchState};
use super::{intake_model, parked, upload};
use crate::auth::permission::{ReadDossiers, WriteDossiers};
use crate::auth::{Access, AgencyScope, Permission};
use crate::db::keyset::Order;
use crate::db::{Conn, Reader};
use crate::http::upload::stream::Upload;
use crate::http::{EntityTag, ListParams, ListQuery, Page, PathOf, Problem, ProblemCode, Reply, ValidJson};
use crate::ids::SourceCode;
use crate::values::Month;

pub fn configure(config: &mut ServiceConfig<'_>) {
    config
        .service(get_batch)
        .service(put_batch)
        .service(super::export::export_counts)
        .service(list_counts)
        .service(get_feed);
}

/// A malformed month is a period misspelt, not a thing that is not there.
fn source_and_month((source, month): (SourceCode, String)) -> Result<(String, Month), Problem> {
    let month = month.parse().map_err(|_| Problem::new(ProblemCode::MalformedMonth))?;
    Ok((source.0, month))
}

/// Read a source's month
///
/// Returns the current revision and all previous ones. Machine clients can read their own feed; officers can read sources that
/// are agencies in their scope.
#[utoipa::path(
    tag = "dossiers",
    params(("source" = SourceCode, Path), ("month" = Month, Path)),
    responses((status = 200, description = "The current revision and all previous ones", body = DossierBatchState)),
    security(("bearer" = ["dossiers:read"]), ("oauth2" = ["dossiers:write"]))
)]
#[get("/dossier-batches/{source}/{month}")]
async fn get_batch(
    access: Access<ReadDossiers>,
    path: PathOf<(SourceCode, String)>,
) -> Result<Reply, Problem> {
    let ((source, month), feed_scope) = (source_and_month(path.0)?, FeedScope::of(&access));
    let code = source.clone();
    let revisions = access
        .read(async move |conn| {
            if !model::has_source(conn, &code, &feed_scope).await? {
                return Err(Problem::not_found());
            }
            Ok(model::revisions(conn, &code, month.first_day()).await?)
        })
        .await?;
    let state = DossierBatchState::of(source, month, &revisions).ok_or_else(Problem::not_found)?;
    Reply::resource(&access.conditions, &EntityTag::of_version(state.latest.revision), || state)
}

/// Replace a source's month
///
/// The batch replaces the source's whole month: rows that are not in it are deleted. It is stored completely or not at all. The
/// response reports all errors, the first 100 with their position. At most 500,000 rows. Sending the same batch again changes
/// nothing.
///
/// If an agency cannot be reported for this month (it is not active, or another source reports it), the error is reported once,
/// at the agency's first row. NDJSON and CSV are parsed line by line. In JSON, structural errors (a row that is not an object, an
/// unknown field) are reported before any row is validated.
///
/// JSON bodies (at most 64 MiB) contain the control totals. NDJSON (one row per line) and CSV (with a header, columns in any
/// order) can have any length; send their control totals as query parameters. Machine clients write their own feed; officers
/// write sources that are agencies in their scope. Only the coordinating department can correct a closed month, and must give a
/// reason.
#[utoipa::path(
    tag = "dossiers",
    params(("source" = SourceCode, Path), ("month" = Month, Path), BatchParams),
    request_body(description = "The rows, in UTF-8, uncompressed", content(
        (DossierBatch = "application/json", example = json!({"control": {"rows": 1, "received": 100}, "rows": [{
            "agency": "SO-YT", "service": "1.011443", "channel": "online", "received": 100, "resolved_early": 20, "resolved_on_time": 60,
            "resolved_late": 5, "withdrawn": 1, "carried_in": 10, "in_progress_on_time": 22, "in_progress_overdue": 2}]})),
        (String = "application/x-ndjson", example = "{\"agency\":\"SO-YT\",\"service\":\"1.011443\",\"channel\":\"online\",\"received\":100,\"resolved_early\":20,\"resolved_on_time\":60,\"resolved_late\":5,\"withdrawn\":1,\"carried_in\":10,\"in_progress_on_time\":22,\"in_progress_overdue\":2}\n"),
        (String = "text/csv", example = "agency,service,channel,received,resolved_early,resolved_on_time,resolved_late,withdrawn,carried_in,in_progress_on_time,in_progress_overdue\r\nSO-YT,1.011443,online,100,20,60,5,1,10,22,2\r\n")
    )),
    responses((status = 200, description = "The result of the batch", body = DossierBatchResult)),
    extensions(("x-if-match" = json!("optional"))),
    security(("bearer" = ["dossiers:write"]), ("oauth2" = ["dossiers:write"]))
)]
#[put("/dossier-batches/{source}/{month}")]
async fn put_batch(
    access: Access<WriteDossiers>,
    path: PathOf<(SourceCode, String)>,
    query: ListQuery<BatchParams>,
    body: Upload<DossierBatch>,
) -> Result<Reply, Problem> {
    // A month is its source's, whole: also rows of agencies that have left the caller's scope since. `FeedScope` decides.
    let access = access.bypass_rls();
    let ((source, month), params) = (source_and_month(path.0)?, query.filter);
    let (mut uploaded, reason) = upload(&access, &source, &params, body).await?;
    let delivery = delivery(&access, source, month, reason);
    let dry_run = params.dry_run;
    // The upload comes back with the outcome: its rows stay claimed until the transaction is over.
    let work = async move |conn: &mut Conn| Ok((delivery.receive(conn, &mut uploaded).await?, uploaded));
    let (outcome, _): (Outcome, Uploaded) = access.transaction_or_dry_run(dry_run, work).await?;
    let tag = EntityTag::of_version(outcome.revision);
    let reply = Reply::ok(&DossierBatchResult::of(outcome, dry_run))?;
    // The tag of a revision that is not there would let a later write pass that has not seen it.
    Ok(if dry_run { reply } else { reply.tagged(&tag) })
}

fn delivery(
    access: &Access<WriteDossiers>,
    source: String,
    month: Month,
    (reason, reason_at): Reason,
) -> Delivery {
    Delivery {
        source,
        month,
        reason,
        reason_at,
        feed_scope: FeedScope::of(access),
        // Who closes months may correct a closed one.
        may_correct: access.may(Permission::CloseMonths),
        actor: access.actor(),
        conditions: access.conditions.clone(),
    }
}

/// The reason of a batch and where it stands in the request.
type Reason = (Option<String>, &'static str);

/// Brings the rows in, without a lock or a transaction, however long they take.
async fn upload(
    access: &Access<WriteDossiers>,
    source: &str,
    params: &BatchParams,
    body: Upload<DossierBatch>,
) -> Result<(Uploaded, Reason), Problem> {
    let (staging, unknown) = (access.staging().delivering_for(source), params.unknown_services);
    let (source, feed_scope) = (source.to_owned(), FeedScope::of(access));
    let lookup = async move |conn: &mut Conn| Ok(intake_model::known(conn, &source, &feed_scope).await?);
    match body {
        Upload::Whole(ValidJson { value: DossierBatch { control, rows, reason }, .. }) => {
            params.of_json()?;
            let known = access.read(lookup).await?.ok_or_else(Problem::not_found)?;
            // Deliveries have permits of their own.
            access.release_permit();
            let totals = Totals { control, place: ControlPlace::BODY };
            let uploaded = upload::whole(staging, rows, Checker::new(known, unknown), totals).await?;
            Ok((uploaded, (reason, "/reason")))
        }
        Upload::Rows(rows) => {
            let (control, reason) = params.of_stream()?;
            let known = access.read(lookup).await?.ok_or_else(Problem::not_found)?;
            access.release_permit();
            let totals = Totals { control, place: ControlPlace::QUERY };
            let uploaded = upload::stream(staging, rows, Checker::new(known, unknown), totals).await?;
            Ok((uploaded, (reason, "?reason")))
        }
    }
}

/// List dossier counts
///
/// Sorted by month, then by agency, procedure and channel. Sort key: `month`. Officers see the agencies in their scope; machine
/// clients see the rows of their own feed.
#[utoipa::path(
    tag = "dossiers",
    params(CountFilter, ListParams),
    responses((status = 200, description = "A page of counts", content((Page<DossierCounts> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["dossiers:read"]), ("oauth2" = ["dossiers:write"]))
)]
#[get("/dossier-counts")]
async fn list_counts(access: Access<ReadDossiers>, list: ListQuery<CountFilter>) -> Result<Reply, Problem> {
    let by_month = Order { key: model::MONTH, descending: false };
    let asked = list.order(&[model::MONTH], &[by_month], by_month)?;
    let order = model::key_order(asked.iter().any(|order| order.descending));
    let (query, feed_scope, window) = (list.filter.query(), FeedScope::of(&access), list.window(&order)?);
    let slice = if window.count || query.is_selective() || feed_scope.scope != AgencyScope::All {
        // May take its time: others must not wait behind it on a shared connection. And a shared one is nobody's.
        let work = async move |conn: &mut Conn| {
            Ok(model::list(&mut &*conn, model::WALLED, &query, &feed_scope, &order, window).await?)
        };
        access.read(work).await?
    } else {
        let work = async |conn: &mut Reader<'_>| {
            Ok(model::list(conn, model::ALL, &query, &feed_scope, &order, window.clone()).await?)
        };
        access.read_shared(work).await?
    };
    Reply::page(&access.conditions, list.format, &list.page(slice, DossierCounts::from))
}

/// Read the state of a feed
///
/// Returns the last batch of the source, its missing months and its lag.
#[utoipa::path(
    tag = "dossiers",
    params(("source" = SourceCode, Path)),
    responses((status = 200, description = "The last batch, missing months and lag", body = DossierFeed)),
    security(("bearer" = ["dossiers:read"]), ("oauth2" = ["dossiers:write"]))
)]
#[get("/dossier-feeds/{source}")]
async fn get_feed(access: Access<ReadDossiers>, source: PathOf<SourceCode>) -> Result<Reply, Problem> {
    let (source, feed_scope) = (source.0.0, FeedScope::of(&access));
    let code = source.clone();
    let (delivered, waiting) = access
        .read(async move |conn| {
            if !model::has_source(conn, &code, &feed_scope).await? {
                return Err(Problem::not_found());
            }
            Ok((model::delivered(conn, &code).await?, parked::waiting(conn, &code).await?))
        })
        .await?;
    let feed = DossierFeed::of(source, &delivered, waiting, access.today());
    // It changes with every batch and with the day.
    let batches: Vec<String> =
        delivered.iter().map(|row| format!("{}.{}", row.month, row.revision)).collect();
    let today = access.today().to_string();
    let last = feed.last_batch.as_ref().map_or(0, |batch| batch.revision);
    let tag = EntityTag::of_variant(last, &[&batches.join(","), &today]);
    Reply::resource(&access.conditions, &tag, || feed)
}
