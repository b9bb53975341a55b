use futures_util::FutureExt;

use super::*;

fn control(permits: usize, per_free: usize, queue: usize) -> AdmissionControl {
    AdmissionControl::new(Limits { permits, per_free, queue })
}

fn caller(name: &str) -> Caller {
    Caller::named(name)
}

/// As many as it gets.
fn hoard(control: &AdmissionControl, name: &str) -> Vec<Permit> {
    std::iter::from_fn(|| control.try_admit(caller(name)).ok()).collect()
}

#[test]
fn a_caller_that_takes_all_it_can_leaves_a_permit_for_the_next() {
    for (permits, per_free) in [(2, 1), (4, 1), (96, 2), (256, 2), (1000, 4)] {
        let control = control(permits, per_free, 0);
        let hoarded = hoard(&control, "a");
        assert_eq!(control.try_admit(caller("a")).err(), Some(Refused::Share));
        assert_eq!(hoarded.len(), (permits * per_free).div_ceil(per_free + 1), "of {permits}");
        let other = control.try_admit(caller("b"));
        assert!(other.is_ok(), "{permits} permits, {per_free} per free one");
        drop((hoarded, other));
        assert_eq!(control.in_use(), (0, 0, 0), "callers without a permit are not remembered");
    }
}

#[test]
fn several_callers_that_take_all_they_can_still_leave_a_permit() {
    let control = control(96, 2, 0);
    let hoarded: Vec<Vec<Permit>> = ["a", "b", "c"].map(|name| hoard(&control, name)).into();
    assert_eq!(hoarded.iter().map(Vec::len).collect::<Vec<_>>(), [64, 22, 7]);
    assert!(control.try_admit(caller("d")).is_ok());
}

#[test]
fn when_all_permits_are_taken_no_caller_is_admitted_until_one_is_released() {
    let control = control(3, usize::MAX, 0);
    let mut taken = hoard(&control, "a");
    assert_eq!(taken.len(), 3);
    assert_eq!(control.try_admit(caller("b")).err(), Some(Refused::All));
    assert_eq!(control.clone().try_admit(caller("b")).err(), Some(Refused::All), "shared by clones");
    assert_eq!(control.refused(), (3, 0));
    taken.pop();
    assert!(control.try_admit(caller("b")).is_ok());
}

#[test]
fn a_source_has_a_share_of_its_own_for_all_its_accounts_together() {
    let control = control(4, 1, 0);
    let deliver = |who: &str, source: &str| {
        control.try_admit(Charged::from(caller(who)).and(caller(&format!("source:{source}"))))
    };
    let held = [deliver("user:a", "s").unwrap(), deliver("user:b", "s").unwrap()];
    assert_eq!(deliver("user:c", "s").err(), Some(Refused::Share));
    let other = deliver("user:c", "t").unwrap();
    drop((held, other));
    assert_eq!(control.in_use(), (0, 0, 0));
}

#[test]
fn the_queue_serves_the_caller_first_who_holds_the_fewest() {
    let control = control(2, usize::MAX, 8);
    let mut held = hoard(&control, "a");
    let (a, b) = (caller("a"), caller("b"));
    let mut first = Box::pin(control.admit(&a));
    let mut second = Box::pin(control.admit(&b));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    assert_eq!(control.in_use(), (2, 1, 2));
    held.pop();
    assert!((&mut first).now_or_never().is_none(), "a came first, and holds one already");
    let got = (&mut second).now_or_never().unwrap().unwrap();
    drop(got);
    assert!(first.now_or_never().unwrap().is_ok());
}

#[test]
fn one_caller_cannot_fill_the_queue() {
    let control = control(1, usize::MAX, 6);
    let held = hoard(&control, "a");
    let (a, b) = (caller("a"), caller("b"));
    let mut waiting: Vec<_> = (0..6).map(|_| Box::pin(control.admit(&a))).collect();
    let refused = waiting.iter_mut().filter_map(|one| one.now_or_never()).count();
    assert_eq!(refused, 2, "two thirds of the queue are one caller's");
    let mut other = Box::pin(control.admit(&b));
    assert!((&mut other).now_or_never().is_none(), "it waits");
    drop(held);
    assert!(other.now_or_never().is_some_and(|got| got.is_ok()), "before those who came first");
}

#[test]
fn who_departs_from_the_queue_gives_back_what_was_handed_to_it() {
    let control = control(1, 1, 4);
    let held = hoard(&control, "a");
    let (b, c) = (caller("b"), caller("c"));
    let mut departing = Box::pin(control.admit(&b));
    let mut staying = Box::pin(control.admit(&c));
    assert!((&mut departing).now_or_never().is_none() && (&mut staying).now_or_never().is_none());
    drop(held);
    assert_eq!(control.in_use().0, 1, "handed to the first, which has not looked yet");
    drop(departing);
    assert!(staying.now_or_never().is_some_and(|got| got.is_ok()));
    assert_eq!(control.in_use(), (0, 0, 0));
}
