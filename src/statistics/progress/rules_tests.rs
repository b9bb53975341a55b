use proptest::prelude::*;

use super::*;
use crate::values::Rate;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn bound(comparator: Comparator, value: &str, value_to: Option<&str>) -> Bound {
    Bound { comparator, value: value.parse().unwrap(), value_to: value_to.map(|to| to.parse().unwrap()) }
}

/// A target of 2018 looked at on a day.
fn course(bound: Bound, due: &str, on: &str, baseline: Option<&str>) -> Course {
    let baseline = baseline.map(|value| value.parse().unwrap());
    Course { bound, begins: day("2018-01-01"), due: day(due), on: day(on), baseline }
}

fn of(numerator: i64, denominator: i64) -> Exact {
    Exact::quotient((numerator * 100).into(), denominator.into()).unwrap()
}

fn status(course: &Course, percent: &str) -> (Status, Reason) {
    let assessment = course.assess(Ok(&Exact::whole(percent.parse().unwrap())));
    (assessment.status, assessment.reason)
}

fn shown(exact: &Exact) -> String {
    exact.shown().0.normalized().to_plain_string()
}

#[test]
fn the_line_leads_from_the_baseline_or_from_zero() {
    // Half of the 364 days from 1 January to 31 December.
    let gte = |baseline| course(bound(Comparator::Gte, "60", None), "2018-12-31", "2018-07-02", baseline);
    let assessment = gte(None).assess(Err(Reason::NoFigure));
    assert_eq!((shown(&assessment.expected), assessment.start), ("30".into(), Start::Zero));
    let assessment = gte(Some("40")).assess(Err(Reason::NoFigure));
    assert_eq!((shown(&assessment.expected), assessment.start), ("50".into(), Start::Baseline));
    let assessment = gte(Some("75")).assess(Err(Reason::NoFigure));
    assert_eq!(shown(&assessment.expected), "60", "what is kept is to be kept, not given up");
    let lte = |baseline| course(bound(Comparator::Lte, "10", None), "2018-12-31", "2018-07-02", baseline);
    let assessment = lte(None).assess(Err(Reason::NoFigure));
    assert_eq!((shown(&assessment.expected), assessment.start), ("10".into(), Start::Limit));
    assert_eq!(shown(&lte(Some("30")).assess(Err(Reason::NoFigure)).expected), "20");
    let between =
        |baseline| course(bound(Comparator::Between, "40", Some("60")), "2018-12-31", "2018-07-02", baseline);
    assert_eq!(shown(&between(Some("20")).assess(Err(Reason::NoFigure)).expected), "30");
    assert_eq!(shown(&between(Some("80")).assess(Err(Reason::NoFigure)).expected), "70");
    assert_eq!(shown(&between(Some("50")).assess(Err(Reason::NoFigure)).expected), "40");
}

#[test]
fn behind_by_a_fifth_of_the_way_is_at_risk_and_by_more_is_off_track() {
    let course = course(bound(Comparator::Gte, "60", None), "2018-12-31", "2018-07-02", None);
    assert_eq!(status(&course, "60"), (Status::Achieved, Reason::Met));
    assert_eq!(status(&course, "59.99"), (Status::OnTrack, Reason::AsExpected));
    assert_eq!(status(&course, "30"), (Status::OnTrack, Reason::AsExpected));
    assert_eq!(status(&course, "29.999999"), (Status::AtRisk, Reason::Behind));
    assert_eq!(status(&course, "18"), (Status::AtRisk, Reason::Behind));
    assert_eq!(status(&course, "17.999999"), (Status::OffTrack, Reason::Behind));
}

#[test]
fn what_is_due_and_not_met_is_off_track_from_the_next_day_on() {
    let on = |day| course(bound(Comparator::Gte, "100", None), "2018-03-31", day, None);
    assert_eq!(status(&on("2018-03-31"), "99"), (Status::AtRisk, Reason::Behind));
    assert_eq!(status(&on("2018-04-01"), "99.999999"), (Status::OffTrack, Reason::DuePassed));
    assert_eq!(status(&on("2026-11-27"), "100"), (Status::Achieved, Reason::Met), "late, and achieved");
    let after = on("2018-04-01").assess(Ok(&Exact::whole(99.into())));
    assert_eq!((shown(&after.gap.unwrap()), after.pace), ("1".into(), None), "no time is left");
}

#[test]
fn strict_and_falling_and_two_sided_targets() {
    let gt = course(bound(Comparator::Gt, "60", None), "2018-12-31", "2019-01-01", None);
    assert_eq!(status(&gt, "60"), (Status::OffTrack, Reason::DuePassed));
    assert_eq!(status(&gt, "60.000001"), (Status::Achieved, Reason::Met));
    let lte = course(bound(Comparator::Lte, "10", None), "2018-12-31", "2018-07-02", Some("30"));
    assert_eq!(status(&lte, "10").0, Status::Achieved);
    assert_eq!(status(&lte, "20").0, Status::OnTrack);
    assert_eq!(status(&lte, "24").0, Status::AtRisk);
    assert_eq!(status(&lte, "24.01").0, Status::OffTrack);
    let limit = course(bound(Comparator::Lte, "10", None), "2018-12-31", "2018-07-02", None);
    assert_eq!((status(&limit, "12").0, status(&limit, "12.1").0), (Status::AtRisk, Status::OffTrack));
    let between =
        course(bound(Comparator::Between, "88", Some("90")), "2018-12-31", "2018-07-02", Some("84"));
    assert_eq!(status(&between, "88").0, Status::Achieved);
    assert_eq!(status(&between, "90").0, Status::Achieved);
    assert_eq!(status(&between, "86").0, Status::OnTrack);
    assert_ne!(status(&between, "90.01").0, Status::Achieved);
    assert_eq!(shown(&between.assess(Ok(&Exact::whole(95.into()))).gap.unwrap()), "5");
}

