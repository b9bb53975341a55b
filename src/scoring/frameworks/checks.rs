//! What a framework that is sent must be beside sound: codes, lengths, sizes.

use std::collections::HashSet;

use super::faults;
use crate::http::{Check, Msg, ProblemCode, Violations};
use crate::scoring::engine::faults::FaultCode;
use crate::scoring::engine::framework::{Framework, Node};
use crate::scoring::engine::validate::validate;

/// Characters of a name.
const MOST_NAME: usize = 500;
/// Characters of an attribute or peer group.
const MOST_LABEL: usize = 100;
/// Characters of a kind of units.
const MOST_UNIT_TYPE: usize = 40;
/// Bands, steps, alternatives, attributes: of one list.
const MOST_ITEMS: usize = 100;
/// Groups and indicators together.
const MOST_NODES: usize = 2_000;

impl Check for Framework {
    const MOST_BYTES: usize = 2 * 1024 * 1024;

    fn check(&self, faults: &mut Violations) {
        faults.code("/code", &self.code);
        faults.name("/name", &self.name, 0, MOST_NAME);
        if !is_token(&self.unit_type) {
            let detail = msg!(
                "Loại đơn vị (unit_type) gồm 1–{MOST_UNIT_TYPE} ký tự: chữ thường không dấu, chữ số và dấu _, ví dụ province.",
                "`unit_type` has 1–{MOST_UNIT_TYPE} characters: lower-case ASCII letters, digits or `_`, starting with a letter, such as `province`."
            );
            faults.add(ProblemCode::InvalidCode, "/unit_type", detail);
        }
        at_most("/bands", self.bands.len(), faults);
        let mut codes = HashSet::new();
        for (index, band) in self.bands.iter().take(MOST_ITEMS).enumerate() {
            faults.code(&format!("/bands/{index}/code"), &band.code);
            faults.name(&format!("/bands/{index}/name"), band.name.trim(), 1, MOST_NAME);
            if !codes.insert(&band.code) {
                faults.add(
                    ProblemCode::DuplicateEntry,
                    format!("/bands/{index}/code"),
                    ProblemCode::DuplicateEntry.title(),
                );
            }
        }
        let mut nodes = 0;
        check_node(&self.root, "/root", &mut nodes, faults);
        if nodes > MOST_NODES {
            let detail = msg!(
                "Bộ chỉ số chỉ được có tối đa {MOST_NODES} mục (nhóm và chỉ tiêu).",
                "A framework has at most {MOST_NODES} nodes."
            );
            faults.add(ProblemCode::InvalidLength, "/root", detail);
        }
        // What is too large is not looked into: no caller could use the answer.
        if nodes > MOST_NODES || self.bands.len() > MOST_ITEMS {
            return;
        }
        // Codes and the kind of units were judged above, more strictly than the engine does.
        let judged = |fault: &&crate::scoring::engine::faults::Fault| {
            fault.code != FaultCode::CodeInvalid && fault.pointer != "/unit_type"
        };
        validate(self, None).faults.iter().filter(judged).for_each(|fault| faults::add(fault, faults));
    }
}

fn is_token(text: &str) -> bool {
    text.len() <= MOST_UNIT_TYPE
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn at_most(pointer: &str, n: usize, faults: &mut Violations) {
    if n > MOST_ITEMS {
        let detail = msg!(
            "Chỉ được khai báo tối đa {MOST_ITEMS} mục; hiện có {n} mục.",
            "At most {MOST_ITEMS} items are allowed, got {n}."
        );
        faults.add(ProblemCode::InvalidLength, pointer, detail);
    }
}

fn check_node(node: &Node, pointer: &str, nodes: &mut usize, faults: &mut Violations) {
    *nodes += 1;
    if *nodes > MOST_NODES {
        return;
    }
    faults.code(&format!("{pointer}/code"), &node.code);
    faults.name(&format!("{pointer}/name"), &node.name, 0, MOST_NAME);
    if let Some(points) = &node.points {
        let pointer = format!("{pointer}/points");
        at_most(&format!("{pointer}/steps"), points.steps.as_ref().map_or(0, Vec::len), faults);
        let of = points.of.as_deref().unwrap_or_default();
        at_most(&format!("{pointer}/of"), of.len(), faults);
        for (index, alternative) in of.iter().take(MOST_ITEMS).enumerate() {
            let pointer = format!("{pointer}/of/{index}");
            faults.code(&format!("{pointer}/code"), &alternative.code);
            faults.name(&format!("{pointer}/name"), &alternative.name, 0, MOST_NAME);
            let steps = alternative.points.steps.as_ref().map_or(0, Vec::len);
            at_most(&format!("{pointer}/points/steps"), steps, faults);
        }
    }
    let labels = node.applies_to.as_deref().unwrap_or_default();
    at_most(&format!("{pointer}/applies_to"), labels.len(), faults);
    for (index, label) in labels.iter().take(MOST_ITEMS).enumerate() {
        check_label(&format!("{pointer}/applies_to/{index}"), label, faults);
    }
    for (index, child) in node.children.iter().flatten().enumerate() {
        check_node(child, &format!("{pointer}/children/{index}"), nodes, faults);
    }
}

/// An attribute or peer group: compared letter by letter, so nothing may stand around it.
pub fn check_label(pointer: &str, label: &str, faults: &mut Violations) {
    faults.name(pointer, label, 1, MOST_LABEL);
    if label.trim() != label {
        let detail = Msg::fixed(
            "Nhãn không được có dấu cách ở đầu hoặc cuối.",
            "Leading or trailing spaces are not allowed.",
        );
        faults.add(ProblemCode::InvalidValue, pointer, detail);
    }
}
