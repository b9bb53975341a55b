//! The Rust types that statements bind and rows are read into, each with its SQL type.

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::sql_types;
use uuid::Uuid;

/// A Rust type that has exactly one SQL type in this service.
pub trait Bindable: Send + 'static {
    type St: Send + 'static;
}

macro_rules! bindable {
    ($($rust:ty => $sql:ty),+ $(,)?) => { $(impl Bindable for $rust { type St = $sql; })+ };
}

bindable! {
    bool => sql_types::Bool,
    i16 => sql_types::SmallInt,
    i32 => sql_types::Integer,
    i64 => sql_types::BigInt,
    String => sql_types::Text,
    &'static str => sql_types::Text,
    Uuid => sql_types::Uuid,
    NaiveDate => sql_types::Date,
    DateTime<Utc> => sql_types::Timestamptz,
    BigDecimal => sql_types::Numeric,
    serde_json::Value => sql_types::Jsonb,
    Vec<u8> => sql_types::Binary,
    Vec<i16> => sql_types::Array<sql_types::SmallInt>,
    Vec<i32> => sql_types::Array<sql_types::Integer>,
    Vec<i64> => sql_types::Array<sql_types::BigInt>,
    Vec<String> => sql_types::Array<sql_types::Text>,
    Vec<Uuid> => sql_types::Array<sql_types::Uuid>,
    Vec<NaiveDate> => sql_types::Array<sql_types::Date>,
    Vec<BigDecimal> => sql_types::Array<sql_types::Numeric>,
    Vec<Option<i32>> => sql_types::Array<sql_types::Nullable<sql_types::Integer>>,
    Vec<Option<i64>> => sql_types::Array<sql_types::Nullable<sql_types::BigInt>>,
    Vec<Option<String>> => sql_types::Array<sql_types::Nullable<sql_types::Text>>,
    Vec<Option<NaiveDate>> => sql_types::Array<sql_types::Nullable<sql_types::Date>>,
    Vec<Option<BigDecimal>> => sql_types::Array<sql_types::Nullable<sql_types::Numeric>>,
}

impl<T: Bindable> Bindable for Option<T>
where
    T::St: sql_types::SqlType<IsNull = sql_types::is_nullable::NotNull>,
{
    type St = sql_types::Nullable<T::St>;
}
