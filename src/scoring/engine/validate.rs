//! Whether a framework can be used: all its faults at once, each with the place where it stands.

use std::collections::BTreeSet;

use super::faults::{FaultCode as Code, Report};
use super::fixed::Fixed;
use super::framework::{Aggregate, Framework, Node};
use super::framework_leaf::PointsKind;
use super::validate_leaf::check_leaf;

pub const MAX_DEPTH: usize = 8;
pub const MAX_LEAVES: usize = 500;
pub const MAX_RANK_DECIMALS: u32 = 10;
const MAX_CODE_LENGTH: usize = 64;

/// Checks a framework; with `known`, its indicators must be among those.
pub fn validate(framework: &Framework, known: Option<&BTreeSet<String>>) -> Report {
    let mut check =
        Check { known, seen: BTreeSet::new(), path: Vec::new(), leaves: 0, report: Report::default() };
    check.head(framework);
    check.node(&framework.root, "/root", None);
    if check.leaves > MAX_LEAVES {
        let params = [("leaves", check.leaves.to_string()), ("limit", MAX_LEAVES.to_string())];
        check.report.fault(Code::TooManyLeaves, "/root", &params);
    }
    check.report
}

/// A walk through the tree.
pub struct Check<'a> {
    known: Option<&'a BTreeSet<String>>,
    seen: BTreeSet<&'a str>,
    path: Vec<&'a str>,
    leaves: usize,
    pub report: Report,
}

impl<'a> Check<'a> {
    fn head(&mut self, framework: &'a Framework) {
        if framework.code.trim().is_empty() || framework.code.chars().count() > MAX_CODE_LENGTH {
            self.report.fault(Code::CodeInvalid, "/code", &[("code", framework.code.clone())]);
        }
        for (text, pointer) in [(&framework.name, "/name"), (&framework.unit_type, "/unit_type")] {
            if text.trim().is_empty() {
                self.report.fault(Code::NameEmpty, pointer, &[]);
            }
        }
        if framework.rank.decimals > MAX_RANK_DECIMALS {
            let params =
                [("decimals", framework.rank.decimals.to_string()), ("limit", MAX_RANK_DECIMALS.to_string())];
            self.report.fault(Code::RankDecimals, "/rank/decimals", &params);
        }
        for (index, pair) in framework.bands.windows(2).enumerate() {
            if let [lower, upper] = pair
                && lower.from >= upper.from
            {
                let pointer = format!("/bands/{}/from", index + 1);
                self.report.fault(Code::BandsUnordered, &pointer, &[("from", upper.from.to_string())]);
            }
        }
    }

    fn node(&mut self, node: &'a Node, pointer: &str, parent: Option<&'a Node>) {
        self.code(&node.code, pointer);
        if node.name.trim().is_empty() {
            self.report.fault(Code::NameEmpty, &format!("{pointer}/name"), &[]);
        }
        if let Some(weight) = node.weight.as_ref().filter(|weight| weight.is_negative()) {
            self.report.fault(
                Code::WeightNegative,
                &format!("{pointer}/weight"),
                &[("weight", weight.to_string())],
            );
        }
        if self.path.len() >= MAX_DEPTH {
            self.report.fault(Code::TooDeep, pointer, &[("limit", MAX_DEPTH.to_string())]);
            return;
        }
        self.path.push(&node.code);
        match &node.children {
            Some(children) => self.inner(node, children, pointer),
            None if node.aggregate.is_some() => {
                self.report.fault(
                    Code::NodeEmpty,
                    &format!("{pointer}/children"),
                    &[("code", node.code.clone())],
                );
            }
            None => {
                self.leaves += 1;
                self.known(&node.code, pointer, node);
                check_leaf(self, node, pointer, parent.and_then(|parent| parent.aggregate));
            }
        }
        self.path.pop();
    }

