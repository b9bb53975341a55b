use proptest::prelude::*;
use serde_json::{Value, from_value};

use super::*;

fn row(counts: [i64; 8]) -> RawRow {
    let mut value = json!({"agency": "A", "service": "S", "channel": "online"});
    for (name, count) in COUNTS.iter().zip(counts) {
        value[*name] = json!(count);
    }
    from_value(value).unwrap()
}

fn control(rows: usize, received: i64) -> Control {
    from_value(json!({"rows": rows, "received": received})).unwrap()
}

fn known() -> Known {
    let agency = KnownAgency {
        id: AgencyId(1),
        validity: Validity { from: None, until: None },
        decided_source: None,
        other_source: None,
        in_scope: true,
    };
    Known { agencies: [("A".to_owned(), agency)].into(), services: [("S".to_owned(), ServiceId(2))].into() }
}

fn frame() -> Frame<'static> {
    Frame { source: "vnpt", month: "2018-03".parse().unwrap(), today: "2018-03-15".parse().unwrap() }
}

fn codes(control: &Control, rows: &[RawRow], known: &Known) -> Vec<(String, String)> {
    let problem = check(control, rows, known, frame()).unwrap_err().into_result().unwrap_err();
    problem.errors.iter().map(|e| (e.code.as_str().to_owned(), e.pointer.clone())).collect()
}

#[test]
fn a_balanced_row_is_taken() {
    let rows = [row([100, 20, 60, 5, 1, 10, 22, 2])];
    let valid = check(&control(1, 100), &rows, &known(), frame()).unwrap();
    assert_eq!(valid.len(), 1);
    assert_eq!(valid[0].counts, [100, 20, 60, 5, 1, 10, 22, 2]);
    assert_eq!(check(&control(0, 0), &[], &known(), frame()).unwrap(), []);
}

#[test]
fn both_sides_of_the_balance_are_named() {
    let problem = check(&control(1, 100), &[row([100, 20, 60, 5, 1, 10, 22, 3])], &known(), frame())
        .unwrap_err()
        .into_result()
        .unwrap_err();
    let fault = &problem.errors[0];
    assert_eq!((fault.code, fault.pointer.as_str()), (Code::ArithmeticMismatch, "/rows/0"));
    assert_eq!(fault.extra["resolved_withdrawn_in_progress"], 111);
    assert_eq!(fault.extra["received_carried_in"], 110);
}

#[test]
fn the_largest_counts_do_not_overflow() {
    let most = i64::from(i32::MAX);
    let rows = [row([most, most, 0, 0, 0, most, most, 0])];
    assert!(check(&control(1, most), &rows, &known(), frame()).is_ok());
    let over = [row([most + 1, most, 0, 0, 0, most, most, 0])];
    assert_eq!(
        codes(&control(1, most + 1), &over, &known()),
        [("NUMBER_OUT_OF_RANGE".into(), "/rows/0/received".into())]
    );
}

#[test]
fn an_agency_has_one_source() {
    let rows = [row([0; 8])];
    let mut known = known();
    let set = |known: &mut Known, decided: Option<&str>, other: Option<&str>| {
        let agency = known.agencies.get_mut("A").unwrap();
        agency.decided_source = decided.map(str::to_owned);
        agency.other_source = other.map(str::to_owned);
    };
    set(&mut known, Some("vnpt"), None);
    assert!(check(&control(1, 0), &rows, &known, frame()).is_ok());
    for (decided, other) in [(Some("A"), None), (None, Some("A")), (Some("vnpt"), Some("A"))] {
        set(&mut known, decided, other);
        assert_eq!(
            codes(&control(1, 0), &rows, &known),
            [("FOREIGN_SOURCE".into(), "/rows/0/agency".into())]
        );
    }
}

#[test]
fn the_first_hundred_faults_are_kept_and_all_are_counted() {
    let rows: Vec<RawRow> = (0..500).map(|_| RawRow::default()).collect();
    let faults = check(&control(500, 0), &rows, &known(), frame()).unwrap_err();
    assert_eq!(faults.len(), 500 * 11);
    assert_eq!(faults.into_result().unwrap_err().errors.len(), 100);
}

#[test]
fn missing_months_end_before_the_running_one() {
    let months = |all: &[&str]| all.iter().map(|m| m.parse().unwrap()).collect::<Vec<Month>>();
    let missing = |reported: &[&str], today: &str| missing_months(&months(reported), today.parse().unwrap());
    assert_eq!(missing(&["2017-11", "2018-01"], "2018-03-31"), months(&["2017-12", "2018-02"]));
    assert_eq!(missing(&["2017-11", "2018-01"], "2018-04-01"), months(&["2017-12", "2018-02", "2018-03"]));
    assert_eq!(missing(&["2018-03"], "2018-03-15"), []);
    assert_eq!(missing(&[], "2018-03-15"), []);
}

fn any_figure() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(|n| json!(n)),
        (0i64..10).prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        "\\PC{0,12}".prop_map(|text| json!(text)),
        Just(json!(null)),
        Just(json!({"a": [1]})),
    ]
}

proptest! {
    #[test]
    fn any_figures_are_taken_or_refused_and_what_is_taken_balances(
        figures in proptest::collection::vec(any_figure(), 8), rows in any_figure(), received in any_figure(),
    ) {
        let mut value = json!({"agency": "A", "service": "S", "channel": "postal"});
        for (name, figure) in COUNTS.iter().zip(figures) {
            value[*name] = figure;
        }
        let control: Control = from_value(json!({"rows": rows, "received": received})).unwrap();
        if let Ok(valid) = check(&control, &[from_value(value).unwrap()], &known(), frame()) {
            let (left, right) = sides(&valid[0].counts);
            prop_assert_eq!(left, right);
            prop_assert!(valid[0].counts.iter().all(|n| *n >= 0));
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter(swap in any::<bool>(), n in 0i64..1000) {
        let mut rows = vec![row([n, n, 0, 0, 0, 0, 0, 0]), row([1, 0, 0, 0, 0, 0, 1, 0])];
        rows[1].channel = Some("in_person".into());
        if swap {
            rows.reverse();
        }
        prop_assert!(check(&control(2, n + 1), &rows, &known(), frame()).is_ok());
    }
}
