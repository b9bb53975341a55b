//! Collecting on the wire: what to take, and what was taken.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::collection::Skipped;
use super::wire::{MOST_UNITS, NewUnit, ObservationsResult, check_reason};
use crate::http::{Check, Violations};
use crate::statistics::wire::Counting;

/// Mappings of one kind.
const MOST_MAPPINGS: usize = 500;

/// A leaf whose figures are the accepted figures of an indicator with another code.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmissionMapping {
    /// Code of a leaf of the framework, or of an alternative.
    #[schema(example = "CQ.HT.01")]
    pub indicator: String,
    /// Code of an indicator of the service.
    #[schema(example = "HT.CQ.01")]
    pub from: String,
}

/// A leaf whose figure is a statistic.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatisticMapping {
    /// Code of a leaf of the framework, or of an alternative.
    #[schema(example = "CQ.DV.01")]
    pub indicator: String,
    /// Id of a rate: `services_level_1` to `services_level_4`, `services_level_3_4`, `services_active_level_3`,
    /// `services_active_level_4`, or a rate of `/statistics/dossier-rates`.
    #[schema(example = "services_level_3_4")]
    pub metric: String,
    /// For procedures: at this level or above (default), or at exactly this level.
    pub counting: Option<Counting>,
}

/// What to collect. Leaves with the code of an indicator are collected automatically.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCollection {
    /// For frameworks of provinces: the unit that represents this province.
    #[schema(example = "Lào Cai", min_length = 1, max_length = 100)]
    pub as_unit: Option<String>,
    #[serde(default)]
    #[schema(max_items = 500)]
    pub submissions: Vec<SubmissionMapping>,
    #[serde(default)]
    #[schema(max_items = 500)]
    pub statistics: Vec<StatisticMapping>,
    /// Descriptions of units, such as the attributes that indicators ask for. Units that are not listed keep theirs.
    #[serde(default, deserialize_with = "crate::http::json::at_most::<_, _, MOST_UNITS>")]
    #[schema(max_items = 5000, required = false)]
    pub units: Vec<NewUnit>,
    /// Whether to replace imported figures too. Default: false.
    #[serde(default)]
    pub replace_imported: bool,
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: Option<String>,
}

impl Check for NewCollection {
    /// What the mappings name is checked together with the framework.
    fn check(&self, faults: &mut Violations) {
        check_reason(self.reason.as_deref(), faults);
        for (pointer, n) in [("/submissions", self.submissions.len()), ("/statistics", self.statistics.len())]
        {
            if n > MOST_MAPPINGS {
                let detail = msg!(
                    "Chỉ được khai báo tối đa {MOST_MAPPINGS} mục; hiện có {n} mục.",
                    "At most {MOST_MAPPINGS} mappings are allowed, got {n}."
                );
                faults.add(crate::http::ProblemCode::InvalidLength, pointer, detail);
            }
        }
    }
}

/// A leaf and the units concerned.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndicatorUnits {
    #[schema(example = "HT.CQ.01")]
    pub indicator: String,
    pub units: BTreeSet<String>,
}

/// The leaves in the order of their codes.
pub fn listed(by_indicator: BTreeMap<String, BTreeSet<String>>) -> Vec<IndicatorUnits> {
    by_indicator.into_iter().map(|(indicator, units)| IndicatorUnits { indicator, units }).collect()
}

/// What was collected.
#[derive(Debug, Serialize, ToSchema)]
pub struct CollectionResult {
    #[serde(flatten)]
    pub result: ObservationsResult,
    /// Figures that were collected into the set.
    pub collected: Vec<IndicatorUnits>,
    /// Imported figures that were kept although the service has others.
    pub kept: Vec<IndicatorUnits>,
    /// Figures that were collected before and deleted now, because the service no longer has them.
    pub gone: Vec<IndicatorUnits>,
    /// Units without a figure in the service.
    pub missing: Vec<IndicatorUnits>,
    /// Figures that were skipped, with the reason.
    pub skipped: Vec<Skipped>,
}
