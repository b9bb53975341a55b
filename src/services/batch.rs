//! The catalogue in one piece: rows of procedures, each perhaps with a level, merged by code.

use actix_web::post;
use sha2::{Digest, Sha256};

use super::batch_model;
use super::batch_wire::{
    BatchParams, MOST_ROWS, ServiceBatch, ServiceBatchCounts, ServiceBatchResult, ServiceBatchRow,
};
use super::merge::Merge;
use crate::agencies::model as agencies;
use crate::audit;
use crate::auth::permission::WriteServices;
use crate::auth::{Access, Actor};
use crate::db::Conn;
use crate::dossiers::parked;
use crate::http::bodies::Claim;
use crate::http::upload::stream::{Upload, read_all};
use crate::http::{Check, ListQuery, Problem, Reply, ValidJson, Violations};
use crate::values::is_plausible_day;

/// Merge a batch into the catalogue
///
/// Creates or changes procedures by `code`; procedures that are not in the batch are left unchanged. If any row is invalid,
/// nothing is stored and all errors are returned with pointers such as `/rows/12/code`. Sending the same batch again changes
/// nothing.
///
/// The status of a new procedure applies to all past periods; a changed status applies from today. When a procedure is added,
/// parked dossier counts for it are added to the counts. Send JSON, NDJSON (one row per line) or CSV (with a header; an empty
/// cell is an absent field, `agencies` are joined with `|`). At most 10,000 rows and 16 MiB.
#[utoipa::path(
    tag = "services",
    params(BatchParams),
    request_body(description = "The rows, in UTF-8, uncompressed", content(
        (ServiceBatch = "application/json", example = json!({"rows": [{"code": "1.011443", "name": "Đăng ký thay đổi quyền sử dụng đất",
            "field": "Đất đai", "tier": "province", "agencies": ["SO-TNMT"], "level": 3, "effective_from": "2018-01-01", "decision": "1/QĐ-UBND"}]})),
        (String = "application/x-ndjson", example = "{\"code\":\"1.011443\",\"name\":\"Đăng ký thay đổi quyền sử dụng đất\",\"field\":\"Đất đai\",\"tier\":\"province\"}\n"),
        (String = "text/csv", example = "code,name,field,tier,agencies\r\n1.011443,Đăng ký thay đổi quyền sử dụng đất,Đất đai,province,SO-TNMT|SO-XD\r\n")
    )),
    responses((status = 200, description = "Counts of created, changed and unchanged procedures", body = ServiceBatchResult)),
    security(("bearer" = ["services:write"]), ("oauth2" = ["catalogue:write"]))
)]
#[post("/service-batches")]
pub async fn merge_service_batch(
    access: Access<WriteServices>,
    params: ListQuery<BatchParams>,
    body: Upload<ServiceBatch>,
) -> Result<Reply, Problem> {
    let (actor, dry_run) = (access.actor(), params.filter.dry_run.unwrap_or_default());
    let (rows, digest, _claim) = read(body).await?;
    let work = async move |conn: &mut Conn| {
        let counts = store(conn, &actor, rows, dry_run).await?;
        Reply::ok(&ServiceBatchResult { dry_run, counts })
    };
    if dry_run {
        // Leaves nothing behind, not even its answer under an `Idempotency-Key`.
        return access.transaction_or_dry_run(true, work).await;
    }
    access.post(&digest, work).await
}

/// The rows, whichever way they are written, the digest of the bytes, and their claim.
async fn read(body: Upload<ServiceBatch>) -> Result<(Vec<ServiceBatchRow>, Vec<u8>, Claim), Problem> {
    let stream = match body {
        Upload::Whole(ValidJson { value, digest, claim }) => return Ok((value.rows, digest, claim)),
        Upload::Rows(stream) => stream,
    };
    let parse = |format, bytes: &[u8]| {
        let batch = ServiceBatch { rows: read_all(format, bytes, MOST_ROWS)? };
        let mut faults = Violations::default();
        batch.check(&mut faults);
        faults.into_result()?;
        Ok((batch.rows, Sha256::digest(bytes).to_vec()))
    };
    let ((rows, digest), claim) = stream.whole(ServiceBatch::MOST_BYTES, parse).await?;
    Ok((rows, digest, claim))
}

/// Merges the rows, or only says what merging them would do.
pub async fn store(
    conn: &mut Conn,
    actor: &Actor,
    rows: Vec<ServiceBatchRow>,
    dry_run: bool,
) -> Result<ServiceBatchCounts, Problem> {
    let today = actor.today();
    let codes =
        rows.iter().map(|row| &row.code).chain(rows.iter().filter_map(|row| row.duplicate_of.as_ref()));
    let existing = batch_model::lock(conn, codes.cloned().collect(), today).await?;
    // Days out of the calendar are a fault of their row; the database is not queried about them.
    let day_of = |row: &ServiceBatchRow| row.effective_from.filter(|day| is_plausible_day(*day));
    let days = rows.iter().filter_map(|row| Some((row.code.clone(), day_of(row)?))).collect();
    let levels = batch_model::levels_on(conn, days).await?;
    let named = rows.iter().filter_map(|row| row.agencies.as_ref()).flatten().cloned().collect();
    let agencies = agencies::ids_of(conn, named).await?;
    let merge = Merge::of(rows, existing, &levels, &agencies, today)?;
    let counts = merge.counts();
    if !dry_run && counts.created + counts.updated > 0 {
        batch_model::create(conn, &merge.created, actor).await?;
        batch_model::update(conn, &merge.updated, actor).await?;
        batch_model::set_levels(conn, &merge.levels, actor).await?;
        audit::record_all(conn, actor, merge.events()).await?;
        let created: Vec<String> = merge.created.iter().map(|row| row.code.clone()).collect();
        parked::replay(conn, actor, &created).await?;
    }
    Ok(counts)
}
