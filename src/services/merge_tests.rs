use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn row(code: &str) -> ServiceBatchRow {
    serde_json::from_value(serde_json::json!({
        "code": code, "name": "Thủ tục", "field": "Đất đai", "tier": "province", "agencies": ["SO-B", "SO-A"],
        "level": 3, "effective_from": "2018-01-01", "decision": "QĐ 1"
    }))
    .unwrap()
}

fn merged(rows: Vec<ServiceBatchRow>, existing: &[ServiceRow], levels: &Levels) -> Result<Merge, Problem> {
    let agencies = HashMap::from([("SO-A".to_owned(), AgencyId(1)), ("SO-B".to_owned(), AgencyId(2))]);
    let existing = existing.iter().map(|row| (row.code.clone(), row.clone())).collect();
    Merge::of(rows, existing, levels, &agencies, day("2018-03-15"))
}

#[test]
fn a_batch_again_changes_nothing() {
    let first = merged(vec![row("1.000001")], &[], &Levels::new()).unwrap();
    assert_eq!(first.counts(), ServiceBatchCounts { created: 1, ..Default::default() });
    assert_eq!(first.created[0].level, Some(3));
    assert_eq!(first.created[0].agencies, ["SO-A", "SO-B"]);
    let levels = first.levels.iter().map(|l| (l.code.clone(), l.after.clone())).collect();
    let again = merged(vec![row("1.000001")], &first.created, &levels).unwrap();
    assert_eq!(again.counts(), ServiceBatchCounts { unchanged: 1, ..Default::default() });
    assert!(again.events().is_empty());
}

#[test]
fn what_is_absent_stays_and_a_level_ahead_is_not_in_force() {
    let mut stored = merged(vec![row("1.000001")], &[], &Levels::new()).unwrap().created;
    stored[0].postal = true;
    let ahead = ServiceBatchRow {
        agencies: None,
        level: Some(4),
        effective_from: Some(day("2018-12-01")),
        ..row("1.000001")
    };
    let merge = merged(vec![ahead], &stored, &Levels::new()).unwrap();
    let after = &merge.updated[0].after;
    assert!(after.postal && after.agencies == ["SO-A", "SO-B"]);
    assert_eq!((after.level, after.version), (Some(3), 2));
}

#[test]
fn all_faults_are_named_with_their_rows() {
    let rows = vec![
        row("1.000001"),
        ServiceBatchRow { decision: None, ..row("1.000001") },
        ServiceBatchRow { agencies: Some(vec!["SO-X".into()]), level: Some(9), ..row("thu tuc") },
        ServiceBatchRow {
            status: Some(ServiceStatus::Duplicate),
            duplicate_of: Some("1.000009".into()),
            ..row("1.000002")
        },
    ];
    let problem = merged(rows, &[], &Levels::new()).unwrap_err();
    let found: Vec<_> = problem.errors.iter().map(|e| (e.pointer.as_str(), e.code)).collect();
    assert_eq!(
        found,
        [
            ("/rows/1/decision", ProblemCode::Required),
            ("/rows/2/level", ProblemCode::NumberOutOfRange),
            ("/rows/2/code", ProblemCode::InvalidCode),
            ("/rows/1/code", ProblemCode::DuplicateEntry),
            ("/rows/2/agencies/0", ProblemCode::UnknownReference),
            ("/rows/3/duplicate_of", ProblemCode::UnknownReference),
        ]
    );
}

#[test]
fn two_procedures_cannot_duplicate_each_other() {
    let duplicate = |code: &str, of: &str| ServiceBatchRow {
        status: Some(ServiceStatus::Duplicate),
        duplicate_of: Some(of.into()),
        ..row(code)
    };
    let rows = vec![duplicate("1.000001", "1.000002"), duplicate("1.000002", "1.000001")];
    let problem = merged(rows, &[], &Levels::new()).unwrap_err();
    assert!(
        problem.errors.iter().all(|e| e.code == ProblemCode::CyclicReference) && problem.errors.len() == 2
    );
    let rows = vec![duplicate("1.000001", "1.000002"), row("1.000002")];
    assert_eq!(merged(rows, &[], &Levels::new()).unwrap().counts().created, 2);
}
