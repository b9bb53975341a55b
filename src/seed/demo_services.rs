//! A small invented catalogue, labelled as such, whose levels rise through 2017 and 2018.

use chrono::NaiveDate;

use super::demo_dossiers;
use crate::auth::Actor;
use crate::db::{Conn, sql};
use crate::http::Problem;
use crate::services::batch::{self, ServiceBatchRow};
use crate::services::rules::{ServiceStatus, ServiceTier};

/// Fields, each with the departments that handle its procedures; none: every district does.
const FIELDS: [(&str, &[&str]); 15] = [
    ("Đất đai", &["SO-TNMT"]),
    ("Môi trường", &["SO-TNMT"]),
    ("Y tế", &["SO-YT"]),
    ("Tư pháp", &["SO-TP"]),
    ("Hộ tịch", &[]),
    ("Lao động", &["SO-LDTBXH"]),
    ("Người có công", &["SO-LDTBXH"]),
    ("Đăng ký doanh nghiệp", &["SO-KHDT"]),
    ("Đăng ký hộ kinh doanh", &[]),
    ("Đường bộ", &["SO-GTVT", "SO-GTVTXD"]),
    ("Hoạt động xây dựng", &["SO-XD", "SO-GTVTXD"]),
    ("Công thương", &["SO-CT"]),
    ("Giáo dục và đào tạo", &["SO-GDDT"]),
    ("Nông nghiệp", &["SO-NNPTNT"]),
    ("Thông tin và truyền thông", &["SO-TTTT"]),
];

const WORKS: [&str; 8] = [
    "Cấp giấy phép",
    "Cấp lại giấy phép",
    "Gia hạn giấy phép",
    "Thu hồi giấy phép",
    "Đăng ký",
    "Thay đổi nội dung đăng ký",
    "Xác nhận hồ sơ",
    "Cấp bản sao",
];

/// Adds labelled, invented data where there is none.
pub async fn load(conn: &mut Conn, actor: &Actor) -> Result<(), Problem> {
    let empty: bool = sql("select not exists (select 1 from services) as value").value(conn).await?;
    if empty {
        let districts: Vec<String> =
            sql("select code as value from agencies where kind = 'district' order by code")
                .values(conn)
                .await?;
        // A batch has one level per procedure: the history goes in oldest first.
        for step in 0..3 {
            let rows = (0..FIELDS.len() * WORKS.len()).filter_map(|n| row(n, step, &districts)).collect();
            batch::store(conn, actor, rows, false).await?;
        }
        sql("update agencies set dossier_source = 'vnpt' where kind in ('department', 'district') and dossier_source is null")
            .run(conn)
            .await?;
    }
    demo_dossiers::load(conn, actor).await
}

/// Procedure `n` at a step of its history; `None` when nothing happens to it there.
fn row(n: usize, step: usize, districts: &[String]) -> Option<ServiceBatchRow> {
    let (field, departments) = FIELDS.get(n / WORKS.len())?;
    let work = WORKS.get(n % WORKS.len())?;
    let (level, effective_from) = level_at(n, step)?;
    let by_districts = departments.is_empty();
    let duplicate = n == FIELDS.len() * WORKS.len() - 1;
    Some(ServiceBatchRow {
        code: code(n),
        name: format!("[demo] {work} - {}", field.to_lowercase()),
        field: (*field).to_owned(),
        tier: if by_districts { ServiceTier::District } else { ServiceTier::Province },
        agencies: Some(if by_districts {
            districts.to_vec()
        } else {
            departments.iter().map(|code| (*code).to_owned()).collect()
        }),
        status: Some(if duplicate { ServiceStatus::Duplicate } else { ServiceStatus::InForce }),
        duplicate_of: duplicate.then(|| code(n - 1)),
        postal: Some(n.is_multiple_of(2)),
        information_complete: Some(true),
        forms_complete: Some(level >= 2),
        level: Some(level),
        effective_from: Some(effective_from),
        decision: Some(format!("[demo] QĐ {}/QĐ-UBND", 100 + n * 3 + step)),
    })
}

fn code(n: usize) -> String {
    format!("1.{:06}", 900_000 + n)
}

/// Everyone has level 1 or 2 when 2017 begins; about half rises to 3, and a third of those to 4.
fn level_at(n: usize, step: usize) -> Option<(i64, NaiveDate)> {
    let rises = (n * 7) % 13;
    let (level, year, month) = match step {
        0 => (if n.is_multiple_of(9) { 1 } else { 2 }, 2017, 1),
        1 if rises < 7 => (3, if n.is_multiple_of(2) { 2017 } else { 2018 }, 2 + (n % 8)),
        2 if rises < 2 => (4, 2018, 10 + (n % 3)),
        _ => return None,
    };
    NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, 15).map(|day| (level, day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::rules::is_service_code;

    #[test]
    fn the_catalogue_is_labelled_and_its_levels_rise() {
        let districts = ["UBND-080".to_owned()];
        let count = |step| (0..120).filter_map(|n| row(n, step, &districts)).count();
        assert_eq!(count(0), 120);
        assert!(count(1) > 50 && count(2) > 10, "{} {}", count(1), count(2));
        for n in 0..120 {
            let steps: Vec<_> = (0..3).filter_map(|step| row(n, step, &districts)).collect();
            assert!(steps.iter().all(|row| row.name.starts_with("[demo] ") && is_service_code(&row.code)));
            assert!(steps.is_sorted_by(|a, b| a.level < b.level && a.effective_from < b.effective_from));
        }
    }
}
