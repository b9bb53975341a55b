use proptest::prelude::*;
use serde_json::{Value, from_value};

use super::super::rules::NamedAgency;
use super::*;
use crate::ids::ServiceId;

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
    let agency = NamedAgency { id: AgencyId(1), in_scope: true };
    Known { agencies: [("A".to_owned(), agency)].into(), services: [("S".to_owned(), ServiceId(2))].into() }
}

fn check(control: &Control, rows: &[RawRow], unknown: UnknownServices) -> Result<Vec<CountRow>, Violations> {
    let mut checker = Checker::new(known(), unknown);
    let valid = rows.iter().filter_map(|row| checker.row(row, None)).collect();
    let checked = checker.finish(control, ControlPlace::BODY);
    if checked.faults.is_empty() { Ok(valid) } else { Err(checked.faults) }
}

fn refusing(control: &Control, rows: &[RawRow]) -> Result<Vec<CountRow>, Violations> {
    check(control, rows, UnknownServices::Refuse)
}

fn codes(control: &Control, rows: &[RawRow]) -> Vec<(String, String)> {
    let problem = refusing(control, rows).unwrap_err().into_result().unwrap_err();
    problem.errors.iter().map(|e| (e.code.as_str().to_owned(), e.pointer.clone())).collect()
}

#[test]
fn a_balanced_row_is_taken() {
    let rows = [row([100, 20, 60, 5, 1, 10, 22, 2])];
    let valid = refusing(&control(1, 100), &rows).unwrap();
    assert_eq!(valid.len(), 1);
    assert_eq!(valid[0].counts, [100, 20, 60, 5, 1, 10, 22, 2]);
    assert_eq!(refusing(&control(0, 0), &[]).unwrap(), []);
}

#[test]
fn both_sides_of_the_balance_are_named() {
    let problem = refusing(&control(1, 100), &[row([100, 20, 60, 5, 1, 10, 22, 3])])
        .unwrap_err()
        .into_result()
        .unwrap_err();
    let fault = &problem.errors[0];
    assert_eq!((fault.code, fault.pointer.as_str()), (ProblemCode::ArithmeticMismatch, "/rows/0"));
    assert_eq!(fault.extra["resolved_withdrawn_in_progress"], 111);
    assert_eq!(fault.extra["received_carried_in"], 110);
}

#[test]
fn the_largest_counts_do_not_overflow() {
    let most = i64::from(i32::MAX);
    let rows = [row([most, most, 0, 0, 0, most, most, 0])];
    assert!(refusing(&control(1, most), &rows).is_ok());
    let over = [row([most + 1, most, 0, 0, 0, most, most, 0])];
    assert_eq!(
        codes(&control(1, most + 1), &over),
        [("NUMBER_OUT_OF_RANGE".into(), "/rows/0/received".into())]
    );
}

#[test]
fn rows_of_unknown_procedures_are_refused_or_parked() {
    let mut unknown = row([1, 1, 0, 0, 0, 0, 0, 0]);
    unknown.service = Some("S9".into());
    let rows = [unknown.clone(), row([1, 1, 0, 0, 0, 0, 0, 0])];
    assert_eq!(codes(&control(2, 2), &rows), [("UNKNOWN_REFERENCE".into(), "/rows/0/service".into())]);
    let parked = check(&control(2, 2), &rows, UnknownServices::Park).unwrap();
    assert_eq!(parked[0].procedure, Procedure::Parked("S9".into()));
    assert_eq!(parked[1].procedure, Procedure::Known(ServiceId(2)));
    let twice = [unknown.clone(), unknown];
    assert_eq!(
        check(&control(2, 2), &twice, UnknownServices::Park).unwrap_err().len(),
        1,
        "the same row twice"
    );
}

#[test]
fn the_first_hundred_faults_are_kept_and_all_are_counted() {
    let rows: Vec<RawRow> = (0..500).map(|_| RawRow::default()).collect();
    let faults = refusing(&control(500, 0), &rows).unwrap_err();
    assert_eq!(faults.len(), 500 * 11);
    assert_eq!(faults.into_result().unwrap_err().errors.len(), 100);
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
        if let Ok(valid) = refusing(&control, &[from_value(value).unwrap()]) {
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
        prop_assert!(refusing(&control(2, n + 1), &rows).is_ok());
    }
}
