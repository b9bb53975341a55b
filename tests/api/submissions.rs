//! Submissions: the road from draft to accepted, whose they are, what blocks, what warns, and what nobody can change.

mod checks;
mod demo;
mod foreign;
mod road;
mod writers;

use ict_index::db::sql;
use serde_json::{Value, json};

use crate::support::{Answer, TestService};

/// A service with a few indicators of the plan, and those who work on submissions.
pub struct Desk {
    pub service: TestService,
    pub coordinator: String,
    /// Officer of SO-YT.
    pub officer: String,
    /// Officer of SO-NV.
    pub stranger: String,
    pub monitor: String,
}

impl Desk {
    pub async fn open() -> Self {
        let service = TestService::start().await;
        // As in data/indicators.csv; there already where the plan's indicators are loaded.
        service
            .sql(
                sql("insert into indicators (code, group_code, subgroup_code, name, name_search, numerator_name, denominator_name, unit, \
                     direction, definition_status, created_at, updated_at) \
                     select u.code, split_part(u.code, '.', 1), left(u.code, 5), u.code, lower(u.code), nullif(u.n, ''), nullif(u.d, ''), u.unit, 'up', 'assumed', now(), now() \
                     from unnest($1, $2, $3, $4) u(code, n, d, unit) on conflict do nothing")
                .bind(texts(&["HT.CQ.01", "HT.CQ.02", "HT.XH.01", "HT.XH.06", "HT.XH.07", "UD.CQ.01", "UD.CQ.02", "NL.CQ.01", "NL.CQ.02", "NL.CQ.03", "NL.CQ.04", "NL.CQ.05"]))
                .bind(texts(&["máy tính", "băng thông Internet (kbps)", "thuê bao điện thoại cố định", "hộ gia đình có máy tính", "hộ có Internet băng rộng", "CBCCVC sử dụng hộp thư công vụ", "", "n", "n", "n", "n", "n"]))
                .bind(texts(&["CBCCVC", "CBCCVC", "dân số", "tổng số hộ", "tổng số hộ", "tổng số CBCCVC", "", "d", "d", "d", "d", "d"]))
                .bind(texts(&["ratio", "kbps_per_head", "per_100", "percent", "percent", "percent", "score", "percent", "percent", "percent", "percent", "percent"])),
            )
            .await;
        let coordinator = service.token("coordinator").await;
        let officer = service.token("officer.so-yt").await;
        let stranger = service.token("officer.so-nv").await;
        let monitor = service.token("monitor").await;
        Self { service, coordinator, officer, stranger, monitor }
    }

    /// A draft of SO-YT for the month; answers its path.
    pub async fn draft(&self, month: &str) -> String {
        let body = json!({"agency": "SO-YT", "period": month});
        let created = self.service.post("submissions", body).as_(&self.officer).send().await.expect(201);
        format!("submissions/{}", created.json()["id"].as_str().unwrap())
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.service.get(path).as_(token).send().await
    }

    /// Puts the values with the present ETag.
    pub async fn put(&self, path: &str, token: &str, values: Value) -> Answer {
        let tag = self.get(&format!("{path}/values"), token).await.expect(200).etag();
        let body = json!({"values": values});
        self.service.put(&format!("{path}/values"), body).as_(token).if_match(&tag).send().await
    }

    pub async fn step(&self, path: &str, token: &str, action: &str, reason: Option<&str>) -> Answer {
        let body = json!({"action": action, "reason": reason});
        self.service.post(&format!("{path}/transitions"), body).as_(token).send().await
    }

    /// An accepted submission of SO-YT with these values; answers its path.
    pub async fn accepted(&self, month: &str, values: Value) -> String {
        let path = self.draft(month).await;
        self.put(&path, &self.officer, values).await.expect(200);
        self.step(&path, &self.officer, "submit", None).await.expect(200);
        self.step(&path, &self.coordinator, "accept", None).await.expect(200);
        path
    }

    pub async fn close(&self, month: &str) {
        let path = format!("reporting-months/{month}/transitions");
        let body = json!({"action": "close"});
        self.service.post(&path, body).as_(&self.coordinator).send().await.expect(200);
    }
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|&text| text.to_owned()).collect()
}

/// Computers by staff, and e-mail in use.
pub fn figures(computers: i64, mail: i64) -> Value {
    json!([
        {"indicator": "HT.CQ.01", "numerator": computers, "denominator": 120},
        {"indicator": "UD.CQ.01", "numerator": mail, "denominator": 120}
    ])
}

/// Codes and pointers of a problem's errors.
pub fn errors(answer: &Answer) -> Vec<(String, String)> {
    let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    let body = answer.json();
    let all = body["errors"].as_array().unwrap_or_else(|| panic!("errors in {body}"));
    all.iter().map(|error| (text(error, "code"), text(error, "pointer"))).collect()
}
