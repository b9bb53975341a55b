use proptest::prelude::*;

use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn terms(today: &str) -> Terms {
    Terms { deadline: day("2018-03-31"), cancelled: false, today: day(today) }
}

fn lead(agency: &str) -> Lead {
    Lead {
        agency: agency.into(),
        validity: Validity { from: None, until: None },
        successors: Vec::new(),
        percent: 0,
        completed_on: None,
        confirmed_deadline: None,
        cancelled: false,
        due_date: None,
    }
}

fn complete(agency: &str, on: &str) -> Lead {
    Lead { percent: 100, completed_on: Some(day(on)), ..lead(agency) }
}

fn confirmed(agency: &str, on: &str) -> Lead {
    Lead { confirmed_deadline: Some(day("2018-03-31")), ..complete(agency, on) }
}

fn status(today: &str, lead: Lead) -> (TaskStatus, i64, bool) {
    let of = standings(&terms(today), &[lead]).remove(0);
    (of.status, of.days_late, of.awaiting_confirmation)
}

#[test]
fn a_lead_is_overdue_from_the_day_after_the_deadline() {
    assert_eq!(status("2018-03-31", lead("A")), (TaskStatus::NotStarted, 0, false));
    assert_eq!(status("2018-04-01", lead("A")), (TaskStatus::Overdue, 1, false));
    let begun = Lead { percent: 40, ..lead("A") };
    assert_eq!(status("2018-03-31", begun.clone()), (TaskStatus::InProgress, 0, false));
    assert_eq!(status("2018-05-01", begun), (TaskStatus::Overdue, 31, false));
}

#[test]
fn done_is_what_was_confirmed() {
    let in_time = complete("A", "2018-03-31");
    assert_eq!(status("2018-06-01", in_time), (TaskStatus::InProgress, 0, true), "in time, and it waits");
    let late = complete("A", "2018-04-03");
    assert_eq!(status("2018-06-01", late), (TaskStatus::Overdue, 62, true));
    assert_eq!(status("2018-06-01", confirmed("A", "2018-03-31")), (TaskStatus::DoneOnTime, 0, false));
    assert_eq!(status("2018-06-01", confirmed("A", "2018-04-03")), (TaskStatus::DoneLate, 3, false));
}

#[test]
fn an_extension_moves_the_deadline_of_open_leads_alone() {
    let extended = Lead { due_date: Some(day("2018-06-30")), ..lead("A") };
    assert_eq!(status("2018-04-01", extended).0, TaskStatus::NotStarted);
    let later = Terms { deadline: day("2018-12-31"), ..terms("2018-07-01") };
    let of = standings(&later, &[confirmed("A", "2018-04-03"), lead("B")]);
    assert_eq!((of[0].status, of[0].days_late), (TaskStatus::DoneLate, 3));
    assert_eq!(of[1].deadline, day("2018-12-31"));
}

/// Two leads that merge on 2018-02-10, and their successor.
fn merging() -> Vec<Lead> {
    let ending = |agency| Lead {
        validity: Validity { from: None, until: Some(day("2018-02-10")) },
        successors: vec!["NEW".into()],
        ..lead(agency)
    };
    let new = Lead { validity: Validity { from: Some(day("2018-02-10")), until: None }, ..lead("NEW") };
    vec![ending("OLD-1"), ending("OLD-2"), new]
}

#[test]
fn a_successor_counts_from_its_beginning_and_its_predecessors_until_then() {
    let counts = |today| standings(&terms(today), &merging()).iter().map(|s| s.counts).collect::<Vec<_>>();
    assert_eq!(counts("2018-02-09"), [true, true, false]);
    assert_eq!(counts("2018-02-10"), [false, false, true]);
    let after = standings(&terms("2018-04-10"), &merging());
    assert_eq!(after[0].superseded_by, ["NEW"]);
    assert_eq!(after[0].status, TaskStatus::NotStarted, "an agency that is no more does not fall behind");
    assert_eq!((after[2].status, after[2].days_late), (TaskStatus::Overdue, 10));
}

#[test]
fn what_was_done_before_a_merger_still_counts() {
    let mut leads = merging();
    leads[0] = Lead { confirmed_deadline: Some(day("2018-03-31")), ..leads[0].clone() };
    leads[0].percent = 100;
    leads[0].completed_on = Some(day("2018-02-01"));
    let today = terms("2018-02-20");
    let of = standings(&today, &leads);
    assert_eq!(of.iter().map(|s| s.counts).collect::<Vec<_>>(), [true, false, true]);
    let overall = overall(&today, &of);
    assert_eq!((overall.status, overall.percent.0.to_string()), (TaskStatus::InProgress, "50.00".into()));
}

#[test]
fn without_a_successor_among_the_leads_an_ended_agency_counts_on() {
    let of = standings(&terms("2018-04-10"), &merging()[..2]);
    assert!(of.iter().all(|s| s.counts && s.status == TaskStatus::Overdue));
}

#[test]
fn the_task_is_as_late_as_its_latest_lead() {
    let today = terms("2018-04-11");
    let of = |leads: &[Lead]| {
        let overall = overall(&today, &standings(&today, leads));
        (overall.status, overall.percent.0.to_string(), overall.days_late)
    };
    let cancelled = Lead { cancelled: true, ..lead("C") };
    assert_eq!(of(&[confirmed("A", "2018-03-01"), lead("B")]), (TaskStatus::Overdue, "50.00".into(), 11));
    assert_eq!(
        of(&[confirmed("A", "2018-03-01"), confirmed("B", "2018-04-05")]),
        (TaskStatus::DoneLate, "100.00".into(), 5)
    );
    assert_eq!(
        of(&[confirmed("A", "2018-03-01"), cancelled.clone()]),
        (TaskStatus::DoneOnTime, "100.00".into(), 0)
    );
    assert_eq!(of(&[cancelled.clone(), cancelled]), (TaskStatus::Cancelled, "0".into(), 0));
    assert_eq!(of(&[]), (TaskStatus::Overdue, "0".into(), 11), "nobody leads it, and it is late");
    let third = |percent| Lead { percent, due_date: Some(day("2018-12-31")), ..lead("A") };
    assert_eq!(of(&[third(1), third(1), third(0)]).1, "0.67");
    assert_eq!(of(&[third(1), third(0), third(0)]).1, "0.33");
}

