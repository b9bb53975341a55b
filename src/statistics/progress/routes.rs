//! Progress over HTTP.

use actix_web::get;
use chrono::NaiveDate;
use serde::Deserialize;
use utoipa::IntoParams;

use super::picture::{Question, ask};
use super::rules::Status;
use super::wire::{Progress, ProgressLine, Wanted};
use crate::auth::Access;
use crate::auth::permission::ReadStatistics;
use crate::http::csv::Format;
use crate::http::listing::{AnyOf, invalid};
use crate::http::{Listing, Msg, Problem, Reply};
use crate::targets::rules::TargetScope;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ProgressParams {
    /// Year of the targets. Without it: the last one, up to that of `on`, that has targets.
    #[param(minimum = 2000, maximum = 2199, example = 2018)]
    year: Option<i32>,
    /// Targets of the province, or of agencies; both without it.
    #[param(inline)]
    scope: Option<TargetScope>,
    /// Codes of agencies, comma-separated: only their targets.
    #[param(value_type = Option<String>, example = "SO-YT")]
    agency: Option<AnyOf<String>>,
    /// Statuses, comma-separated: `achieved`, `on_track`, `at_risk`, `off_track`, `not_assessable`.
    #[param(value_type = Option<String>, example = "at_risk,off_track")]
    status: Option<AnyOf<Status>>,
    /// A day up to today, which it is without it (Asia/Ho_Chi_Minh). Figures are those of the months up to that day's, tasks
    /// and expectations those of the day; all by what is known now.
    #[param(example = "2018-09-30")]
    #[serde(default, deserialize_with = "crate::http::dates::day")]
    on: Option<NaiveDate>,
}

impl ProgressParams {
    fn question(&self, today: NaiveDate) -> Result<Question, Problem> {
        if self.year.is_some_and(|year| !(2000..=2199).contains(&year)) {
            return Err(invalid("year", Msg::fixed("Năm phải từ 2000 đến 2199.", "The year must be between 2000 and 2199.")));
        }
        let on = self.on.unwrap_or(today);
        if on > today {
            return Err(invalid("on", Msg::fixed("Ngày này chưa đến.", "The date is in the future.")));
        }
        Ok(Question { year: self.year, on, today, month: None, all_figures: false })
    }
}

/// Targets and where they stand
///
/// What is presented at a meeting, in one answer: every target of a year with the figure it is compared with, what is expected by
/// now, and what is missing; tasks by status and those that are overdue; agencies that have not reported.
///
/// **Figures.** Of an indicator: accepted submissions, of each agency the latest month of the year that has one; of the province,
/// the sum of the numerators by the sum of the denominators (who is in it stands in `coverage`; an agency that ended is replaced by its
/// successor once that has figures). `UD.DV.01` to `_04` and `services_…` count procedures as `/statistics/service-levels` does, at
/// least at the level, on the last day of the month; `dossiers_…` and `on_time` count the year's dossiers as `/statistics/dossier-rates` does. A
/// target in a unit that ends in `_per_agency` is compared with the numerator. A target for every agency has an item for each
/// agency that has no target of its own.
///
/// **Status.** `achieved`: the exact figure keeps the target. Otherwise, once the due day is over, `off_track`; before, compared with
/// `expected_by_now`: `on_track` when it is there or better, `at_risk` when it is behind by at most a fifth of the way from start to
/// target, else `off_track`. The line of what is expected runs from the first day of the year (the `baseline`, else 0; a limit, `lte`, holds
/// from the first day when there is no baseline) to the due day. Without a figure `not_assessable`, with a reason, never a 0.
///
/// **Who sees what.** Officers: everything of the province, and of agencies (items, `overdue_leads`, `not_reported`, names in `coverage`)
/// their own and those below it. Everyone else with the permission: everything. As CSV: a line per item.
#[utoipa::path(
    tag = "statistics",
    params(ProgressParams, ("format" = inline(Option<Format>), Query, description = "`csv` for a spreadsheet (the same as `Accept: text/csv`).")),
    responses((status = 200, description = "The state of the targets", content((Progress = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/statistics/progress")]
pub async fn progress(
    access: Access<ReadStatistics>,
    params: Listing<ProgressParams>,
) -> Result<Reply, Problem> {
    let question = params.filter.question(access.today())?;
    let picture = if question.looks_back() {
        // Long: others must not wait behind it on a shared connection.
        access.read(async move |conn| ask(&mut &*conn, &question).await).await?
    } else {
        // Not of the standby: nobody counts generations of submissions and tasks.
        access.fetch(async |conn| ask(conn, &question).await).await?
    };
    let ProgressParams { scope, agency, status, .. } = params.filter;
    let wanted = Wanted { scope, agencies: agency.map(|any| any.0), statuses: status.map(|any| any.0) };
    let known = |code: &String| picture.frame.agencies.iter().any(|agency| agency.code == *code);
    if let Some(code) = wanted.agencies.iter().flatten().find(|code| !known(code)) {
        let detail = msg!("Không tìm thấy cơ quan có mã `{code}`; đề nghị kiểm tra lại mã cơ quan.", "Agency `{code}` does not exist.");
        return Err(invalid("agency", detail));
    }
    let whole = Progress::of(&picture, &access.scope(), &wanted);
    let (year, on) = (whole.year, whole.on);
    let lines: Vec<_> = whole.items.iter().map(|item| ProgressLine { year, on, item }).collect();
    Reply::collection(&access.conditions, params.format, &whole, &lines)
}
