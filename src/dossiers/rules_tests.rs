use super::*;

#[test]
fn missing_months_end_before_the_running_one() {
    let months = |all: &[&str]| all.iter().map(|m| m.parse().unwrap()).collect::<Vec<Month>>();
    let missing = |reported: &[&str], today: &str| missing_months(&months(reported), today.parse().unwrap());
    assert_eq!(missing(&["2017-11", "2018-01"], "2018-03-31"), months(&["2017-12", "2018-02"]));
    assert_eq!(missing(&["2017-11", "2018-01"], "2018-04-01"), months(&["2017-12", "2018-02", "2018-03"]));
    assert_eq!(missing(&["2018-03"], "2018-03-15"), []);
    assert_eq!(missing(&[], "2018-03-15"), []);
}

#[test]
fn an_agency_has_one_source() {
    let faults = |decided: Option<&str>, other: Option<&str>| -> Vec<(ProblemCode, String)> {
        let reporter = Reporter {
            id: AgencyId(1),
            code: "A".into(),
            validity: Validity { from: None, until: None },
            decided_source: decided.map(str::to_owned),
            other_source: other.map(str::to_owned),
            in_scope: true,
        };
        let frame =
            Frame { source: "vnpt", month: "2018-03".parse().unwrap(), today: "2018-03-15".parse().unwrap() };
        let spot = Spot { index: 4, line: Some(6) };
        let found = check_frame(frame, &[(spot, reporter)]).into_result().err();
        found.into_iter().flat_map(|p| p.errors).map(|e| (e.code, e.pointer)).collect()
    };
    assert_eq!(faults(Some("vnpt"), None), []);
    for (decided, other) in [(Some("A"), None), (None, Some("A")), (Some("vnpt"), Some("A"))] {
        assert_eq!(faults(decided, other), [(ProblemCode::ForeignSource, "/rows/4/agency".into())]);
    }
}
