//! What is asked of every operation alike, held against the description.

use actix_web::HttpRequest;
use serde_json::Map;

use crate::http::openapi::Operation;
use crate::http::{Problem, ProblemCode, Violation, csv, query};
use crate::state::State;

/// What every operation refuses alike: parameters it does not know, formats it does not speak.
pub(super) fn check_request(request: &HttpRequest, state: &State) -> Result<(), Problem> {
    known_parameters(request, state)?;
    if !csv::accepts_json(request)
        && !state.description().operation(request).is_some_and(Operation::speaks_other_formats)
    {
        return Err(Problem::new(ProblemCode::NotAcceptable));
    }
    Ok(())
}

/// Parameters that the description does not name.
pub(super) fn known_parameters(request: &HttpRequest, state: &State) -> Result<(), Problem> {
    if request.query_string().is_empty() {
        return Ok(());
    }
    let pairs = query::pairs(request.query_string())?;
    let operation = state.description().operation(request);
    let unknown =
        pairs.iter().filter(|(name, _)| !operation.is_some_and(|operation| operation.knows_parameter(name)));
    let faults = unknown.map(|(name, _)| Violation {
        code: ProblemCode::UnknownParameter,
        pointer: format!("?{name}"),
        detail: msg!("Không hỗ trợ tham số `{name}`.", "Unknown parameter `{name}`."),
        extra: Map::new(),
    });
    match faults.collect::<Vec<_>>() {
        errors if errors.is_empty() => Ok(()),
        errors => Err(Problem::of_all(ProblemCode::UnknownParameter, errors)),
    }
}
