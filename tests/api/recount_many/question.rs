//! What is asked of the generated provinces.

use super::YEAR;
use crate::recount::{Fact, Procedure};

/// What a question is about.
pub struct Question {
    pub period: String,
    pub months: std::ops::RangeInclusive<u32>,
    pub last: u32,
    pub group: &'static str,
    pub agencies: Option<Vec<String>>,
    pub fields: Option<Vec<String>>,
}

impl Question {
    pub fn query(&self) -> String {
        let mut query = format!("period={}", self.period);
        let mut add = |name: &str, values: Option<String>| {
            if let Some(values) = values.filter(|values| !values.is_empty()) {
                query.push_str(&format!("&{name}={values}"));
            }
        };
        add("group_by", Some(self.group.to_owned()));
        add("agency", self.agencies.as_ref().map(|codes| codes.join(",")));
        add("field", self.fields.as_ref().map(|names| names.join(",")));
        query
    }

    /// The month whose level counts; none: each month's own.
    pub fn level_at(&self) -> Option<u32> {
        (self.group != "month").then_some(self.last)
    }

    pub fn takes(&self, fact: &Fact, procedure: &Procedure) -> bool {
        self.months.contains(&fact.month)
            && self.agencies.as_ref().is_none_or(|codes| codes.contains(&fact.agency))
            && self.fields.as_ref().is_none_or(|names| names.contains(&procedure.field))
    }

    /// The group that a fact is counted in.
    pub fn group_of(&self, fact: &Fact, procedure: &Procedure) -> String {
        match self.group {
            "agency" => fact.agency.clone(),
            "field" => procedure.field.clone(),
            "service" => procedure.code.clone(),
            "month" => format!("{YEAR}-{:02}", fact.month),
            _ => "ALL".to_owned(),
        }
    }
}
