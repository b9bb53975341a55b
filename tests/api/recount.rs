//! Every statistic against a slow, obvious recount, over generated provinces: what was delivered is kept here in plain lists and
//! added up anew for each question.

use std::collections::BTreeMap;

use ict_index::db::sql;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::dossiers::batch;
use crate::support::TestService;

/// Provinces per run; more by `RECOUNT_PROVINCES`, another series by `RECOUNT_SEED`.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

const AGENCIES: [&str; 4] = ["SO-YT", "SO-TC", "SO-XD", "UBND-080"];
const FIELDS: [&str; 2] = ["Đất đai", "Y tế"];
pub const METRICS: [&str; 16] = [
    "dossiers_level_1_received",
    "dossiers_level_1_resolved",
    "dossiers_level_1_of_all",
    "dossiers_level_2_received",
    "dossiers_level_2_resolved",
    "dossiers_level_2_of_all",
    "dossiers_level_3_received",
    "dossiers_level_3_resolved",
    "dossiers_level_3_of_all",
    "dossiers_level_4_received",
    "dossiers_level_4_resolved",
    "dossiers_level_4_of_all",
    "dossiers_level_3_4_received",
    "dossiers_level_3_4_resolved",
    "dossiers_level_3_4_of_all",
    "on_time",
];

/// A row as it was delivered: received, early, on time, late.
#[derive(Clone, Debug)]
pub struct Fact {
    pub month: u32,
    pub agency: String,
    pub service: usize,
    pub online: bool,
    pub counts: [i64; 4],
}

/// A procedure: its field and its levels, each from the first day of a month of the year on.
#[derive(Clone, Debug)]
pub struct Procedure {
    pub code: String,
    pub field: String,
    pub levels: BTreeMap<u32, i64>,
}

/// One province in a year of its own, so that many share a database.
pub struct Province {
    pub year: i32,
    pub procedures: Vec<Procedure>,
    pub facts: Vec<Fact>,
}

impl Province {
    pub fn level(&self, service: usize, month: u32) -> i64 {
        self.procedures[service].levels.range(..=month).next_back().map_or(0, |(_, level)| *level)
    }

    /// Numerator and denominator, counted one row after the other.
    pub fn recount(
        &self,
        metric: &str,
        last_month: Option<u32>,
        wanted: &dyn Fn(&Fact) -> bool,
    ) -> (i64, i64) {
        self.recount_of(&self.facts, metric, last_month, wanted)
    }

    /// The same of other facts than the present ones.
    pub fn recount_of(
        &self,
        facts: &[Fact],
        metric: &str,
        last_month: Option<u32>,
        wanted: &dyn Fn(&Fact) -> bool,
    ) -> (i64, i64) {
        let (mut numerator, mut denominator) = (0, 0);
        for fact in facts.iter().filter(|fact| wanted(fact)) {
            let [received, early, on_time, late] = fact.counts;
            let resolved = early + on_time + late;
            if metric == "on_time" {
                numerator += early + on_time;
                denominator += resolved;
                continue;
            }
            let rest = metric.strip_prefix("dossiers_level_").unwrap();
            let (levels, formula) = match rest.strip_prefix("3_4_") {
                Some(formula) => (vec![3, 4], formula),
                None => (vec![i64::from(rest.as_bytes()[0] - b'0')], &rest[2..]),
            };
            let at_level = levels.contains(&self.level(fact.service, last_month.unwrap_or(fact.month)));
            let amount = if formula == "received" { received } else { resolved };
            if at_level && fact.online {
                numerator += amount;
            }
            if at_level || formula == "of_all" {
                denominator += amount;
            }
        }
        (numerator, denominator)
    }
}

