//! Cache invalidation: generations of what this instance keeps in memory.
//!
//! A commit that changes what answers or principals are made of counts a generation up: of another process by
//! notification, of this process before the commit is answered. What was made under an older generation is not used.
//! See `docs/adr/0011-cache-invalidation-by-generation.md`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::{Instrumentation, InstrumentationEvent};
use tokio_postgres::AsyncMessage;

use super::error::describe;
use super::leader::Target;
use super::lifetime::Lifetime;
use super::settings::Setup;
use super::settings::TRUSTED_MS;
use super::{DbError, connect};

const CHANNEL: &str = "ict_index_changes";
/// A round trip on the listening connection this often …
const HEARTBEAT: Duration = Duration::from_millis(250);
/// A listening connection that answers nothing for this long is given up.
const GIVEN_UP: Duration = Duration::from_secs(2);
const CONNECTING: Duration = Duration::from_millis(900);

/// What can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What statistics are made of.
    Figures,
    /// What principals are made of.
    Callers,
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "figures" => Some(Self::Figures),
            "callers" => Some(Self::Callers),
            _ => None,
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Figures => 1,
            Self::Callers => 2,
        }
    }
}

/// Generations of what is kept in memory, and whether they can be trusted. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Generations {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    figures: AtomicU64,
    callers: AtomicU64,
    began: Instant,
    /// How long one round trip is good for.
    trusted: Duration,
    /// Milliseconds since `began` up to which the generations are known to be the present ones.
    trusted_until: AtomicU64,
    listening: AtomicBool,
}

impl Default for Generations {
    fn default() -> Self {
        Self::new(Duration::from_millis(TRUSTED_MS))
    }
}