#[test]
fn what_may_be_decided() {
    use TransitionAction::{Cancel, Confirm, Extend, Reopen};
    let open = terms("2018-03-15");
    let leads = [lead("A"), complete("B", "2018-03-01"), confirmed("C", "2018-03-01")];
    let affected = |action, only| affected(action, &open, &leads, only);
    assert_eq!(affected(Confirm, None), Some(Affected::Leads(vec![1])));
    assert_eq!(affected(Confirm, Some(0)), None, "it has not reported 100 %");
    assert_eq!(affected(Confirm, Some(2)), None, "it is confirmed already");
    assert_eq!(affected(Reopen, None), Some(Affected::Leads(vec![2])));
    assert_eq!(affected(Reopen, Some(0)), None);
    assert_eq!(affected(Cancel, None), Some(Affected::Task));
    assert_eq!(affected(Cancel, Some(2)), None, "reopen it first");
    assert_eq!(affected(Extend, Some(0)), Some(Affected::Leads(vec![0])));
    let cancelled = Terms { cancelled: true, ..open };
    assert_eq!(super::affected(Reopen, &cancelled, &leads, None), Some(Affected::Task));
    for action in [Confirm, Cancel, Extend] {
        assert_eq!(super::affected(action, &cancelled, &leads, None), None);
    }
    for action in TransitionAction::ALL {
        assert_eq!(super::affected(action, &cancelled, &leads, Some(1)), None);
    }
}

/// Days around the deadline; an agency's end and beginning among them.
fn any_lead() -> impl Strategy<Value = Lead> {
    let near = || (0u64..120).prop_map(|n| day("2018-01-01") + chrono::Days::new(n));
    let agency = prop::sample::select(vec!["A", "B", "C"]);
    (
        agency,
        0i16..=100,
        near(),
        any::<bool>(),
        prop::bool::weighted(0.2),
        prop::option::of(near()),
        prop::option::of(near()),
    )
        .prop_map(|(agency, percent, on, confirmed, cancelled, due_date, until)| Lead {
            percent,
            completed_on: (percent == 100).then_some(on),
            confirmed_deadline: (percent == 100 && confirmed).then_some(day("2018-03-31")),
            cancelled,
            due_date,
            validity: Validity { from: None, until },
            successors: if agency == "B" { Vec::new() } else { vec!["B".into()] },
            ..lead(agency)
        })
}

proptest! {
    #[test]
    fn the_order_of_leads_does_not_matter(
        (leads, shuffled) in prop::collection::vec(any_lead(), 0..6).prop_flat_map(|leads| (Just(leads.clone()), Just(leads).prop_shuffle())),
        today in 0u64..150,
    ) {
        let today = Terms { today: day("2018-01-01") + chrono::Days::new(today), ..terms("2018-01-01") };
        let of = |leads: &[Lead]| overall(&today, &standings(&today, leads));
        prop_assert_eq!(of(&leads), of(&shuffled));
        for action in TransitionAction::ALL {
            let some = |leads: &[Lead]| affected(action, &today, leads, None).is_some();
            prop_assert_eq!(some(&leads), some(&shuffled));
        }
    }

    #[test]
    fn the_overall_never_contradicts_its_leads(leads in prop::collection::vec(any_lead(), 1..6), today in 0u64..150) {
        let today = Terms { today: day("2018-01-01") + chrono::Days::new(today), ..terms("2018-01-01") };
        let each = standings(&today, &leads);
        let whole = overall(&today, &each);
        let counted: Vec<_> = each.iter().filter(|s| s.counts).collect();
        prop_assert!(whole.days_late >= 0 && each.iter().all(|s| s.days_late >= 0));
        let (least, most) = (BigDecimal::from(0), BigDecimal::from(100));
        prop_assert!(whole.percent.0 >= least && whole.percent.0 <= most);
        prop_assert_eq!(whole.days_late > 0, matches!(whole.status, TaskStatus::Overdue) || counted.iter().any(|s| s.days_late > 0));
        if whole.status.is_done() {
            prop_assert!(counted.iter().all(|s| s.status.is_done() || s.status == TaskStatus::Cancelled));
        }
        for s in &each {
            prop_assert_eq!(s.days_late > 0, matches!(s.status, TaskStatus::Overdue | TaskStatus::DoneLate));
            prop_assert!(s.counts || !s.superseded_by.is_empty());
        }
    }

    #[test]
    fn without_new_reports_only_time_makes_a_lead_late(lead in any_lead(), today in 0u64..150) {
        let at = |n| Terms { today: day("2018-01-01") + chrono::Days::new(n), ..terms("2018-01-01") };
        let (now, next) = (standings(&at(today), std::slice::from_ref(&lead)).remove(0), standings(&at(today + 1), &[lead]).remove(0));
        if now.status == TaskStatus::Overdue {
            prop_assert_eq!(next.status, TaskStatus::Overdue);
            prop_assert_eq!(next.days_late, now.days_late + 1);
        } else if next.status != TaskStatus::Overdue {
            prop_assert_eq!(next.status, now.status);
        }
    }
}
