//! What a target can be about, whoever stores or asks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The subject of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// An indicator's figure.
    Indicator,
    /// A rate of services or dossiers, by its id.
    Metric,
}

impl Subject {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Indicator => "indicator",
            Self::Metric => "metric",
        }
    }
}

/// Whether a target is for the province or for agencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetScope {
    Province,
    /// One agency, or each.
    Agency,
}

impl TargetScope {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Province => "province",
            Self::Agency => "agency",
        }
    }
}

/// Whether `id` is the id of a rate: see the table of rates in the description of `/statistics/dossier-rates`.
pub fn is_metric(id: &str) -> bool {
    if id == "on_time" || id == "services_level_3_4" {
        return true;
    }
    let is_level = |text: &str| matches!(text, "1" | "2" | "3" | "4");
    if let Some(level) = id.strip_prefix("services_level_").or(id.strip_prefix("services_active_level_")) {
        return is_level(level);
    }
    let Some(rest) = id.strip_prefix("dossiers_level_") else { return false };
    ["_received", "_resolved", "_of_all"]
        .iter()
        .filter_map(|suffix| rest.strip_suffix(suffix))
        .any(|level| is_level(level) || level == "3_4")
}

/// The indicator of a target's code: `NL.XH.03` of `NL.XH.03:primary`.
pub fn indicator_of(code: &str) -> &str {
    code.split(':').next().unwrap_or(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_known_by_their_ids() {
        for good in [
            "dossiers_level_3_resolved",
            "dossiers_level_3_4_of_all",
            "dossiers_level_1_received",
            "services_level_2",
            "services_level_3_4",
            "services_active_level_4",
            "on_time",
        ] {
            assert!(is_metric(good), "{good}");
        }
        for bad in [
            "",
            "dossiers_level_3",
            "dossiers_level_5_resolved",
            "services_level_",
            "dossiers_level__resolved",
            "level_3",
        ] {
            assert!(!is_metric(bad), "{bad}");
        }
        assert_eq!(indicator_of("NL.XH.03:primary"), "NL.XH.03");
    }
}
