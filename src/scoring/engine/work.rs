//! How much is computed for one answer: bounded before it begins, and cancelled when no request waits for it any more.

/// Scores that may be computed exactly for one answer, over all scorings that it takes: some ten seconds of one processor. 300 units at
/// 100 indicators and their groups, without each indicator in turn, are 4 million.
pub const MAX_SCORED: u64 = 6_000_000;

/// An answer that would take more than [`MAX_SCORED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{scores} scores would have to be computed, more than {MAX_SCORED}")]
pub struct TooMuchWork {
    pub scores: u64,
}

/// No request waits for the answer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no request waits for the answer any more")]
pub struct Cancelled;

/// Checked between the steps of a long computation.
#[derive(Clone, Copy)]
pub struct Cancellation<'a>(&'a dyn Fn() -> bool);

impl<'a> Cancellation<'a> {
    /// Of a computation that goes on to its end.
    pub const NEVER: Cancellation<'static> = Cancellation(&|| false);

    pub fn when(is_cancelled: &'a dyn Fn() -> bool) -> Self {
        Self(is_cancelled)
    }

    /// Before each step.
    pub fn check(&self) -> Result<(), Cancelled> {
        if (self.0)() { Err(Cancelled) } else { Ok(()) }
    }
}

/// Whether so many scores are.
pub fn within(scores: u64) -> Result<(), TooMuchWork> {
    if scores > MAX_SCORED { Err(TooMuchWork { scores }) } else { Ok(()) }
}

pub fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
