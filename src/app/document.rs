//! `GET /openapi.json`: made once, sent from memory, compressed once for all who take it so.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::http::encoding::Coding;
use crate::http::{Preconditions, Problem};
use crate::state::State;

pub async fn openapi(request: HttpRequest, state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let conditions = Preconditions::of(&request)?;
    let coding = Coding::negotiate(request.headers());
    Ok(state.description().document().respond(&conditions, coding).await)
}
