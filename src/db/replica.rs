//! A hot standby that statistics are read from while it has everything this instance knows to be committed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use super::error::describe;
use super::generations::Generations;
use super::leader::Target;
use super::settings::Setup;
use super::shared::SharedPool;
use super::{DbError, connect};

const CONNECTING: Duration = Duration::from_millis(900);
/// Between questions when nothing is behind, and while the standby has to catch up.
const IDLE: Duration = Duration::from_millis(100);
const CATCHING_UP: Duration = Duration::from_millis(10);
/// A standby that was not seen to have caught up for this long is not read from.
const TRUSTED: Duration = Duration::from_secs(1);
const ANSWERING: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(500);

/// Both return the timeline, too: of a server that never learnt of a promotion, the position means nothing. A standby knows its
/// timeline for sure from its last restart point on, so after a promotion it is read from some minutes later.
const WRITTEN: &str =
    "select left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) || ':' || pg_current_wal_insert_lsn()";
const REPLAYED: &str = "select to_hex(timeline_id) || ':' || pg_last_wal_replay_lsn() from pg_control_checkpoint() \
    where pg_is_in_recovery()";

/// A standby, and how far it was seen to be.
pub struct Replica {
    server: SharedPool,
    progress: Arc<Progress>,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("progress", &self.progress).finish_non_exhaustive()
    }
}

/// Shared between the task that follows the standby and those who read from it.
#[derive(Debug, Default)]
struct Progress {
    at: Mutex<Option<Mark>>,
    in_use: AtomicBool,
}

/// The standby had replayed all that the primary had written at an instant after the figures had reached a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    generation: u64,
    at: Instant,
}

impl Mark {
    /// How far behind the standby can be at the most; `None` when it must not be read from.
    fn lag(self, generation: Option<u64>, now: Instant) -> Option<Duration> {
        let lag = now.saturating_duration_since(self.at);
        (generation == Some(self.generation) && lag < TRUSTED).then_some(lag)
    }
}

impl Replica {
    pub(super) fn new(server: SharedPool) -> Self {
        Self { server, progress: Arc::default() }
    }

    pub(super) fn server(&self) -> &SharedPool {
        &self.server
    }

    /// How far behind it is at the most; `None` when the primary is to be asked instead.
    pub fn lag(&self, generations: &Generations) -> Option<Duration> {
        let mark = *self.progress.at.lock().unwrap_or_else(PoisonError::into_inner);
        // Who does not hear of changes cannot know that the standby has them.
        let lag = mark.and_then(|mark| mark.lag(generations.figures(), Instant::now()));
        self.progress.in_use.store(lag.is_some(), Ordering::Relaxed);
        lag
    }

    /// Follows the standby as long as the runtime lives.
    pub(super) fn follow(
        &self,
        primary: Target,
        generations: Generations,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (standby, progress) = (self.server.target().clone(), self.progress.clone());
        async move {
            let mut logged = false;
            loop {
                let Err(fault) = progress.session(&primary, &standby, &generations).await;
                let was_up = progress.at.lock().unwrap_or_else(PoisonError::into_inner).take().is_some();
                if was_up || !logged {
                    log::warn!(target: "replica", fault:? = fault; "standby not in use");
                    logged = true;
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

impl Progress {
    async fn session(
        &self,
        primary: &Target,
        standby: &Target,
        generations: &Generations,
    ) -> Result<std::convert::Infallible, DbError> {
        let setup = Setup::application();
        let primary = connect::open(primary, &setup, CONNECTING, None, |_| ()).await?.client;
        let standby = connect::open(standby, &setup, CONNECTING, None, |_| ()).await?.client;
        loop {
            let (generation, at) = (generations.figures(), Instant::now());
            // What is in the log now: at least every commit that this instance has been told of.
            let written = position(&primary, WRITTEN).await?;
            while !position(&standby, REPLAYED).await?.has(written)? {
                tokio::time::sleep(CATCHING_UP).await;
            }
            if let Some(generation) = generation {
                *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Mark { generation, at });
            }
            // A change makes the mark void at once; until the standby has it the primary is asked.
            let mut waited = Duration::ZERO;
            while waited < IDLE && generations.figures() == generation {
                tokio::time::sleep(CATCHING_UP).await;
                waited += CATCHING_UP;
            }
        }
    }
}

/// A position in the write-ahead log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    timeline: u32,
    lsn: u64,
}

impl Position {
    /// `1A:16/B374D848`
    fn parse(text: &str) -> Option<Self> {
        let (timeline, lsn) = text.split_once(':')?;
        let (high, low) = lsn.split_once('/')?;
        let lsn = u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?;
        Some(Self { timeline: u32::from_str_radix(timeline, 16).ok()?, lsn })
    }

    fn has(self, written: Self) -> Result<bool, DbError> {
        if self.timeline == written.timeline {
            Ok(self.lsn >= written.lsn)
        } else {
            Err(DbError::Unavailable("the standby is not known to follow the server that leads".into()))
        }
    }
}

async fn position(client: &Client, question: &str) -> Result<Position, DbError> {
    let unavailable = |why: String| DbError::Unavailable(why);
    let rows = tokio::select! {
        rows = client.simple_query(question) => rows.map_err(|error| unavailable(describe(&error)))?,
        () = tokio::time::sleep(ANSWERING) => return Err(unavailable("no answer".into())),
    };
    let text = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    // A server that replays nothing is no standby, or not any longer.
    text.as_deref().and_then(Position::parse).ok_or_else(|| unavailable("it is no standby".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standby_is_read_from_only_while_it_has_every_known_change() {
        let at = Instant::now();
        let mark = Mark { generation: 7, at };
        let soon = at + Duration::from_millis(120);
        assert_eq!(mark.lag(Some(7), soon), Some(Duration::from_millis(120)));
        assert_eq!(mark.lag(Some(8), soon), None, "a change that it may not have");
        assert_eq!(mark.lag(None, soon), None, "nobody hears of changes");
        assert_eq!(mark.lag(Some(7), at + Duration::from_secs(2)), None, "not seen for too long");
    }

    #[test]
    fn positions_in_the_log_are_compared_as_numbers() {
        let position = |text| Position::parse(text).unwrap();
        assert_eq!(position("0000001A:16/B374D848"), Position { timeline: 26, lsn: 0x16_B374_D848 });
        assert!(position("1:1/0").has(position("00000001:0/FFFFFFFF")).unwrap());
        assert!(!position("1:0/FFFFFFFF").has(position("1:1/0")).unwrap());
        for nothing in ["", "1:", "1:1", "0/1"] {
            assert_eq!(Position::parse(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_standby_of_another_timeline_than_the_primary_is_not_read_from() {
        let (ahead, primary) = (Position { timeline: 1, lsn: 120 }, Position { timeline: 2, lsn: 115 });
        assert!(ahead.has(primary).is_err(), "it has what the new primary never had");
        assert!(primary.has(ahead).is_err(), "the primary that is queried was replaced");
    }
}
