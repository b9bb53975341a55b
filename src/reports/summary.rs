//! The first sheet: the page that is read if no other is.

use rust_xlsxwriter::{Format, FormatAlign, Workbook, XlsxError};

use super::book::{Cell, Sheet, Style};
use super::labels;
use super::rows::{goal, goal_of_target, leads_of, name_of};
use super::rules::Standing;
use super::wire::MonthlyReport;
use crate::statistics::progress::rules::Status;
use crate::statistics::progress::target_wire::TargetProgress;
use crate::statistics::progress::wire::Counts;
use crate::values::vietnamese;

/// How the name of the committee begins; the name of the province follows.
const COMMITTEE: &str = "Ủy ban nhân dân tỉnh";
/// To be filled in by hand.
const BLANK: &str = "……";
/// Overdue tasks on the first page; the sheet of tasks has all.
const MOST_TASKS: usize = 6;

/// The page that is read if no other is.
pub fn write(book: &mut Workbook, report: &MonthlyReport, footer: &str) -> Result<(), XlsxError> {
    let mut sheet = Sheet::new(book, "Tổng hợp", &[27.0, 12.0, 10.0, 10.0, 10.0, 11.5, 10.0], false, footer)?;
    let recipient = report.recipient.as_deref().unwrap_or(COMMITTEE);
    head(&mut sheet, report, recipient)?;
    sheet.skip();
    sheet.title("BÁO CÁO")?;
    sheet.title(&format!(
        "Tình hình thực hiện Kế hoạch duy trì, cải thiện ICT-Index tháng {}",
        vietnamese::month(report.month)
    ))?;
    sheet.subtitle(&format!("(Số liệu tính đến hết ngày {})", vietnamese::day(report.on)))?;
    sheet.skip();
    sheet.paragraph(&format!("Kính gửi: {recipient}"))?;
    statuses(&mut sheet, report)?;
    tasks(&mut sheet, report)?;
    reporting(&mut sheet, report)?;
    rates(&mut sheet, report)?;
    behind(&mut sheet, report)?;
    signature(&mut sheet, report)?;
    sheet.done()
}

/// Superior body and issuing agency beside the country's name, as decree 30/2020 has them.
fn head(sheet: &mut Sheet<'_>, report: &MonthlyReport, recipient: &str) -> Result<(), XlsxError> {
    let issuer = report.issuer.as_deref().unwrap_or(BLANK).to_uppercase();
    let place =
        recipient.strip_prefix(COMMITTEE).map(str::trim).filter(|name| !name.is_empty()).unwrap_or(BLANK);
    sheet.sides(
        (&recipient.to_uppercase(), Style::Plain),
        ("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", Style::Bold),
    )?;
    sheet.sides((&issuer, Style::Bold), ("Độc lập - Tự do - Hạnh phúc", Style::Bold))?;
    sheet.sides(("Số: ……/BC-……", Style::Plain), (&format!("{place}, ngày …… tháng …… năm ……"), Style::Italic))
}

fn statuses(sheet: &mut Sheet<'_>, report: &MonthlyReport) -> Result<(), XlsxError> {
    sheet.section(&format!("1. Tiến độ thực hiện mục tiêu năm {}", report.year))?;
    let mut columns = vec!["Mục tiêu"];
    columns.extend(Status::ALL.map(labels::status));
    columns.push("Tổng số");
    sheet.header(&columns)?;
    for (name, counts) in
        [("Của tỉnh", report.progress.province), ("Của từng cơ quan", report.progress.agencies)]
    {
        sheet.cells(&counted(name, counts))?;
    }
    Ok(())
}

fn counted(name: &str, counts: Counts) -> Vec<Cell> {
    let mut cells = vec![Cell::text(name)];
    cells.extend(Status::ALL.map(|status| Cell::Count(counts.get(status).into())));
    cells.push(Cell::Count(counts.total.into()));
    cells
}

fn tasks(sheet: &mut Sheet<'_>, report: &MonthlyReport) -> Result<(), XlsxError> {
    sheet.section("2. Tiến độ thực hiện nhiệm vụ của kế hoạch")?;
    sheet.header(&[
        "Hoàn thành đúng hạn",
        "Hoàn thành quá hạn",
        "Đang thực hiện",
        "Chưa thực hiện",
        "Quá hạn chưa hoàn thành",
        "Đã hủy",
        "Tổng số",
    ])?;
    let counts = report.tasks.counts;
    let all = [
        counts.done_on_time,
        counts.done_late,
        counts.in_progress,
        counts.not_started,
        counts.overdue,
        counts.cancelled,
        counts.total,
    ];
    sheet.cells(&all.map(|n| Cell::Count(n.into())))
}

