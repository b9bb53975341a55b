//! The leaves of a framework as data: how the figure of an indicator becomes a score.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fixed::Fixed;

/// 1: more is better; -1: less is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    #[default]
    Up,
    Down,
}

impl Serialize for Direction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(if *self == Self::Up { 1 } else { -1 })
    }
}

impl<'de> Deserialize<'de> for Direction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match i64::deserialize(deserializer)? {
            1 => Ok(Self::Up),
            -1 => Ok(Self::Down),
            _ => Err(serde::de::Error::custom("expected 1 or -1")),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NormaliseMethod)]
pub enum Method {
    /// The figure itself; `-1`: reflected in the scale.
    None,
    /// Between the lowest and the highest observed; 0.5 of the scale when they are equal.
    MinMax,
    /// Standard deviations (of the population) from the mean; 0 when there is no variance.
    ZScore,
    /// Between `lo` and `hi`.
    Goalposts,
    /// Figure ÷ highest; `-1`: 1 − that. 0 when the highest is not above zero.
    RatioToMax,
    /// Figure ÷ highest; `-1`: lowest ÷ figure.
    RatioToBest,
    /// Share of the other units that are worse, equal ones counted half; 0.5 for one unit alone.
    Rank,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Normalise)]
pub struct Normalise {
    pub method: Method,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lo: Option<Fixed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hi: Option<Fixed>,
    /// Scale of the result. Default: [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Fixed>>)]
    pub scale: Option<[Fixed; 2]>,
    /// Whether the result is limited to the scale. Default: true, except for `z_score` and for `none` without a scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clamp: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Truncate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lo: Option<Fixed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hi: Option<Fixed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PointsKind {
    /// Figure ÷ `full` × maximum, between 0 and the maximum.
    Ratio,
    /// `each` points for every one counted, up to the maximum.
    CappedCount,
    /// The maximum for a figure above zero.
    YesNo,
    /// The points of the last step whose `from` the figure reaches.
    Steps,
    /// The best of several alternatives, each with an observation of its own.
    BestOf,
    /// `each` points off for every one counted, at most the maximum.
    Deduction,
    /// Points that were awarded, between 0 and the maximum.
    Awarded,
    /// Shown, never scored, never missing.
    Information,
}

/// How points are computed from the figure of a leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Points {
    pub kind: PointsKind,
    /// Figure that earns all points, for `ratio`. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<Fixed>,
    /// Points per counted item, for `capped_count` and `deduction`. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Fixed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<Step>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub of: Option<Vec<Alternative>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PointsStep)]
pub struct Step {
    pub from: Fixed,
    pub points: Fixed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PointsAlternative)]
pub struct Alternative {
    /// Code of its observation; unique in the framework.
    pub code: String,
    pub name: String,
    #[schema(no_recursion)]
    pub points: Points,
    /// Maximum points. Default: those of the leaf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_points: Option<Fixed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Fixed>,
}
