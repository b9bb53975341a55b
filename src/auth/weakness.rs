//! Which passwords nobody may choose: NIST SP 800-63B-4 for a password that stands alone. No rules of composition.

use unicode_normalization::UnicodeNormalization;

use crate::values::fold;

const SHORTEST: usize = 15;
/// Longer than any passphrase; bounds the work of normalising.
const LONGEST: usize = 256;
/// The most frequent of 15 characters and more, and what people make of short ones; `data/common-passwords.md` says where they are from.
const COMMON: &str = include_str!("../../data/common-passwords.txt");
/// Words of the province, the service and its roles, folded.
const CONTEXT: &str = include_str!("../../data/context-words.txt");
/// Words that people add figures to.
const BASES: [&str; 10] = [
    "password", "matkhau", "welcome", "qwerty", "iloveyou", "letmein", "changeme", "secret", "xinchao",
    "hello",
];
/// Letters that a password needs beside words of the context.
const OWN_LETTERS: usize = 5;

/// Why a password is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    TooShort,
    TooLong,
    Common,
    /// Hardly more than words that everyone here thinks of.
    OfContext,
    /// Holds the account's own name.
    HoldsName,
}

/// NFKC, so that a password typed on another keyboard is the same password.
pub(super) fn normalised(password: &str) -> String {
    password.nfkc().collect()
}

/// Whether two spellings are one password.
pub fn is_same_password(one: &str, other: &str) -> bool {
    normalised(one) == normalised(other)
}

/// What is wrong with a new password of the account with this username, whose user has this name.
pub fn weakness(password: &str, username: &str, name: &str) -> Option<Weakness> {
    let plain = normalised(password);
    let length = plain.chars().count();
    if length < SHORTEST {
        return Some(Weakness::TooShort);
    }
    if length > LONGEST {
        return Some(Weakness::TooLong);
    }
    let lower = plain.to_lowercase();
    if is_common(&lower) {
        return Some(Weakness::Common);
    }
    if is_of_words(&lower, name) {
        return Some(Weakness::OfContext);
    }
    (username.chars().count() >= 4 && lower.contains(&username.to_lowercase())).then_some(Weakness::HoldsName)
}

fn is_common(lower: &str) -> bool {
    let distinct = lower.chars().collect::<std::collections::HashSet<_>>().len();
    distinct < 5 || COMMON.lines().any(|common| lower == common) || is_repetition(lower) || is_sequence(lower)
}

/// `passwordpassword`: a shorter text again and again.
fn is_repetition(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    (1..=chars.len() / 2).any(|n| chars.iter().zip(chars.iter().skip(n)).all(|(a, b)| a == b))
}

/// `abcdefgh12345678`: hardly a place where it does not go on as it began.
fn is_sequence(text: &str) -> bool {
    let codes: Vec<u32> = text.chars().map(u32::from).collect();
    let breaks =
        codes.iter().zip(codes.iter().skip(1)).filter(|(one, next)| one.abs_diff(**next) > 1).count();
    breaks < 3
}

/// `Lào Cai 2018 ICT-Index!`: without the words of the context hardly a letter is left. `P@ssw0rd-12345678`: without the word that it is
/// made of, none.
fn is_of_words(lower: &str, name: &str) -> bool {
    let text: Vec<char> =
        fold(lower).chars().filter(|c| c.is_alphanumeric() || matches!(c, '@' | '$')).collect();
    let meant: Vec<char> = text.iter().map(|c| meant_by(*c)).collect();
    let name: String = fold(name).chars().filter(|c| c.is_alphanumeric()).collect();
    let context = CONTEXT.lines().chain((name.chars().count() >= 4).then_some(name.as_str()));
    letters_beside(&text, &meant, context).is_some_and(|own| own < OWN_LETTERS)
        || letters_beside(&text, &meant, BASES.into_iter()).is_some_and(|own| own == 0)
}

/// Letters that are in none of the words; `None` when none of these is there. `meant` has as many characters as `text`.
fn letters_beside<'w>(text: &[char], meant: &[char], words: impl Iterator<Item = &'w str>) -> Option<usize> {
    let mut covered = vec![false; text.len()];
    for word in words {
        let word: Vec<char> = word.chars().collect();
        for at in 0..text.len() {
            let is_there = |chars: &[char]| chars.get(at..at + word.len()) == Some(word.as_slice());
            if is_there(meant) || is_there(text) {
                covered.iter_mut().skip(at).take(word.len()).for_each(|place| *place = true);
            }
        }
    }
    let own = text.iter().zip(&covered).filter(|(c, covered)| !**covered && c.is_alphabetic()).count();
    covered.contains(&true).then_some(own)
}

/// The letter that people write so.
fn meant_by(c: char) -> char {
    match c {
        '0' => 'o',
        '1' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            "correct horse battery staple",
            "another-password-1",
            "Sở thích của tôi là câu cá",
        ] {
            assert_eq!(weakness(strong, "an", "Nguyễn Bí Mật"), None, "{strong}");
        }
    }

    #[test]
    fn the_list_is_what_the_standard_asks_for() {
        let long_enough = COMMON.lines().filter(|line| line.chars().count() >= SHORTEST).count();
        assert!(long_enough >= 3000, "{long_enough}");
        assert_eq!(long_enough, COMMON.lines().count(), "shorter ones are refused for their length");
        assert!(COMMON.lines().all(|line| line == normalised(line).to_lowercase()));
        assert!(CONTEXT.lines().all(|word| word == fold(word) && !word.is_empty()));
    }
}
