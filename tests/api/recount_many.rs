//! Thousands of generated provinces against the slow recount. Hundreds of them live in one database at the same time, as agencies,
//! procedures and fields that have nothing to do with each other's: one delivery serves all of them, one answer tells of all of them.
//!
//! `RECOUNT_ROUNDS` (8) says how many times a database full of provinces is generated, `RECOUNT_SEED` (332) which ones.

mod checks;
mod question;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use ict_index::db::sql;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::dossiers::batch;
use crate::recount::{Fact, Procedure, Province, month_of, periods, row_of, setting};
use crate::support::TestService;
use question::Question;

const PROVINCES: usize = 250;
const NOW: &str = "2100-01-01T00:00:00Z";
/// All the rounds are in this year: the one before has been wiped.
const YEAR: i32 = 2031;
/// Months that something is delivered for.
const MONTHS: std::ops::RangeInclusive<u32> = 1..=5;

/// The provinces of one round.
struct World<'s> {
    service: &'s TestService,
    token: &'s str,
    rng: StdRng,
    provinces: Vec<Province>,
    /// Which of its province's agencies (0 and 1) handle a procedure.
    handlers: BTreeMap<String, Vec<usize>>,
    now: DateTime<Utc>,
    /// The facts of each province as they stood at an instant.
    past: Vec<(DateTime<Utc>, Vec<Vec<Fact>>)>,
}

fn agency(province: usize, n: usize) -> String {
    format!("P{province:03}-{n}")
}

/// The province that an agency, a field (`F012-1`) or a procedure (`3.012001`) belongs to.
fn province_of(code: &str) -> usize {
    let digits = code.strip_prefix("3.").unwrap_or(&code[1..]);
    digits[..3].parse().unwrap()
}

impl World<'_> {
    async fn generate(&mut self) {
        self.procedures().await;
        self.levels(0.6).await;
        for _ in 0..7 {
            match self.rng.random_range(0..10) {
                0..3 => self.levels(0.3).await,
                _ => self.deliver().await,
            }
        }
        self.deliver().await;
    }

    async fn procedures(&mut self) {
        let mut columns = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for p in 0..PROVINCES {
            let mut procedures = Vec::new();
            for i in 0..self.rng.random_range(1..=3) {
                let code = format!("3.{p:03}{i:03}");
                let field = format!("F{p:03}-{}", self.rng.random_range(0..2));
                let handlers: Vec<usize> = (0..2).filter(|_| self.rng.random_bool(0.7)).collect();
                columns.0.push(code.clone());
                columns.1.push(field.clone());
                for n in &handlers {
                    columns.2.push(code.clone());
                    columns.3.push(agency(p, *n));
                }
                self.handlers.insert(code.clone(), handlers);
                procedures.push(Procedure { code, field, levels: BTreeMap::new() });
            }
            self.provinces.push(Province { year: YEAR, procedures, facts: Vec::new() });
        }
        let insert = sql(
            "with s as (insert into services (code, name, name_search, field, tier, status, postal, information_complete, forms_complete, created_at, updated_at) \
               select code, code, code, field, 'province', 'in_force', true, true, true, now(), now() from unnest($1::text[], $2::text[]) as x(code, field) \
               returning id, code), \
             t as (insert into service_statuses (service_id, effective_from, status) select id, '-infinity', 'in_force' from s) \
             insert into service_agencies (service_id, agency_id) select s.id, a.id from unnest($3::text[], $4::text[]) as x(service, agency) \
               join s on s.code = x.service join agencies a on a.code = x.agency",
        );
        self.service.sql(insert.bind(columns.0).bind(columns.1).bind(columns.2).bind(columns.3)).await;
    }

    /// Sets the levels of some procedures from the first day of some month on, in one batch of the catalogue.
    async fn levels(&mut self, share: f64) {
        let mut rows = Vec::new();
        for province in &mut self.provinces {
            for procedure in &mut province.procedures {
                if !self.rng.random_bool(share) {
                    continue;
                }
                let (month, level) = (self.rng.random_range(1..=7_u32), self.rng.random_range(1..=4_i64));
                procedure.levels.insert(month, level);
                rows.push(json!({
                    "code": procedure.code, "name": procedure.code, "field": procedure.field, "tier": "province",
                    "level": level, "effective_from": format!("{YEAR}-{month:02}-01"), "decision": "QĐ",
                }));
            }
        }
        self.service.post("service-batches", json!({"rows": rows})).as_(self.token).send().await.expect(200);
    }

    /// Replaces a month of all provinces.
    async fn deliver(&mut self) {
        let month = self.rng.random_range(MONTHS);
        let mut rows = Vec::new();
        for (p, province) in self.provinces.iter_mut().enumerate() {
            let agencies = [agency(p, 0), agency(p, 1)];
            let names: Vec<&str> = agencies.iter().map(String::as_str).collect();
            let facts = month_of(&mut self.rng, month, &names, province.procedures.len());
            rows.extend(facts.iter().map(|fact| row_of(fact, &province.procedures)));
            province.facts.retain(|fact| fact.month != month);
            province.facts.extend(facts);
        }
        self.now += TimeDelta::seconds(1);
        self.service.clock.set(self.now);
        let path = format!("dossier-batches/vnpt/{YEAR}-{month:02}");
        self.service.put(&path, batch(&rows)).as_(self.token).send().await.expect(200);
        self.past.push((self.now, self.provinces.iter().map(|province| province.facts.clone()).collect()));
    }

    fn question(&mut self, group: &'static str) -> Question {
        let (period, months, last) = periods(YEAR).choose(&mut self.rng).unwrap().clone();
        Question { period, months, last, group, agencies: None, fields: None }
    }

    /// Half of all agencies, or of all fields.
    fn half(&mut self, names: impl Fn(usize) -> [String; 2]) -> Option<Vec<String>> {
        let all = (0..PROVINCES).flat_map(names);
        Some(all.filter(|_| self.rng.random_bool(0.5)).collect())
    }

    fn agencies(&mut self) -> Option<Vec<String>> {
        self.half(|p| [agency(p, 0), agency(p, 1)])
    }

    fn fields(&mut self) -> Option<Vec<String>> {
        self.half(|p| [format!("F{p:03}-0"), format!("F{p:03}-1")])
    }

    async fn check(&mut self, about: &str) {
        for group in ["agency", "field", "service"] {
            for filters in 0..4 {
                let mut question = self.question(group);
                question.agencies = if filters & 1 == 1 { self.agencies() } else { None };
                question.fields = if filters & 2 == 2 { self.fields() } else { None };
                self.rates(&question, None, about).await;
                if group != "service" {
                    self.service_levels(&question, about).await;
                }
            }
        }
        for _ in 0..20 {
            let group = *["", "month"].choose(&mut self.rng).unwrap();
            let (mut question, p) = (self.question(group), self.rng.random_range(0..PROVINCES));
            let count = self.rng.random_range(1..=2);
            question.agencies = Some((0..count).map(|n| agency(p, n)).collect());
            question.fields = self.rng.random_bool(0.4).then(|| vec![format!("F{p:03}-0")]);
            self.rates(&question, None, about).await;
            self.service_levels(&question, about).await;
        }
        for group in ["agency", "field"] {
            let question = self.question(group);
            let past = self.rng.random_range(0..self.past.len());
            self.rates(&question, Some(past), about).await;
        }
    }
}

