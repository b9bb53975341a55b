use super::*;

fn tracker() -> ChangeTracker {
    ChangeTracker {
        statements: Arc::default(),
        pending: PendingChanges::default(),
        generations: Generations::default(),
        state: TransactionState::Outside,
        lifetime: Lifetime::within(Duration::from_secs(60)),
    }
}

#[test]
fn what_is_committed_counts_and_what_is_rolled_back_does_not() {
    let mut tracker = tracker();
    let figures = |tracker: &ChangeTracker| tracker.generations.counter(Kind::Figures).load(Ordering::SeqCst);
    tracker.state = TransactionState::Inside;
    tracker.pending.0.store(Kind::Figures.bit(), Ordering::SeqCst);
    tracker.finished();
    assert_eq!(figures(&tracker), 1, "not before the commit");
    tracker.state = TransactionState::Committing;
    tracker.finished();
    assert_eq!((figures(&tracker), tracker.state), (2, TransactionState::Outside));
    tracker.state = TransactionState::RollingBack;
    tracker.pending.0.store(Kind::Figures.bit(), Ordering::SeqCst);
    tracker.finished();
    tracker.finished();
    assert_eq!(figures(&tracker), 2);
    tracker.pending.0.store(Kind::Callers.bit(), Ordering::SeqCst);
    tracker.finished();
    assert_eq!(
        (figures(&tracker), tracker.generations.counter(Kind::Callers).load(Ordering::SeqCst)),
        (2, 2)
    );
}

#[test]
fn generations_are_trusted_only_while_the_listener_is_connected() {
    let generations = Generations::default();
    assert_eq!(generations.figures(), None);
    generations.trust(Instant::now());
    assert_eq!(generations.figures(), Some(1));
    generations.bump(Kind::Figures);
    assert_eq!((generations.figures(), generations.callers()), (Some(2), Some(1)));
    generations.distrust();
    assert_eq!(generations.callers(), None);
}

#[test]
fn a_heartbeat_is_good_for_a_limited_time_and_for_what_was_committed_before_it() {
    let trusted = Duration::from_millis(20);
    let generations = Generations::new(trusted);
    let sent = generations.inner.began + trusted;
    assert!(!generations.has_observed(generations.inner.began), "no heartbeat yet");
    generations.trust(sent);
    assert!(generations.has_observed(sent - Duration::from_millis(1)));
    assert!(!generations.has_observed(sent), "committed at the same moment, perhaps after it");
    std::thread::sleep(2 * trusted);
    assert_eq!((generations.is_trusted(), generations.figures()), (false, None));
    assert!(generations.has_observed(sent - Duration::from_millis(1)), "what was heard stays heard");
}
