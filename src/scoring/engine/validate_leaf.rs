//! Whether a leaf of a framework makes sense: its method, its bounds, its points.

use super::faults::FaultCode as Code;
use super::fixed::Fixed;
use super::framework::{Aggregate, Node};
use super::framework_leaf::{Alternative, Direction, Method, Normalise, Points, PointsKind, Step};
use super::validate::{Check, weight_under};

pub fn check_leaf<'a>(check: &mut Check<'a>, leaf: &'a Node, pointer: &str, parent: Option<Aggregate>) {
    match (&leaf.normalise, &leaf.points) {
        (None, None) => {
            check.report.fault(
                Code::MethodMissing,
                &format!("{pointer}/normalise"),
                &[("code", leaf.code.clone())],
            );
        }
        (Some(normalise), None) => method(check, normalise, &format!("{pointer}/normalise")),
        (Some(normalise), Some(_)) if normalise.method != Method::None => {
            check.report.fault(
                Code::MethodAndPoints,
                &format!("{pointer}/normalise"),
                &[("code", leaf.code.clone())],
            );
        }
        _ => {}
    }
    if let Some(points) = &leaf.points {
        let maximum = leaf.max_points.as_ref();
        rule(check, points, maximum, &format!("{pointer}/points"));
        alternatives(check, leaf, points, &format!("{pointer}/points"));
        if leaf.direction == Some(Direction::Down) && points.kind != PointsKind::Deduction {
            check.report.fault(Code::DirectionNotAllowed, &format!("{pointer}/direction"), &[]);
        }
    }
    positive(check, leaf.max_points.as_ref(), Code::MaxPointsNotPositive, &format!("{pointer}/max_points"));
    positive(check, leaf.per.as_ref(), Code::PerNotPositive, &format!("{pointer}/per"));
    limits(check, leaf, pointer);
    under_parent(check, leaf, pointer, parent);
}

fn method(check: &mut Check<'_>, normalise: &Normalise, pointer: &str) {
    match (normalise.method, &normalise.lo, &normalise.hi) {
        (Method::Goalposts, Some(lo), Some(hi)) if lo >= hi => {
            let params = [("lo", lo.to_string()), ("hi", hi.to_string())];
            check.report.fault(Code::GoalpostsReversed, pointer, &params);
        }
        (Method::Goalposts, Some(_), Some(_)) => {}
        (Method::Goalposts, _, _) => check.report.fault(Code::GoalpostsMissing, pointer, &[]),
        (_, None, None) => {}
        _ => check.report.fault(Code::BoundsUnused, pointer, &[]),
    }
    if let Some([lo, hi]) = normalise.scale.as_ref().filter(|[lo, hi]| lo >= hi) {
        let params = [("lo", lo.to_string()), ("hi", hi.to_string())];
        check.report.fault(Code::ScaleReversed, &format!("{pointer}/scale"), &params);
    }
}

fn rule(check: &mut Check<'_>, points: &Points, maximum: Option<&Fixed>, pointer: &str) {
    use PointsKind::{BestOf, CappedCount, Deduction, Information, Ratio, Steps};
    if maximum.is_none() && points.kind != Information {
        check.report.fault(Code::MaxPointsMissing, pointer, &[]);
    }
    let misplaced = [
        ("full", points.full.is_some() && points.kind != Ratio),
        ("each", points.each.is_some() && !matches!(points.kind, CappedCount | Deduction)),
        ("steps", points.steps.is_some() && points.kind != Steps),
        ("of", points.of.is_some() && points.kind != BestOf),
    ];
    for (field, _) in misplaced.iter().filter(|(_, wrong)| *wrong) {
        check.report.fault(
            Code::PointsParameter,
            &format!("{pointer}/{field}"),
            &[("field", (*field).to_owned())],
        );
    }
    positive(check, points.full.as_ref(), Code::PointsParameter, &format!("{pointer}/full"));
    positive(check, points.each.as_ref(), Code::PointsParameter, &format!("{pointer}/each"));
    if points.kind == Steps {
        table(check, points.steps.as_deref().unwrap_or_default(), maximum, &format!("{pointer}/steps"));
    }
}

