//! Points of a leaf of the agency-level kind.

use super::fixed::Fixed;
use super::framework_leaf::{Points, PointsKind, Step};

/// The points a figure earns (a deduction: minus what it costs); `None` where the kind earns none by itself.
pub fn points_of(points: &Points, figure: &Fixed, maximum: &Fixed) -> Option<Fixed> {
    let capped = |earned: Fixed| earned.clamped(Fixed::zero_ref(), maximum);
    let counted = || capped(points.each.as_ref().map_or_else(|| figure.clone(), |each| figure.times(each)));
    match points.kind {
        PointsKind::Ratio => {
            let full = points.full.clone().unwrap_or_else(Fixed::one);
            figure.times_over(maximum, &full).map(capped)
        }
        PointsKind::CappedCount => Some(counted()),
        PointsKind::Deduction => Some(-&counted()),
        PointsKind::YesNo => Some(if figure.is_positive() { maximum.clone() } else { Fixed::zero() }),
        PointsKind::Steps => Some(step_of(points.steps.as_deref().unwrap_or_default(), figure)),
        PointsKind::Awarded => Some(capped(figure.clone())),
        PointsKind::BestOf | PointsKind::Information => None,
    }
}

fn step_of(steps: &[Step], figure: &Fixed) -> Fixed {
    steps.iter().rev().find(|step| step.from <= *figure).map(|step| step.points.clone()).unwrap_or_default()
}
