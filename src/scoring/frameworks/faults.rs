//! What the engine finds wrong with a framework, told: a code of the contract and a text in both languages.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::http::{Msg, ProblemCode, Violations};
use crate::scoring::engine::faults::{Fault, FaultCode, Report};

/// What is allowed but seldom meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = FrameworkWarningCode)]
pub enum WarningCode {
    /// A zero of this indicator makes its whole group zero.
    ZeroUnderMean,
    /// In a sum, a weight other than 1 multiplies points that `max_points` has weighted already.
    WeightAndPoints,
    /// Under a mean a deduction takes nothing from the others.
    DeductionUnderMean,
}

/// A framework with a warning is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FrameworkWarning)]
pub struct Warning {
    pub code: WarningCode,
    /// JSON pointer into the framework.
    #[schema(example = "/root/children/0")]
    pub pointer: String,
    /// In Vietnamese.
    pub detail: String,
    pub detail_en: String,
}

/// The warnings of a report.
pub fn warnings(report: &Report) -> Vec<Warning> {
    let warning = |fault: &Fault| {
        let Kind::Warning(code) = kind(fault.code) else { return None };
        let text = text(fault);
        let (detail, detail_en) = (text.vi.into_owned(), text.en.into_owned());
        Some(Warning { code, pointer: fault.pointer.clone(), detail, detail_en })
    };
    report.warnings.iter().filter_map(warning).collect()
}

/// Adds a fault of the engine's with the values it names.
pub fn add(fault: &Fault, faults: &mut Violations) {
    let Kind::Fault(code) = kind(fault.code) else { return };
    let extra: Map<String, Value> = fault
        .params
        .iter()
        .filter(|(name, _)| **name != "code")
        .map(|(name, value)| ((*name).to_owned(), Value::from(value.clone())))
        .collect();
    faults.add_with(code, fault.pointer.clone(), text(fault), extra);
}

enum Kind {
    Fault(ProblemCode),
    Warning(WarningCode),
}

fn kind(code: FaultCode) -> Kind {
    use FaultCode as F;
    Kind::Fault(match code {
        F::CodeInvalid => ProblemCode::InvalidCode,
        F::CodeDuplicate => ProblemCode::DuplicateEntry,
        F::CodeCycle => ProblemCode::CyclicReference,
        F::IndicatorUnknown => ProblemCode::UnknownReference,
        F::NameEmpty => ProblemCode::InvalidLength,
        F::TooDeep => ProblemCode::TreeTooDeep,
        F::TooManyLeaves => ProblemCode::TooManyLeaves,
        F::NodeEmpty => ProblemCode::NodeEmpty,
        F::NodeAndLeaf => ProblemCode::NodeAndLeaf,
        F::AggregateMissing => ProblemCode::AggregateMissing,
        F::WeightNegative => ProblemCode::WeightNegative,
        F::WeightsAllZero => ProblemCode::WeightsAllZero,
        F::WeightsTotal => ProblemCode::WeightsTotal,
        F::MethodMissing => ProblemCode::MethodMissing,
        F::MethodAndPoints => ProblemCode::MethodAndPoints,
        F::GoalpostsMissing => ProblemCode::GoalpostsMissing,
        F::GoalpostsReversed => ProblemCode::GoalpostsReversed,
        F::BoundsUnused => ProblemCode::BoundsUnused,
        F::ScaleReversed => ProblemCode::ScaleReversed,
        F::TruncateReversed => ProblemCode::TruncateReversed,
        F::PerNotPositive => ProblemCode::PerNotPositive,
        F::MaxPointsMissing => ProblemCode::MaxPointsMissing,
        F::MaxPointsNotPositive => ProblemCode::MaxPointsNotPositive,
        F::MaxPointsTotal => ProblemCode::MaxPointsTotal,
        F::PointsParameter => ProblemCode::PointsParameter,
        F::StepsMissing => ProblemCode::StepsMissing,
        F::StepsUnordered => ProblemCode::StepsUnordered,
        F::StepsOutOfRange => ProblemCode::StepsOutOfRange,
        F::AlternativesMissing => ProblemCode::AlternativesMissing,
        F::AlternativeKind => ProblemCode::AlternativeKind,
        F::DirectionNotAllowed => ProblemCode::DirectionNotAllowed,
        F::AppliesToEmpty => ProblemCode::AppliesToEmpty,
        F::RankDecimals => ProblemCode::RankDecimals,
        F::BandsUnordered => ProblemCode::BandsUnordered,
        F::ZeroUnderMean => return Kind::Warning(WarningCode::ZeroUnderMean),
        F::WeightAndPoints => return Kind::Warning(WarningCode::WeightAndPoints),
        F::DeductionUnderMean => return Kind::Warning(WarningCode::DeductionUnderMean),
    })
}