    /// A code is unique in the framework: observations and scores are keyed by it.
    pub fn code(&mut self, code: &'a str, pointer: &str) {
        let pointer = format!("{pointer}/code");
        let params = [("code", code.to_owned())];
        if code.trim() != code || code.is_empty() || code.chars().count() > MAX_CODE_LENGTH {
            self.report.fault(Code::CodeInvalid, &pointer, &params);
        } else if self.path.contains(&code) {
            self.report.fault(Code::CodeCycle, &pointer, &params);
        } else if !self.seen.insert(code) {
            self.report.fault(Code::CodeDuplicate, &pointer, &params);
        }
    }

    fn known(&mut self, code: &str, pointer: &str, node: &Node) {
        let best_of = node.points.as_ref().is_some_and(|points| points.kind == PointsKind::BestOf);
        if !best_of {
            self.indicator(code, pointer);
        }
    }

    pub fn indicator(&mut self, code: &str, pointer: &str) {
        if self.known.is_some_and(|known| !known.contains(code)) {
            self.report.fault(
                Code::IndicatorUnknown,
                &format!("{pointer}/code"),
                &[("code", code.to_owned())],
            );
        }
    }

    fn inner(&mut self, node: &'a Node, children: &'a [Node], pointer: &str) {
        let leaf_fields = node.normalise.is_some()
            || node.points.is_some()
            || node.direction.is_some()
            || node.truncate.is_some()
            || node.applies_to.is_some()
            || node.per.is_some();
        if leaf_fields {
            self.report.fault(Code::NodeAndLeaf, pointer, &[("code", node.code.clone())]);
        }
        if node.aggregate.is_none() {
            self.report.fault(
                Code::AggregateMissing,
                &format!("{pointer}/aggregate"),
                &[("code", node.code.clone())],
            );
        }
        if children.is_empty() {
            self.report.fault(
                Code::NodeEmpty,
                &format!("{pointer}/children"),
                &[("code", node.code.clone())],
            );
        } else {
            self.weights(node, children, pointer);
            self.max_points(node, children, pointer);
        }
        for (index, child) in children.iter().enumerate() {
            self.node(child, &format!("{pointer}/children/{index}"), Some(node));
        }
    }

    fn weights(&mut self, node: &Node, children: &[Node], pointer: &str) {
        let weights: Vec<Fixed> = children.iter().map(|child| weight_under(child, node.aggregate)).collect();
        let pointer = format!("{pointer}/children");
        if weights.iter().all(Fixed::is_zero) && !children.iter().all(is_information) {
            self.report.fault(Code::WeightsAllZero, &pointer, &[("code", node.code.clone())]);
        }
        let total: Fixed = weights.iter().sum();
        if let Some(wanted) = node.weight_total.as_ref().filter(|wanted| **wanted != total) {
            let params = [("expected", wanted.to_string()), ("found", total.to_string())];
            self.report.fault(Code::WeightsTotal, &pointer, &params);
        }
    }

    /// Deductions and information do not raise what can be reached.
    fn max_points(&mut self, node: &Node, children: &[Node], pointer: &str) {
        let Some(wanted) = &node.max_points else { return };
        let counted = children
            .iter()
            .filter(|child| !matches!(kind_of(child), Some(PointsKind::Deduction | PointsKind::Information)));
        let total: Fixed = counted.filter_map(|child| child.max_points.as_ref()).sum();
        if *wanted != total {
            let params = [("expected", wanted.to_string()), ("found", total.to_string())];
            self.report.fault(Code::MaxPointsTotal, &format!("{pointer}/max_points"), &params);
        }
    }
}

fn kind_of(node: &Node) -> Option<PointsKind> {
    node.points.as_ref().map(|points| points.kind)
}

fn is_information(node: &Node) -> bool {
    kind_of(node) == Some(PointsKind::Information)
}

/// The weight a child has under its parent: as stated, else its maximum under a mean, else 1.
pub fn weight_under(child: &Node, aggregate: Option<Aggregate>) -> Fixed {
    let maximum = || child.max_points.clone().filter(|_| aggregate != Some(Aggregate::Sum));
    child.weight.clone().or_else(maximum).unwrap_or_else(Fixed::one)
}