pub fn row_of(fact: &Fact, procedures: &[Procedure]) -> Value {
    let [received, early, on_time, late] = fact.counts;
    // In balance whatever the counts are: what is over was carried in, what is missing stays in progress.
    let rest = received - early - on_time - late;
    json!({
        "agency": fact.agency, "service": procedures[fact.service].code,
        "channel": if fact.online { "online" } else { "in_person" },
        "received": received, "resolved_early": early, "resolved_on_time": on_time, "resolved_late": late, "withdrawn": 0,
        "carried_in": (-rest).max(0), "in_progress_on_time": rest.max(0), "in_progress_overdue": 0,
    })
}

/// A month of figures, each row once.
pub fn month_of(rng: &mut StdRng, month: u32, agencies: &[&str], procedures: usize) -> Vec<Fact> {
    let mut facts = Vec::new();
    for agency in agencies {
        for service in 0..procedures {
            for online in [true, false] {
                if rng.random_bool(0.5) {
                    let mut count = || if rng.random_bool(0.2) { 0 } else { rng.random_range(0..60) };
                    facts.push(Fact {
                        month,
                        agency: (*agency).to_owned(),
                        service,
                        online,
                        counts: [count(), count(), count(), count()],
                    });
                }
            }
        }
    }
    facts
}

struct Generator<'s> {
    service: &'s TestService,
    token: &'s str,
    rng: StdRng,
}

impl Generator<'_> {
    /// Procedures, batches, corrections, and levels set before, between and after them.
    async fn province(&mut self, year: i32) -> Province {
        let n = self.rng.random_range(1..4);
        let mut procedures = Vec::new();
        for i in 0..n {
            let code = format!("P{year}.{i}");
            let field = FIELDS[self.rng.random_range(0..FIELDS.len())];
            crate::dossiers::add_service(self.service, &code, field, &[], &["SO-YT", "SO-TC"]).await;
            procedures.push(Procedure { code, field: field.to_owned(), levels: BTreeMap::new() });
        }
        let mut province = Province { year, procedures, facts: Vec::new() };
        for _ in 0..self.rng.random_range(3..8) {
            if self.rng.random_bool(0.4) {
                self.level(&mut province).await;
            } else {
                self.batch(&mut province).await;
            }
        }
        province
    }

    async fn level(&mut self, province: &mut Province) {
        let (service, month) =
            (self.rng.random_range(0..province.procedures.len()), self.rng.random_range(1..=12));
        let level: i64 = self.rng.random_range(1..=4);
        let procedure = &mut province.procedures[service];
        if procedure.levels.contains_key(&month) {
            return;
        }
        procedure.levels.insert(month, level);
        let body = json!({"level": level, "effective_from": format!("{}-{month:02}-01", province.year), "decision": "QĐ"});
        let path = format!("services/{}/levels", procedure.code);
        self.service.post(&path, body).as_(self.token).send().await.expect(201);
    }

    /// Replaces a month, the same one again now and then.
    async fn batch(&mut self, province: &mut Province) {
        let month = self.rng.random_range(1..=4);
        let facts = month_of(&mut self.rng, month, &AGENCIES, province.procedures.len());
        let rows: Vec<Value> = facts.iter().map(|fact| row_of(fact, &province.procedures)).collect();
        let path = format!("dossier-batches/vnpt/{}-{month:02}", province.year);
        for _ in 0..self.rng.random_range(1..=2) {
            self.service.put(&path, batch(&rows)).as_(self.token).send().await.expect(200);
        }
        province.facts.retain(|fact| fact.month != month);
        province.facts.extend(facts);
    }
}

/// (query of the period, its months, the month whose level counts)
pub fn periods(year: i32) -> [(String, std::ops::RangeInclusive<u32>, u32); 4] {
    [
        (format!("{year}"), 1..=12, 12),
        (format!("{year}-Q1"), 1..=3, 3),
        (format!("{year}-Q2"), 4..=6, 6),
        (format!("{year}-02"), 2..=2, 2),
    ]
}

pub async fn ask(service: &TestService, token: &str, query: &str) -> Vec<Value> {
    let answer = service.get(&format!("statistics/{query}")).as_(token).send().await.expect(200);
    answer.json()["items"].as_array().unwrap().clone()
}

