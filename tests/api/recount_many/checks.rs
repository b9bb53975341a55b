//! Answers against the slow recount.

use std::collections::BTreeMap;

use rand::seq::IndexedRandom;

use super::question::Question;
use super::{World, agency, province_of};
use crate::recount::{METRICS, ask};

impl World<'_> {
    /// All the groups that the facts have are told, and nothing else than a recount makes of them.
    pub async fn rates(&mut self, question: &Question, past: Option<usize>, about: &str) {
        let metrics: Vec<&str> = METRICS.sample(&mut self.rng, 4).copied().collect();
        let mut query = format!("dossier-rates?metric={}&{}", metrics.join(","), question.query());
        if let Some(at) = past {
            query.push_str(&format!("&as_of={}", self.past[at].0.format("%Y-%m-%dT%H:%M:%SZ")));
        }
        let items = ask(self.service, self.token, &query).await;
        let mut found = BTreeMap::new();
        for item in &items {
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            let key = (text(&item["group"]["code"]), text(&item["metric"]));
            let figures = (item["numerator"].as_i64().unwrap(), item["denominator"].as_i64().unwrap());
            assert!(found.insert(key, figures).is_none(), "{about}: {item} twice in {query}");
            assert_eq!(item["rate"].is_null(), figures.1 == 0, "{about}: {item} of {query}");
        }
        for (p, province) in self.provinces.iter().enumerate() {
            let facts = past.map_or(&province.facts, |at| &self.past[at].1[p]);
            let mut groups: Vec<String> = facts
                .iter()
                .filter(|fact| question.takes(fact, &province.procedures[fact.service]))
                .map(|fact| question.group_of(fact, &province.procedures[fact.service]))
                .collect();
            groups.sort_unstable();
            groups.dedup();
            for group in &groups {
                for metric in &metrics {
                    let counted = province.recount_of(facts, metric, question.level_at(), &|fact| {
                        let procedure = &province.procedures[fact.service];
                        question.takes(fact, procedure) && question.group_of(fact, procedure) == *group
                    });
                    let told = found.remove(&(group.clone(), (*metric).to_owned()));
                    assert_eq!(told, Some(counted), "{about}: {metric} of {group}, {query}");
                }
            }
        }
        // The whole, and a month of the period, are told when nothing was counted; any other group is not told at all.
        let always = matches!(question.group, "" | "month");
        found.retain(|_, figures| !(always && *figures == (0, 0)));
        assert!(found.is_empty(), "{about}: groups without facts: {found:?} in {query}");
    }

    /// Procedures by level on the last day, and those with an online dossier, against a look at each procedure.
    pub async fn service_levels(&mut self, question: &Question, about: &str) {
        let query = format!("service-levels?{}", question.query());
        for item in ask(self.service, self.token, &query).await {
            let code = item["group"]["code"].as_str().unwrap();
            let (month, months) = match question.group {
                "month" => {
                    let month: u32 = code[5..].parse().unwrap();
                    (month, month..=month)
                }
                _ => (question.last, question.months.clone()),
            };
            let (mut exact, mut active, mut total) = ([0; 5], [0; 5], 0);
            for (p, province) in self.provinces.iter().enumerate() {
                if ["agency", "field"].contains(&question.group) && province_of(code) != p {
                    continue;
                }
                for (i, procedure) in province.procedures.iter().enumerate() {
                    let handlers: Vec<String> =
                        self.handlers[&procedure.code].iter().map(|n| agency(p, *n)).collect();
                    let asked = |codes: &Vec<String>| handlers.iter().any(|handler| codes.contains(handler));
                    let counts = question.agencies.as_ref().is_none_or(asked)
                        && question.fields.as_ref().is_none_or(|names| names.contains(&procedure.field))
                        && (question.group != "agency" || handlers.iter().any(|handler| handler == code))
                        && (question.group != "field" || procedure.field == code);
                    if !counts {
                        continue;
                    }
                    let level = usize::try_from(province.level(i, month)).unwrap();
                    total += 1;
                    exact[level] += 1;
                    active[level] += i64::from(province.facts.iter().any(|fact| {
                        fact.service == i
                            && fact.online
                            && fact.counts[0] > 0
                            && months.contains(&fact.month)
                            && (question.group != "agency" || fact.agency == code)
                            && question.agencies.as_ref().is_none_or(|codes| codes.contains(&fact.agency))
                    }));
                }
            }
            let told: Vec<i64> =
                ["1", "2", "3", "4"].iter().map(|level| item["exact"][level].as_i64().unwrap()).collect();
            assert_eq!(told, exact[1..], "{about}: levels of {code}, {query}");
            assert_eq!(item["total"], total, "{about}: procedures of {code}, {query}");
            for (level, id) in [(3, "services_active_level_3"), (4, "services_active_level_4")] {
                let rates = item["rates"].as_array().unwrap();
                let rate = rates.iter().find(|rate| rate["metric"] == id).unwrap();
                assert_eq!(rate["numerator"], active[level], "{about}: {id} of {code}, {query}");
                assert_eq!(rate["denominator"], exact[level], "{about}: {id} of {code}, {query}");
            }
        }
    }
}
