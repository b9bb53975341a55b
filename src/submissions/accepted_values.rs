//! Accepted figures of all agencies over HTTP, flat.

use actix_web::get;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::figures::{Figure, RateReason};
use super::routes::months_of;
use super::stored_values::{self, AcceptedQuery, AcceptedRow};
use super::values::SubmittedValue;
use crate::auth::permission::ReadIndicatorValues;
use crate::auth::{Access, Identity};
use crate::db::keyset::Order;
use crate::http::csv::CsvRow;
use crate::http::query::AnyOf;
use crate::http::{ListParams, ListQuery, Page, Problem, Reply};
use crate::values::{Decimal, Month, Period};

/// An accepted figure and its source.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndicatorValue {
    #[schema(example = "HT.CQ.01")]
    pub indicator: String,
    #[schema(example = "SO-YT")]
    pub agency: String,
    pub period: Month,
    /// Unit of the indicator: `percent`, `per_100`, `ratio`, `kbps_per_head`, `score`, …
    #[schema(example = "percent")]
    pub unit: String,
    pub numerator: Option<Decimal>,
    pub denominator: Option<Decimal>,
    /// Value in the unit of the indicator; null for an indicator with numerator and denominator.
    pub value: Option<Decimal>,
    /// Numerator ÷ denominator in `unit` (times 100 for `percent` and `per_100`), rounded half up to two decimals.
    pub rate: Option<Decimal>,
    /// Why `rate` is null although numerator and denominator are set.
    pub rate_reason: Option<RateReason>,
    /// Note of the agency to the coordinating department; null for machine clients.
    pub note: Option<String>,
    /// Id of the submission it comes from.
    pub submission: Uuid,
    pub revision: i32,
}

impl From<AcceptedRow> for IndicatorValue {
    fn from(row: AcceptedRow) -> Self {
        let figure = SubmittedValue::from(Figure {
            indicator: row.indicator,
            unit: row.unit.clone(),
            numerator: row.numerator,
            denominator: row.denominator,
            value: row.value,
            note: row.note,
        });
        Self {
            indicator: figure.indicator,
            agency: row.agency,
            period: Month::of(row.month),
            unit: row.unit,
            numerator: figure.numerator,
            denominator: figure.denominator,
            value: figure.value,
            rate: figure.rate,
            rate_reason: figure.rate_reason,
            note: figure.note,
            submission: row.submission,
            revision: row.revision,
        }
    }
}

impl CsvRow for IndicatorValue {
    const COLUMNS: &'static [&'static str] = &[
        "indicator",
        "agency",
        "period",
        "unit",
        "numerator",
        "denominator",
        "value",
        "rate",
        "rate_reason",
        "note",
        "submission",
        "revision",
    ];
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IndicatorValueFilter {
    /// Codes of indicators, comma-separated.
    #[param(value_type = Option<String>, example = "HT.CQ.01")]
    indicator: Option<AnyOf<String>>,
    /// Codes of agencies, comma-separated.
    #[param(value_type = Option<String>, example = "SO-YT")]
    agency: Option<AnyOf<String>>,
    /// Months, quarters or years, comma-separated.
    #[param(value_type = Option<String>, example = "2018-Q1")]
    period: Option<AnyOf<Period>>,
}

/// List accepted figures
///
/// Returns one item per indicator, agency and month, from the accepted revision of each submission. While a submission is being
/// corrected, its accepted revision still counts. Officers see the agencies in their scope. Sorted by period, agency and
/// indicator. Sort keys: `period`, `agency`, `indicator`.
#[utoipa::path(
    tag = "submissions",
    params(IndicatorValueFilter, ListParams),
    responses((status = 200, description = "A page of figures", content((Page<IndicatorValue> = "application/json"), (String = "text/csv")))),
    security(("bearer" = ["indicator_values:read"]), ("oauth2" = ["statistics:read"]))
)]
#[get("/indicator-values")]
pub async fn list_indicator_values(
    access: Access<ReadIndicatorValues>,
    list: ListQuery<IndicatorValueFilter>,
) -> Result<Reply, Problem> {
    use stored_values::{AGENCY, INDICATOR, KEY, PERIOD};
    let ascending = |key| Order { key, descending: false };
    let default = [PERIOD, AGENCY, INDICATOR].map(ascending);
    let order = list.order(&[PERIOD, AGENCY, INDICATOR], &default, ascending(KEY))?;
    let query = AcceptedQuery {
        indicators: list.filter.indicator.clone().map(|any| any.0),
        agencies: list.filter.agency.clone().map(|any| any.0),
        months: months_of(list.filter.period.as_ref()),
    };
    let (scope, window) = (access.scope(), list.window(&order)?);
    let slice = access
        .read(async move |conn| Ok(stored_values::accepted(conn, &scope, query, &order, window).await?))
        .await?;
    let to_person = matches!(access.identity(), Identity::User { .. });
    let value = |row| {
        let value = IndicatorValue::from(row);
        IndicatorValue { note: value.note.filter(|_| to_person), ..value }
    };
    Reply::page(&access.conditions, list.format, &list.page(slice, value))
}