impl Generations {
    pub(super) fn new(trusted: Duration) -> Self {
        let inner = Inner {
            figures: AtomicU64::new(1),
            callers: AtomicU64::new(1),
            began: Instant::now(),
            trusted,
            trusted_until: AtomicU64::new(0),
            listening: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Generation of the figures; `None` while what is kept must be neither used nor filled.
    pub fn figures(&self) -> Option<u64> {
        let generation = self.counter(Kind::Figures).load(Ordering::SeqCst);
        self.is_trusted().then_some(generation)
    }

    /// Generation of the callers; `None` as in [`Generations::figures`].
    pub fn callers(&self) -> Option<u64> {
        let generation = self.counter(Kind::Callers).load(Ordering::SeqCst);
        self.is_trusted().then_some(generation)
    }

    /// Every change that is committed is known here, or was committed less than a second ago.
    pub fn is_trusted(&self) -> bool {
        self.since_began(Instant::now()) < self.inner.trusted_until.load(Ordering::SeqCst)
    }

    /// Whether a question that was sent after this instant has been answered: what was committed before it is known.
    pub fn has_observed(&self, instant: Instant) -> bool {
        self.inner.trusted_until.load(Ordering::SeqCst) > self.since_began(instant + self.inner.trusted)
    }

    /// Something has changed, or may have: too often does no harm.
    pub fn bump(&self, kind: Kind) {
        self.counter(kind).fetch_add(1, Ordering::SeqCst);
    }

    /// Generation of the figures, trusted or not: whether a change was heard of between two moments.
    pub(super) fn observed_figures(&self) -> u64 {
        self.counter(Kind::Figures).load(Ordering::SeqCst)
    }

    fn counter(&self, kind: Kind) -> &AtomicU64 {
        match kind {
            Kind::Figures => &self.inner.figures,
            Kind::Callers => &self.inner.callers,
        }
    }

    fn bump_all(&self, bits: u8) {
        [Kind::Figures, Kind::Callers]
            .into_iter()
            .filter(|kind| bits & kind.bit() != 0)
            .for_each(|kind| self.bump(kind));
    }

    fn since_began(&self, instant: Instant) -> u64 {
        let passed = instant.saturating_duration_since(self.inner.began);
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }

    fn trust(&self, from: Instant) {
        self.inner.trusted_until.store(self.since_began(from + self.inner.trusted), Ordering::SeqCst);
    }

    fn distrust(&self) {
        self.inner.trusted_until.store(0, Ordering::SeqCst);
    }

    fn receive(&self, message: &AsyncMessage) {
        if let AsyncMessage::Notification(notification) = message {
            // A payload of a newer version's is better taken for everything than for nothing.
            Kind::parse(notification.payload())
                .map_or_else(|| self.bump_all(u8::MAX), |kind| self.bump(kind));
        }
    }

    /// The first who asks is to listen.
    pub(super) fn claim(&self) -> bool {
        !self.inner.listening.swap(true, Ordering::SeqCst)
    }

    /// Listens as long as the runtime lives.
    pub(super) async fn listen(self, primary: Target) {
        let mut logged = false;
        loop {
            let was_up = self.is_trusted();
            let Err(fault) = self.session(&primary).await;
            let lost = was_up || self.is_trusted();
            self.distrust();
            if lost || !logged {
                log::warn!(target: "changes", fault:? = fault; "lost the change notification connection: response cache disabled");
                logged = true;
            }
            tokio::time::sleep(HEARTBEAT).await;
        }
    }

    async fn session(&self, primary: &Target) -> Result<std::convert::Infallible, DbError> {
        let passing = |error: tokio_postgres::Error| DbError::Unavailable(describe(&error));
        let receiver = self.clone();
        // Writes nothing, so it may check whether the server takes writes: see [`connect::Opened::takes_writes`].
        let setup = Setup::application().with(&format!(
            "reset default_transaction_read_only; set application_name = 'ict-index changes'; listen {CHANNEL}"
        ));
        let opened =
            connect::open(primary, &setup, CONNECTING, None, move |message| receiver.receive(&message))
                .await?;
        // Who did not listen knows nothing of the time before.
        self.bump_all(u8::MAX);
        loop {
            let asked = Instant::now();
            tokio::select! {
                // The server tells what was committed before it answers.
                takes_writes = opened.takes_writes() => if !takes_writes.map_err(passing)? {
                    primary.leader.steps_down(opened.term);
                    return Err(DbError::Unavailable("the server takes no writes any longer".into()));
                },
                () = tokio::time::sleep(GIVEN_UP.max(self.inner.trusted)) => return Err(DbError::Unavailable("no heartbeat".into())),
            }
            self.trust(asked);
            tokio::time::sleep(HEARTBEAT).await;
        }
    }
}

/// What the statements of one connection have changed and not committed yet: triggers report them in notices.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingChanges(Arc<AtomicU8>);

impl PendingChanges {
    pub(super) fn receive(&self, message: &AsyncMessage) {
        if let AsyncMessage::Notice(notice) = message
            && notice.message() == CHANNEL
        {
            let bits = notice.detail().and_then(Kind::parse).map_or(u8::MAX, Kind::bit);
            self.0.fetch_or(bits, Ordering::SeqCst);
        }
    }

    fn take(&self) -> u8 {
        self.0.swap(0, Ordering::SeqCst)
    }
}

/// Sees every statement of a connection: counts them, and counts generations up when changes are committed.
pub(super) struct ChangeTracker {
    pub statements: Arc<AtomicU64>,
    pub pending: PendingChanges,
    pub generations: Generations,
    pub state: TransactionState,
    pub lifetime: Lifetime,
}

/// Where a connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TransactionState {
    #[default]
    Outside,
    Inside,
    Committing,
    RollingBack,
}

impl ChangeTracker {
    /// Of a connection that only reads.
    pub(super) fn of_reads(statements: Arc<AtomicU64>, lifetime: Lifetime) -> Self {
        Self {
            statements,
            pending: PendingChanges::default(),
            generations: Generations::default(),
            state: TransactionState::Outside,
            lifetime,
        }
    }

    /// A commit whose answer was lost counts as one: the caller cannot know better.
    fn finished(&mut self) {
        match self.state {
            TransactionState::Inside => return,
            TransactionState::RollingBack => drop(self.pending.take()),
            TransactionState::Outside | TransactionState::Committing => {
                self.generations.bump_all(self.pending.take())
            }
        }
        self.state = TransactionState::Outside;
    }
}

impl Instrumentation for ChangeTracker {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        // BEGIN, COMMIT and ROLLBACK arrive both as themselves and as queries; they are not counted.
        let (uncounted, place) = match event {
            InstrumentationEvent::StartQuery { .. } => {
                self.statements.fetch_add(1, Ordering::Relaxed);
                return;
            }
            InstrumentationEvent::CacheQuery { .. } => return self.lifetime.statement_prepared(),
            InstrumentationEvent::FinishQuery { .. } => return self.finished(),
            InstrumentationEvent::BeginTransaction { depth, .. } => (depth, TransactionState::Inside),
            InstrumentationEvent::CommitTransaction { depth, .. } => (depth, TransactionState::Committing),
            InstrumentationEvent::RollbackTransaction { depth, .. } => (depth, TransactionState::RollingBack),
            _ => return,
        };
        self.statements.fetch_sub(1, Ordering::Relaxed);
        if uncounted.get() == 1 {
            self.state = place;
        }
    }
}

#[cfg(test)]
#[path = "generations_tests.rs"]
mod tests;
