//! When a month can be closed and opened again.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a month's figures are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MonthState {
    Open,
    Closed,
}

impl MonthState {
    pub fn of(closed: bool) -> Self {
        if closed { Self::Closed } else { Self::Open }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// An action on a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MonthAction {
    /// Lock the month's figures.
    Close,
    /// Unlock them, with a reason.
    Reopen,
}

impl MonthAction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Reopen => "reopen",
        }
    }

    /// The one action that is possible in a state.
    pub fn possible(state: MonthState) -> Self {
        match state {
            MonthState::Open => Self::Close,
            MonthState::Closed => Self::Reopen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_can_be_closed_and_the_other_way_round() {
        assert_eq!(MonthAction::possible(MonthState::of(false)), MonthAction::Close);
        assert_eq!(MonthAction::possible(MonthState::of(true)), MonthAction::Reopen);
    }
}
