//! What is printed for codes, and the notes under the figures. In Vietnamese: so is the report.

use chrono::{Datelike, NaiveDate};

use super::rules::{DUE_DAY, Standing};
use super::wire::MonthlyReport;
use crate::statistics::progress::rules::{Reason, Status};
use crate::values::{Comparator, Decimal, Month, Period};

/// Agencies that a cell names.
const MOST_AGENCIES: usize = 40;

/// Codes of agencies, the first of them where there are many: the answer as JSON has all.
pub fn some_agencies(codes: &[String]) -> String {
    let beyond = codes.len().saturating_sub(MOST_AGENCIES);
    let named: Vec<&str> = codes.iter().take(MOST_AGENCIES).map(String::as_str).collect();
    let named = named.join(", ");
    if beyond == 0 { named } else { format!("{named}, … và {beyond} cơ quan khác") }
}

pub fn status(status: Status) -> &'static str {
    match status {
        Status::Achieved => "Đạt",
        Status::OnTrack => "Đúng tiến độ",
        Status::AtRisk => "Có nguy cơ",
        Status::OffTrack => "Chậm",
        Status::NotAssessable => "Chưa đánh giá được",
    }
}

pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Met => "đã đạt chỉ tiêu",
        Reason::AsExpected => "bằng hoặc hơn mức kỳ vọng",
        Reason::Behind => "thấp hơn mức kỳ vọng",
        Reason::DuePassed => "quá hạn, chưa đạt",
        Reason::NoFigure => "chưa có số liệu",
        Reason::ZeroDenominator => "mẫu số bằng 0",
        Reason::UnitDiffers => "đơn vị chỉ tiêu khác đơn vị báo cáo",
        Reason::BreakdownNotReported => "báo cáo không tách riêng phần này",
        Reason::NotASum => "điểm của nhiều cơ quan, không cộng được",
        Reason::Withheld => "không cung cấp",
        Reason::UnknownSubject => "không có chỉ tiêu này",
    }
}

pub fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::InTime => "Đúng hạn",
        Standing::Late => "Muộn",
        Standing::Awaited => "Chưa đến hạn",
        Standing::Missing => "Chưa gửi",
    }
}

/// State of a submission.
pub fn state(state: Option<&str>) -> &'static str {
    match state {
        Some("draft") => "Đang soạn",
        Some("submitted") => "Chờ duyệt",
        Some("returned") => "Trả lại",
        Some("accepted") => "Đã duyệt",
        _ => "",
    }
}

/// A part of an indicator, as targets name it.
pub fn part(part: &str) -> &str {
    match part {
        "primary" => "tiểu học",
        "lower_and_upper_secondary" => "THCS, THPT",
        other => other,
    }
}

pub fn unit(unit: Option<&str>) -> String {
    match unit {
        Some("percent") => "%".into(),
        Some("per_100") => "trên 100 dân".into(),
        Some("ratio") => "tỷ số".into(),
        Some("score") => "điểm".into(),
        Some("kbps_per_head") => "kbps/người".into(),
        Some("officers_per_agency") => "người/cơ quan".into(),
        other => other.unwrap_or_default().to_owned(),
    }
}

/// A target as it is read aloud: `≥ 60`, `88 – 90`.
pub fn bound(comparator: Comparator, value: &Decimal, value_to: Option<&Decimal>) -> String {
    let sign = match comparator {
        Comparator::Gte => "≥ ",
        Comparator::Gt => "> ",
        Comparator::Lte => "≤ ",
        Comparator::Between => "",
    };
    let to = value_to.map(|to| format!(" – {}", number(to))).unwrap_or_default();
    format!("{sign}{}{to}", number(value))
}

/// With a decimal comma, as in Vietnamese text.
pub fn number(value: &Decimal) -> String {
    value.0.normalized().to_plain_string().replace('.', ",")
}

/// Name of a rate.
pub fn rate(id: &str) -> String {
    if id == "on_time" {
        return "Hồ sơ giải quyết trước và đúng hạn".into();
    }
    let levels = |text: &str| text.replace('_', ", ");
    if let Some(levels_of) = id.strip_prefix("services_active_level_") {
        return format!("Dịch vụ mức độ {} có phát sinh hồ sơ trực tuyến", levels(levels_of));
    }
    if let Some(levels_of) = id.strip_prefix("services_level_") {
        return format!("Dịch vụ đạt từ mức độ {}", levels(levels_of));
    }
    let Some(rest) = id.strip_prefix("dossiers_level_") else { return id.to_owned() };
    for (suffix, what) in [
        ("_resolved", "được xử lý trực tuyến"),
        ("_received", "được tiếp nhận trực tuyến"),
        ("_of_all", "trực tuyến trên tổng hồ sơ đã giải quyết"),
    ] {
        if let Some(levels_of) = rest.strip_suffix(suffix) {
            return format!("Hồ sơ mức độ {} {what}", levels(levels_of));
        }
    }
    id.to_owned()
}