fn compare(
    items: &[Value],
    province: &Province,
    last: Option<u32>,
    group: &str,
    in_question: &dyn Fn(&Fact) -> bool,
) {
    for item in items {
        let code = item["group"]["code"].as_str().unwrap();
        let wanted = |fact: &Fact| {
            in_question(fact)
                && match group {
                    "agency" => fact.agency == code,
                    "field" => province.procedures[fact.service].field == code,
                    "service" => province.procedures[fact.service].code == code,
                    "month" => format!("{}-{:02}", province.year, fact.month) == code,
                    _ => true,
                }
        };
        let metric = item["metric"].as_str().unwrap();
        let counted = province.recount(metric, last, &wanted);
        let told = (item["numerator"].as_i64().unwrap(), item["denominator"].as_i64().unwrap());
        assert_eq!(told, counted, "{metric} of {group} {code} in {}", province.year);
        assert_eq!(item["rate"].is_null(), counted.1 == 0, "nothing to divide by is null and only that");
    }
}

/// Every grouping with and without filters; what is missing in the answer has nothing to count.
async fn check(service: &TestService, token: &str, province: &Province) {
    let metrics = METRICS.join(",");
    for (period, months, last) in periods(province.year) {
        for group in ["", "agency", "field", "service", "month"] {
            for (agency, field) in
                [(None, None), (Some("SO-YT"), None), (None, Some("Y tế")), (Some("SO-TC"), Some("Y tế"))]
            {
                let mut query = format!("dossier-rates?metric={metrics}&period={period}");
                for (name, value) in [
                    ("group_by", Some(group).filter(|g| !g.is_empty())),
                    ("agency", agency),
                    ("field", field),
                ] {
                    if let Some(value) = value {
                        query.push_str(&format!(
                            "&{name}={}",
                            value.replace(' ', "%20").replace('ế', "%E1%BA%BF")
                        ));
                    }
                }
                let items = ask(service, token, &query).await;
                let in_question = |fact: &Fact| {
                    months.contains(&fact.month)
                        && agency.is_none_or(|code| fact.agency == code)
                        && field.is_none_or(|name| province.procedures[fact.service].field == name)
                };
                let last = (group != "month").then_some(last);
                compare(&items, province, last, group, &in_question);
                let total = |metric: &str, side: &str| -> i64 {
                    items.iter().filter(|i| i["metric"] == metric).map(|i| i[side].as_i64().unwrap()).sum()
                };
                let whole = province.recount("on_time", last, &in_question);
                assert_eq!(
                    (total("on_time", "numerator"), total("on_time", "denominator")),
                    whole,
                    "parts make the whole: {query}"
                );
            }
        }
    }
}

#[actix_web::test]
async fn every_rate_is_what_a_slow_recount_makes_of_the_deliveries() {
    let service = TestService::start().await;
    // Any month lies in the past, no agency has an end.
    service.at("2400-01-01T00:00:00Z");
    service.sql(sql("update agencies set valid_from = null, valid_to = null")).await;
    let token = service.token("coordinator").await;
    let seed = setting("RECOUNT_SEED", 332);
    let mut generator = Generator { service: &service, token: &token, rng: StdRng::seed_from_u64(seed) };
    for i in 0..setting("RECOUNT_PROVINCES", 4) {
        let year = 1950 + i32::try_from(i % 240).unwrap();
        let province = generator.province(year).await;
        check(&service, &token, &province).await;
        assert_eq!(
            service.verify(false).await,
            [],
            "the sums kept are those of the facts (seed {seed}, province {i})"
        );
        if i % 240 == 239 {
            for table in [
                "dossier_counts",
                "dossier_agency_rollups",
                "dossier_service_rollups",
                "dossier_batches",
                "service_levels",
            ] {
                service.sql(sql(format!("delete from {table}"))).await;
            }
        }
    }
}
