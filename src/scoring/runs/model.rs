//! Index runs as stored.

use chrono::{DateTime, Utc};
use diesel::deserialize::QueryableByName;
use diesel::pg::Pg;
use diesel::row::NamedRow;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::auth::{Actor, AgencyScope};
use crate::db::keyset::{List, Order, PageRequest, PageRows, SortKey};
use crate::db::locks;
use crate::db::{Conn, Connected, QueryResult, sql};
use crate::scoring::visible_units::VisibleUnits;

row! {
    #[derive(Clone, Debug, Serialize)]
    pub struct RunRow {
        pub id: Uuid,
        pub framework: String,
        #[serde(skip)]
        pub unit_type: String,
        pub data_year: i32,
        pub index_year: i32,
        pub kind: String,
        pub label: String,
        pub observations_revision: i32,
        pub engine_version: String,
        pub input_hash: String,
        pub units: i32,
        pub version: i32,
        pub created_at: DateTime<Utc>,
        pub created_by: String,
        pub superseded_by: Option<Uuid>,
        pub superseded_at: Option<DateTime<Utc>>,
        /// Of a reader from whom some units are hidden: the units that are not.
        #[serde(skip)]
        pub own: Option<Vec<String>>,
    }
}

row! {
    /// What a run is computed from.
    pub struct InputRow {
        pub definition: Value,
        /// JSON text.
        pub figures: String,
        /// JSON text.
        pub named: String,
    }
}

/// A run with what it is computed from.
struct WholeRow {
    run: RunRow,
    input: InputRow,
}

impl QueryableByName<Pg> for WholeRow {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> diesel::deserialize::Result<Self> {
        Ok(Self { run: RunRow::build(row)?, input: InputRow::build(row)? })
    }
}

/// A run to be stored.
#[derive(Clone, Debug)]
pub struct RunWrite {
    pub id: Uuid,
    pub framework: String,
    pub data_year: i32,
    pub index_year: i32,
    pub kind: &'static str,
    pub label: String,
    pub observations_revision: i32,
    pub engine_version: &'static str,
    pub input_hash: String,
    pub units: i32,
}

/// What a reader of the list looks for.
#[derive(Debug, Default)]
pub struct RunQuery {
    pub frameworks: Option<Vec<String>>,
    pub data_years: Option<Vec<i32>>,
    pub index_years: Option<Vec<i32>>,
    pub kinds: Option<Vec<String>>,
    pub current: Option<bool>,
}

const COLUMNS: &str = "r.id, r.framework_code as framework, f.unit_type, r.data_year, r.index_year, r.kind, r.label, \
    r.observations_revision, r.engine_version, r.input_hash, r.units, r.version, r.created_at, r.created_by, r.superseded_by, \
    r.superseded_at, null::text[] as own";
const FROM: &str = "index_runs r join frameworks f on f.code = r.framework_code";

pub const ID: SortKey = SortKey { name: "created_at", expr: "r.id", pg_type: "uuid" };
pub const INDEX_YEAR: SortKey = SortKey { name: "index_year", expr: "r.index_year", pg_type: "int" };
pub const DATA_YEAR: SortKey = SortKey { name: "data_year", expr: "r.data_year", pg_type: "int" };

pub async fn list(
    conn: &mut impl Connected,
    query: RunQuery,
    order: &[Order],
    window: PageRequest,
) -> QueryResult<PageRows<RunRow>> {
    let mut list = List::new(COLUMNS, FROM);
    list.filter_some("r.framework_code = any({})", query.frameworks);
    list.filter_some("r.data_year = any({})", query.data_years);
    list.filter_some("r.index_year = any({})", query.index_years);
    list.filter_some("r.kind = any({})", query.kinds);
    list.filter_some("(r.superseded_by is null) = {}", query.current);
    list.page(conn, order, window).await
}

/// The columns with all units of the run, where the condition holds.
fn with_units(condition: &str) -> String {
    let units = format!(
        "case when {condition} then array(select s.unit from index_run_scores s where s.run_id = r.id and s.position = 0 order by s.unit) end as own"
    );
    COLUMNS.replace("null::text[] as own", &units)
}

/// Runs as they are stored, with all their units. [`Unfiltered::filtered`] decides what their reader sees of them, which takes a processor
/// for some microseconds a unit.
#[must_use = "nothing of a run is shown before it is filtered"]
pub struct Unfiltered {
    rows: Vec<RunRow>,
    visible: Option<VisibleUnits>,
}

impl Unfiltered {
    /// What filtering is like, in bytes that are parsed.
    pub fn bytes(&self) -> usize {
        self.rows.iter().map(|row| row.own.as_ref().map_or(0, Vec::len)).sum::<usize>() * BYTES_OF_UNIT
    }

