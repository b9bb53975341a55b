//! What is printed for codes, and the notes under the figures. In Vietnamese: so is the report.

use super::rules::{DUE_DAY, Standing};
use super::wire::MonthlyReport;
use crate::statistics::progress::rules::{Reason, Status};
use crate::values::{Comparator, Decimal, Month, Period, vietnamese};

/// Agencies that a cell names.
const MOST_AGENCIES: usize = 12;

/// Names of agencies, the first of them where there are many: the response in JSON has all.
pub fn some_agencies<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let beyond = names.len().saturating_sub(MOST_AGENCIES);
    let named: Vec<String> = names.take(MOST_AGENCIES).map(short).collect();
    let named = named.join("; ");
    if beyond == 0 { named } else { format!("{named}; … và {beyond} cơ quan khác") }
}

fn short(name: &str) -> String {
    name.replace("Ủy ban nhân dân", "UBND")
}

pub fn status(status: Status) -> &'static str {
    match status {
        Status::Achieved => "Đã đạt",
        Status::OnTrack => "Đúng tiến độ",
        Status::AtRisk => "Có nguy cơ chậm",
        Status::OffTrack => "Chậm tiến độ",
        Status::NotAssessable => "Chưa đủ số liệu để đánh giá",
    }
}

pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Met => "đã đạt mục tiêu",
        Reason::AsExpected => "đạt hoặc vượt mức phải đạt đến nay",
        Reason::Behind => "thấp hơn mức phải đạt đến nay",
        Reason::DuePassed => "đã quá thời hạn, chưa đạt mục tiêu",
        Reason::NoFigure => "chưa có số liệu",
        Reason::ZeroDenominator => "mẫu số bằng 0",
        Reason::UnitDiffers => "đơn vị tính của mục tiêu khác đơn vị tính của số liệu báo cáo",
        Reason::BreakdownNotReported => "báo cáo chưa tách riêng số liệu của phần này",
        Reason::NotASum => "là điểm của nhiều cơ quan nên không cộng được",
        Reason::Withheld => "không cung cấp",
        Reason::UnknownSubject => "mã chỉ tiêu không có trong danh mục",
    }
}

/// By the assumed deadline: nobody set one, so nobody is called late.
pub fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::InTime => "Gửi trong thời hạn",
        Standing::Late => "Gửi sau thời hạn",
        Standing::Awaited => "Chưa đến thời hạn gửi",
        Standing::Missing => "Quá thời hạn chưa gửi",
    }
}

