//! Whether the other end of a stream keeps up. Only the time that is spent waiting for it counts: a slow database is not its fault.

use std::time::Duration;

/// Bytes per second that a client has to send or take on average, in each [`GRACE`] spent waiting for it. Less than a modem of the
/// 1990s; a permit is not for less.
pub const MIN_BYTES_PER_SECOND: u64 = 8 * 1024;
/// How long a client may be slower than that.
pub const GRACE: Duration = Duration::from_secs(10);
/// How long a client may do nothing at all.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(8);

/// Time waited for a client and bytes that came or went meanwhile.
#[derive(Debug, Default)]
pub struct MinimumRate {
    waited: Duration,
    bytes: u64,
}

impl MinimumRate {
    /// Counts a wait that ended with `bytes`; `false`: the client is too slow. A fast beginning buys no time for later.
    #[must_use]
    pub fn keeps_up(&mut self, waited: Duration, bytes: usize) -> bool {
        self.waited += waited;
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if self.waited < GRACE {
            return true;
        }
        let expected = MIN_BYTES_PER_SECOND.saturating_mul(self.waited.as_secs());
        let enough = self.bytes >= expected;
        *self = Self::default();
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Seconds until a client that sends so much each second is too slow.
    fn endured(rate: &mut MinimumRate, bytes: usize) -> Option<usize> {
        (1..=600).find(|_| !rate.keeps_up(SECOND, bytes))
    }

    #[test]
    fn a_client_that_trickles_is_too_slow_after_the_grace() {
        assert_eq!(endured(&mut MinimumRate::default(), 1), Some(10));
        assert_eq!(endured(&mut MinimumRate::default(), 8 * 1024 - 1), Some(10));
        assert_eq!(endured(&mut MinimumRate::default(), 8 * 1024), None);
    }

    #[test]
    fn a_fast_beginning_buys_no_time_for_later() {
        let mut rate = MinimumRate::default();
        assert!(rate.keeps_up(SECOND, 50_000_000));
        assert_eq!(endured(&mut rate, 1), Some(19), "the window that has the beginning in it, and one more");
    }

    #[test]
    fn a_client_that_is_never_waited_for_is_never_too_slow() {
        let mut rate = MinimumRate::default();
        assert!((0..100_000).all(|_| rate.keeps_up(Duration::ZERO, 1)));
    }
}
