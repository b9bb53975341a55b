//! What a report needs beside progress.

use crate::db::{QueryResult, Reader, sql};

row! {
    /// An indicator of the catalogue.
    #[derive(Clone, Debug)]
    pub struct IndicatorRow {
        pub code: String,
        pub name: String,
        pub unit: String,
    }
}

/// All of them, by code.
pub async fn indicators(conn: &mut Reader<'_>) -> QueryResult<Vec<IndicatorRow>> {
    sql("select code, name, unit from indicators order by code").rows(conn).await
}
