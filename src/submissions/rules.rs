//! Where a submission stands, who may move it where, and what locks it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// State of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SubmissionState)]
pub enum State {
    /// Being filled in.
    Draft,
    /// Waiting for the coordinating department.
    Submitted,
    /// Sent back with a reason, to be corrected.
    Returned,
    /// Its figures count.
    Accepted,
    /// Accepted, and its month is closed.
    Locked,
}

impl State {
    pub const ALL: [Self; 5] = [Self::Draft, Self::Submitted, Self::Returned, Self::Accepted, Self::Locked];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Returned => "returned",
            Self::Accepted => "accepted",
            Self::Locked => "locked",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The state in a Vietnamese sentence.
    pub fn in_vietnamese(self) -> &'static str {
        match self {
            Self::Draft => "đang soạn thảo",
            Self::Submitted => "đang chờ duyệt",
            Self::Returned => "đã trả lại",
            Self::Accepted => "đã duyệt",
            Self::Locked => "đã chốt số liệu",
        }
    }
}

stored_as_text!(State);

/// An action on a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SubmissionAction)]
pub enum Action {
    /// Draft or returned → submitted: freezes the values as the next revision.
    Submit,
    /// Submitted → draft, by the side that submitted.
    Withdraw,
    /// Submitted → returned, by the coordinating department, with a reason.
    Return,
    /// Submitted → accepted, by the coordinating department.
    Accept,
    /// Accepted or locked → draft for a correction, by the coordinating department, with a reason.
    Reopen,
}

impl Action {
    pub const ALL: [Self; 5] = [Self::Submit, Self::Withdraw, Self::Return, Self::Accept, Self::Reopen];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Withdraw => "withdraw",
            Self::Return => "return",
            Self::Accept => "accept",
            Self::Reopen => "reopen",
        }
    }

    /// The action in a Vietnamese sentence.
    pub fn in_vietnamese(self) -> &'static str {
        match self {
            Self::Submit => "gửi",
            Self::Withdraw => "rút lại",
            Self::Return => "trả lại",
            Self::Accept => "duyệt",
            Self::Reopen => "mở lại",
        }
    }

    /// Return and reopen are explained to those they burden.
    pub fn needs_reason(self) -> bool {
        matches!(self, Self::Return | Self::Reopen)
    }

    /// Decisions of the coordinating department.
    fn is_review(self) -> bool {
        matches!(self, Self::Return | Self::Accept | Self::Reopen)
    }

    fn target(self, from: State) -> Option<State> {
        match (self, from) {
            (Self::Submit, State::Draft | State::Returned) => Some(State::Submitted),
            (Self::Withdraw, State::Submitted) | (Self::Reopen, State::Accepted | State::Locked) => {
                Some(State::Draft)
            }
            (Self::Return, State::Submitted) => Some(State::Returned),
            (Self::Accept, State::Submitted) => Some(State::Accepted),
            _ => None,
        }
    }
}

/// The outcome of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SubmissionOutcome)]
pub enum Outcome {
    Accepted,
    Returned,
    Withdrawn,
}

impl Outcome {
    /// Outcome of the revision that the action is about; none when it decides nothing of it.
    pub fn of(action: Action) -> Option<&'static str> {
        match action {
            Action::Accept => Some("accepted"),
            Action::Return => Some("returned"),
            Action::Withdraw => Some("withdrawn"),
            Action::Submit | Action::Reopen => None,
        }
    }
}

/// On which side of the desk a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// An officer; that the agency is theirs was settled when the submission was found at all.
    Agency,
    Coordinator,
    Reader,
}

/// Who wants something done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// As in the audit trail: `user:officer.so-yt`.
    pub name: String,
    pub side: Side,
}

/// All that decides what may be done with a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// As shown: `locked` when it is accepted in a closed month.
    pub state: State,
    /// Its month is closed, and it was not reopened since.
    pub locked: bool,
    pub submitted_by: Option<String>,
}

/// Why something may not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not this caller's to do.
    Forbidden,
    /// Whoever submitted may not review.
    ReviewerIsSubmitter,
    PeriodLocked,
    /// Not in this state.
    NotAllowed,
}

