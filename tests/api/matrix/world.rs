//! A service with two agencies' things in it, and the requests that are sent about them.

use std::cell::Cell;
use std::collections::HashMap;

use ict_index::db::sql;
use serde_json::{Value, json};
use uuid::Uuid;

use super::bodies::room_of;
use super::callers::{is_person, is_restricted, tokens, username};
use super::cases::Case;
use crate::description::Operation;
use crate::dossiers::{add_service, batch, row};
use crate::index_runs::{add_framework, run, small, small_run};
use crate::support::{Answer, TestService};

/// A task that every agency leads.
const TASK: &str = "T05";
/// A procedure of both agencies.
pub const SERVICE: &str = "1.000001";
const NOBODY: &str = "01890000-0000-7000-8000-000000000000";

/// The service, those who ask, and what there is.
pub struct World {
    pub service: TestService,
    pub tokens: HashMap<&'static str, String>,
    run: String,
    /// The run before it, to compare it with.
    earlier: String,
    n: Cell<u32>,
}

/// Code of the agency whose thing it is.
fn agency(object: &str) -> &'static str {
    match object {
        "own" => "SO-YT",
        "foreign" => "SO-TTTT",
        _ => "KHONG-CO",
    }
}

/// Words that nobody but the agency and those who see everything may ever read.
pub fn canary(agency: &str) -> String {
    format!("CANARY-{agency}")
}

impl World {
    pub async fn of(service: TestService) -> Self {
        add_service(&service, SERVICE, "Đất đai", &[(3, "2018-01-01")], &["SO-YT", "SO-TTTT"]).await;
        let earlier = small_run(&service).await;
        let run = run(&service, "NHO", 2017, "provisional").await;
        add_framework(&service, &small("XOA", "agency")).await;
        // What was made above, was by a user who needed no second factor yet.
        let service = service.requiring_second_factor().await;
        let tokens = tokens(&service).await;
        let factor = "insert into second_factors (user_id, secret, confirmed_at, last_step) \
                      select id, 'x', created_at, 0 from users where username = 'officer.so-nv'";
        service.sql(sql(factor)).await;
        let client = "insert into clients (client_id, name, scopes, created_at, updated_at) values ('XOA', 'Xóa', array['statistics:read'], now(), now())";
        service.sql(sql(client)).await;
        let world = Self { service, tokens, run, earlier, n: Cell::new(0) };
        for (source, of) in [("SO-YT", "SO-YT"), ("SO-TTTT", "SO-TTTT"), ("vnpt", "SO-TC")] {
            let path = format!("dossier-batches/{source}/2018-02");
            let mut delivery = batch(&[row(of, SERVICE, "online", 5, 0)]);
            delivery["reason"] = json!(canary(of));
            let delivery = world.service.put(&path, delivery);
            delivery.as_(&world.tokens["coordinator"]).send().await.expect(200);
        }
        for agency in ["SO-YT", "SO-TTTT"] {
            world.words(agency).await;
            // There before the first list is asked: what is accepted is shown in more places than the submission.
            world.submission(agency, "accepted").await;
            let new = json!({"agency": agency, "period": "2017-12"});
            let begin = world.service.post("submissions", new).as_(&world.tokens["coordinator"]);
            begin.send().await.expect(201);
        }
        world
    }

