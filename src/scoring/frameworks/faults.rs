//! What the engine finds wrong with a framework, told: a code of the contract and a text in both languages.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::http::{Msg, ProblemCode, Violations};
use crate::scoring::engine::faults::{Fault, FaultCode, Report};

/// Settings that are valid but probably unintended.
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

/// A warning about a framework. The framework is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = FrameworkWarning)]
pub struct Warning {
    pub code: WarningCode,
    /// JSON pointer into the framework.
    #[schema(example = "/root/children/0")]
    pub pointer: String,
    /// Text in Vietnamese.
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
        F::CodeInvalid => msg!("Mã `{code}` không hợp lệ.", "Invalid code `{code}`."),
        F::CodeDuplicate => {
            msg!(
                "Mã `{code}` đã dùng cho nhóm hoặc chỉ tiêu khác trong bộ chỉ số.",
                "Code `{code}` is already used elsewhere in the framework."
            )
        }
        F::CodeCycle => {
            msg!(
                "Mã `{code}` được dùng lại cho một mục nằm bên dưới chính mục đó.",
                "Code `{code}` is repeated among its own descendants."
            )
        }
        F::IndicatorUnknown => {
            msg!("Không tìm thấy chỉ tiêu có mã `{code}`.", "Indicator `{code}` does not exist.")
        }
        F::NameEmpty => Msg::fixed("Tên không được để trống.", "The name must not be empty."),
        F::TooDeep => {
            msg!("Bộ chỉ số chỉ được có tối đa {limit} cấp.", "A framework has at most {limit} levels.")
        }
        F::TooManyLeaves => {
            let leaves = of("leaves");
            msg!(
                "Chỉ được có tối đa {limit} chỉ tiêu; hiện có {leaves}.",
                "At most {limit} indicators are allowed, got {leaves}."
            )
        }
        F::NodeEmpty => {
            msg!("Nhóm `{code}` chưa có chỉ tiêu hoặc nhóm con nào.", "Group `{code}` has no children.")
        }
        F::NodeAndLeaf => msg!(
            "`{code}` khai báo lẫn trường của nhóm (children, aggregate) và trường của chỉ tiêu (normalise, points).",
            "`{code}` mixes group fields and indicator fields."
        ),
        F::AggregateMissing => msg!(
            "Nhóm `{code}` phải khai báo phương pháp tổng hợp (aggregate): arithmetic, geometric, harmonic hoặc sum.",
            "Group `{code}` requires `aggregate`: `arithmetic`, `geometric`, `harmonic` or `sum`."
        ),
        F::MethodMissing => msg!(
            "Chỉ tiêu `{code}` phải khai báo phương pháp chuẩn hóa (normalise) hoặc cách chấm điểm (points).",
            "Indicator `{code}` requires `normalise` or `points`."
        ),
        F::MethodAndPoints => msg!(
            "Chỉ tiêu `{code}` đã có cách chấm điểm (points) nên không được khai báo phương pháp chuẩn hóa (normalise) khác none.",
            "Indicator `{code}` has `points`, so `normalise.method` must be `none` or absent."
        ),
        F::ZeroUnderMean => msg!(
            "Nếu `{code}` được 0 điểm thì cả nhóm bằng 0 (do dùng trung bình nhân hoặc trung bình điều hòa).",
            "If `{code}` scores zero, its whole group scores zero (geometric or harmonic mean)."
        ),
        F::WeightAndPoints => msg!(
            "`{code}` vừa có điểm tối đa (max_points) vừa có trọng số khác 1; khi cộng điểm, cả hai cùng được nhân.",
            "`{code}` has both `max_points` and a weight other than 1. In a sum, both multiply the score."
        ),
        F::DeductionUnderMean => msg!(
            "`{code}` là điểm trừ nhưng nhóm không dùng phép cộng (sum); điểm của nhóm không bị trừ xuống dưới 0.",
            "`{code}` is a deduction, but its group is not a sum: the deduction cannot lower the group below zero."
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
            msg!("Trọng số không được âm (hiện là {weight}).", "Weight {weight} is negative.")
        }
        F::WeightsAllZero => Msg::fixed(
            "Nhóm phải có ít nhất một trọng số lớn hơn 0.",
            "At least one weight must be greater than zero.",
        ),
        F::WeightsTotal => msg!(
            "Tổng trọng số phải bằng {expected}; tổng trọng số của các mục con hiện là {found}.",
            "Weights must add up to {expected}; they add up to {found}."
        ),
        F::GoalpostsMissing => Msg::fixed(
            "Phương pháp goalposts phải có cả cận dưới (lo) và cận trên (hi).",
            "The method `goalposts` requires both `lo` and `hi`.",
        ),
        F::GoalpostsReversed => {
            msg!(
                "Cận dưới lo ({lo}) phải nhỏ hơn cận trên hi ({hi}).",
                "`lo` ({lo}) must be less than `hi` ({hi})."
            )
        }
        F::BoundsUnused => Msg::fixed(
            "Chỉ khai báo cận (lo, hi) với phương pháp goalposts.",
            "`lo` and `hi` are allowed with `goalposts` only.",
        ),
        F::ScaleReversed => msg!(
            "Thang điểm phải xếp từ thấp đến cao; hiện là [{lo}, {hi}].",
            "The scale must ascend; got [{lo}, {hi}]."
        ),
        F::TruncateReversed => msg!(
            "Khoảng cắt (truncate) từ {lo} đến {hi} không hợp lệ: lo phải nhỏ hơn hi.",
            "In `truncate`, `lo` ({lo}) must be less than `hi` ({hi})."
        ),
        F::PerNotPositive => {
            msg!(
                "Hệ số nhân (per) phải lớn hơn 0; hiện là {value}.",
                "`per` must be greater than zero; got {value}."
            )
        }
        F::MaxPointsMissing => Msg::fixed(
            "Cách chấm điểm này phải có điểm tối đa (max_points).",
            "This kind of points requires `max_points`.",
        ),
        F::MaxPointsNotPositive => {
            msg!(
                "Điểm tối đa (max_points) phải lớn hơn 0; hiện là {value}.",
                "`max_points` must be greater than zero; got {value}."
            )
        }
        F::MaxPointsTotal if expected.is_empty() => Msg::fixed(
            "Điểm tối đa của phương án không được vượt điểm tối đa của chỉ tiêu.",
            "The alternative's `max_points` exceeds the indicator's.",
        ),
        F::MaxPointsTotal => msg!(
            "Điểm tối đa của nhóm là {expected}, nhưng tổng điểm tối đa của các mục con là {found}.",
            "`max_points` is {expected}, but the children's add up to {found}."
        ),
        F::PointsParameter if field.is_empty() => {
            msg!("Giá trị phải lớn hơn 0; hiện là {value}.", "Must be greater than zero; got {value}.")
        }
        F::PointsParameter => {
            msg!(
                "Cách chấm điểm này không dùng `{field}`.",
                "`{field}` is not allowed with this kind of points."
            )
        }
        F::StepsMissing => Msg::fixed(
            "Phải khai báo ít nhất một bậc điểm trong steps.",
            "`steps` requires at least one step.",
        ),
        F::StepsUnordered => msg!(
            "Các bậc điểm phải tăng dần: bậc từ {from} không lớn hơn bậc liền trước.",
            "Steps must ascend: the step from {from} does not."
        ),
        F::StepsOutOfRange => {
            let points = of("points");
            msg!(
                "Số điểm {points} phải nằm trong khoảng từ 0 đến điểm tối đa.",
                "{points} points is outside the range from 0 to the maximum."
            )
        }
        F::AlternativesMissing => Msg::fixed(
            "Cách chấm best_of phải có ít nhất một phương án trong of.",
            "`best_of` requires at least one alternative in `of`.",
        ),
        F::AlternativeKind => Msg::fixed(
            "Phương án không được dùng cách chấm best_of, deduction hoặc information.",
            "An alternative cannot use `best_of`, `deduction` or `information`.",
        ),
        F::DirectionNotAllowed => Msg::fixed(
            "Cách chấm điểm này không dùng chiều giảm; điểm trừ khai báo bằng deduction.",
            "This kind of points does not support `direction: -1`. Use `deduction` to subtract points.",
        ),
        F::AppliesToEmpty => Msg::fixed(
            "Danh sách áp dụng (applies_to) đang trống: chỉ tiêu không áp dụng cho đơn vị nào.",
            "`applies_to` is empty, so the indicator applies to no unit.",
        ),
        F::RankDecimals => {
            let (decimals, limit) = (of("decimals"), of("limit"));
            msg!(
                "Chỉ được làm tròn đến tối đa {limit} chữ số thập phân; hiện là {decimals}.",
                "At most {limit} decimals are allowed; got {decimals}."
            )
        }
        F::BandsUnordered => msg!(
            "Các mức xếp loại phải tăng dần: mức từ {from} không lớn hơn mức liền trước.",
            "Bands must ascend: the band from {from} does not."
        ),
        _ => Msg::fixed("Bộ chỉ số không hợp lệ.", "Invalid framework."),
    }
}

#[cfg(test)]
#[path = "faults_tests.rs"]
mod tests;
