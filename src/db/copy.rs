//! Many rows on their way in: binary COPY into unlogged tables, each held by one delivery at a time. And on their way out.
//!
//! diesel-async has no COPY, so these few connections are tokio-postgres's own. They live on the runtime of [`super::Db`]. A
//! table is claimed by an advisory lock of the session: a connection that dies gives its claim back by itself.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Client;
use tokio_postgres::binary_copy::BinaryCopyInWriter;

pub use tokio_postgres::types::{ToSql as Cell, Type as CellType};

pub use super::claim::Layout;
pub use super::claim::claim_in_transaction;
pub use super::copied_out::CopiedOut;

use super::admission::{AdmissionControl, Caller, Charged, Limits, Permit};
use super::claim::Claim;
use super::connect::{self, Canceller};
use super::copied_out::{Outgoing, hand_on};
use super::leader::Target;
use super::lifetime::Lifetime;
use super::minimum_rate::IDLE_TIMEOUT;
use super::settings::Setup;
use super::{Conn, DbError, DbSettings, RlsContext};

/// How long a delivery waits for a free table, and how often it asks.
const CLAIM_WAIT: Duration = Duration::from_secs(3);
const CLAIM_PAUSE: Duration = Duration::from_millis(50);
/// A COPY lasts as long as its sender takes; senders are not waited for longer than this.
const COPY_TIMEOUT_MS: u64 = 660_000;

/// Exports at a time: each has a connection of its own in addition to the pool. One caller gets two of them.
const EXPORTS: Limits = Limits { permits: 4, per_free: 1, queue: 0 };
/// Deliveries at a time, likewise. Excess ones wait, with the little of their body that has been read, for [`CLAIM_WAIT`].
const DELIVERIES: Limits = Limits { permits: 4, per_free: 1, queue: 64 };

/// A text as SQL writes it; nothing ends it but its own closing quote, whatever `standard_conforming_strings` is. For `copy … to`
/// and `set`, which take no parameters.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''").replace('\0', "");
    // Only what holds a backslash could mean two things: this form of it means one.
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// The way to the tables. Cheap to clone.
#[derive(Clone)]
pub struct Staging {
    inner: Arc<Inner>,
    ctx: RlsContext,
    charged: Charged,
}

struct Inner {
    primary: Target,
    connecting: Duration,
    setup: Setup,
    max_age: Duration,
    idle: Mutex<Vec<Connection>>,
    exports: AdmissionControl,
    deliveries: AdmissionControl,
    runtime: Handle,
    statements: Arc<AtomicU64>,
}

impl Staging {
    pub(super) fn new(
        settings: &DbSettings,
        primary: Target,
        connecting: Duration,
        runtime: Handle,
        statements: Arc<AtomicU64>,
    ) -> Self {
        let setup = Setup::of(settings).with(&format!("set statement_timeout = {COPY_TIMEOUT_MS}"));
        let (idle, max_age) = (Mutex::default(), settings.max_connection_age);
        let (exports, deliveries) = (AdmissionControl::new(EXPORTS), AdmissionControl::new(DELIVERIES));
        let inner =
            Inner { primary, connecting, setup, max_age, idle, exports, deliveries, runtime, statements };
        let charged = Caller::system().into();
        Self { inner: Arc::new(inner), ctx: RlsContext::default(), charged }
    }

    /// The same, in this RLS context.
    pub fn seeing(self, ctx: RlsContext) -> Self {
        Self { ctx, ..self }
    }

    /// The same, with permits charged to this caller.
    pub fn charged_to(self, charged: impl Into<Charged>) -> Self {
        Self { charged: charged.into(), ..self }
    }

    /// The same, with permits charged to the source as well.
    pub fn delivering_for(self, source: &str) -> Self {
        Self { charged: self.charged.and(Caller::named(format!("source:{source}"))), ..self }
    }

    /// How often all permits were taken, and how often a caller's share was used up.
    pub(super) fn refused(&self) -> (u64, u64) {
        let (exports, deliveries) = (self.inner.exports.refused(), self.inner.deliveries.refused());
        (exports.0 + deliveries.0, exports.1 + deliveries.1)
    }

