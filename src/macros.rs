//! The two macros that every room uses.

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