    /// What was reported and decided of the task and the agency, and an answer that was kept.
    async fn words(&self, agency: &str) {
        self.lead(agency, "open").await;
        let told = "with u as (insert into task_updates (id, task_code, agency_id, percent, narrative, evidence, actor, at) \
               select gen_random_uuid(), $1, id, 5, $3, array['https://x.vn/' || $3], 'user:x', now() from agencies where code = $2), \
             k as (insert into idempotency_keys (caller, key, fingerprint, status, body, created_at) values ('user:officer.' || lower($2), 'k', '', 200, convert_to($3, 'UTF8'), now())), \
             p as (insert into dossier_parked_counts (month, source, agency_id, service_code, channel, received, resolved_early, resolved_on_time, resolved_late, \
               withdrawn, carried_in, in_progress_on_time, in_progress_overdue) select '2018-02-01', $2, id, $3, 1, 0, 0, 0, 0, 0, 0, 0, 0 from agencies where code = $2), \
             h as (insert into dossier_count_history (month, agency_id, service_id, channel, source, received, resolved_early, resolved_on_time, resolved_late, \
               withdrawn, carried_in, in_progress_on_time, in_progress_overdue, revision, replaced_by) \
               select '2018-02-01', a.id, s.id, 1, 'cũ', 0, 0, 0, 0, 0, 0, 0, 0, 1, 2 from agencies a, services s where a.code = $2 and s.code = $4) \
             insert into task_transitions (id, task_code, agency_id, action, reason, actor, at) \
             select gen_random_uuid(), $1, id, 'reopen', $3, 'user:y', now() from agencies where code = $2";
        let told = sql(told).bind(TASK.to_owned()).bind(agency.to_owned()).bind(canary(agency)).bind(SERVICE);
        self.service.sql(told).await;
    }

    /// A number that was not there before.
    fn next(&self) -> u32 {
        self.n.set(self.n.get() + 1);
        self.n.get()
    }

    /// A submission in a state, of a month of its own.
    pub async fn submission(&self, agency: &str, state: &str) -> String {
        let (id, month) = (Uuid::now_v7(), self.next());
        let stored = if state == "locked" { "accepted" } else { state };
        self.service
            .sql(
                sql("with s as (insert into submissions (id, agency_id, month, state, revision, submitted_by, submitted_at, accepted_revision, \
                       created_by, created_at, updated_at, decision, decided_by, decided_at, decision_reason) \
                       select $1, a.id, m.month, $3, r.n, case when r.n = 1 then 'user:x' end, case when r.n = 1 then now() end, null, 'user:x', now(), now(), 'return', 'user:y', now(), $6 \
                       from agencies a, (select ('1000-01-01'::date + make_interval(months => $4))::date as month) m, \
                         (select case when $3 = 'draft' then null else 1 end as n) r where a.code = $2), \
                     v as (insert into submission_values (submission_id, indicator_code, position, numerator, denominator, note) values ($1, 'HT.CQ.01', 0, 3, 4, $6)), \
                     r as (insert into submission_revisions (submission_id, revision, submitted_by, submitted_at, outcome, reason, decided_by, decided_at) \
                       select $1, 1, 'user:x', now(), o.outcome, $6, case when o.outcome is not null then 'user:y' end, case when o.outcome is not null then now() end \
                       from (select case $3 when 'accepted' then 'accepted' when 'returned' then 'returned' end as outcome) o where $3 <> 'draft'), \
                     c as (insert into closed_months (month, closed_at, closed_by) \
                       select ('1000-01-01'::date + make_interval(months => $4))::date, now(), 'user:y' where $5), \
                     f as (insert into submission_revision_values (submission_id, revision, indicator_code, position, numerator, denominator, note) \
                       select $1, 1, 'HT.CQ.01', 0, 3, 4, $6 where $3 <> 'draft') \
                     insert into submission_transitions (id, submission_id, action, from_state, to_state, revision, reason, actor, at) \
                     select gen_random_uuid(), $1, 'submit', 'draft', 'submitted', 1, $6, 'user:x', now() where $3 <> 'draft'")
                .bind(id)
                .bind(agency.to_owned())
                .bind(stored.to_owned())
                .bind(i32::try_from(month).unwrap())
                .bind(state == "locked")
                .bind(canary(agency)),
            )
            .await;
        if stored == "accepted" {
            self.service
                .sql(sql("update submissions set accepted_revision = 1 where id = $1").bind(id))
                .await;
        }
        id.to_string()
    }

