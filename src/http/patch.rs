//! Members of a `PATCH` body: absent, null and a value are three things.

use serde::{Deserialize, Deserializer};

/// A member of a merge patch (RFC 7396).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// Leave it.
    #[default]
    Absent,
    /// Remove it.
    Null,
    /// Set it.
    Value(T),
}

impl<T> Patch<T> {
    /// The new state of an optional field.
    pub fn optional(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Absent => old,
            Self::Null => None,
            Self::Value(new) => Some(new),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}
