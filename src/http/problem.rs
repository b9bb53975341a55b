//! RFC 9457 problems: made anywhere, rendered at the edge, where language and request id are known.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Locale, Msg, ProblemCode};
use crate::db::{DbError, Refused};

/// Errors listed in one answer at the most; `error_count` says how many there are in all.
pub(super) const MOST_ERRORS: usize = 100;

/// One broken rule and the place in the request that breaks it.
#[derive(Clone, Debug)]
pub struct Violation {
    pub code: ProblemCode,
    /// JSON pointer into the body (RFC 6901), or `?name` for a query parameter.
    pub pointer: String,
    pub detail: Msg,
    /// Further members, such as the values at fault.
    pub extra: Map<String, Value>,
}

/// An answer that is not a success.
#[derive(Clone, Debug)]
pub struct Problem {
    pub code: ProblemCode,
    pub detail: Option<Msg>,
    /// The first 100 warnings.
    pub errors: Vec<Violation>,
    /// How many more there are that nobody is shown.
    more_errors: u32,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What the log should say and the client should not see.
    internal: Option<String>,
}

impl Problem {
    pub fn new(code: ProblemCode) -> Self {
        Self { code, detail: None, errors: Vec::new(), more_errors: 0, headers: Vec::new(), internal: None }
    }

    pub fn with(code: ProblemCode, detail: Msg) -> Self {
        Self { detail: Some(detail), ..Self::new(code) }
    }

    /// The thing is not there, or not for this caller: the two must not be told apart.
    pub fn not_found() -> Self {
        Self::new(ProblemCode::NotFound)
    }

    /// A problem about one place in the request.
    pub fn at(code: ProblemCode, pointer: impl Into<String>, detail: Msg) -> Self {
        let violation = Violation { code, pointer: pointer.into(), detail, extra: Map::new() };
        let outer = if code.status() == StatusCode::UNPROCESSABLE_ENTITY {
            ProblemCode::ValidationFailed
        } else {
            code
        };
        Self { errors: vec![violation], ..Self::new(outer) }
    }

    /// Broken rules; `more`: how many there are beyond those named.
    pub(super) fn of_many(errors: Vec<Violation>, more: usize) -> Self {
        let more_errors = u32::try_from(more).unwrap_or(u32::MAX);
        Self { errors, more_errors, ..Self::new(ProblemCode::ValidationFailed) }
    }

    /// A problem about several places in the request.
    pub fn of_all(code: ProblemCode, errors: Vec<Violation>) -> Self {
        Self { errors, ..Self::new(code) }
    }

    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// 401 with the challenge that goes with the code.
    pub fn unauthenticated(code: ProblemCode) -> Self {
        let challenge = match code {
            // No token was shown.
            ProblemCode::Unauthenticated
            | ProblemCode::InvalidCredentials
            | ProblemCode::InvalidSecondFactor => HeaderValue::from_static("Bearer realm=\"ict-index\""),
            // RFC 9470: the token, or the password, is good and not enough.
            ProblemCode::SecondFactorRequired => HeaderValue::from_static(
                "Bearer realm=\"ict-index\", error=\"insufficient_user_authentication\"",
            ),
            _ => HeaderValue::from_static("Bearer realm=\"ict-index\", error=\"invalid_token\""),
        };
        Self::new(code).header(WWW_AUTHENTICATE, challenge)
    }

    /// The detail of this occurrence.
    pub fn detailed(self, detail: Msg) -> Self {
        Self { detail: Some(detail), ..self }
    }

    pub fn internal(why: impl Into<String>) -> Self {
        Self { internal: Some(why.into()), ..Self::new(ProblemCode::Internal) }
    }

    /// The cause to log; never part of an answer.
    pub fn internal_cause(&self) -> Option<&str> {
        self.internal.as_deref()
    }

    /// The body of the answer.
    pub fn body(&self, locale: Locale, instance: &str, request_id: &str) -> ProblemBody {
        ProblemBody {
            r#type: format!("urn:ict-index:problem:{}", self.code.as_str()),
            title: self.code.title().text(locale).to_owned(),
            status: self.code.status().as_u16(),
            detail: self.detail_text(locale),
            code: self.code.as_str(),
            instance: instance.to_owned(),
            request_id: request_id.to_owned(),
            error_count: (!self.errors.is_empty()).then_some(self.error_count()),
            errors: self.errors.iter().take(MOST_ERRORS).map(|v| v.body(locale)).collect(),
        }
    }

