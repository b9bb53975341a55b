//! The catalogue in one piece: rows of procedures, each perhaps with a level, merged by code.

use actix_web::post;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::batch_model;
use super::merge::Merge;
use super::rules::{ServiceStatus, ServiceTier};
use crate::agencies::model as agencies;
use crate::audit;
use crate::auth::permission::WriteServices;
use crate::auth::{Access, Actor};
use crate::db::Conn;
use crate::dossiers::parked;
use crate::http::bodies::Claim;
use crate::http::upload::rows::FlatRow;
use crate::http::upload::stream::{Upload, read_all};
use crate::http::{Check, ListQuery, Problem, ProblemCode, Reply, ValidJson, Violations, json};
use crate::values::is_plausible_day;

/// Rows of one batch.
const MOST_ROWS: usize = 10_000;

/// A procedure in a batch. Absent fields are left unchanged, or get their default in a new procedure.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceBatchRow {
    /// National or legacy code of the procedure; the key of the merge.
    #[schema(
        example = "1.011443",
        pattern = r"^([0-9]\.[0-9]{6}(\.[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.H[0-9]{2})?|T-[A-Z]{2,4}-[0-9]{4,8}(-TT)?)$"
    )]
    pub code: String,
    #[schema(example = "Đăng ký thay đổi quyền sử dụng đất", min_length = 1, max_length = 1000)]
    pub name: String,
    #[schema(example = "Đất đai", min_length = 1, max_length = 200)]
    pub field: String,
    pub tier: ServiceTier,
    /// Codes of the agencies that handle it.
    #[schema(max_items = 1000)]
    pub agencies: Option<Vec<String>>,
    /// Status; a change applies from today.
    pub status: Option<ServiceStatus>,
    /// Code of the original procedure, in the batch or in the catalogue.
    pub duplicate_of: Option<String>,
    pub postal: Option<bool>,
    pub information_complete: Option<bool>,
    pub forms_complete: Option<bool>,
    /// Level, 1 to 4; set together with `effective_from` and `decision`.
    #[schema(minimum = 1, maximum = 4)]
    pub level: Option<i64>,
    /// First day of the level. Replaces a level that starts on the same day.
    pub effective_from: Option<NaiveDate>,
    /// Number of the decision that set the level.
    #[schema(min_length = 1, max_length = 200)]
    pub decision: Option<String>,
}

/// Rows of the catalogue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceBatch {
    #[serde(deserialize_with = "crate::http::json::at_most::<_, _, MOST_ROWS>")]
    #[schema(min_items = 1, max_items = 10000)]
    rows: Vec<ServiceBatchRow>,
}

impl Check for ServiceBatch {
    const MOST_BYTES: usize = 16 * 1024 * 1024;

    /// The rows themselves are checked with what the database knows, so that all errors are said at once.
    fn check(&self, faults: &mut Violations) {
        let n = self.rows.len();
        if n == 0 || n > MOST_ROWS {
            let detail = msg!(
                "Phải có từ 1 đến {MOST_ROWS} dòng; hiện có {n} dòng.",
                "Expected 1 to {MOST_ROWS} rows, got {n}."
            );
            faults.add(ProblemCode::InvalidLength, "/rows", detail);
        }
    }
}

/// Number of procedures by what the batch did to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ServiceBatchCounts {
    #[schema(minimum = 0)]
    pub created: usize,
    /// Procedures with a changed field or level.
    #[schema(minimum = 0)]
    pub updated: usize,
    #[schema(minimum = 0)]
    pub unchanged: usize,
}

/// The effect of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServiceBatchResult {
    /// True if nothing was stored: the counts are what storing would do.
    dry_run: bool,
    counts: ServiceBatchCounts,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BatchParams {
    /// Validates and counts without storing.
    #[param(default = false)]
    dry_run: Option<bool>,
}

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

impl FlatRow for ServiceBatchRow {
    const COLUMNS: &'static [&'static str] = &[
        "code",
        "name",
        "field",
        "tier",
        "agencies",
        "status",
        "duplicate_of",
        "postal",
        "information_complete",
        "forms_complete",
        "level",
        "effective_from",
        "decision",
    ];
    const REQUIRED: usize = 4;

    /// The object that the cells stand for is read as one sent as JSON is.
    fn of_cells(cells: &[Option<&str>]) -> Result<Self, Problem> {
        let member = |(name, cell): (&&str, &Option<&str>)| {
            let cell = (*cell)?;
            let value = match (*name, cell) {
                ("agencies", list) => list.split('|').map(|code| Value::from(code.trim())).collect(),
                ("postal" | "information_complete" | "forms_complete", "true" | "TRUE") => Value::Bool(true),
                ("postal" | "information_complete" | "forms_complete", "false" | "FALSE") => {
                    Value::Bool(false)
                }
                ("level", number) => number.parse::<i64>().map_or_else(|_| Value::from(number), Value::from),
                (_, text) => Value::from(text),
            };
            Some(((*name).to_owned(), value))
        };
        let object: Map<String, Value> = Self::COLUMNS.iter().zip(cells).filter_map(member).collect();
        json::parse(&serde_json::to_vec(&object).unwrap_or_default())
    }
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
