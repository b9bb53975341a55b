//! Making seals, and finding what was done to the trail since. `docs/adr/0014-the-audit-trail-is-sealed.md` says what is found.

use std::collections::HashSet;
use std::fmt;

use chrono::{DateTime, Duration, SubsecRound, Utc};
use uuid::Uuid;

use super::seal_model::{self as model, SealRow, SealedRow, StrayRow};
use super::seals::{Head, Kept, Leaf};
use crate::db::{Conn, QueryResult};
use crate::values::hex;

/// Events of one seal at the most: what was changed is searched for among so many.
const MOST_EVENTS: usize = 10_000;
/// An event bears the time its request began, and a batch may come in for eleven minutes before it is stored: so much later than a
/// seal of its time an event may appear.
const LATEST_MINUTES: i64 = 15;
/// Clocks of instances may differ by so much. What is dated later is not of this time.
const SKEW_MINUTES: i64 = 5;
/// Stray events that are named.
const MOST_NAMED: i64 = 20;

/// A seal that was made.
#[derive(Debug)]
pub struct Sealed {
    pub head: Head,
    pub hash: Vec<u8>,
    pub leaves: Vec<Leaf>,
}

/// Seals the oldest events that are under no seal; `None` when there are none. Belongs into a transaction; to be called until there
/// are none left. No date that was stored reaches further than `now`: an event or a seal of a later time seals nothing.
pub async fn seal(conn: &mut Conn, now: DateTime<Utc>) -> QueryResult<Option<Sealed>> {
    model::lock(conn).await?;
    let now = now.trunc_subsecs(6);
    let last = model::last(conn).await?;
    let covered = model::covered(conn, latest_plausible(now)).await?;
    let from = covered.map(settled);
    let open = model::open_events(conn, from, now, i64::try_from(MOST_EVENTS).unwrap_or(i64::MAX)).await?;
    let Some(newest) = open.last().map(|event| event.at) else { return Ok(None) };
    let reached = if open.len() == MOST_EVENTS { newest } else { now };
    let covers_until = covered.map_or(reached, |covered| reached.max(covered)).min(now);
    let number = last.as_ref().map_or(1, |last| last.number.saturating_add(1));
    let head = Head { number, sealed_at: now, covers_until };
    let leaves: Vec<Leaf> = open.into_iter().map(|row| Leaf { event: row.id, hash: row.hash }).collect();
    let hash = head.hash(last.as_ref().map_or(&[], |last| &last.hash), &leaves);
    model::store(conn, &head, hash.clone(), &leaves).await?;
    Ok(Some(Sealed { head, hash, leaves }))
}

/// Events that [`seal`] leaves open for good: dated in the future, or before what is sealed. Some of them, if there are many.
pub async fn unsealable(conn: &mut Conn, now: DateTime<Utc>) -> QueryResult<Vec<Finding>> {
    let mut findings = future_events(conn, now, true).await?;
    if let Some(covered) = model::covered(conn, latest_plausible(now)).await? {
        let strays = model::strays(conn, settled(covered), MOST_NAMED).await?;
        findings.extend(strays.into_iter().map(inserted));
    }
    Ok(findings)
}

async fn future_events(conn: &mut Conn, now: DateTime<Utc>, open_only: bool) -> QueryResult<Vec<Finding>> {
    let rows = model::later_than(conn, latest_plausible(now), open_only, MOST_NAMED).await?;
    Ok(rows.into_iter().map(|StrayRow { id, at, told }| Finding::Future { event: id, at, told }).collect())
}

/// Whatever is dated later is dated wrongly.
fn latest_plausible(now: DateTime<Utc>) -> DateTime<Utc> {
    now + Duration::minutes(SKEW_MINUTES)
}

/// Before this instant no event appears any more that is not under a seal that covers so much.
fn settled(covered: DateTime<Utc>) -> DateTime<Utc> {
    covered - Duration::minutes(LATEST_MINUTES)
}

