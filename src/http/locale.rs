//! Vietnamese first, English second.

use std::borrow::Cow;

/// Language of a problem's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Locale {
    #[default]
    Vi,
    En,
}

impl Locale {
    /// The better of the two languages for an `Accept-Language` header; Vietnamese when it does not say.
    pub fn negotiate(header: Option<&str>) -> Self {
        let Some(header) = header else { return Self::Vi };
        let mut best = (0.0_f32, Self::Vi);
        for range in header.split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let quality = parts
                .find_map(|p| p.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()))
                .unwrap_or(1.0);
            let locale = match tag.split('-').next() {
                Some("vi") => Self::Vi,
                Some("en") => Self::En,
                _ => continue,
            };
            if quality > best.0 {
                best = (quality, locale);
            }
        }
        best.1
    }

    pub fn tag(self) -> &'static str {
        match self {
            Self::Vi => "vi",
            Self::En => "en",
        }
    }
}

/// A text in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Msg {
    pub vi: Cow<'static, str>,
    pub en: Cow<'static, str>,
}

impl Msg {
    pub const fn fixed(vi: &'static str, en: &'static str) -> Self {
        Self { vi: Cow::Borrowed(vi), en: Cow::Borrowed(en) }
    }

    pub fn text(&self, locale: Locale) -> &str {
        match locale {
            Locale::Vi => &self.vi,
            Locale::En => &self.en,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_decides_and_vietnamese_is_the_default() {
        assert_eq!(Locale::negotiate(None), Locale::Vi);
        assert_eq!(Locale::negotiate(Some("fr")), Locale::Vi);
        assert_eq!(Locale::negotiate(Some("en-US,en;q=0.9,vi;q=0.5")), Locale::En);
        assert_eq!(Locale::negotiate(Some("en;q=0.3, vi-VN;q=0.8")), Locale::Vi);
    }
}