    /// (exports, deliveries) that hold a permit.
    pub fn in_use(&self) -> (usize, usize) {
        (self.inner.exports.in_use().0, self.inner.deliveries.in_use().0)
    }

    /// Begins `work` on the database's runtime, where it goes on to its end whether or not anybody waits for it.
    pub fn spawn<T, E, F>(&self, work: F) -> impl Future<Output = Result<T, E>> + use<T, E, F>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
    {
        let running = self.inner.runtime.spawn(work);
        async move {
            running.await.unwrap_or_else(|error| {
                Err(DbError::Unavailable(format!("staging ended early: {error}")).into())
            })
        }
    }

    /// The answer of a `copy … to stdout`, in pieces of some tens of kilobytes, as fast as they are taken. The statement is
    /// whole when this answers; what fails later ends the pieces with an error.
    pub async fn copy_out(&self, text: String) -> Result<CopiedOut, DbError> {
        let (home, ctx) = (self.inner.clone(), self.ctx.set_sql("set"));
        let permit = home.exports.try_admit(self.charged.clone())?;
        self.spawn(async move {
            let client = home.connection().await?;
            // Said each time: these connections are everybody's.
            client.batch_execute(&ctx).await?;
            let rows = client.copy_out(&text).await?;
            home.statements.fetch_add(1, Ordering::Relaxed);
            let (sender, copied) = CopiedOut::channel();
            let runtime = home.runtime.clone();
            runtime.spawn(async move {
                if hand_on(rows, &sender).await {
                    // Before the reader learns of the end: it may ask for its next export at once.
                    home.keep(client);
                    drop(permit);
                    let _ = sender.send_timeout(Outgoing::End, IDLE_TIMEOUT).await;
                } else {
                    drop(sender);
                    // Left in the middle, the connection is of no use to anybody else.
                    client.end().await;
                    // Not before the database has done with it: the reader may be long gone.
                    drop(permit);
                }
            });
            Ok(copied)
        })
        .await
    }

    #[allow(clippy::disallowed_methods, reason = "no database work is inside")]
    async fn admitted(&self) -> Result<Permit, DbError> {
        let deliveries = &self.inner.deliveries;
        let admitted = timeout(CLAIM_WAIT, deliveries.admit(self.charged.clone())).await;
        Ok(admitted.unwrap_or_else(|_| Err(deliveries.refusal(&self.charged)))?)
    }

    /// Claims a table for the caller alone; it is empty. All taken for a while: unavailable.
    pub async fn claim(&self, layout: &'static Layout) -> Result<Stage, DbError> {
        let deadline = Instant::now() + CLAIM_WAIT;
        // Those who wait hold no connection.
        let permit = self.admitted().await?;
        loop {
            let client = self.inner.connection().await?;
            match Claim::try_on(&client, layout).await {
                Ok(Some(claim)) => {
                    // The claim, the copy and the release, which comes when nobody counts any more.
                    self.inner.statements.fetch_add(3, Ordering::Relaxed);
                    let inner = self.inner.clone();
                    return Ok(Stage { client: Some(client), layout, claim, inner, permit: Some(permit) });
                }
                Ok(None) => self.inner.keep(client),
                // A connection that died while it was idle.
                Err(error) if error.is_closed() && Instant::now() < deadline => continue,
                Err(error) => return Err(error.into()),
            }
            if Instant::now() >= deadline {
                return Err(DbError::Unavailable("every staging table is taken".into()));
            }
            sleep(CLAIM_PAUSE).await;
        }
    }
}

impl Inner {
    async fn connection(&self) -> Result<Connection, DbError> {
        if let Some(connection) = self.take() {
            return Ok(connection);
        }
        let (primary, setup, connecting) = (self.primary.clone(), self.setup.clone(), self.connecting);
        let opening = self
            .runtime
            .spawn(async move { connect::open(&primary, &setup, connecting, None, |_| ()).await });
        let opened =
            opening.await.map_err(|error| DbError::Internal(format!("connecting ended early: {error}")))?;
        let opened = opened?;
        let (canceller, lifetime) = (opened.canceller(), Lifetime::within(self.max_age));
        Ok(Connection { client: opened.client, canceller, lifetime })
    }

