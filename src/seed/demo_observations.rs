//! Invented observations of agencies, each figure labelled as such, so that there is something to score.

use std::collections::BTreeSet;

use serde_json::json;

use super::demo_submissions::AGENCIES;
use crate::audit::{self, Event};
use crate::auth::Actor;
use crate::db::Conn;
use crate::http::Problem;
use crate::scoring::engine::fixed::Fixed;
use crate::scoring::engine::input::Unit;
use crate::scoring::frameworks::model as frameworks;
use crate::scoring::observations::model;
use crate::scoring::observations::rules::{Changes, Row, Set, Source};

const FRAMEWORK: &str = "ICT-INDEX-AGENCIES";
const YEAR: i32 = 2018;
const NOTE: &str = "[demo] số liệu minh họa";
const REASON: &str = "[demo] Số liệu minh họa năm 2018";

/// A count, or a part and its whole.
enum Figure {
    Value(usize),
    Ratio(usize, usize),
}

use Figure::{Ratio, Value};

/// Figures of the agency at this place of the list; none where it says so, to show what is missing.
fn figures(rank: usize) -> Vec<(&'static str, Figure)> {
    let staff = 40 + (rank * 37) % 160;
    let of_staff = |percent: usize| Ratio(staff * percent / 100, staff);
    let mut all = vec![
        ("CQ.HT.01", of_staff(75 + (rank * 7) % 25)),
        ("CQ.HT.02", Value(usize::from(rank % 6 != 5))),
        ("CQ.HT.03", Value((rank * 5) % 7)),
        ("CQ.NL.01", Value(usize::from(rank % 4 != 3))),
        ("CQ.NL.02", Ratio(1 + rank % 2, 2)),
        ("CQ.NL.03", of_staff(20 + (rank * 13) % 80)),
        ("CQ.UD.01", of_staff(55 + (rank * 11) % 45)),
        ("CQ.UD.02A", of_staff((rank * 17) % 90)),
        ("CQ.UD.02B", of_staff(50 + (rank * 3) % 50)),
        ("CQ.UD.03", Value((rank * 3) % 6)),
        ("CQ.KL.01", Value((rank * 2) % 5)),
        ("CQ.KL.02", Value(1_000 + rank * 731)),
    ];
    if has_procedures(rank) {
        let dossiers = 400 + (rank * 271) % 3_000;
        all.push(("CQ.DV.01", Ratio(dossiers * (15 + (rank * 9) % 60) / 100, dossiers)));
        all.push(("CQ.DV.02", Ratio(dossiers * ((rank * 7) % 45) / 1_000, dossiers / 10)));
    }
    all.retain(|(code, _)| !(rank == 4 && *code == "CQ.NL.03"));
    all
}

fn has_procedures(rank: usize) -> bool {
    rank != 0
}

fn row(unit: &str, (indicator, figure): (&'static str, Figure)) -> Row {
    let (value, numerator, denominator) = match figure {
        Value(n) => (Some(Fixed::whole(n)), None, None),
        Ratio(n, of) => (None, Some(Fixed::whole(n)), Some(Fixed::whole(of))),
    };
    Row {
        unit: unit.to_owned(),
        indicator: indicator.to_owned(),
        value,
        numerator,
        denominator,
        note: Some(NOTE.to_owned()),
        source: Source::Imported,
    }
}

fn unit(code: &str, rank: usize) -> Unit {
    let attributes =
        if has_procedures(rank) { BTreeSet::from(["has_procedures".to_owned()]) } else { BTreeSet::new() };
    let group = if code.starts_with("UBND") { "huyện" } else { "sở" };
    Unit { code: code.to_owned(), peer_group: Some(group.to_owned()), attributes, ..Unit::default() }
}

/// Adds labelled, invented observations where there are none.
pub async fn load(conn: &mut Conn, actor: &Actor) -> Result<(), Problem> {
    if frameworks::hold(conn, FRAMEWORK).await?.is_none()
        || model::lock(conn, FRAMEWORK, YEAR).await?.is_some()
    {
        return Ok(());
    }
    let set = Set {
        rows: (0..)
            .zip(AGENCIES)
            .flat_map(|(rank, code)| figures(rank).into_iter().map(|figure| row(code, figure)))
            .collect(),
        units: (0..).zip(AGENCIES).map(|(rank, code)| unit(code, rank)).collect(),
    }
    .ordered();
    let changes = Changes::between(&[], &set.rows);
    model::append(conn, FRAMEWORK, YEAR, (None, &set, changes, Some(REASON.to_owned())), actor).await?;
    let summary = json!({"revision": 1, "counts": changes, "reason": REASON});
    audit::record(conn, actor, Event::create("observations", format!("{FRAMEWORK}/{YEAR}"), &summary))
        .await?;
    Ok(())
}