    /// A further login of a person.
    async fn session(&self, caller: &str) -> String {
        let id = Uuid::now_v7();
        let begun = "with s as (insert into sessions (id, user_id, created_at, expires_at) \
                       select $1, id, $3, $3 + interval '1 hour' from users where username = $2 returning id) \
                     insert into refresh_tokens (hash, session_id, issued_at) select uuid_send(id), id, $3 from s";
        let now = self.service.clock.now();
        self.service.sql(sql(begun).bind(id).bind(username(caller).to_owned()).bind(now)).await;
        id.to_string()
    }

    /// Puts a lead of the task into a state.
    async fn lead(&self, agency: &str, state: &str) {
        let columns = match state {
            "reported" => "100, '2018-03-01', now(), null, null, null",
            "confirmed" => "100, '2018-03-01', now(), now(), '2018-06-30', null",
            "cancelled" => "0, null, null, null, null, now()",
            _ => "0, null, null, null, null, null",
        };
        let text = format!(
            "insert into task_progress (task_code, agency_id, percent, completed_on, reported_at, confirmed_at, confirmed_deadline, cancelled_at) \
             select '{TASK}', id, {columns} from agencies where code = $1 \
             on conflict (task_code, agency_id) do update set percent = excluded.percent, completed_on = excluded.completed_on, \
               reported_at = excluded.reported_at, confirmed_at = excluded.confirmed_at, confirmed_deadline = excluded.confirmed_deadline, \
               cancelled_at = excluded.cancelled_at, due_date = null"
        );
        self.service.sql(sql(text).bind(agency.to_owned())).await;
    }

    async fn close(&self, month: &'static str, closed: bool) {
        self.service.sql(sql("delete from closed_months where month = $1::text::date").bind(month)).await;
        if closed {
            let close = "insert into closed_months (month, closed_at, closed_by) values ($1::text::date, now(), 'user:y')";
            self.service.sql(sql(close).bind(month)).await;
        }
    }

    /// Sends the case's request, about a thing made for it where the caller could change it.
    pub async fn send(&self, operation: &Operation, case: &Case, caller: &'static str) -> Answer {
        let (path, body) = self.request(operation, case, caller).await;
        let mut call = self.service.call(&operation.method, &path);
        if operation.value["x-if-match"] == "required" {
            call = call.if_match("*");
        }
        if operation.path.ends_with("oauth/token") {
            call = call.form("grant_type=client_credentials&client_id=vnpt&client_secret=x");
        } else if let Some(body) = &body {
            call = call.json(body);
        }
        let fresh;
        if operation.path.ends_with("/auth/logout") && (is_person(caller) || is_restricted(caller)) {
            fresh = self.service.token(username(caller)).await;
            call = call.as_(&fresh);
        } else if let Some(token) = self.tokens.get(caller) {
            call = call.as_(token);
        }
        call.send().await
    }

