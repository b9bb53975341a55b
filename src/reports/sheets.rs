//! The sheets of the report.

use rust_xlsxwriter::{DocProperties, Workbook, XlsxError};

use super::book::{Cell, Column, Sheet};
use super::rows::{agency_target_row, indicator_row, rate_row, result_row, target_row, task_row};
use super::wire::MonthlyReport;
use super::{labels, summary};
use crate::values::vietnamese;

/// The report as a workbook.
pub fn workbook(report: &MonthlyReport) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let title = format!("Báo cáo ICT-Index tháng {}", vietnamese::month(report.month));
    book.set_properties(&DocProperties::new().set_title(&title));
    summary::write(&mut book, report, &title)?;
    let mut writer = Writer { book: &mut book, report, footer: title };
    writer.province_targets()?;
    writer.agency_targets()?;
    writer.tasks()?;
    writer.submissions()?;
    writer.indicators()?;
    writer.services()?;
    writer.notes()?;
    book.save_to_buffer()
}

struct Writer<'w> {
    book: &'w mut Workbook,
    report: &'w MonthlyReport,
    footer: String,
}

fn widths(columns: &[Column]) -> Vec<f64> {
    columns.iter().map(|(_, width)| *width).collect()
}

fn headings(columns: &[Column]) -> Vec<&'static str> {
    columns.iter().map(|(heading, _)| *heading).collect()
}

