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
        "Yêu cầu này cần tính {scores} điểm (số lần tính × số đơn vị × số nút); tối đa {MAX_SCORED}. Hãy dùng một lần tính nhỏ hơn hoặc ít phương án hơn.",
        "This request takes {scores} scores (scorings × units × nodes); at most {MAX_SCORED} are computed. Use a smaller run or fewer alternatives."
    );
    Problem::with(ProblemCode::WorkTooLarge, detail)
}

fn add_input(faults: &mut Violations, fault: &InputFault) {
    let (unit, indicator) = (&fault.unit, fault.indicator.as_deref().unwrap_or_default());
    let (code, detail) = match fault.code {
        InputFaultCode::UnitDuplicate => (
            ProblemCode::DuplicateEntry,
            msg!("Đơn vị `{unit}` có hai lần.", "The unit `{unit}` is there twice."),
        ),
        InputFaultCode::UnitUnknown => (ProblemCode::UnknownReference, unknown_unit(unit)),
        InputFaultCode::IndicatorUnknown => (ProblemCode::UnknownReference, unknown_indicator(indicator)),
        InputFaultCode::ObservationDuplicate => (
            ProblemCode::DuplicateEntry,
            msg!("`{unit}` có hai số liệu cho `{indicator}`.", "`{unit}` has two figures for `{indicator}`."),
        ),
        InputFaultCode::TooManyScores => (
            ProblemCode::InvalidLength,
            msg!(
                "Tối đa {MAX_SCORES} điểm (số đơn vị × số nút) trong một lần tính.",
                "At most {MAX_SCORES} scores (units × nodes) in one run."
            ),
        ),
        InputFaultCode::FigureIncomplete => (
            ProblemCode::MissingData,
            msg!(
                "`{unit}`, `{indicator}`: cần giá trị, hoặc tử số và mẫu số.",
                "`{unit}`, `{indicator}`: takes a value, or a numerator and a denominator."
            ),
        ),
        InputFaultCode::FigureAmbiguous => (
            ProblemCode::InvalidValue,
            msg!(
                "`{unit}`, `{indicator}`: giá trị hoặc tử số và mẫu số, không cả hai.",
                "`{unit}`, `{indicator}`: a value or a numerator and a denominator, not both."
            ),
        ),
    };
    faults.add(code, fault.pointer.clone(), detail);
}

pub fn unknown_unit(unit: &str) -> Msg {
    msg!("Không có đơn vị `{unit}` trong lần tính này.", "There is no unit `{unit}` in this run.")
}

pub fn unknown_indicator(indicator: &str) -> Msg {
    msg!("Bộ chỉ số không có chỉ tiêu `{indicator}`.", "The framework has no indicator `{indicator}`.")
}

/// Why no least change could be looked for.
pub fn no_way(fault: InverseFault) -> Problem {
    let (code, pointer, detail) = match fault {
        InverseFault::Cancelled => return departed(Cancelled),
        InverseFault::UnitUnknown => (
            ProblemCode::MissingData,
            "/goal/unit",
            Msg::fixed(
                "Đơn vị không có điểm tổng hợp để bắt đầu.",
                "The unit has no overall score to start from.",
            ),
        ),
        InverseFault::IndicatorUnknown => (
            ProblemCode::UnknownReference,
            "/goal/indicators",
            Msg::fixed("Không phải chỉ tiêu của bộ chỉ số.", "Not an indicator of the framework."),
        ),
        InverseFault::NotApplicable => (
            ProblemCode::MissingData,
            "/goal/indicators",
            Msg::fixed(
                "Có chỉ tiêu không áp dụng cho đơn vị này.",
                "An indicator does not apply to this unit.",
            ),
        ),
        InverseFault::BestOf => (
            ProblemCode::MissingData,
            "/goal/indicators",
            Msg::fixed(
                "Có chỉ tiêu lấy phương án tốt nhất trong nhiều phương án: không có một số liệu chung; hãy thử từng phương án qua `changes`.",
                "An indicator is the best of several alternatives, which have no figure in common: try each by `changes`.",
            ),
        ),
        InverseFault::NoRange => (
            ProblemCode::MissingData,
            "/goal/indicators",
            Msg::fixed(
                "Có chỉ tiêu không biết giá trị tốt nhất: chưa có số liệu của ai, hoặc chỉ để tham khảo.",
                "For an indicator no best figure is known: nobody has one, or it is for information only.",
            ),
        ),
    };
    Problem::at(code, pointer, detail)
}