/// State of a submission.
pub fn state(state: Option<&str>) -> &'static str {
    match state {
        Some("draft") => "Đang soạn thảo",
        Some("submitted") => "Chờ duyệt",
        Some("returned") => "Đã trả lại",
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

/// The unit of an indicator; a quotient has one only where both sides do.
pub fn unit(code: &str, unit: Option<&str>) -> String {
    match unit {
        Some("percent") => "%".into(),
        Some("per_100") => "thuê bao/100 dân".into(),
        Some("ratio") if code == "HT.CQ.01" => "máy/người".into(),
        Some("ratio") => String::new(),
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
        return "Hồ sơ giải quyết trước hạn và đúng hạn".into();
    }
    let levels = |text: &str| text.replace('_', " và mức độ ");
    if let Some(levels_of) = id.strip_prefix("services_active_level_") {
        return format!("DVCTT mức độ {} có phát sinh hồ sơ trực tuyến", levels(levels_of));
    }
    if let Some(levels_of) = id.strip_prefix("services_level_") {
        return match levels_of {
            // Nothing is above level 4.
            "3_4" | "4" => format!("TTHC cung cấp DVCTT mức độ {}", levels(levels_of)),
            level => format!("TTHC cung cấp DVCTT từ mức độ {level} trở lên"),
        };
    }
    let Some(rest) = id.strip_prefix("dossiers_level_") else { return id.to_owned() };
    for (suffix, what) in [
        ("_resolved", "được xử lý trực tuyến"),
        ("_received", "được tiếp nhận trực tuyến"),
        ("_of_all", "giải quyết trực tuyến trên tổng số hồ sơ đã giải quyết (mọi mức độ)"),
    ] {
        if let Some(levels_of) = rest.strip_suffix(suffix) {
            return format!("Hồ sơ mức độ {} {what}", levels(levels_of));
        }
    }
    id.to_owned()
}

/// The year so far is told by the month it goes up to.
pub fn period(period: Period, until: Month) -> String {
    match period {
        Period::Year(_) => format!("Lũy kế đến hết tháng {}", vietnamese::month(until)),
        other => vietnamese::period(other),
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
            "Số liệu tính đến hết ngày {}, theo các báo cáo đã được duyệt và tình hình nhiệm vụ tại thời điểm lập báo cáo này \
             (bao gồm cả báo cáo gửi sau ngày nêu trên). Mục tiêu và nhiệm vụ theo kế hoạch năm {year}.",
            vietnamese::day(report.on)
        ),
        format!(
            "{}/{} cơ quan đã gửi báo cáo tháng. Thời hạn gửi tạm tính là ngày {DUE_DAY} của tháng tiếp theo, do kế hoạch không quy định ngày cụ thể.",
            submissions.in_time + submissions.late,
            submissions.expected
        ),
        format!(
            "Số liệu cấp tỉnh của mỗi chỉ tiêu bằng tổng tử số chia cho tổng mẫu số của các cơ quan đã có báo cáo được duyệt trong năm \
             (mỗi cơ quan lấy số liệu của tháng gần nhất); không ước tính số liệu của cơ quan chưa báo cáo. \
             Còn {without}/{all} chỉ tiêu thành phần chưa có số liệu."
        ),
        "Mức độ dịch vụ công trực tuyến (DVCTT) tính trên số thủ tục hành chính (TTHC) còn hiệu lực tại ngày cuối tháng; số lượng \
         “từ mức độ n trở lên” được cộng dồn (ví dụ từ mức độ 1 trở lên gồm cả mức độ 2, 3, 4)."
            .into(),
        "Tỷ lệ hồ sơ mức độ n bằng số hồ sơ nộp trực tuyến đã giải quyết chia cho tổng số hồ sơ đã giải quyết (mọi hình thức tiếp nhận) \
         của các thủ tục đang ở mức độ n. Tỷ lệ đúng hạn bằng số hồ sơ giải quyết trước hạn và đúng hạn chia cho tổng số hồ sơ đã giải quyết."
            .into(),
        "Mức phải đạt đến nay được tính tăng đều từ đầu năm (lấy số liệu năm trước, nếu không có thì lấy bằng 0) đến thời hạn của mục tiêu. \
         Đã đạt: số liệu trước khi làm tròn đạt mục tiêu. Đúng tiến độ: không thấp hơn mức phải đạt đến nay. \
         Có nguy cơ chậm: thấp hơn không quá 1/5 khoảng cách từ mức đầu năm đến mục tiêu. \
         Chậm tiến độ: thấp hơn nữa, hoặc đã quá thời hạn mà chưa đạt."
            .into(),
        "Việc so sánh thực hiện trên số liệu chưa làm tròn; số liệu trong báo cáo được làm tròn đến 02 chữ số thập phân.".into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_names_twelve_agencies() {
        let names: Vec<String> =
            (1..=250).map(|n| format!("Ủy ban nhân dân xã Bản Khoang số {n:03}")).collect();
        let of = |names: &[String]| some_agencies(names.iter().map(String::as_str));
        let text = of(&names);
        assert!(text.ends_with("UBND xã Bản Khoang số 012; … và 238 cơ quan khác"), "{text}");
        assert_eq!(of(&names[..12]).matches("UBND").count(), 12);
        assert!(!of(&names[..12]).contains("khác"));
        // In the narrowest column that names agencies.
        assert!(crate::reports::lines::lines(&text, 22.0 * 1.28) <= crate::reports::book::MOST_LINES);
    }

    #[test]
    fn rates_bounds_and_periods_have_their_names() {
        assert_eq!(rate("dossiers_level_3_4_resolved"), "Hồ sơ mức độ 3 và mức độ 4 được xử lý trực tuyến");
        assert_eq!(rate("services_active_level_4"), "DVCTT mức độ 4 có phát sinh hồ sơ trực tuyến");
        assert_eq!(rate("services_level_3_4"), "TTHC cung cấp DVCTT mức độ 3 và mức độ 4");
        assert_eq!(rate("services_level_2"), "TTHC cung cấp DVCTT từ mức độ 2 trở lên");
        let decimal = |text: &str| Decimal::parse(text).unwrap();
        assert_eq!(bound(Comparator::Between, &decimal("88"), Some(&decimal("90.5"))), "88 – 90,5");
        assert_eq!(bound(Comparator::Lte, &decimal("5.000"), None), "≤ 5");
        let until = "2018-06".parse().unwrap();
        assert_eq!(period(Period::Year(2018), until), "Lũy kế đến hết tháng 6/2018");
        assert_eq!(period(Period::Month(until), until), "Tháng 6/2018");
    }

    #[test]
    fn a_unit_belongs_to_its_indicator() {
        assert_eq!(unit("HT.CQ.01", Some("ratio")), "máy/người");
        assert_eq!(unit("X", Some("ratio")), "");
    }
}