fn reporting(sheet: &mut Sheet<'_>, report: &MonthlyReport) -> Result<(), XlsxError> {
    let submissions = &report.submissions;
    // The deadline is assumed: agencies are counted by it, and not called late.
    let due = vietnamese::day(submissions.due_on);
    sheet
        .section(&format!("3. Tình hình gửi báo cáo tháng của các cơ quan (thời hạn gửi tạm tính: {due})"))?;
    sheet.header(&[
        "Số cơ quan phải báo cáo",
        "Gửi trong thời hạn",
        "Gửi sau thời hạn",
        "Chưa đến thời hạn",
        "Quá thời hạn chưa gửi",
        "Đã duyệt",
    ])?;
    let all = [
        submissions.expected,
        submissions.in_time,
        submissions.late,
        submissions.awaited,
        submissions.missing,
        submissions.accepted,
    ];
    sheet.cells(&all.map(Cell::count))?;
    let missing: Vec<&str> = submissions
        .items
        .iter()
        .filter(|item| item.standing == Standing::Missing)
        .map(|item| item.name.as_str())
        .collect();
    if !missing.is_empty() {
        sheet.paragraph(&format!("Cơ quan chưa gửi báo cáo: {}.", missing.join("; ")))?;
    }
    Ok(())
}

fn rates(sheet: &mut Sheet<'_>, report: &MonthlyReport) -> Result<(), XlsxError> {
    sheet.section("4. Kết quả giải quyết hồ sơ TTHC trực tuyến")?;
    sheet.header(&["Nội dung", "Kỳ báo cáo", "Tử số", "Mẫu số", "Tỷ lệ (%)", "Mục tiêu (%)", "Còn thiếu"])?;
    for item in &report.dossiers {
        let rate = &item.rate;
        sheet.cells(&[
            Cell::text(labels::rate(&rate.metric)),
            Cell::centred(labels::period(item.period, report.month)),
            Cell::Count(rate.numerator),
            Cell::Count(rate.denominator),
            Cell::figure(rate.rate.as_ref()),
            goal(item),
            Cell::figure(rate.gap.as_ref()),
        ])?;
    }
    Ok(())
}

/// What the meeting will talk about; the other sheets have all of it.
fn behind(sheet: &mut Sheet<'_>, report: &MonthlyReport) -> Result<(), XlsxError> {
    let lags = |item: &&TargetProgress| matches!(item.status, Status::AtRisk | Status::OffTrack);
    sheet.section("5. Mục tiêu của tỉnh chậm tiến độ hoặc có nguy cơ chậm")?;
    let targets = report.progress.items.iter().filter(lags).map(|item| {
        let reached = |actual| format!("đạt {}", labels::number(actual));
        let actual = item.actual.as_ref().map_or_else(|| "chưa có số liệu".into(), reached);
        let (name, goal) = (name_of(&item.code, item.name.as_ref()), goal_of_target(item));
        let (due, status) = (vietnamese::day(item.due), labels::status(item.status));
        format!("- {name}: {actual} (mục tiêu {goal}; thời hạn {due}) – {status}")
    });
    bulleted(sheet, targets.collect())?;
    sheet.section("6. Nhiệm vụ quá hạn lâu nhất")?;
    let tasks = report.tasks.overdue.iter().take(MOST_TASKS).map(|task| {
        format!(
            "- {}. {}: quá hạn {} ngày (cơ quan chủ trì: {})",
            task.code,
            task.title,
            task.days_overdue.unwrap_or_default(),
            leads_of(task)
        )
    });
    bulleted(sheet, tasks.collect())
}

fn bulleted(sheet: &mut Sheet<'_>, items: Vec<String>) -> Result<(), XlsxError> {
    if items.is_empty() {
        return sheet.paragraph("Không có.");
    }
    items.iter().try_for_each(|item| sheet.paragraph(item))
}

fn signature(sheet: &mut Sheet<'_>, report: &MonthlyReport) -> Result<(), XlsxError> {
    // A department (sở) is headed by a director.
    let is_department = report.issuer.as_deref().is_some_and(|name| name.starts_with("Sở "));
    let signer = if is_department { "GIÁM ĐỐC" } else { "THỦ TRƯỞNG CƠ QUAN" };
    sheet.skip();
    sheet.sides(("NGƯỜI LẬP BIỂU", Style::Bold), (signer, Style::Bold))?;
    sheet.sides(("(Ký, ghi rõ họ tên)", Style::Italic), ("(Ký, đóng dấu, ghi rõ họ tên)", Style::Italic))?;
    let room = Format::new().set_align(FormatAlign::Center);
    (0..4).try_for_each(|_| sheet.line("", room.clone()))?;
    ["Nơi nhận:", "- Như trên;", "- Lưu: VT."].iter().try_for_each(|line| sheet.paragraph(line))
}
