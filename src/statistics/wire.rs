//! Shapes that every statistic shares on the wire.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::rules::{Comparator, Rate};
use super::targets::Aim;
use crate::http::csv::{CsvRow, Format};
use crate::http::{EntityTag, Preconditions, Problem, Reply};
use crate::values::{Decimal, Period};

/// What level statistics are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LevelGroupBy {
    Agency,
    Field,
    Month,
}

/// The kind of group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupType {
    /// All of it: nothing is grouped.
    Province,
    Agency,
    Field,
    Service,
    Month,
}

/// The group of an item; the province if nothing is grouped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
pub struct Group {
    pub r#type: GroupType,
    /// Code of the agency or procedure, the name of the field, a month such as `2018-03`, or `ALL`.
    #[schema(example = "SO-YT")]
    pub code: String,
    #[schema(example = "Sở Y tế")]
    pub name: String,
}

impl Group {
    pub fn new(r#type: GroupType, code: impl Into<String>, name: impl Into<String>) -> Self {
        Self { r#type, code: code.into(), name: name.into() }
    }

    pub fn province() -> Self {
        Self::new(GroupType::Province, "ALL", "Toàn tỉnh")
    }
}

/// Which agencies the figures come from. Agencies without data are listed; their figures are not estimated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Coverage {
    /// Number of agencies that should have data.
    #[schema(minimum = 0)]
    pub expected: usize,
    /// Number of these agencies that have data.
    #[schema(minimum = 0)]
    pub reported: usize,
    /// Codes of the agencies without data.
    pub missing: Vec<String>,
    /// Codes of the agencies whose data lack a month of the period that other agencies reported.
    pub partial: Vec<String>,
}

/// Whether a level is counted exactly or together with higher levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counting {
    /// The highest level reached is this one.
    Exact,
    /// This level or a higher one: levels are cumulative.
    AtLeast,
}

/// Why there is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RateReason {
    /// No procedures to divide by.
    NoServices,
    /// No dossiers to divide by.
    NoDossiers,
}

/// The date at which levels are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LevelAt {
    /// The level in force on the last day of the period.
    PeriodEnd,
}

/// The target of a rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RateTarget)]
pub struct TargetOut {
    pub comparator: Comparator,
    /// Target in percent.
    pub value: Decimal,
    /// Upper bound in percent; only with `between`.
    pub value_to: Option<Decimal>,
    pub due: NaiveDate,
    /// Whether the exact (unrounded) rate meets the target; null without a rate.
    pub met: Option<bool>,
}

/// A rate compared with its target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RateItem {
    /// Id of the rate, such as `services_level_3_4` or `dossiers_level_3_resolved`.
    #[schema(example = "services_level_3_4")]
    pub metric: String,
    /// How levels are counted; only for rates of procedures by level.
    pub counting: Option<Counting>,
    pub group: Group,
    #[schema(minimum = 0)]
    pub numerator: i64,
    #[schema(minimum = 0)]
    pub denominator: i64,
    /// Percent, rounded half up to two decimals; null when the denominator is 0.
    pub rate: Option<Decimal>,
    /// Why `rate` is null.
    pub rate_reason: Option<RateReason>,
    /// The target of the period's year: the agency's own target for a group that is an agency, else the province's. Null if there is
    /// none.
    pub target: Option<TargetOut>,
    /// Percentage points missing to the target; negative if it is exceeded.
    pub gap: Option<Decimal>,
    /// Smallest number of additional online dossiers that bring the rate to its target; null if undefined.
    pub dossiers_needed: Option<i64>,
    /// Smallest number of existing dossiers that would have to be online to reach the target; null if undefined.
    pub dossiers_to_shift: Option<i64>,
}

impl RateItem {
    /// `of_dossiers`: the counts are dossiers (and those needed can be told), not procedures.
    pub fn of(
        metric: impl Into<String>,
        counting: Option<Counting>,
        group: &Group,
        rate: Rate,
        aim: Option<&Aim>,
        of_dossiers: bool,
    ) -> Self {
        let bound = aim.map(|aim| &aim.bound);
        let nothing = if of_dossiers { RateReason::NoDossiers } else { RateReason::NoServices };
        let dossiers = bound.filter(|_| of_dossiers);
        Self {
            metric: metric.into(),
            counting,
            group: group.clone(),
            numerator: rate.numerator,
            denominator: rate.denominator,
            rate: rate.percent(),
            rate_reason: (rate.denominator == 0).then_some(nothing),
            target: aim.map(|aim| TargetOut {
                comparator: aim.bound.comparator,
                value: Decimal(aim.bound.value.clone()),
                value_to: aim.bound.value_to.clone().map(Decimal),
                due: aim.due,
                met: rate.meets(&aim.bound),
            }),
            gap: bound.and_then(|bound| rate.gap(bound)),
            dossiers_needed: dossiers.and_then(|bound| rate.needed(bound)),
            dossiers_to_shift: dossiers.and_then(|bound| rate.to_shift(bound)),
        }
    }
}

/// A statistic.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Statistic<T> {
    pub period: Period,
    pub level_at: LevelAt,
    pub coverage: Coverage,
    /// Time of the computation, or the requested `as_of`. Not part of the `ETag`.
    pub as_of: DateTime<Utc>,
    pub items: Vec<T>,
}

impl<T: Serialize> Statistic<T> {
    pub fn new(period: Period, coverage: Coverage, as_of: DateTime<Utc>, items: Vec<T>) -> Self {
        Self { period, level_at: LevelAt::PeriodEnd, coverage, as_of, items }
    }

    /// The answer: JSON, or `lines` as CSV.
    pub fn reply<L: CsvRow>(
        &self,
        conditions: &Preconditions,
        format: Format,
        lines: &[L],
    ) -> Result<Reply, Problem> {
        if format == Format::Csv {
            return Reply::collection(conditions, format, self, lines);
        }
        let figures = serde_json::to_vec(&(&self.period, &self.coverage, &self.items))
            .map_err(|error| Problem::internal(format!("cannot write JSON: {error}")))?;
        let tag = EntityTag::of_bytes(&figures);
        if conditions.is_fresh(&tag) {
            return Ok(Reply::not_modified(&tag));
        }
        Ok(Reply::ok(self)?.tagged(&tag))
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::Bound;
    use super::*;

    fn aim(percent: &str) -> Aim {
        Aim {
            bound: Bound { comparator: Comparator::Gte, value: percent.parse().unwrap(), value_to: None },
            due: "2018-12-31".parse().unwrap(),
        }
    }

    #[test]
    fn a_rate_without_denominator_has_a_reason_and_no_verdict() {
        let item =
            RateItem::of("x", None, &Group::province(), Rate::new(0, 0), Some(&aim("60.000000")), false);
        assert_eq!((item.rate, item.rate_reason, item.gap), (None, Some(RateReason::NoServices), None));
        assert_eq!(item.target.unwrap().met, None);
    }

    #[test]
    fn dossiers_are_counted_of_dossiers_alone() {
        let (group, rate, aim) = (Group::province(), Rate::new(55, 100), aim("60"));
        let dossiers = RateItem::of("x", None, &group, rate, Some(&aim), true);
        assert_eq!((dossiers.dossiers_needed, dossiers.dossiers_to_shift), (Some(13), Some(5)));
        let services = RateItem::of("x", None, &group, rate, Some(&aim), false);
        assert_eq!((services.dossiers_needed, services.dossiers_to_shift), (None, None));
        assert_eq!(serde_json::to_value(&services).unwrap()["gap"], 5);
    }
}
