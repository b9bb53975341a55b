//! Procedures by online level, as they stood on the last day of a period.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use futures_util::try_join;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::level_counts::{self, LevelQuery, LevelRow};
use super::rules::Rate;
use super::targets::{self, Aims};
use super::wire::{Counting, Coverage, Group, GroupType, LevelGroupBy, RateItem, Statistic};
use crate::auth::Access;
use crate::auth::permission::ReadStatistics;
use crate::http::csv::{CsvRow, Format};
use crate::http::query::AnyOf;
use crate::http::{ListQuery, Preconditions, Problem, Reply};
use crate::services::filter::fields_of;
use crate::state::State;
use crate::values::{Decimal, Period};

/// Of one group as JSON.
const ITEM_BYTES: usize = 1024;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LevelParams {
    /// `2018`, `2018-Q1` or `2018-03`. For a period that has not ended, levels that are already decided for its last day are used.
    period: Period,
    /// Grouping. Default: none, the whole province.
    #[param(inline)]
    group_by: Option<LevelGroupBy>,
    /// Codes of agencies, comma-separated. Only procedures that one of them handles are counted.
    #[param(value_type = Option<String>, example = "SO-YT,SO-TNMT")]
    agency: Option<AnyOf<String>>,
    /// Full names of fields, comma-separated.
    #[param(value_type = Option<String>, example = "Đất đai")]
    field: Option<AnyOf<String>>,
}

impl LevelParams {
    fn query(self) -> LevelQuery {
        let Self { period, group_by, agency, field } = self;
        let (agencies, fields) = (agency.map(|any| any.0), field.as_ref().map(fields_of));
        LevelQuery { period, group_by, agencies, fields, until: None }
    }
}

/// Number of procedures by level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct LevelCounts {
    #[serde(rename = "1")]
    #[schema(minimum = 0)]
    one: i64,
    #[serde(rename = "2")]
    #[schema(minimum = 0)]
    two: i64,
    #[serde(rename = "3")]
    #[schema(minimum = 0)]
    three: i64,
    #[serde(rename = "4")]
    #[schema(minimum = 0)]
    four: i64,
}

impl LevelCounts {
    pub fn each(self) -> [(u8, i64); 4] {
        [(1, self.one), (2, self.two), (3, self.three), (4, self.four)]
    }

    /// Levels are cumulative: what reached 4 has 1, 2 and 3 too.
    fn at_least(self) -> Self {
        let three = self.four + self.three;
        let two = three + self.two;
        Self { one: two + self.one, two, three, four: self.four }
    }
}

/// Procedures of one group, by level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LevelItem {
    group: Group,
    /// Procedures at exactly this level.
    pub exact: LevelCounts,
    /// Procedures at this level or above.
    pub at_least: LevelCounts,
    /// Procedures in force at the end of the period, including those without a level.
    #[schema(minimum = 0)]
    pub total: i64,
    /// Rates `services_level_1` to `services_level_4` in both countings, `services_level_3_4`, `services_active_level_3` and
    /// `services_active_level_4`.
    pub rates: Vec<RateItem>,
}

impl LevelItem {
    pub fn of(group: Group, row: &LevelRow, aims: &Aims) -> Self {
        let exact = LevelCounts { one: row.exact_1, two: row.exact_2, three: row.exact_3, four: row.exact_4 };
        let at_least = exact.at_least();
        let mut rates = Vec::with_capacity(11);
        let mut rate = |metric: String, counting, n, of, aims_at: &[&str]| {
            let aim = aims_at.iter().find_map(|code| aims.find(code, &group));
            rates.push(RateItem::of(metric, Some(counting), &group, Rate::new(n, of), aim, false));
        };
        for (level, n) in exact.each() {
            rate(format!("services_level_{level}"), Counting::Exact, n, row.total, &[]);
        }
        for (level, n) in at_least.each() {
            // The index counts services "at level n", and its targets mean: at least.
            let (metric, indicator) = (format!("services_level_{level}"), format!("UD.DV.0{level}"));
            rate(metric.clone(), Counting::AtLeast, n, row.total, &[&metric, &indicator]);
        }
        let reached = "services_level_3_4";
        rate(reached.into(), Counting::AtLeast, at_least.three, row.total, &[reached]);
        for (level, active, of) in [(3, row.active_3, exact.three), (4, row.active_4, exact.four)] {
            let metric = format!("services_active_level_{level}");
            rate(metric.clone(), Counting::Exact, active, of, &[&metric]);
        }
        Self { group, exact, at_least, total: row.total, rates }
    }

    fn line(&self, period: Period) -> LevelLine<'_> {
        let percent = |n| Rate::new(n, self.total).percent();
        LevelLine {
            period,
            group: &self.group,
            total: self.total,
            exact: self.exact,
            at_least: self.at_least,
            services_level_3_4: percent(self.at_least.three),
            services_level_4: percent(self.at_least.four),
        }
    }
}

/// The rate by which targets of an index's indicator of services (`UD.DV.03`) are judged.
pub fn metric_of(indicator: &str) -> Option<String> {
    (1..=4).find(|n| indicator == format!("UD.DV.0{n}")).map(|n| format!("services_level_{n}"))
}