    fn error_count(&self) -> usize {
        self.errors.len() + usize::try_from(self.more_errors).unwrap_or(usize::MAX)
    }

    fn detail_text(&self, locale: Locale) -> String {
        if let Some(detail) = &self.detail {
            return detail.text(locale).to_owned();
        }
        match self.errors.as_slice() {
            [] => self.code.title().text(locale).to_owned(),
            [only] => only.detail.text(locale).to_owned(),
            _ => {
                let n = self.error_count();
                msg!("Có {n} lỗi; đề nghị xem chi tiết từng lỗi tại `errors`.", "{n} errors. See `errors`.")
                    .text(locale)
                    .to_owned()
            }
        }
    }
}

impl Violation {
    fn body(&self, locale: Locale) -> ViolationBody {
        ViolationBody {
            code: self.code.as_str(),
            pointer: self.pointer.clone(),
            detail: self.detail.text(locale).to_owned(),
            extra: self.extra.clone(),
        }
    }
}

/// Problem details (RFC 9457), `application/problem+json`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// URI of the kind of problem.
    #[schema(example = "urn:ict-index:problem:NOT_FOUND")]
    pub r#type: String,
    /// The kind of problem, in the requested language.
    pub title: String,
    /// HTTP status.
    #[schema(example = 404)]
    pub status: u16,
    /// What is wrong in this case and what to do, in the requested language.
    pub detail: String,
    /// Stable code for programs; see the list of problem codes.
    #[schema(value_type = String, example = "NOT_FOUND")]
    pub code: &'static str,
    /// Path of the request.
    pub instance: String,
    /// The `X-Request-Id` of the response.
    pub request_id: String,
    /// Total number of errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error_count: Option<usize>,
    /// The errors with their pointers; at most the first 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<ViolationBody>,
}

/// One error.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProblemError)]
pub struct ViolationBody {
    #[schema(value_type = String, example = "INVALID_CODE")]
    pub code: &'static str,
    /// JSON pointer into the body, `?name` of a query parameter, or `/header` for the header of a CSV file.
    #[schema(example = "/values/0/numerator")]
    pub pointer: String,
    pub detail: String,
    /// Further values that explain the error.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub extra: Map<String, Value>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    /// Leaves the problem with the response; the edge writes the body.
    fn error_response(&self) -> HttpResponse {
        let mut builder = HttpResponse::build(self.code.status());
        for (name, value) in &self.headers {
            builder.append_header((name.clone(), value.clone()));
        }
        let mut response = builder.finish();
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        DbError::from(refused).into()
    }
}

impl From<DbError> for Problem {
    fn from(fault: DbError) -> Self {
        match fault {
            DbError::NotFound => Self::not_found(),
            DbError::Violated(violated) => violated_problem(&violated.constraint, violated.kind),
            DbError::Unavailable(why) => {
                Self { internal: Some(why), ..Self::new(ProblemCode::Unavailable) }.retry_after(1)
            }
            DbError::Overloaded => Self::new(ProblemCode::Unavailable).retry_after(1),
            DbError::ShareUsedUp => share_used_up(),
            DbError::BadValue(why) => Self { internal: Some(why), ..Self::new(ProblemCode::ValueOutOfRange) },
            DbError::Internal(why) => Self::internal(why),
        }
    }
}

/// The caller alone has as much under way as it may, so that others find room.
fn share_used_up() -> Problem {
    let detail = Msg::fixed(
        "Tài khoản (hoặc địa chỉ) này đang có quá nhiều yêu cầu cùng lúc; đề nghị chờ các yêu cầu trước hoàn thành rồi thử lại.",
        "This account (or address) has too many requests in progress. Wait for them to finish, then try again.",
    );
    Problem::with(ProblemCode::Unavailable, detail).retry_after(1)
}

/// A race that the checks before the write did not see: the constraint is the last word.
fn violated_problem(constraint: &str, kind: diesel::result::DatabaseErrorKind) -> Problem {
    use diesel::result::DatabaseErrorKind as Kind;
    let code = match kind {
        Kind::UniqueViolation => ProblemCode::AlreadyExists,
        Kind::ForeignKeyViolation | Kind::ExclusionViolation => ProblemCode::Conflict,
        Kind::CheckViolation => ProblemCode::ValidationFailed,
        _ => ProblemCode::Internal,
    };
    Problem { internal: Some(format!("constraint {constraint}")), ..Problem::new(code) }
}

impl From<diesel::result::Error> for Problem {
    fn from(error: diesel::result::Error) -> Self {
        DbError::from(error).into()
    }
}