/// The text with the values that a fault names.
fn text(fault: &Fault) -> Msg {
    use FaultCode as F;
    let of = |name: &str| fault.params.get(name).map_or("", String::as_str);
    let (code, limit) = (of("code"), of("limit"));
    match fault.code {
        F::CodeInvalid => msg!("Mã `{code}` không hợp lệ.", "The code `{code}` is invalid."),
        F::CodeDuplicate => {
            msg!(
                "Mã `{code}` đã có ở nút khác của bộ chỉ số.",
                "The code `{code}` occurs elsewhere in the framework."
            )
        }
        F::CodeCycle => {
            msg!(
                "Mã `{code}` lặp lại ngay bên dưới chính nó.",
                "The code `{code}` occurs again below itself."
            )
        }
        F::IndicatorUnknown => msg!("Không có chỉ tiêu `{code}`.", "There is no indicator `{code}`."),
        F::NameEmpty => Msg::fixed("Tên không được để trống.", "The name must not be empty."),
        F::TooDeep => msg!("Cây có tối đa {limit} tầng.", "A tree has at most {limit} levels."),
        F::TooManyLeaves => {
            let leaves = of("leaves");
            msg!("Tối đa {limit} chỉ tiêu, nhận được {leaves}.", "At most {limit} indicators, got {leaves}.")
        }
        F::NodeEmpty => msg!("Nhóm `{code}` không có nút con.", "The group `{code}` has no children."),
        F::NodeAndLeaf => msg!(
            "`{code}` vừa có trường của nhóm vừa có trường của chỉ tiêu.",
            "`{code}` has fields of a group and of an indicator."
        ),
        F::AggregateMissing => msg!(
            "Nhóm `{code}` cần aggregate: arithmetic, geometric, harmonic hoặc sum.",
            "The group `{code}` needs aggregate: arithmetic, geometric, harmonic or sum."
        ),
        F::MethodMissing => msg!(
            "Chỉ tiêu `{code}` cần normalise hoặc points.",
            "The indicator `{code}` needs normalise or points."
        ),
        F::MethodAndPoints => msg!(
            "Chỉ tiêu `{code}` có points nên không được có cách chuẩn hóa khác none.",
            "The indicator `{code}` has points: it takes no method other than none."
        ),
        F::ZeroUnderMean => msg!(
            "Điểm 0 của `{code}` làm cả nhóm bằng 0 (trung bình nhân hoặc điều hòa).",
            "A zero of `{code}` makes its whole group zero (geometric or harmonic mean)."
        ),
        F::WeightAndPoints => msg!(
            "`{code}` có cả max_points và trọng số khác 1: trong phép cộng, cả hai đều nhân vào.",
            "`{code}` has max_points and a weight other than 1: in a sum both multiply."
        ),
        F::DeductionUnderMean => msg!(
            "`{code}` là điểm trừ nhưng nhóm không cộng điểm: không trừ được gì dưới 0.",
            "`{code}` is a deduction in a group that is no sum: it lowers nothing below zero."
        ),
        _ => text_of_numbers(fault.code, of),
    }
}

