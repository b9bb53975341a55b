use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    a: Option<String>,
    b: Option<String>,
}

impl FlatRow for Pair {
    const COLUMNS: &'static [&'static str] = &["a", "b"];
    const REQUIRED: usize = 1;

    fn of_cells(cells: &[Option<&str>]) -> Result<Self, Problem> {
        let cell = |at: usize| cells[at].map(str::to_owned);
        Ok(Self { a: cell(0), b: cell(1) })
    }
}

fn read(format: RowFormat, bytes: &[u8], step: usize) -> Result<Vec<Row<Pair>>, Problem> {
    let (mut reader, mut rows) = (RowReader::new(format), Vec::new());
    for piece in bytes.chunks(step.max(1)) {
        reader.read(piece, &mut rows)?;
        assert!(reader.pending.len() <= MOST_LINE);
    }
    reader.end(&mut rows)?;
    Ok(rows)
}

fn pairs(format: RowFormat, text: &str) -> Vec<(Option<String>, Option<String>)> {
    read(format, text.as_bytes(), 3)
        .unwrap()
        .into_iter()
        .map(|row| row.value.unwrap())
        .map(|p| (p.a, p.b))
        .collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn faults(format: RowFormat, bytes: &[u8]) -> Vec<(u64, ProblemCode, String)> {
    let rows = read(format, bytes, 1000).unwrap();
    let faulty = rows.into_iter().filter_map(|row| row.value.err().map(|all| (row.line, all)));
    faulty.flat_map(|(line, all)| all.into_iter().map(move |f| (line, f.code, f.pointer))).collect()
}

#[test]
fn lines_are_read_however_they_end_and_arrive() {
    let expected = [(some("1"), some("x")), (some("2"), None)];
    assert_eq!(pairs(RowFormat::Ndjson, "{\"a\":\"1\",\"b\":\"x\"}\r\n\n{\"a\":\"2\"}"), expected);
    assert_eq!(pairs(RowFormat::Ndjson, "\u{feff}{\"a\":\"1\",\"b\":\"x\"}\n{\"a\":\"2\"}\n"), expected);
    assert_eq!(pairs(RowFormat::Csv, "\u{feff}b,a\r\nx,1\r\n\r\n,2\r\n"), expected);
    assert_eq!(pairs(RowFormat::Csv, "a,b\n1,x\n2,"), expected);
}

#[test]
fn quoted_cells_hold_commas_quotes_and_line_breaks() {
    let text = "a,b\n\"x,\"\"y\"\"\nz\",Ho\u{61}\u{300}\nw\"v,2\n";
    assert_eq!(pairs(RowFormat::Csv, text), [(some("x,\"y\"\nz"), some("Hoà")), (some("w\"v"), some("2"))]);
    let rows = read(RowFormat::Csv, text.as_bytes(), 7).unwrap();
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn what_cannot_be_read_is_a_fault_of_its_line() {
    let mut lines = b"{\"a\":\"1\"}\n[1]\n{\"a\":\"1\",\"a\":\"2\"}\n{\"c\":1}\n{\"a\":\n{\"a\":\"\xff\"}\n{\"a\":\"\\u0000\"}\n".to_vec();
    lines.extend(vec![b'x'; 3 * MOST_LINE]);
    lines.extend(b"\n{\"a\":\"last\"}");
    assert_eq!(
        faults(RowFormat::Ndjson, &lines),
        [
            (2, ProblemCode::WrongType, "/rows/1".to_owned()),
            (3, ProblemCode::DuplicateField, "/rows/2/a".to_owned()),
            (4, ProblemCode::UnknownField, "/rows/3/c".to_owned()),
            (5, ProblemCode::MalformedBody, "/rows/4".to_owned()),
            (6, ProblemCode::MalformedBody, "/rows/5".to_owned()),
            (7, ProblemCode::InvalidText, "/rows/6".to_owned()),
            (8, ProblemCode::InvalidLength, "/rows/7".to_owned()),
        ]
    );
    assert_eq!(
        faults(RowFormat::Csv, b"a,b\n1\n1,2,3\n\0,1\n\xff,1\n\"open,1"),
        [
            (2, ProblemCode::InvalidLength, "/rows/0".to_owned()),
            (3, ProblemCode::InvalidLength, "/rows/1".to_owned()),
            (4, ProblemCode::InvalidText, "/rows/2".to_owned()),
            (5, ProblemCode::MalformedBody, "/rows/3".to_owned()),
            (6, ProblemCode::MalformedBody, "/rows/4".to_owned()),
        ]
    );
}

#[test]
fn a_wrong_header_ends_the_reading() {
    let found = |text: &str| -> Vec<(ProblemCode, String)> {
        read(RowFormat::Csv, text.as_bytes(), 5)
            .unwrap_err()
            .errors
            .into_iter()
            .map(|e| (e.code, e.pointer))
            .collect()
    };
    assert_eq!(
        found("a;b\n1;2\n"),
        [(ProblemCode::UnknownField, "/header/0".into()), (ProblemCode::MissingField, "/header".into())]
    );
    assert_eq!(found("a,b,a\n"), [(ProblemCode::DuplicateField, "/header/2".into())]);
    assert_eq!(found("b\n"), [(ProblemCode::MissingField, "/header".into())]);
    assert_eq!(found(""), [(ProblemCode::MissingField, "/header".into())]);
    let utf16: Vec<u8> = "\u{feff}a,b\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(RowFormat::Csv, &utf16, 100).unwrap_err().code, ProblemCode::MalformedBody);
}

proptest! {
    #[test]
    fn any_bytes_are_read_the_same_in_any_pieces(bytes in proptest::collection::vec(any::<u8>(), 0..300), step in 1usize..40) {
        for format in [RowFormat::Ndjson, RowFormat::Csv] {
            let mut file = b"a,b\n".to_vec();
            file.extend(&bytes);
            let shape = |step| read(format, &file, step).map(|rows| rows.iter().map(|r| (r.line, r.value.is_ok())).collect::<Vec<_>>()).ok();
            prop_assert_eq!(shape(step), shape(1000));
        }
    }
}
