//! Which passwords nobody may choose: NIST SP 800-63B-4 for a password that stands alone. No rules of composition.

use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

use crate::values::fold;

const SHORTEST: usize = 15;
/// Longer than any passphrase.
const LONGEST: usize = 256;
/// Bytes of [`LONGEST`] characters however they are composed, with room to spare: bounds the work of normalising.
const MOST_BYTES: usize = 16 * LONGEST;
/// The most frequent of 15 characters and more, and what people make of short ones; `data/common-passwords.md` says where they are from.
const COMMON: &str = include_str!("../../data/common-passwords.txt");
/// Words of the province, the service and its roles, folded.
const CONTEXT: &str = include_str!("../../data/context-words.txt");
/// Words that people add figures to; those that are not English are unknown to the estimate of guesses.
const BASES: [&str; 20] = [
    "password",
    "matkhau",
    "welcome",
    "qwerty",
    "iloveyou",
    "letmein",
    "changeme",
    "secret",
    "xinchao",
    "hello",
    "anhyeuem",
    "emyeuanh",
    "yeuem",
    "tinhyeu",
    "khongbiet",
    "hanhphuc",
    "giadinh",
    "nguyen",
    "congviec",
    "mothaibabonnam",
];
/// Guesses that a password takes at the least, as a power of ten.
const LEAST_GUESSES_LOG10: f64 = 10.0;
/// What each different sign next to letters and digits adds to that: an attacker who tries words tries the usual signs with them.
const GUESSES_LOG10_OF_SIGN: f64 = 0.75;
/// As far as the estimate looks: its time grows faster than the length.
const ESTIMATED_CHARS: usize = 32;

/// Shorter ones are in dictionaries, which are estimated.
const SHORTEST_LOOKED_FOR: usize = 8;

/// The common ones without case and separators, as they are and as they are meant, to be looked for inside others.
static COMMON_SQUEEZED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let squeezed = COMMON.lines().map(squeezed).filter(|common| common.len() >= SHORTEST_LOOKED_FOR);
    squeezed.flat_map(|common| [common.chars().map(meant_by).collect(), common]).collect()
});
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

/// NFKC, so that a password typed on another keyboard is the same password. `None`: longer than any password, and not looked into.
pub(super) fn normalised(password: &str) -> Option<String> {
    (password.len() <= MOST_BYTES).then(|| password.nfkc().collect())
}

/// Whether two spellings are one password.
pub fn is_same_password(one: &str, other: &str) -> bool {
    normalised(one).zip(normalised(other)).is_some_and(|(one, other)| one == other)
}

/// What is wrong with a new password of the account with this username, whose user has this name.
pub fn weakness(password: &str, username: &str, name: &str) -> Option<Weakness> {
    let Some(plain) = normalised(password) else { return Some(Weakness::TooLong) };
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
    if is_of_words(&lower, username, name) {
        return Some(Weakness::OfContext);
    }
    if is_made_of_a_common_one(&lower) {
        return Some(Weakness::Common);
    }
    (username.chars().count() >= 4 && lower.contains(&username.to_lowercase())).then_some(Weakness::HoldsName)
}

fn is_common(lower: &str) -> bool {
    let distinct = lower.chars().collect::<std::collections::HashSet<_>>().len();
    distinct < 5 || COMMON.lines().any(|common| lower == common) || is_repetition(lower) || is_sequence(lower)
}

/// `Correct-Horse-Battery-Staple-2026`: a common one, hardly changed.
fn is_made_of_a_common_one(lower: &str) -> bool {
    let text: Vec<char> = significant_characters(lower).collect();
    let meant: Vec<char> = text.iter().map(|c| meant_by(*c)).collect();
    let spellings = [text.iter().collect::<String>(), meant.iter().collect()];
    let is_there = |common: &&str| spellings.iter().any(|spelling| spelling.contains(*common));
    let common = COMMON_SQUEEZED.iter().map(String::as_str).filter(is_there);
    letters_beside(&text, &meant, common).is_some_and(|own| own < OWN_LETTERS)
}

/// What an attacker who knows dictionaries, names, dates and keyboards would soon try: by the estimate of zxcvbn, which is made of letters
/// and digits alone, so that case, width, diacritics and separators hide nothing. Takes milliseconds: not for a thread that answers requests.
/// The password is normalised.
pub(super) fn is_guessable(password: &str, username: &str, name: &str) -> bool {
    let lower = password.to_lowercase();
    let name = fold(name);
    let known: Vec<&str> =
        [username].into_iter().chain(name.split(' ')).chain(BASES).chain(CONTEXT.lines()).collect();
    let signs: std::collections::HashSet<char> =
        lower.chars().filter(|c| !c.is_alphanumeric() && !c.is_whitespace()).collect();
    let of_signs = GUESSES_LOG10_OF_SIGN * f64::from(u8::try_from(signs.len()).unwrap_or(u8::MAX));
    let read: String =
        lower.chars().map(|c| if c.is_ascii_punctuation() { meant_by(c) } else { c }).collect();
    [squeezed(&lower), squeezed(&read)].iter().any(|spelling| {
        let looked_at: String = spelling.chars().take(ESTIMATED_CHARS).collect();
        zxcvbn::zxcvbn(&looked_at, &known).guesses_log10() + of_signs < LEAST_GUESSES_LOG10
    })
}

/// Letters and digits alone, without case and diacritics.
fn squeezed(text: &str) -> String {
    fold(text).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Letters, digits, and what stands for letters.
fn significant_characters(lower: &str) -> impl Iterator<Item = char> {
    fold(lower)
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '@' | '$' | '!'))
        .collect::<Vec<_>>()
        .into_iter()
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
fn is_of_words(lower: &str, username: &str, name: &str) -> bool {
    let text: Vec<char> = significant_characters(lower).collect();
    let meant: Vec<char> = text.iter().map(|c| meant_by(*c)).collect();
    let name: String = fold(name).chars().filter(|c| c.is_alphanumeric()).collect();
    let username = fold(username);
    // `officer.so-khcn`: the role and the agency that it is made of.
    let parts = username.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
    let context = CONTEXT.lines().chain(parts).chain((name.chars().count() >= 4).then_some(name.as_str()));
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
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

#[cfg(test)]
#[path = "password_policy_tests.rs"]
mod tests;
