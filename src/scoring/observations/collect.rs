//! Collecting over HTTP: figures that the service itself holds become observations.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use actix_web::post;

use super::checked_set::{AGENCY, checked, framework_of, result};
use super::checker::unit_code;
use super::collect_wire::{CollectionResult, NewCollection, listed};
use super::collection::{Found, Merged, Origin, merge, missing};
use super::origins::origins;
use super::rules::{BatchRevision, Row, Source};
use super::store::Held;
use super::wire::{DataYear, WriteParams};
use crate::agencies::model as agencies;
use crate::auth::permission::WriteObservations;
use crate::auth::{Access, Actor};
use crate::db::{Conn, QueryResult};
use crate::dossiers::model as dossiers;
use crate::http::target::is_dot_segment;
use crate::http::{
    EntityTag, ListQuery, Msg, PathOf, Preconditions, Problem, ProblemCode, Reply, ValidJson, Violations,
};
use crate::ids::FrameworkCode;
use crate::scoring::engine::fixed::Fixed;
use crate::scoring::engine::input::observed_codes;
use crate::scoring::engine::tree::Tree;
use crate::statistics::figures::{Counted, YearFigures};
use crate::submissions::stored_values::{self, LatestRow};
use crate::values::{Month, Period};

/// What provinces are called as a kind of units.
const PROVINCE: &str = "province";

/// Collect observations
///
/// Adds figures that the service already has (accepted submissions, statistics) to the set as a new revision. If nothing changes,
/// no revision is created.
///
/// **Frameworks of agencies.** Each agency gets its own figures: for an indicator, the accepted figure of its latest month in the
/// year; for statistics, those of its own procedures and dossiers.
///
/// **Frameworks of provinces.** `as_unit` names the unit that represents this province. Its figures are the sum of the numerators
/// divided by the sum of the denominators over the agencies that are active at the end of the year, each with its latest accepted
/// month, and the statistics of the province.
///
/// Levels are those of the last day of the year; dossiers are those of the whole year. Leaves with the code of an indicator are
/// collected automatically, and so are `UD.DV.01` to `UD.DV.04` from the level statistics (procedures at level n or above). For
/// other codes use `submissions` and `statistics`.
///
/// Imported figures are kept and listed under `kept`, unless `replace_imported` is true. A figure that was collected before and
/// is no longer found is deleted and listed under `gone`. `units` replaces the stored description of the units it lists. Every
/// figure keeps the revisions it comes from.
#[utoipa::path(
    tag = "runs",
    params(("code" = FrameworkCode, Path), ("data_year" = i32, Path, minimum = 2000, maximum = 2199, example = 2018), WriteParams),
    request_body(content = NewCollection, example = json!({"submissions": [{"indicator": "CQ.HT.01", "from": "HT.CQ.01"}],
        "statistics": [{"indicator": "CQ.DV.01", "metric": "services_level_3_4"}], "reason": "cuối năm"})),
    responses((status = 200, description = "The collected figures", body = CollectionResult)),
    extensions(("x-if-match" = json!("optional"))),
    security(("bearer" = ["observations:write"]))
)]
#[post("/frameworks/{code}/observations/{data_year}/collections")]
pub async fn collect_observations(
    access: Access<WriteObservations>,
    path: PathOf<(FrameworkCode, DataYear)>,
    query: ListQuery<WriteParams>,
    body: ValidJson<NewCollection>,
) -> Result<Reply, Problem> {
    let (FrameworkCode(framework), DataYear(year)) = path.0;
    let (actor, conditions, dry_run) = (access.actor(), access.conditions.clone(), query.filter.dry_run);
    let order = Order { framework, year, new: body.value, dry_run };
    let work = async move |conn: &mut Conn| collect(conn, order, &conditions, &actor).await;
    if dry_run {
        return access.transaction_or_dry_run(true, work).await;
    }
    access.post(&body.digest, work).await
}

/// What is to be collected.
struct Order {
    framework: String,
    year: i32,
    new: NewCollection,
    dry_run: bool,
}

async fn collect(
    conn: &mut Conn,
    order: Order,
    conditions: &Preconditions,
    actor: &Actor,
) -> Result<Reply, Problem> {
    let Order { framework, year, new, dry_run } = order;
    let document = framework_of(conn, &framework).await?;
    let tree = Tree::of(&document);
    let own = own_unit(&document.unit_type, new.as_unit.as_deref())?;
    let (origins, mut found) = origins(conn, &observed_codes(&tree), &new).await?;
    let told = if new.units.is_empty() {
        Vec::new()
    } else {
        checked(conn, &document, Vec::new(), new.units).await?.units
    };
    let held = Held::lock(conn, framework.clone(), year, conditions).await?;
    let units = match &own {
        Some(unit) => BTreeSet::from([unit.clone()]),
        None => agencies::active_in(conn, year).await?.into_iter().collect(),
    };
    take_submissions(conn, year, own.as_deref(), &origins, &mut found).await?;
    take_statistics(conn, year, own.as_deref(), &origins, &mut found).await?;
    let missing = missing(origins.keys().map(String::as_str), &units, &found.rows);
    let Merged { mut set, collected, kept, gone } =
        merge(&held.before, &origins, found.rows, new.replace_imported);
    set.describe(told);
    let stored = held.store(conn, &set, new.reason, actor).await?;
    let tag = EntityTag::of_version(stored.revision);
    found.skipped.sort();
    let reply = Reply::ok(&CollectionResult {
        result: result(&document, year, dry_run, &set, stored),
        collected: listed(collected),
        kept: listed(kept),
        gone: listed(gone),
        missing: listed(missing),
        skipped: found.skipped,
    })?;
    Ok(if dry_run { reply } else { reply.tagged(&tag) })
}

