//! How many lines text takes. No program is relied on to find out when it opens the file.

use bigdecimal::ToPrimitive;

/// Lines of a paragraph that go into one row.
const LINES_IN_ROW: u32 = 25;

/// Lines being filled with words.
struct Filling {
    lines: u32,
    filled: f64,
}

impl Filling {
    fn empty() -> Self {
        Self { lines: 1, filled: 0.0 }
    }

    fn add(&mut self, word: &str, characters: f64) {
        let mut length = word.chars().count().to_f64().unwrap_or(f64::MAX);
        if self.filled > 0.0 && self.filled + 1.0 + length > characters {
            (self.lines, self.filled) = (self.lines + 1, 0.0);
        }
        // Longer than a line, it is broken anywhere.
        while length > characters && characters >= 1.0 {
            (self.lines, length) = (self.lines + 1, length - characters);
        }
        self.filled += if self.filled > 0.0 { 1.0 + length } else { length };
    }
}

/// Lines that text takes where so many characters go into one. No program is relied on to find out when it opens the file.
pub fn lines(text: &str, characters: f64) -> u32 {
    let mut filling = Filling::empty();
    text.split_whitespace().for_each(|word| filling.add(word, characters));
    filling.lines
}

/// Text in parts that each go into one row.
pub fn parts(text: &str, characters: f64) -> Vec<String> {
    if lines(text, characters) <= LINES_IN_ROW {
        return vec![text.to_owned()];
    }
    let (mut parts, mut part, mut filling) = (Vec::new(), String::new(), Filling::empty());
    for word in text.split_whitespace() {
        filling.add(word, characters);
        if filling.lines > LINES_IN_ROW && !part.is_empty() {
            parts.push(std::mem::take(&mut part));
            filling = Filling::empty();
            filling.add(word, characters);
        }
        if !part.is_empty() {
            part.push(' ');
        }
        part.push_str(word);
    }
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::book::{LINE, MOST_LINES};

    #[test]
    fn lines_break_at_words() {
        assert_eq!(lines("", 10.0), 1);
        assert_eq!(lines("mười chữ ở", 10.0), 1);
        assert_eq!(lines("mười chữ ở đây", 10.0), 2);
        assert_eq!(lines("dossiers_level_3_resolved", 10.0), 3);
        assert_eq!(lines("x", 0.0), 1);
    }

    #[test]
    fn long_text_goes_into_rows_that_excel_takes() {
        let names: Vec<String> = (1..=250).map(|n| format!("Ủy ban nhân dân xã số {n}")).collect();
        let text = format!("Cơ quan chưa gửi báo cáo: {}.", names.join("; "));
        let rows = parts(&text, 115.0);
        assert!(rows.len() > 1);
        assert!(rows.iter().all(|row| lines(row, 115.0) <= LINES_IN_ROW));
        assert_eq!(rows.join(" "), text);
        assert_eq!(parts("a  b", 10.0), ["a  b"]);
        assert!(f64::from(MOST_LINES) * LINE + 2.0 <= 409.5);
        assert_eq!(parts(&"x".repeat(9_000), 115.0).len(), 1, "a word is one part");
    }
}
