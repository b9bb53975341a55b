//! Rates of dossiers handled online, per group.

use actix_web::{get, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

use super::metrics::{Metric, Tally};
use super::rate_counts::RateQuery;
use super::rate_query;
use super::targets::Aims;
use super::wire::{Coverage, Group, RateItem, Statistic};
use crate::auth::Access;
use crate::auth::permission::ReadStatistics;
use crate::db::Reader;
use crate::http::csv::{CsvRow, Format};
use crate::http::query::{AnyOf, invalid};
use crate::http::{ListQuery, Msg, Preconditions, Problem, Reply};
use crate::services::filter::fields_of;
use crate::state::State;
use crate::values::Period;

/// Of one rate as JSON.
const ITEM_BYTES: usize = 256;

pub fn configure(config: &mut ServiceConfig<'_>) {
    config.service(dossier_rates);
}

/// What dossier rates are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RateGroupBy {
    Agency,
    Field,
    Service,
    Month,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RateParams {
    /// Ids of rates, comma-separated: `dossiers_level_n_received`, `dossiers_level_n_resolved`, `dossiers_level_n_of_all`, with n one
    /// of `1`, `2`, `3`, `4`, `3_4`; and `on_time`. Default: `dossiers_level_3_resolved,dossiers_level_4_resolved`.
    #[param(value_type = Option<String>, example = "dossiers_level_3_resolved,dossiers_level_4_resolved")]
    metric: Option<AnyOf<String>>,
    /// `2018`, `2018-Q1` or `2018-03`. The counts of its months are added up.
    period: Period,
    /// Grouping. Default: none, the whole province.
    #[param(inline)]
    group_by: Option<RateGroupBy>,
    /// Codes of agencies, comma-separated. Only their dossiers are counted.
    #[param(value_type = Option<String>, example = "SO-YT,SO-TNMT")]
    agency: Option<AnyOf<String>>,
    /// Full names of fields, comma-separated. Only dossiers of their procedures are counted.
    #[param(value_type = Option<String>, example = "Đất đai")]
    field: Option<AnyOf<String>>,
    /// Uses the counts as of this time, without later corrections. Procedures, levels and targets are current ones.
    #[param(example = "2019-01-15T00:00:00Z")]
    #[serde(default, deserialize_with = "crate::http::dates::instant")]
    as_of: Option<DateTime<Utc>>,
}

impl RateParams {
    /// The rates asked for, each once, in the order of the question.
    fn metrics(&self) -> Result<Vec<Metric>, Problem> {
        let mut metrics: Vec<Metric> = Vec::new();
        let asked: Vec<&str> = match &self.metric {
            Some(asked) => asked.0.iter().map(String::as_str).collect(),
            None => Metric::DEFAULT.into(),
        };
        for id in asked {
            let Some(metric) = Metric::parse(id) else {
                let known = Metric::ALL.map(|metric| metric.id).join(", ");
                return Err(invalid(
                    "metric",
                    msg!(
                        "Mã tỷ lệ không hợp lệ; các tỷ lệ hiện có: {known}.",
                        "Unknown rate. Known rates: {known}."
                    ),
                ));
            };
            if !metrics.contains(&metric) {
                metrics.push(metric);
            }
        }
        Ok(metrics)
    }

    fn query(self, now: DateTime<Utc>) -> Result<RateQuery, Problem> {
        let Self { period, group_by, agency, field, as_of, .. } = self;
        if as_of.is_some_and(|instant| instant > now) {
            let detail = Msg::fixed("Thời điểm này chưa đến.", "The timestamp is in the future.");
            return Err(invalid("as_of", detail));
        }
        let fields = field.as_ref().map(fields_of);
        Ok(RateQuery { period, group_by, agencies: agency.map(|any| any.0), fields, as_of, until: None })
    }
}

/// An item as a line of a table.
#[derive(Debug, Serialize)]
struct RateLine<'i> {
    period: Period,
    #[serde(flatten)]
    item: &'i RateItem,
}

