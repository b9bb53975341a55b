//! Reading the embedded tables.

use serde::de::DeserializeOwned;

use crate::http::Problem;

/// Rows of a CSV text with a header. The texts are embedded and tested, so a fault is ours.
pub fn rows<T: DeserializeOwned>(name: &str, text: &str) -> Result<Vec<T>, Problem> {
    csv::Reader::from_reader(text.as_bytes())
        .deserialize()
        .collect::<Result<_, _>>()
        .map_err(|error| Problem::internal(format!("data/{name}: {error}")))
}

/// `a|b|c` as a list; nothing is an empty list.
pub fn list(text: &str) -> Vec<String> {
    text.split('|').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