/// The rate with this id as its targets mean it, of a group's counts: levels at least, activity at exactly the level.
pub fn aimed(metric: &str, row: &LevelRow) -> Option<Rate> {
    let counting = if metric.starts_with("services_active_") { Counting::Exact } else { Counting::AtLeast };
    let item = LevelItem::of(Group::province(), row, &Aims::default());
    let rate =
        item.rates.into_iter().find(|rate| rate.metric == metric && rate.counting == Some(counting))?;
    Some(Rate::new(rate.numerator, rate.denominator))
}

/// An item as a line of a table.
#[derive(Debug, Serialize)]
struct LevelLine<'i> {
    period: Period,
    group: &'i Group,
    total: i64,
    exact: LevelCounts,
    at_least: LevelCounts,
    services_level_3_4: Option<Decimal>,
    services_level_4: Option<Decimal>,
}

impl CsvRow for LevelLine<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "period",
        "group.type",
        "group.code",
        "group.name",
        "total",
        "exact.1",
        "exact.2",
        "exact.3",
        "exact.4",
        "at_least.1",
        "at_least.2",
        "at_least.3",
        "at_least.4",
        "services_level_3_4",
        "services_level_4",
    ];
}

/// What targets of these rates may be set for.
fn aimed_at() -> Vec<String> {
    let of_levels = (1..=4).flat_map(|n| [format!("services_level_{n}"), format!("UD.DV.0{n}")]);
    let others = ["services_level_3_4", "services_active_level_3", "services_active_level_4"];
    of_levels.chain(others.map(str::to_owned)).collect()
}

/// Get procedures by online level
///
/// Counts the procedures that are in force on the last day of the period, by the level in effect on that day. Later decisions do
/// not change the result. `exact` counts the highest level reached; `at_least` counts a level and those above it. A procedure
/// that several agencies handle counts once for the province and once for each of them. With `group_by=month`, each month is
/// counted as of its own last day.
///
/// `services_active_level_n` is the share of procedures at exactly level n that received at least one online dossier in the
/// period (grouped or filtered by agency: received by that agency). Agencies without procedures have no item and are listed in
/// `coverage`. `as_of` is not supported: levels and statuses have effective dates. Replaced values are kept only in the audit
/// trail. CSV has one line per group, with its counts and two of its rates.
#[utoipa::path(
    tag = "statistics",
    params(LevelParams, ("format" = inline(Option<Format>), Query, description = "`csv` for a spreadsheet (same as `Accept: text/csv`).")),
    responses((status = 200, description = "The statistics", content((Statistic<LevelItem> = "application/json"), (String = "text/csv")))),
    extensions(("x-response-cache" = json!(true))),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/statistics/service-levels")]
pub async fn service_levels(
    access: Access<ReadStatistics>,
    params: ListQuery<LevelParams>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    let counted = Counted::of(&access, params.filter.query()).await?;
    let (conditions, format) = (access.conditions.clone(), params.format);
    state
        .offload()
        .run_if_large(access.caller(), counted.bytes(), move || counted.reply(&conditions, format))
        .await?
}

/// Everything that the statistic is worked out from: for many groups that takes a worker too long.
struct Counted {
    query: LevelQuery,
    at: DateTime<Utc>,
    coverage: Coverage,
    rows: Vec<LevelRow>,
    aims: Aims,
}

impl Counted {
    async fn of(access: &Access<ReadStatistics>, query: LevelQuery) -> Result<Self, Problem> {
        let (agencies, rows, aims) = access
            .read_statistics(async |conn| {
                let (mut first, mut second, mut third) = (*conn, *conn, *conn);
                Ok(try_join!(
                    level_counts::agencies(&mut first, &query),
                    level_counts::count(&mut second, &query),
                    targets::aims(&mut third, query.period.year(), aimed_at()),
                )?)
            })
            .await?;
        let coverage = Coverage::of(agencies, query.agencies.as_deref())?;
        Ok(Self { query, at: access.now(), coverage, rows, aims })
    }

    /// About what it takes as JSON.
    fn bytes(&self) -> usize {
        self.rows.len() * ITEM_BYTES
    }

    fn reply(self, conditions: &Preconditions, format: Format) -> Result<Reply, Problem> {
        let (period, group_by) = (self.query.period, self.query.group_by);
        let item = |row: LevelRow| LevelItem::of(group_of(group_by, &row), &row, &self.aims);
        let items = self.rows.into_iter().map(item).collect();
        let whole = Statistic::new(period, self.coverage, self.at, items);
        let lines: Vec<_> = whole.items.iter().map(|item| item.line(period)).collect();
        whole.reply(conditions, format, &lines)
    }
}

/// The rates of a group, measured against nothing.
pub(super) fn rates(group: &Group, row: &LevelRow) -> Vec<RateItem> {
    LevelItem::of(group.clone(), row, &Aims::default()).rates
}

pub(super) fn group_of(group_by: Option<LevelGroupBy>, row: &LevelRow) -> Group {
    let group = |r#type| Group::new(r#type, row.code.clone(), row.name.clone());
    match group_by {
        None => Group::province(),
        Some(LevelGroupBy::Agency) => group(GroupType::Agency),
        Some(LevelGroupBy::Field) => group(GroupType::Field),
        Some(LevelGroupBy::Month) => group(GroupType::Month),
    }
}

#[cfg(test)]
#[path = "levels_tests.rs"]
mod tests;