impl Writer<'_> {
    /// A sheet that is one table, with a row of it for each item.
    fn table<T>(
        &mut self,
        name: &str,
        title: &str,
        columns: &[Column],
        items: &[T],
        row: impl Fn(&T) -> Vec<Cell>,
    ) -> Result<(), XlsxError> {
        let subtitle = format!(
            "Tháng {} (số liệu tính đến hết ngày {})",
            vietnamese::month(self.report.month),
            vietnamese::day(self.report.on)
        );
        let mut sheet = Sheet::new(self.book, name, &widths(columns), true, &self.footer)?;
        sheet.title(title)?;
        sheet.subtitle(&subtitle)?;
        sheet.skip();
        sheet.repeated_header(&headings(columns))?;
        for item in items {
            sheet.cells(&row(item))?;
        }
        if items.is_empty() {
            sheet.subtitle("Không có.")?;
        }
        sheet.done()
    }

    fn province_targets(&mut self) -> Result<(), XlsxError> {
        const COLUMNS: [Column; 11] = [
            ("Mã", 11.0),
            ("Chỉ tiêu", 28.0),
            ("Mục tiêu", 10.0),
            ("Thời hạn", 10.5),
            ("Kết quả thực hiện", 9.0),
            ("Tử số", 10.0),
            ("Mẫu số", 10.0),
            ("Mức phải đạt đến nay", 9.5),
            ("Còn thiếu", 9.0),
            ("Cần tăng bình quân mỗi tháng", 9.5),
            ("Đánh giá", 19.0),
        ];
        let items = &self.report.progress.items;
        self.table("Mục tiêu của tỉnh", "TIẾN ĐỘ THỰC HIỆN MỤC TIÊU CỦA TỈNH", &COLUMNS, items, target_row)
    }

    fn agency_targets(&mut self) -> Result<(), XlsxError> {
        const COLUMNS: [Column; 10] = [
            ("Mã", 11.0),
            ("Chỉ tiêu", 27.0),
            ("Mục tiêu", 12.0),
            ("Thời hạn", 10.5),
            ("Đã đạt", 6.5),
            ("Đúng tiến độ", 7.5),
            ("Có nguy cơ chậm", 7.5),
            ("Chậm tiến độ", 7.5),
            ("Chưa đủ số liệu để đánh giá", 9.5),
            ("Cơ quan chậm tiến độ hoặc có nguy cơ chậm", 36.0),
        ];
        let items = &self.report.progress.agency_targets;
        let names = &self.report.names;
        let title = "TIẾN ĐỘ THỰC HIỆN MỤC TIÊU CỦA CÁC CƠ QUAN";
        self.table("Mục tiêu của cơ quan", title, &COLUMNS, items, |item| {
            agency_target_row(item, names)
        })
    }

    fn tasks(&mut self) -> Result<(), XlsxError> {
        const COLUMNS: [Column; 7] = [
            ("Mã", 9.0),
            ("Nhiệm vụ", 42.0),
            ("Cơ quan chủ trì", 22.0),
            ("Thời hạn", 12.0),
            ("Số ngày quá hạn", 10.0),
            ("Tỷ lệ hoàn thành (%)", 11.0),
            ("Cơ quan chưa hoàn thành (quá hạn)", 32.0),
        ];
        let items = &self.report.tasks.overdue;
        let names = &self.report.names;
        self.table("Nhiệm vụ quá hạn", "NHIỆM VỤ QUÁ HẠN", &COLUMNS, items, |task| {
            task_row(task, names)
        })
    }

    fn submissions(&mut self) -> Result<(), XlsxError> {
        const COLUMNS: [Column; 6] = [
            ("STT", 6.0),
            ("Mã", 15.0),
            ("Cơ quan", 48.0),
            ("Ngày gửi lần đầu", 14.0),
            ("Trạng thái", 18.0),
            ("Tình trạng gửi (theo thời hạn tạm tính)", 22.0),
        ];
        let items: Vec<_> = self.report.submissions.items.iter().enumerate().collect();
        self.table(
            "Báo cáo của cơ quan",
            "TÌNH HÌNH GỬI BÁO CÁO THÁNG",
            &COLUMNS,
            &items,
            |(place, item)| {
                vec![
                    Cell::count(place + 1),
                    Cell::text(&item.agency),
                    Cell::text(&item.name),
                    Cell::day(item.submitted_on),
                    Cell::centred(labels::state(item.state.as_deref())),
                    Cell::centred(labels::standing(item.standing)),
                ]
            },
        )
    }

    fn indicators(&mut self) -> Result<(), XlsxError> {
        const COLUMNS: [Column; 8] = [
            ("Mã", 12.0),
            ("Chỉ tiêu thành phần", 44.0),
            ("Đơn vị tính", 13.0),
            ("Tử số", 12.0),
            ("Mẫu số", 12.0),
            ("Giá trị", 12.0),
            ("Tháng có số liệu", 14.0),
            ("Số cơ quan có số liệu/tổng số (hoặc lý do)", 18.0),
        ];
        let items = &self.report.indicators;
        self.table(
            "Số liệu thành phần",
            "SỐ LIỆU CÁC CHỈ TIÊU THÀNH PHẦN CỦA TỈNH",
            &COLUMNS,
            items,
            indicator_row,
        )
    }

    fn services(&mut self) -> Result<(), XlsxError> {
        const RATES: [Column; 8] = [
            ("Kỳ báo cáo", 15.0),
            ("Nội dung", 42.0),
            ("Tử số", 14.0),
            ("Mẫu số", 13.0),
            ("Tỷ lệ (%)", 11.0),
            ("Mục tiêu (%)", 12.0),
            ("Còn thiếu", 11.0),
            ("Số hồ sơ trực tuyến cần thêm để đạt mục tiêu", 13.0),
        ];
        let report = self.report;
        let mut sheet = Sheet::new(self.book, "DVCTT và xếp hạng", &widths(&RATES), true, &self.footer)?;
        sheet.title("DỊCH VỤ CÔNG TRỰC TUYẾN VÀ XẾP HẠNG QUỐC GIA")?;
        sheet.subtitle(&format!("Tháng {}", vietnamese::month(report.month)))?;
        sheet.section("1. Số TTHC theo mức độ dịch vụ công trực tuyến (tại ngày cuối tháng)")?;
        sheet.header(&[
            "Mức độ",
            "Nội dung",
            "Số TTHC ở mức độ này",
            "Số TTHC từ mức độ này trở lên",
            "Tỷ lệ từ mức độ này trở lên (%)",
            "Tổng số TTHC còn hiệu lực",
        ])?;
        if let Some(levels) = &report.service_levels {
            for ((level, exact), (_, at_least)) in levels.exact.each().into_iter().zip(levels.at_least.each())
            {
                let metric = format!("services_level_{level}");
                let rate = levels.rates.iter().rfind(|rate| rate.metric == metric);
                sheet.cells(&[
                    Cell::centred(level.to_string()),
                    Cell::text(format!("Dịch vụ công trực tuyến mức độ {level}")),
                    Cell::Count(exact),
                    Cell::Count(at_least),
                    Cell::figure(rate.and_then(|rate| rate.rate.as_ref())),
                    Cell::Count(levels.total),
                ])?;
            }
        }
        sheet.section("2. Kết quả giải quyết hồ sơ TTHC")?;
        sheet.header(&headings(&RATES))?;
        for rate in &report.dossiers {
            sheet.cells(&rate_row(rate, report))?;
        }
        let year = report.national_results.first().map(|result| format!(" năm {}", result.result.index_year));
        sheet.section(&format!("3. Kết quả xếp hạng quốc gia{}", year.unwrap_or_default()))?;
        sheet.header(&[
            "Mã",
            "Chỉ số, nhóm chỉ số",
            "Điểm",
            "Thứ hạng",
            "Số tỉnh, thành phố được xếp hạng",
            "Thứ hạng năm trước",
            "Số bậc tăng (+), giảm (–)",
        ])?;
        for result in &report.national_results {
            sheet.cells(&result_row(result))?;
        }
        sheet.done()
    }

    fn notes(&mut self) -> Result<(), XlsxError> {
        let mut sheet = Sheet::new(self.book, "Ghi chú", &[21.0; 4], false, &self.footer)?;
        sheet.title("PHƯƠNG PHÁP VÀ PHẠM VI SỐ LIỆU")?;
        sheet.skip();
        for (place, note) in self.report.notes.iter().enumerate() {
            sheet.paragraph(&format!("{}. {note}", place + 1))?;
        }
        sheet.done()
    }
}
