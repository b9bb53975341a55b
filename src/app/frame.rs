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
use crate::scoring::engine::framework::{Alternative, Node};

const INTRODUCTION: &str = include_str!("../../docs/api-introduction.md");

#[derive(OpenApi)]
#[openapi(
    info(title = "ict-index", license(name = "Apache-2.0", identifier = "Apache-2.0")),
    components(schemas(
        ProblemBody, ViolationBody, Node, Alternative, AgencyCode, ClientId, FrameworkCode, IndicatorCode, PlanCode, ServiceCode, SourceCode,
        TaskCode, Username
    )),
    tags(
        (name = "auth", description = "Logging in and out; one's own account"),
        (name = "accounts", description = "Users and machine clients (role `admin`)"),
        (name = "agencies", description = "Agencies, their hierarchy, validity and groups"),
        (name = "frameworks", description = "The index: groups, subgroups, indicators, weights, methods"),
        (name = "targets", description = "Targets and published national results"),
        (name = "plans", description = "Plans and their tasks, progress per lead agency"),
        (name = "submissions", description = "Monthly figures of an agency, from draft to accepted"),
        (name = "services", description = "Administrative procedures and their online levels"),
        (name = "dossiers", description = "Dossier counts and their feeds"),
        (name = "statistics", description = "Level statistics and dossier rates"),
        (name = "runs", description = "Observations of units, index runs: scores, ranks, and why"),
        (name = "audit", description = "Who did what, when"),
        (name = "health", description = "For the operator; public")
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
        String::from("\n## Problem codes\n\n| code | status | meaning | nghĩa |\n|---|---|---|---|\n");
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
