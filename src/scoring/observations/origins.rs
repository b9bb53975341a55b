//! Where the figures of each leaf are collected from.

use std::collections::{BTreeMap, BTreeSet};

use super::collect_wire::NewCollection;
use super::collection::{Found, Origin};
use crate::db::Conn;
use crate::http::{Problem, ProblemCode, Violations};
use crate::statistics::figures::Counted;
use crate::submissions::stored_values;

/// Where the figures of each leaf come from. Everything wrong with the mappings is told at once.
pub async fn origins(
    conn: &mut Conn,
    observed: &BTreeSet<&str>,
    new: &NewCollection,
) -> Result<(BTreeMap<String, Origin>, Found), Problem> {
    let named = new.submissions.iter().map(|mapping| mapping.from.clone());
    let codes = observed.iter().map(|code| (*code).to_owned()).chain(named).collect();
    let indicators = stored_values::definitions(conn, codes).await?;
    let mut mapper = Mapper { observed, origins: BTreeMap::new(), faults: Violations::default() };
    for (index, mapping) in new.submissions.iter().enumerate() {
        let (pointer, from) = (format!("/submissions/{index}"), &mapping.from);
        if !indicators.contains_key(from) {
            let detail =
                msg!("Không tìm thấy chỉ tiêu có mã `{from}`.", "Indicator `{from}` does not exist.");
            mapper.faults.add(ProblemCode::UnknownReference, format!("{pointer}/from"), detail);
        }
        mapper.put(&mapping.indicator, Origin::Submissions(from.clone()), &pointer);
    }
    for (index, mapping) in new.statistics.iter().enumerate() {
        let (pointer, metric) = (format!("/statistics/{index}"), &mapping.metric);
        match Counted::parse(metric, mapping.counting) {
            Some(counted) => mapper.put(&mapping.indicator, Origin::Statistic(counted), &pointer),
            None => {
                let detail = msg!(
                    "Tỷ lệ `{metric}` không có cách tính này (counting).",
                    "Rate `{metric}` does not support this `counting`."
                );
                mapper.faults.add(ProblemCode::UnknownReference, format!("{pointer}/metric"), detail);
            }
        }
    }
    let Mapper { mut origins, faults, .. } = mapper;
    faults.into_result()?;
    let mut found = Found::default();
    for code in observed {
        if origins.contains_key(*code) {
            continue;
        }
        let statistic = level_of(code);
        let submitted = || indicators.contains_key(*code).then(|| Origin::Submissions((*code).to_owned()));
        match statistic.map(Origin::Statistic).or_else(submitted) {
            Some(origin) => drop(origins.insert((*code).to_owned(), origin)),
            None => found.without_origin(code),
        }
    }
    Ok((origins, found))
}

struct Mapper<'a> {
    observed: &'a BTreeSet<&'a str>,
    origins: BTreeMap<String, Origin>,
    faults: Violations,
}

impl Mapper<'_> {
    fn put(&mut self, indicator: &str, origin: Origin, pointer: &str) {
        let pointer = format!("{pointer}/indicator");
        if !self.observed.contains(indicator) {
            let detail = msg!(
                "Bộ chỉ số không có chỉ tiêu mang mã `{indicator}`.",
                "The framework has no indicator `{indicator}`."
            );
            self.faults.add(ProblemCode::UnknownReference, pointer, detail);
        } else if self.origins.insert(indicator.to_owned(), origin).is_some() {
            let detail =
                msg!("Chỉ tiêu `{indicator}` được khai báo nhiều lần.", "Duplicate indicator `{indicator}`.");
            self.faults.add(ProblemCode::DuplicateEntry, pointer, detail);
        }
    }
}

/// The plan's indicators of online services are level statistics.
fn level_of(code: &str) -> Option<Counted> {
    let level = code.strip_prefix("UD.DV.0")?;
    Counted::parse(&format!("services_level_{level}"), None).filter(|_| level.len() == 1)
}