impl CsvRow for RateLine<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "period",
        "group.type",
        "group.code",
        "group.name",
        "metric",
        "numerator",
        "denominator",
        "rate",
        "rate_reason",
        "target.comparator",
        "target.value",
        "target.value_to",
        "target.met",
        "gap",
        "dossiers_needed",
        "dossiers_to_shift",
    ];
}

/// Get rates of online dossiers
///
/// Numerators count dossiers submitted online; denominators count the dossiers of all channels, for procedures at exactly level n
/// (`3_4`: level 3 or 4). `…_of_all` divides by the dossiers of all procedures. Resolved means early, on time or late. `on_time`
/// is the share of resolved dossiers that were early or on time, in all channels. A procedure counts by its level on the last day
/// of the period; with `group_by=month`, of each month.
///
/// A rate over several agencies or months is the sum of the numerators divided by the sum of the denominators. If the denominator
/// is 0, `rate` is null and `rate_reason` says why. Agencies without counts have no item and are listed in `coverage`. The target
/// is the province's target of the period's year; a group that is an agency is compared with its own target, if it has one.
#[utoipa::path(
    tag = "statistics",
    params(RateParams, ("format" = inline(Option<Format>), Query, description = "`csv` for a spreadsheet (same as `Accept: text/csv`).")),
    responses((status = 200, description = "The statistics", content((Statistic<RateItem> = "application/json"), (String = "text/csv")))),
    extensions(("x-response-cache" = json!(true))),
    security(("bearer" = ["statistics:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/statistics/dossier-rates")]
async fn dossier_rates(
    access: Access<ReadStatistics>,
    params: ListQuery<RateParams>,
    state: web::Data<State>,
) -> Result<Reply, Problem> {
    let metrics = params.filter.metrics()?;
    let query = params.filter.query(access.now())?;
    let counted = Counted::of(&access, query, metrics).await?;
    let (conditions, format) = (access.conditions.clone(), params.format);
    let (bytes, work) = (counted.bytes(), move || counted.reply(&conditions, format));
    state.offload().run_if_large(access.caller(), bytes, work).await?
}

/// Everything that rates are worked out from: for many groups that takes a worker too long.
struct Counted {
    period: Period,
    at: DateTime<Utc>,
    coverage: Coverage,
    metrics: Vec<Metric>,
    groups: Vec<(Group, Tally)>,
    aims: Aims,
}

impl Counted {
    async fn of(
        access: &Access<ReadStatistics>,
        query: RateQuery,
        metrics: Vec<Metric>,
    ) -> Result<Self, Problem> {
        let ids: Vec<String> = metrics.iter().map(|metric| metric.id.to_owned()).collect();
        let (period, at, asked) = (query.period, query.as_of.unwrap_or(access.now()), query.agencies.clone());
        let found = if query.reads_facts() {
            // Long: others must not wait behind it on a shared connection.
            access.read(async move |conn| Ok(rate_query::load(&mut &*conn, &query, ids).await?)).await?
        } else {
            let work = async |conn: &mut Reader<'_>| Ok(rate_query::load(conn, &query, ids.clone()).await?);
            access.read_statistics(work).await?
        };
        let coverage = Coverage::of(found.expected, asked.as_deref())?;
        Ok(Self { period, at, coverage, metrics, groups: found.groups, aims: found.aims })
    }

    /// About what it takes as JSON.
    fn bytes(&self) -> usize {
        self.groups.len() * self.metrics.len() * ITEM_BYTES
    }

    fn reply(self, conditions: &Preconditions, format: Format) -> Result<Reply, Problem> {
        let mut items = Vec::with_capacity(self.groups.len() * self.metrics.len());
        for (group, tally) in &self.groups {
            for metric in &self.metrics {
                let aim = self.aims.find(metric.id, group);
                items.push(RateItem::of(metric.id, None, group, metric.rate(tally), aim, true));
            }
        }
        let whole = Statistic::new(self.period, self.coverage, self.at, items);
        let lines: Vec<_> = whole.items.iter().map(|item| RateLine { period: self.period, item }).collect();
        whole.reply(conditions, format, &lines)
    }
}
