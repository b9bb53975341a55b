//! Rows out of a stream of bytes: NDJSON (an object per line) or CSV with a header. What cannot be read is a fault of its line,
//! and the reading goes on; memory holds one line, however long the stream.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde_json::{Map, json};

use super::csv::{Cells, Quotes};
use super::flat_row::FlatRow;
use crate::http::{Msg, Problem, ProblemCode, Violation, json as body};
use crate::values::nfc;

/// Longest line, in bytes.
pub const MOST_LINE: usize = 64 * 1024;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFormat {
    Ndjson,
    Csv,
}

/// A row, or what is wrong with its line.
#[derive(Debug)]
pub struct Row<T> {
    /// Number of the line it begins on, from 1.
    pub line: u64,
    pub value: Result<T, Vec<Violation>>,
}

/// Cuts bytes into lines and reads each.
pub struct RowReader<T> {
    format: RowFormat,
    pending: Vec<u8>,
    quotes: Quotes,
    /// Line breaks seen, and those before the record being read.
    breaks: u64,
    breaks_before: u64,
    begun: bool,
    too_long: bool,
    rows: usize,
    /// Where each column of `T` stands in the file, once the header is read.
    columns: Option<Vec<Option<usize>>>,
    cells: Cells,
    row: PhantomData<fn() -> T>,
}

impl<T: FlatRow> RowReader<T> {
    pub fn new(format: RowFormat) -> Self {
        Self {
            format,
            pending: Vec::new(),
            quotes: Quotes::default(),
            breaks: 0,
            breaks_before: 0,
            begun: false,
            too_long: false,
            rows: 0,
            columns: None,
            cells: Cells::default(),
            row: PhantomData,
        }
    }

    /// Reads on; rows that are complete go to `rows`. An error ends the reading: this is no such file at all.
    pub fn read(&mut self, mut bytes: &[u8], rows: &mut Vec<Row<T>>) -> Result<(), Problem> {
        while let Some(end) = self.end_of_record(bytes) {
            let (record, rest) = bytes.split_at(end);
            bytes = rest;
            if self.pending.is_empty() && !self.too_long && record.len() <= MOST_LINE {
                self.record(record, rows)?;
            } else {
                self.hold(record)?;
                let record = std::mem::take(&mut self.pending);
                self.record(&record, rows)?;
                self.pending = record;
                self.pending.clear();
            }
        }
        self.hold(bytes)
    }

    /// The stream is over: what is left is the last line.
    pub fn end(&mut self, rows: &mut Vec<Row<T>>) -> Result<(), Problem> {
        let last = std::mem::take(&mut self.pending);
        if !last.is_empty() || self.too_long {
            self.record(&last, rows)?;
        }
        if self.format == RowFormat::Csv && self.columns.is_none() {
            let detail = Msg::fixed("Tệp CSV thiếu dòng tiêu đề cột.", "The CSV header line is missing.");
            return Err(Problem::at(ProblemCode::MissingField, "/header", detail));
        }
        Ok(())
    }