/// How far a seal reaches: no further than the day it was made, whatever the events under it say.
fn reach(seal: &SealRow) -> DateTime<Utc> {
    seal.covers_until.min(seal.sealed_at)
}

/// Something that was done to the trail.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding {
    Changed {
        event: Uuid,
        seal: i32,
        told: String,
    },
    Removed {
        event: Uuid,
        seal: i32,
    },
    Inserted {
        event: Uuid,
        at: DateTime<Utc>,
        told: String,
    },
    /// Dated later than any clock may be. Not sealed: its time says nothing.
    Future {
        event: Uuid,
        at: DateTime<Utc>,
        told: String,
    },
    SealInFuture {
        seal: i32,
        at: DateTime<Utc>,
    },
    SealMissing {
        seal: i32,
    },
    SealBroken {
        seal: i32,
    },
    SealDiffers {
        seal: i32,
        kept: String,
        here: String,
    },
}

impl Finding {
    /// Whether a clock that was wrong explains it.
    pub fn is_of_the_future(&self) -> bool {
        matches!(self, Self::Future { .. } | Self::SealInFuture { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { event, seal, told } => {
                write!(f, "changed: event {event} under seal {seal}, now: {told}")
            }
            Self::Removed { event, seal } => write!(f, "removed: event {event} under seal {seal}"),
            Self::Inserted { event, at, told } => {
                write!(
                    f,
                    "inserted: event {event} dated {}, under no seal of its time: {told}",
                    at.to_rfc3339()
                )
            }
            Self::Future { event, at, told } => {
                write!(f, "dated in the future: event {event} dated {}: {told}", at.to_rfc3339())
            }
            Self::SealInFuture { seal, at } => {
                write!(f, "dated in the future: seal {seal}, made at {}", at.to_rfc3339())
            }
            Self::SealMissing { seal } => write!(f, "seal {seal} is missing"),
            Self::SealBroken { seal } => {
                write!(
                    f,
                    "seal {seal} is not that of its events: it, their list or the seal before was changed"
                )
            }
            Self::SealDiffers { seal, kept, here } => {
                write!(f, "seal {seal} was kept as {kept}, here it is {here}")
            }
        }
    }
}

/// What a comparison of the whole trail found.
#[derive(Debug, Default)]
pub struct Verdict {
    pub seals: usize,
    pub events: usize,
    /// Under no seal yet.
    pub open: i64,
    pub findings: Vec<Finding>,
    /// Events that came soon after the seal of their time: of a request that was under way, most likely.
    pub late: Vec<String>,
}

/// Compares all events with their seals, and those with what was kept elsewhere.
pub async fn verify(conn: &mut Conn, kept: &Kept, now: DateTime<Utc>) -> QueryResult<Verdict> {
    let seals = model::all(conn).await?;
    let mut verdict =
        Verdict { seals: seals.len(), open: model::count_open(conn).await?, ..Verdict::default() };
    let (mut previous, mut seen): (Option<&SealRow>, HashSet<Uuid>) = (None, HashSet::new());
    for seal in &seals {
        let expected = previous.map_or(1, |previous| previous.number + 1);
        verdict.findings.extend((expected..seal.number).map(|seal| Finding::SealMissing { seal }));
        let rows = model::sealed(conn, seal.number).await?;
        verdict.events += rows.len();
        seen.extend(rows.iter().map(|row| row.event_id));
        compare(&mut verdict, seal, previous, &rows, kept);
        previous = Some(seal);
    }
    verdict.findings.splice(0..0, loose(conn, kept, &seen).await?);
    let newest = previous.map_or(0, |seal| seal.number);
    let mut gone: Vec<i32> = kept.seals.keys().copied().filter(|number| *number > newest).collect();
    gone.sort_unstable();
    verdict.findings.extend(gone.into_iter().map(|seal| Finding::SealMissing { seal }));
    let plausible = seals.iter().filter(|seal| seal.sealed_at <= latest_plausible(now));
    if let Some(covered) = plausible.map(reach).max() {
        for stray in model::strays(conn, covered, MOST_NAMED).await? {
            judge(&mut verdict, stray, settled(covered));
        }
    }
    let early = seals.iter().filter(|seal| seal.sealed_at > latest_plausible(now));
    verdict
        .findings
        .extend(early.map(|seal| Finding::SealInFuture { seal: seal.number, at: seal.sealed_at }));
    verdict.findings.extend(future_events(conn, now, false).await?);
    Ok(verdict)
}

/// What became of events that were kept elsewhere and are under no seal any more.
async fn loose(conn: &mut Conn, kept: &Kept, sealed: &HashSet<Uuid>) -> QueryResult<Vec<Finding>> {
    let mut findings = Vec::new();
    for some in kept.not_among(sealed).chunks(MOST_EVENTS) {
        let rows = model::loose(conn, some.iter().map(|(event, _)| *event).collect()).await?;
        findings.extend(rows.into_iter().zip(some).filter_map(|(row, (_, seal))| {
            let (event, seal) = (row.event_id, *seal);
            match row.present_hash {
                None => Some(Finding::Removed { event, seal }),
                Some(hash) if kept.hash_of(&event) == Some(&hex(&hash)) => None,
                Some(_) => Some(Finding::Changed { event, seal, told: row.told.unwrap_or_default() }),
            }
        }));
    }
    Ok(findings)
}

/// One seal with its events as they are now.
fn compare(
    verdict: &mut Verdict,
    seal: &SealRow,
    previous: Option<&SealRow>,
    rows: &[SealedRow],
    kept: &Kept,
) {
    let number = seal.number;
    // Seals that were made anew may have others' events: then nothing is known of one that was not kept.
    let is_whole = kept.holds_all_of(number, rows.iter().map(|row| row.event_id));
    for row in rows {
        let was = kept.hash_of(&row.event_id);
        match &row.present_hash {
            None => verdict.findings.push(Finding::Removed { event: row.event_id, seal: number }),
            Some(hash) if *hash != row.sealed_hash || was.is_some_and(|was| *was != hex(hash)) => {
                let told = row.told.clone().unwrap_or_default();
                verdict.findings.push(Finding::Changed { event: row.event_id, seal: number, told });
            }
            Some(_) if is_whole && was.is_none() => verdict.findings.push(Finding::Inserted {
                event: row.event_id,
                at: row.at.unwrap_or(seal.sealed_at),
                told: row.told.clone().unwrap_or_default(),
            }),
            Some(_) => {
                let late = row.at.zip(previous).is_some_and(|(at, previous)| at < reach(previous));
                verdict.late.extend(late.then(|| told_late(row.event_id, row.told.as_deref())));
            }
        }
    }
    let leaves: Vec<Leaf> =
        rows.iter().map(|row| Leaf { event: row.event_id, hash: row.sealed_hash.clone() }).collect();
    let hash = seal.head().hash(previous.map_or(&[], |previous| &previous.hash), &leaves);
    if hash != seal.hash {
        verdict.findings.push(Finding::SealBroken { seal: number });
    }
    let here = hex(&seal.hash);
    if let Some(kept) = kept.seals.get(&number).filter(|kept| **kept != here) {
        verdict.findings.push(Finding::SealDiffers { seal: number, kept: kept.clone(), here });
    }
}

fn judge(verdict: &mut Verdict, stray: StrayRow, settled: DateTime<Utc>) {
    if stray.at < settled {
        verdict.findings.push(inserted(stray));
    } else {
        verdict.late.push(told_late(stray.id, Some(&stray.told)));
    }
}

fn inserted(StrayRow { id, at, told }: StrayRow) -> Finding {
    Finding::Inserted { event: id, at, told }
}

fn told_late(event: Uuid, told: Option<&str>) -> String {
    format!("event {event}: {}", told.unwrap_or_default())
}
