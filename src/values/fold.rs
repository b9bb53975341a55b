//! Vietnamese text made comparable.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Canonical composition: what every text is stored in.
pub fn nfc(text: &str) -> String {
    text.nfc().collect()
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

#[cfg(test)]
mod tests {
    use super::*;

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
