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

/// What is wrong with a new password.
pub fn weakness(password: &str, username: &str) -> Option<Weakness> {
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
    if is_of_context(&lower) {
        return Some(Weakness::OfContext);
    }
    (username.chars().count() >= 4 && lower.contains(&username.to_lowercase())).then_some(Weakness::HoldsName)
}

fn is_common(lower: &str) -> bool {
    let distinct = lower.chars().collect::<std::collections::HashSet<_>>().len();
    distinct < 5 || COMMON.lines().any(|common| lower == common) || is_repetition(lower)
}

/// `passwordpassword`: a shorter text again and again.
fn is_repetition(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    (1..=chars.len() / 2).any(|n| chars.iter().zip(chars.iter().skip(n)).all(|(a, b)| a == b))
}

/// `Lào Cai 2018 ICT-Index!`: without the words of the context hardly a letter is left.
fn is_of_context(lower: &str) -> bool {
    let folded: String = fold(lower).chars().filter(|c| c.is_alphanumeric()).collect();
    let mut words: Vec<&str> = CONTEXT.lines().filter(|word| folded.contains(word)).collect();
    words.sort_unstable_by_key(|word| std::cmp::Reverse(word.len()));
    let own = words.iter().fold(folded.clone(), |rest, word| rest.replace(word, ""));
    own.len() < folded.len() && own.chars().filter(|c| c.is_alphabetic()).count() < OWN_LETTERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_named_as_such() {
        assert_eq!(weakness("short", "an"), Some(Weakness::TooShort));
        assert_eq!(weakness(&"x1y2z3".repeat(50), "an"), Some(Weakness::TooLong));
        for common in [
            "passwordpassword",
            "aaaaaaaaaaaaaaaa",
            "123456789012345",
            "1QAZ2wsx3edc4rfv",
            "passwordstandard",
        ] {
            assert_eq!(weakness(common, "an"), Some(Weakness::Common), "{common}");
        }
        assert_eq!(weakness("coordinator is me", "coordinator"), Some(Weakness::OfContext));
        assert_eq!(weakness("an.nguyen walks home", "an.nguyen"), Some(Weakness::HoldsName));
        assert_eq!(weakness("ruộng bậc thang mùa lúa chín", "an.nguyen"), None);
    }

    #[test]
    fn words_of_the_context_need_others_beside_them() {
        for weak in [
            "Lào Cai 2018 ICT-Index!",
            "laocai-laocai-2026",
            "VNPT.UBND.tinh.LaoCai",
            "Quản trị 0214 3840 xyz",
        ] {
            assert_eq!(weakness(weak, "an"), Some(Weakness::OfContext), "{weak}");
        }
        for strong in ["mùa xuân ở Lào Cai có hoa mận", "7349 2285 9017 3346", "ruong bac thang 332"]
        {
            assert_eq!(weakness(strong, "an"), None, "{strong}");
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
