//! Newtypes of the identifiers that travel between rooms, so that one is never taken for another.

use std::fmt;

use diesel::deserialize::{self, FromSql};
use diesel::pg::{Pg, PgValue};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Integer;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::db::Bindable;

/// Longest human code accepted, in characters.
pub const CODE_MAX: usize = 64;

/// Whether `text` can be a human code: ASCII letters, digits and `. _ - :`, starting with a letter or digit.
pub fn is_code(text: &str) -> bool {
    text.len() <= CODE_MAX
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':'))
}

macro_rules! row_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = Integer)]
        pub struct $name(pub i32);

        impl ToSql<Integer, Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
                <i32 as ToSql<Integer, Pg>>::to_sql(&self.0, out)
            }
        }

        impl FromSql<Integer, Pg> for $name {
            fn from_sql(bytes: PgValue<'_>) -> deserialize::Result<Self> {
                <i32 as FromSql<Integer, Pg>>::from_sql(bytes).map(Self)
            }
        }

        impl Bindable for $name {
            type St = Integer;
        }
    };
}

row_id!(
    /// Row of `agencies`; internal, never in an answer.
    AgencyId
);
row_id!(
    /// Row of `services`; internal, never in an answer.
    ServiceId
);

macro_rules! path_code {
    ($(#[$meta:meta])* $name:ident, $example:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
        #[schema(value_type = String, example = $example, pattern = "^[A-Za-z0-9][A-Za-z0-9._:-]*$", min_length = 1, max_length = 64)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(code: $name) -> Self {
                code.0
            }
        }

        /// Anything that is no code names nothing: the path extractor answers 404.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                if is_code(&text) { Ok(Self(text)) } else { Err(serde::de::Error::custom("not a code")) }
            }
        }
    };
}

path_code!(
    /// Code of an agency.
    AgencyCode,
    "SO-TTTT"
);
path_code!(
    /// Code of a task.
    TaskCode,
    "T01"
);
path_code!(
    /// Code of a plan.
    PlanCode,
    "KH-332-2017"
);
path_code!(
    /// Code of an indicator.
    IndicatorCode,
    "HT.XH.01"
);
path_code!(
    /// Code of a framework.
    FrameworkCode,
    "ICT-INDEX-2016"
);
path_code!(
    /// Code of an administrative procedure.
    ServiceCode,
    "1.011443"
);
path_code!(
    /// Where dossier counts come from: a feed's code or an agency's.
    SourceCode,
    "vnpt"
);
path_code!(
    /// Login name of a user.
    Username,
    "officer.so-yt"
);
path_code!(
    /// Identifier of a machine client.
    ClientId,
    "portal"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_a_code_needs_no_escape_anywhere(text in "[A-Za-z0-9._:-]{0,70}|\\PC{0,10}") {
            let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:".contains(&b));
            let begins = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
            prop_assert_eq!(is_code(&text), plain && begins && text.len() <= CODE_MAX);
        }
    }

    #[test]
    fn codes_are_plain_ascii() {
        assert!(is_code("SO-TTTT") && is_code("1.011443.000.00.00.H38") && is_code("NL.XH.03:primary"));
        assert!(!is_code("") && !is_code("332/KH") && !is_code("UBND Đ") && !is_code(&"A".repeat(65)));
    }
}