pub fn day(day: NaiveDate) -> String {
    format!("{}/{}/{}", day.day(), day.month(), day.year())
}

pub fn month(month: Month) -> String {
    let first = month.first_day();
    format!("{}/{}", first.month(), first.year())
}

/// The year so far is told by the month it goes up to.
pub fn period(period: Period, until: Month) -> String {
    match period {
        Period::Month(of) => format!("Tháng {}", month(of)),
        Period::Year(_) if until.first_day().month() > 1 => format!("Lũy kế 1–{}", month(until)),
        Period::Year(_) => format!("Lũy kế {}", month(until)),
        Period::Quarter(year, quarter) => format!("Quý {quarter}/{year}"),
    }
}

/// How the figures came about, and what is not in them.
pub fn notes(report: &MonthlyReport) -> Vec<String> {
    let year = report.year;
    let submissions = &report.submissions;
    let without = report.indicators.iter().filter(|figure| figure.actual.is_none()).count();
    let all = report.indicators.len();
    vec![
        format!(
            "Số liệu các tháng đến hết ngày {}, theo báo cáo đã duyệt và nhiệm vụ như khi lập báo cáo này, kể cả báo cáo nộp sau ngày đó. \
             Chỉ tiêu và nhiệm vụ của năm {year}.",
            day(report.on)
        ),
        format!(
            "{} trên {} cơ quan đã gửi báo cáo tháng; hạn gửi giả định là ngày {DUE_DAY} tháng sau (kế hoạch chỉ quy định báo cáo hằng tháng).",
            submissions.in_time + submissions.late,
            submissions.expected
        ),
        format!(
            "Số liệu của tỉnh theo từng chỉ tiêu là tổng tử số chia tổng mẫu số của các cơ quan đã có báo cáo được duyệt trong năm \
             (mỗi cơ quan lấy tháng gần nhất); không ước lượng cho cơ quan chưa báo cáo. {without} trên {all} chỉ tiêu thành phần chưa có số liệu."
        ),
        "Mức độ dịch vụ công tính theo thủ tục còn hiệu lực vào ngày cuối tháng; mức độ là cộng dồn (từ mức độ 1 gồm cả 2, 3, 4).".into(),
        "Tỷ lệ hồ sơ: hồ sơ nộp trực tuyến đã giải quyết trên tổng hồ sơ đã giải quyết của thủ tục ở đúng mức độ đó, mọi kênh tiếp nhận.".into(),
        "Mức kỳ vọng nằm trên đường thẳng từ đầu năm (số liệu gốc năm trước nếu có, nếu không là 0) đến hạn của chỉ tiêu. \
         Đạt: số liệu chính xác thỏa chỉ tiêu; Đúng tiến độ: không thấp hơn kỳ vọng; Có nguy cơ: thấp hơn không quá 1/5 quãng đường; \
         Chậm: thấp hơn nữa, hoặc đã quá hạn mà chưa đạt."
            .into(),
        "So sánh trước khi làm tròn; số in ra làm tròn đến 2 chữ số thập phân.".into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_names_forty_agencies() {
        let codes: Vec<String> = (1..=250).map(|n| format!("UBND-{n:03}")).collect();
        let text = some_agencies(&codes);
        assert!(text.ends_with("UBND-040, … và 210 cơ quan khác"), "{text}");
        assert_eq!(some_agencies(&codes[..40]).matches("UBND").count(), 40);
        assert!(!some_agencies(&codes[..40]).contains("khác"));
        // In the narrowest column that names agencies.
        assert!(crate::reports::lines::lines(&text, 16.0 * 1.28) <= crate::reports::book::MOST_LINES);
    }

    #[test]
    fn rates_bounds_and_periods_have_their_names() {
        assert_eq!(rate("dossiers_level_3_4_resolved"), "Hồ sơ mức độ 3, 4 được xử lý trực tuyến");
        assert_eq!(rate("services_active_level_4"), "Dịch vụ mức độ 4 có phát sinh hồ sơ trực tuyến");
        assert_eq!(rate("services_level_3_4"), "Dịch vụ đạt từ mức độ 3, 4");
        let decimal = |text: &str| Decimal::parse(text).unwrap();
        assert_eq!(bound(Comparator::Between, &decimal("88"), Some(&decimal("90.5"))), "88 – 90,5");
        assert_eq!(bound(Comparator::Lte, &decimal("5.000"), None), "≤ 5");
        let until = "2018-06".parse().unwrap();
        assert_eq!(period(Period::Year(2018), until), "Lũy kế 1–6/2018");
        assert_eq!(period(Period::Month(until), until), "Tháng 6/2018");
    }
}
