//! The macros that every room uses.

/// `msg!("tiếng Việt {x}", "English {x}")`: a formatted text in both languages.
macro_rules! msg {
    ($vi:literal, $en:literal) => {
        $crate::http::Msg { vi: format!($vi).into(), en: format!($en).into() }
    };
}

/// Declares a struct whose fields are the columns of a statement's rows, by name.
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$fmeta:meta])* $fvis:vis $field:ident : $ty:ty),* $(,)? }) => {
        $(#[$meta])* $vis struct $name { $($(#[$fmeta])* $fvis $field: $ty),* }

        impl diesel::deserialize::QueryableByName<diesel::pg::Pg> for $name {
            fn build<'a>(
                row: &impl diesel::row::NamedRow<'a, diesel::pg::Pg>,
            ) -> diesel::deserialize::Result<Self> {
                let mut columns = $crate::db::Columns::of(row);
                Ok(Self { $($field: columns.take::<$ty>(stringify!($field))?),* })
            }
        }
    };
}

/// Lets types with a closed list of spellings (`parse`) be columns of a [`row!`]. A text that is none of them is a fault of the row, and
/// of the request that reads it: no value is read under another type.
macro_rules! stored_as_text {
    ($($ty:ty),+ $(,)?) => { $(
        impl diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::pg::Pg> for $ty {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                let text =
                    <String as diesel::deserialize::FromSql<diesel::sql_types::Text, diesel::pg::Pg>>::from_sql(bytes)?;
                <$ty>::parse(&text).ok_or_else(|| format!("{} in the database: `{text}`", stringify!($ty)).into())
            }
        }

        impl $crate::db::Bindable for $ty {
            type St = diesel::sql_types::Text;
        }
    )+ };
}
