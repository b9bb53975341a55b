//! The terms and rules of every text that a user reads: problems, titles, labels and the data that ships with the service.

use std::collections::BTreeSet;
use std::fs;

use ict_index::app;
use serde_json::Value;

use crate::architecture::sources;
use crate::description::{document, operations};

/// A text with the place that it stands in.
type Placed = (String, String);

/// Terms and habits that Vietnamese texts avoid, and what they say instead.
const AVOIDED_VI: &[(&str, &str)] = &[
    ("hãy", "đề nghị"),
    ("vui lòng", "đề nghị"),
    ("bị lặp", "được khai báo (xuất hiện) nhiều lần"),
    ("có hai lần", "được khai báo nhiều lần"),
    ("không tồn tại", "không tìm thấy, không hỗ trợ"),
    ("không hoạt động", "chưa thành lập hoặc đã chấm dứt hoạt động"),
    ("vi phạm", "chưa hợp lệ"),
    ("không thể", "không được, không … được"),
    ("chính nó", "name the thing"),
    ("ở tương lai", "chưa đến"),
    ("chưa bắt đầu", "chưa đến"),
    ("đơn vị điều phối", "cơ quan đầu mối"),
    ("đơn vị chủ trì", "cơ quan chủ trì"),
    ("bên gửi", "cơ quan đã gửi"),
    ("đã khóa", "đã chốt số liệu"),
    ("số kiểm tra", "tổng đối chiếu"),
    ("phần nghìn", "hàng nghìn"),
    ("con trỏ", "mã trang (cursor)"),
    ("mã truy cập", "phiên đăng nhập"),
    ("mã làm mới", "refresh token"),
    ("tiêu đề yêu cầu", "header"),
    ("mật khẩu được cấp", "mật khẩu tạm"),
    ("mật khẩu đã được cấp", "mật khẩu tạm"),
    ("kỳ vọng", "mức phải đạt đến nay"),
    ("giả định", "tạm tính (assumed), minh họa (demo)"),
    ("thu thập", "tổng hợp số liệu"),
    ("kênh tiếp nhận", "hình thức tiếp nhận"),
    ("cách chuẩn hóa", "phương pháp chuẩn hóa"),
    ("cách tổng hợp", "phương pháp tổng hợp"),
    ("cây chỉ tiêu", "bộ chỉ số"),
    ("chỉ số ICT-Index", "ICT-Index"),
    ("nộp chậm", "gửi chậm"),
    ("nộp muộn", "gửi chậm"),
    ("quãng đường", "khoảng cách"),
    ("cho ai", "cho đơn vị nào"),
    ("QĐ 1", "a decision is written 1234/QĐ-UBND"),
];

/// Words that are the whole token: `nút` is not part of another word.
const AVOIDED_WORDS_VI: &[(&str, &str)] =
    &[("nút", "nhóm hoặc chỉ tiêu"), ("muộn", "gửi chậm, quá hạn"), ("bạn", "no address"), ("tỉ", "tỷ")];

/// The new placement of tone marks, at the end of a syllable: `hoà`. In `hoàn` both placements are the same.
const NEW_TONE_MARKS: &[&str] =
    &["oà", "oá", "oả", "oã", "oạ", "oè", "oé", "oẻ", "oẽ", "oẹ", "uỳ", "uý", "uỷ", "uỹ", "uỵ"];

fn new_tone_marks(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let is_new = |mark: &str, at: usize| {
        let ends = !lower[at + mark.len()..].starts_with(char::is_alphabetic);
        // `quý` has its mark on y in either placement.
        ends && !(mark.starts_with('u') && lower[..at].ends_with('q'))
    };
    NEW_TONE_MARKS
        .iter()
        .filter(|mark| lower.match_indices(**mark).any(|(at, _)| is_new(mark, at)))
        .map(|mark| format!("tone mark: {mark}"))
        .collect()
}

/// `50 %`
fn is_spaced_per_cent(text: &str) -> bool {
    text.match_indices(" %").any(|(at, _)| text[..at].ends_with(|c: char| c.is_ascii_digit() || c == '}'))
}

/// What English texts avoid.
const AVOIDED_EN: &[&str] = &[
    "There is no ",
    "There is a",
    "Takes ",
    " is needed",
    " are needed",
    "Needed",
    "occurs twice",
    " already.",
    "nobody",
    "made anew",
    "begin anew",
    "in force; ",
    " is told",
    "not told",
    "of others",
    "where it matters",
    "if there is one",
    "whatever",
    "since ever",
    "come again",
    "goes with",
    "go with",
    "go together",
    "stands in",
    "says something",
    "whole or not at all",
    "the whole alone",
    "as it is now",
    "as they are now",
    "The wall",
    "the wall",
    "handed in",
];

