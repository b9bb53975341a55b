use super::*;

#[test]
fn levels_are_cumulative() {
    let exact = LevelCounts { one: 500, two: 365, three: 404, four: 751 };
    let at_least = exact.at_least();
    assert_eq!(at_least.each(), [(1, 2020), (2, 1520), (3, 1155), (4, 751)]);
}

#[test]
fn rates_are_told_in_both_countings() {
    let row = LevelRow {
        code: "2020".into(),
        name: String::new(),
        total: 2020,
        exact_1: 0,
        exact_2: 0,
        exact_3: 404,
        exact_4: 751,
        active_3: 4,
        active_4: 0,
    };
    let item = LevelItem::of(Group::province(), &row, &Aims::default());
    let told: Vec<_> = item
        .rates
        .iter()
        .map(|r| (r.metric.as_str(), r.counting.unwrap(), r.numerator, r.denominator))
        .collect();
    assert_eq!(told.len(), 11);
    assert!(told.contains(&("services_level_3", Counting::Exact, 404, 2020)));
    assert!(told.contains(&("services_level_3", Counting::AtLeast, 1155, 2020)));
    assert!(told.contains(&("services_level_3_4", Counting::AtLeast, 1155, 2020)));
    assert!(told.contains(&("services_active_level_3", Counting::Exact, 4, 404)));
    assert!(told.contains(&("services_active_level_4", Counting::Exact, 0, 751)));
    assert_eq!(aimed("services_level_3", &row), Some(Rate::new(1155, 2020)));
    assert_eq!(aimed("services_active_level_3", &row), Some(Rate::new(4, 404)));
    assert_eq!(aimed("on_time", &row), None);
    assert_eq!((metric_of("UD.DV.04").as_deref(), metric_of("UD.DV.05")), (Some("services_level_4"), None));
}
