use super::*;

fn watch() -> ChangeTracker {
    ChangeTracker {
        statements: Arc::default(),
        told: PendingChanges::default(),
        changes: Generations::default(),
        state: TransactionState::Outside,
        lifetime: Lifetime::within(Duration::from_secs(60)),
    }
}

#[test]
fn what_is_committed_counts_and_what_is_rolled_back_does_not() {
    let mut watch = watch();
    let figures = |watch: &ChangeTracker| watch.changes.counter(Kind::Figures).load(Ordering::SeqCst);
    watch.state = TransactionState::Inside;
    watch.told.0.store(Kind::Figures.bit(), Ordering::SeqCst);
    watch.finished();
    assert_eq!(figures(&watch), 1, "not before the commit");
    watch.state = TransactionState::Committing;
    watch.finished();
    assert_eq!((figures(&watch), watch.state), (2, TransactionState::Outside));
    watch.state = TransactionState::RollingBack;
    watch.told.0.store(Kind::Figures.bit(), Ordering::SeqCst);
    watch.finished();
    watch.finished();
    assert_eq!(figures(&watch), 2);
    watch.told.0.store(Kind::Callers.bit(), Ordering::SeqCst);
    watch.finished();
    assert_eq!((figures(&watch), watch.changes.counter(Kind::Callers).load(Ordering::SeqCst)), (2, 2));
}

#[test]
fn generations_are_told_only_while_somebody_listens() {
    let changes = Generations::default();
    assert_eq!(changes.figures(), None);
    changes.trust(Instant::now());
    assert_eq!(changes.figures(), Some(1));
    changes.bump(Kind::Figures);
    assert_eq!((changes.figures(), changes.callers()), (Some(2), Some(1)));
    changes.distrust();
    assert_eq!(changes.callers(), None);
}

#[test]
fn a_heartbeat_is_good_for_a_limited_time_and_for_what_was_committed_before_it() {
    let trusted = Duration::from_millis(20);
    let changes = Generations::new(trusted);
    let sent = changes.inner.began + trusted;
    assert!(!changes.has_heard(changes.inner.began), "no heartbeat yet");
    changes.trust(sent);
    assert!(changes.has_heard(sent - Duration::from_millis(1)));
    assert!(!changes.has_heard(sent), "committed at the same moment, perhaps after it");
    std::thread::sleep(2 * trusted);
    assert_eq!((changes.is_trusted(), changes.figures()), (false, None));
    assert!(changes.has_heard(sent - Duration::from_millis(1)), "what was heard stays heard");
}
