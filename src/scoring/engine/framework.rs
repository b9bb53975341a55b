//! A framework as data: how an index is computed. What is optional here has the documented default.

use serde::{Deserialize, Serialize};

use super::fixed::Fixed;
use super::framework_leaf::{Direction, Normalise, Points, Truncate};

/// Whether the method is published, or assumed because it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FrameworkStatus)]
pub enum Status {
    Official,
    Assumed,
}

/// Ranks after a tie: 1, 2, 2, 4 or 1, 2, 2, 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FrameworkTies)]
pub enum Ties {
    Competition,
    Dense,
}

/// Scores are rounded half up to `decimals`, then ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FrameworkRanking)]
pub struct Ranking {
    pub decimals: u32,
    pub ties: Ties,
}

/// How missing figures are handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FrameworkMissing)]
pub enum Missing {
    /// The indicator is left out of its group and the weights of the others grow.
    ExcludeAndReweight,
    /// It counts as the lower end of the scale (for a z-score: the worst one observed).
    Zero,
    /// Every node above it has no score.
    Block,
}

/// Whether units are compared with all units or with their peer group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FrameworkAmong)]
pub enum Among {
    #[default]
    All,
    /// Only units of the same peer group.
    PeerGroup,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FrameworkPeers)]
pub struct Peers {
    #[serde(default)]
    pub frontier: Among,
    #[serde(default)]
    pub rank: Among,
}

/// How a sum of points treats indicators that do not apply to a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DifferingMaxima {
    /// Points are multiplied by full maximum ÷ own maximum, so that units compare.
    #[default]
    Rescale,
    /// Points stay as they are; the own maximum stands beside them.
    OwnMaximum,
}

/// A named class of scores, from a lower bound upwards.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FrameworkBand)]
pub struct Band {
    pub code: String,
    pub name: String,
    pub from: Fixed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Framework)]
pub struct Framework {
    pub code: String,
    pub name: String,
    pub unit_type: String,
    pub status: Status,
    pub rank: Ranking,
    pub missing: Missing,
    #[serde(default, skip_serializing_if = "is_default")]
    pub peers: Peers,
    #[serde(default, skip_serializing_if = "is_default")]
    pub differing_maxima: DifferingMaxima,
    /// Bands of the root's score, ascending by `from`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<Band>,
    pub root: Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FrameworkAggregate)]
pub enum Aggregate {
    /// Σ w·s ÷ Σ w.
    Arithmetic,
    /// Π s^(w ÷ Σ w); zero as soon as one counted score is zero or less.
    Geometric,
    /// Σ w ÷ Σ (w ÷ s); zero as soon as one counted score is zero or less.
    Harmonic,
    /// Σ w·s, where a leaf with `max_points` counts in points.
    Sum,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Renormalise {
    /// (s − lowest) ÷ (highest − lowest) among the units; 0.5 for all when they are equal.
    MinMax,
}

/// A group, subgroup or indicator. Groups have `children` and `aggregate`; indicators have `normalise` or `points`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FrameworkNode)]
pub struct Node {
    pub code: String,
    pub name: String,
    /// Default: `max_points` under a mean, else 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Fixed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aggregate: Option<Aggregate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renormalise: Option<Renormalise>,
    /// Required total of the children's weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_total: Option<Fixed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(no_recursion)]
    pub children: Option<Vec<Node>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i32>, example = 1)]
    pub direction: Option<Direction>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalise: Option<Normalise>,
    /// For a leaf: the points of a full score. For a sum of points: the required total of the children.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_points: Option<Fixed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<Points>,
    /// Factor of numerator ÷ denominator (100 for a percentage). Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Fixed>,
    /// Figures outside these limits count as the limit, also for the bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncate: Option<Truncate>,
    /// Attributes or peer groups of the units it applies to. Default: all units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applies_to: Option<Vec<String>>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
