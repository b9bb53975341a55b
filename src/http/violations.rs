//! What is wrong with a request, collected before it is answered.

use serde_json::Map;
use serde_json::Value;

use super::problem::MOST_ERRORS;
use super::{Msg, Problem, ProblemCode, Violation};

/// Collects all that is wrong before it is said. Keeps the first 100 and counts the rest: a batch can break
/// a million rules.
#[derive(Debug, Default)]
pub struct Violations {
    listed: Vec<Violation>,
    more: usize,
}

impl Violations {
    pub fn add(&mut self, code: ProblemCode, pointer: impl Into<String>, detail: Msg) {
        self.add_with(code, pointer, detail, Map::new());
    }

    /// As [`Violations::add`], with further members.
    pub fn add_with(
        &mut self,
        code: ProblemCode,
        pointer: impl Into<String>,
        detail: Msg,
        extra: Map<String, Value>,
    ) {
        if self.listed.len() < MOST_ERRORS {
            self.listed.push(Violation { code, pointer: pointer.into(), detail, extra });
        } else {
            self.more += 1;
        }
    }

    /// Adds faults that were found elsewhere.
    pub fn extend(&mut self, faults: impl IntoIterator<Item = Violation>) {
        for Violation { code, pointer, detail, extra } in faults {
            self.add_with(code, pointer, detail, extra);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    pub fn len(&self) -> usize {
        self.listed.len() + self.more
    }

    pub fn append(&mut self, other: Self) {
        let room = MOST_ERRORS.saturating_sub(self.listed.len());
        self.more += other.more + other.listed.len().saturating_sub(room);
        self.listed.extend(other.listed.into_iter().take(room));
    }

    /// `Ok` when nothing was added; otherwise one problem that names everything.
    pub fn into_result(self) -> Result<(), Problem> {
        if self.listed.is_empty() {
            return Ok(());
        }
        Err(Problem::of_many(self.listed, self.more))
    }

    /// The text has between `min` and `max` characters.
    pub fn length(&mut self, pointer: &str, text: &str, min: usize, max: usize) {
        let n = text.chars().count();
        if n < min || n > max {
            let detail = msg!(
                "Nội dung phải có từ {min} đến {max} ký tự; hiện có {n} ký tự.",
                "Must have {min} to {max} characters, got {n}."
            );
            self.add(ProblemCode::InvalidLength, pointer, detail);
        }
    }

    /// A name or title: of this length, and with nothing in it that is invisible or looks like another letter.
    pub fn name(&mut self, pointer: &str, text: &str, min: usize, max: usize) {
        self.length(pointer, text, min, max);
        self.visible(pointer, text);
    }

    /// No invisible character, and letters of one script.
    pub fn visible(&mut self, pointer: &str, text: &str) {
        if let Some(detail) = not_visible(text) {
            self.add(ProblemCode::InvalidText, pointer, detail);
        }
    }

    /// The day, if there is one, lies in the centuries that periods are of.
    pub fn day(&mut self, pointer: &str, day: impl Into<Option<chrono::NaiveDate>>) {
        if day.into().is_some_and(|day| !crate::values::is_plausible_day(day)) {
            let detail = Msg::fixed(
                "Ngày phải trong khoảng từ năm 1900 đến năm 2199.",
                "The year must be between 1900 and 2199.",
            );
            self.add(ProblemCode::InvalidRange, pointer, detail);
        }
    }

    /// The text can be a code (see [`crate::ids::is_code`]).
    pub fn code(&mut self, pointer: &str, text: &str) {
        if !crate::ids::is_code(text) {
            let detail = Msg::fixed(
                "Mã gồm 1–64 ký tự: chữ cái không dấu, chữ số và các dấu . _ - :, bắt đầu bằng chữ cái hoặc chữ số.",
                "Codes have 1–64 characters: ASCII letters, digits, `.`, `_`, `-` or `:`, starting with a letter or digit.",
            );
            self.add(ProblemCode::InvalidCode, pointer, detail);
        }
    }
}

/// What is invisible in a text, or looks like something else.
pub fn not_visible(text: &str) -> Option<Msg> {
    if let Some(c) = crate::values::invisible_character(text) {
        let point = format!("U+{:04X}", u32::from(c));
        return Some(msg!(
            "Nội dung có ký tự không nhìn thấy được ({point}); đề nghị xóa ký tự này rồi gửi lại.",
            "Contains an invisible character ({point}). Remove it."
        ));
    }
    crate::values::has_mixed_scripts(text).then(|| {
        Msg::fixed(
            "Nội dung lẫn chữ cái của nhiều hệ chữ viết (ví dụ chữ Nga giống chữ Latinh); đề nghị nhập lại.",
            "Mixes letters of several scripts (such as Cyrillic letters that look like Latin ones).",
        )
    })
}