    pub fn filtered(self) -> Vec<RunRow> {
        let Self { mut rows, visible } = self;
        rows.iter_mut().for_each(|row| row.narrow(visible.as_ref()));
        rows
    }
}

/// To compare a unit's name with those of the agencies takes about as long as to parse this much.
const BYTES_OF_UNIT: usize = 1024;

impl RunRow {
    /// Leaves of the units those that the reader sees; of a run where that is every one, nothing is hidden.
    fn narrow(&mut self, visible: Option<&VisibleUnits>) {
        let Some(units) = self.own.take() else { return };
        let all = units.len();
        let is_shown = |unit: &String| visible.is_none_or(|visible| visible.shows(unit, &self.unit_type));
        let shown: Vec<String> = units.into_iter().filter(is_shown).collect();
        self.own = (shown.len() < all).then_some(shown);
    }
}

/// The runs of these ids.
pub async fn find(conn: &mut impl Connected, ids: Vec<Uuid>, scope: &AgencyScope) -> QueryResult<Unfiltered> {
    let visible = VisibleUnits::of(conn, scope).await?;
    let columns = with_units("$2");
    let rows = sql(format!("select {columns} from {FROM} where r.id = any($1)"))
        .bind(ids)
        .bind(visible.is_some())
        .rows(conn)
        .await?;
    Ok(Unfiltered { rows, visible })
}

/// As [`find`], with what the run is computed from.
pub async fn whole(
    conn: &mut impl Connected,
    id: Uuid,
    scope: &AgencyScope,
) -> QueryResult<Option<(Unfiltered, InputRow)>> {
    let visible = VisibleUnits::of(conn, scope).await?;
    let columns = with_units("$2");
    let whole: Option<WholeRow> = sql(format!(
        "select {columns}, f.definition, s.rows::text as figures, s.units::text as named from {FROM} \
         join observation_sets s on s.framework_code = r.framework_code and s.data_year = r.data_year \
           and s.revision = r.observations_revision \
         where r.id = $1"
    ))
    .bind(id)
    .bind(visible.is_some())
    .maybe(conn)
    .await?;
    Ok(whole.map(|WholeRow { run, input }| (Unfiltered { rows: vec![run], visible }, input)))
}

/// Makes official runs of one framework's index year wait for each other until the transaction ends.
pub async fn lock_official(conn: &mut Conn, framework: &str, index_year: i32) -> QueryResult<()> {
    locks::RUNS.lock_name(conn, format!("{framework}/{index_year}")).await
}

/// Lets the new run take the place of the official one, under [`lock_official`]; answers the one that was.
pub async fn supersede(
    conn: &mut Conn,
    framework: &str,
    index_year: i32,
    by: Uuid,
    actor: &Actor,
) -> QueryResult<Option<RunRow>> {
    sql(format!(
        "with r as (update index_runs set superseded_by = $3, superseded_at = $4, version = version + 1 \
           where framework_code = $1 and index_year = $2 and kind = 'official' and superseded_by is null returning *) \
         select {COLUMNS} from r join frameworks f on f.code = r.framework_code"
    ))
    .bind(framework.to_owned())
    .bind(index_year)
    .bind(by)
    .bind(actor.now)
    .maybe(conn)
    .await
}

pub async fn insert(conn: &mut Conn, write: RunWrite, actor: &Actor) -> QueryResult<RunRow> {
    sql(format!(
        "with r as (insert into index_runs (id, framework_code, data_year, index_year, kind, label, observations_revision, \
           engine_version, input_hash, units, created_at, created_by) \
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning *) \
         select {COLUMNS} from r join frameworks f on f.code = r.framework_code"
    ))
    .bind(write.id)
    .bind(write.framework)
    .bind(write.data_year)
    .bind(write.index_year)
    .bind(write.kind)
    .bind(write.label)
    .bind(write.observations_revision)
    .bind(write.engine_version)
    .bind(write.input_hash)
    .bind(write.units)
    .bind(actor.now)
    .bind(actor.name.clone())
    .row(conn)
    .await
}

/// The run of the same framework for another index year: the official one, else the last provisional one.
pub async fn of_year(
    conn: &mut impl Connected,
    framework: &str,
    index_year: i32,
) -> QueryResult<Option<RunRow>> {
    sql(format!(
        "select {COLUMNS} from {FROM} where r.framework_code = $1 and r.index_year = $2 and r.superseded_by is null \
         order by r.kind, r.id desc limit 1"
    ))
    .bind(framework.to_owned())
    .bind(index_year)
    .maybe(conn)
    .await
}