async fn wipe(service: &TestService) {
    service
        .sql(sql(
            "truncate dossier_counts, dossier_count_history, dossier_batches, dossier_agency_rollups, dossier_service_rollups, \
             service_levels, service_statuses, service_agencies, services cascade",
        ))
        .await;
}

/// A service with the agencies of all provinces, and the token of the coordinator.
async fn start() -> (TestService, String) {
    let service = TestService::start().await;
    service.at(NOW);
    let codes: Vec<String> = (0..PROVINCES).flat_map(|p| [agency(p, 0), agency(p, 1)]).collect();
    let insert = "insert into agencies (code, name, name_search, kind, created_at, updated_at) \
                  select code, code, code, 'commune', now(), now() from unnest($1::text[]) as code";
    service.sql(sql(insert).bind(codes)).await;
    let token = service.token("coordinator").await;
    (service, token)
}

fn world<'s>(service: &'s TestService, token: &'s str, seed: u64) -> World<'s> {
    World {
        service,
        token,
        rng: StdRng::seed_from_u64(seed),
        provinces: Vec::new(),
        handlers: BTreeMap::new(),
        now: NOW.parse().unwrap(),
        past: Vec::new(),
    }
}

#[actix_web::test]
async fn statistics_of_thousands_of_provinces_are_what_a_slow_recount_makes() {
    let (service, token) = start().await;
    let seed = setting("RECOUNT_SEED", 332);
    for round in 0..setting("RECOUNT_ROUNDS", 8) {
        wipe(&service).await;
        let seed = seed.wrapping_add(round);
        let mut world = world(&service, &token, seed);
        world.generate().await;
        let about = format!("RECOUNT_SEED={seed} RECOUNT_ROUNDS=1");
        world.check(&about).await;
        assert_eq!(service.verify(false).await, [], "{about}: the sums kept are those of the facts");
    }
}

/// The recount would notice: one agency of five hundred has a dossier too many in its sums.
#[actix_web::test]
#[should_panic(expected = "spoilt: ")]
async fn a_sum_that_is_off_by_one_is_found() {
    let (service, token) = start().await;
    let mut world = world(&service, &token, 332);
    world.generate().await;
    let spoil = "update dossier_agency_rollups set resolved = resolved + 1, received = received + 1 \
                 where agency_id = (select id from agencies where code = 'P123-1')";
    assert_ne!(service.sql(sql(spoil)).await, 0, "there is something to spoil");
    for _ in 0..3 {
        world.check("spoilt").await;
    }
}
