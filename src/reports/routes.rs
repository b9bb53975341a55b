//! Reports over HTTP.

use actix_web::{get, web};
use utoipa_actix_web::service_config::ServiceConfig;

use super::compose::{compose, query, read};
use super::sheets::workbook;
use super::wire::MonthlyReport;
use crate::auth::Access;
use crate::auth::permission::ReadReports;
use crate::http::xlsx::{BookFormat, BookParams, XLSX};
use crate::http::{EntityTag, PathOf, Preconditions, Problem, ProblemCode, Reply};
use crate::state::State;
use crate::values::{Month, vietnamese};

pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(monthly_report);
}

/// Read the monthly report
///
/// Returns what the coordinating department reports to the provincial committee: submissions by agency, figures of the province,
/// procedures by level, dossier rates, progress of targets, overdue tasks, and published results with rank changes. The report
/// shows the state at the end of the month (today, for the current month), based on current data. Figures, statuses and expected
/// values equal those of `/statistics/progress?year=…&on=…`; rates equal those of `/statistics/dossier-rates`. A future month
/// returns 404.
///
/// As a workbook (`?format=xlsx`, or its media type in `Accept`), the report has eight sheets in Vietnamese, formatted for A4.
/// The `ETag` depends on the figures: unchanged figures return 304.
#[utoipa::path(
    tag = "statistics",
    params(("month" = Month, Path), BookParams),
    responses((status = 200, description = "The monthly report", content(
        (MonthlyReport = "application/json"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
    ))),
    security(("bearer" = ["reports:read"]))
)]
#[get("/reports/{month}")]
async fn monthly_report(
    access: Access<ReadReports>,
    month: PathOf<String>,
    format: BookFormat,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    let month: Month = month.0.parse().map_err(|_| Problem::new(ProblemCode::MalformedMonth))?;
    let today = access.today();
    if month.first_day() > today {
        let month_vi = vietnamese::month(month);
        let detail =
            msg!("Chưa đến tháng {month_vi}, chưa có báo cáo.", "Month {month} has not started yet.");
        return Err(Problem::with(ProblemCode::NotFound, detail));
    }
    let query = query(month, today);
    // Long where earlier months are counted: others must not wait behind it on a shared connection.
    let read = access.read(async move |conn| read(&mut &*conn, month, &query).await).await?;
    let conditions = access.conditions.clone();
    let work = move || reply(&compose(read, month, today), month, format, &conditions);
    state.offload().run(access.caller(), work).await?
}

fn reply(
    report: &MonthlyReport,
    month: Month,
    format: BookFormat,
    conditions: &Preconditions,
) -> Result<Reply, Problem> {
    let json = Reply::ok(report)?;
    let tag = EntityTag::of_bytes(&[json.body.as_slice(), format!("{format:?}").as_bytes()].concat());
    if conditions.is_fresh(&tag) {
        return Ok(Reply::not_modified(&tag));
    }
    if format == BookFormat::Json {
        return Ok(json.tagged(&tag));
    }
    let name = format!("ict-index-{month}.xlsx");
    let body =
        workbook(report).map_err(|error| Problem::internal(format!("cannot write the workbook: {error}")))?;
    Ok(Reply::file(XLSX, name, body).tagged(&tag))
}
