//! A workbook to print: A4, repeated headings, page numbers, and nothing in it that a spreadsheet would run.

use bigdecimal::ToPrimitive;
use chrono::{Datelike, NaiveDate};
use rust_xlsxwriter::{ExcelDateTime, Format, FormatAlign, FormatBorder, Workbook, Worksheet, XlsxError};

use super::lines::{lines, parts};
use crate::http::csv::defused;
use crate::values::Decimal;

const FONT: &str = "Times New Roman";
const A4: u8 = 9;
const HEADING: u32 = 0x00DD_E7F3;

/// What stands in a cell.
#[derive(Clone, Debug)]
pub enum Cell {
    Blank,
    Text(String),
    /// Text in the middle of its column: codes, states.
    Centred(String),
    Count(i64),
    /// Two decimals.
    Figure(Decimal),
    Day(NaiveDate),
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub fn centred(text: impl Into<String>) -> Self {
        Self::Centred(text.into())
    }

    pub fn count(n: usize) -> Self {
        Self::Count(i64::try_from(n).unwrap_or(i64::MAX))
    }

    pub fn figure(value: Option<&Decimal>) -> Self {
        value.map_or(Self::Blank, |value| Self::Figure(value.clone()))
    }

    /// A whole number as such, another with its decimals.
    pub fn amount(value: Option<&Decimal>) -> Self {
        match value {
            Some(value) if value.0.is_integer() => value.0.to_i64().map_or(Self::Blank, Self::Count),
            other => Self::figure(other),
        }
    }

    pub fn day(day: Option<NaiveDate>) -> Self {
        day.map_or(Self::Blank, Self::Day)
    }
}

/// A column: its heading and its width in characters.
pub type Column = (&'static str, f64);

/// How a line of the letter's head or foot is set.
#[derive(Clone, Copy, Debug)]
pub enum Style {
    Plain,
    Bold,
    Italic,
}

/// A sheet being written from the top down.
pub struct Sheet<'b> {
    sheet: &'b mut Worksheet,
    row: u32,
    widths: Vec<f64>,
    last_column: u16,
}

/// Points of a line of text.
pub const LINE: f64 = 15.0;
/// Characters of the font that go into one of column width, on the average; bold ones are wider.
const IN_WIDTH: f64 = 1.28;
const IN_WIDTH_BOLD: f64 = 1.1;

/// The most lines a row is made high for: Excel takes no row beyond 409.5 points.
pub const MOST_LINES: u32 = 27;
fn base() -> Format {
    Format::new().set_font_name(FONT).set_font_size(11).set_text_wrap().set_align(FormatAlign::VerticalCenter)
}

fn boxed() -> Format {
    base().set_border(FormatBorder::Thin)
}

/// Text that would be taken for a formula when somebody edits the cell is marked as text.
fn safe(format: Format, text: &str) -> Format {
    if defused(text) == text { format } else { format.set_quote_prefix() }
}

impl<'b> Sheet<'b> {
    /// A sheet with columns of these widths, on A4 across or upright, as wide as the page.
    pub fn new(
        book: &'b mut Workbook,
        name: &str,
        widths: &[f64],
        across: bool,
        footer: &str,
    ) -> Result<Self, XlsxError> {
        let sheet = book.add_worksheet();
        sheet.set_name(name)?;
        sheet.set_paper_size(A4);
        if across {
            sheet.set_landscape();
        }
        // Left, right, top, bottom, header, footer; in inches.
        sheet.set_margins(0.7, 0.5, 0.6, 0.7, 0.3, 0.35);
        sheet.set_print_fit_to_pages(1, 0);
        sheet.set_print_center_horizontally(true);
        sheet.set_footer(format!(
            "&L&\"{FONT},Italic\"&9{}&R&\"{FONT}\"&9Trang &P/&N",
            footer.replace('&', "&&")
        ));
        for (column, width) in (0..).zip(widths) {
            sheet.set_column_width(column, *width)?;
        }
        let last_column = u16::try_from(widths.len().saturating_sub(1)).unwrap_or(u16::MAX);
        Ok(Self { sheet, row: 0, widths: widths.to_vec(), last_column })
    }

    pub fn skip(&mut self) {
        self.row += 1;
    }

    /// A line over the whole width.
    pub fn line(&mut self, text: &str, format: Format) -> Result<(), XlsxError> {
        self.spread(0, self.last_column, text, &format)?;
        self.row += 1;
        Ok(())
    }

    pub fn title(&mut self, text: &str) -> Result<(), XlsxError> {
        self.line(text, base().set_bold().set_font_size(14).set_align(FormatAlign::Center))
    }

    pub fn subtitle(&mut self, text: &str) -> Result<(), XlsxError> {
        self.line(text, base().set_italic().set_align(FormatAlign::Center))
    }

    pub fn section(&mut self, text: &str) -> Result<(), XlsxError> {
        self.row += 1;
        self.line(text, base().set_bold().set_font_size(12))
    }