fn is_vietnamese(text: &str) -> bool {
    let marks = "ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ";
    text.to_lowercase().chars().any(|c| marks.contains(c))
}

/// String literals of a source without its unit tests, comments and attributes.
fn literals(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let code = text.split("#[cfg(test)]").next().unwrap();
    let mut line_at = 1;
    let mut rest = code;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        line_at += rest[..at].matches('\n').count();
        let (token, after) = rest[at..].split_at(1);
        rest = after;
        match token {
            "/" if rest.starts_with('/') => rest = rest.find('\n').map_or("", |end| &rest[end..]),
            // A quote as a character; lifetimes have no second apostrophe near.
            "'" if rest.starts_with("\"'") => rest = &rest[2..],
            "'" if rest.starts_with("\\\"'") => rest = &rest[3..],
            "\"" => {
                let (mut end, mut escaped) = (rest.len(), false);
                for (at, c) in rest.char_indices() {
                    match c {
                        _ if escaped => escaped = false,
                        '\\' => escaped = true,
                        '"' => {
                            end = at;
                            break;
                        }
                        _ => {}
                    }
                }
                found.push((line_at, rest[..end].to_owned()));
                line_at += rest[..end].matches('\n').count();
                rest = &rest[(end + 1).min(rest.len())..];
            }
            _ => {}
        }
    }
    found
}

/// Vietnamese texts of the sources: problems, titles, labels and seed data.
fn vietnamese_of_sources() -> Vec<Placed> {
    let mut all = Vec::new();
    for (path, text) in sources() {
        let path = path.display().to_string();
        if path.contains("tests") {
            continue;
        }
        for (line, literal) in literals(&text) {
            if is_vietnamese(&literal) {
                all.push((format!("{path}:{line}"), literal));
            }
        }
    }
    all
}

/// Texts of the data that the service loads and shows. Lists for password checks are none.
fn texts_of_data() -> Vec<Placed> {
    let mut all = Vec::new();
    for folder in ["data", "data/frameworks"] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let Some(kind) = path.extension().and_then(|e| e.to_str()) else { continue };
            if matches!(kind, "csv" | "json") {
                let text = fs::read_to_string(&path).unwrap();
                for (n, line) in text.lines().enumerate() {
                    all.push((format!("{}:{}", path.display(), n + 1), line.to_owned()));
                }
            }
        }
    }
    for (n, line) in fs::read_to_string("docs/landing.html").unwrap().lines().enumerate() {
        if !line.contains("lang=\"en\"") {
            all.push((format!("docs/landing.html:{}", n + 1), line.to_owned()));
        }
    }
    all
}

fn faults(texts: &[Placed], check: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    texts
        .iter()
        .flat_map(|(at, text)| check(text).into_iter().map(move |fault| format!("{at}: {fault}: {text}")))
        .collect()
}

/// Terms of the table in one text.
fn avoided_vi(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let phrases = AVOIDED_VI.iter().filter(|(term, _)| lower.contains(&term.to_lowercase()));
    let words: BTreeSet<&str> = lower.split(|c: char| c.is_whitespace() || "();:.,\"".contains(c)).collect();
    let tokens = AVOIDED_WORDS_VI.iter().filter(|(word, _)| words.contains(word));
    let mut found: Vec<String> =
        phrases.chain(tokens).map(|(term, instead)| format!("“{term}”, say “{instead}”")).collect();
    found.extend(new_tone_marks(text));
    if is_spaced_per_cent(text) {
        found.push("50%, without a space".into());
    }
    found
}

/// Habits that only sentences to people have.
fn avoided_in_problems(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if (text.starts_with("Cần ") && text.ends_with('.')) || text.contains("; cần ") || text.contains(", cần ")
    {
        found.push("no subject: “… phải …”".into());
    }
    if text.starts_with("Tối đa ") {
        found.push("no subject: “… chỉ được … tối đa …”".into());
    }
    // Placeholders of months, days and states print in Vietnamese: `{month_vi}`.
    for placeholder in
        ["{month}", "{day}", "{today}", "{latest}", "{present}", "{state}", "{action}", "{names}"]
    {
        if text.contains(placeholder) {
            found.push(format!("{placeholder} prints as a program writes it"));
        }
    }
    found
}

