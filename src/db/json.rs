//! Documents in columns of type jsonb: one that cannot be read or written is a fault of the database's, like any other column.

use diesel::QueryResult;
use diesel::result::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a stored document says.
pub fn from_json<T: DeserializeOwned>(value: Value) -> QueryResult<T> {
    serde_json::from_value(value).map_err(|error| Error::DeserializationError(Box::new(error)))
}

/// A document to store.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> QueryResult<Value> {
    serde_json::to_value(value).map_err(|error| Error::SerializationError(Box::new(error)))
}
