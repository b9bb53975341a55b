//! `ict-index audit`: seals over the audit trail, and whether it is still what was sealed.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{Outcome, block_on, one, open_db, plain};
use crate::audit::sealing::{self, Finding, Sealed, Verdict};
use crate::audit::seals::{Kept, event_line, seal_line};
use crate::clock::Clock;
use crate::config::Environment;
use crate::db::{Conn, Db};
use crate::http::Problem;

/// Findings that are printed; the rest are only counted.
const MOST_SHOWN: usize = 20;

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Seal the events that are under no seal yet, and print a line for each seal: keep it where the database's users cannot write
    Seal {
        /// Print a line for each event too: kept elsewhere, they name what was changed even when the seals were made anew
        #[arg(long)]
        events: bool,
    },
    /// Compare all events with their seals; fails, and names what was changed, removed or inserted
    Verify {
        /// File with the lines that `audit seal` printed
        #[arg(long)]
        against: Option<PathBuf>,
    },
}

pub fn run(env: &Environment, command: &AuditCommand) -> Outcome {
    match command {
        AuditCommand::Seal { events } => seal(env, *events),
        AuditCommand::Verify { against } => verify(env, against.as_deref()),
    }
}

fn seal(env: &Environment, events: bool) -> Outcome {
    let db = open_db(env)?;
    block_on(async move {
        while let Some(sealed) = seal_some(&db).await? {
            println!("{}", seal_line(&sealed.head, sealed.leaves.len(), &sealed.hash));
            if events {
                sealed.leaves.iter().for_each(|leaf| println!("{}", event_line(sealed.head.number, leaf)));
            }
        }
        refuse_unsealable(&db).await
    })
}

/// What stays open for good is named, and fails: a timer's mail is read, a file without lines is not.
async fn refuse_unsealable(db: &Db) -> Outcome {
    let now = Clock::System.now();
    let left = db
        .read(async move |conn: &mut Conn| Ok::<_, Problem>(sealing::unsealable(conn, now).await?))
        .await
        .map_err(plain)?;
    if left.is_empty() {
        return Ok(());
    }
    let faults = left.iter().take(MOST_SHOWN).map(|finding| format!("cannot be sealed: {finding}"));
    Err(faults.collect())
}

async fn seal_some(db: &Db) -> Result<Option<Sealed>, Vec<String>> {
    let now = Clock::System.now();
    db.transaction(async move |conn: &mut Conn| Ok::<_, Problem>(sealing::seal(conn, now).await?))
        .await
        .map_err(plain)
}

fn verify(env: &Environment, against: Option<&Path>) -> Outcome {
    let kept = against.map_or_else(|| Ok(Kept::default()), read_kept)?;
    let db = open_db(env)?;
    let verdict = block_on(async move {
        let now = Clock::System.now();
        db.read(async move |conn: &mut Conn| Ok::<_, Problem>(sealing::verify(conn, &kept, now).await?))
            .await
            .map_err(plain)
    })?;
    tell(&verdict);
    let Some(first) = verdict.findings.first() else { return Ok(()) };
    let only_dates = verdict.findings.iter().all(Finding::is_of_the_future);
    let what = if only_dates { "has events dated in the future" } else { "was tampered with" };
    Err(one(format!("the audit trail {what}; first found: {first}")))
}

fn read_kept(path: &Path) -> Result<Kept, Vec<String>> {
    let told = |fault: &dyn std::fmt::Display| one(format!("{}: {fault}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| told(&error))?;
    let kept = Kept::read(&text).map_err(|fault| told(&fault))?;
    // A file that was emptied would agree with everything.
    if kept.seals.is_empty() { Err(told(&"holds no seal")) } else { Ok(kept) }
}

fn tell(verdict: &Verdict) {
    for finding in verdict.findings.iter().take(MOST_SHOWN) {
        println!("{finding}");
    }
    for late in verdict.late.iter().take(MOST_SHOWN) {
        println!("late event (recorded after its time range was sealed): {late}");
    }
    println!(
        "{} events under {} seals compared, {} findings; {} events are under no seal yet",
        verdict.events,
        verdict.seals,
        verdict.findings.len(),
        verdict.open
    );
}
