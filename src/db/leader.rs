//! Which of several servers leads, as far as this instance has observed, and the fence around those that lead no longer.
//!
//! Each promotion of a standby begins a timeline of a greater number. A server of an earlier timeline than one that was met already is not
//! spoken to, and connections to it end at once, whatever they wait for. See `docs/adr/0028-failover-by-timeline.md`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// A database URL, and what is known of the server that leads there. Cheap to clone.
#[derive(Clone)]
pub(super) struct Target {
    pub url: Arc<str>,
    pub leader: Arc<Leader>,
}

impl Target {
    pub fn new(url: &str) -> Self {
        Self { url: url.into(), leader: Arc::default() }
    }
}

/// A time during which one server leads: greater than every one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Term {
    timeline: u32,
    /// How often a server was found to take no writes any longer.
    stepped_down: u32,
}

/// What is known of the server that leads.
#[derive(Default)]
pub(super) struct Leader {
    /// The newest term met so far.
    newest: watch::Sender<Term>,
    /// The host that took a connection last.
    host: AtomicUsize,
}

impl Leader {
    /// Indices of so many hosts: the one that took a connection last, then the others in their order.
    pub fn order(&self, hosts: usize) -> impl ExactSizeIterator<Item = usize> + use<> {
        let last = self.host.load(Ordering::Relaxed);
        let mut order: Vec<usize> = (0..hosts).collect();
        order.sort_by_key(|host| *host != last);
        order.into_iter()
    }

    /// The term of a connection to a server of this timeline; `None` when it led before another did. From a newer one on, no other
    /// is spoken to.
    pub fn admit(&self, host: usize, timeline: u32) -> Option<Term> {
        let mut term = None;
        self.newest.send_if_modified(|newest| {
            if timeline < newest.timeline {
                return false;
            }
            let is_newer = timeline > newest.timeline;
            if is_newer && newest.timeline > 0 {
                log::warn!(target: "leader", timeline, host; "another server is the leader");
            }
            newest.timeline = timeline;
            term = Some(*newest);
            is_newer
        });
        if term.is_some() {
            self.host.store(host, Ordering::Relaxed);
        }
        term
    }

    /// The server of a term takes no writes any longer: what is connected to it finds another.
    pub fn steps_down(&self, term: Option<Term>) {
        self.newest.send_if_modified(|newest| {
            let is_so = term == Some(*newest);
            newest.stepped_down += u32::from(is_so);
            is_so
        });
    }

    /// Ends when a newer term than this has begun.
    pub fn superseded(&self, term: Term) -> impl Future<Output = ()> + Send + use<> {
        let mut newest = self.newest.subscribe();
        async move {
            // The sender lives as long as connections are opened; without it nothing supersedes any more.
            if newest.wait_for(|newest| *newest > term).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn ended(leader: &Leader, term: Term) -> bool {
        leader.superseded(term).now_or_never().is_some()
    }

    #[test]
    fn a_server_of_an_earlier_timeline_is_never_spoken_to_again() {
        let leader = Leader::default();
        assert!(leader.admit(0, 3).is_some() && leader.admit(2, 3).is_some());
        assert!(leader.admit(1, 4).is_some());
        assert_eq!(leader.admit(0, 3), None, "it led before");
        assert_eq!(leader.order(3).collect::<Vec<_>>(), [1, 0, 2], "the one that leads comes first");
        assert!(leader.admit(1, 4).is_some() && leader.admit(2, 6).is_some());
    }

    #[test]
    fn what_waits_on_a_superseded_server_is_let_go() {
        let leader = Leader::default();
        let old = leader.admit(0, 3).unwrap();
        let waiting = leader.superseded(old);
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        let new = leader.admit(1, 4).unwrap();
        assert!(waiting.now_or_never().is_some());
        assert!(ended(&leader, old), "opened before, checked after");
        assert!(!ended(&leader, new));
    }

    #[test]
    fn connections_to_a_server_that_steps_down_end_once() {
        let leader = Leader::default();
        let first = leader.admit(0, 3).unwrap();
        leader.steps_down(Some(first));
        assert!(ended(&leader, first));
        let second = leader.admit(1, 3).unwrap();
        leader.steps_down(Some(first));
        leader.steps_down(None);
        assert!(!ended(&leader, second), "heard late, of the one before");
    }

    #[test]
    fn hosts_keep_their_order_until_one_has_answered() {
        let leader = Leader::default();
        assert_eq!(leader.order(3).collect::<Vec<_>>(), [0, 1, 2]);
        leader.admit(2, 1);
        assert_eq!(leader.order(3).collect::<Vec<_>>(), [2, 0, 1]);
        assert_eq!(leader.order(1).collect::<Vec<_>>(), [0], "a URL with fewer hosts");
    }
}
