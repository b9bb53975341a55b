//! The limit of a cached answer: an actix that does nothing but answer the bytes of a file at `/static`.
//!
//! `static_server ADDRESS FILE CONTENT-TYPE [CONTENT-ENCODING]`; started by benches/run.py.

use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer, get};

// As the service has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Clone)]
struct Answer {
    body: Bytes,
    content_type: String,
    encoding: Option<String>,
}

#[get("/static")]
async fn answer(answer: Data<Answer>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, answer.content_type.as_str()));
    if let Some(encoding) = &answer.encoding {
        response.insert_header((header::CONTENT_ENCODING, encoding.as_str()));
    }
    response.body(answer.body.clone())
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(file), Some(content_type)) = (args.next(), args.next(), args.next()) else {
        return Err(std::io::Error::other("expected ADDRESS FILE CONTENT-TYPE [CONTENT-ENCODING]"));
    };
    let body = Bytes::from(std::fs::read(file)?);
    let shared = Data::new(Answer { body, content_type, encoding: args.next() });
    HttpServer::new(move || App::new().app_data(shared.clone()).service(answer)).bind(address)?.run().await
}