impl Standing {
    /// The state after `action`, if `caller` may take it now.
    ///
    /// A closed month locks all of its submissions. The one thing that can still be done is to reopen an accepted one;
    /// from then on that submission alone goes its whole way again, by its officers too, until it is accepted.
    pub fn attempt(&self, action: Action, caller: &Caller) -> Result<State, Refusal> {
        let own = self.submitted_by.as_deref() == Some(caller.name.as_str());
        match caller.side {
            Side::Reader => return Err(Refusal::Forbidden),
            Side::Agency if action.is_review() => return Err(Refusal::Forbidden),
            Side::Agency | Side::Coordinator => {}
        }
        let target = action.target(self.state);
        if self.locked && (action != Action::Reopen || target.is_none()) {
            return Err(Refusal::PeriodLocked);
        }
        let target = target.ok_or(Refusal::NotAllowed)?;
        match action {
            Action::Return | Action::Accept if own => Err(Refusal::ReviewerIsSubmitter),
            // Only the side that sent it takes it back; the other side returns it.
            Action::Withdraw if caller.side == Side::Coordinator && !own => Err(Refusal::Forbidden),
            _ => Ok(target),
        }
    }

    pub fn allowed(&self, caller: &Caller) -> Vec<Action> {
        Action::ALL.into_iter().filter(|action| self.attempt(*action, caller).is_ok()).collect()
    }

    /// Whether the working copy may be changed.
    pub fn editable(&self) -> Result<(), Refusal> {
        match self.state {
            _ if self.locked => Err(Refusal::PeriodLocked),
            State::Draft | State::Returned => Ok(()),
            _ => Err(Refusal::NotAllowed),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn caller(side: Side, name: &str) -> Caller {
        Caller { name: name.into(), side }
    }

    fn standing(state: State, submitted_by: Option<&str>) -> Standing {
        Standing { state, locked: state == State::Locked, submitted_by: submitted_by.map(str::to_owned) }
    }

    #[test]
    fn each_side_has_its_actions() {
        let officer = caller(Side::Agency, "user:officer");
        let coordinator = caller(Side::Coordinator, "user:coordinator");
        let by_officer = |state| standing(state, Some("user:officer"));
        use Action::{Accept, Reopen, Return, Submit, Withdraw};
        for (state, of_officer, of_coordinator) in [
            (State::Draft, vec![Submit], vec![Submit]),
            (State::Submitted, vec![Withdraw], vec![Return, Accept]),
            (State::Returned, vec![Submit], vec![Submit]),
            (State::Accepted, vec![], vec![Reopen]),
            (State::Locked, vec![], vec![Reopen]),
        ] {
            assert_eq!(by_officer(state).allowed(&officer), of_officer, "{state:?}");
            assert_eq!(by_officer(state).allowed(&coordinator), of_coordinator, "{state:?}");
            assert_eq!(by_officer(state).allowed(&caller(Side::Reader, "user:monitor")), [], "{state:?}");
        }
        let own = standing(State::Submitted, Some("user:coordinator"));
        assert_eq!(own.attempt(Accept, &coordinator), Err(Refusal::ReviewerIsSubmitter));
        assert_eq!(own.allowed(&coordinator), [Withdraw]);
        assert_eq!(own.attempt(Accept, &officer), Err(Refusal::Forbidden));
    }

    proptest! {
        #[test]
        fn a_closed_month_lets_through_nothing_but_a_reopening(
            state in select(State::ALL.to_vec()),
            action in select(Action::ALL.to_vec()),
            side in select(vec![Side::Agency, Side::Coordinator, Side::Reader]),
        ) {
            let standing = Standing { state, locked: true, submitted_by: None };
            let accepted = matches!(state, State::Accepted | State::Locked);
            let answer = standing.attempt(action, &caller(side, "user:x"));
            prop_assert_eq!(answer.is_ok(), action == Action::Reopen && accepted && side == Side::Coordinator);
            prop_assert_eq!(standing.editable(), Err(Refusal::PeriodLocked));
        }

        #[test]
        fn nobody_reviews_what_they_submitted(
            state in select(State::ALL.to_vec()),
            action in select(vec![Action::Return, Action::Accept]),
            side in select(vec![Side::Agency, Side::Coordinator, Side::Reader]),
        ) {
            let standing = Standing { state, locked: false, submitted_by: Some("user:x".into()) };
            prop_assert!(standing.attempt(action, &caller(side, "user:x")).is_err());
        }
    }
}
