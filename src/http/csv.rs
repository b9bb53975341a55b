//! `text/csv` for spreadsheets: UTF-8 with BOM, and no cell that a spreadsheet would run as a formula.

use std::sync::LazyLock;

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT;
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Problem, ProblemCode};

/// What an answer is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    #[default]
    Json,
    Csv,
}

impl Format {
    /// `format=` decides, else `Accept`; 406 when neither JSON nor CSV is acceptable.
    pub fn negotiate(request: &HttpRequest, asked: Option<Self>) -> Result<Self, Problem> {
        if let Some(format) = asked {
            return Ok(format);
        }
        let Some(accept) = request.headers().get(ACCEPT).and_then(|v| v.to_str().ok()) else {
            return Ok(Self::Json);
        };
        let quality = |wanted: &[&str]| best_quality(accept, wanted);
        let json = quality(&["application/json", "application/*", "*/*"]);
        let csv = quality(&["text/csv", "text/*"]);
        if csv > json {
            return Ok(Self::Csv);
        }
        if json > 0.0 { Ok(Self::Json) } else { Err(Problem::new(ProblemCode::NotAcceptable)) }
    }
}

/// Whether the caller takes JSON at all, for answers that come in nothing else.
pub fn accepts_json(request: &HttpRequest) -> bool {
    let Some(accept) = request.headers().get(ACCEPT).and_then(|v| v.to_str().ok()) else { return true };
    best_quality(accept, &["application/json", "application/problem+json", "application/*", "*/*"]) > 0.0
}

pub fn best_quality(accept: &str, wanted: &[&str]) -> f32 {
    accept
        .split(',')
        .filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let essence = parts.next()?.to_ascii_lowercase();
            let quality = parts.find_map(|p| p.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
            wanted.contains(&essence.as_str()).then_some(quality)
        })
        .fold(0.0, f32::max)
}

/// A list item that can be a line of a table.
pub trait CsvRow: Serialize {
    /// Column names, each the path of a member: `code`, `group.name`. Arrays are joined with `|`.
    const COLUMNS: &'static [&'static str];
}

/// The table of `items`.
pub fn table<T: CsvRow>(items: &[T]) -> Result<Vec<u8>, Problem> {
    let failed = |error: &dyn std::fmt::Display| Problem::internal(format!("cannot write CSV: {error}"));
    let mut writer =
        ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(b"\xef\xbb\xbf".to_vec());
    writer.write_record(T::COLUMNS).map_err(|e| failed(&e))?;
    for item in items {
        let value = serde_json::to_value(item).map_err(|e| failed(&e))?;
        writer
            .write_record(T::COLUMNS.iter().map(|path| cell(lookup(&value, path))))
            .map_err(|e| failed(&e))?;
    }
    writer.into_inner().map_err(|e| failed(&e))
}

fn lookup<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').try_fold(value, |value, key| value.get(key)).unwrap_or(&Value::Null)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(text) => defused(text),
        Value::Array(items) => defused(&items.iter().map(cell).collect::<Vec<_>>().join("|")),
        Value::Object(_) => defused(&value.to_string()),
    }
}

/// What begins a formula: one of these signs, also of full width, after what is skipped or invisible, where a cell begins; a cell
/// also begins where a spreadsheet of another locale cuts the line. Read by PostgreSQL as well: no escapes.
pub const FORMULA: &str = "(^|[;\t\n\r])([[:space:]\u{a0}\u{ad}\u{34f}\u{61c}\u{180e}\u{2000}-\u{200f}\u{2028}-\u{202f}\u{205f}-\u{206f}\u{3000}\u{feff}\u{ff07}]*[-=+@\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}\u{fe62}\u{fe63}\u{fe66}\u{fe6b}\u{2212}])";

static FORMULAS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(FORMULA).ok());

/// An apostrophe in front of what a spreadsheet would run makes it text.
pub fn defused(text: &str) -> String {
    let text = if text.starts_with(['\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    match &*FORMULAS {
        Some(formulas) => formulas.replace_all(&text, "$1'$2").into_owned(),
        None => format!("'{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Line {
        name: &'static str,
        inner: Inner,
        list: Vec<&'static str>,
    }

    #[derive(Serialize)]
    struct Inner {
        n: Option<i32>,
    }

    impl CsvRow for Line {
        const COLUMNS: &'static [&'static str] = &["name", "inner.n", "list"];
    }

    #[test]
    fn tables_have_a_bom_and_no_formulas() {
        let lines = [
            Line { name: "=1+1", inner: Inner { n: Some(-3) }, list: vec!["a", "b"] },
            Line { name: "Sở Y tế, \"tỉnh\"", inner: Inner { n: None }, list: vec![] },
        ];
        let text = String::from_utf8(table(&lines).unwrap()).unwrap();
        assert_eq!(text, "\u{feff}name,inner.n,list\r\n'=1+1,-3,a|b\r\n\"Sở Y tế, \"\"tỉnh\"\"\",,\r\n");
        for start in [
            "+",
            "-",
            "@",
            "\t=",
            "\t",
            "\r",
            " =",
            "\u{a0}=",
            "\u{200b}=",
            "\u{feff}@",
            "\u{ff1d}1",
            "\u{ff0b}1",
            "\u{ff0d}1",
            "\u{ff20}a",
        ] {
            assert!(defused(start).starts_with('\''), "{start:?}");
        }
    }

    /// A spreadsheet whose lists are separated by semicolons or tabs cuts a line there.
    #[test]
    fn cells_of_another_separator_hold_no_formulas() {
        for (text, safe) in [
            ("a;=1", "a;'=1"),
            ("a; \u{ff1d}1;b", "a;' \u{ff1d}1;b"),
            ("a\t@b", "a\t'@b"),
            ("a\n-b", "a\n'-b"),
        ] {
            assert_eq!(defused(text), safe);
        }
        for plain in ["a; b = c", "1-2", "nguyen.van@laocai.gov.vn", "2018-03", ""] {
            assert_eq!(defused(plain), plain);
        }
    }
}
