//! What an item adds to the root's score, shared among its children.
//!
//! Down a chain of arithmetic means and sums it is exactly score × weights in force. Below a geometric or harmonic mean
//! the node's contribution is shared in proportion to weight × score. A re-normalised node moves its children's scores by
//! a constant that belongs to none of them: its `residual`. At every node: contribution = Σ contributions of the children +
//! residual, to the last of 18 places (what rounding leaves over goes to the child with the largest contribution).

use super::aggregate::Counted;
use super::fixed::Fixed;
use super::framework::{Aggregate, Renormalise};
use super::frontier::Range;
use super::tree::Group;

/// What comes down from the parent.
#[derive(Clone, Debug, Default)]
pub struct Share {
    pub weight: Option<Fixed>,
    pub contribution: Option<Fixed>,
    /// How much the root gains per point of this item, as long as everything above is linear.
    pub factor: Option<Fixed>,
    /// Something above is held within a range: gains are worked out, not multiplied.
    pub is_held: bool,
}

/// What of it comes down to each child that counts, by index.
pub fn shares(
    group: &Group,
    present: &[Counted<'_>],
    share: &Share,
    range: Option<&Range>,
) -> Vec<(usize, Share)> {
    let total: Fixed = present.iter().map(|child| &child.weight).sum();
    let linear = matches!(group.aggregate, Aggregate::Arithmetic | Aggregate::Sum);
    let divisor = if group.aggregate == Aggregate::Sum { Fixed::one() } else { total };
    let stretched = stretch(group.renormalise, range);
    let factor = share
        .factor
        .as_ref()
        .filter(|_| linear)
        .map(|factor| factor.times_over(&stretched.0, &stretched.1).unwrap_or_default());
    let whole = share.contribution.clone().unwrap_or_default();
    let weighted: Fixed = present.iter().map(|child| child.weight.times(child.score)).sum();
    let own_factor = per_point(group, share, &stretched, &whole, &weighted, &divisor, linear);
    let mut shares: Vec<(usize, Share)> = present
        .iter()
        .map(|child| {
            let weight = child.weight.over(&divisor);
            let contribution = child.weight.times(child.score).times_over(&own_factor, &divisor);
            let factor = factor.as_ref().and_then(|factor| child.weight.times_over(factor, &divisor));
            let is_held = share.is_held || group.renormalise.is_some();
            (child.index, Share { weight, contribution, factor, is_held })
        })
        .collect();
    if group.renormalise.is_none() && share.contribution.is_some() {
        settle(&mut shares, present, &whole);
    }
    shares
}

/// How much of the root each point of the node's weighted mean accounts for.
fn per_point(
    group: &Group,
    share: &Share,
    stretched: &(Fixed, Fixed),
    whole: &Fixed,
    weighted: &Fixed,
    divisor: &Fixed,
    linear: bool,
) -> Fixed {
    match (&share.factor, group.renormalise) {
        (Some(factor), _) if linear => factor.times_over(&stretched.0, &stretched.1).unwrap_or_default(),
        // In proportion to weight × score; nothing to share where that adds up to nothing.
        _ => whole.times_over(divisor, weighted).unwrap_or_default(),
    }
}

/// What a re-normalisation multiplies by, as numerator and denominator; nothing where all were equal.
fn stretch(renormalise: Option<Renormalise>, range: Option<&Range>) -> (Fixed, Fixed) {
    match (renormalise, range) {
        (Some(_), Some(range)) => {
            let width = &range.hi - &range.lo;
            if width.is_zero() { (Fixed::zero(), Fixed::one()) } else { (Fixed::one(), width) }
        }
        (Some(_), None) => (Fixed::zero(), Fixed::one()),
        (None, _) => (Fixed::one(), Fixed::one()),
    }
}

/// Gives what rounding left over to the largest contribution, by code among equals.
fn settle(shares: &mut [(usize, Share)], present: &[Counted<'_>], whole: &Fixed) {
    let parts: Fixed = shares.iter().filter_map(|(_, share)| share.contribution.as_ref()).sum();
    let rest = whole - &parts;
    if rest.is_zero() {
        return;
    }
    let largest = shares.iter_mut().zip(present).max_by(|((_, a), x), ((_, b), y)| {
        let size = |share: &Share| share.contribution.as_ref().map(Fixed::abs);
        size(a).cmp(&size(b)).then_with(|| y.item.code.cmp(&x.item.code))
    });
    if let Some(contribution) = largest.and_then(|((_, share), _)| share.contribution.as_mut()) {
        *contribution += &rest;
    }
}
