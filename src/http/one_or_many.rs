//! Bodies that replace by natural key: one thing, or a list of them under a name.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Check, ProblemCode, Violations};

/// Things in one body: each is compared, written and audited by itself.
const MOST: usize = 200;

/// A thing that can be sent alone or as a list.
pub trait Listed {
    /// Names under which the list may stand.
    const LIST_NAMES: &'static [&'static str];
}

/// One `T`, or `{"items": [T, …]}`.
#[derive(Debug)]
pub enum OneOrMany<T> {
    One(Box<T>),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The things with the pointer of each.
    pub fn with_pointers(&self) -> Vec<(String, &T)> {
        match self {
            Self::One(one) => vec![(String::new(), one)],
            Self::Many(many) => {
                many.iter().enumerate().map(|(i, one)| (format!("/items/{i}"), one)).collect()
            }
        }
    }

    pub fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![*one],
            Self::Many(many) => many,
        }
    }
}

impl<T: CheckAt> Check for OneOrMany<T> {
    fn check(&self, faults: &mut Violations) {
        let all = self.with_pointers();
        if all.len() > MOST {
            let detail = msg!("Mỗi lần chỉ được gửi tối đa {MOST} mục.", "At most {MOST} items per request.");
            return faults.add(ProblemCode::InvalidLength, "/items", detail);
        }
        let mut keys = HashSet::new();
        for (pointer, one) in all {
            one.check_at(&pointer, faults);
            if !keys.insert(one.key()) {
                faults.add(ProblemCode::DuplicateEntry, pointer, ProblemCode::DuplicateEntry.title());
            }
        }
    }
}

/// As [`Check`], for a thing that stands at `pointer` in the body.
pub trait CheckAt {
    /// The natural key that it replaces by; the same twice in one body is a mistake.
    fn key(&self) -> String;

    fn check_at(&self, pointer: &str, faults: &mut Violations);
}

impl<'de, T: Deserialize<'de> + Listed> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Either(PhantomData))
    }
}

struct Either<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Listed> Visitor<'de> for Either<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, or a list of them under `items`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OneOrMany<T>, A::Error> {
        let first: Option<String> = map.next_key()?;
        if !first.as_deref().is_some_and(|name| T::LIST_NAMES.contains(&name)) {
            let whole = MapAccessDeserializer::new(Chained { first, rest: map });
            return T::deserialize(whole).map(|one| OneOrMany::One(Box::new(one)));
        }
        let many = map.next_value()?;
        if let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            return Err(A::Error::custom(format!("unknown field `{name}`")));
        }
        Ok(OneOrMany::Many(many))
    }
}

/// The map again, with the key that was looked at put back in front.
struct Chained<A> {
    first: Option<String>,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Chained<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(name) => seed.deserialize(StringDeserializer::<A::Error>::new(name)).map(Some),
            None => self.rest.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.rest.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        n: i32,
    }

    impl Listed for Thing {
        const LIST_NAMES: &'static [&'static str] = &["items", "things"];
    }

    fn read(text: &str) -> Result<Vec<i32>, String> {
        serde_json::from_str::<OneOrMany<Thing>>(text)
            .map(|read| read.into_vec().into_iter().map(|t| t.n).collect())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn one_and_many_are_told_apart_by_the_list_name() {
        assert_eq!(read(r#"{"n":1}"#), Ok(vec![1]));
        assert_eq!(read(r#"{"items":[{"n":1},{"n":2}]}"#), Ok(vec![1, 2]));
        assert_eq!(read(r#"{"things":[]}"#), Ok(vec![]));
        assert!(read("{}").unwrap_err().starts_with("missing field `n`"));
        assert!(read(r#"{"items":[],"n":1}"#).unwrap_err().starts_with("unknown field `n`"));
        assert!(read(r#"{"n":1,"m":1}"#).unwrap_err().starts_with("unknown field `m`"));
    }
}
