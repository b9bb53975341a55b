//! How far a unit is from another one or from a score, indicator by indicator.

use serde::Serialize;

use super::explain::Explanation;
use super::fixed::Fixed;
use super::score::Run;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ScoreGap)]
pub struct Gap {
    pub unit: String,
    pub score: Fixed,
    /// Code of the other unit; null for the gap to a target.
    pub other: Option<String>,
    pub target: Fixed,
    /// Target minus score: the sum of `parts` and `residual`.
    pub gap: Fixed,
    /// For the leader: differences of contributions, largest first. For a target: what each indicator could still gain.
    pub parts: Vec<GapPart>,
    /// For the leader: the part that belongs to no indicator (re-normalisation). For a target: the excess (−) or shortfall (+) of the
    /// parts.
    pub residual: Fixed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct GapPart {
    pub indicator: String,
    pub gap: Fixed,
}

impl Run {
    /// The gap to the best of the unit's rank group (by score, then by code).
    pub fn gap_to_leader(&self, unit: &str) -> Option<Gap> {
        let key = self.rank_key(&self.unit(unit)?.unit);
        let rivals = self.units.iter().filter(|scored| self.rank_key(&scored.unit) == key);
        let leader = rivals.max_by(|a, b| {
            let score =
                |cells: &[super::aggregate::Cell]| cells.first().and_then(|cell| cell.score().cloned());
            score(&a.cells).cmp(&score(&b.cells)).then_with(|| b.unit.code.cmp(&a.unit.code))
        })?;
        self.gap_to_unit(unit, &leader.unit.code)
    }

    /// The gap to another unit; `None` when one of them has no score.
    pub fn gap_to_unit(&self, unit: &str, other: &str) -> Option<Gap> {
        let (own, others) = (self.explain(unit)?, self.explain(other)?);
        let (score, target) = (own.score.clone()?, others.score.clone()?);
        let (own, others) = (leaves(&own), leaves(&others));
        let difference = |(mine, theirs): (&&Explanation, &&Explanation)| GapPart {
            indicator: mine.code.clone(),
            gap: &theirs.contribution.clone().unwrap_or_default()
                - &mine.contribution.clone().unwrap_or_default(),
        };
        let parts = own.iter().zip(&others).map(difference).collect();
        Some(gap(unit, Some(other), score, target, parts))
    }

    /// The gap to a score, and where there is something to be gained.
    pub fn gap_to_target(&self, unit: &str, target: &Fixed) -> Option<Gap> {
        let own = self.explain(unit)?;
        let score = own.score.clone()?;
        let open =
            |leaf: &&Explanation| Some(GapPart { indicator: leaf.code.clone(), gap: leaf.lost.clone()? });
        let parts = leaves(&own).iter().filter_map(open).collect();
        Some(gap(unit, None, score, target.clone(), parts))
    }
}

fn gap(unit: &str, other: Option<&str>, score: Fixed, target: Fixed, mut parts: Vec<GapPart>) -> Gap {
    parts.sort_by(|a, b| b.gap.cmp(&a.gap).then_with(|| a.indicator.cmp(&b.indicator)));
    let gap = &target - &score;
    let residual = &gap - &parts.iter().map(|part| &part.gap).sum::<Fixed>();
    Gap { unit: unit.to_owned(), score, other: other.map(str::to_owned), target, gap, parts, residual }
}

/// The leaves of a tree, in its order.
pub fn leaves(tree: &Explanation) -> Vec<&Explanation> {
    if tree.children.is_empty() { vec![tree] } else { tree.children.iter().flat_map(leaves).collect() }
}