    /// Path and body of the case's request, about a thing made for it.
    pub async fn request(&self, operation: &Operation, case: &Case, caller: &str) -> (String, Option<Value>) {
        let (state, _) = case.state.split_once('/').unwrap_or((&case.state, ""));
        let of = agency(case.object);
        let room = operation.path.trim_start_matches("/api/v1/").to_owned();
        let mut body = case.body.clone().filter(|body| !body.is_null());
        let mut path = match room.split('/').next().unwrap() {
            "submissions" if room.contains("{id}") => {
                // Those who are not even let in need no thing of their own.
                let id = match case.object {
                    "missing" => NOBODY.to_owned(),
                    _ if is_person(caller) || caller == "anonymous" => self.submission(of, state).await,
                    _ => NOBODY.to_owned(),
                };
                room.replace("{id}", &id).replace("{n}", "1")
            }
            "me" if room.contains("{id}") => {
                let id = match case.object {
                    "missing" => NOBODY.to_owned(),
                    _ => self.session(if case.object == "own" { "officer" } else { "stranger" }).await,
                };
                room.replace("{id}", &id)
            }
            "submissions" if operation.method == "POST" => {
                let n = self.next();
                let month = match state {
                    "there" => "2017-12".to_owned(),
                    _ => format!("{}-{:02}", 1900 + n % 100, 1 + (n / 100) % 12),
                };
                body = Some(json!({"agency": of, "period": month}));
                room
            }
            "tasks" if room.contains("{code}/") => {
                let code =
                    if operation.method == "GET" && case.object == "missing" { "KHONG-CO" } else { TASK };
                if case.object != "missing" && case.object != "any" {
                    self.lead(of, state).await;
                }
                room.replace("{code}", code)
            }
            "dossier-batches" | "dossier-feeds" => {
                let source = if case.object == "any" { "vnpt" } else { of };
                if operation.method == "PUT" {
                    self.close("2018-02-01", state == "closed").await;
                    let named = if case.object == "any" { "SO-TC" } else { of };
                    let mut delivery = batch(&[row(named, SERVICE, "online", 5, 0)]);
                    delivery["reason"] = json!("lý do");
                    body = Some(delivery);
                }
                room.replace("{source}", source).replace("{month}", "2018-02")
            }
            "reporting-months" | "reports" => {
                if operation.method == "POST" {
                    self.close("2018-01-01", state == "closed").await;
                }
                room.replace("{month}", "2018-01")
            }
            "index-runs" => {
                let there = case.object != "missing" || room.contains("{unit}");
                room.replace("{id}", if there { &self.run } else { NOBODY }).replace("{unit}", of)
            }
            _ => room.replace("{data_year}", "2017"),
        };
        if path.contains('{') {
            path = Self::named(&path, &operation.method, case);
        }
        if path.ends_with("/comparison") {
            path = format!("{path}?with={}", self.earlier);
        }
        let needed = match path.rsplit('/').next() {
            Some("diff") => "?to=1",
            Some("dossier-rates" | "service-levels") => "?period=2018",
            Some("national-results") if path.starts_with("index-runs") => "?unit=SO-YT",
            _ => "",
        };
        path.push_str(needed);
        if let Some(body) = &mut body {
            if path.ends_with("/levels") {
                let n = self.next();
                body["effective_from"] = json!(format!("{}-{:02}-01", 1990 + n % 20, 1 + n % 12));
            }
            self.unlike_before(&room_of(operation), body);
        }
        (operation.path.replace(operation.path.trim_start_matches("/api/v1/"), &path), body)
    }

    /// Something that is there, or is not.
    fn named(path: &str, method: &str, case: &Case) -> String {
        let there = match path.split('/').next().unwrap() {
            "agencies" => "SO-YT",
            "users" => "officer.so-nv",
            "frameworks" | "clients" if method == "DELETE" => "XOA",
            "frameworks" => "NHO",
            "clients" => "portal",
            "indicators" => "HT.CQ.01",
            "plans" => "KH-332-2017",
            "services" => SERVICE,
            "tasks" => TASK,
            other => panic!("what is there of {other}?"),
        };
        let code = if case.object == "missing" { "KHONG-CO" } else { there };
        ["{code}", "{client_id}", "{username}"]
            .iter()
            .fold(path.to_owned(), |path, name| path.replace(name, code))
    }

    /// Codes that nobody has used yet.
    fn unlike_before(&self, room: &str, body: &mut Value) {
        let n = self.next();
        match room {
            "agencies" | "indicators" | "plans" | "tasks" | "frameworks" => {
                body["code"] = json!(format!("M{n}"));
            }
            "services" => body["code"] = json!(format!("1.{:06}", 900_000 + n)),
            "clients" if body.get("client_id").is_some() => body["client_id"] = json!(format!("m{n}")),
            "users" if body.get("username").is_some() => body["username"] = json!(format!("m{n}")),
            _ => {}
        }
    }
}
