//! Methods of HTTP. Clients can invent further ones: those are refused, and are all one in metrics and log.

use actix_web::http::Method;

/// What methods that HTTP does not define are counted and logged as.
pub const OTHER: &str = "other";

/// The method's name in metrics and log: one of ten.
pub fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => OTHER,
    }
}

/// RFC 9110 or RFC 5789 defines it.
pub fn is_defined(method: &Method) -> bool {
    label(method) != OTHER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_methods_that_are_defined_have_a_name_of_their_own() {
        for name in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"] {
            assert_eq!(label(&name.parse().unwrap()), name);
        }
        for name in ["get", "BREW", "QUERY1", "PROPFIND", &"X".repeat(1_000)] {
            assert_eq!(label(&name.parse().unwrap()), OTHER, "{name}");
        }
    }
}
