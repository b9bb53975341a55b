//! CSV: where records end, and the cells of one.

use super::flat_row::FlatRow;
use crate::http::{Msg, Problem, ProblemCode};

/// Most columns of a CSV file that are looked at.
const MOST_COLUMNS: usize = 64;

/// Where quoted cells begin and end: a line break inside one ends nothing.
#[derive(Debug)]
pub(super) struct Quotes {
    inside: bool,
    /// A quote here opens a cell, or is the second one of a pair.
    may_open: bool,
}

impl Default for Quotes {
    fn default() -> Self {
        Self { inside: false, may_open: true }
    }
}

impl Quotes {
    /// Whether the byte, the next of the file, ends a record.
    pub(super) fn ends_with(&mut self, byte: u8) -> bool {
        match byte {
            b'"' if self.inside => (self.inside, self.may_open) = (false, true),
            b'"' if self.may_open => self.inside = true,
            _ if self.inside => {}
            b'\n' => {
                self.may_open = true;
                return true;
            }
            _ => self.may_open = byte == b',',
        }
        false
    }
}

/// The cells of one record.
pub(super) struct Cells {
    reader: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    count: usize,
}

impl Default for Cells {
    fn default() -> Self {
        Self { reader: csv_core::Reader::new(), text: Vec::new(), ends: vec![0; MOST_COLUMNS], count: 0 }
    }
}

impl Cells {
    pub(super) fn header<T: FlatRow>(&mut self, text: &str) -> Result<Vec<Option<usize>>, Problem> {
        header::<T>(text, self)
    }

    /// Takes a record apart.
    pub(super) fn split(&mut self, record: &str) -> Result<(), Problem> {
        use csv_core::ReadRecordResult::{InputEmpty, Record};
        // Cells are never longer than what they are written in; composition has been done.
        self.text.resize(record.len() + 1, 0);
        self.reader.reset();
        let (read, _, written, ended) =
            self.reader.read_record(record.as_bytes(), &mut self.text, &mut self.ends);
        let (Some(text), Some(ends)) = (self.text.get_mut(written..), self.ends.get_mut(ended..)) else {
            return Err(Problem::internal("a CSV record beyond its room"));
        };
        if read != InputEmpty {
            return Err(Problem::at(
                ProblemCode::InvalidLength,
                "",
                msg!(
                    "Tệp CSV chỉ được có tối đa {MOST_COLUMNS} cột.",
                    "At most {MOST_COLUMNS} columns are allowed."
                ),
            ));
        }
        match self.reader.read_record(b"\n", text, ends) {
            (Record, _, _, more) => {
                self.count = ended + more;
                Ok(())
            }
            _ => Err(Problem::with(
                ProblemCode::MalformedBody,
                Msg::fixed("Thiếu dấu ngoặc kép đóng.", "Unclosed quote."),
            )),
        }
    }

    fn get(&self, at: usize) -> Option<&str> {
        let from = match at.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)?,
        };
        let to = *self.ends.get(at).filter(|_| at < self.count)?;
        self.text.get(from..to).and_then(|cell| std::str::from_utf8(cell).ok()).map(str::trim)
    }

    /// The row that the cells are, by where its columns stand.
    pub(super) fn row<T: FlatRow>(&self, columns: &[Option<usize>]) -> Result<T, Problem> {
        let (width, n) = (columns.iter().flatten().count(), self.count);
        if n != width {
            let detail = msg!("Dòng phải có {width} ô, nhưng có {n} ô.", "Expected {width} cells, got {n}.");
            return Err(Problem::at(ProblemCode::InvalidLength, "", detail));
        }
        let cells: Vec<Option<&str>> =
            columns.iter().map(|at| self.get((*at)?).filter(|cell| !cell.is_empty())).collect();
        T::of_cells(&cells)
    }
}

/// Where each column stands; columns that are unknown, repeated or missing are told at once.
fn header<T: FlatRow>(text: &str, cells: &mut Cells) -> Result<Vec<Option<usize>>, Problem> {
    cells.split(text)?;
    let names: Vec<&str> = (0..cells.count).map(|at| cells.get(at).unwrap_or_default()).collect();
    let mut faults = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let pointer = format!("/header/{at}");
        if !T::COLUMNS.contains(name) {
            let detail = msg!(
                "Không hỗ trợ cột `{name}`; các cột phải phân cách bằng dấu phẩy (không dùng dấu chấm phẩy).",
                "Unknown column `{name}`. Columns are separated by commas."
            );
            faults.push(Problem::at(ProblemCode::UnknownField, pointer, detail));
        } else if names.iter().take(at).any(|earlier| earlier == name) {
            let detail = msg!("Cột `{name}` xuất hiện nhiều lần.", "Duplicate column `{name}`.");
            faults.push(Problem::at(ProblemCode::DuplicateField, pointer, detail));
        }
    }
    for name in T::COLUMNS.iter().take(T::REQUIRED).filter(|name| !names.contains(name)) {
        let detail = msg!("Thiếu cột bắt buộc `{name}`.", "Missing column `{name}`.");
        faults.push(Problem::at(ProblemCode::MissingField, "/header", detail));
    }
    let mut faults = faults.into_iter();
    if let Some(mut first) = faults.next() {
        first.errors.extend(faults.flat_map(|fault| fault.errors));
        return Err(first);
    }
    Ok(T::COLUMNS.iter().map(|column| names.iter().position(|name| name == column)).collect())
}
