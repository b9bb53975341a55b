//! Progress over HTTP.

use actix_web::get;
use chrono::NaiveDate;
use serde::Deserialize;
use utoipa::IntoParams;

use super::rules::Status;
use super::snapshot::{Query, load};
use super::wire::{Progress, ProgressLine, Wanted};
use crate::auth::Access;
use crate::auth::permission::ReadStatistics;
use crate::http::csv::Format;
use crate::http::query::{AnyOf, invalid};
use crate::http::{ListQuery, Msg, Problem, Reply};
use crate::targets::rules::TargetScope;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProgressParams {
    /// Year of the targets. Default: the latest year with targets, not after the year of `on`.
    #[param(minimum = 2000, maximum = 2199, example = 2018)]
    year: Option<i32>,
    /// Targets of the province or of agencies. Default: both.
    #[param(inline)]
    scope: Option<TargetScope>,
    /// Codes of agencies, comma-separated. Only their targets are returned.
    #[param(value_type = Option<String>, example = "SO-YT")]
    agency: Option<AnyOf<String>>,
    /// Statuses, comma-separated: `achieved`, `on_track`, `at_risk`, `off_track`, `not_assessable`.
    #[param(value_type = Option<String>, example = "at_risk,off_track")]
    status: Option<AnyOf<Status>>,
    /// The date to report on. Default: today (Asia/Ho_Chi_Minh). Must not be in the future. Figures cover the months up to that date.
    /// Current data is used in every case.
    #[param(example = "2018-09-30")]
    #[serde(default, deserialize_with = "crate::http::dates::day")]
    on: Option<NaiveDate>,
}

impl ProgressParams {
    fn query(&self, today: NaiveDate) -> Result<Query, Problem> {
        if self.year.is_some_and(|year| !(2000..=2199).contains(&year)) {
            return Err(invalid(
                "year",
                Msg::fixed("Năm phải từ 2000 đến 2199.", "The year must be between 2000 and 2199."),
            ));
        }
        let on = self.on.unwrap_or(today);
        if on > today {
            return Err(invalid("on", Msg::fixed("Ngày này chưa đến.", "The date is in the future.")));
        }
        Ok(Query { year: self.year, on, today, month: None, all_figures: false })
    }
}

/// Get the progress of targets and tasks
///
/// Returns the state of the plan in one response: every target of a year with its actual and expected figure and the gap; tasks
/// by status, and overdue tasks; agencies that have not reported.
///
/// **Figures.** Indicators use accepted submissions: for an agency, its latest month of the year; for the province, the sum of
/// the numerators divided by the sum of the denominators. `coverage` lists the agencies included. Once its successor has figures,
/// an abolished agency is replaced by the successor. `UD.DV.01` to `UD.DV.04` and `services_…` count procedures as
/// `/statistics/service-levels` does, at the level or above, on the last day of the month. `dossiers_…` and `on_time` count the
/// dossiers of the year as `/statistics/dossier-rates` does. A target in a unit that ends in `_per_agency` is compared with the
/// numerator. A target for every agency has one item for each agency that has no target of its own.
///
/// **Status.** `achieved`: the exact figure meets the target. Otherwise the status is `off_track` after the due date. Before the
/// due date, the figure is compared with `expected_by_now`: `on_track` if it is equal or better, `at_risk` if it is behind by at
/// most one fifth of the distance from start to target, else `off_track`. The expected figure rises in a straight line from the
/// first day of the year (`baseline`, or 0) to the due date; an upper limit (`lte`) without a baseline applies from the first
/// day. Without a figure the status is `not_assessable`, with a reason.
///
/// **Visibility.** Officers see everything about the province; of agencies (items, `overdue_leads`, `not_reported`, names in
/// `coverage`) they see those in their scope. All other callers with the permission see everything. CSV has one line per item.
#[utoipa::path(
    tag = "statistics",
    params(ProgressParams, ("format" = inline(Option<Format>), Query, description = "`csv` for a spreadsheet (same as `Accept: text/csv`).")),
    responses((status = 200, description = "The progress of targets and tasks", content((Progress = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/statistics/progress")]
pub async fn progress(
    access: Access<ReadStatistics>,
    params: ListQuery<ProgressParams>,
) -> Result<Reply, Problem> {
    let query = params.filter.query(access.today())?;
    let snapshot = if query.looks_back() {
        // Long: others must not wait behind it on a shared connection.
        access.read(async move |conn| load(&mut &*conn, &query).await).await?
    } else {
        // Not of the standby: nobody counts generations of submissions and tasks.
        access.read_shared(async |conn| load(conn, &query).await).await?
    };
    let ProgressParams { scope, agency, status, .. } = params.filter;
    let wanted = Wanted { scope, agencies: agency.map(|any| any.0), statuses: status.map(|any| any.0) };
    let known = |code: &String| snapshot.frame.agencies.iter().any(|agency| agency.code == *code);
    if let Some(code) = wanted.agencies.iter().flatten().find(|code| !known(code)) {
        let detail = crate::agencies::unknown(&code);
        return Err(invalid("agency", detail));
    }
    let whole = Progress::of(&snapshot, &access.scope(), &wanted);
    let (year, on) = (whole.year, whole.on);
    let lines: Vec<_> = whole.items.iter().map(|item| ProgressLine { year, on, item }).collect();
    Reply::collection(&access.conditions, params.format, &whole, &lines)
}