    fn take(&self) -> Option<Connection> {
        self.usable().pop()
    }

    fn keep(&self, connection: Connection) {
        self.usable().push(connection);
    }

    /// Idle connections, without those that have ended or are too old: the last of the list are used first, and the others would
    /// never be looked at.
    fn usable(&self) -> MutexGuard<'_, Vec<Connection>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(Connection::is_usable);
        idle
    }
}

/// One of these few connections.
struct Connection {
    client: Client,
    canceller: Canceller,
    lifetime: Lifetime,
}

impl Connection {
    fn is_usable(&self) -> bool {
        !self.client.is_closed() && !self.lifetime.is_over()
    }

    /// Answers when the server has done with its last statement.
    async fn end(self) {
        self.canceller.end(self.client).await;
    }
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// A table that is the holder's until this is dropped; then it is emptied and free.
pub struct Stage {
    client: Option<Connection>,
    layout: &'static Layout,
    claim: Claim,
    inner: Arc<Inner>,
    permit: Option<Permit>,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Stage").field(&self.claim.relation).finish()
    }
}

impl Stage {
    /// The table's name.
    pub fn relation(&self) -> &'static str {
        self.claim.relation
    }

    /// Makes sure, for as long as the transaction of `conn` lasts, that it sees the rows that were copied in. An unlogged table is empty
    /// after a crash, and on a standby that was promoted; a claim that ended may be another's by now.
    pub async fn hold(&self, conn: &mut Conn) -> Result<(), DbError> {
        if self.claim.holds(conn, self.layout).await? {
            Ok(())
        } else {
            Err(DbError::Unavailable("rows that were copied in are not there any more".into()))
        }
    }

    /// Begins to copy rows in. They are there once [`CopiedRows::finish`] has answered.
    pub async fn copy(&self) -> Result<CopiedRows, DbError> {
        let Some(client) = &self.client else {
            return Err(DbError::Internal("a stage without a connection".into()));
        };
        let names: Vec<&str> = self.layout.columns.iter().map(|(name, _)| *name).collect();
        let types: Vec<CellType> = self.layout.columns.iter().map(|(_, kind)| kind.clone()).collect();
        let text = format!("copy {} ({}) from stdin (format binary)", self.claim.relation, names.join(", "));
        let sink = client.copy_in(&text).await?;
        Ok(CopiedRows { writer: Box::pin(BinaryCopyInWriter::new(sink, &types)) })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        let (inner, relation, lock, slot) =
            (self.inner.clone(), self.claim.relation, self.layout.lock.number(), self.claim.slot);
        let permit = self.permit.take();
        self.inner.runtime.spawn(async move {
            // Emptied first: who claims it next finds nothing. Should either fail, the connection ends, and the claim with it.
            let emptied = client.batch_execute(&format!("truncate {relation}")).await;
            let freed = match emptied {
                Ok(()) => client.batch_execute(&format!("select pg_advisory_unlock({lock}, {slot})")).await,
                Err(error) => Err(error),
            };
            match freed {
                Ok(()) => inner.keep(client),
                Err(error) => {
                    log::warn!(target: "staging", relation, error:% = error; "could not truncate a staging table");
                    client.end().await;
                }
            }
            drop(permit);
        });
    }
}

/// Rows being copied; dropped before its end, nothing of them is there.
pub struct CopiedRows {
    writer: Pin<Box<BinaryCopyInWriter>>,
}

impl std::fmt::Debug for CopiedRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CopiedRows")
    }
}

impl CopiedRows {
    /// One row, in the order of the layout's columns.
    pub async fn write(&mut self, cells: &[&(dyn Cell + Sync)]) -> Result<(), DbError> {
        Ok(self.writer.as_mut().write(cells).await?)
    }

    pub async fn finish(mut self) -> Result<u64, DbError> {
        Ok(self.writer.as_mut().finish().await?)
    }
}
