//! Documents in columns of type jsonb: one that cannot be read or written is a fault of the database's, like any other column.

use diesel::QueryResult;
use diesel::result::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a stored document says. Read from its text: from a value, serde_json hands numbers of 16 digits on as binary floating
/// point when they print alike, and what is read is then not always what was stored.
pub fn from_json<T: DeserializeOwned>(value: Value) -> QueryResult<T> {
    from_text(&value.to_string())
}

/// As [`from_json`], of a column that was read as text: a large document is parsed once, and where its reader likes.
pub fn from_text<T: DeserializeOwned>(text: &str) -> QueryResult<T> {
    serde_json::from_str(text).map_err(|error| Error::DeserializationError(Box::new(error)))
}

/// A document to store.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> QueryResult<Value> {
    serde_json::to_value(value).map_err(|error| Error::SerializationError(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Decimal;

    #[test]
    fn numbers_stay_as_they_were_stored() {
        for text in ["969789396180091.3", "-87817022998636.13", "0.1", "123456789012345678"] {
            let read: Decimal = from_json(serde_json::from_str(text).unwrap()).unwrap();
            assert_eq!(to_json(&read).unwrap().to_string(), text);
        }
    }
}
