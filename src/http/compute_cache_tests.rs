use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;

use super::*;
use crate::http::ProblemCode;

fn caller(name: &str) -> Caller {
    Caller::named(name)
}

/// Looks again until it is so; a loaded machine gets its time.
async fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not come about that {what}");
}

/// Works until it is cancelled; counts its steps, and when it has ended.
#[derive(Clone, Default)]
struct Endless {
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Endless {
    fn run(&self, cancelled: &CancellationToken) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        while !cancelled.is_cancelled() {
            std::thread::yield_now();
        }
        self.ended.fetch_add(1, Ordering::SeqCst);
    }

    fn counts(&self) -> (usize, usize) {
        (self.begun.load(Ordering::SeqCst), self.ended.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn simultaneous_requests_share_one_computation() {
    let (computed, made) = (ComputeCache::default(), AtomicUsize::new(0));
    let caller = caller("a");
    let get = || {
        computed.get(&caller, "k".to_owned(), async || {
            made.fetch_add(1, Ordering::Relaxed);
            Ok(|_: &CancellationToken| Ok((42, 8)))
        })
    };
    for answer in join_all((0..8).map(|_| get())).await {
        assert_eq!(*answer.unwrap(), 42);
    }
    assert_eq!(made.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_failed_is_tried_again() {
    let (computed, caller) = (ComputeCache::default(), caller("a"));
    let get = |made: Result<u8, Problem>| {
        let work = async move || Ok(move |_: &CancellationToken| made.map(|value| (value, 1)));
        computed.get(&caller, "k".to_owned(), work)
    };
    assert_eq!(get(Err(Problem::not_found())).await.unwrap_err().code, ProblemCode::NotFound);
    assert_eq!(*get(Ok(1)).await.unwrap(), 1);
    assert_eq!(*get(Err(Problem::not_found())).await.unwrap(), 1, "it is cached");
}

#[tokio::test]
async fn keys_whose_computation_failed_leave_nothing_behind() {
    let (computed, caller) = (ComputeCache::default(), caller("a"));
    type Work = fn(&CancellationToken) -> Result<(u8, usize), Problem>;
    for n in 0..1_000 {
        let key = format!("{n}");
        let unprepared = async || Err::<Work, _>(Problem::not_found());
        assert!(computed.get(&caller, key.clone(), unprepared).await.is_err());
        let failing: Work = |_| Err(Problem::not_found());
        assert!(computed.get(&caller, key, async || Ok(failing)).await.is_err());
    }
    let kept: Work = |_| Ok((1, 1));
    computed.get(&caller, "k".to_owned(), async || Ok(kept)).await.unwrap();
    computed.results.run_pending_tasks();
    assert_eq!((computed.results.entry_count(), lock(&computed.flights).len()), (1, 0));
}

#[tokio::test]
async fn a_computation_is_cancelled_when_its_caller_departs() {
    let (computed, endless, caller) = (ComputeCache::default(), Endless::default(), caller("a"));
    let work = endless.clone();
    let mut request = Box::pin(computed.work(&caller, move |cancelled| work.run(cancelled)));
    assert!((&mut request).now_or_never().is_none());
    until("it has begun", || endless.counts() == (1, 0)).await;
    drop(request);
    until("it has ended, and given its permit back", || {
        endless.counts() == (1, 1) && computed.in_use().0 == 0
    })
    .await;
}

#[tokio::test]
async fn a_computation_that_waits_leaves_the_queue_when_its_caller_departs() {
    let (computed, endless, caller) = (ComputeCache::default(), Endless::default(), caller("a"));
    // More than one caller's share on any machine: the last ones wait.
    let permits = std::thread::available_parallelism().map_or(2, NonZero::get).max(2);
    let start = || {
        let work = endless.clone();
        let mut request = Box::pin(computed.work(&caller, move |cancelled| work.run(cancelled)));
        assert!((&mut request).now_or_never().is_none());
        request
    };
    let all: Vec<_> = (0..permits).map(|_| start()).collect();
    let share = permits.div_ceil(2);
    until("the rest waits", || computed.in_use() == (share, 1, permits - share)).await;
    drop(all);
    until("nothing is left", || computed.in_use() == (0, 0, 0)).await;
    let (begun, ended) = endless.counts();
    assert_eq!(begun, ended);
}

#[tokio::test]
async fn a_shared_computation_goes_on_until_the_last_who_waits_departs() {
    let (computed, endless) = (ComputeCache::default(), Endless::default());
    let (a, b) = (caller("a"), caller("b"));
    let get = |who| {
        let work = endless.clone();
        computed.get(who, "k".to_owned(), async move || {
            Ok(move |cancelled: &CancellationToken| {
                work.run(cancelled);
                Ok(((), 1))
            })
        })
    };
    let mut first = Box::pin(get(&a));
    let mut second = Box::pin(get(&b));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    until("it has begun", || endless.counts() == (1, 0)).await;
    drop(first);
    assert!((&mut second).now_or_never().is_none(), "it waits on");
    assert_eq!(endless.counts(), (1, 0), "the same computation, not cancelled");
    assert_eq!(computed.in_use(), (1, 1, 0), "its permit is the computation's");
    drop(second);
    until("it has ended", || endless.counts() == (1, 1)).await;
    until("nothing is left", || computed.in_use() == (0, 0, 0) && lock(&computed.flights).is_empty()).await;
}

#[tokio::test]
async fn a_request_that_comes_while_a_cancelled_computation_ends_begins_another() {
    let computed = ComputeCache::default();
    let (a, b) = (caller("a"), caller("b"));
    let (release, held) = std::sync::mpsc::channel::<()>();
    let mut first = Box::pin(computed.get(&a, "k".to_owned(), async move || {
        Ok(move |_: &CancellationToken| {
            let _ = held.recv();
            Ok((1, 1))
        })
    }));
    assert!((&mut first).now_or_never().is_none());
    drop(first);
    let mut second =
        Box::pin(computed.get(&b, "k".to_owned(), async || Ok(|_: &CancellationToken| Ok((2, 1)))));
    assert!((&mut second).now_or_never().is_none());
    assert_eq!(computed.in_use(), (1, 1, 0), "it waits without a permit");
    release.send(()).unwrap();
    assert_eq!(*second.await.unwrap(), 2);
}

#[tokio::test]
async fn those_who_wait_get_the_result_of_a_computation_whose_caller_departed() {
    let computed = ComputeCache::default();
    let (a, b) = (caller("a"), caller("b"));
    let (release, held) = std::sync::mpsc::channel::<()>();
    let made = Arc::new(AtomicUsize::new(0));
    let count = made.clone();
    let mut first = Box::pin(computed.get(&a, "k".to_owned(), async move || {
        Ok(move |_: &CancellationToken| {
            let _ = held.recv();
            Ok((count.fetch_add(1, Ordering::SeqCst), 1))
        })
    }));
    assert!((&mut first).now_or_never().is_none());
    let again = made.clone();
    let mut second = Box::pin(computed.get(&b, "k".to_owned(), async move || {
        Ok(move |_: &CancellationToken| Ok((again.fetch_add(1, Ordering::SeqCst), 1)))
    }));
    assert!((&mut second).now_or_never().is_none());
    drop(first);
    assert!((&mut second).now_or_never().is_none());
    assert_eq!(computed.in_use(), (1, 1, 0), "who waits holds no permit");
    release.send(()).unwrap();
    assert_eq!(*second.await.unwrap(), 0);
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn one_callers_endless_computations_leave_another_its_turn() {
    let (computed, endless) = (ComputeCache::default(), Endless::default());
    let (hog, other) = (caller("hog"), caller("other"));
    let permits = std::thread::available_parallelism().map_or(2, NonZero::get).max(2);
    let (share, queued) = (permits.div_ceil(2), (QUEUE * 2).div_ceil(3));
    let mut hoarded: Vec<_> = (0..200)
        .map(|_| {
            let work = endless.clone();
            Box::pin(computed.work(&hog, move |cancelled| work.run(cancelled)))
        })
        .collect();
    let mut rejected = 0;
    while rejected < 200 - share - queued {
        hoarded.retain_mut(|request| match request.now_or_never() {
            Some(answer) => {
                assert!(answer.unwrap_err().detail.is_some(), "its share is used up");
                rejected += 1;
                false
            }
            None => true,
        });
        tokio::task::yield_now().await;
    }
    assert_eq!(computed.in_use(), (share, 1, queued), "it has what it can have");
    assert_eq!(computed.work(&other, |_| 7).await.unwrap(), 7);
    assert_eq!(endless.counts().1, 0, "none of the long ones had to end for it");
    drop(hoarded);
    until("all have ended", || computed.in_use() == (0, 0, 0)).await;
}
