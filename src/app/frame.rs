//! The frame of the API's description that the routes are added to: introduction, codes, ways to log in.

use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{
    ClientCredentials, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Scopes, SecurityScheme,
};

use crate::auth::ClientScope;
use crate::http::ProblemCode;
use crate::http::problem::{ProblemBody, ViolationBody};
use crate::ids::{
    AgencyCode, ClientId, FrameworkCode, IndicatorCode, PlanCode, ServiceCode, SourceCode, TaskCode, Username,
};
use crate::scoring::engine::framework::Node;
use crate::scoring::engine::framework_leaf::Alternative;

const INTRODUCTION: &str = include_str!("../../docs/api-introduction.md");

#[derive(OpenApi)]
#[openapi(
    info(title = "ict-index", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    components(schemas(
        ProblemBody, ViolationBody, Node, Alternative, AgencyCode, ClientId, FrameworkCode, IndicatorCode, PlanCode, ServiceCode, SourceCode,
        TaskCode, Username
    )),
    tags(
        (name = "auth", description = "Logging in and out; your own account"),
        (name = "accounts", description = "Users and machine clients (role `admin`)"),
        (name = "agencies", description = "Agencies, their hierarchy, validity and groups"),
        (name = "frameworks", description = "Frameworks and their groups, indicators, weights and methods; the indicator catalogue"),
        (name = "targets", description = "Targets and published national results"),
        (name = "plans", description = "Plans, their tasks, progress reports of lead agencies, and decisions"),
        (name = "submissions", description = "Monthly figures of agencies, from draft to accepted; closing of months"),
        (name = "services", description = "Administrative procedures and their online levels"),
        (name = "dossiers", description = "Dossier counts, batches and feeds"),
        (name = "statistics", description = "Level statistics, dossier rates, progress of targets and tasks, and the monthly report"),
        (name = "runs", description = "Observations, and index runs: scores, ranks and their explanation"),
        (name = "audit", description = "Audit trail: who changed what, and when"),
        (name = "health", description = "Health checks and metrics for operators; no login required")
    )
)]
struct Base;

/// The frame that routes are added to.
pub fn base() -> Document {
    let mut document = Base::openapi();
    document.info.description = Some(format!("{INTRODUCTION}\n{}", codes_table()));
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("`access_token` of `POST /api/v1/auth/login`"))
        .build();
    components.security_schemes.insert("bearer".into(), SecurityScheme::Http(bearer).into());
    let scopes = Scopes::from_iter(ClientScope::ALL.map(|s| (s.as_str(), s.describe())));
    let flow = Flow::ClientCredentials(ClientCredentials::new("/api/v1/oauth/token", scopes));
    components.security_schemes.insert(
        "oauth2".into(),
        SecurityScheme::OAuth2(OAuth2::with_description([flow], "Machine clients")).into(),
    );
    document
}

fn codes_table() -> String {
    let mut table =
        String::from("\n## Problem codes\n\n| code | status | title | tiêu đề |\n|---|---|---|---|\n");
    for code in ProblemCode::ALL {
        let title = code.title();
        table.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            code.as_str(),
            code.status().as_u16(),
            title.en,
            title.vi
        ));
    }
    table
}
