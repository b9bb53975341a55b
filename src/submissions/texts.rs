//! Why a submission cannot be edited or moved, and what to do instead.

use super::rules::{Action, State};
use crate::http::Msg;

/// Why the values of a submission in this state cannot be changed.
pub fn not_editable(state: State) -> Msg {
    let (state_vi, state_en) = (state.in_vietnamese(), state.as_str());
    match state {
        State::Submitted => msg!(
            "Báo cáo {state_vi}, không sửa được; đề nghị rút lại báo cáo trước khi sửa.",
            "The submission is `{state_en}` and cannot be edited. Withdraw it first."
        ),
        _ => msg!(
            "Báo cáo {state_vi}, không sửa được; đề nghị cơ quan đầu mối mở lại báo cáo trước khi sửa.",
            "The submission is `{state_en}` and cannot be edited. Ask the coordinating department to reopen it."
        ),
    }
}

/// Why an action is not possible in this state, and which ones are.
pub fn not_allowed(action: Action, state: State, allowed: &[Action]) -> Msg {
    let (action_vi, action_en) = (action.in_vietnamese(), action.as_str());
    let (state_vi, state_en) = (state.in_vietnamese(), state.as_str());
    if allowed.is_empty() {
        return msg!(
            "Báo cáo {state_vi} nên không {action_vi} được; tài khoản này hiện chưa có thao tác nào được phép.",
            "Cannot `{action_en}` a submission in state `{state_en}`. You have no allowed action."
        );
    }
    let names_vi = allowed.iter().map(|action| action.in_vietnamese()).collect::<Vec<_>>().join(", ");
    let names_en = allowed.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(", ");
    msg!(
        "Báo cáo {state_vi} nên không {action_vi} được; thao tác có thể thực hiện: {names_vi}.",
        "Cannot `{action_en}` a submission in state `{state_en}`. Allowed: {names_en}."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_action_names_the_state_and_the_way_out_in_words() {
        let refused = not_allowed(Action::Accept, State::Draft, &[Action::Submit]);
        assert_eq!(
            refused.vi,
            "Báo cáo đang soạn thảo nên không duyệt được; thao tác có thể thực hiện: gửi."
        );
        let stuck = not_allowed(Action::Submit, State::Locked, &[]);
        assert!(!stuck.vi.contains('`') && stuck.en.contains("no allowed action"));
        assert!(not_editable(State::Submitted).vi.contains("rút lại"));
        assert!(not_editable(State::Locked).vi.contains("mở lại"));
    }
}