/// Texts about weights, bounds and points.
fn text_of_numbers<'p>(code: FaultCode, of: impl Fn(&str) -> &'p str) -> Msg {
    use FaultCode as F;
    let (lo, hi, from, value) = (of("lo"), of("hi"), of("from"), of("value"));
    let (expected, found, field) = (of("expected"), of("found"), of("field"));
    match code {
        F::WeightNegative => {
            let weight = of("weight");
            msg!("Trọng số {weight} là số âm.", "The weight {weight} is negative.")
        }
        F::WeightsAllZero => {
            Msg::fixed("Cần ít nhất một trọng số lớn hơn 0.", "At least one weight must be above zero.")
        }
        F::WeightsTotal => msg!(
            "Tổng trọng số phải là {expected}, các nút con cộng lại được {found}.",
            "The weights must add up to {expected}, the children's make {found}."
        ),
        F::GoalpostsMissing => {
            Msg::fixed("Cách goalposts cần cả lo và hi.", "The method goalposts needs lo and hi.")
        }
        F::GoalpostsReversed => {
            msg!("lo ({lo}) phải nhỏ hơn hi ({hi}).", "lo ({lo}) must be below hi ({hi}).")
        }
        F::BoundsUnused => {
            Msg::fixed("lo và hi chỉ dùng với goalposts.", "lo and hi go with goalposts alone.")
        }
        F::ScaleReversed => msg!(
            "Thang điểm phải từ thấp đến cao, không phải [{lo}, {hi}].",
            "The scale must go from low to high, not [{lo}, {hi}]."
        ),
        F::TruncateReversed => msg!(
            "Cắt từ {lo} đến {hi}: lo phải nhỏ hơn hi.",
            "Truncated from {lo} to {hi}: lo must be below hi."
        ),
        F::PerNotPositive => {
            msg!("per phải lớn hơn 0, không phải {value}.", "per must be above zero, not {value}.")
        }
        F::MaxPointsMissing => {
            Msg::fixed("Cách chấm điểm này cần max_points.", "These points need max_points.")
        }
        F::MaxPointsNotPositive => {
            msg!(
                "max_points phải lớn hơn 0, không phải {value}.",
                "max_points must be above zero, not {value}."
            )
        }
        F::MaxPointsTotal if expected.is_empty() => Msg::fixed(
            "Điểm tối đa của phương án vượt điểm tối đa của chỉ tiêu.",
            "The alternative's maximum exceeds the indicator's.",
        ),
        F::MaxPointsTotal => msg!(
            "Điểm tối đa ghi {expected}, các nút con cộng lại được {found}.",
            "The maximum says {expected}, the children's make {found}."
        ),
        F::PointsParameter if field.is_empty() => {
            msg!("Cần số lớn hơn 0, không phải {value}.", "Takes a number above zero, not {value}.")
        }
        F::PointsParameter => {
            msg!(
                "`{field}` không dùng với cách chấm điểm này.",
                "`{field}` does not go with this kind of points."
            )
        }
        F::StepsMissing => Msg::fixed("Cần ít nhất một bậc trong steps.", "At least one step is needed."),
        F::StepsUnordered => msg!(
            "Bậc từ {from} không lớn hơn bậc trước.",
            "The step from {from} is not above the one before."
        ),
        F::StepsOutOfRange => {
            let points = of("points");
            msg!(
                "{points} điểm nằm ngoài 0 đến điểm tối đa.",
                "{points} points lie outside 0 to the maximum."
            )
        }
        F::AlternativesMissing => Msg::fixed(
            "best_of cần ít nhất một phương án trong of.",
            "best_of needs at least one alternative in of.",
        ),
        F::AlternativeKind => Msg::fixed(
            "Phương án không thể là best_of, deduction hoặc information.",
            "An alternative cannot be best_of, deduction or information.",
        ),
        F::DirectionNotAllowed => Msg::fixed(
            "Cách chấm điểm này không có chiều giảm; điểm trừ là deduction.",
            "These points have no downward direction; a deduction is a kind of its own.",
        ),
        F::AppliesToEmpty => Msg::fixed(
            "Danh sách rỗng: chỉ tiêu không áp dụng cho ai.",
            "An empty list: the indicator applies to nobody.",
        ),
        F::RankDecimals => {
            let (decimals, limit) = (of("decimals"), of("limit"));
            msg!(
                "Tối đa {limit} chữ số thập phân, không phải {decimals}.",
                "At most {limit} decimals, not {decimals}."
            )
        }
        F::BandsUnordered => msg!(
            "Mức từ {from} không lớn hơn mức trước.",
            "The band from {from} is not above the one before."
        ),
        _ => Msg::fixed("Bộ chỉ số không hợp lệ.", "The framework is not sound."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With every parameter that any fault names.
    fn fault(code: FaultCode) -> Fault {
        let names = [
            "code", "limit", "leaves", "weight", "expected", "found", "lo", "hi", "from", "value", "field",
            "points", "decimals",
        ];
        Fault { code, pointer: "/root".into(), params: names.map(|name| (name, format!("<{name}>"))).into() }
    }

    #[test]
    fn every_fault_has_a_text_of_its_own_in_both_languages() {
        let mut seen = std::collections::HashSet::new();
        for code in FaultCode::ALL {
            let text = text(&fault(*code));
            assert_ne!(text.vi, text.en, "{code:?}");
            assert!(!text.en.contains("not sound"), "{code:?} has no text");
            assert!(seen.insert(text.vi.into_owned()) && seen.insert(text.en.into_owned()), "{code:?}");
        }
    }

    #[test]
    fn no_two_faults_share_a_code() {
        let mut seen = std::collections::HashSet::new();
        for code in FaultCode::ALL {
            if let Kind::Fault(told) = kind(*code) {
                assert!(seen.insert(told), "{code:?}");
            }
        }
        assert_eq!(seen.len(), FaultCode::ALL.len() - 3, "all but the warnings");
    }
}