#[test]
fn the_pace_is_per_month_of_the_time_that_is_left() {
    // 73 days are 2.4 months.
    let course = course(bound(Comparator::Gte, "60", None), "2018-12-31", "2018-10-19", None);
    let assessment = course.assess(Ok(&Exact::whole(48.into())));
    assert_eq!(
        (shown(&assessment.gap.unwrap()), shown(&assessment.pace.unwrap())),
        ("12".into(), "5".into())
    );
    let met = course.assess(Ok(&Exact::whole(61.into())));
    assert_eq!((shown(&met.gap.unwrap()), shown(&met.pace.unwrap())), ("-1".into(), "0".into()));
}

#[test]
fn targets_are_compared_before_rounding() {
    let course = course(bound(Comparator::Gte, "60", None), "2018-12-31", "2019-01-01", None);
    let almost = of(14_999, 25_000);
    assert_eq!(shown(&almost), "60");
    assert_eq!(course.assess(Ok(&almost)).status, Status::OffTrack);
}

#[test]
fn a_target_due_before_its_year_begins_is_defined() {
    let course = course(bound(Comparator::Gte, "60", None), "2017-06-30", "2018-02-01", None);
    assert_eq!(status(&course, "10"), (Status::OffTrack, Reason::DuePassed));
}

fn any_bound() -> impl Strategy<Value = Bound> {
    (0usize..4, -50i64..150, 0i64..60).prop_map(|(which, value, more)| {
        let comparator = Comparator::ALL[which];
        let value_to = (comparator == Comparator::Between).then(|| BigDecimal::from(value + more));
        Bound { comparator, value: value.into(), value_to }
    })
}

fn any_course() -> impl Strategy<Value = Course> {
    (any_bound(), -40i64..500, -40i64..900, proptest::option::of(-20i64..150)).prop_map(
        |(bound, due, on, baseline)| {
            let begins = day("2018-01-01");
            let after = |days| begins + chrono::Duration::days(days);
            Course { bound, begins, due: after(due), on: after(on), baseline: baseline.map(BigDecimal::from) }
        },
    )
}

proptest! {
    #[test]
    fn achieved_is_what_a_rate_calls_met_and_gaps_agree(course in any_course(), n in 0i64..5_000, more in 0i64..5_000) {
        let rate = Rate::new(n, n + more);
        prop_assume!(rate.denominator > 0);
        let assessment = course.assess(Ok(&of(rate.numerator, rate.denominator)));
        prop_assert_eq!(assessment.status == Status::Achieved, rate.meets(&course.bound).unwrap());
        prop_assert_eq!(assessment.gap.unwrap().shown(), rate.gap(&course.bound).unwrap());
    }

    #[test]
    fn more_of_what_is_wanted_never_looks_worse(course in any_course(), a in 0i64..10_000, b in 0i64..10_000) {
        let (low, high) = (a.min(b), a.max(b));
        let rank = |hundredths| course.assess(Ok(&of(hundredths, 10_000))).status;
        match course.bound.comparator {
            Comparator::Gte | Comparator::Gt => prop_assert!(rank(high) <= rank(low)),
            Comparator::Lte => prop_assert!(rank(low) <= rank(high)),
            Comparator::Between => {}
        }
    }

    #[test]
    fn what_is_over_is_achieved_or_off_track(course in any_course(), n in 0i64..10_000) {
        let assessment = course.assess(Ok(&of(n, 10_000)));
        if course.on > course.due {
            prop_assert!(matches!(assessment.status, Status::Achieved | Status::OffTrack));
        }
        prop_assert_eq!(assessment.pace.is_some(), assessment.status == Status::Achieved || course.on < course.due);
    }

    #[test]
    fn expectations_never_run_away_from_the_target(course in any_course(), days in 1i64..200) {
        let later = Course { on: course.on + chrono::Duration::days(days), ..course.clone() };
        let (now, then) = (course.assess(Err(Reason::NoFigure)), later.assess(Err(Reason::NoFigure)));
        prop_assert_eq!(now.status, Status::NotAssessable);
        prop_assert!(now.gap.is_none() && now.pace.is_none());
        let missing = |assessment: &Assessment| {
            let lower = Exact::whole(course.bound.value.clone());
            let upper = Exact::whole(course.bound.value_to.clone().unwrap_or(course.bound.value.clone()));
            if assessment.expected < lower { lower.minus(&assessment.expected) } else { assessment.expected.minus(&upper).max(Exact::whole(0.into())) }
        };
        prop_assert!(missing(&then) <= missing(&now));
    }
}
