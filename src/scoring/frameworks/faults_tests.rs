use super::*;

/// With every parameter that any fault names.
fn fault(code: FaultCode) -> Fault {
    let names = [
        "code", "limit", "leaves", "weight", "expected", "found", "lo", "hi", "from", "value", "field",
        "points", "decimals",
    ];
    Fault { code, pointer: "/root".into(), params: names.map(|name| (name, format!("<{name}>"))).into() }
}

#[test]
fn every_fault_has_a_text_of_its_own_in_both_languages() {
    let mut seen = std::collections::HashSet::new();
    for code in FaultCode::ALL {
        let text = text(&fault(*code));
        assert_ne!(text.vi, text.en, "{code:?}");
        assert!(!text.en.contains("Invalid framework"), "{code:?} has no text");
        assert!(seen.insert(text.vi.into_owned()) && seen.insert(text.en.into_owned()), "{code:?}");
    }
}

#[test]
fn no_two_faults_share_a_code() {
    let mut seen = std::collections::HashSet::new();
    for code in FaultCode::ALL {
        if let Kind::Fault(told) = kind(*code) {
            assert!(seen.insert(told), "{code:?}");
        }
    }
    assert_eq!(seen.len(), FaultCode::ALL.len() - 3, "all but the warnings");
}
