use super::*;

fn is_refused(password: &str) -> bool {
    weakness(password, "an.nguyen", "Nguyễn Bí Mật").is_some()
        || is_guessable(&normalised(password).unwrap(), "an.nguyen", "Nguyễn Bí Mật")
}

#[test]
fn weak_passwords_are_named_as_such() {
    assert_eq!(weakness("short", "an", "Nguyễn Bí Mật"), Some(Weakness::TooShort));
    assert_eq!(weakness(&"x1y2z3".repeat(50), "an", "Nguyễn Bí Mật"), Some(Weakness::TooLong));
    for common in [
        "passwordpassword",
        "aaaaaaaaaaaaaaaa",
        "123456789012345",
        "1QAZ2wsx3edc4rfv",
        "0123456789abcdef",
        "passwordstandard",
    ] {
        assert_eq!(weakness(common, "an", "Nguyễn Bí Mật"), Some(Weakness::Common), "{common}");
    }
    assert_eq!(weakness("coordinator is me", "coordinator", "Nguyễn Bí Mật"), Some(Weakness::OfContext));
    assert_eq!(weakness("an.nguyen walks home", "an.nguyen", "Nguyễn Bí Mật"), Some(Weakness::HoldsName));
    assert_eq!(weakness("ruộng bậc thang mùa lúa chín", "an.nguyen", "Nguyễn Bí Mật"), None);
}

#[test]
fn words_of_the_context_need_others_beside_them() {
    for weak in [
        "Ủy ban nhân dân tỉnh Lào Cai",
        "Sở Y tế Lào Cai 2026",
        "Sở Giáo dục và Đào tạo",
        "Thành phố Lào Cai 1",
        "Chuyển đổi số Lào Cai",
        "Lao Cai Sa Pa Bac Ha",
        "Mường Khương 2026!!",
        "Nguyễn Bí Mật 2026!",
        "P@ssw0rd12345678",
        "Matkhau@12345678",
        "Welcome@20262026",
        "Lào Cai 2018 ICT-Index!",
        "laocai-laocai-2026",
        "VNPT.UBND.tinh.LaoCai",
        "Quản trị 0214 3840 xyz",
    ] {
        assert_eq!(weakness(weak, "an", "Nguyễn Bí Mật"), Some(Weakness::OfContext), "{weak}");
    }
    for strong in [
        "mùa xuân ở Lào Cai có hoa mận",
        "7349 2285 9017 3346",
        "ruong bac thang 332",
        "mật khẩu rất dài đây",
        "another-password-1",
        "Sở thích của tôi là câu cá",
    ] {
        assert_eq!(weakness(strong, "an", "Nguyễn Bí Mật"), None, "{strong}");
    }
}

/// Every way that people write a weak one: case, width, composition, separators, leet, digits and years around it.
fn spellings(weak: &str) -> Vec<String> {
    let wide = |c: char| char::from_u32(u32::from(c) + 0xfee0).filter(|_| c.is_ascii_graphic()).unwrap_or(c);
    let leet = |c: char| match c {
        'o' => '0',
        'i' => '1',
        'e' => '3',
        'a' => '4',
        's' => '5',
        other => other,
    };
    let mut first = true;
    let capitalised =
        weak.chars().map(|c| if std::mem::take(&mut first) { c.to_ascii_uppercase() } else { c });
    let separated =
        weak.chars().enumerate().map(|(n, c)| if n % 7 == 6 { format!("-{c}") } else { c.to_string() });
    vec![
        weak.to_owned(),
        weak.to_uppercase(),
        capitalised.collect(),
        weak.chars().map(wide).collect(),
        weak.chars().map(leet).collect(),
        weak.replace('a', "@").replace('s', "$"),
        weak.nfd().collect(),
        separated.collect(),
        format!("{weak}1"),
        format!("{weak}2026"),
        format!("{weak}!"),
        format!("1{weak}"),
        format!("{weak}@2026"),
    ]
}

#[test]
fn weak_ones_are_refused_however_they_are_spelt() {
    for weak in [
        "correcthorsebatterystaple",
        "superman12345678",
        "iloveyou12345678",
        "dragon1234567890",
        "footballfootball1",
        "princess20262026",
        "trustno1trustno1",
        "anhyeuem12345678",
        "tobeornottobethatisthequestion",
        "maytheforcebewithyou",
        "motconvitxoerahaicaicanh",
        "passwordstandard",
        "1qaz2wsx3edc4rfv",
    ] {
        for spelling in spellings(weak) {
            assert!(is_refused(&spelling), "{spelling}");
        }
    }
}

#[test]
fn the_code_of_an_agency_is_no_secret_of_its_officers() {
    for weak in ["so-khcn-lao-cai-2018", "SoKHCN-LaoCai-2018", "so-khcn-lao-cai-2019", "officer-so-khcn-2018"]
    {
        assert!(weakness(weak, "officer.so-khcn", "Nguyễn Bí Mật").is_some(), "{weak}");
    }
    // A department without a word in the list, by the name of the account alone.
    assert_eq!(weakness("so-xyzw-lao-cai-2018", "officer.so-xyzw", "An"), Some(Weakness::OfContext));
    assert_eq!(weakness("mùa xuân ở So-XYZW có hoa mận", "officer.so-xyzw", "An"), None);
}

#[test]
fn passphrases_in_both_languages_are_accepted() {
    for strong in [
        "mùa xuân ở Lào Cai có hoa mận",
        "chiec xe dap mau xanh",
        "con meo nha hang xom",
        "tôi thích ăn phở bò",
        "tra da via he buoi trua",
        "cà phê sữa đá buổi sáng",
        "troi mua nho ve que ngoai",
        "đi chợ phiên Bắc Hà hôm qua",
        "purple lantern drifts slowly",
        "seven kettles under rain",
        "orbit velvet cactus ninety",
        "k7Qm2vX9pLw4TzR8",
        "ruong bac thang 332",
        "núi Fansipan 3143 mét",
        "the clerk wrote it down",
        "x#Kq7!mZ@2vB&9pL",
    ] {
        assert!(!is_refused(strong), "{strong}");
    }
}

#[test]
fn the_list_is_what_the_standard_asks_for() {
    let long_enough = COMMON.lines().filter(|line| line.chars().count() >= SHORTEST).count();
    assert!(long_enough >= 3000, "{long_enough}");
    assert_eq!(long_enough, COMMON.lines().count(), "shorter ones are refused for their length");
    assert!(COMMON.lines().all(|line| line == normalised(line).unwrap().to_lowercase()));
    assert!(CONTEXT.lines().all(|word| word == fold(word) && !word.is_empty()));
}
