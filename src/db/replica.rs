//! A hot standby that statistics are read from while it has everything this instance knows to be committed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use super::changes::Changes;
use super::settings::Setup;
use super::shared::Server;
use super::{Fault, connect};

const CONNECTING: Duration = Duration::from_millis(900);
/// Between questions when nothing is behind, and while the standby has to catch up.
const IDLE: Duration = Duration::from_millis(100);
const CATCHING_UP: Duration = Duration::from_millis(10);
/// A standby that was not seen to have caught up for this long is not read from.
const TRUSTED: Duration = Duration::from_secs(1);
const ANSWERING: Duration = Duration::from_secs(1);
const AGAIN: Duration = Duration::from_millis(500);

/// A standby, and how far it was seen to be.
pub struct Replica {
    url: String,
    server: Server,
    seen: Arc<Seen>,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("seen", &self.seen).finish_non_exhaustive()
    }
}

/// Shared between the task that follows the standby and those who read from it.
#[derive(Debug, Default)]
struct Seen {
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
    pub(super) fn new(url: &str, server: Server) -> Self {
        Self { url: url.to_owned(), server, seen: Arc::default() }
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// How far behind it is at the most; `None` when the primary is to be asked instead.
    pub fn lag(&self, changes: &Changes) -> Option<Duration> {
        let mark = *self.seen.at.lock().unwrap_or_else(PoisonError::into_inner);
        // Who does not hear of changes cannot know that the standby has them.
        let lag = mark.and_then(|mark| mark.lag(changes.figures(), Instant::now()));
        self.seen.in_use.store(lag.is_some(), Ordering::Relaxed);
        lag
    }

    /// Follows the standby as long as the runtime lives.
    pub(super) fn follow(
        &self,
        primary: String,
        changes: Changes,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (standby, seen) = (self.url.clone(), self.seen.clone());
        async move {
            let mut told = false;
            loop {
                let Err(fault) = seen.session(&primary, &standby, &changes).await;
                let was_up = seen.at.lock().unwrap_or_else(PoisonError::into_inner).take().is_some();
                if was_up || !told {
                    log::warn!(target: "replica", fault:? = fault; "the standby is not read from");
                    told = true;
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

impl Seen {
    async fn session(
        &self,
        primary: &str,
        standby: &str,
        changes: &Changes,
    ) -> Result<std::convert::Infallible, Fault> {
        let setup = Setup::application();
        let primary = connect::open(primary, &setup, CONNECTING, None, |_| ()).await?.client;
        let standby = connect::open(standby, &setup, CONNECTING, None, |_| ()).await?.client;
        loop {
            let (generation, at) = (changes.figures(), Instant::now());
            // What is in the log now: at least every commit that this instance has been told of.
            let written = position(&primary, "select pg_current_wal_insert_lsn()::text").await?;
            while position(&standby, "select pg_last_wal_replay_lsn()::text").await? < written {
                tokio::time::sleep(CATCHING_UP).await;
            }
            if let Some(generation) = generation {
                *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Mark { generation, at });
            }
            // A change makes the mark void at once; until the standby has it the primary is asked.
            let mut waited = Duration::ZERO;
            while waited < IDLE && changes.figures() == generation {
                tokio::time::sleep(CATCHING_UP).await;
                waited += CATCHING_UP;
            }
        }
    }
}

/// A place in the write-ahead log, as a number.
async fn position(client: &Client, question: &str) -> Result<u64, Fault> {
    let unavailable = |why: String| Fault::Unavailable(why);
    let rows = tokio::select! {
        rows = client.simple_query(question) => rows.map_err(|error| unavailable(connect::told(&error)))?,
        () = tokio::time::sleep(ANSWERING) => return Err(unavailable("no answer".into())),
    };
    let text = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    // A server that replays nothing is no standby, or not any longer.
    text.as_deref().and_then(place).ok_or_else(|| unavailable("it is no standby".into()))
}

/// `16/B374D848`
fn place(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    Some(u64::from_str_radix(high, 16).ok()? << 32 | u64::from_str_radix(low, 16).ok()?)
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
    fn places_in_the_log_are_compared_as_numbers() {
        assert_eq!(place("16/B374D848"), Some(0x16_B374_D848));
        assert!(place("1/0") > place("0/FFFFFFFF"));
        assert_eq!(place(""), None);
    }
}
