//! What can go wrong between this service and PostgreSQL, told apart by SQLSTATE in one place.

use std::error::Error as _;

use diesel::result::{DatabaseErrorKind, Error};

/// A database failure as the rest of the service needs to know it.
#[derive(Debug)]
pub enum DbError {
    /// The row asked for is not there.
    NotFound,
    /// A named constraint refused the write.
    Violated(ConstraintViolation),
    /// The database cannot serve right now (gone, starting, full, too many connections, lock or statement timeout, serialisation): try again.
    Unavailable(String),
    /// More is asked already than can be answered in good time: try again. No fault, so nobody logs it; it is counted.
    Overloaded,
    /// The caller alone requests more at once than its share: try again. Counted, not logged.
    ShareUsedUp,
    /// A value the database cannot hold: a date before its calendar, a number too large, a cursor's key of the wrong type.
    /// Known by its SQLSTATE alone: the server's text repeats the value, which is not for the log.
    BadValue(String),
    /// A defect of ours. Logged where it is handled, never shown.
    Internal(String),
}

/// Which constraint refused a write.
#[derive(Debug)]
pub struct ConstraintViolation {
    pub constraint: String,
    pub kind: DatabaseErrorKind,
}

/// With its cause: the outer text says no more than "db error".
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        match &error {
            Error::NotFound => Self::NotFound,
            Error::DatabaseError(kind, info) => match kind {
                DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::CheckViolation
                | DatabaseErrorKind::ExclusionViolation
                | DatabaseErrorKind::NotNullViolation => Self::Violated(ConstraintViolation {
                    constraint: info.constraint_name().unwrap_or_default().to_owned(),
                    kind: *kind,
                }),
                DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::SerializationFailure
                | DatabaseErrorKind::UnableToSendCommand => Self::Unavailable(error.to_string()),
                _ => by_sqlstate(&error),
            },
            Error::BrokenTransactionManager => Self::Unavailable(error.to_string()),
            _ => by_sqlstate(&error),
        }
    }
}

/// Of connections that are not diesel's (see [`super::copy`]).
impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> Self {
        let text = error.to_string();
        match error.code().map(tokio_postgres::error::SqlState::code) {
            Some(state) if state.starts_with("22") => Self::BadValue(state.to_owned()),
            Some(state) if !is_transient(state) => Self::Internal(format!("{state}: {text}")),
            Some(state) => Self::Unavailable(format!("{state}: {text}")),
            // No answer of the server at all: the connection is gone, or could not be made.
            None => Self::Unavailable(text),
        }
    }
}

/// Diesel hides most SQLSTATEs behind `Unknown`; the cause underneath still carries the code.
fn by_sqlstate(error: &Error) -> DbError {
    let text = error.to_string();
    match sqlstate(error) {
        Some(state) if state.starts_with("22") => DbError::BadValue(state),
        Some(state) if is_transient(&state) => DbError::Unavailable(format!("{state}: {text}")),
        Some(state) => DbError::Internal(format!("{state}: {text}")),
        None if is_connection_loss(&text) => DbError::Unavailable(text),
        None => DbError::Internal(text),
    }
}

fn sqlstate(error: &Error) -> Option<String> {
    if let Error::DatabaseError(_, info) = error
        && let Some(state) = state_of_message(info.message())
    {
        return Some(state.to_owned());
    }
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(pg) = inner.downcast_ref::<tokio_postgres::Error>()
            && let Some(code) = pg.code()
        {
            return Some(code.code().to_owned());
        }
        cause = inner.source();
    }
    None
}

/// Texts of PostgreSQL for passing conditions and for values it cannot hold, for the errors whose code diesel drops. They are those of a server that speaks English (`lc_messages`).
fn state_of_message(message: &str) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 16] = [
        ("out of range", "22003"),
        ("invalid input syntax", "22P02"),
        ("invalid byte sequence", "22021"),
        ("value too long", "22001"),
        ("numeric field overflow", "22003"),
        ("out of memory", "53200"),
        ("out of shared memory", "53200"),
        ("canceling statement due to lock timeout", "55P03"),
        ("canceling statement due to statement timeout", "57014"),
        ("canceling statement due to user request", "57014"),
        ("terminating connection", "57P01"),
        ("deadlock detected", "40P01"),
        ("could not extend file", "53100"),
        ("No space left on device", "53100"),
        ("could not serialize access", "40001"),
        ("cannot execute", "25006"),
    ];
    KNOWN.iter().find(|(text, _)| message.contains(text)).map(|(_, state)| *state)
}

fn is_transient(state: &str) -> bool {
    // 08 connection, 40 rollback, 53 resources, 55P03 lock, 57 operator (shutdown, timeouts), 58 system, 25006 read-only standby
    ["08", "40", "53", "55P03", "57", "58", "25006"].iter().any(|class| state.starts_with(class))
}

fn is_connection_loss(text: &str) -> bool {
    ["connection closed", "error communicating with the server", "Connection refused", "Broken pipe"]
        .iter()
        .any(|part| text.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_passing_and_syntax_errors_are_ours() {
        assert!(is_transient("55P03"));
        assert!(is_transient("57014"));
        assert!(!is_transient("42601"));
        assert_eq!(state_of_message("canceling statement due to lock timeout"), Some("55P03"));
    }
}
