//! What serde says is wrong with a value, told in both languages: its own texts are English and name types of this program.

use super::Msg;

/// Kinds of values as serde names them, what they are called, and whether they are followed by the value.
const KINDS: [(&str, &str, &str); 8] = [
    ("integer", "số nguyên", "an integer"),
    ("floating point", "số thập phân", "a decimal number"),
    ("string", "chuỗi ký tự", "a string"),
    ("boolean", "giá trị true/false", "a boolean"),
    ("null", "null", "null"),
    ("map", "đối tượng", "an object"),
    ("sequence", "danh sách (mảng)", "a list"),
    ("number", "số", "a number"),
];

/// The text of an error about a value, without its place.
pub fn told(text: &str) -> Msg {
    if text.starts_with("unknown variant") {
        return variant(text);
    }
    if let Some((got, expected)) =
        text.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        return wrong_type(got, expected);
    }
    // chrono's words for what is no day and no instant.
    if ["premature end of input", "input contains invalid", "input is out of range", "trailing input"]
        .iter()
        .any(|words| text.starts_with(words))
    {
        return Msg::fixed(
            "Ngày phải theo mẫu 2018-03-31; thời điểm theo mẫu 2018-03-31T17:00:00Z (RFC 3339).",
            "Expected a date such as 2018-03-31 or, for a timestamp, 2018-03-31T17:00:00Z (RFC 3339).",
        );
    }
    Msg::fixed("Không đọc được giá trị; đề nghị kiểm tra định dạng.", "The value could not be parsed.")
}

/// "unknown variant `x`, expected one of `a`, `b`"
fn variant(text: &str) -> Msg {
    let mut named = text.split('`').skip(1).step_by(2);
    let given = named.next().unwrap_or_default();
    let allowed = named.collect::<Vec<_>>().join(", ");
    msg!(
        "Giá trị `{given}` không hợp lệ; các giá trị được phép: {allowed}.",
        "Invalid value `{given}`. Allowed: {allowed}."
    )
}

fn wrong_type(got: &str, expected: &str) -> Msg {
    let kind =
        |words: &str| KINDS.iter().find(|(name, ..)| words.starts_with(name)).map(|(_, vi, en)| (*vi, *en));
    let (got_vi, got_en) = kind(got).unwrap_or(("giá trị khác", "something else"));
    let wanted = match expected {
        words if words.starts_with("struct ") || words.contains("map") || words.contains("object") => {
            kind("map")
        }
        words if words.contains("string") || words.contains("identifier") => kind("string"),
        words if words.contains("sequence") || words.contains("list") => kind("sequence"),
        words if words.contains("bool") => kind("boolean"),
        words if words.starts_with(['i', 'u']) && words.len() <= 5 => kind("integer"),
        words if words.contains("number") => kind("number"),
        _ => None,
    };
    match wanted {
        Some((vi, en)) => {
            msg!("Giá trị phải là {vi}, nhưng lại là {got_vi}.", "Expected {en}, got {got_en}.")
        }
        None => msg!("Trường này không nhận giá trị kiểu {got_vi}.", "Unexpected {got_en}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_no_type_of_ours() {
        let en = |text: &str| told(text).en.into_owned();
        assert_eq!(
            en("unknown variant `prov`, expected one of `province`, `district`"),
            "Invalid value `prov`. Allowed: province, district."
        );
        assert_eq!(
            en("invalid type: integer `5`, expected struct RawRow"),
            "Expected an object, got an integer."
        );
        assert_eq!(en("invalid type: null, expected a string"), "Expected a string, got null.");
        assert_eq!(en("invalid type: string \"x\", expected i64"), "Expected an integer, got a string.");
        assert!(en("premature end of input").contains("RFC 3339"));
        assert_eq!(en("anything else"), "The value could not be parsed.");
        assert_eq!(
            told("invalid type: map, expected a string").vi,
            "Giá trị phải là chuỗi ký tự, nhưng lại là đối tượng."
        );
    }
}
