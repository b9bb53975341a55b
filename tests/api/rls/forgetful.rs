//! Handlers that forget every filter, planted beside the service's own: what they show is what row-level security lets through.

use actix_web::test::{TestRequest, call_service, init_service, read_body_json};
use actix_web::{HttpResponse, web};
use ict_index::app;
use ict_index::auth::Access;
use ict_index::auth::permission::ReadSubmissions;
use ict_index::db::{Conn, sql};
use ict_index::http::Problem;

/// All agencies that have submissions, whoever asks.
const AGENCIES: &str =
    "select distinct a.code as value from submissions s join agencies a on a.id = s.agency_id order by 1";

async fn reading(access: Access<ReadSubmissions>) -> Result<HttpResponse, Problem> {
    let agencies: Vec<String> =
        access.read(async move |conn: &mut Conn| Ok(sql(AGENCIES).values(conn).await?)).await?;
    Ok(HttpResponse::Ok().json(agencies))
}

async fn in_a_transaction(access: Access<ReadSubmissions>) -> Result<HttpResponse, Problem> {
    let agencies: Vec<String> =
        access.transaction(async move |conn: &mut Conn| Ok(sql(AGENCIES).values(conn).await?)).await?;
    Ok(HttpResponse::Ok().json(agencies))
}

async fn tried(access: Access<ReadSubmissions>) -> Result<HttpResponse, Problem> {
    let agencies: Vec<String> = access
        .transaction_or_dry_run(true, async move |conn: &mut Conn| Ok(sql(AGENCIES).values(conn).await?))
        .await?;
    Ok(HttpResponse::Ok().json(agencies))
}

#[actix_web::test]
async fn a_handler_that_forgets_every_filter_shows_an_officer_their_own_alone() {
    let (world, _, _) = super::world().await;
    let service = init_service(
        app::build(world.service.state.clone())
            .route("/api/planted/read", web::get().to(reading))
            .route("/api/planted/transaction", web::get().to(in_a_transaction))
            .route("/api/planted/dry-run", web::get().to(tried)),
    )
    .await;
    for way in ["read", "transaction", "dry-run"] {
        for (caller, expected) in [
            ("officer", vec!["SO-YT"]),
            ("stranger", vec!["SO-TTTT"]),
            // Between two officers, over the same connections.
            ("coordinator", vec!["SO-TTTT", "SO-YT"]),
            ("officer", vec!["SO-YT"]),
        ] {
            let bearer = ("authorization", format!("Bearer {}", world.tokens[caller]));
            let request = TestRequest::get().uri(&format!("/api/planted/{way}")).insert_header(bearer);
            let answer = call_service(&service, request.to_request()).await;
            assert_eq!(answer.status(), 200, "{way} as {caller}");
            let shown: Vec<String> = read_body_json(answer).await;
            assert_eq!(shown, expected, "{way} as {caller}");
        }
    }
}