    /// Length of the record that `bytes` begin with, with its line break.
    fn end_of_record(&mut self, bytes: &[u8]) -> Option<usize> {
        if self.format == RowFormat::Ndjson || self.too_long {
            let end = bytes.iter().position(|byte| *byte == b'\n')? + 1;
            self.breaks += 1;
            return Some(end);
        }
        for (at, byte) in bytes.iter().enumerate() {
            let ends = self.quotes.ends_with(*byte);
            self.breaks += u64::from(*byte == b'\n');
            if ends {
                return Some(at + 1);
            }
        }
        None
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        if !self.too_long && self.pending.len() + bytes.len() > MOST_LINE {
            let first = if self.pending.is_empty() { bytes } else { &self.pending };
            refuse_utf16(first)?;
            self.too_long = true;
            // A quote that is never closed would swallow all that follows.
            self.quotes = Quotes::default();
        }
        if self.too_long {
            self.pending.clear();
        } else {
            self.pending.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn record(&mut self, record: &[u8], rows: &mut Vec<Row<T>>) -> Result<(), Problem> {
        let line = self.breaks_before + 1;
        self.breaks_before = self.breaks;
        let mut record = record;
        if !self.begun {
            self.begun = true;
            refuse_utf16(record)?;
            record = record.strip_prefix(b"\xef\xbb\xbf").unwrap_or(record);
        }
        let record = record.trim_ascii_end();
        let too_long = std::mem::take(&mut self.too_long);
        if record.is_empty() && !too_long {
            return Ok(());
        }
        if self.format == RowFormat::Csv && self.columns.is_none() {
            let text = if too_long { Err(long_line()) } else { text_of(record) };
            self.columns = Some(self.cells.header::<T>(&text?)?);
            return Ok(());
        }
        let value = if too_long { Err(long_line()) } else { self.value(record) };
        let at = format!("/rows/{}", self.rows);
        self.rows += 1;
        rows.push(Row { line, value: value.map_err(|problem| placed(problem, &at, line)) });
        Ok(())
    }

    fn value(&mut self, record: &[u8]) -> Result<T, Problem> {
        match self.format {
            RowFormat::Ndjson => object(record),
            RowFormat::Csv => {
                let text = text_of(record)?;
                self.cells.split(&text)?;
                let columns = self.columns.as_deref().unwrap_or_default();
                self.cells.row(columns)
            }
        }
    }
}

/// The faults of a line with the place of its row, and the line's number beside it.
fn placed(problem: Problem, at: &str, line: u64) -> Vec<Violation> {
    let extra = Map::from_iter([("line".to_owned(), json!(line))]);
    if problem.errors.is_empty() {
        let detail = problem.detail.unwrap_or_else(|| problem.code.title());
        return vec![Violation { code: problem.code, pointer: at.to_owned(), detail, extra }];
    }
    let place = |fault: Violation| Violation {
        pointer: format!("{at}{}", fault.pointer),
        extra: extra.clone(),
        ..fault
    };
    problem.errors.into_iter().map(place).collect()
}

fn long_line() -> Problem {
    Problem::at(
        ProblemCode::InvalidLength,
        "",
        msg!("Dòng vượt quá {MOST_LINE} byte cho phép.", "The line exceeds {MOST_LINE} bytes."),
    )
}

/// Spreadsheets save UTF-16 as "Unicode text".
fn refuse_utf16(start: &[u8]) -> Result<(), Problem> {
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        let detail = Msg::fixed(
            "Tệp dùng bảng mã UTF-16; đề nghị lưu lại bằng UTF-8 rồi gửi lại.",
            "The file is UTF-16. Save it as UTF-8.",
        );
        return Err(Problem::with(ProblemCode::MalformedBody, detail));
    }
    Ok(())
}

/// An object; nearly every line is plain ASCII and right, and is read without a second look.
fn object<T: FlatRow>(line: &[u8]) -> Result<T, Problem> {
    let plain = line.is_ascii() && line.first() == Some(&b'{') && !line.contains(&b'\\');
    if plain && line.contains(&b'$') {
        crate::http::json_text::refuse_private_keys(std::str::from_utf8(line).unwrap_or_default())?;
    }
    if plain && let Some(row) = T::of_plain(line) {
        return Ok(row);
    }
    if plain && let Ok(value) = serde_json::from_slice(line) {
        return Ok(value);
    }
    body::parse(line)
}

/// NFC, without NUL.
fn text_of(record: &[u8]) -> Result<Cow<'_, str>, Problem> {
    let text = std::str::from_utf8(record).map_err(|_| {
        Problem::with(
            ProblemCode::MalformedBody,
            Msg::fixed("Dòng không đúng bảng mã UTF-8.", "The line is not valid UTF-8."),
        )
    })?;
    if text.contains('\0') {
        return Err(Problem::new(ProblemCode::InvalidText));
    }
    Ok(if text.is_ascii() { text.into() } else { nfc(text).into() })
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