    fn height(&mut self, lines: u32) -> Result<(), XlsxError> {
        self.sheet.set_row_height(self.row, f64::from(lines.min(MOST_LINES)) * LINE + 2.0)?;
        Ok(())
    }

    /// Text of any length over the whole width, in as many rows as it takes.
    pub fn paragraph(&mut self, text: &str) -> Result<(), XlsxError> {
        let characters = self.widths.iter().sum::<f64>() * IN_WIDTH;
        for part in parts(text, characters) {
            self.height(lines(&part, characters))?;
            self.line(&part, base().set_align(FormatAlign::Top))?;
        }
        Ok(())
    }

    /// Left and right of the page, as the head and the foot of a letter are.
    pub fn sides(&mut self, left: (&str, Style), right: (&str, Style)) -> Result<(), XlsxError> {
        let format = |style| {
            let format = base().set_align(FormatAlign::Center);
            match style {
                Style::Plain => format,
                Style::Bold => format.set_bold(),
                Style::Italic => format.set_italic(),
            }
        };
        let middle = self.last_column / 2;
        self.spread(0, middle.saturating_sub(1), left.0, &format(left.1))?;
        self.spread(middle, self.last_column, right.0, &format(right.1))?;
        self.row += 1;
        Ok(())
    }

    fn spread(&mut self, from: u16, to: u16, text: &str, format: &Format) -> Result<(), XlsxError> {
        let format = safe(format.clone(), text);
        if from < to {
            self.sheet.merge_range(self.row, from, self.row, to, "", &format)?;
        }
        // Never `write`, which would take text for what it looks like.
        self.sheet.write_string_with_format(self.row, from, text, &format)?;
        Ok(())
    }

    /// Headings that are printed again on each page, and stay in sight.
    pub fn repeated_header(&mut self, headings: &[&str]) -> Result<(), XlsxError> {
        self.sheet.set_repeat_rows(self.row, self.row)?;
        self.sheet.set_freeze_panes(self.row + 1, 0)?;
        self.header(headings)
    }

    pub fn header(&mut self, headings: &[&str]) -> Result<(), XlsxError> {
        let format = boxed().set_bold().set_align(FormatAlign::Center).set_background_color(HEADING);
        let taken =
            headings.iter().zip(&self.widths).map(|(heading, width)| lines(heading, width * IN_WIDTH_BOLD));
        let most = taken.max().unwrap_or(1);
        self.height(most)?;
        for (column, heading) in (0..).zip(headings) {
            self.sheet.write_string_with_format(self.row, column, *heading, &format)?;
        }
        self.row += 1;
        Ok(())
    }

    pub fn cells(&mut self, cells: &[Cell]) -> Result<(), XlsxError> {
        let taken = cells.iter().zip(&self.widths).map(|(cell, width)| match cell {
            Cell::Text(text) | Cell::Centred(text) => lines(text, width * IN_WIDTH),
            _ => 1,
        });
        let most = taken.max().unwrap_or(1);
        self.height(most)?;
        for (column, cell) in (0..).zip(cells) {
            self.cell(column, cell)?;
        }
        self.row += 1;
        Ok(())
    }

    fn cell(&mut self, column: u16, cell: &Cell) -> Result<(), XlsxError> {
        let row = self.row;
        match cell {
            Cell::Blank => self.sheet.write_blank(row, column, &boxed())?,
            Cell::Text(text) => {
                self.sheet.write_string_with_format(row, column, text, &safe(boxed(), text))?
            }
            Cell::Centred(text) => {
                let format = safe(boxed().set_align(FormatAlign::Center), text);
                self.sheet.write_string_with_format(row, column, text, &format)?
            }
            Cell::Count(n) => {
                let number = n.to_f64().unwrap_or_default();
                self.sheet.write_number_with_format(
                    row,
                    column,
                    number,
                    &boxed().set_num_format("#,##0_)"),
                )?
            }
            Cell::Figure(value) => {
                let number = value.0.to_f64().unwrap_or_default();
                self.sheet.write_number_with_format(
                    row,
                    column,
                    number,
                    &boxed().set_num_format("#,##0.00_)"),
                )?
            }
            Cell::Day(day) => return self.day(column, *day),
        };
        Ok(())
    }

    fn day(&mut self, column: u16, day: NaiveDate) -> Result<(), XlsxError> {
        let part = |n: u32| u8::try_from(n).unwrap_or_default();
        let year = u16::try_from(day.year()).unwrap_or_default();
        let date = ExcelDateTime::from_ymd(year, part(day.month()), part(day.day()))?;
        let format = boxed().set_num_format("dd/mm/yyyy").set_align(FormatAlign::Center);
        self.sheet.write_datetime_with_format(self.row, column, &date, &format)?;
        Ok(())
    }

    /// Nothing beyond what was written is printed.
    pub fn done(self) -> Result<(), XlsxError> {
        self.sheet.set_print_area(0, 0, self.row.saturating_sub(1), self.last_column)?;
        Ok(())
    }
}
