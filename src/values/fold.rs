//! Vietnamese text made comparable.

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use unicode_security::MixedScript;
use unicode_security::confusable_detection::skeleton;

/// Canonical composition: what every text is stored in.
pub fn nfc(text: &str) -> String {
    // Nearly every text is composed already (bench line "list of 50 by cursor").
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => text.to_owned(),
        _ => text.nfc().collect(),
    }
}

/// The search form: no case, no diacritics, đ as d, one space between words. `Hoà` and `Hòa` fold alike, in NFC and NFD.
pub fn fold(text: &str) -> String {
    let plain: String = text
        .nfd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .map(|c| if c == 'đ' { 'd' } else { c })
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Two codes or names that people take for one have the same key: without case, diacritics, width, composition, white space,
/// punctuation (so every kind of hyphen) and invisible characters.
pub fn identity_key(text: &str) -> String {
    let visible: String = text.nfkc().filter(|c| !is_invisible(*c)).collect();
    fold(&visible).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Two names that are the same to a reader of Vietnamese have the same key: as [`identity_key`], with diacritics, whose tone marks may
/// stand on either vowel (`Hoà`, `Hòa`).
pub fn name_key(text: &str) -> String {
    let visible: String = text.nfkc().filter(|c| !is_invisible(*c)).flat_map(char::to_lowercase).collect();
    let words = visible.split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c));
    words.map(toned_last).collect()
}

/// The word with its tone behind it; marks that make another vowel stay.
fn toned_last(word: &str) -> String {
    const TONES: [char; 5] = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];
    let (tones, letters): (String, String) = word.nfd().partition(|c| TONES.contains(c));
    letters + &tones
}

/// As [`identity_key`], and letters of other scripts that look alike are equal (Unicode TS 39), which also makes some different
/// Latin texts equal: to hide or refuse by, never to grant by.
pub fn look_alike_key(text: &str) -> String {
    let upper: String = text.nfkc().filter(|c| !is_invisible(*c)).flat_map(char::to_uppercase).collect();
    identity_key(&skeleton(&upper).collect::<String>())
}

/// The first character that is invisible or that changes how others are shown: controls, bidirectional controls, zero-width
/// characters, soft hyphens, fillers, private use, U+FFFD.
pub fn invisible_character(text: &str) -> Option<char> {
    text.chars().find(|c| is_invisible(*c))
}

/// Letters of several scripts, as in a Latin word with a Cyrillic letter in it.
pub fn has_mixed_scripts(text: &str) -> bool {
    !text.is_single_script()
}

fn is_invisible(c: char) -> bool {
    use GeneralCategory::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, Surrogate, Unassigned,
    };
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(
        c.general_category(),
        Control | Format | LineSeparator | ParagraphSeparator | PrivateUse | Surrogate | Unassigned
    ) || is_blank(c)
}

/// Marks and letters without a form of their own, and the sign for a character that was lost.
fn is_blank(c: char) -> bool {
    matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fffd}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spellings of a code or name that people cannot distinguish from it.
    const VARIANTS: [&str; 12] = [
        "so-gddt",
        "SO\u{2011}GDDT",
        "SO\u{2010}GDDT",
        "SO\u{2013}GDDT",
        "SO GDDT",
        "SO_GDDT",
        "SO-\u{200b}GDDT",
        "SO\u{ad}-GDDT",
        "\u{202e}SO-GDDT",
        "\u{ff33}\u{ff2f}-GDDT",
        " SO-GDDT\u{a0}",
        "SO-GD\u{110}T",
    ];

    #[test]
    fn spellings_of_one_code_share_their_identity_key() {
        for variant in VARIANTS {
            assert_eq!(identity_key(variant), identity_key("SO-GDDT"), "{variant:?}");
            assert_eq!(look_alike_key(variant), look_alike_key("SO-GDDT"), "{variant:?}");
        }
        assert_eq!(identity_key("Xa\u{303} Va\u{323}n Ho\u{e0}"), identity_key("Xã Vạn Hòa"));
        assert_eq!(look_alike_key("Sở Giáo dục và \u{d0}ào tạo"), look_alike_key("SỞ GIÁO DỤC VÀ ĐÀO TẠO"));
        assert_ne!(identity_key("SO-YT"), identity_key("SO-TTTT"));
    }

    #[test]
    fn names_differ_by_their_diacritics_and_not_by_where_the_tone_stands() {
        for (one, other) in
            [("Xã Vạn Hoà", "XÃ  VẠN HÒA"), ("Thuỷ", "Thu\u{1ef7}"), ("Thủy", "Thuỷ"), ("Quý-Hoá", "quý hóa")]
        {
            assert_eq!(name_key(one), name_key(other));
        }
        assert_ne!(name_key("Xã Tân An"), name_key("Xã Tấn An"));
        assert_ne!(name_key("Đa"), name_key("Da"));
    }

    #[test]
    fn letters_of_other_scripts_that_look_alike_share_their_key() {
        for variant in ["S\u{41e}-GDDT", "SO-GDD\u{422}", "s\u{43e}-gdd\u{442}", "\u{405}O-GDDT"] {
            assert_eq!(look_alike_key(variant), look_alike_key("SO-GDDT"), "{variant:?}");
            assert!(has_mixed_scripts(variant), "{variant:?}");
        }
        for plain in ["Sở Giáo dục và Đào tạo", "UBND TP. Lào Cai (50%)", "1.011443", "Xã A/B"] {
            assert!(!has_mixed_scripts(plain) && invisible_character(plain).is_none(), "{plain}");
        }
    }

    #[test]
    fn invisible_characters_are_found() {
        for c in [
            '\0',
            '\t',
            '\n',
            '\u{7f}',
            '\u{ad}',
            '\u{200b}',
            '\u{200e}',
            '\u{202e}',
            '\u{2066}',
            '\u{2060}',
            '\u{feff}',
            '\u{34f}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{e0041}',
            '\u{e000}',
            '\u{fffd}',
            '\u{2028}',
        ] {
            assert_eq!(invisible_character(&format!("Sở{c} Y tế")), Some(c));
        }
    }

    #[test]
    fn diacritics_case_and_composition_do_not_matter() {
        assert_eq!(fold("Sở Y tế"), "so y te");
        assert_eq!(fold("Hoà"), fold("Hòa"));
        assert_eq!(fold("Xã Vạn Hoà"), "xa van hoa");
        assert_eq!(fold("ĐƯỜNG  sắt"), "duong sat");
        let decomposed: String = "Sở Y tế".nfd().collect();
        assert_ne!(decomposed, "Sở Y tế");
        assert_eq!(fold(&decomposed), "so y te");
        assert_eq!(nfc(&decomposed), "Sở Y tế");
    }
}