#[test]
fn vietnamese_texts_use_the_terms_of_the_table() {
    let (sources, data) = (vietnamese_of_sources(), texts_of_data());
    assert!(
        sources.len() > 400 && data.len() > 300,
        "the test must see the texts: {} {}",
        sources.len(),
        data.len()
    );
    let mut found = faults(&sources, avoided_vi);
    found.extend(faults(&data, avoided_vi));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn vietnamese_problems_have_a_subject_and_no_code_of_programs() {
    let found = faults(&vietnamese_of_sources(), avoided_in_problems);
    assert!(found.is_empty(), "{found:#?}");
}

/// Sources and notes that officers read are in their language.
#[test]
fn data_that_officers_read_is_vietnamese() {
    for (file, column) in [
        ("tasks.csv", "annex_row"),
        ("targets_2018.csv", "source_section"),
        ("national_results.csv", "source"),
        ("baseline_2017.csv", "note"),
    ] {
        let mut reader = csv::Reader::from_path(format!("data/{file}")).unwrap();
        let at = reader.headers().unwrap().iter().position(|name| name == column).unwrap();
        for record in reader.records().map(Result::unwrap) {
            assert!(is_vietnamese(&record[at]), "data/{file}: {}", &record[at]);
        }
    }
}

/// English texts of `msg!` and `Msg::fixed`: the literal after a Vietnamese one.
fn english_of_sources() -> Vec<Placed> {
    let mut all = Vec::new();
    for (path, text) in sources() {
        let found = literals(&text);
        for pair in found.windows(2) {
            if let [(_, vi), (line, en)] = pair
                && is_vietnamese(vi)
                && en.contains(' ')
                && !is_vietnamese(en)
            {
                all.push((format!("{}:{line}", path.display()), en.clone()));
            }
        }
    }
    all
}

fn avoided_en(text: &str) -> Vec<String> {
    let mut found: Vec<String> = AVOIDED_EN
        .iter()
        .filter(|phrase| text.contains(**phrase))
        .map(|phrase| format!("“{phrase}”"))
        .collect();
    if is_spaced_per_cent(text) {
        found.push("50%, without a space".into());
    }
    let longest = text
        .split(['.', ':', ';', '!', '?', '(', ')', '\n', '|'])
        .map(|s| s.split_whitespace().count())
        .max();
    if longest.unwrap_or_default() > 40 {
        found.push("a sentence of more than 40 words".into());
    }
    found
}

#[test]
fn english_problems_keep_the_rules() {
    let texts = english_of_sources();
    assert!(texts.len() > 250, "the test must see the texts: {}", texts.len());
    let found = faults(&texts, avoided_en);
    assert!(found.is_empty(), "{found:#?}");
}

/// Descriptions and summaries of a JSON document.
fn descriptions(value: &Value, at: &str, found: &mut Vec<Placed>) {
    match value {
        Value::Object(map) => {
            for (key, member) in map {
                match member.as_str() {
                    Some(text) if key == "description" || key == "summary" => {
                        found.push((at.to_owned(), text.to_owned()));
                    }
                    _ => descriptions(member, &format!("{at}/{key}"), found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| descriptions(item, at, found)),
        _ => {}
    }
}

#[test]
fn the_description_keeps_the_rules() {
    let document = document();
    let mut texts = Vec::new();
    descriptions(&document["components"], "", &mut texts);
    descriptions(&document["paths"], "", &mut texts);
    descriptions(&document["tags"], "", &mut texts);
    assert!(texts.len() > 2000, "the test must see the texts: {}", texts.len());
    texts.push(("introduction".into(), fs::read_to_string("docs/api-introduction.md").unwrap()));
    let found = faults(&texts, avoided_en);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn operations_begin_with_a_verb() {
    const VERBS: [&str; 26] = [
        "Add", "Change", "Check", "Close", "Collect", "Compare", "Complete", "Confirm", "Create", "Decide",
        "Delete", "End", "Explain", "Export", "Get", "List", "Log", "Merge", "Read", "Remove", "Replace",
        "Report", "Reset", "Simulate", "Start", "Store",
    ];
    for operation in operations(&document()) {
        let summary = operation.value["summary"].as_str().unwrap();
        let verb = summary.split(' ').next().unwrap();
        assert!(
            VERBS.contains(&verb) || verb == "Test",
            "{} {}: {summary}",
            operation.method,
            operation.path
        );
    }
    assert!(app::description().is_ok());
}
