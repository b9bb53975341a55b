//! The first sheet: the page that is read if no other is.

use rust_xlsxwriter::{Format, FormatAlign, Workbook, XlsxError};

use super::book::{Cell, Sheet};
use super::labels;
use super::rows::{goal, goal_of_target, name_of};
use super::rules::Standing;
use super::wire::MonthlyReport;
use crate::statistics::progress::rules::Status;
use crate::statistics::progress::wire::{Counts, TargetProgress};

/// Overdue tasks on the first page; the sheet of tasks has all.
const MOST_TASKS: usize = 6;

/// The page that is read if no other is.
pub fn write(book: &mut Workbook, report: &MonthlyReport, footer: &str) -> Result<(), XlsxError> {
    let mut sheet = Sheet::new(book, "Tổng hợp", &[27.0, 12.0, 10.0, 10.0, 10.0, 11.5, 10.0], false, footer)?;
    let recipient = report.recipient.as_deref().unwrap_or("Ủy ban nhân dân tỉnh");
    sheet.sides(&recipient.to_uppercase(), "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", true)?;
    sheet.sides("CƠ QUAN THEO DÕI ICT-INDEX", "Độc lập - Tự do - Hạnh phúc", true)?;
    sheet.sides("Số: ……/BC-……", "……, ngày …… tháng …… năm ……", false)?;
    sheet.skip();
    sheet.title("BÁO CÁO")?;
    sheet.title(&format!("Tình hình thực hiện ICT-Index tháng {}", labels::month(report.month)))?;
    sheet.subtitle(&format!("Số liệu đến ngày {}", labels::day(report.on)))?;
    sheet.skip();
    sheet.paragraph(&format!("Kính gửi: {recipient}"))?;
    statuses(&mut sheet, report)?;
    tasks(&mut sheet, report)?;
    reporting(&mut sheet, report)?;
    rates(&mut sheet, report)?;
    behind(&mut sheet, report)?;
    signature(&mut sheet)?;
    sheet.done()
}

fn statuses(sheet: &mut Sheet<'_>, report: &MonthlyReport) -> Result<(), XlsxError> {
    sheet.section(&format!("1. Chỉ tiêu năm {}", report.year))?;
    let mut columns = vec!["Chỉ tiêu"];
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
    sheet.section("2. Nhiệm vụ của kế hoạch")?;
    sheet.header(&["Đúng hạn", "Muộn", "Đang làm", "Chưa làm", "Quá hạn", "Đã hủy", "Tổng số"])?;
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
    sheet.section(&format!("3. Báo cáo tháng của các cơ quan (hạn {})", labels::day(submissions.due_on)))?;
    sheet.header(&["Cơ quan phải báo cáo", "Đúng hạn", "Muộn", "Chưa đến hạn", "Chưa gửi", "Đã duyệt"])?;
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
        sheet.paragraph(&format!("Chưa gửi: {}.", missing.join("; ")))?;
    }
    Ok(())
}

fn rates(sheet: &mut Sheet<'_>, report: &MonthlyReport) -> Result<(), XlsxError> {
    sheet.section("4. Hồ sơ dịch vụ công trực tuyến")?;
    sheet.header(&["Tỷ lệ", "Kỳ", "Tử số", "Mẫu số", "Tỷ lệ (%)", "Mục tiêu (%)", "Còn thiếu"])?;
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
    sheet.section("5. Chỉ tiêu của tỉnh chậm hoặc có nguy cơ")?;
    let targets = report.progress.items.iter().filter(lags).map(|item| {
        let actual = item.actual.as_ref().map(labels::number).unwrap_or_default();
        let (name, goal) = (name_of(&item.code, item.name.as_ref()), goal_of_target(item));
        let (due, status) = (labels::day(item.due), labels::status(item.status));
        format!("- {name}: {actual}, mục tiêu {goal}, hạn {due}: {status}")
    });
    bulleted(sheet, targets.collect())?;
    sheet.section("6. Nhiệm vụ quá hạn lâu nhất")?;
    let tasks = report.tasks.overdue.iter().take(MOST_TASKS).map(|task| {
        format!(
            "- {}. {}: quá {} ngày ({})",
            task.code,
            task.title,
            task.days_overdue.unwrap_or_default(),
            labels::some_agencies(&task.leads)
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

fn signature(sheet: &mut Sheet<'_>) -> Result<(), XlsxError> {
    sheet.skip();
    sheet.sides("NGƯỜI LẬP", "THỦ TRƯỞNG CƠ QUAN", true)?;
    sheet.sides("(Ký, ghi rõ họ tên)", "(Ký, đóng dấu, ghi rõ họ tên)", false)?;
    let room = Format::new().set_align(FormatAlign::Center);
    (0..4).try_for_each(|_| sheet.line("", room.clone()))
}