/// The unit that is this province; `None` where its agencies are the units.
fn own_unit(unit_type: &str, as_unit: Option<&str>) -> Result<Option<String>, Problem> {
    let at = |code, detail| Err(Problem::at(code, "/as_unit", detail));
    match (unit_type, as_unit.map(unit_code)) {
        (AGENCY, None) => Ok(None),
        (PROVINCE, Some(unit)) => {
            let mut faults = Violations::default();
            faults.name("/as_unit", unit, 1, 100);
            if is_dot_segment(unit) {
                faults.add(ProblemCode::InvalidCode, "/as_unit", ProblemCode::InvalidCode.title());
            }
            faults.into_result().map(|()| Some(unit.to_owned()))
        }
        (PROVINCE, None) => at(
            ProblemCode::Required,
            Msg::fixed(
                "Phải khai báo as_unit: tên đơn vị ứng với tỉnh này trong bộ chỉ số.",
                "Set `as_unit` to the unit that represents this province.",
            ),
        ),
        _ => at(
            ProblemCode::InvalidValue,
            Msg::fixed(
                "Chỉ tổng hợp số liệu cho bộ chỉ số cấp tỉnh (phải có as_unit) hoặc bộ chỉ số của cơ quan (không dùng as_unit).",
                "Collections are supported for frameworks of provinces (with `as_unit`) or of agencies (without it).",
            ),
        ),
    }
}

async fn take_submissions(
    conn: &mut Conn,
    year: i32,
    own: Option<&str>,
    origins: &BTreeMap<String, Origin>,
    found: &mut Found,
) -> QueryResult<()> {
    let wanted: Vec<(&str, &str)> = origins
        .iter()
        .filter_map(|(leaf, origin)| match origin {
            Origin::Submissions(from) => Some((leaf.as_str(), from.as_str())),
            Origin::Statistic(_) => None,
        })
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let codes: BTreeSet<&str> = wanted.iter().map(|(_, from)| *from).collect();
    let period = Period::Year(year);
    let codes = codes.into_iter().map(str::to_owned).collect();
    let latest = stored_values::latest_accepted(conn, codes, period).await?;
    for (leaf, from) in wanted {
        let figures = latest.iter().filter(|figure: &&LatestRow| figure.indicator == from);
        match own {
            Some(unit) => found.of_province((leaf, unit), figures),
            None => found.of_agencies(leaf, figures),
        }
    }
    Ok(())
}

async fn take_statistics(
    conn: &mut Conn,
    year: i32,
    own: Option<&str>,
    origins: &BTreeMap<String, Origin>,
    found: &mut Found,
) -> QueryResult<()> {
    let wanted: Vec<(&str, &Counted)> = origins
        .iter()
        .filter_map(|(leaf, origin)| match origin {
            Origin::Statistic(counted) => Some((leaf.as_str(), counted)),
            Origin::Submissions(_) => None,
        })
        .collect();
    let asked: Vec<&Counted> = wanted.iter().map(|(_, counted)| *counted).collect();
    let figures = YearFigures::count(&mut &*conn, year, own.is_none(), &asked).await?;
    let batches = if asked.iter().any(|counted| counted.is_of_dossiers()) {
        batches_of(conn, year, own.is_none()).await?
    } else {
        HashMap::new()
    };
    for (leaf, counted) in wanted {
        for (group, rate) in figures.rates(counted) {
            let of = if own.is_some() { "" } else { group.code.as_str() };
            let batches = batches.get(of).filter(|_| counted.is_of_dossiers()).cloned().unwrap_or_default();
            let source = Source::Statistic { metric: counted.id(), period: year.to_string(), batches };
            let unit = own.unwrap_or(&group.code).to_owned();
            let count = |n: i64| Some(Fixed::whole(usize::try_from(n).unwrap_or_default()));
            let (numerator, denominator) = (count(rate.numerator), count(rate.denominator));
            let indicator = leaf.to_owned();
            found.rows.push(Row { unit, indicator, value: None, numerator, denominator, note: None, source });
        }
    }
    Ok(())
}

/// The batches that a year's dossiers come from, by agency; of all under the empty code.
async fn batches_of(
    conn: &mut Conn,
    year: i32,
    by_agency: bool,
) -> QueryResult<HashMap<String, Vec<BatchRevision>>> {
    let mut all: HashMap<String, Vec<BatchRevision>> = HashMap::new();
    for row in dossiers::batches_behind(conn, Period::Year(year), by_agency).await? {
        let month = Month::of(row.month).to_string();
        let batch = BatchRevision { source: row.source, month, revision: row.revision };
        all.entry(row.agency).or_default().push(batch);
    }
    Ok(all)
}
