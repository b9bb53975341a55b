//! What is true of indicators and published results, whoever stores or asks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// Which way is better.
    Direction { Up = "up", Down = "down" }
}

words! {
    /// Whether a definition is published or inferred.
    DefinitionStatus { Official = "official", Assumed = "assumed" }
}

/// Unit in which the numerator is a part of the denominator and cannot exceed it.
pub const PERCENT: &str = "percent";

/// Places gained since the year before: 12th to 7th is +5.
pub fn rank_change(before: Option<i32>, now: Option<i32>) -> Option<i32> {
    Some(before? - now?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_rank_is_a_gain() {
        assert_eq!(rank_change(Some(12), Some(7)), Some(5));
        assert_eq!(rank_change(Some(13), Some(27)), Some(-14));
        assert_eq!(rank_change(None, Some(7)), None);
    }
}