fn table(check: &mut Check<'_>, steps: &[Step], maximum: Option<&Fixed>, pointer: &str) {
    if steps.is_empty() {
        check.report.fault(Code::StepsMissing, pointer, &[]);
    }
    for (index, pair) in steps.windows(2).enumerate() {
        if let [lower, upper] = pair
            && lower.from >= upper.from
        {
            let pointer = format!("{pointer}/{}/from", index + 1);
            check.report.fault(Code::StepsUnordered, &pointer, &[("from", upper.from.to_string())]);
        }
    }
    for (index, step) in steps.iter().enumerate() {
        if step.points.is_negative() || maximum.is_some_and(|maximum| step.points > *maximum) {
            let params = [("points", step.points.to_string())];
            check.report.fault(Code::StepsOutOfRange, &format!("{pointer}/{index}/points"), &params);
        }
    }
}

fn alternatives<'a>(check: &mut Check<'a>, leaf: &'a Node, points: &'a Points, pointer: &str) {
    if points.kind != PointsKind::BestOf {
        return;
    }
    let of: &'a [Alternative] = points.of.as_deref().unwrap_or_default();
    if of.is_empty() {
        check.report.fault(Code::AlternativesMissing, pointer, &[("code", leaf.code.clone())]);
    }
    for (index, alternative) in of.iter().enumerate() {
        let pointer = format!("{pointer}/of/{index}");
        check.code(&alternative.code, &pointer);
        check.indicator(&alternative.code, &pointer);
        if alternative.name.trim().is_empty() {
            check.report.fault(Code::NameEmpty, &format!("{pointer}/name"), &[]);
        }
        if matches!(
            alternative.points.kind,
            PointsKind::BestOf | PointsKind::Deduction | PointsKind::Information
        ) {
            check.report.fault(Code::AlternativeKind, &format!("{pointer}/points/kind"), &[]);
            continue;
        }
        positive(check, alternative.per.as_ref(), Code::PerNotPositive, &format!("{pointer}/per"));
        positive(
            check,
            alternative.max_points.as_ref(),
            Code::MaxPointsNotPositive,
            &format!("{pointer}/max_points"),
        );
        if alternative.max_points > leaf.max_points {
            check.report.fault(Code::MaxPointsTotal, &format!("{pointer}/max_points"), &[]);
        }
        let maximum = alternative.max_points.as_ref().or(leaf.max_points.as_ref());
        rule(check, &alternative.points, maximum, &format!("{pointer}/points"));
    }
}

fn positive(check: &mut Check<'_>, number: Option<&Fixed>, code: Code, pointer: &str) {
    if let Some(number) = number.filter(|number| !number.is_positive()) {
        check.report.fault(code, pointer, &[("value", number.to_string())]);
    }
}

fn limits(check: &mut Check<'_>, leaf: &Node, pointer: &str) {
    if let Some(truncate) = &leaf.truncate
        && let (Some(lo), Some(hi)) = (&truncate.lo, &truncate.hi)
        && lo >= hi
    {
        let params = [("lo", lo.to_string()), ("hi", hi.to_string())];
        check.report.fault(Code::TruncateReversed, &format!("{pointer}/truncate"), &params);
    }
    if leaf.applies_to.as_ref().is_some_and(Vec::is_empty) {
        check.report.fault(Code::AppliesToEmpty, &format!("{pointer}/applies_to"), &[]);
    }
    if leaf.renormalise.is_some() || leaf.weight_total.is_some() {
        check.report.fault(Code::NodeAndLeaf, pointer, &[("code", leaf.code.clone())]);
    }
}

fn under_parent(check: &mut Check<'_>, leaf: &Node, pointer: &str, parent: Option<Aggregate>) {
    let params = [("code", leaf.code.clone())];
    let lowest = leaf.normalise.as_ref().and_then(|normalise| normalise.scale.as_ref()).map(|[lo, _]| lo);
    // Without weight it does not count, whatever it is.
    let counts = !weight_under(leaf, parent).is_zero();
    let may_be_zero = counts && !lowest.is_some_and(Fixed::is_positive);
    if matches!(parent, Some(Aggregate::Geometric | Aggregate::Harmonic)) && may_be_zero {
        check.report.warn(Code::ZeroUnderMean, pointer, &params);
    }
    let weighted = leaf.weight.as_ref().is_some_and(|weight| *weight != Fixed::one());
    if parent == Some(Aggregate::Sum) && leaf.max_points.is_some() && weighted {
        check.report.warn(Code::WeightAndPoints, pointer, &params);
    }
    let deduction = leaf.points.as_ref().is_some_and(|points| points.kind == PointsKind::Deduction);
    if deduction && parent != Some(Aggregate::Sum) {
        check.report.warn(Code::DeductionUnderMean, pointer, &params);
    }
}
