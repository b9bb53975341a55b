//! What the engine refuses, as problems.

use crate::http::{Msg, Problem, ProblemCode, Violations};
use crate::scoring::engine::input::{InputFault, InputFaultCode, MAX_SCORES};
use crate::scoring::engine::inverse::InverseFault;
use crate::scoring::engine::score::Refusal;
use crate::scoring::engine::work::{Cancelled, MAX_SCORED, TooMuchWork};
use crate::scoring::frameworks::faults as told;

/// Why a run could not be computed. What is stored was checked when it came, so this names what has been changed since.
pub fn refused(refusal: Refusal) -> Problem {
    let mut faults = Violations::default();
    match refusal {
        Refusal::Framework(report) => {
            report.faults.iter().for_each(|fault| told::add(fault, &mut faults));
        }
        Refusal::Input(input) => input.iter().for_each(|fault| add_input(&mut faults, fault)),
        Refusal::Cancelled(cancelled) => return departed(cancelled),
    }
    faults.into_result().err().unwrap_or_else(|| Problem::internal("a run was refused without a fault"))
}

/// The caller is gone, so the answer is not read.
pub fn departed(_: Cancelled) -> Problem {
    Problem::new(ProblemCode::Unavailable).retry_after(1)
}

/// Answered before anything is computed.
pub fn too_much(work: TooMuchWork) -> Problem {
    let scores = work.scores;
    let detail = msg!(
        "Yêu cầu này phải tính {scores} điểm (số lần tính × số đơn vị × số nhóm và chỉ tiêu), vượt mức tối đa {MAX_SCORED}; đề nghị dùng lần tính nhỏ hơn hoặc ít phương án hơn.",
        "This request needs {scores} scores (scorings × units × nodes); the limit is {MAX_SCORED}. Use a smaller run or fewer alternatives."
    );
    Problem::with(ProblemCode::WorkTooLarge, detail)
}

fn add_input(faults: &mut Violations, fault: &InputFault) {
    let (unit, indicator) = (&fault.unit, fault.indicator.as_deref().unwrap_or_default());
    let (code, detail) = match fault.code {
        InputFaultCode::UnitDuplicate => (
            ProblemCode::DuplicateEntry,
            msg!("Đơn vị `{unit}` được khai báo nhiều lần.", "Duplicate unit `{unit}`."),
        ),
        InputFaultCode::UnitUnknown => (ProblemCode::UnknownReference, unknown_unit(unit)),
        InputFaultCode::IndicatorUnknown => (ProblemCode::UnknownReference, unknown_indicator(indicator)),
        InputFaultCode::ObservationDuplicate => (
            ProblemCode::DuplicateEntry,
            msg!(
                "Đơn vị `{unit}` có hai số liệu cho chỉ tiêu `{indicator}`.",
                "Unit `{unit}` has two figures for `{indicator}`."
            ),
        ),
        InputFaultCode::TooManyScores => (
            ProblemCode::InvalidLength,
            msg!(
                "Mỗi lần tính chỉ được có tối đa {MAX_SCORES} điểm (số đơn vị × số chỉ tiêu và nhóm).",
                "A run has at most {MAX_SCORES} scores (units × nodes)."
            ),
        ),
        InputFaultCode::FigureIncomplete => (
            ProblemCode::MissingData,
            msg!(
                "Đơn vị `{unit}`, chỉ tiêu `{indicator}`: phải có giá trị, hoặc tử số và mẫu số.",
                "`{unit}`, `{indicator}`: provide a value, or a numerator and a denominator."
            ),
        ),
        InputFaultCode::FigureAmbiguous => (
            ProblemCode::InvalidValue,
            msg!(
                "Đơn vị `{unit}`, chỉ tiêu `{indicator}`: chỉ khai báo giá trị, hoặc tử số và mẫu số.",
                "`{unit}`, `{indicator}`: provide a value or a numerator and a denominator, not both."
            ),
        ),
    };
    faults.add(code, fault.pointer.clone(), detail);
}

pub fn unknown_unit(unit: &str) -> Msg {
    msg!("Lần tính này không có đơn vị `{unit}`.", "This run has no unit `{unit}`.")
}

pub fn unknown_indicator(indicator: &str) -> Msg {
    msg!(
        "Bộ chỉ số không có chỉ tiêu mang mã `{indicator}`.",
        "The framework has no indicator `{indicator}`."
    )
}

/// Why no least change could be looked for.
pub fn no_way(fault: InverseFault) -> Problem {
    let (code, pointer, detail) = match fault {
        InverseFault::Cancelled => return departed(Cancelled),
        InverseFault::UnitUnknown => (
            ProblemCode::MissingData,
            "/goal/unit",
            Msg::fixed(
                "Đơn vị chưa có điểm tổng hợp nên không tìm được phương án cải thiện.",
                "The unit has no overall score, so no goal can be searched from it.",
            ),
        ),
        InverseFault::IndicatorUnknown => (
            ProblemCode::UnknownReference,
            "/goal/indicators",
            Msg::fixed(
                "Danh sách có mã không phải chỉ tiêu của bộ chỉ số.",
                "Not an indicator of this framework.",
            ),
        ),
        InverseFault::NotApplicable => (
            ProblemCode::MissingData,
            "/goal/indicators",
            Msg::fixed(
                "Có chỉ tiêu không áp dụng cho đơn vị này.",
                "One of the indicators does not apply to this unit.",
            ),
        ),
        InverseFault::BestOf => (
            ProblemCode::MissingData,
            "/goal/indicators",
            Msg::fixed(
                "Có chỉ tiêu chấm theo phương án tốt nhất (best_of) nên không có số liệu chung để tính; đề nghị thử từng phương án qua `changes`.",
                "One of the indicators is `best_of` and has no single figure. Try its alternatives one by one in `changes`.",
            ),
        ),
        InverseFault::NoRange => (
            ProblemCode::MissingData,
            "/goal/indicators",
            Msg::fixed(
                "Có chỉ tiêu chưa xác định được giá trị tốt nhất, do chưa đơn vị nào có số liệu hoặc chỉ tiêu chỉ để tham khảo.",
                "The best value of one of the indicators is unknown: no unit has a figure, or it is for information only.",
            ),
        ),
    };
    Problem::at(code, pointer, detail)
}
